# embed.awk - turns the SQL of the tree into C.
#
#   awk -v out=names -f embed.awk sql/query/*.sql                          > query_names.h
#   awk -v out=table -f embed.awk sql/query/*.sql sql/schema/*.sql         > query_table.c
#
# A query begins with "-- name: task_get :one" and ends before the next one; its statements end with a semicolon at the
# end of a line; "-- all tenants: WHY" or "-- no tenant: WHY" excuses one that names no @tenant; "-- parallel: N" lets a batch have N executions in flight, "-- gather: N" sends it every N ms at most; "-- answer: shared" says that all calls of a batch get the same rows, which have no ordinal. @word::type is a parameter; every parameter has a cast, which is its type. "-- macro: NAME" to "-- end"
# is text for {NAME} in later queries of the same file, those of macros.sql (the first file) in all. Comments are dropped. POSIX awk; any mistake ends the build.

function fail(text) {
	printf "%s:%d: %s\n", FILENAME, FNR, text > "/dev/stderr"
	failed = 1
	exit 1
}

function c_string(text) {
	gsub(/\\/, "\\\\\\\\", text)
	gsub(/"/, "\\\"", text)
	gsub(/\n/, "\\n\"\n\t\"", text)
	return "\"" text "\""
}

function type_of(cast) {
	if (cast ~ /^int8/) return "INT8"
	if (cast ~ /^int/) return "INT"
	if (cast ~ /^float8/) return "FLOAT8"
	if (cast ~ /^bool/) return "BOOL"
	if (cast ~ /^uuid/) return "UUID"
	if (cast ~ /^json/) return "JSON"
	if (cast ~ /^text/) return "TEXT"
	fail("parameter type " cast " is not known to embed.awk")
}

# Notes the query's parameter name; returns its index.
function param(name, cast, i) {
	for (i = 0; i < param_count; i++)
		if (param_name[i] == name) {
			if (param_type[i] != type_of(cast))
				fail("@" name " has two types in " query)
			return i
		}
	if ((kind == "BATCH") != (cast ~ /\[\]$/))
		fail("@" name " in " query ": a batch takes arrays, and only a batch does")
	param_name[param_count] = name
	param_type[param_count] = type_of(cast)
	return param_count++
}

# Replaces @name by $n within one statement and emits it.
function statement(sql, rest, name, cast, index_, i, n, done, list, seen) {
	rest = sql
	done = ""
	n = 0
	list = ""
	while (match(rest, /@[a-z_]+/)) {
		name = substr(rest, RSTART + 1, RLENGTH - 1)
		done = done substr(rest, 1, RSTART - 1)
		rest = substr(rest, RSTART + RLENGTH)
		if (!match(rest, /^::[a-z0-9]+(\[\])?/))
			fail("@" name " in " query " needs a cast")
		cast = substr(rest, 3, RLENGTH - 2)
		index_ = param(name, cast)
		if (!(index_ in seen)) {
			seen[index_] = ++n
			list = list (n > 1 ? ", " : "") index_
		}
		done = done "$" seen[index_]
	}
	statement_count++
	# No sprintf: mawk's has room for 8 KB only.
	statements = statements "\t{" c_string(done rest) ",\n\t (const unsigned char[]){" (n ? list : "0") "}, " n "},\n"
}

# The number of a file's statements as a family.
function family_of(file) {
	sub(/\.sql$/, "", file)
	if (!(file in family)) {
		family[file] = family_count++
		families = families "\t\"" file "\",\n"
	}
	return family[file]
}

function query_end(i, params) {
	if (query == "")
		return
	if (text ~ /[^ \n]/)
		fail("the last statement of " query " does not end with a semicolon at the end of a line")
	if (!statement_count)
		fail(query " has no statement")
	if (out == "names")
		printf "\tQUERY_%s,\n", toupper(query)
	else {
		params = ""
		for (i = 0; i < param_count; i++)
			params = params sprintf("{\"%s\", QUERY_TYPE_%s}, ", param_name[i], param_type[i])
		print "static const struct query_statement " query "_statements[] = {\n" statements "};"
		printf "static const struct query_param %s_params[] = {%s{NULL, QUERY_TYPE_TEXT}};\n\n", query, params
		table = table sprintf("\t[QUERY_%s] = {\"%s\", QUERY_KIND_%s, %s_params, %d, %s_statements, %d, %d, QUERY_SCOPE_%s, %d, %s, %d},\n", \
			toupper(query), query, kind, query, param_count, query, statement_count, parallel, scope, gather, shared, family_of(base_of_query))
	}
	query = ""
}

