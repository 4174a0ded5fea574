# Completion of agentd for fish. tests/packaging/test_completion.sh holds it against `agentd --help`.
function __agentd_at
	set -l typed
	for word in (commandline -opc)[2..-1]
		string match -q -- '-*' $word; or set -a typed $word
	end
	test "$typed" = "$argv[1]"
end
complete -c agentd -f
complete -c agentd -n '__agentd_at ""' -l embedded -d 'use a private PostgreSQL'
complete -c agentd -n '__agentd_at ""' -l version -d 'print the version'
complete -c agentd -n '__agentd_at ""' -l help -s h -d 'print the commands'
complete -c agentd -n '__agentd_at ""' -a run -d serve
complete -c agentd -n '__agentd_at ""' -a migrate -d 'move the schema of the database'
complete -c agentd -n '__agentd_at ""' -a config -d 'show every setting'
complete -c agentd -n '__agentd_at ""' -a audit -d 'find what was changed in the audit log'
complete -c agentd -n '__agentd_at ""' -a user -d 'people who may log in'
complete -c agentd -n '__agentd_at migrate' -a 'up down status'
complete -c agentd -n '__agentd_at config' -l check -d 'say whether all is well'
complete -c agentd -n '__agentd_at config' -l example -d 'print a file of all settings'
complete -c agentd -n '__agentd_at audit' -a verify -d 'find the first record that was changed'
complete -c agentd -n '__agentd_at "audit verify"' -l checkpoint -rF -d 'hold it against this one'
complete -c agentd -n '__agentd_at "audit verify"' -l file -rF -d 'an exported log'
complete -c agentd -n '__agentd_at user' -a 'add passwd list'
