#!/bin/bash
# test_agentctl.sh - agentctl as a user sees it, against stub_server.py. TAP on standard output; $AGENTCTL is the binary.
# Nothing sleeps: the stub tells when a request has come. Each test leaves the stub as it found it (reset).
# The commands of the worker are in single quotes: their variables are the worker's.
# shellcheck disable=SC2016
set -u
here=$(cd "$(dirname "$0")" && pwd)
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

section "usage, help, version"
run version
exits "version" 0
is "version names itself" "$out" "agentctl [0-9]*"
run help workflow run
is "help is made from the table" "$out" "*--wait *--template NAME*--server URL*"
run work --help
is "every command has help" "$out" "*Usage: agentctl work*--concurrency N*"
run
exits "no command" 2
run frobnicate
exits "unknown command" 2
is "an unknown command names the next step" "$err" "*no command \"frobnicate\"*next: agentctl help*"
run agent list --wait
exits "an option of another command" 2
run agent list --password x
exits "there is no --password" 2
run agent list -o yaml
exits "unknown format" 2
run agent get
exits "missing argument" 2
run task list --limit 0
exits "a number out of range" 2
run status --server ftp://example.org
exits "only http and https" 2
run status --server http://user:pass@127.0.0.1
exits "no user information in the address" 2

section "login, contexts, the configuration file"
unset AGENTCTL_KEY
printf 's3cret pass\n' >"$work/password"
run login --username kim --password-file "$work/password"
exits "login" 0
is "the file is readable by its owner only" "$(stat -c %a "$AGENTCTL_CONFIG")" 600
is "its folder too" "$(stat -c %a "$(dirname "$AGENTCTL_CONFIG")")" 700
is "no draft is left" "$(ls "$(dirname "$AGENTCTL_CONFIG")")" config.json
is "the token is not shown" "$(cat "$work/out" "$work/err" | grep -c token-of-kim)" 0
is "but stored" "$(grep -c token-of-kim "$AGENTCTL_CONFIG")" 1
unset AGENTCTL_SERVER
run whoami
exits "the stored server and token are used" 0
is "whoami shows name and role" "$out" "*kim*operator*workflow:read*"
run whoami -o json
is "numbers and lists as JSON" "$out" '*"id": 1,*"permissions": \[*'
chmod 644 "$AGENTCTL_CONFIG"
run whoami
exits "a file that others can read is refused" 1
is "and the chmod is named" "$err" "*chmod 600 '$AGENTCTL_CONFIG'*"
chmod 600 "$AGENTCTL_CONFIG"
requests=$(ask GET "/count?method=GET&path=.")
run whoami --server "http://localhost:$api_port"
exits "a stored token is not sent to another server" 4
is "and this is said" "$err" "*next: agentctl login --server http://localhost:$api_port*was not sent*"
is "the server was asked without it" "$(ask GET "/count?method=GET&path=.")" $((requests + 1))
run whoami --context nowhere
exits "an unknown context" 2
printf 'wrong\n' >"$work/wrong"
run login --server "$server" --username kim --password-file "$work/wrong"
exits "a wrong password" 4
run login --username kim
exits "no terminal to ask at" 2
printf 's3cret pass\n' | "$agentctl" login --server "$server" --context second --username kim --password-file - 2>"$work/err"
result $? "the password from standard input"
run whoami --context second
exits "the second context" 0
run logout --context second
exits "logout" 0
run whoami --context second
exits "logged out" 4
run whoami --context default
exits "the first context is untouched" 0
rm "$AGENTCTL_CONFIG"
python3 "$stub" pty "$work/shown" 'Username: =kim\n' 'Password: =s3cret pass\n' -- "$agentctl" login --server "$server"
result $? "login at a terminal"
is "the password is not echoed" "$(grep -c 's3cret' "$work/shown")" 0
run whoami
exits "and the token works" 0
echo '{broken' >"$AGENTCTL_CONFIG"
run whoami
exits "a broken file" 1
rm "$AGENTCTL_CONFIG"
printf '%s\n' agd_sk_0123456789abcdef.good >"$work/key"
AGENTCTL_KEY_FILE=$work/key AGENTCTL_SERVER=$server run whoami
exits "AGENTCTL_KEY_FILE" 0
export AGENTCTL_SERVER=$server
AGENTCTL_KEY=$'bad\nkey' run whoami
exits "a key with a line feed" 1
AGENTCTL_KEY=agd_sk_wrong run whoami
exits "a wrong key" 4
is "the next step names the variable" "$err" "*correct AGENTCTL_KEY*"
is "the key is not shown" "$(grep -c agd_sk_wrong "$work/err")" 0
export AGENTCTL_KEY=agd_sk_0123456789abcdef.good

