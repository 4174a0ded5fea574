/* database.c - see database.h. */
#include "database.h"
#include "buf.h"
#include "clock.h"
#include "log.h"

#include <libpq-fe.h>
#include <poll.h>
#include <sys/wait.h>

static PGconn *
connect_once(const char *url)
{
	const char *keywords[] = {"dbname", "application_name", "client_encoding", "connect_timeout", NULL};
	const char *values[] = {url, "agentd master", "UTF8", "5", NULL};

	return PQconnectdbParams(keywords, values, 1);
}

static void
drop_notice(void *arg, const char *message)
{
	(void)arg;
	(void)message;
}

/* True if server is a child that has ended; 0 is no child. */
static bool
has_ended(pid_t server)
{
	siginfo_t info = {0};

	return server > 0 && waitid(P_PID, (id_t)server, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == server;
}

struct pg_conn *
database_open(const char *url, int wait_s)
{
	return database_open_child(url, wait_s, 0);
}

struct pg_conn *
database_open_child(const char *url, int wait_s, pid_t server)
{
	int64_t deadline_us = clock_steady_us() + (int64_t)wait_s * 1000000;
	PGconn *conn = connect_once(url);

	while (PQstatus(conn) != CONNECTION_OK && clock_steady_us() < deadline_us && !has_ended(server)) {
		poll(NULL, 0, 100);
		PQfinish(conn);
		conn = connect_once(url);
	}
	if (PQstatus(conn) != CONNECTION_OK) {
		fprintf(stderr,
		        "agentd: cannot connect to PostgreSQL: %s"
		        "agentd: check AGENTD_DATABASE_URL (or AGENTD_DB_HOST and the rest) and that the server is running.\n",
		        PQerrorMessage(conn));
		PQfinish(conn);
		return NULL;
	}
	PQsetNoticeProcessor(conn, drop_notice, NULL);
	return (struct pg_conn *)conn;
}

void
database_close(struct pg_conn *conn)
{
	PQfinish((PGconn *)conn);
}

struct pg_result *
database_query(struct pg_conn *conn, const char *sql, int count, const char *const *values, char **error_r)
{
	PGresult *result = PQexecParams((PGconn *)conn, sql, count, NULL, values, NULL, NULL, 0);

	if (PQresultStatus(result) == PGRES_TUPLES_OK || PQresultStatus(result) == PGRES_COMMAND_OK) {
		*error_r = NULL;
		return (struct pg_result *)result;
	}
	*error_r = mem_string(PQerrorMessage((PGconn *)conn));
	PQclear(result);
	return NULL;
}

char *
database_script(struct pg_conn *conn, const char *sql)
{
	PGresult *result = PQexec((PGconn *)conn, sql);
	ExecStatusType status = PQresultStatus(result);
	char *error = NULL;

	if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK && status != PGRES_EMPTY_QUERY)
		error = mem_string(PQerrorMessage((PGconn *)conn));
	PQclear(result);
	return error;
}

static char *
reason_of(struct pg_conn *conn)
{
	return mem_string(PQerrorMessage((PGconn *)conn));
}

/* The end of a COPY: how many rows it was of, or the reason why it failed. */
static char *
take_copy_end(struct pg_conn *conn, int64_t *rows_r)
{
	PGresult *result = PQgetResult((PGconn *)conn);
	char *error = PQresultStatus(result) == PGRES_COMMAND_OK ? NULL : reason_of(conn);

	*rows_r = error ? 0 : strtoll(PQcmdTuples(result), NULL, 10);
	PQclear(result);
	while ((result = PQgetResult((PGconn *)conn)))
		PQclear(result);
	return error;
}

char *
database_copy_out(struct pg_conn *conn, const char *sql, database_take *take, void *arg, int64_t *rows_r)
{
	PGresult *result = PQexec((PGconn *)conn, sql);
	bool begun = PQresultStatus(result) == PGRES_COPY_OUT, taken = true;
	char *row;
	int length;

	PQclear(result);
	if (!begun)
		return reason_of(conn);
	while (taken && (length = PQgetCopyData((PGconn *)conn, &row, 0)) > 0) {
		taken = take(arg, (struct slice){row, (size_t)length});
		PQfreemem(row);
	}
	if (!taken)
		return mem_string("");
	return length == -1 ? take_copy_end(conn, rows_r) : reason_of(conn);
}

