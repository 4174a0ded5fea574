#!/bin/bash
# test_agentctl_talk.sh - agentctl's messages, memory, events, keys and top, against stub_server.py.
# shellcheck disable=SC2016,SC2034,SC2154
# shellcheck source=tests/http/agentctl_stub.bash disable=SC1091
. "$(dirname "$0")/agentctl_stub.bash" || exit 1

headers() { ask GET "/headers?method=$1&path=$2&name=$3"; }
# answer METHOD PATH-REGEX STATUS BODY: the one scripted answer.
answer() { setup '{"answers":[{"method":"'"$1"'","path":"'"$2"'","status":'"$3"',"body":'"$4"'}]}'; }

section "message"
answer POST '^/messages$' 201 '{"id":"m-1","status":"sent"}'
run message send --from a --to-role rune --type status_update --content '{"text":"둘"}' --task t-1
is "what is sent" "$(await POST '^/messages$')" '{"from_agent_id":"a","to_role":"rune","message_type":"status_update","content":{"text":"둘"},"task_id":"t-1"}'
is "with a key of its own" "$(headers POST '^/messages$' Idempotency-Key | grep -cE '^[0-9a-f]{32}$')" 1
run message send --from a --type x --content '{}'
is "to whom?" "$err" "*one of --to, --to-role and --broadcast*"
setup '{"answers":[{"method":"GET","path":"/messages/m-2$","status":200,"body":{"id":"m-2","thread_id":"m-1"}}],
 "lists":{"/messages":[{"id":"m-1","from_agent_id":"a"},{"id":"m-2","reply_to":"m-1"}]}}'
run message thread m-2 -o name
is "a thread" "$out" $'m-1\nm-2'
await GET '/messages\?thread_id=m-1%26' >/dev/null
result $? "is that of its first message"
setup '{"answers":[{"method":"GET","path":"/agents/a/inbox","status":200,"body":{"items":[]},"times":1},
 {"method":"GET","path":"/agents/a/inbox","status":200,"body":{"items":[{"id":"m-3"}]}}]}'
run message inbox a --wait -o name
is "an inbox that is empty at first" "$out" m-3
await GET '/agents/a/inbox\?wait_s=20' 2 >/dev/null
result $? "is waited for"
answer GET '/agents/a/inbox' 200 '{"items":[]}'
run message inbox a --wait --timeout 0.2
exits "until the time is over" 7
run message inbox a
exits "an empty inbox" 0
answer POST '/messages/m-1/ack' 200 '{"id":"m-1","status":"processed"}'
run message ack m-1
is "ack" "$err" "agentctl: the message m-1 is dealt with."

section "memory"
answer PUT '/memory/' 200 '{"key":"a/b","version":3}'
run memory put a/b --value '{"topic":"tea"}' --ttl 60 --if-version 2 --type agent --agent-id me
is "a value as an argument" "$(await PUT '/memory/a%252Fb$')" '{"type":"agent","ttl_s":60,"version":2,"agent_id":"me","value":{"topic":"tea"}}'
printf '[0.85, "\\u2713"]' | "$agentctl" memory put k -q
is "or from standard input" "$(await PUT '/memory/k$')" '{"value":\[0.85,"✓"\]}'
run memory put k --value tea
is "a text needs its quotes" "$err" "*--value is not JSON*next: *double quotes*"
answer PUT '/memory/' 412 null
run memory put k --value 1 --if-version 2
exits "somebody was faster" 5
answer GET '/memory/k' 200 '{"key":"k","version":3,"value":"two\nlines"}'
run memory get k --agent-id me
is "a text as it is" "$out" $'two\nlines'
await GET '/memory/k\?agent_id=me$' >/dev/null
result $? "as the agent sees it"
run memory get k -o jsonl
is "or all of it" "$out" '{"key":"k","version":3,"value":"two\\nlines"}'
answer GET '/memory/k' 200 '{"key":"k","value":"\u001b[31mred"}'
python3 "$stub" pty "$work/shown" -- "$agentctl" memory get k
is "safe for a terminal" "$(cat "$work/shown")" '\\x1b\[31mred*'