section "exit codes and errors"
script() { setup "{\"answers\":[{\"method\":\"GET\",\"path\":\"^/agents/x\",$1}]}"; }
for pair in 401:4 403:4 404:3 409:5 412:5 400:1 429:1 500:1 503:6; do
	script "\"status\":${pair%:*}"
	run agent get x
	exits "HTTP ${pair%:*}" "${pair#*:}"
done
is "what, why, next" "$err" "agentctl: cannot get the agent.
  why:  *503*as the test wants (request r-1)
  next: *"
script '"status":422,"more":{"errors":[{"pointer":"/a","detail":"first"},{"pointer":"/b","detail":"second"}]}'
run agent get x
is "every field's error is named" "$err" "*/a: first*/b: second*"
script '"status":200,"raw":"<html>","kind":"text/html"'
run agent get x
exits "an answer that is not JSON" 1
script '"status":302,"headers":{"Location":"/api/v1/auth/me"}'
run agent get x
exits "redirects are not followed" 1
script '"status":404,"hold":30'
run agent get x --timeout 0.2
exits "a slow answer" 7
ask POST /set '{"released":true}'
run status --server http://127.0.0.1:1
exits "nobody listens" 6
is "the way out" "$err" "*next: *--server URL*"

section "lists and tables"
setup '{"lists":{"/agents":[
 {"agent_id":"a-1","name":"검토자","role":"rune","status":"online","last_activity":"2026-11-23T01:02:03.000004Z","capabilities":["x"]},
 {"agent_id":"a-22","name":"plain","role":"sena","status":"online","last_activity":null},
 {"agent_id":"a-3","name":"bad\u001b[31m\u202e\nname","role":"sena","status":"offline","last_activity":null}]}}'
run agent list
is "a double-width name keeps the columns" "$(sed -n 2p "$work/out")" "a-1   검토자                    rune  online   2026-11-23T01:02:03Z"
is "as a plain one does" "$(sed -n 3p "$work/out")" "a-22  plain                     sena  online   -"
is "control characters are escaped" "$(sed -n 4p "$work/out")" 'a-3   bad\\x1b\[31m\\u{202e}\\nn*'
is "no colour without a terminal" "$(grep -c $'\033' "$work/out")" 0
is "no such column in the plain table" "$(grep -c CAPABILITIES "$work/out")" 0
run agent list -o wide
is "-o wide shows more" "$out" "*CAPABILITIES*"
run agent list -o name
is "-o name" "$out" $'a-1\na-22\na-3'
run agent list -o jsonl --limit 2
is "-o jsonl, and --limit" "$(wc -l <"$work/out")" 2
is "Korean stays readable" "$out" '*"name":"검토자"*'
run agent list -o json
is "-o json joins the pages" "$(python3 -c 'import json,sys; d=json.load(sys.stdin); print(len(d["items"]), d["next_cursor"])' <"$work/out")" "3 None"
run agent list --limit 1
is "more than shown is said" "$err" "*more than 1*--limit*"
NO_COLOR="" TERM=xterm python3 "$stub" pty "$work/shown" -- "$agentctl" agent list
is "colour on a terminal" "$(grep -c $'\033\[32m' "$work/shown")" 2
is "but none of the server's" "$(grep -c $'\033\[31m' "$work/shown")" 0
NO_COLOR=1 python3 "$stub" pty "$work/shown" -- "$agentctl" agent list
is "NO_COLOR" "$(grep -c $'\033' "$work/shown")" 0
setup '{"lists":{"/tasks":[{"id":"t-1","key":"k","role":"r","status":"dead","duration_ms":65000}]}}'
run task list --status dead --role "a b" --agent-id q --workflow w
is "tasks with their time" "$out" "*t-1*dead*1 min 05 s*"
await GET '/tasks\?status=dead%26role=a%2520b%26agent_id=q%26workflow_id=w' >/dev/null
result $? "filters are encoded"
run status
is "status shows its sections" "$out" "version*0.1.0*workers*slot 0, state ready*slot 1*tasks*pending 3, processing 1*"

