/*
 * audit.c - see audit.h. The rows come from the database, in one snapshot, or from a file that `agentctl audit export`
 * wrote.
 *
 * A checkpoint that was kept elsewhere (--checkpoint, lines of JSON as agentd logs them) is held against the chain as
 * those in the database are: who can write the database can take those away, but not this one.
 */
#include "audit.h"
#include "audit_chain.h"
#include "config.h"
#include "database.h"
#include "json_read.h"
#include "query.h"
#include "state.h"

#include <errno.h>

enum { PART = 2000, OUTSIDE_MAX = 10000 };

struct options {
	const char *file;
	const char *checkpoint;
};

/* A checkpoint from elsewhere: what is left of its line. */
struct outside {
	int64_t n;
	uint8_t hash[CRYPTO_SHA256_SIZE];
	char at[AUDIT_AT_SIZE];
};

struct verify {
	struct audit_reader reader;
	struct outside *outside; /* by n */
	size_t outside_count, outside_next;
};

struct line {
	struct json json;
	struct arena arena;
};

static struct slice
get_member(void *arg, const char *name)
{
	struct line *line = arg;
	int at = json_get(&line->json, 0, name);

	if (at == JSON_NONE || json_type(&line->json, at) == JSON_NULL)
		return SLICE_NONE;
	if (json_type(&line->json, at) == JSON_STRING)
		return json_string(&line->json, at, &line->arena);
	return json_raw(&line->json, at);
}

/* Calls take for every line of the file. False: said why. */
static bool
read_lines(const char *path, bool (*take)(struct verify *verify, struct line *line, size_t number),
           struct verify *verify)
{
	FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "r");
	struct line line = {0};
	char *text = NULL;
	size_t size = 0, number = 0;
	ssize_t length;
	bool good = true;

	if (!file) {
		fprintf(stderr, "agentd: cannot read %s: %s\n", path, strerror(errno));
		return false;
	}
	while (good && (length = getline(&text, &size, file)) > 0) {
		struct json_error error;

		number++;
		if (length == 1 && *text == '\n')
			continue;
		if (!json_parse(&line.arena, (struct slice){text, (size_t)length}, &line.json, &error) ||
		    json_type(&line.json, 0) != JSON_OBJECT) {
			fprintf(stderr, "agentd: line %zu of %s is not a JSON object: was it cut off, or is it not an export?\n",
			        number, path);
			good = false;
		} else {
			good = take(verify, &line, number);
		}
		arena_reset(&line.arena);
	}
	free(text);
	if (file != stdin)
		fclose(file);
	return good;
}

/* Holds what is known from elsewhere against the row that was read last. */
static bool
check_outside(struct verify *verify)
{
	struct audit_reader *reader = &verify->reader;

	for (; verify->outside_next < verify->outside_count; verify->outside_next++) {
		const struct outside *known = &verify->outside[verify->outside_next];

		if (known->n > reader->n)
			return true;
		if (known->n == reader->n && !crypto_equal(known->hash, reader->hash, sizeof(reader->hash)))
			return audit_reader_find(reader, known->n,
			                         "the rows up to %lld are not those that the checkpoint of %s was made of: the "
			                         "chain was written anew",
			                         (long long)known->n, known->at);
	}
	return true;
}

static bool
take(struct verify *verify, audit_get *get, void *arg)
{
	struct audit_reader *reader = &verify->reader;
	struct audit_record record;
	const char *reason;

	if (!audit_record_read(get, arg, &record, &reason))
		return audit_reader_find(reader, reader->n + 1, "the record after row %lld cannot be read: %s",
		                         (long long)reader->n, reason);
	return audit_reader_take(reader, &record) && check_outside(verify);
}

static bool
take_line(struct verify *verify, struct line *line, size_t number)
{
	(void)number;
	return take(verify, get_member, line);
}

/* The end: what is known of from elsewhere has to be there. */
static bool
finish(struct verify *verify)
{
	struct audit_reader *reader = &verify->reader;

	if (!audit_reader_end(reader))
		return false;
	if (verify->outside_next < verify->outside_count) {
		const struct outside *known = &verify->outside[verify->outside_count - 1];

		return audit_reader_find(
		    reader, reader->n + 1,
		    "the log ends at row %lld, but had %lld rows on %s, as the checkpoint says: its end was "
		    "cut off",
		    (long long)reader->n, (long long)known->n, known->at);
	}
	return true;
}

