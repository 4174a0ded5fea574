#!/bin/bash
# test_agentctl_groups.sh - the groups of agentctl: what each command sends, what it shows, what it exits with.
# shellcheck disable=SC2016,SC2034,SC2154
# shellcheck source=tests/http/agentctl_stub.bash disable=SC1091
. "$(dirname "$0")/agentctl_stub.bash" || exit 1

headers() { ask GET "/headers?method=$1&path=$2&name=$3"; }
# answer METHOD PATH-REGEX STATUS BODY: the one scripted answer.
answer() { setup '{"answers":[{"method":"'"$1"'","path":"'"$2"'","status":'"$3"',"body":'"$4"'}]}'; }
printf '[{"key":"a","role":"sena"},{"key":"b","role":"rune","depends_on":["a"]}]' >"$work/graph.json"

section "help, completion, the manual page"
run help
is "the overview names the groups" "$out" "*workflow  *schedule  *task  *memory  *"
run help task
is "a group names its commands" "$out" "*task dead redrive \[ID\]...*"
run help task dead list
exits "a command of three words has help" 0
run task
exits "a group alone" 2
run task frobnicate
is "says where the commands of the group are" "$err" "*no command \"task frobnicate\"*next: agentctl help task*"
run task explain
is "what is missing has its name" "$err" "*something is missing after the command: ID*"
for shell in bash zsh fish; do
	run completion $shell
	exits "completion $shell" 0
done
run completion tcsh
exits "another shell" 2
# complete WORDS...: what bash offers for the last word.
complete_words() {
	"$agentctl" completion bash >"$work/completion"
	bash -c '. "$1"; shift; COMP_WORDS=(agentctl "$@"); COMP_CWORD=$#; _agentctl; echo "${COMPREPLY[*]}"' - "$work/completion" "$@"
}
is "the first word" "$(complete_words wo)" "workflow work"
is "the second" "$(complete_words workflow re)" "retry resume"
is "the third" "$(complete_words task dead '')" "list redrive"
is "options of the command" "$(complete_words task dead redrive --ma)" "--max"
is "options between the words" "$(complete_words -o json task --role r dead '')" "list redrive"
is "an option that takes one of a few" "$(complete_words schedule create --overlap '')" "skip queue cancel"
is "files" "$(cd "$work" && complete_words workflow run --tasks gr)" "graph.json"
run help --man
is "the manual page" "$out" ".TH AGENTCTL 1*.SS agentctl task dead redrive*"
groff -man -Tascii -P-cbou -ww "$work/out" >"$work/page" 2>"$work/complaints"
is "groff has nothing to complain about" "$(cat "$work/complaints")" ""
is "the page reads as the table says" "$(grep -c -- ' --send-back$' "$work/page")" 1

section "creating: Idempotency-Key and another try"
setup '{"answers":[{"method":"POST","path":"^/tasks$","drop":true,"times":1},
 {"method":"POST","path":"^/tasks$","status":409,"code":"idempotency_in_flight","times":1},
 {"method":"POST","path":"^/tasks$","status":503,"times":1},
 {"method":"POST","path":"^/tasks$","status":201,"body":{"id":"t-1"}}]}'
run task create --role sena -o name
exits "a lost answer, the first try still in flight, a 503" 0
is "the task is there" "$out" "t-1"
is "said once" "$(grep -c 'trying again' "$work/err")" 1
is "four tries" "$(ask GET '/count?method=POST&path=^/tasks$')" 4
is "one key" "$(headers POST '^/tasks$' Idempotency-Key | sort -u | grep -cE '^[0-9a-f]{32}$')" 1
first=$(headers POST '^/tasks$' Idempotency-Key | head -1)
answer POST '^/tasks$' 201 '{"id":"t-2"}'
run task create --role sena
is "another command has another key" "$([ "$first" != "$(headers POST '^/tasks$' Idempotency-Key)" ] && echo other)" other
setup '{"answers":[{"method":"POST","path":"^/tasks$","status":503,"headers":{"Retry-After":"3600"}}]}'
run task create --role sena --timeout 5
exits "a Retry-After beyond --timeout is not waited for" 6
is "one try" "$(ask GET '/count?method=POST&path=^/tasks$')" 1
setup '{"answers":[{"method":"POST","path":"^/tasks$","status":422}]}'
run task create --role sena
is "a refusal is final" "$(ask GET '/count?method=POST&path=^/tasks$')" 1
ask POST /down
run task create --role sena
exits "nobody there is said at once" 6
ask POST /up

