/*
 * database.h - PostgreSQL for commands and the start of the master: one connection that blocks. Not for serving.
 *
 * Together with shared/db*.c the only code that calls libpq.
 */
#ifndef AGENTD_DATABASE_H
#define AGENTD_DATABASE_H

#include "base.h"

#include <sys/types.h>

struct pg_conn;
struct pg_result;

/*
 * Connects, trying again for up to wait_s seconds while the server is starting or cannot be reached. NULL: the reason
 * was printed to standard error. Close with database_close().
 */
MUST_CHECK struct pg_conn *database_open(const char *url, int wait_s);
/* The same for a server that is our own child: gives up at once when it has ended. The child is not reaped. */
MUST_CHECK struct pg_conn *database_open_child(const char *url, int wait_s, pid_t server);
void database_close(struct pg_conn *conn);

/* One statement with text parameters (NULL is NULL). NULL: it failed, and *error_r is the reason, to be freed. */
MUST_CHECK struct pg_result *database_query(struct pg_conn *conn, const char *sql, int count, const char *const *values,
                                            char **error_r);
/* A script of any number of statements. NULL: done; else the reason, to be freed. */
MUST_CHECK char *database_script(struct pg_conn *conn, const char *sql);

/*
 * COPY ... TO STDOUT: each row goes to take, which may stop it by returning false. NULL: all rows were taken, and
 * *rows_r is how many; else the reason, to be freed (empty when take has stopped it: the connection is then of no use).
 */
typedef bool database_take(void *arg, struct slice row);
MUST_CHECK char *database_copy_out(struct pg_conn *conn, const char *sql, database_take *take, void *arg,
                                   int64_t *rows_r);
/* COPY ... FROM STDIN: begin, any number of pieces of any size, end. NULL: done; else the reason, to be freed. */
MUST_CHECK char *database_copy_begin(struct pg_conn *conn, const char *sql);
MUST_CHECK char *database_copy_put(struct pg_conn *conn, struct slice piece);
MUST_CHECK char *database_copy_end(struct pg_conn *conn, int64_t *rows_r);

/* The same server and user, but another database: a keyword string, to be wiped and freed. NULL: url is none. */
MUST_CHECK char *database_url_of(const char *url, const char *database);

/*
 * Tells the paths of the files that libpq may open when it connects to url, there or not; certificates are renewed
 * while agentd runs, so another file may take their place. Does not connect.
 */
typedef void database_file(void *arg, const char *path, bool is_renewed);
void database_files(const char *url, database_file *tell, void *arg);

int database_rows(const struct pg_result *result);
const char *database_cell(const struct pg_result *result, int row, int column);
/* The column of that name, or -1. */
int database_column(const struct pg_result *result, const char *name);
void database_clear(struct pg_result *result);

/* Logs a warning, with what to do, if row level security does not hold the user of this URL back. */
void database_warn_of_bypass(const char *url);

#endif