section "api"
run api get /health
is "the answer as it came" "$out" '{"status": "healthy", "score": 0.85}'
run api GET /api/v1/health -o json
is "numbers keep their form" "$out" '*"score": 0.85*'
reset
printf '{"name":"n"}' >"$work/body"
run api POST /agents --data "$work/body"
is "the body is sent" "$(await POST '^/agents$')" '{"name":"n"}'
run api GET /nowhere
exits "not found" 3
is "the problem is data too" "$out" '*"code": "not_found"*'
run api GET health
exits "PATH begins with /" 2
run api 'G ET' /health
exits "METHOD is a word" 2
script '"status":200,"raw":"a\u001b[2Jb","kind":"text/plain"'
python3 "$stub" pty "$work/shown" -- "$agentctl" api GET /agents/x
is "text is escaped for a terminal" "$(cat "$work/shown")" 'a\\x1b\[2Jb*'

section "workflow run"
reset
printf 'line one\n둘째 줄\n' >"$work/report.md"
run workflow run --template review --file "$work/report.md" --label team=core --label "k=a=b"
exits "run" 0
is "it says the id" "$out" "workflow w-1 is pending"
is "what is sent" "$(await POST '^/workflows$')" '{"template":"review","description":"review of report.md","input_data":{"name":"report.md","text":"line one\\n둘째 줄\\n"},"labels":{"team":"core","k":"a=b"}}'
reset
run workflow run --template t --input '{"n":0.85,"deep":[1,null]}' --description "왜" -o name
is "only the id" "$out" "w-1"
is "input as JSON" "$(await POST '^/workflows$')" '*"description":"왜","input_data":{"n":0.85,"deep":\[1,null\]}}'
reset
printf '[1]' >"$work/in.json"
run workflow run --template t --input "@$work/in.json" -q
is "input from a file" "$(await POST '^/workflows$')" '*"input_data":\[1\]}'
is "-q says nothing else" "$err" ""
reset
run workflow run --file "$work/report.md"
exits "no template" 2
run workflow run --template t --input '{'
exits "input that is not JSON" 1
run workflow run --template t --input 1 --file "$work/report.md"
exits "two inputs" 2
run workflow run --template t --label nonsense
exits "a label without a value" 2
run workflow run --template t --file "$work/nothing"
is "no such file" "$err" "*no such file*"
printf 'ok \xff\n' >"$work/binary"
run workflow run --template t --file "$work/binary"
is "not UTF-8" "$err" "*not UTF-8 text: the byte 0xff at offset 3*"
printf 'a\0b' >"$work/binary"
run workflow run --template t --file "$work/binary"
is "a NUL" "$err" "*the byte 0x00 at offset 1*"
head -c 921601 /dev/zero | tr '\0' x >"$work/large"
run workflow run --template t --file "$work/large"
exits "too large" 1
is "the limit is named" "$err" "*921601 bytes; at most 900 KB*"
is "nothing of this was sent" "$(ask GET "/count?method=POST&path=workflows")" 0
truncate -s 921600 "$work/large"
run workflow run --template t --file "$work/large" -o name
exits "900 KB go" 0

section "workflow run --wait"
task_row() { printf '{"id":"%s","key":"%s","role":"r","status":"%s","leased_by":%s,"duration_ms":%s,"round":%s}' "$@"; }
growing='{"steps":[
 {"id":"w-1","status":"pending","tasks":['$(task_row 1 analyst pending null null 1)']},
 {"id":"w-1","status":"running","tasks":['$(task_row 1 analyst processing '"sena-1"' null 1)','$(task_row 2 gatekeeper blocked null null 1)']},
 {"id":"w-1","status":"running","tasks":['$(task_row 1 analyst completed '"sena-1"' 340 1)','$(task_row 2 gatekeeper processing '"lubit-1"' null 2)']},
 {"id":"w-1","status":"completed","verdict":"final_approved","output_data":{"verdict":"final_approved","score":0.85,"findings":[
  "a plain one", {"title":"SQL \u001b[31minjection","severity":"high","detail":"line 12\nline 14"}, {"detail":"only detail"}, {"odd":1}]},
  "tasks":['$(task_row 1 analyst completed '"sena-1"' 340 1)','$(task_row 2 gatekeeper completed '"lubit-1"' 1200 2)']}]}'
