#!/usr/bin/env bash
# agent.sh - an agent in bash, curl and jq: what `agentctl work` does, in its smallest form.
#
#     AGENTCTL_SERVER=http://127.0.0.1:5000 AGENTCTL_KEY_FILE=key ./agent.sh ROLE COMMAND [ARGUMENT]...
#
# Holds one task at a time and beats while COMMAND works on it. SIGTERM hands the task back. Exit status 1: not allowed.
set -u
[ $# -ge 2 ] || { echo "usage: agent.sh ROLE COMMAND [ARGUMENT]..." >&2; exit 2; }
role=$1
shift
agent_id=${AGENT_ID:-$role-$(hostname)-$$}
folder=$(mktemp -d)
stopping='' worker=''
trap '[ -z "$worker" ] || kill -TERM -- "-$worker" 2>/dev/null; rm -rf "$folder"' EXIT
trap 'stopping=1' TERM INT
# In a file, for arguments can be read by everybody on this machine.
(umask 077; printf 'Authorization: Bearer %s\n' "$(cat "$AGENTCTL_KEY_FILE")" >"$folder/key")

# call PATH BODY [TRACEPARENT]: sets status (000: no answer), pause (seconds until it may be tried again) and answer.
call() {
	local joined=(${3:+-H "traceparent: $3"})
	: >"$folder/answer"
	read -r status pause < <(curl -s -m 30 -o "$folder/answer" -w '%{http_code} %header{retry-after}\n' \
		-H "@$folder/key" -H 'Content-Type: application/json' "${joined[@]}" \
		--data-binary @- "$AGENTCTL_SERVER/api/v1/$1" <<<"$2")
	pause=${pause:-1}
	answer=$(cat "$folder/answer")
	case $status in 401 | 403)
		echo "not allowed: $(jq -r .detail <<<"$answer")" >&2
		exit 1
		;;
	esac
}

# settle VERB BODY: until there is an answer. Twice does no harm: the epoch says whose word counts.
settle() {
	local tries
	for tries in {1..20}; do
		call "tasks/$id/$1" "$2" "$trace"
		case $status in
		200) echo "$id: $1" >&2 && return ;;
		404 | 409) echo "$id: the lease was lost, the result is thrown away" >&2 && return ;;
		000 | 429 | 5??) sleep "$pause" ;;
		*)
			echo "$id: refused: $answer" >&2
			[ "$1" != complete ] || settle fail "$(jq -nc --argjson epoch "$epoch" --arg why "$answer" \
				'{epoch: $epoch, error_message: "the result was refused: \($why[:2000])", retryable: false}')"
			return
			;;
		esac
	done
	echo "$id: no answer in $tries tries; the lease ends by itself" >&2
}

# False when the task is not ours any more. Trouble with the server is none: the lease lives a while.
beat() {
	call "tasks/$id/heartbeat" "{\"epoch\": $epoch}"
	[ "$status" != 404 ] && [ "$status" != 409 ] && [[ $answer != *'"cancel":true'* ]]
}

# work TASK COMMAND...: a beat every third of the lease's life while the command runs.
work() {
	local task=$1 id epoch step trace code next body lost=
	shift
	read -r id epoch step trace < <(jq -r '"\(.id) \(.epoch) \(.lease_s * 1000000 / 3 | floor) \(.traceparent // "")"' <<<"$task")
	# A session of its own, so that it can be stopped with all that it started.
	setsid "$@" <<<"$task" >"$folder/out" 2>"$folder/err" &
	worker=$!
	next=$((${EPOCHREALTIME/./} + step))
	while kill -0 "$worker" 2>/dev/null; do
		sleep 0.1
		if [ "${EPOCHREALTIME/./}" -ge "$next" ]; then
			next=$((${EPOCHREALTIME/./} + step))
			beat || lost=1
		fi
		[ -z "$lost$stopping" ] || kill -TERM -- "-$worker" 2>/dev/null
	done
	wait "$worker"
	code=$?
	worker=
	if [ -n "$lost" ]; then
		echo "$id: the lease was lost or the task cancelled; stopped" >&2
	elif [ -n "$stopping" ]; then
		settle release "{\"epoch\": $epoch}"
	elif [ "$code" = 0 ] &&
		body=$(jq -cn --argjson epoch "$epoch" '{epoch: $epoch, output_data: input}' "$folder/out" 2>>"$folder/err"); then
		settle complete "$body"
	else
		settle fail "$(jq -Rsc --argjson epoch "$epoch" --argjson code "$code" \
			'{epoch: $epoch, error_message: "status \($code): \(.[-2000:])", retryable: ($code == 75)}' "$folder/err")"
	fi
}

until call agents "$(jq -nc --arg id "$agent_id" --arg role "$role" '{agent_id: $id, name: $id, role: $role}')" &&
	[ "$status" = 201 ]; do
	sleep "$pause"
done
while [ -z "$stopping" ]; do
	call tasks/lease "$(jq -nc --arg id "$agent_id" --arg role "$role" '{roles: [$role], agent_id: $id, wait_s: 5}')"
	case $status in
	200) ;;
	000 | 429 | 5??) sleep "$pause" && continue ;;
	*) echo "refused: $answer" >&2 && exit 1 ;;
	esac
	task=$(jq -c '.tasks[0] // empty' <<<"$answer")
	[ -z "$task" ] || work "$task" "$@"
done
