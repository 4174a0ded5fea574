# lua.awk - turns limit.lua into the C text of a string: awk -v name=NAME -f lua.awk FILE. Comment lines are left out.
BEGIN { printf "/* Made by shared/lua.awk. */\nextern const char %s[];\nconst char %s[] =\n", name, name }
/^[ \t]*--/ { next }
{
	gsub(/\\/, "\\\\")
	gsub(/"/, "\\\"")
	gsub(/^\t+/, "")
	printf "\t\"%s\\n\"\n", $0
}
END { print "\t;" }
