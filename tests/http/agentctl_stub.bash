# shellcheck shell=bash
# agentctl_stub.bash - what the tests of agentctl share: stub_server.py in the background, and how to assert. Sourced.
# TAP on standard output; $AGENTCTL is the binary. A test ends with `finish_tests`.
# Nothing sleeps: the stub tells when a request has come. Each test leaves the stub as it found it (reset).
# The commands of the worker are in single quotes: their variables are the worker's.
# shellcheck disable=SC2016
set -u
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
agentctl=$(realpath "${AGENTCTL:?set AGENTCTL to the agentctl binary}")
stub=$here/stub_server.py
work=$(mktemp -d)
unset AGENTCTL AGENTCTL_SERVER AGENTCTL_KEY_FILE AGENTCTL_CONTEXT NO_COLOR http_proxy HTTP_PROXY all_proxy
export LC_ALL=C.UTF-8
coproc STUB { exec python3 "$stub" serve; }
read -r -t 20 api_port control_port <&"${STUB[0]}" || { echo "Bail out! the stub did not start"; exit 1; }
server=http://127.0.0.1:$api_port
trap 'kill "$STUB_PID" 2>/dev/null; rm -rf "$work"' EXIT

export AGENTCTL_CONFIG=$work/home/agentctl/config.json
export AGENTCTL_SERVER=$server AGENTCTL_KEY=agd_sk_0123456789abcdef.good
count=0 failed=0

# The last argument "-": the body comes from standard input.
ask() { python3 "$stub" ask "$control_port" "$@"; }
reset() { ask POST /reset; }
setup() { ask POST /reset && ask POST /set - <<<"$1"; }
await() { ask GET "/wait?method=$1&path=$2&count=${3:-1}"; }

# run ARGS...: runs agentctl; leaves $code, $out and $err.
run() {
	"$agentctl" "$@" >"$work/out" 2>"$work/err" </dev/null
	code=$?
	out=$(cat "$work/out") err=$(cat "$work/err")
}

result() { # result OK(0|1) NAME
	count=$((count + 1))
	if [ "$1" = 0 ]; then
		echo "ok $count - $2"
	else
		failed=$((failed + 1))
		echo "not ok $count - $2"
		{ echo "code: ${code-}"; echo "out: ${out-}"; echo "err: ${err-}"; } | sed 's/^/# /' | head -40
	fi
}

# is NAME TEXT PATTERN: TEXT matches the shell pattern.
is() {
	# shellcheck disable=SC2053
	[[ $2 == $3 ]]
	result $? "$1"
}
exits() { # exits NAME CODE
	[ "$code" = "$2" ]
	result $? "$1 (exit $2)"
}
section() { echo "# $1"; }
finish_tests() {
	echo "1..$count"
	[ "$failed" = 0 ]
}