char *
database_copy_begin(struct pg_conn *conn, const char *sql)
{
	PGresult *result = PQexec((PGconn *)conn, sql);
	bool begun = PQresultStatus(result) == PGRES_COPY_IN;

	PQclear(result);
	return begun ? NULL : reason_of(conn);
}

char *
database_copy_put(struct pg_conn *conn, struct slice piece)
{
	return PQputCopyData((PGconn *)conn, piece.data, (int)piece.len) == 1 ? NULL : reason_of(conn);
}

char *
database_copy_end(struct pg_conn *conn, int64_t *rows_r)
{
	return PQputCopyEnd((PGconn *)conn, NULL) == 1 ? take_copy_end(conn, rows_r) : reason_of(conn);
}

char *
database_url_of(const char *url, const char *database)
{
	PQconninfoOption *options = PQconninfoParse(url, NULL);
	struct buf out = {0};

	for (PQconninfoOption *option = options; option && option->keyword; option++) {
		bool names_it = strcmp(option->keyword, "dbname") == 0;

		if (!names_it && (!option->val || !*option->val))
			continue;
		buf_printf(&out, "%s='", option->keyword);
		for (const char *at = names_it ? database : option->val; *at; at++) {
			if (*at == '\'' || *at == '\\')
				buf_add_byte(&out, '\\');
			buf_add_byte(&out, *at);
		}
		buf_add_text(&out, "' ");
	}
	buf_add_byte(&out, '\0');
	if (options)
		PQconninfoFree(options);
	else
		buf_free(&out);
	return options ? out.data : NULL;
}

int
database_rows(const struct pg_result *result)
{
	return PQntuples((const PGresult *)result);
}

const char *
database_cell(const struct pg_result *result, int row, int column)
{
	const PGresult *rows = (const PGresult *)result;

	return PQgetisnull(rows, row, column) ? NULL : PQgetvalue(rows, row, column);
}

int
database_column(const struct pg_result *result, const char *name)
{
	return PQfnumber((const PGresult *)result, name);
}

void
database_clear(struct pg_result *result)
{
	PQclear((PGresult *)result);
}

static void
tell_files(PQconninfoOption *options, database_file *tell, void *arg)
{
	static const char *const names[] = {"passfile", "sslcert", "sslkey", "sslrootcert", "sslcrl", "sslcrldir"};

	for (PQconninfoOption *option = options; option && option->keyword; option++)
		for (size_t i = 0; i < ARRAY_LENGTH(names); i++)
			if (strcmp(option->keyword, names[i]) == 0 && option->val && *option->val)
				tell(arg, option->val, i > 0);
	PQconninfoFree(options);
}

void
database_files(const char *url, database_file *tell, void *arg)
{
	static const char *const names[] = {".pgpass", ".pg_service.conf", ".postgresql"};
	const char *home = getenv("HOME");
	char *path;

	tell_files(PQconninfoParse(url, NULL), tell, arg);
	/* Those of the environment. */
	tell_files(PQconndefaults(), tell, arg);
	for (size_t i = 0; home && i < ARRAY_LENGTH(names); i++) {
		if (asprintf(&path, "%s/%s", home, names[i]) < 0)
			abort();
		tell(arg, path, false);
		free(path);
	}
}

void
database_warn_of_bypass(const char *url)
{
	static const char sql[] = "SELECT rolname, CASE WHEN rolsuper THEN 'connect as a user who is no superuser and owns "
	                          "the database and its tables'"
	                          " ELSE format('ALTER ROLE %I NOBYPASSRLS', rolname) END FROM pg_roles"
	                          " WHERE rolname = current_user AND (rolsuper OR rolbypassrls)";
	struct pg_conn *conn = database_open(url, 5);
	char *error = NULL;
	struct pg_result *result = conn ? database_query(conn, sql, 0, NULL, &error) : NULL;

	if (result && database_rows(result))
		log_warning("security",
		            "row level security does not hold the database user back: one wall less between tenants",
		            LOG_TEXT("user", database_cell(result, 0, 0)), LOG_TEXT("fix", database_cell(result, 0, 1)));
	database_clear(result);
	database_close(conn);
	free(error);
}
