/*
 * query.h - the SQL of the program as a table, made from sql/query/ and sql/schema/ by sql/embed.awk at build time.
 *
 * Each query has a name, a kind, named parameters with types, and one or more statements that run in one transaction;
 * the last statement gives the result. Constant data; nothing here talks to a database.
 */
#ifndef AGENTD_QUERY_H
#define AGENTD_QUERY_H

#include "base.h"

enum query_kind {
	QUERY_KIND_ONE,  /* exactly one row; none means not found */
	QUERY_KIND_MANY, /* any number of rows */
	QUERY_KIND_EXEC, /* no rows */
	QUERY_KIND_BATCH /* many requests in one execution: parameters are arrays, rows begin with the request's ordinal */
};

/* The types that parameters have in SQL, by their cast. */
enum query_type {
	QUERY_TYPE_TEXT,
	QUERY_TYPE_INT,
	QUERY_TYPE_INT8,
	QUERY_TYPE_FLOAT8,
	QUERY_TYPE_BOOL,
	QUERY_TYPE_UUID,
	QUERY_TYPE_JSON
};

/* Whose rows it is about, and row level security lets it see: see shared/db_tenants.c. */
enum query_scope {
	QUERY_SCOPE_TENANT, /* of those that @tenant names */
	QUERY_SCOPE_ALL,    /* marked `all tenants` */
	QUERY_SCOPE_NONE    /* marked `no tenant` */
};

struct query_param {
	const char *name;
	enum query_type type; /* of one element, for a batch */
};

struct query_statement {
	const char *sql;
	const unsigned char *params; /* $1 is the query's parameter params[0], and so on */
	int param_count;
};

struct query {
	const char *name;
	enum query_kind kind;
	const struct query_param *params;
	int param_count;
	const struct query_statement *statements;
	int statement_count;
	int parallel;  /* executions of a batch that may be in flight at once, each on its own connection */
	enum query_scope scope;
	int gather_ms; /* between two executions at least: what comes meanwhile goes with the next; 0: no pause */
	bool shared;   /* all calls of a batch get the same rows, which have no ordinal */
	int family;    /* the file that it is in: index of query_families */
};

enum { QUERY_PARAMS_MAX = 32 };

/* A migration: version is its number, up and down are whole scripts. */
struct query_migration {
	int version;
	const char *name;
	const char *up;
	const char *down;
};

#include "query_names.h" /* enum query_id: QUERY_TASK_GET, ..., QUERY_COUNT */

extern const struct query query_table[QUERY_COUNT];
extern const char *const query_families[]; /* "task_lease" */
extern const int query_family_count;
extern const struct query_migration query_migrations[]; /* in order, from version 1 */
extern const int query_migration_count;

#endif
