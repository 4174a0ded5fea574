# settings.awk - makes agentd.env(5), the manual page of the settings, from contrib/agentd.env, which a test holds against
# shared/config.def. awk -v version=V -v date=D -f settings.awk contrib/agentd.env

function roff(text) {
	gsub(/\\/, "\\e", text)
	gsub(/-/, "\\-", text)
	gsub(/'/, "\\(aq", text)
	return text
}

# Filled text, in lines that an editor shows whole.
function fill(text,    words, count, i, line) {
	count = split(roff(text), words, " ")
	line = ""
	for (i = 1; i <= count; i++) {
		if (line != "" && length(line) + length(words[i]) > 70) {
			print line
			line = ""
		}
		line = line (line == "" ? "" : " ") words[i]
	}
	print line
}

function sentence(text) {
	return toupper(substr(text, 1, 1)) substr(text, 2) "."
}

function text_of(comment) {
	sub(/^# */, "", comment)
	return comment
}

BEGIN {
	print ".TH AGENTD.ENV 5 " date " \"agentd " version "\" \"File Formats\""
	print ".SH NAME\nagentd.env \\- settings of agentd"
	print ".SH DESCRIPTION"
	fill("agentd reads its settings from the environment, once, when it starts. Under systemd they stand in " \
		"/etc/agentd/agentd.env, one NAME=value a line; # begins a comment, and a value with spaces stands in double quotes. " \
		"agentd reports everything that is wrong with them at once, and then starts nothing: it exits with status 78.")
	print ".PP"
	fill("Settings marked as changeable while running can also be set for all nodes by PATCH /api/v1/config; what is set there " \
		"wins. The others take effect with the next start, and after `systemctl reload agentd`.")
	print ".PP"
	fill("Secrets do not belong into this file. Each has a second name that ends in _FILE and names a file that holds the secret; " \
		"under systemd that is a credential of the service (LoadCredential= in systemd.exec(5)).")
	print ".PP"
	fill("`agentd config` shows every setting, its value in effect and where it comes from; `agentd config --check` " \
		"only says what is wrong.")
	print ".SH SETTINGS"
}

# "# --- The HTTP server ---"
/^# --- / {
	gsub(/^# --- | ---$/, "")
	print ".SS " roff($0)
	count = 0
	next
}

/^#AGENTD_[A-Z0-9_]*=/ {
	name = $0
	sub(/^#/, "", name)
	sub(/=.*/, "", name)
	print ".TP\n.B " roff(name)
	for (i = 1; i <= count; i++)
		fill(sentence(lines[i]))
	count = 0
	next
}

# The first lines of the file are about the file.
/^# / && $0 !~ /^# (Settings of agentd|Written by|Values show)/ { lines[++count] = text_of($0); next }
{ count = 0 }

END {
	print ".SH FILES\n.TP\n.B /etc/agentd/agentd.env\nwhat the service of systemd reads"
	print ".TP\n.B /etc/agentd/credentials\nsecrets, for root alone; systemd hands them to the service"
	print ".SH EXAMPLES"
	fill("One node with PostgreSQL on the same machine, without Redis, behind a proxy there:")
	print ".PP\n.nf"
	print "AGENTD_ENV=production\nAGENTD_HOST=127.0.0.1\nAGENTD_DB_HOST=/run/postgresql"
	print "AGENTD_CACHE_BACKEND=memory\nAGENTD_TRUSTED_PROXIES=127.0.0.1\n.fi"
	print ".SH SEE ALSO\n.BR agentd (8),\n.BR agentctl (1),\n.BR systemd.exec (5)"
}
