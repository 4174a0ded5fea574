#!/bin/bash
# test_agentctl.sh - agentctl as a user sees it: usage, contexts, output, workflows run and awaited.
# The commands of the worker are in single quotes: their variables are the worker's.
# shellcheck disable=SC2016,SC2034,SC2154
# shellcheck source=tests/http/agentctl_stub.bash disable=SC1091
. "$(dirname "$0")/agentctl_stub.bash" || exit 1

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

# Logs in with a token that is about to expire; ANSWERs of POST /auth/refresh as in the state of the stub.
log_in_shortly() { # ANSWER...
	setup '{"answers":['"$(IFS=,; echo "$*")"',{"method":"POST","path":"^/auth/login$","status":200,"body":{"access_token":"old","expires_in":5,"refresh_token":"agd_rt_1"}}]}'
	rm -f "$AGENTCTL_CONFIG"
	run login --server "$server" --username kim --password-file "$work/password"
}
renewed='{"method":"POST","path":"^/auth/refresh$","status":200,"body":{"access_token":"token-of-kim","expires_in":900,"refresh_token":"agd_rt_2"}}'
log_in_shortly "$renewed"
exits "login with a refresh token" 0
run whoami
exits "a token that is about to expire is renewed" 0
is "with the refresh token" "$(await POST /auth/refresh)" '{"refresh_token":"agd_rt_1"}'
is "the new one is stored" "$(grep -c agd_rt_2 "$AGENTCTL_CONFIG")" 1
is "the old one is not" "$(grep -c agd_rt_1 "$AGENTCTL_CONFIG")" 0
is "still for the owner only" "$(stat -c %a "$AGENTCTL_CONFIG" "$AGENTCTL_CONFIG.lock" | uniq)" 600
is "the user's name stays" "$(grep -c '"username": "kim"' "$AGENTCTL_CONFIG")" 1
run whoami
is "a fresh one is used as it is" "$(ask GET '/count?method=POST&path=refresh')" 1
# Six runs at once: one of them renews it for all.
log_in_shortly "$renewed"
for _ in 1 2 3 4 5 6; do "$agentctl" whoami >"$work/out" 2>"$work/err" & done
wait $(jobs -p | grep -vx "$STUB_PID")
is "runs that share a file take turns" "$(ask GET '/count?method=POST&path=refresh')" 1
log_in_shortly '{"method":"POST","path":"^/auth/refresh$","drop":true,"times":1}' "$renewed"
run whoami
exits "a lost answer is asked for again" 0
is "with the same token" "$(await POST /auth/refresh 2 | uniq)" '{"refresh_token":"agd_rt_1"}'
log_in_shortly '{"method":"POST","path":"^/auth/refresh$","status":401,"body":{"code":"bad_refresh_token"}}' \
	'{"method":"GET","path":"^/auth/me$","status":401,"body":{"code":"unauthenticated"}}'
run whoami
exits "a session that has ended" 4
is "says to log in" "$err" "*next: agentctl login*"
is "its refresh token is forgotten" "$(grep -c agd_rt "$AGENTCTL_CONFIG")" 0
log_in_shortly "$renewed"
export AGENTCTL_KEY=agd_sk_0123456789abcdef.good
run whoami
is "a key of the environment is not renewed" "$(ask GET '/count?method=POST&path=refresh')" 0
unset AGENTCTL_KEY
reset
rm "$AGENTCTL_CONFIG" "$AGENTCTL_CONFIG.lock"
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
is "a double-width name keeps the columns" "$(sed -n 2p "$work/out")" "a-1   검토자                    rune  online   -     -        2026-11-23T01:02:03Z"
is "as a plain one does" "$(sed -n 3p "$work/out")" "a-22  plain                     sena  online   -     -        -"
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
is "more than shown is said" "$err" "*more than 1;*--limit*"
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
is "what is sent" "$(await POST '^/workflows$')" '{"template":"review","labels":{"team":"core","k":"a=b"},"input_data":{"name":"report.md","text":"line one\\n둘째 줄\\n"},"description":"review of report.md"}'
reset
run workflow run --template t --input '{"n":0.85,"deep":[1,null]}' --description "왜" -o name
is "only the id" "$out" "w-1"
is "input as JSON" "$(await POST '^/workflows$')" '*"description":"왜","input_data":{"n":0.85,"deep":\[1,null\]}}'
reset
printf '[1]' >"$work/in.json"
run workflow run --template t --input "@$work/in.json" -q
is "input from a file" "$(await POST '^/workflows$')" '*"input_data":\[1\],*'
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
is "at a terminal it is redrawn" "$(grep -c $'\033\[3A' "$work/shown")" 2
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
is "and what to do" "$err" "*did not end within 0.5 s*next: agentctl workflow watch w-1*"
setup '{"steps":[{"id":"w-1","status":"running","tasks":['"$(task_row 1 analyst pending null null 1)"']}]}'
python3 "$stub" pty "$work/shown" 'analyst=\x03' -- "$agentctl" workflow run --template review --wait
is "Ctrl-C" $? 130
is "the workflow goes on" "$(cat "$work/shown")" "*interrupted; the workflow goes on*workflow watch w-1*"
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

finish_tests
