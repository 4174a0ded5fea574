/*
 * user.c - see user.h. A password comes from the terminal, from standard input, or is made and shown once; never from
 * the arguments. Names and passwords obey the rules of the API, and a new password ends the sessions as it does there.
 */
#include "user.h"
#include "crypto.h"
#include "database.h"
#include "password.h"
#include "perm.h"
#include "username.h"
#include "uuid.h"

#include <termios.h>
#include <unistd.h>

struct options {
	const char *username;
	const char *role;
	bool generate;
};

static bool
fail(char *error, const char *what)
{
	fprintf(stderr, "agentd: %s: %s", what, error ? error : "unknown\n");
	free(error);
	return false;
}

static bool
store(struct pg_conn *conn, const char *sql, const char *username, const char *password, const char *role)
{
	char hash[PASSWORD_HASH_SIZE], id[UUID_TEXT_SIZE];
	const char *values[] = {username, hash, id, role};
	struct pg_result *result;
	char *error;
	bool stored;

	if (!password_hash(slice_of(password), hash))
		return fail(NULL, "hashing the password failed");
	uuid_new(id);
	result = database_query(conn, sql, 4, values, &error);
	if (!result)
		return fail(error, "storing the user failed");
	stored = database_rows(result) == 1;
	database_clear(result);
	return stored;
}

/* Says on standard error all that is wrong with the password; before goes before each sentence. */
static bool
is_good(struct slice password, const char *username, const char *before)
{
	unsigned faults = password_faults(password, slice_of(username));

	for (int fault = 0; fault < PASSWORD_FAULT_COUNT; fault++)
		if (faults & 1u << fault)
			fprintf(stderr, "agentd: %s%s\n", before, password_fault_text((enum password_fault)fault));
	return !faults;
}

bool
user_first_admin(const char *url, const char *username, const char *password)
{
	static const char sql[] =
	    "WITH u AS (INSERT INTO users (tenant, id, username, password_hash, role)"
	    " SELECT 1, $3::uuid, $1, $2, $4 WHERE NOT EXISTS (SELECT FROM users) ON CONFLICT DO NOTHING RETURNING *)"
	    " INSERT INTO audit_log (tenant, actor, actor_id, action, subject_type, subject_id, after)"
	    " SELECT 1, 'agentd', 'agentd', 'user.create', 'user', id, json_build_object('username', username, 'role', "
	    "role) FROM u RETURNING 1";
	const char *fault = username_fault(slice_of(username));
	struct pg_conn *conn;

	if (!*password)
		return true;
	if (fault)
		fprintf(stderr, "agentd: AGENTD_ADMIN_USERNAME cannot be used: %s\n", fault);
	if (!is_good(slice_of(password), username, "AGENTD_ADMIN_PASSWORD cannot be used: ") || fault)
		return false;
	conn = database_open(url, 10);
	if (!conn)
		return false;
	if (store(conn, sql, username, password, "admin"))
		fprintf(stderr, "agentd: made the first admin `%s`\n", username);
	database_close(conn);
	return true;
}

static void
echo(bool on)
{
	struct termios mode;

	if (tcgetattr(STDIN_FILENO, &mode) == 0) {
		mode.c_lflag = on ? mode.c_lflag | ECHO : mode.c_lflag & ~(tcflag_t)ECHO;
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &mode);
	}
}

/* What the terminal or standard input has in its first line; free it. NULL: nothing. */
static char *
read_line(size_t *len_r)
{
	char *line = NULL;
	size_t size = 0;
	ssize_t len = getline(&line, &size, stdin);

	if (len > 0 && line[len - 1] == '\n')
		line[--len] = '\0';
	*len_r = len > 0 ? (size_t)len : 0;
	return line;
}

static void
generate(char out[PASSWORD_LENGTH_MAX + 1])
{
	struct buf text = {0};
	uint8_t random[18];

	crypto_random(random, sizeof(random));
	crypto_base64url_encode(&text, (struct slice){(const char *)random, sizeof(random)});
	snprintf(out, PASSWORD_LENGTH_MAX + 1, "%.*s", SLICE_ARG(buf_slice(&text)));
	crypto_wipe(random, sizeof(random));
	buf_free(&text);
}

static bool
read_password(const struct options *options, char out[PASSWORD_LENGTH_MAX + 1])
{
	bool asks = isatty(STDIN_FILENO), good;
	char *line;
	size_t len;

	if (options->generate) {
		generate(out);
		return true;
	}
	if (asks) {
		fprintf(stderr, "Password for %s (at least %d characters): ", options->username, PASSWORD_LENGTH_MIN);
		echo(false);
	}
	line = read_line(&len);
	if (asks) {
		echo(true);
		fputc('\n', stderr);
	}
	good = is_good((struct slice){line, line ? len : 0}, options->username, "");
	if (good)
		memcpy(out, line, len + 1);
	if (line)
		crypto_wipe(line, len);
	free(line);
	return good;
}