static int
order(const void *left, const void *right)
{
	const struct outside *a = left, *b = right;

	return (a->n > b->n) - (a->n < b->n);
}

static bool
take_outside(struct verify *verify, struct line *line, size_t number)
{
	struct audit_record record = {.kind = AUDIT_CHECKPOINT};
	struct outside *known;
	const char *wrong = NULL;
	int n = json_get(&line->json, 0, "n");

	record.at = get_member(line, "at");
	record.key = get_member(line, "key");
	if (n == JSON_NONE || !json_int(&line->json, n, &record.n) || !record.at.data ||
	    !audit_hash_read(get_member(line, "hash"), record.hash) ||
	    !audit_hash_read(get_member(line, "signature"), record.signature))
		wrong = "has no n, hash, at, key and signature: give it the line that agentd logged as \"checkpoint\"";
	else if (audit_signature_check(verify->reader.keys, &record) == AUDIT_FORGED)
		wrong = "is not what agentd signed: it was edited, or belongs to another AGENTD_SECRET";
	else if (audit_signature_check(verify->reader.keys, &record) == AUDIT_KEY_UNKNOWN)
		wrong = "is signed with a key that is not of AGENTD_SECRET or AGENTD_PREVIOUS_SECRET";
	else if (verify->outside_count == OUTSIDE_MAX)
		wrong = "is one too many: at most 10,000 are read";
	if (wrong) {
		fprintf(stderr, "agentd: the checkpoint in line %zu %s\n", number, wrong);
		return false;
	}
	verify->outside = mem_grow(verify->outside, (verify->outside_count + 1) * sizeof(*verify->outside));
	known = &verify->outside[verify->outside_count++];
	known->n = record.n;
	memcpy(known->hash, record.hash, sizeof(known->hash));
	snprintf(known->at, sizeof(known->at), "%.*s", (int)MIN(record.at.len, sizeof(known->at) - 1), record.at.data);
	return true;
}

struct cursor {
	const struct pg_result *result;
	int row;
};

static struct slice
get_cell(void *arg, const char *name)
{
	const struct cursor *cursor = arg;
	int column = database_column(cursor->result, name);

	return column < 0 ? SLICE_NONE : slice_of(database_cell(cursor->result, cursor->row, column));
}

/* One part of the chain behind row n; NULL: said why. */
static struct pg_result *
ask(struct pg_conn *conn, int64_t after)
{
	const struct query *query = &query_table[QUERY_AUDIT_CHAIN];
	const struct query_statement *statement = &query->statements[0];
	const char *values[QUERY_PARAMS_MAX];
	char number[24], limit[24], *error;
	struct pg_result *result;

	snprintf(number, sizeof(number), "%lld", (long long)after);
	snprintf(limit, sizeof(limit), "%d", PART);
	for (int i = 0; i < statement->param_count; i++) {
		const char *name = query->params[statement->params[i]].name;

		if (strcmp(name, "cursor") == 0)
			values[i] = number;
		else if (strcmp(name, "limit") == 0)
			values[i] = limit;
		else
			values[i] = strcmp(name, "whole") == 0 ? "true" : "0";
	}
	result = database_query(conn, statement->sql, statement->param_count, values, &error);
	if (!result)
		fprintf(stderr, "agentd: reading the audit log failed: %s", error);
	free(error);
	return result;
}

/* False: the database failed; said why. What is wrong with the log is in the reader. */
static bool
read_database(struct verify *verify, struct pg_conn *conn)
{
	while (!verify->reader.found && !verify->reader.ended) {
		struct pg_result *result = ask(conn, verify->reader.n);
		struct cursor cursor = {.result = result};

		if (!result)
			return false;
		for (; cursor.row < database_rows(result); cursor.row++)
			if (!take(verify, get_cell, &cursor))
				break;
		/* Without a head and without a row, there is nothing more to come. */
		if (database_rows(result) == 0)
			cursor.row = -1;
		database_clear(result);
		if (cursor.row < 0)
			break;
	}
	return true;
}