section "workflow"
setup '{}'
run workflow run --tasks "$work/graph.json" --deadline 60 -q
is "a graph of one's own" "$(await POST '^/workflows$')" '{"deadline_s":60,"tasks":\[{"key":"a",*,"depends_on":\["a"\]}\],"description":"*graph.json"}'
echo '{"tasks":7}' >"$work/none.json"
run workflow run --tasks "$work/none.json"
is "no tasks in the file" "$err" "*neither an array of tasks*next: write \[{*"
run workflow run --tasks "$work/graph.json" --template review
exits "two graphs" 2
run workflow run --tasks "$work/graph.json" --deadline soon
is "a deadline is a number" "$err" '*--deadline must be 1 to 31536000, not "soon"*'
setup '{"lists":{"/workflows":[]}}'
run workflow list --label team=core --schedule s-1 --template review
await GET '/workflows\?template=review%26label=team%253Acore%26schedule_id=s-1' >/dev/null
result $? "the filters of the list"
answer GET '/workflows/w-1/graph' 200 '{"id":"w-1","status":"running","nodes":[
 {"id":"1","key":"analyst","role":"sena","status":"completed","round":2},{"id":"2","key":"gate\u001b","role":"lubit","status":"processing"},
 {"id":"3","key":"executor","status":"blocked"},{"id":"4","key":"reviewer","role":"rune","status":"blocked"},{"id":"5","key":"alone","status":"cancelled","skipped":true}],
 "edges":[{"from":"1","to":"2","kind":"dependency"},{"from":"2","to":"3","kind":"dependency"},{"from":"1","to":"3","kind":"dependency"},
 {"from":"3","to":"4","kind":"dependency"},{"from":"2","to":"4","kind":"dependency"},{"from":"2","to":"1","kind":"revision"}]}'
run workflow graph w-1
is "the tree" "$out" 'workflow w-1  running
analyst (sena)  completed, round 2
└─ gate\\x1b (lubit)  processing  may send back to analyst
   └─ executor  blocked  also after analyst
      └─ reviewer (rune)  blocked  also after gate\\x1b
alone  skipped'
run workflow graph w-1 --dot
is "for graphviz" "$out" 'digraph "w-1" {*"analyst" -> "gate\\\\x1b";*style=dashed*}'
run workflow graph w-1 -o json
is "the graph as JSON" "$out" '*"edges": \[*'
answer GET '/workflows/w-1/graph' 200 '{"id":"w-1","nodes":[{"id":"1","key":"a"},{"id":"2","key":"b"}],"edges":[{"from":"1","to":"2"},{"from":"2","to":"1"},{"from":"9","to":"1"}]}'
run workflow graph w-1
exits "a circle, and an edge from nowhere, hold nobody up" 0
answer PATCH '/workflows/w-1' 200 '{"id":"w-1","paused":true}'
run workflow pause w-1
is "pause" "$(await PATCH /workflows/w-1)" '{"paused":true}'
run workflow resume w-1 -o name
is "resume" "$(await PATCH /workflows/w-1 2 | tail -1) $out" '{"paused":false} w-1'
event() { printf '{"id":"%s","at":"2026-11-23T01:02:03.5Z","kind":"%s","subject":"%s","workflow_id":"w-1","data":%s}' "$@"; }
setup '{"steps":[{"id":"w-1","status":"running","tasks":[]},{"id":"w-1","status":"failed","error_message":"no way","tasks":[]}],"answers":[
 {"method":"GET","path":"/workflows/w-1/events.wait_s","status":200,"body":{"items":['"$(event 1 task.leased t-1 '{"by":"a"}')"'],"next_cursor":"1"}},
 {"method":"GET","path":"/workflows/w-1/events.after=1","status":200,"times":1,"body":{"items":['"$(event 2 workflow.failed w-1 null)"'],"next_cursor":"2"}},
 {"method":"GET","path":"/workflows/w-1/events.after=2","status":200,"body":{"items":[],"next_cursor":"2"}}]}'
run workflow watch w-1 --events
exits "watch --events of one that fails" 8
is "all its events" "$out" '2026-11-23T01:02:03Z  task.leased  t-1  {"by":"a"}
2026-11-23T01:02:03Z  workflow.failed  w-1'
is "and why" "$err" "*it is failed*no way*"

