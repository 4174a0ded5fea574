/*
 * scenario_run.h - one scenario while it runs, and the functions that its statements are made of.
 *
 * Everything of a scenario is its own: database, folder, ports, clock, identities, variables. Every function that
 * returns bool says in scenario->failure what was expected and what was seen when it returns false.
 */
#ifndef AGENTD_SCENARIO_RUN_H
#define AGENTD_SCENARIO_RUN_H

#include "arena.h"
#include "base.h"
#include "scenario_http.h"
#include "scenario_parse.h"
#include "scenario_process.h"
#include "scenario_text.h"

#include <jansson.h>
#include <libpq-fe.h>

enum { SCENARIO_NODES_MAX = 8, SCENARIO_BOUND_US = 10000000, SCENARIO_START_US = 15000000 };

/* A server: the pid of its master, 0 while it does not run. The folder and the port outlive a restart. */
struct node {
	const char *name;
	pid_t pid;
	int port;
	const char *folder;
	const char *log;
};

/* An agent in the background: agentctl work. */
struct agent {
	const char *name;
	pid_t pid; /* 0: it was stopped */
	const char *log;
	struct agent *next;
};

struct identity {
	const char *name;
	const char *token;
	struct identity *next;
};

/* value NULL: the variable is not in the environment, whatever the driver would set. */
struct setting {
	const char *name;
	const char *value;
	struct setting *next;
};

/* A request in flight. */
struct background {
	const char *name;
	struct exchange exchange;
	struct background *next;
};

struct scenario {
	struct arena arena;
	struct failure failure;
	struct variables variables;
	const char *folder;
	const char *admin_password;
	const char *secret; /* one for all nodes, so that a token of one is good at the others */
	int64_t deadline;   /* of the statement that runs */

	const char *database; /* its name */
	const char *database_url;
	PGconn *sql;
	const char *clock_path;
	int64_t *clock; /* the shared offset file */

	struct setting *settings;
	struct node nodes[SCENARIO_NODES_MAX];
	int node_count;
	const char *deaths; /* servers that had ended by themselves when the scenario failed; NULL: none */
	struct node *node;  /* where requests go; NULL before the first start */

	struct identity *identities;
	const char *token; /* of the current identity; NULL: nobody */
	struct background *backgrounds;
	struct agent *agents;
	int runs;

	struct answer answer;        /* the last one */
	int answer_line;             /* of the statement that got it; 0: none yet */
	json_t *answer_json;         /* its body, or NULL when that is no JSON */
	const char *answer_why;      /* why it is no JSON */
	const char *output, *errors; /* of the last run */
	const char *result;          /* of the last sql */
};

/* Expands a word to a NUL-terminated text. */
MUST_CHECK bool scenario_text(struct scenario *scenario, const struct text *text, struct slice *value_r);
/* Runs one statement, its condition and its indented lines, with scenario->deadline as it stands. */
MUST_CHECK bool scenario_step(struct scenario *scenario, const struct statement *statement);
/* The whole file at path, terminated by a NUL, in the arena; NULL: errno says why. */
char *scenario_read_file(struct arena *arena, const char *path, size_t *size_r);
/* The table of all statements; the last row has no name. */
extern const struct statement_kind scenario_kinds[];

/* scenario_server.c */
MUST_CHECK bool server_set(struct scenario *scenario, const struct statement *statement);
MUST_CHECK bool server_unset(struct scenario *scenario, const struct statement *statement);
MUST_CHECK bool server_start(struct scenario *scenario, const struct statement *statement);
MUST_CHECK bool server_stop(struct scenario *scenario, const struct statement *statement);
MUST_CHECK bool server_on(struct scenario *scenario, const struct statement *statement);
MUST_CHECK bool server_start_fails(struct scenario *scenario, const struct statement *statement);
/* The node of that name, or the current one for NULL, if it runs. */
MUST_CHECK bool server_running(struct scenario *scenario, const char *name, struct node **node_r);
/* The master of the current node was killed: it is reaped here, and its children must notice within 10 s. */
MUST_CHECK bool server_master_died(struct scenario *scenario);
/* Stops every node that runs and reads every log for what no server may write. */
MUST_CHECK bool server_finish(struct scenario *scenario);
/* Looks whether a server ended by itself, for the report. */
void server_note_deaths(struct scenario *scenario);
/* The environment of the current node's server. */
void server_environment(struct scenario *scenario, const struct node *node, struct environment *environment_r);

/* scenario_control.c */
MUST_CHECK bool control_kill(struct scenario *scenario, const struct statement *statement);
MUST_CHECK bool control_stop_process(struct scenario *scenario, const struct statement *statement);
MUST_CHECK bool control_continue_process(struct scenario *scenario, const struct statement *statement);
MUST_CHECK bool control_alive(struct scenario *scenario, const struct statement *statement);
MUST_CHECK bool control_gone(struct scenario *scenario, const struct statement *statement);
MUST_CHECK bool control_log_has(struct scenario *scenario, const struct statement *statement);
MUST_CHECK bool control_log_hasnt(struct scenario *scenario, const struct statement *statement);

/* scenario_request.c */
MUST_CHECK bool request_login(struct scenario *scenario, const struct statement *statement);
MUST_CHECK bool request_as(struct scenario *scenario, const struct statement *statement);
MUST_CHECK bool request_send(struct scenario *scenario, const struct statement *statement);
MUST_CHECK bool request_raw(struct scenario *scenario, const struct statement *statement);
MUST_CHECK bool request_background(struct scenario *scenario, const struct statement *statement);
MUST_CHECK bool request_send_more(struct scenario *scenario, const struct statement *statement);
MUST_CHECK bool request_join(struct scenario *scenario, const struct statement *statement);
MUST_CHECK bool request_drop(struct scenario *scenario, const struct statement *statement);
MUST_CHECK bool request_refuses(struct scenario *scenario, const struct statement *statement);
/* True when GET path on the port answers status. */
bool request_answers(struct scenario *scenario, int port, const char *path, int status, int64_t deadline);
void request_finish(struct scenario *scenario);

/* scenario_check.c */
MUST_CHECK bool check_condition(struct scenario *scenario, const struct condition *condition);
MUST_CHECK bool check_expect(struct scenario *scenario, const struct statement *statement);
MUST_CHECK bool check_let(struct scenario *scenario, const struct statement *statement);

/* scenario_command.c */
MUST_CHECK bool command_run(struct scenario *scenario, const struct statement *statement);
MUST_CHECK bool command_start_agent(struct scenario *scenario, const struct statement *statement);
MUST_CHECK bool command_kill_agent(struct scenario *scenario, const struct statement *statement);
/* Ends the agents that still run: each must go within 10 s of SIGTERM. */
MUST_CHECK bool command_finish(struct scenario *scenario);

/* scenario_database.c */
MUST_CHECK bool database_open(struct scenario *scenario, int number);
void database_close(struct scenario *scenario);
MUST_CHECK bool database_sql(struct scenario *scenario, const struct statement *statement);
MUST_CHECK bool database_advance(struct scenario *scenario, const struct statement *statement);
MUST_CHECK bool database_jump_forward(struct scenario *scenario, const struct statement *statement);
MUST_CHECK bool database_jump_back(struct scenario *scenario, const struct statement *statement);

/* Runs the file; NULL: it passed. Else the lines of the diagnosis, in the arena of the caller. */
const char *scenario_run(const char *path, int number, struct arena *arena);

#endif
