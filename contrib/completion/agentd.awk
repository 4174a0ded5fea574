# agentd.awk - makes the completion of agentd out of what `agentd --help` prints: awk -v shell=bash|zsh|fish -f agentd.awk
#
# A line of it is "  NAME ARGUMENTS  what it does"; ARGUMENTS are alternatives between bars: words in small letters are what
# may follow, --words are options, and a word in capitals behind an option is its value.

function add(key, word, doc) {
	if (!(key in offers))
		keys[++key_count] = key
	offers[key] = offers[key] (offers[key] == "" ? "" : "\n") word "\t" doc
}

# What `name` takes.
function parse(name, arguments,    alternatives, words, i, j, n, m, key) {
	n = split(arguments, alternatives, "|")
	for (i = 1; i <= n; i++) {
		gsub(/[][]/, " ", alternatives[i])
		m = split(alternatives[i], words, " ")
		key = name
		for (j = 1; j <= m; j++)
			if (words[j] ~ /^--/) {
				add(key, words[j], "")
				if (j < m && words[j + 1] ~ /^[A-Z]+$/)
					valued[words[j]] = words[j + 1]
			} else if (j == 1 && words[j] ~ /^[a-z]/) {
				add(name, words[j], "")
				key = name " " words[j]
			}
	}
}

/^  [a-z]/ {
	name = $1
	rest = substr($0, 4 + (length(name) > 8 ? length(name) : 8))
	end = match(rest, /  /)
	doc = rest
	sub(/.*   */, "", doc)
	add("", name, doc)
	parse(name, rest ~ /^ / ? "" : substr(rest, 1, end - 1))
}

/^  --/ {
	gsub(/,/, "")
	doc = $0
	sub(/^ *--[a-z]+ */, "", doc)
	for (i = 1; i <= NF && $i ~ /^--/; i++)
		add("", $i, i == NF ? "" : (doc ~ /^--/ ? "" : doc))
}

function quoted(text) {
	gsub(/'/, "'\\''", text)
	return "'" text "'"
}

function patterns(between,    option, out) {
	for (option in valued)
		out = out (out == "" ? "" : between) option
	return out == "" ? "--" : out
}

function print_bash(    i, j, n, items, item) {
	print "# Completion of agentd for bash, made from `agentd --help`."
	print "_agentd()\n{\n\tlocal cur=${COMP_WORDS[COMP_CWORD]} typed=() next='' i"
	print "\tfor ((i = 1; i < COMP_CWORD; i++)); do\n\t\tcase ${COMP_WORDS[i]} in\n\t\t" patterns(" | ") ") ((i++)) ;;"
	print "\t\t-*) ;;\n\t\t*) typed+=(\"${COMP_WORDS[i]}\") ;;\n\t\tesac\n\tdone"
	print "\tcase ${COMP_WORDS[COMP_CWORD - 1]} in\n\t" patterns(" | ") ") COMPREPLY=($(compgen -f -- \"$cur\")); return ;;\n\tesac"
	print "\tcase ${typed[*]:0:2} in"
	for (i = 1; i <= key_count; i++) {
		printf "\t'%s') next='", keys[i]
		n = split(offers[keys[i]], items, "\n")
		for (j = 1; j <= n; j++) {
			split(items[j], item, "\t")
			printf "%s%s", (j > 1 ? " " : ""), item[1]
		}
		print "' ;;"
	}
	print "\tesac\n\tCOMPREPLY=($(compgen -W \"$next\" -- \"$cur\"))\n}\ncomplete -o default -F _agentd agentd"
}

function print_zsh(    i, j, n, items, item) {
	print "#compdef agentd\n# Completion of agentd for zsh, made from `agentd --help`."
	print "_agentd()\n{\n\tlocal -a typed next\n\tlocal i\n\tfor ((i = 2; i < CURRENT; i++)); do\n\t\tcase ${words[i]} in"
	print "\t\t(" patterns("|") ") ((i++)) ;;\n\t\t(-*) ;;\n\t\t(*) typed+=(\"${words[i]}\") ;;\n\t\tesac\n\tdone"
	print "\tcase ${words[CURRENT - 1]} in\n\t(" patterns("|") ") _files; return ;;\n\tesac\n\tcase \"${(j: :)typed[1,2]}\" in"
	for (i = 1; i <= key_count; i++) {
		printf "\t('%s') next=(", keys[i]
		n = split(offers[keys[i]], items, "\n")
		for (j = 1; j <= n; j++) {
			split(items[j], item, "\t")
			gsub(/:/, "\\:", item[2])
			printf "%s%s", (j > 1 ? " " : ""), quoted(item[1] (item[2] == "" ? "" : ":" item[2]))
		}
		print ") ;;"
	}
	print "\tesac\n\tif (($#next)); then _describe agentd next; else _files; fi\n}"
	print "if [[ ${funcstack[1]} == _agentd ]]; then _agentd \"$@\"; else compdef _agentd agentd; fi"
}

function print_fish(    i, j, n, items, item, condition) {
	print "# Completion of agentd for fish, made from `agentd --help`."
	print "function __agentd_at\n\tset -l typed\n\tfor word in (commandline -opc)[2..-1]"
	print "\t\tstring match -q -- '-*' $word; or set -a typed $word\n\tend"
	print "\ttest \"$typed[1..2]\" = \"$argv[1]\"\nend"
	for (i = 1; i <= key_count; i++) {
		n = split(offers[keys[i]], items, "\n")
		for (j = 1; j <= n; j++) {
			split(items[j], item, "\t")
			printf "complete -c agentd -n '__agentd_at \"%s\"'", keys[i]
			if (item[1] ~ /^--/)
				printf " -l %s%s", substr(item[1], 3), item[1] in valued ? " -rF" : ""
			else
				printf " -f -a %s", item[1]
			print (item[2] == "" ? "" : " -d " quoted(item[2]))
		}
	}
}

END {
	if (shell == "bash")
		print_bash()
	else if (shell == "zsh")
		print_zsh()
	else
		print_fish()
}