section "event"
setup '{"answers":[{"method":"GET","path":"/events.kind=task.completed&limit=50&after=4-1-0$","status":200,"body":{
 "items":[{"id":"5-1-0","kind":"task.completed","subject":"t-1","data":{"a":1}}],"next_cursor":"5-1-0"}},
 {"method":"GET","path":"/events.kind=task.completed&limit=49&after=5-1-0$","status":200,"body":{"items":[],"next_cursor":"7-0-0"}}]}'
run event list --after 4-1-0 --kind task.completed
exits "a list goes on until there is nothing" 0
is "a list" "$out" '*task.completed*t-1*{"a":1}*'
is "that has ended has no more" "$err" ""
run event list --after 4-1-0 --kind task.completed -o json
is "its place is for the next one" "$out" '*"next_cursor": "7-0-0"*'
sse() { printf 'id: %s\\nevent: %s\\ndata: {\\"id\\":\\"%s\\",\\"kind\\":\\"%s\\",\\"subject\\":\\"%s\\"}\\n\\n' "$1" "$2" "$1" "$2" "$3"; }
stream() { printf '{"method":"GET","path":"/events/stream","status":200,"kind":"text/event-stream","raw":"%s","times":1}' "$1"; }
gone='{"method":"GET","path":"/events/stream","drop":true,"times":1}'
over='{"method":"GET","path":"/events/stream","status":403}'
setup '{"answers":['"$(stream ": hello\\n\\n$(sse 9-8-0 task.created t-8)$(sse 9-12-0 task.leased t-9)id: 10-2-0\\ndata: {\\\"id\\\":\\\"10")"','"$gone"','"$(stream "id: 9-12-0\n\n$(sse 9-12-0 task.leased t-9)$(sse 10-2-0 task.completed t-9)")"','"$over"']}'
run event -f -o jsonl
exits "ends when it is not allowed any more" 4
is "no event is lost or doubled by a broken connection" "$out" '{"id":"9-8-0","kind":"task.created","subject":"t-8"}
{"id":"9-12-0","kind":"task.leased","subject":"t-9"}
{"id":"10-2-0","kind":"task.completed","subject":"t-9"}'
is "it goes on after the last whole one" "$(headers GET /events/stream Last-Event-ID | tr '\n' ' ')" "None 9-12-0 9-12-0 10-2-0 "
is "the absence is said" "$err" "*trying again*the server is back*cannot follow the events*"
setup '{"answers":['"$(stream 'id: 41\n\ndata: {\"id\":\"42\",\ndata: \"kind\":\"a.b\"}\r\nid: 42\r\n\r\n')"','"$over"']}'
run event -f --after 7 --kind a.b -o name
is "data of two lines, CRLF" "$out" 42
is "--after is the first place" "$(headers GET '/events/stream.kind=a.b' Last-Event-ID | tr '\n' ' ')" "7 42 "
setup '{"answers":['"$(stream "$(sse 1 task.completed 't\\u001b')")"','"$over"']}'
NO_COLOR="" python3 "$stub" pty "$work/shown" -- "$agentctl" event -f
is "a line for people, in colour on a terminal" "$(head -1 "$work/shown")" $'*\033\[32mtask.completed\033\[0m  t\\\\x1b*'
setup '{"answers":[{"method":"GET","path":"/events/stream","status":200,"raw":"<html>","kind":"text/html"}]}'
run event -f
exits "something else than a stream" 1
answer GET /events/stream 404 null
run event -f
exits "a server without events" 3
ask POST /down
run event -f
exits "nobody there" 6
ask POST /up

