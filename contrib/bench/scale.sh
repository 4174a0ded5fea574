# scale.sh - part of `run`: the rows that have a limit instead of a peer.
#
# whole_NAME has its own order of rounds, at most three, since what it sets up is large. See rows.sh for what a run leaves.
# shellcheck shell=bash disable=SC2154,SC2034

few_rounds() {
	seq $((rounds < 3 ? rounds : 3))
}

# --- a task's way to a waiting agent ---

whole_handover() {
	local limit=$((handovers * 3 + 60))
	round=1
	empty_tasks
	record handover env BENCH_TOKEN="$key" "$load" handover "$handovers"
	start_node
	record handover_other env BENCH_TOKEN="$key" BENCH_AGENT_URL="$node_url" "$load" handover "$handovers"
	stop "$node"
	node=
}

# --- a fleet that waits ---

# Statements that the database agentd has run: exact with PostgreSQL's pg_stat_statements, else its transactions.
count_statements() {
	if [ "$statement_source" = pg_stat_statements ]; then
		sql -d postgres -c "SELECT coalesce(sum(calls), 0) FROM pg_stat_statements s
			JOIN pg_database d ON d.oid = s.dbid WHERE datname = 'agentd'"
	else
		sql -d postgres -c "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = 'agentd'"
	fi
}

# Loaded for this row only: elsewhere it would cost both sides.
load_statement_counter() {
	statement_source=pg_stat_database
	[ -n "$(sql -d postgres -c "SELECT 1 FROM pg_available_extensions WHERE name = 'pg_stat_statements'")" ] || return 0
	cp -p "$top/state/pg/postgresql.conf" "$top/postgresql.conf"
	echo "shared_preload_libraries = 'pg_stat_statements'" >>"$top/state/pg/postgresql.conf"
	restart_agentd
	sql -d postgres -c 'CREATE EXTENSION pg_stat_statements'
	statement_source=pg_stat_statements
}

unload_statement_counter() {
	[ "$statement_source" = pg_stat_statements ] || return 0
	sql -d postgres -c 'DROP EXTENSION pg_stat_statements'
	cp -p "$top/postgresql.conf" "$top/state/pg/postgresql.conf"
}

# The fleet waits in the background; it says WAITING, and begins to make tasks at a line on descriptor 8.
start_fleet() {
	local file=$top/raw/waiters.$round.out
	rm -f "$top/go"
	mkfifo "$top/go"
	BENCH_TOKEN=$key timeout 600 "$waiters_program" "$waiters" "$waiter_roles" "$waiter_rate" $((seconds < 5 ? 5 : seconds)) \
		<"$top/go" >"$file" 2>&1 &
	fleet=$!
	exec 8>"$top/go"
	for _ in $(seq 1200); do
		grep -q '^WAITING' "$file" && return
		kill -0 "$fleet" 2>/dev/null || break
		sleep 0.1
	done
}

finish_fleet() {
	# A fleet that has failed says why in its output; writing to it must not end this script.
	(trap '' PIPE; echo go >&8) 2>/dev/null
	wait "$fleet"
	echo "EXIT $?" >>"$top/raw/waiters.$round.out"
	exec 8>&-
	fleet=
}

# Idle is what lasts: waits that end and begin again included, so the sample is as long as a sixth of them.
run_waiters() {
	local rss_before statements cpu start
	restart_agentd
	empty_tasks
	rss_before=$(agentd_memory status VmRSS)
	start_fleet
	await sleep 3
	statements=$(count_statements)
	cpu=$(worker_cpu_ms)
	start=$(date +%s%N)
	await sleep 10
	awk -v calls="$(($(count_statements) - statements))" -v ns="$(($(date +%s%N) - start))" \
		-v cpu="$(($(worker_cpu_ms) - cpu))" -v rss="$(agentd_memory status VmRSS)" -v before="$rss_before" \
		-v pss="$(agentd_memory smaps_rollup Pss)" -v source="$statement_source" \
		'BEGIN {printf "{\"statements_s\":%.1f,\"idle_cpu_percent\":%.1f,\"rss_mib\":%.1f,\"rss_before_mib\":%.1f,\"pss_mib\":%.1f," \
			"\"statement_source\":\"%s\"}\n", calls * 1e9 / ns, cpu * 1e8 / ns, rss / 1024, before / 1024, pss / 1024, source}' \
		>"$top/raw/waiters.$round.extra"
	finish_fleet
}

