#!/bin/bash
# test_agentctl_work.sh - agentctl work as its commands and the server see it.
# The commands of the worker are in single quotes: their variables are the worker's.
# shellcheck disable=SC2016,SC2034,SC2154
# shellcheck source=tests/http/agentctl_stub.bash disable=SC1091
. "$(dirname "$0")/agentctl_stub.bash" || exit 1

mkfifo "$work/fifo"
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
trace=00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01
TRACEPARENT=other do_one "$(lease 1 null | sed "s/}$/,\"traceparent\":\"$trace\",\"tracestate\":\"a=b\"}/")" 'printf "\"%s %s\"" "$TRACEPARENT" "$TRACESTATE"'
is "its trace" "$(await POST /complete)" "*\"$trace a=b\"*"
is "the result says which attempt it was" "$(ask GET "/headers?method=POST&path=/complete&name=traceparent")" "$trace"
TRACEPARENT=other do_one "$(lease 1 null)" 'printf "\"<%s>\"" "$TRACEPARENT"'
is "no trace is made up" "$(await POST /complete)" '*"<>"*'
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
do_one "$(lease 1 null)" 'echo 1' --capability korean --capability csv
is "what the agent can do" "$(await POST '^/agents$')" '*"capabilities":\["korean","csv"\],*'
is "also when it leases" "$(await POST /lease)" '*"capabilities":\["korean","csv"\]}'
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

finish_tests