section "task"
answer GET '/tasks/t-1/explain' 200 '{"id":"t-1","status":"blocked","runnable":false,"reasons":[
 {"code":"dependency","detail":"it waits for the task \"a\", which is processing","frees":"the end of a"},{"code":"no_agent","detail":"No agent has the role."}],
 "queue":{"name":"sena","ahead":3,"ready":5},"agents":{"live":2,"idle":0}}'
run task explain t-1
is "the reasons as sentences" "$out" 'The task t-1 is blocked and cannot run yet.
  1. It waits for the task "a", which is processing.
     What frees it: the end of a
  2. No agent has the role.
Queue sena: 3 tasks go before it; 5 ready to run.
Agents that could take it: 2 alive, 0 idle.'
answer POST '/tasks/t-1/reject' 200 '{"id":"t-1","status":"completed"}'
run task reject t-1 --comment "not yet" --send-back
is "a decision" "$(await POST /reject)" '{"comment":"not yet","send_back":true}'
is "is said" "$err" "*t-1 is sent back for another round.*"
run task delete t-1
is "deleting asks" "$err" "*no terminal to ask*next: agentctl task delete t-1 --yes*"
answer DELETE '/tasks/t-1' 200 '{}'
python3 "$stub" pty "$work/shown" 'N]=yes\n' -- "$agentctl" task delete t-1
is "and takes a yes" "$? $(tail -1 "$work/shown" | tr -d '\r')" "0 *the task t-1 is deleted."
python3 "$stub" pty "$work/shown" 'N]=\n' -- "$agentctl" task delete t-1
is "nothing else" "$?" 1
run task delete a/b --yes
await DELETE '/tasks/a%252Fb' >/dev/null
result $? "an id is encoded"

section "template, schedule, limit, agent"
answer PUT '/templates/' 200 '{"name":"graph","version":2}'
run template apply "$work/graph.json"
is "the name is that of the file" "$(await PUT '^/templates/graph$')" '{"tasks":\[*'
is "its version is shown" "$out" "NAME*graph*VERSION*2"
printf '{"name":"named","description":"d","tasks":[]}' >"$work/t.json"
run template apply "$work/t.json"
is "or the one in it" "$(await PUT '^/templates/named$')" '{"description":"d","tasks":\[\]}'
run template apply "$work/t.json" --name other -q
await PUT '^/templates/other$' >/dev/null
result $? "or the one given"
run template apply - </dev/null
exits "nothing on standard input" 1
answer POST '/schedules' 201 '{"id":"s-1","name":"daily","next_at":"2026-11-24T00:00:00.000000Z"}'
run schedule create --name daily --cron "0 9 * * 1-5" --zone Asia/Seoul --template review --overlap skip --catch-up one --input '{"a":1}'
is "a schedule" "$(await POST '^/schedules$')" '{"name":"daily","cron":"0 9 \* \* 1-5","time_zone":"Asia/Seoul","template":"review","input_data":{"a":1},"overlap":"skip","catch_up":"one"}'
is "when it comes next" "$out" "*NEXT *2026-11-24T00:00:00Z*"
run schedule create --name daily --cron "0 9 * * 1-5"
is "what shall it start?" "$err" "*--template or --tasks is missing*"
answer POST '/schedules/s-1/run' 201 '{"id":"w-7","status":"pending"}'
run schedule run s-1 -o name
is "run now" "$out" w-7
answer PATCH '/schedules/s-1' 200 '{"id":"s-1"}'
run schedule pause s-1
is "pause" "$(await PATCH /schedules/s-1)" '{"active":false}'
answer PUT '/limits/one' 200 '{"name":"one"}'
run limit put one --kind rate --key label --label customer --match kim --value 10 --window 1
is "a limit" "$(await PUT /limits/one)" '{"kind":"rate","key":"label","value":10,"window_s":1,"label":"customer","match":"kim"}'
run limit put one --kind rate
is "what is missing" "$err" "*--key is missing*next: agentctl help limit put*"
setup '{"lists":{"/agents":[{"agent_id":"a-1","status":"busy"},{"agent_id":"a-2","status":"idle"}],
 "/tasks":[{"leased_by":"a-1"},{"leased_by":"other"},{"leased_by":"a-1"}]}}'
run agent list
is "how many tasks each runs, over all pages" "$out" "*a-1 *busy *- *2 *a-2 *idle *- *0 *"
answer GET '/agents/a-1/metrics' 200 '{"tasks":{"completed":7},"p95_ms":12.5}'
run agent metrics a-1
is "an agent's metrics" "$out" "tasks*completed 7*p95_ms*12.5"