setup "$growing"
run workflow run --template review --file "$work/report.md" --wait --timeout 20
exits "completed" 0
is "verdict and findings" "$out" "workflow: w-1
status:   completed
verdict:  final_approved
findings: 4
  1. a plain one
  2. \[high\] SQL \\\\x1b\[31minjection
     line 12
     line 14
  3. only detail
  4. {\"odd\":1}"
is "one line a change" "$err" "agentctl: workflow w-1 started.
agentctl: analyst: pending
agentctl: analyst: processing by sena-1
agentctl: gatekeeper: blocked
agentctl: analyst: completed by sena-1 after 340 ms
agentctl: gatekeeper: processing by lubit-1, round 2
agentctl: gatekeeper: completed by lubit-1, round 2 after 1.2 s"
setup "$growing"
run workflow run --template review --wait --timeout 20 -o json -q
is "-o json prints the workflow" "$(python3 -c 'import json,sys; print(json.load(sys.stdin)["output_data"]["score"])' <"$work/out")" "0.85"
is "and -q no progress" "$err" ""
setup "$growing"
python3 "$stub" pty "$work/shown" -- "$agentctl" workflow run --template review --wait --timeout 20
is "at a terminal it is redrawn" "$(grep -c $'\033\[2A' "$work/shown")" 2
is "with all tasks at the end" "$(tr -d '\r' <"$work/shown" | sed 's/\x1b\[[0-9;]*[A-Za-z]//g' | tail -12)" "*analyst     completed   sena-1*340 ms*gatekeeper  completed   lubit-1*1.2 s*findings: 4*"
setup '{"steps":[{"id":"w-1","status":"failed","tasks":[{"id":"1","key":"analyst","status":"dead","error_message":"no \u001bway"}]}]}'
run workflow run --template review --wait --timeout 20
exits "failed" 8
is "why it failed" "$err" '*it is failed.*why:  analyst: no \\x1bway*next: agentctl workflow get w-1*'
setup '{"steps":[{"id":"w-1","status":"cancelled","tasks":[]}]}'
run workflow get w-1 --wait
exits "cancelled" 8
setup '{"steps":[{"id":"w-1","status":"running","tasks":[]}]}'
run workflow run --template review --wait --timeout 0.5
exits "the time is over" 7
is "and what to do" "$err" "*did not end within 0.5 s*next: agentctl workflow get w-1 --wait*"
setup '{"steps":[{"id":"w-1","status":"running","tasks":['"$(task_row 1 analyst pending null null 1)"']}]}'
python3 "$stub" pty "$work/shown" 'analyst=\x03' -- "$agentctl" workflow run --template review --wait
is "Ctrl-C" $? 130
is "the workflow goes on" "$(cat "$work/shown")" "*interrupted; the workflow goes on*workflow get w-1 --wait*"
setup '{"steps":[{"id":"w-1","status":"running","tasks":[]}],"answers":[{"method":"GET","path":"/workflows/","status":503,"times":2}]}'
mkfifo "$work/fifo"
"$agentctl" workflow run --template review --wait --timeout 60 >"$work/out" 2>"$work/fifo" &
waiting=$!
exec 7<"$work/fifo"
read -r -t 20 line <&7 && read -r -t 20 line <&7
is "503 is said once" "$line" "agentctl: the server answered 503*; trying again."
read -r -t 20 line <&7
is "and the return" "$line" "agentctl: the server is back."
ask POST /down
read -r -t 20 line <&7
is "a server that is away is waited for" "$line" "agentctl: no answer from *; trying again."
ask POST /set '{"steps":[{"id":"w-1","status":"completed","verdict":"approved","tasks":[]}]}'
ask POST /up
wait $waiting
code=$? out=$(cat "$work/out") err=$(cat <&7)
exec 7<&-
exits "it ends well after the restart" 0
is "the absence was said once" "$err" "agentctl: the server is back."
ask POST /down
run workflow get w-1 --wait --timeout 0.6
exits "away until the time is over" 7
ask POST /up
setup '{"steps":[{"id":"w-1","description":"d","status":"running","progress":{"total":3,"completed":1},"tasks":['"$(task_row 1 analyst completed '"sena-1"' 340 1)"']}]}'
run workflow get w-1
is "workflow get" "$out" "*PROGRESS*1/3*TASK*ROLE*STATUS*analyst*completed*sena-1*340 ms*"
run workflow cancel w-1
exits "cancel asks, and there is no terminal" 2
run workflow cancel w-1 --yes
exits "cancel --yes" 0
setup '{"lists":{"/workflows":[{"id":"w-1","status":"running","progress":{"total":3,"completed":1},"description":"a very long description that would run over the edge of the table"}]}}'
run workflow list
is "workflow list cuts what is long" "$(sed -n 2p "$work/out")" "w-1  running  -        1/3*a very long description that would run …"

section "work"
# lease ROLE ID JSON-MEMBERS...: a task as POST /tasks/lease gives it.
lease() { printf '{"id":"0000-%s","epoch":7,"lease_until":"2030-01-01T00:00:08Z","lease_s":%s,"workflow_id":"w-9","key":"analyst","role":"r","description":"d","priority":5,"input_data":%s,"dependencies":{},"feedback":null,"round":1,"attempt":1,"max_retries":3,"timeout_s":%s}' "$1" "${3:-8}" "$2" "${4:-null}"; }
# do_one TASK COMMAND [OPTIONS...]: one task through a worker.
do_one() {
	local task=$1 command=$2
	shift 2
	setup "{\"tasks\":[$task]}"
	run work --role r --exec "$command" --once "$@"
}
do_one "$(lease 12345678 '{"text":"둘 \"q\" é","n":0.85}')" "cat" --agent-id me --name "나" --lease 9
exits "a task is done" 0
is "the agent registers" "$(await POST '^/agents$')" '{"agent_id":"me","name":"나","role":"r","description":"*","capabilities":\["r"\],"max_concurrent":1}'
is "the lease that is asked for" "$(await POST /lease)" '{"roles":\["r"\],"agent_id":"me","max":1,"wait_s":20,"lease_s":9}'
is "the command reads its task and answers" "$(await POST '0000-12345678/complete')" '{"epoch":7,"duration_ms":*,"output_data":{"id":"0000-12345678","epoch":7,*"input_data":{"text":"둘 \\"q\\" é","n":0.85},*"timeout_s":null}*}'
do_one "$(lease 1 null)" 'read -r line; echo "{\"lines\": $(wc -l)}"'
is "one line" "$(await POST /complete)" '*"output_data":{"lines": 0}*'
do_one "$(lease 1 null)" 'printf "\"%s %s %s %s %s %s %s %s\"" "$AGENTD_TASK_ID" "$AGENTD_LEASE_EPOCH" "$AGENTD_DEADLINE" "$AGENTD_AGENT_ID" "$AGENTD_ROLE" "$AGENTD_WORKFLOW_ID" "$AGENTCTL" "$AGENTCTL_SERVER"' --agent-id me
is "its environment" "$(await POST /complete)" "*\"0000-1 7 2030-01-01T00:00:08Z me r w-9 $agentctl $server\"*"
do_one "$(lease 1 null)" 'tr "\0" " " </proc/$PPID/cmdline | grep -c "[a]gd_sk"'
is "no key in an argument" "$(await POST /fail)" '*exited with status 1*'
do_one "$(lease 1 null)" 'cat >/dev/null'
is "nothing means null" "$(await POST /complete)" '*"output_data":null*'
do_one "$(lease 1 null)" 'printf " [0.1, 12345678901234567890123] \n"'
is "numbers keep their digits" "$(await POST /complete)" '*"output_data": \[0.1, 12345678901234567890123\] *'
do_one "$(lease 1 null)" 'printf "not json \033[31m"; head -c 500 /dev/zero | tr "\0" y'
is "not JSON" "$(await POST /fail)" '{"epoch":7,"retryable":false,"error_message":"*not one JSON value*: not json \\\\x1b\[31myyy*..."}'
exits "a failed task is no failure of the agent" 0
do_one "$(lease 1 null)" 'echo "{} {}"'
is "two values are not one" "$(await POST /fail)" '*"retryable":false*'
do_one "$(lease 1 null)" 'echo first >&2; echo last >&2; exit 3'
is "another exit status" "$(await POST /fail)" '{"epoch":7,"retryable":false,"error_message":"the command exited with status 3: first\\nlast"}'
is "standard error is passed on" "$err" $'*\n\[0000-1\] first\n\[0000-1\] last\n*'
do_one "$(lease 1 null)" 'exit 75'
is "75 means again" "$(await POST /fail)" '*"retryable":true*status 75*'
do_one "$(lease 1 null)" 'kill -9 $$'
is "ended by a signal" "$(await POST /fail)" '*"retryable":true*signal 9*'
do_one "$(lease 1 null)" 'head -c 20000 /dev/zero | tr "\0" z >&2; echo END >&2; exit 1'
is "the last 4 KB are kept" "$(await POST /fail | python3 -c 'import json,sys; m=json.loads(sys.stdin.readline())["error_message"]; print(len(m) < 4200, m[-5:])')" "True zzEND"
do_one "$(lease 1 null)" 'head -c 1000001 /dev/zero | tr "\0" 1'
is "too much output" "$(await POST /fail)" '*"retryable":false*more than 1 MB*'
do_one "$(lease 1 null)" 'yes'
is "endless output is stopped" "$(await POST /fail)" '*more than 1 MB*'
do_one "$(lease 1 null 8 0.3)" 'exec tail -f /dev/null'
is "the time limit" "$(await POST /fail)" '*"retryable":true*time limit*'
do_one "$(lease 1 "\"$(head -c 300000 /dev/zero | tr '\0' i)\"")" 'wc -c'
is "a large input" "$(await POST /complete)" '*"output_data":300[0-9][0-9][0-9]*'
do_one "$(lease 1 "\"$(head -c 300000 /dev/zero | tr '\0' i)\"")" 'exec <&-; echo 5'
is "an input that is not read" "$(await POST /complete)" '*"output_data":5*'
do_one "$(lease 1 null)" 'tail -f /dev/null & echo 6'
is "what is left behind does not hold the task up" "$(await POST /complete)" '*"output_data":6*'
setup "{\"tasks\":[$(lease 1 null),$(lease 2 null),$(lease 3 null)]}"
run work --role r --role s --exec 'echo 1' --max-tasks 2 --concurrency 5
is "--max-tasks" "$(ask GET '/count?method=POST&path=complete')" 2
is "all roles, as many as fit" "$(await POST /lease)" '{"roles":\["r","s"\],*"max":2,*'
is "registered with the first" "$(await POST '^/agents$')" '*"role":"r",*"capabilities":\["r","s"\],"max_concurrent":5}'
run work --role r
exits "no command" 2
run work --exec true
exits "no role" 2

