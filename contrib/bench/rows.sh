# rows.sh - part of `run`: the rows that compare agentd with a peer.
#
# row_NAME is one round of a row; within it the runs of agentd and of its peers take turns. A run leaves its output in
# raw/SERIES.ROUND.out with the exit code, what the database then holds in .rows, what was measured beside it in
# .extra (JSON), or why there is none in .missing.
# shellcheck shell=bash disable=SC2154,SC2034

record() { # SERIES COMMAND...; no longer than `limit`
	local file=$top/raw/$1.$round
	await timeout "${limit:-$((seconds * 2 + 60))}" "${@:2}" >"$file.out" 2>&1
	echo "EXIT $?" >>"$file.out"
}

missing() { # SERIES REASON
	echo "$2" >"$top/raw/$1.$round.missing"
}

load_wrk() { # SERIES CONNECTIONS TOKEN PATH [NAME=VALUE...]
	record "$1" env BENCH_TOKEN="$3" "${@:5}" \
		wrk -t1 -c"$2" -d"${seconds}s" --timeout 10s -s "$here/request.lua" "$4"
}

# --- agentd ---

# Every run that writes begins with empty tables and a fresh checkpoint.
empty_tasks() {
	sql -d agentd -c 'TRUNCATE tasks, task_attempts CASCADE' -c CHECKPOINT
}

add_tasks() { # COUNT
	await env BENCH_TOKEN="$key" "$load" preload "$1" >"$top/preload.log" 2>&1 ||
		{ cat "$top/preload.log" >&2; die "cannot preload tasks"; }
}

fill_tasks() { # COUNT
	empty_tasks
	add_tasks "$1"
	sql -d agentd -c 'VACUUM ANALYZE tasks' -c CHECKPOINT
}

count_rows() { # SERIES DATABASE TABLE [CONDITION]
	sql -d "$2" -c "SELECT count(*) FROM $3 WHERE ${4:-true}" >"$top/raw/$1.$round.rows"
}

run_create() { # SERIES CONNECTIONS [NAME=VALUE...]
	empty_tasks
	load_wrk "$1" "$2" "$jwt" "$api/tasks" BENCH_BODY="$BENCH_TASK" "${@:3}"
	count_rows "$1" agentd tasks
}

run_work() { # SERIES CLIENTS BATCH TASKS
	fill_tasks "$4"
	record "$1" env BENCH_TOKEN="$key" "$load" work "$2" "$3" "$seconds"
	count_rows "$1" agentd tasks "status = 'completed'"
}

# With the processor time of the workers: what one request costs bounds what its JWT or key check costs.
run_me() { # SERIES TOKEN
	local before
	before=$(worker_cpu_ms)
	load_wrk "$1" 64 "$2" "$api/auth/me"
	echo "{\"cpu_ms\":$(($(worker_cpu_ms) - before))}" >"$top/raw/$1.$round.extra"
}

# --- pgbench and Fastify, on tables of their own in the same cluster ---

run_pgbench() { # SERIES CLIENTS SCRIPT
	record "$1" "$bin/pgbench" -n -M prepared -c "$2" -j 2 -T "$seconds" -f "$here/$3" -D role=bench \
		-D description='one durable task' -D input_data="$input_data" -D output_data="$output_data" \
		-h "$socket" -U agentd bench
}

run_peer_insert() {
	sql -d bench -c 'TRUNCATE created' -c CHECKPOINT
	run_pgbench peer_insert 32 peer_insert.sql
}

run_peer_lease() { # SERIES CLIENTS
	sql -d bench -c 'TRUNCATE queued' -c "INSERT INTO queued (role, description, input_data)
		SELECT 'bench', 'one durable task', '$input_data' FROM generate_series(1, $((seconds * 40000)))" \
		-c 'VACUUM ANALYZE queued' -c CHECKPOINT
	run_pgbench "$1" "$2" peer_lease.sql
}

run_fastify() { # SERIES PATH [NAME=VALUE...]
	if [ -n "$fastify_missing" ]; then
		missing "$1" "$fastify_missing"
		return
	fi
	# Compiled by what went before: a second of the same, which does not count.
	[ "$round" != 1 ] ||
		env BENCH_TOKEN="$fastify_token" "${@:3}" wrk -t1 -c64 -d1s -s "$here/request.lua" "$fastify_url$2" >/dev/null 2>&1
	load_wrk "$1" 64 "$fastify_token" "$fastify_url$2" "${@:3}"
}

run_fastify_insert() {
	sql -d bench -c 'TRUNCATE created' -c CHECKPOINT
	run_fastify fastify_insert /tasks BENCH_BODY="$BENCH_TASK"
	[ -n "$fastify_missing" ] || count_rows fastify_insert bench created
}

