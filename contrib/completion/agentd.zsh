#compdef agentd
# Completion of agentd for zsh. tests/packaging/test_completion.sh holds it against `agentd --help`.
_agentd()
{
	local -a typed next
	local i
	for ((i = 2; i < CURRENT; i++)); do
		[[ ${words[i]} == -* ]] || typed+=("${words[i]}")
	done
	case ${words[CURRENT - 1]} in
	(--checkpoint|--file) _files; return ;;
	esac
	case "${typed[1]} ${typed[2]}" in
	(' ') next=('run:serve' 'migrate:move the schema of the database' 'config:show every setting'
		'audit:find what was changed in the audit log' 'user:people who may log in'
		'--embedded:use a private PostgreSQL' '--version:print the version' '--help:print the commands') ;;
	('migrate ') next=('up:to the newest version, or to one' 'down:to an older version' 'status:where the schema is') ;;
	('config ') next=('--check:say whether all is well' '--example:print a file of all settings') ;;
	('audit ') next=('verify:find the first record that was changed') ;;
	('audit verify') next=('--checkpoint:hold it against this one' '--file:an exported log') ;;
	('user ') next=('add:make one' 'passwd:give one a new password' 'list:list them') ;;
	esac
	_describe agentd next
}
if [[ ${funcstack[1]} == _agentd ]]; then _agentd "$@"; else compdef _agentd agentd; fi