section "alert"
setup '{"lists":{"/alerts":[{"id":"al-1","rule":"agent_errors","state":"firing","subject":"bad","value":3,"severity":"warning"}]}}'
run alert list --status firing --severity warning --rule agent_errors --subject bad
is "what fires" "$out" "*al-1 *firing *warning *agent_errors *bad *3 *"
answer POST '^/alerts/rules$' 201 '{"id":"ru-1","name":"slow"}'
run alert rule create slow --metric queue_age_s --comparison '>' --threshold 60.5 --subject sena --for 30 --keep 0 --severity critical --label team=a
is "a rule" "$(await POST '^/alerts/rules$')" '{"metric":"queue_age_s","comparison":">","threshold":60.5,"subject":"sena","for_s":30,"keep_s":0,"severity":"critical","labels":{"team":"a"},"name":"slow"}'
run alert rule create slow --metric queue_age_s --comparison '>'
is "what is missing of a rule" "$err" "*--threshold is missing*"
answer PATCH '/alerts/rules/ru-1' 200 '{"id":"ru-1"}'
run alert rule set ru-1 --threshold 7
is "a rule is changed" "$(await PATCH /alerts/rules/ru-1)" '{"threshold":7}'
answer PATCH '/alerts/rules/ru-1' 200 '{"id":"ru-1"}'
run alert rule silence ru-1
is "a rule is silenced" "$(await PATCH /alerts/rules/ru-1)" '{"active":false}'
answer POST '^/alerts/channels$' 201 '{"id":"ch-1","name":"pager","url":"https://example.com/","secret":"whsec_abc"}'
run alert channel create pager --url https://example.com/ --severity critical
is "a channel" "$(await POST '^/alerts/channels$')" '{"url":"https://example.com/","min_severity":"critical","name":"pager"}'
is "its secret, once" "$out" "*SECRET*whsec_abc*"
is "is said to be shown once" "$err" "*never shown again*"
answer POST '/alerts/channels/ch-1/test' 202 '{"id":"de-1","status":"pending"}'
run alert channel test ch-1
exits "a test" 0
setup '{"lists":{"/alerts/channels/ch-1/deliveries":[{"id":"de-1","event":"alert.test","status":"delivered","attempts":1,"answer_status":200}]}}'
run alert channel deliveries ch-1
is "what came of it" "$out" "*de-1 *alert.test *delivered *1 *200*"
answer DELETE '/alerts/channels/ch-1' 204 '{}'
run alert channel delete ch-1 --yes
exits "a channel goes" 0

section "tenant, role"
answer POST '^/tenants$' 201 '{"id":2,"name":"acme","status":"active","quotas":{"max_users":20},"admin_username":"kim"}'
printf 'a password\n' >"$work/password"
run tenant create acme --username kim --password-file "$work/password" --quota max_users=20 --description "the first"
is "a tenant with its first admin" "$(await POST '^/tenants$')" '{"description":"the first","quotas":{"max_users":20},"name":"acme","admin_username":"kim","admin_password":"a password"}'
is "is shown" "$out" "*NAME*acme*ADMIN*kim*"
run tenant create acme --username kim
exits "nobody to ask for the password" 2
is "says how" "$err" "*--password-file FILE*"
run tenant create acme --quota max_users=many
is "a quota is a number" "$err" '*"max_users=many" is not NAME=NUMBER or NAME=none*'
answer PATCH '^/tenants/acme$' 200 '{"name":"acme"}'
run tenant set acme --quota max_keys=none --quota max_open_tasks=100000
is "quotas change, none takes one away" "$(await PATCH '^/tenants/acme$')" '{"quotas":{"max_keys":null,"max_open_tasks":100000}}'
run tenant deactivate acme
is "deactivating asks" "$err" "*no terminal to ask*next: agentctl tenant deactivate acme --yes*"
run tenant deactivate acme --yes
is "and does" "$(await PATCH '^/tenants/acme$' 2 | tail -1)" '{"active":false}'
run tenant activate acme -o name
is "and back" "$(await PATCH '^/tenants/acme$' 3 | tail -1) $out" '{"active":true} acme'
answer DELETE '^/tenants/acme$' 202 '{"name":"acme","status":"deleting"}'
run tenant delete acme --yes
is "deleting goes on by itself" "$err" "*the tenant acme is being deleted; it is gone when*"
answer DELETE '^/tenants/acme$' 409 '{}'
run tenant delete acme --yes
exits "an active one stays" 5
setup '{"lists":{"/tenants":[{"name":"b","id":3,"status":"inactive","quotas":{}},{"name":"default","id":1,"status":"active","quotas":{"max_keys":2}}]}}'
run tenant list
is "the list" "$out" '*b *3 *inactive *default *1 *active *{"max_keys":*2}*'
answer GET '^/roles$' 200 '{"items":[{"name":"guest","permissions":["metrics:read"]}],"next_cursor":null}'
run role list
is "roles and what they may do" "$out" "*guest *metrics:read*"
run role list -o name
is "their names" "$out" guest
answer GET '^/auth/sessions' 200 '{"items":[{"id":"s-1","created_at":"2026-01-02T03:04:05Z","address":"10.0.0.1","user_agent":"curl","current":true}],"next_cursor":null}'
run session list
is "sessions" "$out" "*s-1 *true *10.0.0.1 *curl*"
run session list -o name
is "their ids" "$out" s-1
run session delete s-1
exits "ending one asks first" 2
answer DELETE '^/auth/sessions/s-1$' 204 null
run session delete s-1 --yes
exits "a session is ended" 0
is "and that is said" "$err" "*the session*s-1*has ended*"
printf 's3cret pass\n' >"$work/password"
answer POST '/auth/login' 200 '{"access_token":"t","user":{}}'
run login --username kim --tenant acme --password-file "$work/password"
is "login names the tenant" "$(await POST /auth/login)" '{"username":"kim","password":"s3cret pass","tenant_name":"acme"}'