static bool
read_from_database(struct verify *verify, char *url)
{
	struct pg_conn *conn = url ? database_open(url, 0) : NULL;
	char *error = conn ? database_script(conn, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY") : NULL;
	bool done = conn && !error && read_database(verify, conn);

	if (error)
		fprintf(stderr, "agentd: reading the audit log failed: %s", error);
	free(error);
	if (conn)
		database_close(conn);
	return done;
}

/* The keys of the node's own secrets. NULL: none is known here. */
static struct audit_keys *
find_keys(const struct config *config)
{
	char made[128] = "", path[4096];
	const char *secrets[] = {config->secret, config->previous_secret};

	if (!*config->secret && snprintf(path, sizeof(path), "%s", config->state_dir) < (int)sizeof(path) &&
	    state_read(path, "secret", made, sizeof(made)))
		secrets[0] = made;
	return *secrets[0] || *secrets[1] ? audit_keys_new(secrets, ARRAY_LENGTH(secrets)) : NULL;
}

static int
report(struct verify *verify)
{
	const struct audit_reader *reader = &verify->reader;

	if (!finish(verify)) {
		printf("The audit log was touched: %s.\n", reader->finding);
		if (reader->rows)
			printf("Rows %lld to %lld are as they were sealed.\n", (long long)reader->first_n, (long long)reader->n);
		puts("Compare with a backup or an export from before, and with the logs of PostgreSQL.");
		return 1;
	}
	if (reader->rows == 0)
		puts("The audit log has no sealed rows.");
	else
		printf("The audit log is as it was sealed: rows %lld to %lld.\n", (long long)reader->first_n,
		       (long long)reader->n);
	if (reader->keys)
		printf("%lld signatures are good.\n", (long long)reader->checkpoints);
	else
		puts("No signature was looked at: set AGENTD_SECRET (or AGENTD_SECRET_FILE) as on the server.");
	if (reader->keys && reader->unknown_keys)
		printf("%lld checkpoints are signed with a secret that is no longer known.\n", (long long)reader->unknown_keys);
	if (verify->outside_count)
		printf("%zu checkpoints from elsewhere fit.\n", verify->outside_count);
	return 0;
}

static bool
read_options(struct options *options, int argc, char **argv)
{
	if (argc < 1 || strcmp(argv[0], "verify") != 0)
		return false;
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--file") == 0 && i + 1 < argc)
			options->file = argv[++i];
		else if (strcmp(argv[i], "--checkpoint") == 0 && i + 1 < argc)
			options->checkpoint = argv[++i];
		else
			return false;
	}
	return true;
}

int
audit_command(const struct config *config, char *(*url)(const struct config *config), int argc, char **argv)
{
	struct options options = {0};
	struct verify verify = {0};
	struct audit_keys *keys;
	int status = 1;
	char *address = NULL;

	if (!read_options(&options, argc, argv)) {
		fputs("usage: agentd audit verify [--checkpoint FILE] [--file EXPORT]\n"
		      "Holds the audit log, or what `agentctl audit export` wrote, against its hash chain and its signatures.\n"
		      "--checkpoint: lines that agentd logged as \"checkpoint\", kept where nobody could change them.\n",
		      stderr);
		return 2;
	}
	verify.reader.keys = keys = find_keys(config);
	if (options.checkpoint && !keys)
		fputs("agentd: --checkpoint needs AGENTD_SECRET (or AGENTD_SECRET_FILE) as on the server.\n", stderr);
	else if (options.checkpoint && !read_lines(options.checkpoint, take_outside, &verify))
		status = 1;
	else {
		if (verify.outside_count)
			qsort(verify.outside, verify.outside_count, sizeof(*verify.outside), order);
		/* A line that cannot be taken is a finding, or was complained about. */
		if (options.file ? read_lines(options.file, take_line, &verify) || verify.reader.found
		                 : read_from_database(&verify, address = url(config)))
			status = report(&verify);
	}
	free(address);
	free(verify.outside);
	audit_keys_free(keys);
	return status;
}
