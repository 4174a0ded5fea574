/* ask.h - one database call from a step of an endpoint. */
#ifndef AGENTD_ASK_H
#define AGENTD_ASK_H

#include "db.h"
#include "request.h"

/* What becomes of the rows; the rows are valid until it returns. STEP_WAIT: it started something else. */
typedef enum step ask_rows(struct request *request, const struct db_result *result);

/*
 * Sends the query; values as for db_send(), in the request's arena. Always STEP_WAIT. A database failure ends the
 * request; otherwise on_rows is called and the request goes on with what it returns.
 */
enum step ask_send(struct request *request, enum query_id query, const struct slice *values, ask_rows *on_rows);

/* Room for the query's parameters, all absent. */
struct slice *ask_values(struct request *request, enum query_id query);
/* Sets a parameter by name, which must exist. */
void ask_set(struct slice *values, enum query_id query, const char *name, struct slice value);
/* The tenant as SQL text. */
struct slice ask_tenant(struct request *request);
/* Who asks, for the audit log: user:ID or key:ID. Absent: nobody is known. */
struct slice ask_principal(struct request *request);

#endif
