#!/bin/bash
# test_agentctl_users.sh - agentctl user and agentctl passwd: what is sent, what is shown, and where passwords come from.
# shellcheck disable=SC2016,SC2034,SC2154
# shellcheck source=tests/http/agentctl_stub.bash disable=SC1091
. "$(dirname "$0")/agentctl_stub.bash" || exit 1

id=01a2074c-6b48-7577-b99e-ed7a141d50b7
ada='{"id":"'$id'","username":"ada","role":"operator","active":true,"display_name":"Ada L.","last_login":null,"version":2}'
printf 'tulip anvil sonnet\r\n' >"$work/one"
printf 'old kettle whistles\nnew pebbles under it\n' >"$work/two"
printf 'zero\0byte and more\n' >"$work/zero"
: >"$work/empty"
# known ANSWERS: ada is there by name and by id; further answers come first.
known() {
	setup '{"lists":{"/users":['"$ada"']},"answers":['"${1:+$1,}"'{"method":"GET","path":"^/users/'$id'","status":200,"body":'"$ada"'}]}'
}
done_204() { echo '{"method":"'"$1"'","path":"'"$2"'","status":204,"raw":""}'; }

section "list and get"
known
run user list --role operator --status inactive
is "filters" "$(ask GET '/count?method=GET&path=^/users\?active=false%26role=operator%26')" 1
is "a table" "$out" "*NAME*ROLE*ACTIVE*ada*operator*true*Ada L.*"
run user list --status gone
exits "another status" 2
run user list -o name
is "names are what the other commands take" "$out" ada
run user get ada
is "by name" "$(ask GET '/count?method=GET&path=^/users\?username=ada$')" 1
is "the details" "$out" "*ada*operator*$id*"
run user get $id -o json
is "by id" "$(ask GET "/count?method=GET&path=^/users/$id\$")" 1
setup '{"lists":{"/users":[]}}'
run user get ada
exits "a name that nobody has" 3
is "says where to look" "$err" "*no user of this name*next: agentctl user list*"
run user get 'a&role=admin'
is "a name stays a name" "$(ask GET '/count?method=GET&path=username=a%2526role')" 1

section "create"
known '{"method":"POST","path":"^/users$","status":201,"body":'"$ada"'}'
run user create ada --role operator --name 'Ada L.' --password-file "$work/one"
exits "create" 0
is "what is sent" "$(await POST '^/users$')" '{"username":"ada","password":"tulip anvil sonnet","role":"operator","display_name":"Ada L."}'
is "with an Idempotency-Key" "$(ask GET '/headers?method=POST&path=^/users$&name=Idempotency-Key' | grep -cE '^[0-9a-f]{32}$')" 1
is "said" "$err" "*the user ada is there.*"
is "the password is not shown" "$(cat "$work/out" "$work/err" | grep -c tulip)" 0
known '{"method":"POST","path":"^/users$","status":201,"body":'"$ada"'}'
printf 'tulip anvil sonnet\n' | "$agentctl" user create ada --password-file - 2>"$work/err"
is "from standard input; what is not given is not sent" "$(await POST '^/users$')" '{"username":"ada","password":"tulip anvil sonnet"}'
run user create ada
exits "no terminal to ask at" 2
is "says what to do" "$err" "*next: agentctl user create ada --password-file FILE*"
run user create ada --password 'tulip anvil sonnet'
exits "no password in the arguments" 2
run user create ada --password-file "$work/empty"
exits "an empty file" 1
run user create ada --password-file "$work/zero"
is "a zero byte" "$err" "*zero byte*"
run user create ada --password-file "$work/none"
exits "no file" 1
is "nothing was sent for these" "$(ask GET '/count?method=POST&path=^/users$')" 1
known '{"method":"POST","path":"^/users$","status":422,"more":{"errors":[{"pointer":"/password","code":"too_short","detail":"The password is shorter."},{"pointer":"/password","code":"has_name","detail":"It has the name."}]}}'
run user create ada --password-file "$work/one"
is "all that is wrong is shown" "$err" "*shorter*has the name*"
known '{"method":"POST","path":"^/users$","status":201,"body":'"$ada"'}'
python3 "$stub" pty "$work/shown" 'New password: =tulip anvil sonnet\n' 'New password again: =tulip anvil sonnet\n' -- \
	"$agentctl" user create ada
