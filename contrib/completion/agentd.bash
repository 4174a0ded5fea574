# Completion of agentd for bash. tests/packaging/test_completion.sh holds it against `agentd --help`.
_agentd()
{
	local cur=${COMP_WORDS[COMP_CWORD]} i command='' what='' next=''
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		-*) ;;
		*)
			if [[ -z $command ]]; then
				command=${COMP_WORDS[i]}
			elif [[ -z $what ]]; then
				what=${COMP_WORDS[i]}
			fi
			;;
		esac
	done
	case ${COMP_WORDS[COMP_CWORD - 1]} in
	--checkpoint | --file) COMPREPLY=($(compgen -f -- "$cur")); return ;;
	esac
	case "$command $what" in
	' ') next='run migrate config audit user --embedded --version --help' ;;
	'migrate ') next='up down status' ;;
	'config ') next='--check --example' ;;
	'audit ') next='verify' ;;
	'audit verify') next='--checkpoint --file' ;;
	'user ') next='add passwd list' ;;
	esac
	COMPREPLY=($(compgen -W "$next" -- "$cur"))
}
complete -F _agentd agentd