function tenant_check() {
	if (query != "" && !tenant_named && !tenant_excused)
		fail(query " names no @tenant and no '-- all tenants:' or '-- no tenant:' reason")
}

function file_end(name) {
	tenant_check()
	query_end()
	if (migration != "") {
		scripts[version, direction] = migration_text
		names[version] = migration
		if (version > last_version)
			last_version = version
		migration = ""
	}
	if (base == "macros.sql")
		for (name in macros)
			common[name] = macros[name]
	split("", macros)
}

BEGIN {
	if (out == "names")
		print "/* Made by sql/embed.awk; do not edit. */\nenum query_id {"
	else
		print "/* Made by sql/embed.awk; do not edit. */\n#include \"query.h\"\n"
}

FNR == 1 {
	file_end()
	base = FILENAME
	sub(/.*\//, "", base)
	if (base ~ /^[0-9]+_[a-z_]+\.(up|down)\.sql$/) {
		version = base + 0
		direction = (base ~ /\.up\.sql$/) ? "up" : "down"
		migration = base
		sub(/^[0-9]+_/, "", migration)
		sub(/\.(up|down)\.sql$/, "", migration)
		migration_text = ""
	}
}

migration != "" {
	migration_text = migration_text (migration_text == "" ? "" : "\n") $0
	next
}

/^-- macro: / { tenant_check(); query_end(); macro = $3; macros[macro] = ""; next }
/^-- end$/ { macro = ""; next }
macro != "" && /^ *--/ { next }
macro != "" { macros[macro] = macros[macro] (macros[macro] == "" ? "" : "\n") $0; next }

/^-- name: / {
	tenant_check()
	query_end()
	query = $3
	base_of_query = base
	kind = toupper(substr($4, 2))
	if (query !~ /^[a-z_]+$/ || kind !~ /^(ONE|MANY|EXEC|BATCH)$/)
		fail("a query begins with: -- name: some_name :one|:many|:exec|:batch")
	if (query in known)
		fail(query " is there twice")
	known[query] = 1
	param_count = statement_count = tenant_named = tenant_excused = 0
	scope = "TENANT"
	parallel = 1
	gather = 0
	shared = "false"
	statements = text = ""
	next
}

/^ *-- (all tenants|no tenant): / { tenant_excused = 1; scope = ($2 == "all") ? "ALL" : "NONE" }
/^-- parallel: [0-9]+/ { parallel = $3 + 0 }
/^-- answer: shared/ { shared = "true" }
/^-- gather: [0-9]+/ { gather = $3 + 0 }
/^ *--/ || /^ *$/ { next }

{
	if (query == "")
		fail("SQL before the first '-- name:'")
	line = $0
	while (match(line, /\{[A-Z_]+\}/)) {
		name = substr(line, RSTART + 1, RLENGTH - 2)
		if (!(name in macros) && !(name in common))
			fail("macro " name " is not defined above")
		line = substr(line, 1, RSTART - 1) ((name in macros) ? macros[name] : common[name]) substr(line, RSTART + RLENGTH)
	}
	if (line ~ /@tenant::/)
		tenant_named = 1
	text = text (text == "" ? "" : "\n") line
	if (line ~ /;$/) {
		sub(/;$/, "", text)
		statement(text)
		text = ""
	}
}

END {
	if (failed)
		exit 1
	file_end()
	if (out == "names") {
		print "\tQUERY_COUNT\n};"
		exit 0
	}
	print "const struct query query_table[QUERY_COUNT] = {\n" table "};\n"
	print "const char *const query_families[] = {\n" families "};\n"
	printf "const int query_family_count = %d;\n\n", family_count
	print "const struct query_migration query_migrations[] = {"
	for (v = 1; v <= last_version; v++) {
		if (!((v, "up") in scripts) || !((v, "down") in scripts)) {
			print "embed.awk: migration " v " needs an up and a down script" > "/dev/stderr"
			exit 1
		}
		print "\t{" v ", \"" names[v] "\",\n\t " c_string(scripts[v, "up"]) ",\n\t " c_string(scripts[v, "down"]) "},"
	}
	printf "};\nconst int query_migration_count = %d;\n", last_version
}