result $? "asked for twice at a terminal"
is "not echoed" "$(grep -c tulip "$work/shown")" 0
is "sent once" "$(await POST '^/users$' 1)" '{"username":"ada","password":"tulip anvil sonnet"}'
python3 "$stub" pty "$work/shown" 'New password: =tulip anvil sonnet\n' 'New password again: =another one\n' -- \
	"$agentctl" user create ada
is "two that differ are refused" "$(grep -c 'not the same' "$work/shown") $(ask GET '/count?method=POST&path=^/users$')" "1 1"

section "changes"
patched='{"method":"PATCH","path":"^/users/'$id'$","status":200,"body":'"$ada"'}'
known "$patched"
run user set-role ada viewer
is "set-role" "$(await PATCH "^/users/$id\$")" '{"role":"viewer"}'
is "said" "$err" "*the user ada has the role from now on*"
known "$patched"
run user deactivate $id
is "deactivate, by id" "$(await PATCH "^/users/$id\$")" '{"active":false}'
known "$patched"
run user activate ada -o name
is "activate" "$(await PATCH "^/users/$id\$") $out" '{"active":true} ada'
known '{"method":"PATCH","path":"^/users/","status":409,"code":"last_admin","detail":"this is the last active admin of the tenant"}'
run user deactivate ada
exits "the last admin" 5
is "why" "$err" "*last active admin*"
setup '{"lists":{"/users":[]}}'
run user deactivate ada
exits "nobody of this name" 3
known "$(done_204 POST "^/users/$id/password\$")"
run user passwd ada --password-file "$work/one"
exits "passwd" 0
is "what is sent" "$(await POST "^/users/$id/password\$")" '{"password":"tulip anvil sonnet"}'
is "said" "$err" "*the user ada has the new password; all sessions have ended.*"
known "$(done_204 DELETE "^/users/$id\$")"
run user delete ada
exits "delete asks" 2
is "nothing was sent" "$(ask GET '/count?method=DELETE&path=.')" 0
run user delete ada --yes
exits "delete" 0
is "sent" "$(ask GET "/count?method=DELETE&path=^/users/$id\$")" 1
is "said" "$err" "*the user ada is deleted*"

section "passwd"
setup '{"answers":['"$(done_204 POST '^/auth/password$')"']}'
run passwd --password-file "$work/two"
exits "passwd" 0
is "the first line is the current one" "$(await POST '^/auth/password$')" '{"current_password":"old kettle whistles","new_password":"new pebbles under it"}'
is "said" "$err" "*next: agentctl login*"
run passwd --password-file "$work/one"
exits "one line is not enough" 1
is "says what is missing" "$err" "*second the new one*"
run passwd
exits "no terminal" 2
setup '{"answers":['"$(done_204 POST '^/auth/password$')"']}'
python3 "$stub" pty "$work/shown" 'Current password: =old kettle\n' 'New password: =new pebbles\n' 'New password again: =new pebbles\n' -- \
	"$agentctl" passwd
result $? "at a terminal"
is "sent" "$(await POST '^/auth/password$')" '{"current_password":"old kettle","new_password":"new pebbles"}'
is "not echoed" "$(grep -cE 'kettle|pebbles' "$work/shown")" 0
setup '{"answers":[{"method":"POST","path":"^/auth/password$","status":429,"code":"login_throttled","detail":"try again in 4 s","headers":{"Retry-After":"4"}}]}'
run passwd --password-file "$work/two"
is "too many attempts" "$err" "*try again in 4 s*"
is "one try" "$(ask GET '/count?method=POST&path=^/auth/password$')" 1
finish_tests
