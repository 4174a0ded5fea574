#!/usr/bin/env bash
# test_embedded_user.sh - the embedded database: agentd works in it as a user whom row level security holds back, and what
# an earlier build made as the superuser is handed over at start. TAP; AGENTD names the program.
set -u
work=$(mktemp -d /tmp/agentd-user.XXXXXX)
chmod 755 "$work"
bin=$(printf '%s\n' /usr/lib/postgresql/*/bin | sort -rV | head -1)
[ -x "$bin/psql" ] || bin=$(dirname "$(command -v psql || echo /none/psql)")
[ -x "$bin/psql" ] || { echo "Bail out! psql is not here; install Debian's postgresql"; exit 1; }
count=0 failed=0 node=

cleanup() {
	[ -z "$node" ] || { kill "$node" 2>/dev/null; wait "$node" 2>/dev/null; }
	rm -rf "$work"
}
trap cleanup EXIT

is() { # is NAME FOUND EXPECTED
	count=$((count + 1))
	if [ "$2" = "$3" ]; then
		echo "ok $count - $1"
	else
		failed=$((failed + 1))
		echo "not ok $count - $1"
		printf 'found: %s\nexpected: %s\n' "$2" "$3" | sed 's/^/# /'
		tail -5 "$work/log" | sed 's/^/# /'
	fi
}

start() {
	rm -f "$work/state/url"
	env AGENTD_ENV=testing AGENTD_STATE_DIR="$work/state" AGENTD_PORT=0 AGENTD_ADMIN_PASSWORD=only-for-this-test-4711 \
		AGENTD_LOG_LEVEL=info ${AGENTD_USER_SETTING:+AGENTD_USER=$AGENTD_USER_SETTING} "$AGENTD" --embedded >"$work/log" 2>&1 &
	node=$!
	for _ in $(seq 600); do
		[ -s "$work/state/url" ] && return
		kill -0 "$node" 2>/dev/null || break
		sleep 0.1
	done
	echo "Bail out! the node did not start: $(tail -3 "$work/log")"
	exit 1
}
stop() {
	kill "$node"
	wait "$node"
	is "the node stops cleanly" $? 0
	node=
}
# sql USER STATEMENT
sql() { "$bin/psql" -XAtq -h "$work/state/run" -U "$1" -d agentd -c "$2" 2>&1; }
owned_by_others() {
	sql agentd "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relowner <> 'agentd_server'::regrole"
}

[ "$(id -u)" != 0 ] || AGENTD_USER_SETTING=nobody
start
is "nobody else owns anything" "$(owned_by_others)" 0
is "agentd works as agentd_server" "$(sql agentd "SELECT count(*) > 0 FROM pg_stat_activity WHERE usename = 'agentd_server' AND application_name = 'agentd worker 0'")" t
is "who is no superuser and bound by row level security" \
	"$(sql agentd "SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = 'agentd_server'")" f
is "so that what is not its tenant's is not there" \
	"$(sql agentd_server "SET agentd.tenants TO '{7}'; SELECT count(*) FROM users")" 0
is "and nothing is warned of" "$(grep -c 'row level security' "$work/log")" 0

# As an earlier build left it. The node is at work, so this may be the one that gives way in a deadlock.
for _ in $(seq 20); do
	[ -n "$(sql agentd "REASSIGN OWNED BY agentd_server TO agentd" | tee -a "$work/log")" ] || break
done
is "all is the superuser's" "$(sql agentd "SELECT count(*) > 20 FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relowner = 'agentd'::regrole")" t
stop
start
is "all is handed over" "$(owned_by_others)" 0
is "functions too" "$(sql agentd "SELECT count(*) FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND proowner <> 'agentd_server'::regrole")" 0
is "what was there is there" "$(sql agentd_server "SELECT count(*) FROM users")" 1
stop

# A machine got newer programs, and the ones that made the cluster are gone: they would not take its files.
mkdir "$work/old" "$work/old/pg" && echo 9 >"$work/old/pg/PG_VERSION"
said=$(env AGENTD_ENV=testing AGENTD_STATE_DIR="$work/old" AGENTD_PORT=0 ${AGENTD_USER_SETTING:+AGENTD_USER=$AGENTD_USER_SETTING} \
	timeout 20 "$AGENTD" --embedded 2>&1)
is "a cluster of a version that is not here is left alone" "$?" 1
is "and its programs are asked for" "$(grep -c 'made by PostgreSQL 9, whose programs are not here' <<<"$said")" 1
echo "1..$count"
[ "$failed" = 0 ]