# --- graphile-worker and pg-boss, in a process of their own without HTTP ---

peer_schema() { # PROGRAM
	case $1 in graphile) echo graphile_worker ;; pgboss) echo pgboss ;; esac
}

peer_table() { # PROGRAM
	case $1 in graphile) echo graphile_worker._private_jobs ;; pgboss) echo pgboss.job ;; esac
}

run_queue() { # SERIES PROGRAM MODE
	sql -d bench -c 'SET client_min_messages = warning' -c "DROP SCHEMA IF EXISTS $(peer_schema "$2") CASCADE" -c CHECKPOINT
	record "$1" "${peer[@]}" node "$top/peers/$2.js" "$3"
}

run_queue_create() { # SERIES PROGRAM MODE
	[ -z "$peers_missing" ] || { missing "$1" "$peers_missing"; return; }
	run_queue "$1" "$2" "$3"
	count_rows "$1" bench "$(peer_table "$2")"
}

run_queue_work() { # SERIES PROGRAM MODE JOBS
	[ -z "$peers_missing" ] || { missing "$1" "$peers_missing"; return; }
	sql -d bench -c 'SET client_min_messages = warning' -c "DROP SCHEMA IF EXISTS $(peer_schema "$2") CASCADE"
	await "${peer[@]}" node "$top/peers/$2.js" preload "$4" >"$top/preload.log" 2>&1 ||
		{ missing "$1" "its jobs could not be made ($(tail -n 1 "$top/preload.log" | cut -c 1-100))"; return; }
	sql -d bench -c 'VACUUM ANALYZE' -c CHECKPOINT
	record "$1" "${peer[@]}" node "$top/peers/$2.js" "$3"
	if [ "$2" = graphile ]; then
		# A job that is done is a row that is gone.
		sql -d bench -c "SELECT $4 - count(*) FROM $(peer_table graphile)" >"$top/raw/$1.$round.rows"
	else
		count_rows "$1" bench "$(peer_table pgboss)" "state = 'completed'"
	fi
}

# --- the rows ---

width() { # DATABASE TABLE
	sql -d "$1" -c "SELECT round(avg(pg_column_size(t.*))) FROM (SELECT * FROM $2 LIMIT 1000) t"
}

row_create() {
	run_create create_64 64
	task_width=$(width agentd tasks)
	run_peer_insert
	peer_width=$(width bench created)
	run_create create_256 256
	run_fastify_insert
	run_queue_create graphile_add graphile create
	run_queue_create pgboss_send pgboss create
}

row_me() {
	run_me me_jwt "$jwt"
	load_wrk peer_nginx 64 "$jwt" "http://127.0.0.1:$port/api/v1/auth/me"
	run_me me_key "$key"
	run_fastify fastify_me /me
}

row_work() {
	local clients
	run_work work_8 8 1 $((seconds * 15000))
	for clients in 8 16 32 64; do
		run_peer_lease "peer_lease_$clients" "$clients"
	done
	run_work work_64 64 1 $((seconds * 30000))
	run_queue_work graphile_work graphile work $(((seconds + 1) * 10000))
	run_work work_256 256 1 $((seconds * 40000))
	run_queue_work pgboss_work pgboss work 5000
}

row_array() {
	empty_tasks
	load_wrk create_array 16 "$jwt" "$api/tasks" BENCH_UNITS=100 BENCH_BODY="$array"
	count_rows create_array agentd tasks
	run_queue_create graphile_add_batch graphile create_batch
	run_queue_create pgboss_insert_batch pgboss create_batch
}

row_batch() {
	run_work work_batch 24 100 $((seconds * 60000))
	run_queue_work graphile_work_batch graphile work_batch $(((seconds + 1) * 60000))
	run_queue_work pgboss_work_batch pgboss work_batch 25000
}

row_get() {
	if [ "$round" = 1 ]; then
		fill_tasks 10000
		sql -d agentd -c 'SELECT id FROM tasks LIMIT 1000' >"$top/ids"
		sql -d bench -c 'TRUNCATE created' -c "INSERT INTO created (role, description, input_data)
			SELECT 'bench', 'one durable task', '$input_data' FROM generate_series(1, 10000)" -c 'VACUUM ANALYZE created'
		sql -d bench -c 'SELECT id FROM created LIMIT 1000' >"$top/peer_ids"
	fi
	load_wrk get_task 64 "$jwt" "$api/tasks/" BENCH_IDS="$top/ids"
	run_fastify fastify_get /tasks/ BENCH_IDS="$top/peer_ids"
}