section "work: heartbeats, lost leases, absences"
# start COMMAND [OPTIONS...]: a worker in the background; its messages come to descriptor 7.
start() {
	local command=$1
	shift
	"$agentctl" work --role r --agent-id me --exec "$command" "$@" 2>"$work/fifo" >"$work/out" </dev/null &
	worker=$!
	exec 7<"$work/fifo"
}
# line PATTERN: reads the worker's messages up to the first that matches.
line() {
	# shellcheck disable=SC2053
	while read -r -t 30 said <&7; do [[ $said == $1 ]] && return 0; done
	said="(nothing)"
	return 1
}
# stop: ends the worker; leaves $code and $err.
stop() {
	kill -TERM "$worker"
	finish
}
finish() {
	err=$(cat <&7)
	wait "$worker" 2>/dev/null
	code=$?
	exec 7<&-
}
# A command that is there until it is told to end; says so on SIGTERM.
patient='trap "echo stopped >&2; exit 1" TERM; echo running >&2; while :; do tail -f /dev/null & wait; done'
setup "{\"tasks\":[$(lease 1 null 1)]}"
start "$patient"
await POST 0000-1/heartbeat 3 >/dev/null
result $? "a running task has heartbeats"
is "with its epoch" "$(await POST 0000-1/heartbeat | head -1)" '{"epoch":7}'
ask POST /set '{"answers":[{"method":"POST","path":"/heartbeat","status":409,"code":"stale_epoch"}]}'
line "*the lease was lost*"
result $? "a lost lease is said"
line "*stopped"
result $? "the command is stopped"
await POST /lease 2 >/dev/null
result $? "the slot is free again"
is "the result is thrown away" "$(ask GET '/count?method=POST&path=/(complete|fail|release)')" 0
stop
exits "an idle worker ends at once" 0
setup "{\"tasks\":[$(lease 1 null 1)],\"answers\":[{\"method\":\"POST\",\"path\":\"/tasks/.*/heartbeat\",\"status\":200,\"body\":{\"cancel\":true}}]}"
start 'trap "" TERM; echo deaf >&2; while :; do tail -f /dev/null & wait; done'
line "*was cancelled*"
result $? "a cancelled task"
await POST /lease 2 >/dev/null
result $? "a command that ignores SIGTERM is killed"
stop
is "nothing is reported" "$(ask GET '/count?method=POST&path=/(complete|fail|release)')" 0
setup "{\"tasks\":[$(lease 1 null)],\"answers\":[{\"method\":\"POST\",\"path\":\"/complete\",\"status\":503,\"times\":2}]}"
run work --role r --exec 'echo 1' --once
is "a result is sent again" "$(ask GET '/count?method=POST&path=/complete')" 3
is "the trouble is said once" "$(grep -c 'keeps trying' "$work/err")" 1
setup "{\"tasks\":[$(lease 1 null)],\"answers\":[{\"method\":\"POST\",\"path\":\"/complete\",\"status\":413,\"detail\":\"too large\"}]}"
run work --role r --exec 'echo 1' --once
is "a refused result fails the task" "$(await POST /fail)" '*"error_message":"the result was refused: *too large*'
setup "{\"tasks\":[$(lease 1 null)],\"answers\":[{\"method\":\"POST\",\"path\":\"/complete\",\"status\":409,\"code\":\"stale_epoch\"}]}"
run work --role r --exec 'echo 1' --once
is "a stale epoch is final" "$(ask GET '/count?method=POST&path=/complete')" 1
mkfifo "$work/go"
setup "{\"tasks\":[$(lease 1 null)]}"
start "echo running >&2; read -r x <'$work/go'; echo 42" --once
line "*running"
ask POST /down
echo >"$work/go"
line "*no answer from*keeps trying*"
result $? "the server is away when the result is ready"
ask POST /up
is "the result arrives after the restart" "$(await POST /complete)" '*"output_data":42*'
finish
exits "and the worker ends well" 0
is "the return is said" "$err" "*answers again*completed after*"
setup '{"answers":[{"method":"POST","path":"/lease","status":503,"times":2}]}'
start 'echo 1'
await POST /lease 3 >/dev/null
result $? "503 for a lease is not the end"
stop
is "and said once" "$(grep -c 'keeps trying' <<<"$err")" 1
setup '{"answers":[{"method":"POST","path":"^/agents$","status":403}]}'
start 'echo 1'
await POST /lease >/dev/null
result $? "a key that may not register can work"
stop
setup '{"answers":[{"method":"POST","path":"/lease","status":404,"times":1}]}'
start 'echo 1'
await POST '^/agents$' 2 >/dev/null
result $? "an agent that was forgotten registers again"
stop
setup "{\"tasks\":[$(lease 1 null 1)],\"answers\":[{\"method\":\"POST\",\"path\":\"/tasks/.*/heartbeat\",\"status\":401}]}"
run work --role r --exec "$patient"
exits "401 in the middle of the work" 4
is "says why, and stops the command" "$err" "*agentctl login*stopped*"
AGENTCTL_KEY=agd_sk_wrong run work --role r --exec 'echo 1'
exits "401 at the start" 4