section "audit, config"
setup '{"lists":{"/audit":[{"id":2,"at":"2026-01-02T03:04:05Z","actor":"kim","action":"key.revoke","subject_id":"agd_sk_1","address":"10.0.0.1","before":{"status":"active"}}]}}'
run audit list --actor kim --action key --subject agd_sk_1 --since 2026-01-01T00:00:00Z --until 2026-02-01T00:00:00Z
await GET '/audit\?actor=kim%26action=key%26subject=agd_sk_1%26from=2026-01-01T00%253A00%253A00Z%26to=2026-02-01T00%253A00%253A00Z' >/dev/null
result $? "the filters of the list"
is "who did what" "$out" "*ACTOR*kim *key.revoke *agd_sk_1 *10.0.0.1*"
run audit list -o wide
is "wide has what was before" "$out" '*BEFORE*{"status":*"active"}*'
setup '{"answers":[{"method":"GET","path":"^/audit/verify.*cursor=0","status":200,"body":{"valid":true,"rows":2000,"last":2000,"checkpoints":1,"unknown_keys":0,"problem":null,"head":null,"next_cursor":"2000"}},
 {"method":"GET","path":"^/audit/verify.*cursor=2000","status":200,"body":{"valid":true,"rows":5,"last":2005,"checkpoints":2,"unknown_keys":0,"problem":null,"head":{"n":2005},"next_cursor":null}}]}'
run audit verify
exits "a whole log, in two parts" 0
is "all of it is counted" "$out" "*ROWS *2005*LAST ROW *2005*GOOD SIGNATURES *3*"
answer GET '^/audit/verify' 200 '{"valid":false,"rows":2,"last":2,"checkpoints":0,"unknown_keys":0,"problem":{"n":3,"detail":"row 3 was edited"},"head":null,"next_cursor":"9"}'
run audit verify
exits "a log that was touched" 1
is "says which row" "$err" "*was touched*row 3 was edited*next: agentd audit verify*"
setup '{"answers":[{"method":"GET","path":"^/audit/export.*cursor=0","status":200,"body":{"items":[{"kind":"row","n":1,"after":{"a":"}],[{\\\""}},{"kind":"digest","n":2}],"next_cursor":"2"}},
 {"method":"GET","path":"^/audit/export.*cursor=2","status":200,"body":{"items":[{"kind":"head","n":2}],"next_cursor":null}}]}'
