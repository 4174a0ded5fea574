# servers.sh - part of `run`: finds the programs, starts and stops what is measured.
#
# What is started is kept by its process id in a variable of its own, and stop_all ends just that, in an order in which
# nobody loses the server that it talks to.
# shellcheck shell=bash disable=SC2154,SC2034

agentd=
node=
nginx=
fastify=
pin=
fleet=
running=
peers_missing=
fastify_missing=
fastify_url=
fastify_token=
peer=()

# In the background and waited for, so that a signal is heeded at once.
await() { # COMMAND...
	local status
	"$@" &
	running=$!
	wait "$running"
	status=$?
	running=
	return "$status"
}

# Ends a process that this script started: politely, then not.
stop() {
	[ -n "$1" ] || return 0
	kill -TERM "$1" 2>/dev/null || return 0
	for _ in $(seq 600); do
		kill -0 "$1" 2>/dev/null || break
		sleep 0.1
	done
	kill -KILL "$1" 2>/dev/null
	wait "$1" 2>/dev/null
}

stop_all() {
	stop "$running"
	stop "$fleet"
	stop "$pin"
	stop "$fastify"
	stop "$nginx"
	stop "$node"
	stop "$agentd"
}

find_postgres() {
	local folder
	for folder in ${AGENTD_POSTGRES_BIN_DIR:-} $(printf '%s\n' /usr/lib/postgresql/*/bin | sort -rV) \
		"$(dirname "$(command -v postgres || echo /none/none)")"; do
		if [ -x "$folder/pgbench" ] && [ -x "$folder/psql" ]; then
			echo "$folder"
			return
		fi
	done
}

find_programs() {
	local missing=
	bin=$(find_postgres)
	[ -n "$bin" ] || missing="$missing postgresql (pgbench, psql)"
	command -v wrk >/dev/null || missing="$missing wrk"
	command -v python3 >/dev/null || missing="$missing python3"
	nginx_program=$(command -v nginx || ls /usr/sbin/nginx 2>/dev/null)
	[ -n "$nginx_program" ] || missing="$missing nginx-light"
	[ -z "$missing" ] || die "these Debian packages are missing:$missing; install them and run this again"
}

# The load generator NAME into `found`: beside AGENTD, of BENCH_LOAD's folder, or built here.
find_load() { # NAME [LIBRARY...]
	local name=$1 source=$here/../../shared
	found=${BENCH_LOAD:-$(dirname "$AGENTD")/contrib/bench}/$name
	[ ! -x "$found" ] || return 0
	found=$top/$name
	[ ! -x "$found" ] || return 0
	"${CC:-cc}" -std=gnu17 -D_GNU_SOURCE -O2 -I"$source" "$here/$name.c" "$here/client.c" "$here/latency.c" \
		"$source/base.c" "$source/buf.c" "$source/clock.c" "${@:2}" -o "$found"
}

# --- agentd and its database ---

launch_node() { # FOLDER [ARGUMENT | NAME=VALUE]...; its pid is $!
	rm -f "$1/url"
	env AGENTD_STATE_DIR="$1" AGENTD_HOST=127.0.0.1 AGENTD_PORT=0 AGENTD_ADMIN_PASSWORD="$AGENTD_ADMIN_PASSWORD" \
		"${@:2}" >>"$top/agentd.log" 2>&1 </dev/null &
}

wait_node() { # PID FOLDER
	for _ in $(seq 600); do
		[ -s "$2/url" ] && return
		kill -0 "$1" 2>/dev/null || die "agentd ended at its start"
		sleep 0.1
	done
	die "agentd was not ready within 60 s"
}

start_agentd() { # [NAME=VALUE...]
	launch_node "$top/state" "$@" "$AGENTD" --embedded
	agentd=$!
	wait_node "$agentd" "$top/state"
	url=$(head -n 1 "$top/state/url")
	api=$url/api/v1
	export BENCH_URL=$url
	# The socket's folder is the fifth line of PostgreSQL's own pid file.
	socket=$(sed -n 5p "$top/state/pg/postmaster.pid")
	peer=(env PGHOST="$socket" PGUSER=agentd PGDATABASE=bench NODE_ENV=production BENCH_SECONDS="$seconds"
		BENCH_INPUT="$input_data")
}

# A restart ends Fastify's connections to the database too; it makes new ones.
restart_agentd() { # [NAME=VALUE...]
	stop "$agentd"
	start_agentd "$@"
}

# A second node of the same fleet: no database of its own.
start_node() {
	launch_node "$top/node" AGENTD_DATABASE_URL="host=$socket user=agentd_server dbname=agentd" "$AGENTD"
	node=$!
	wait_node "$node" "$top/node"
	node_url=$(head -n 1 "$top/node/url")
}

sql() {
	"$bin/psql" -X -q -A -t -v ON_ERROR_STOP=1 -h "$socket" -U agentd "$@" 2>>"$top/sql.log" ||
		{ cat "$top/sql.log" >&2; die "psql failed: $*"; }
}

member() {
	python3 -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1"
}

ask() { # METHOD PATH, the body on standard input
	AGENTCTL_CONFIG=$top/agentctl.json "$AGENTCTL" --server "$url" --timeout 10 -o json api "$1" "$2" --data -
}

# The processes of agentd itself: the master and its children that are not PostgreSQL.
agentd_processes() {
	local pid children
	echo "$agentd"
	read -ra children <"/proc/$agentd/task/$agentd/children"
	for pid in "${children[@]}"; do
		grep -q postgres "/proc/$pid/comm" || echo "$pid"
	done
}

# The sum of a line of /proc/PID/FILE, in kB, of all of agentd's processes.
agentd_memory() { # FILE LINE
	local pid
	for pid in $(agentd_processes); do
		sed -n "s/^$2:[^0-9]*\([0-9]*\) kB/\1/p" "/proc/$pid/$1"
	done | awk '{sum += $1} END {print sum + 0}'
}

worker_processes() {
	local pid
	for pid in $(agentd_processes); do
		tr '\0' ' ' <"/proc/$pid/cmdline" | grep -q 'worker' && echo "$pid"
	done
}

worker_rss() {
	local pid
	for pid in $(worker_processes); do
		sed -n 's/^VmRSS:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/$pid/status"
	done | sort -n | tail -n 1
}

# The processor time that the workers have used, in milliseconds.
worker_cpu_ms() {
	local pid
	for pid in $(worker_processes); do
		sed 's/.*) //' "/proc/$pid/stat"
	done | awk -v tick="$(getconf CLK_TCK)" '{sum += $12 + $13} END {printf "%d\n", sum * 1000 / tick}'
}

# --- the peers ---

start_nginx() {
	port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
	sed -e "s|@PORT@|$port|" -e "s|@FOLDER@|$top|" "$here/nginx.conf.in" >"$top/nginx.conf"
	"$nginx_program" -p "$top" -e "$top/nginx.log" -c "$top/nginx.conf" >"$top/nginx.out" 2>&1 </dev/null &
	nginx=$!
	for _ in $(seq 100); do
		[ -s "$top/nginx.pid" ] && break
		kill -0 "$nginx" 2>/dev/null || { cat "$top/nginx.out" >&2; die "nginx did not start, see above"; }
		sleep 0.1
	done
}

# The peers of npm, at the versions of peers/package-lock.json. What goes wrong is said in the table.
install_peers() {
	[ "${BENCH_PEERS:-1}" = 1 ] || { peers_missing="BENCH_PEERS is not 1"; return; }
	command -v npm >/dev/null && command -v node >/dev/null || { peers_missing="node and npm are not installed"; return; }
	[ "$(node -p 'process.versions.node.split(".")[0] >= 20')" = true ] ||
		{ peers_missing="node is $(node --version), it must be 20 or newer"; return; }
	note "npm installs the peers"
	mkdir "$top/peers"
	cp "$here"/peers/*.js "$here"/peers/*.json "$top/peers/"
	await timeout 180 npm --prefix "$top/peers" ci --ignore-scripts --no-audit --no-fund --prefer-offline --loglevel=error \
		>"$top/npm.log" 2>&1 ||
		peers_missing="npm could not install it ($(grep -m 1 -i 'error' "$top/npm.log" | cut -c 1-100))"
	[ -z "$peers_missing" ] || note "peers: $peers_missing"
}

peer_versions() {
	[ -z "$peers_missing" ] || return 0
	python3 -c 'import json, sys
print(", ".join(f"{name} {version}" for name, version in json.load(open(sys.argv[1]))["dependencies"].items()))' \
		"$here/peers/package.json"
}

start_fastify() {
	[ -z "$peers_missing" ] || { fastify_missing=$peers_missing; return; }
	(cd "$top/peers" && exec "${peer[@]}" node server.js) >"$top/fastify.out" 2>&1 </dev/null &
	fastify=$!
	for _ in $(seq 200); do
		[ -s "$top/fastify.out" ] && break
		kill -0 "$fastify" 2>/dev/null || break
		sleep 0.1
	done
	fastify_url=http://127.0.0.1:$(member port <"$top/fastify.out" 2>/dev/null)
	fastify_token=$(member token <"$top/fastify.out" 2>/dev/null)
	[ -n "$fastify_token" ] || fastify_missing="it did not start ($(head -c 100 "$top/fastify.out" | tr '\n' ' '))"
}