whole_waiters() {
	round=1
	if [ "$(ulimit -n)" != unlimited ] && [ "$(ulimit -n)" -lt "$files" ]; then
		missing waiters "the limit of open files is $(ulimit -n), $waiters waiting agents need $files (ulimit -n)"
		return
	fi
	find_load waiters -levent_core || { missing waiters "its load generator is not built (libevent-dev)"; return; }
	waiters_program=$found
	load_statement_counter
	for round in $(few_rounds); do
		run_waiters
	done
	unload_statement_counter
	restart_agentd
}

# --- claims while an open transaction keeps what is dead ---

pin_snapshot() {
	rm -f "$top/pin"
	mkfifo "$top/pin"
	"$bin/psql" -X -q -A -t -h "$socket" -U agentd -d agentd <"$top/pin" >"$top/pin.out" 2>&1 &
	pin=$!
	exec 9>"$top/pin"
	echo "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 'pinned ' || count(*) FROM tasks;" >&9
	for _ in $(seq 600); do
		grep -q '^pinned' "$top/pin.out" && return
		sleep 0.1
	done
	die "cannot pin a snapshot"
}

unpin_snapshot() {
	exec 9>&-
	stop "$pin"
	pin=
}

# As many tasks as are to be dead are made and worked off under the snapshot: their index entries stay where claims look.
whole_pinned() {
	local dead_rows
	fill_tasks "$dead"
	pin_snapshot
	await env BENCH_TOKEN="$key" timeout 600 "$load" work 8 100 500 >"$top/dead.log" 2>&1 || die "cannot work the tasks off"
	for round in $(few_rounds); do
		add_tasks $((seconds * 15000))
		record pinned env BENCH_TOKEN="$key" "$load" work 8 1 "$seconds"
		dead_rows=$(sql -d agentd -c "SELECT n_dead_tup FROM pg_stat_user_tables WHERE relname = 'tasks'")
		echo "{\"dead_rows\":$dead_rows}" >"$top/raw/pinned.$round.extra"
	done
	unpin_snapshot
}

# --- a table that grows ---

# Copies of one finished task and its attempt, with ids as old tasks have them: of earlier milliseconds (UUID version 7).
finish_tasks() { # COUNT
	empty_tasks
	add_tasks 1
	await env BENCH_TOKEN="$key" "$load" work 1 1 1 >/dev/null 2>&1
	await sql -d agentd -v count="$1" -f "$here/finished.sql" -c 'VACUUM ANALYZE tasks, task_attempts' -c CHECKPOINT ||
		exit 1
	[ "$(sql -d agentd -c "SELECT count(*) FROM tasks WHERE status = 'completed'")" -gt "$1" ] ||
		die "the finished tasks were not made"
}

# What only reads comes first: the others leave rows, which are many beside a thousand.
growth_round() { # SIZE
	finish_tasks "$1"
	sql -d agentd -c "SELECT id FROM tasks WHERE status = 'completed' LIMIT 1000" >"$top/ids"
	load_wrk "growth_get_$1" 64 "$jwt" "$api/tasks/" BENCH_IDS="$top/ids"
	load_wrk "growth_create_$1" 64 "$jwt" "$api/tasks" BENCH_BODY="$BENCH_TASK"
	sql -d agentd -c "DELETE FROM tasks WHERE status <> 'completed'"
	add_tasks $((seconds * 30000))
	sql -d agentd -c 'VACUUM ANALYZE tasks' -c CHECKPOINT
	record "growth_work_$1" env BENCH_TOKEN="$key" "$load" work 64 1 "$seconds"
}

# The sizes take turns, though each is filled anew: ratios of runs that lie apart would show the machine's noise.
whole_growth() {
	local size
	for round in $(few_rounds); do
		for size in $sizes; do
			note "growth: round $round, $size finished tasks"
			growth_round "$size"
		done
	done
	empty_tasks
}

# --- a second worker on the same processors ---

whole_workers() {
	local count
	for round in $(few_rounds); do
		for count in 1 2; do
			restart_agentd AGENTD_WORKERS=$count
			run_create "workers_create_$count" 256
			run_work "workers_work_$count" 64 1 $((seconds * 30000))
			load_wrk "workers_me_$count" 64 "$jwt" "$api/auth/me"
		done
	done
	restart_agentd
}