static int
add(struct pg_conn *conn, const struct options *options)
{
	static const char sql[] =
	    "WITH u AS (INSERT INTO users (tenant, id, username, password_hash, role)"
	    " VALUES (1, $3::uuid, $1, $2, $4) ON CONFLICT ON CONSTRAINT users_username_key DO NOTHING RETURNING *)"
	    " INSERT INTO audit_log (tenant, actor, actor_id, action, subject_type, subject_id, after)"
	    " SELECT 1, 'agentd user', 'shell', 'user.create', 'user', id, json_build_object('username', username, 'role', "
	    "role) FROM u RETURNING 1";
	char password[PASSWORD_LENGTH_MAX + 1];
	const char *fault = username_fault(slice_of(options->username));

	if (fault) {
		fprintf(stderr, "agentd: %s.\n", fault);
		return 2;
	}
	if (!perm_of_role(slice_of(options->role))) {
		fprintf(stderr, "agentd: there is no role `%s`; there are admin, operator, viewer, guest, agent.\n",
		        options->role);
		return 2;
	}
	if (!read_password(options, password))
		return 1;
	if (!store(conn, sql, options->username, password, options->role)) {
		fprintf(stderr, "agentd: the user `%s` is there already; `agentd user passwd %s` changes the password.\n",
		        options->username, options->username);
		return 1;
	}
	fprintf(stderr, "agentd: made the user `%s` with role %s\n", options->username, options->role);
	if (options->generate)
		printf("%s\n", password);
	crypto_wipe(password, sizeof(password));
	return 0;
}

static int
change(struct pg_conn *conn, const struct options *options)
{
	static const char sql[] =
	    "WITH u AS (UPDATE users SET password_hash = $2, password_changed_at = now(), updated_at = now(),"
	    " version = version + 1 WHERE tenant = 1 AND username = $1 AND $3::uuid IS NOT NULL"
	    " AND $4::text IS NOT NULL RETURNING *), a AS ("
	    " INSERT INTO audit_log (tenant, actor, actor_id, action, subject_type, subject_id, after)"
	    " SELECT 1, 'agentd user', 'shell', 'user.password', 'user', id, json_build_object('username', username) FROM "
	    "u)"
	    " SELECT agentd_announce(tenant, 'user', id::text, clock_timestamp(), clock_timestamp() + interval '8 days')"
	    " FROM u";
	char password[PASSWORD_LENGTH_MAX + 1];

	if (!read_password(options, password))
		return 1;
	if (!store(conn, sql, options->username, password, "")) {
		fprintf(stderr, "agentd: there is no user `%s`; `agentd user list` shows them.\n", options->username);
		return 1;
	}
	if (options->generate)
		printf("%s\n", password);
	crypto_wipe(password, sizeof(password));
	return 0;
}

static int
list(struct pg_conn *conn)
{
	static const char sql[] =
	    "SELECT u.username, u.role, CASE WHEN u.active THEN 'active' ELSE 'inactive' END, t.name,"
	    " coalesce(to_char(u.last_login AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), '-')"
	    " FROM users u JOIN tenants t ON t.id = u.tenant ORDER BY t.name, u.username";
	char *error;
	struct pg_result *result = database_query(conn, sql, 0, NULL, &error);

	if (!result)
		return fail(error, "reading the users failed"), 1;
	printf("%-20s %-10s %-9s %-12s %s\n", "USERNAME", "ROLE", "STATE", "TENANT", "LAST LOGIN");
	for (int i = 0; i < database_rows(result); i++)
		printf("%-20s %-10s %-9s %-12s %s\n", database_cell(result, i, 0), database_cell(result, i, 1),
		       database_cell(result, i, 2), database_cell(result, i, 3), database_cell(result, i, 4));
	database_clear(result);
	return 0;
}

static int
usage(void)
{
	fputs("usage: agentd user add NAME [--role admin|operator|viewer|guest|agent] [--generate]\n"
	      "       agentd user passwd NAME [--generate]\n"
	      "       agentd user list\n"
	      "The password is asked for, or read from standard input; --generate makes one and prints it once.\n",
	      stderr);
	return 2;
}

int
user_command(const char *url, int argc, char **argv)
{
	struct options options = {.username = argc > 1 ? argv[1] : NULL, .role = "viewer"};
	struct pg_conn *conn;
	int status;

	for (int i = 2; i < argc; i++) {
		if (strcmp(argv[i], "--generate") == 0)
			options.generate = true;
		else if (strcmp(argv[i], "--role") == 0 && i + 1 < argc)
			options.role = argv[++i];
		else
			return usage();
	}
	if (argc < 1 || (strcmp(argv[0], "list") != 0 && (!options.username || *options.username == '-')))
		return usage();
	conn = database_open(url, 0);
	if (!conn)
		return 1;
	if (strcmp(argv[0], "add") == 0)
		status = add(conn, &options);
	else if (strcmp(argv[0], "passwd") == 0)
		status = change(conn, &options);
	else if (strcmp(argv[0], "list") == 0)
		status = list(conn);
	else
		status = usage();
	database_close(conn);
	return status;
}