section "key"
answer POST '^/keys$' 201 '{"key_id":"k-1","key":"agd_sk_once","name":"n"}'
run key create --name n --role agent --scope task:execute --scope message:send --expires-days 30
is "what is asked for" "$(await POST '^/keys$')" '{"name":"n","role":"agent","scopes":\["task:execute","message:send"\],"expires_in_days":30}'
is "once, whatever happens to the answer" "$(headers POST '^/keys$' Idempotency-Key | grep -cE '^[0-9a-f]{32}$')" 1
is "the key alone on standard output" "$out" agd_sk_once
is "what to do with it" "$err" "*k-1*shown this once*"
answer POST '/keys/k-1/revoke' 200 '{"key_id":"k-1","status":"revoked"}'
run key revoke k-1
exits "revoking asks" 2
run key revoke k-1 --yes -o name
is "and does" "$out" k-1
answer POST '/keys/k-1/suspend' 200 '{"key_id":"k-1","status":"suspended"}'
run key suspend k-1
is "suspended" "$code $err" "0 *the key k-1 is suspended*"
answer POST '/keys/k-1/reactivate' 200 '{"key_id":"k-1","status":"active"}'
run key reactivate k-1 -o name
is "reactivated" "$code $out" "0 k-1"
answer POST '/keys/k-1/rotate' 201 '{"key_id":"k-2","key":"agd_sk_twice","rotated_from":"k-1","old_expires_at":"2030-01-01T00:00:00Z"}'
run key rotate k-1 --overlap-seconds 60
is "the overlap" "$(await POST '/keys/k-1/rotate')" '{"overlap_s":60}'
is "the new key alone on standard output" "$out" agd_sk_twice
is "and until when the old one works" "$err" "*k-2*shown this once*old key works until 2030-01-01*"
run key rotate k-1 --overlap-seconds -1
exits "no overlap backwards" 2
run key delete k-1
exits "deleting asks" 2
answer DELETE '/keys/k-1' 204 null
run key delete k-1 --yes
is "deleted" "$code $err" "0 *the key k-1 is deleted*"
answer POST '/keys/verify' 200 '{"valid":true,"key_id":"k-1","owner":"neo","scopes":["workflow:read"],"remaining":7}'
out=$("$agentctl" key verify <<<agd_sk_secret 2>"$work/err") code=$?
is "verified" "$code $out" "0 *k-1*neo*workflow:read*7*"
is "the key goes in the body" "$(await POST '/keys/verify')" '{"key":"agd_sk_secret"}'
answer POST '/keys/verify' 200 '{"valid":false,"reason":"revoked"}'
out=$("$agentctl" key verify <<<agd_sk_secret 2>"$work/err") code=$?
is "not valid, and why" "$code $(cat "$work/err")" "1 *not valid*revoked*"
run key verify
exits "no key" 2
run key verify agd_sk_secret
exits "no key in an argument" 2
answer POST '^/keys$' 201 '{"key_id":"k-3","key":"agd_pk_once","name":"p"}'
run key create --name p --type public --allow-origin https://a.example --allow-ip 10.0.0.0/8 --allow-ip ::1
is "where from" "$(await POST '^/keys$')" '*"allowed_ips":\["10.0.0.0/8","::1"\],"allowed_origins":\["https://a.example"\]*'

section "top"
setup '{"lists":{"/agents":[{"agent_id":"a-1","role":"sena","status":"busy","load":0.5}]}}'
run top
is "once without a terminal" "$out" "agentd 0.1.0 at $server  2 processes*TASKS *pending 3  processing 1*a-1 *sena *busy *0.5*"
run top -o json
is "as JSON" "$out" '*"status": {*"agents": \[*'
python3 "$stub" pty "$work/shown" 'leaves=q' -- "$agentctl" top --interval 3600
is "q leaves" $? 0
is "its screen comes and goes" "$(cat "$work/shown")" $'*\033\[?1049h*a-1*\033\[?1049l*'
python3 "$stub" pty "$work/shown" 'leaves=\x03' -- "$agentctl" top --interval 3600
is "Ctrl-C" $? 130
is "gives the screen back" "$(cat "$work/shown")" $'*\033\[?25h\033\[?1049l*'
setup '{"lists":{"/agents":[]}}'
run top
is "what to do without agents" "$out" "*agentctl work --role*"

finish_tests