run audit export
is "an export is a record a line" "$(wc -l <"$work/out")" 3
is "whatever is in a text" "$(sed -n 1p "$work/out" | grep -c '"kind": *"row"')$(sed -n 2p "$work/out" | grep -c digest)$(sed -n 3p "$work/out" | grep -c head)" 111
answer GET '^/audit/export' 403 '{}'
run audit export
exits "not everybody may" 4
setup '{"answers":[{"method":"GET","path":"^/config$","status":200,"body":{"items":[{"name":"lease_s","value":8,"source":"default","changeable":true,"doc":"life of a lease"},{"name":"secret","value":null,"source":"file","changeable":false}],"version":0}}]}'
run config get
is "the settings" "$out" "*lease_s *8 *default *true*secret *- *file *false*"
run config get lease_s -o json
is "one of them" "$out" '*"name": *"lease_s"*'
run config get lease_s frob
exits "a name that there is not" 3
answer PATCH '^/config$' 200 '{"items":[],"version":1}'
run config set lease_s=20 cors_origins=https://a.example=x
is "values are texts, up to the end" "$(await PATCH '^/config$')" '{"lease_s":"20","cors_origins":"https://a.example=x"}'
is "says that it is everywhere" "$err" "*2 settings changed, on every node*"
run config set lease_s
exits "no value" 2
run config unset lease_s log_level
is "null is back to the environment" "$(await PATCH '^/config$' 2 | tail -1)" '{"lease_s":null,"log_level":null}'
answer PATCH '^/config$' 422 '{"errors":[{"pointer":"/port","code":"not_changeable","detail":"is read when agentd starts"}]}'
run config set port=1
exits "one that cannot change" 1

section "health, doctor"
reset
report='"components":[{"name":"database","status":"healthy","message":"primary","response_time_ms":1.5,"failures":0,"since":"2026-11-23T10:00:00Z","checked_at":"2026-11-23T10:00:30Z"},{"name":"disk","status":"critical","message":"97.0 % in use","response_time_ms":null,"failures":3,"since":"2026-11-23T10:00:00Z","checked_at":"2026-11-23T10:00:30Z"}],"nodes":[{"name":"one","status":"critical","version":"0.1.0","clock_skew_ms":-2}],"agents":{},"recoveries":2'
answer GET '^/health/report$' 200 "{\"status\":\"warning\",\"writes\":true,$report}"
run health
exits "a warning is no failure" 0
is "the summary, the parts, the nodes" "$out" "*STATUS*warning*RECOVERIES*2*COMPONENT*database*healthy*primary*1.5*disk*critical*97.0 %*NODE*one*"
run health -o json
is "the report as it came" "$out" '*"clock_skew_ms": -2*'
reset
answer GET '^/health/report$' 200 "{\"status\":\"critical\",\"writes\":false,$report}"
run health
exits "critical" 1
setup "{\"answers\":[{\"method\":\"GET\",\"path\":\"^/readyz\",\"status\":200,\"body\":{\"status\":\"ok\",\"missing\":[\"writes\"]}},
 {\"method\":\"GET\",\"path\":\"^/health/report\",\"status\":200,\"body\":{\"status\":\"critical\",$report}},
 {\"method\":\"GET\",\"path\":\"^/recoveries\",\"status\":200,\"body\":{\"items\":[{\"component\":\"pool 0\",\"error\":\"no answer\",\"outcome\":\"given_up\"}],\"next_cursor\":null}}]}"
run doctor
exits "the doctor is not content" 1
is "what is well, what is not, what to do" "$out" "*ready*healthy*writes*warning*goes on without writes*identity*kim*disk*critical*make room*pool 0*warning*no answer*health recoveries*"
reset
setup '{"answers":[{"method":"GET","path":"^/readyz$","status":503,"detail":"not ready: no connection to the database"},
 {"method":"GET","path":"^/health/report$","status":200,"body":{"status":"healthy","components":[]}},
 {"method":"GET","path":"^/recoveries","status":200,"body":{"items":[],"next_cursor":null}}]}'
run doctor -o jsonl
exits "a server that is not ready" 1
is "its own words" "$out" '*"check":"ready"*"message":*no connection to the database*'
reset
setup '{"lists":{"/health/records":[{"id":"h-1","component":"redis","status":"critical","message":"no answer","recorded_at":"2026-11-23T10:00:00Z"}],"/recoveries":[{"id":"r-1","component":"redis","action":"reconnect_redis","attempt":1,"outcome":"recovered","error":"no answer","duration_ms":900,"began_at":"2026-11-23T10:00:00Z"}]}}'
run health records --component "pool 0" --status critical --since 2026-11-23T09:00:00Z
is "records" "$out" "*redis*critical*no answer*"
await GET '/health/records\?component=pool%25200%26status=critical%26from=2026' >/dev/null
result $? "with their filters"
run health recoveries --status recovered
is "recoveries" "$out" "*redis*reconnect_redis*1*recovered*900*no answer*"
await GET '/recoveries\?outcome=recovered' >/dev/null
result $? "by outcome"

finish_tests
