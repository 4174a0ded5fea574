#!/usr/bin/env bash
#
# test_manuals.sh - manual pages and completions: mandoc finds nothing wrong with the pages, they and the completions of agentd
# have each command of `agentd --help` and no other, and bash, zsh and fish complete with what is installed. TAP; BUILD_DIR is
# where the build is.
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/tap.bash"
work=$(mktemp -d /tmp/agentd-manuals.XXXXXX)
trap 'rm -rf "$work"' EXIT
for need in mandoc:mandoc zsh:zsh fish:fish; do
	command -v "${need%%:*}" >/dev/null || { echo "Bail out! ${need%%:*} is not here; install Debian's ${need##*:}"; exit 1; }
done
installed=$BUILD_DIR/installed
cd "$installed" || exit 1
unset MAN_KEEP_FORMATTING

# Where this build puts settings, which may be a long way, and lines are short.
prefix=$(sed -n 's/^prefix = //p' ../Makefile)
sysconfdir=$(sed -n 's/^sysconfdir = //p' ../Makefile | sed "s,\${prefix},$prefix,")
for page in agentctl.1 agentd.8 agentd-admin.8 agentd.env.5; do
	is "mandoc has nothing to say of $page" "$(sed "s,$sysconfdir/agentd,/etc/agentd,g" "$page" | mandoc -T lint 2>&1)" ""
done
is "the pages know where things were installed" "$(grep -c "$sysconfdir/agentd" agentd.8)" \
	"$(grep -c /etc/agentd "$SOURCE_DIR/contrib/man/agentd.8.in")"

# "  migrate  up [N] | down N | status  what it does": name and arguments, which end at two spaces.
help_commands=$("$AGENTD" --help | awk '/^  [a-z]/ { print $1 }' | sort)
is "agentd(8) has every command, and no other" \
	"$(sed -n '/^\.SH COMMANDS/,/^\.SH SIGNALS/s/^\.SS \([a-z\\-]*\).*/\1/p' agentd.8 | tr -d '\\' | sort)" "$help_commands"
is "agentd.env(5) has every setting" \
	"$(sed -n 's/^\.B \(AGENTD_[A-Z0-9_]*\)$/\1/p' agentd.env.5 | sort)" \
	"$("$AGENTD" config --example | sed -n 's/^#\(AGENTD_[A-Z0-9_]*\)=.*/\1/p' | sort)"
# complete SHELL PROGRAM WORD...: what is offered for the last word, sorted.
complete() {
	local shell=$1 program=$2
	shift 2
	case $shell in
	bash)
		bash -c '. "$1"; shift; name=$1 COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)); "_$name"; printf "%s\n" "${COMPREPLY[@]}"' - \
			"$installed/bash/$program" "$program" "$@"
		;;
	zsh)
		# The function without a line editor: what would be shown is printed.
		zsh -f -c 'compdef() { : }
			_describe() { local list=$2 item; for item in ${(P)list}; do item=${item%%:*}; [[ $item == $PREFIX* ]] && print -r -- $item; done }
			_files() { print files }
			compadd() { shift; print -rl -- $* }
			file=$1; shift; words=("$@") CURRENT=$# PREFIX=${@[-1]}
			. $file; $functions[compadd]; _${1}' - "$installed/zsh/_$program" "$program" "$@" 2>/dev/null
		;;
	fish) fish --no-config -c 'source $argv[1]; complete -C "$argv[2..-1]"' "$installed/fish/$program.fish" "$program" "$@" | cut -f 1 ;;
	esac | sort | tr '\n' ' '
}
for shell in bash zsh fish; do
	is "$shell completes every command of agentd" "$(complete $shell agentd '' | tr ' ' '\n' | grep '^[a-z]')" "$help_commands"
	is "and what follows" "$(complete $shell agentd migrate '')" "down status up "
	is "and options" "$(complete $shell agentd config --)" "--check --example "
	is "and no option where a file is due" "$(complete $shell agentd audit verify --file '' | grep -c -- --)" 0
	is "$shell completes commands of agentctl" "$(complete $shell agentctl task dea | sed 's/files //')" "dead "
	is "and words of three" "$(complete $shell agentctl task dead '')" "list redrive "
	is "and its options" "$(complete $shell agentctl task dead redrive --ma)" "--max "
	is "and the values of one" "$(complete $shell agentctl task list -o js)" "$(
		[ $shell = zsh ] && echo "json jsonl name table wide " || echo "json jsonl ")"
done
for file in bash/agentd bash/agentctl; do
	holds "$file is a script of bash" bash -n "$installed/$file"
done
for file in zsh/_agentd zsh/_agentctl; do
	holds "$file is a script of zsh" zsh -n "$installed/$file"
	is "and says what it completes" "$(head -n 1 "$installed/$file")" "#compdef ${file#zsh/_}"
done
for file in fish/agentd.fish fish/agentctl.fish; do
	holds "$file is a script of fish" fish --no-execute "$installed/$file"
done
echo "1..$count"
[ "$failed" = 0 ]