section "work: the end"
setup "{\"tasks\":[$(lease 1 null)]}"
start "echo running >&2; read -r x <'$work/go'; echo 42"
line "*running"
kill -TERM "$worker"
line "*may finish*"
echo >"$work/go"
finish
is "SIGTERM lets the command finish" "$(await POST /complete)" '*"output_data":42*'
exits "SIGTERM" 0
setup "{\"tasks\":[$(lease 1 null)]}"
start "$patient"
line "*running"
kill -INT "$worker"
line "*may finish*"
stop
is "a second signal hands back" "$(await POST /release)" '{"epoch":7}'
exits "handing back" 0
setup "{\"tasks\":[$(lease 1 null)]}"
start "cat >/dev/null; tail -f /dev/null & echo \"pids \$\$ \$!\" >&2; exec 0</dev/null; wait"
line "*pids*"
read -r _ _ shell inner <<<"$said"
exec 8< <(exec tail --pid="$shell" -f /dev/null) 9< <(exec tail --pid="$inner" -f /dev/null)
kill -KILL "$worker"
read -r -t 20 _ <&8
read -r -t 20 _ <&9
kill -0 "$shell" 2>/dev/null || kill -0 "$inner" 2>/dev/null
is "a killed agentctl takes its commands with it" $? 1
exec 8<&- 9<&-
finish

echo "1..$count"
[ "$failed" = 0 ]
