/*
 * seal.c - gives the rows of the audit log their place in the hash chain (shared/audit_chain.h), and keeps checkpoints.
 *
 * Who writes rows waits for nothing: rows of transactions that have ended are taken in the order (xid, id) and sealed a
 * moment later. A run looks, computes, and writes with one statement, which changes nothing unless the head is still
 * the one that was looked at: any number of keepers may do it side by side, one of them succeeds, and one that dies in
 * between leaves nothing half done. The keeper holds the key; PostgreSQL never sees it.
 *
 * Checkpoints are logged as well, for whoever collects logs keeps them where an intruder in the database does not
 * reach.
 */
#include "audit_chain.h"
#include "config.h"
#include "duty.h"
#include "json_write.h"
#include "log.h"

enum { SEALED_MAX = 500, FULL_PAUSE_MS = 10, HEX_SIZE = 2 * CRYPTO_SHA256_SIZE + 1 };

/* The one run that is on its way. */
static struct {
	struct buf rows;
	char numbers[2][24];
	char hash[HEX_SIZE], head_hash[HEX_SIZE], signature[HEX_SIZE];
	char at[AUDIT_AT_SIZE];
	struct slice values[QUERY_PARAMS_MAX];
	bool full;
} run;

struct cursor {
	const struct db_result *result;
	int row;
};

static struct slice
get(void *arg, const char *name)
{
	const struct cursor *cursor = arg;

	return db_get(cursor->result, cursor->row, name);
}

static void
write_row(struct json_writer *writer, const struct audit_record *record)
{
	char digest[HEX_SIZE], hash[HEX_SIZE];

	crypto_hex(record->digest, CRYPTO_SHA256_SIZE, digest);
	crypto_hex(record->hash, CRYPTO_SHA256_SIZE, hash);
	json_write_object_open(writer);
	json_write_key(writer, "tenant");
	json_write_raw(writer, record->fields[0]);
	json_write_key(writer, "id");
	json_write_raw(writer, record->fields[1]);
	json_write_member_int(writer, "n", record->n);
	json_write_member_text(writer, "digest", digest);
	json_write_member_text(writer, "hash", hash);
	json_write_object_close(writer);
}

/* Links every row to the one before; head_r is what the chain ends with then. False: the head is not a hash. */
static bool
link_rows(const struct db_result *result, struct audit_record *head_r)
{
	struct audit_record row = {.kind = AUDIT_ROW};
	struct json_writer writer;

	*head_r = (struct audit_record){.kind = AUDIT_HEAD, .at = slice_of(run.at), .n = strtoll(run.numbers[0], NULL, 10)};
	if (!audit_hash_read(slice_of(run.head_hash), head_r->hash))
		return false;
	run.rows.len = 0;
	json_write_begin(&writer, &run.rows);
	json_write_array_open(&writer);
	for (int i = 0; i < result->count; i++) {
		struct cursor cursor = {result, i};

		row.n = ++head_r->n;
		for (int field = 0; field < AUDIT_FIELDS; field++)
			row.fields[field] = get(&cursor, audit_fields[field]);
		audit_digest(&row, row.digest);
		audit_link(head_r->hash, row.digest, row.hash);
		memcpy(head_r->hash, row.hash, sizeof(row.hash));
		write_row(&writer, &row);
	}
	json_write_array_close(&writer);
	return true;
}

static void
set(const char *name, struct slice value)
{
	run.values[db_param(QUERY_AUDIT_SEAL, name)] = value;
}

static void
set_values(const struct audit_keys *keys, const struct audit_record *head)
{
	uint8_t signature[CRYPTO_SHA256_SIZE];

	audit_sign(keys, head, signature);
	crypto_hex(signature, sizeof(signature), run.signature);
	crypto_hex(head->hash, CRYPTO_SHA256_SIZE, run.hash);
	snprintf(run.numbers[1], sizeof(run.numbers[1]), "%lld", (long long)head->n);
	set("head_n", slice_of(run.numbers[0]));
	set("head_hash", slice_of(run.head_hash));
	set("n", slice_of(run.numbers[1]));
	set("hash", slice_of(run.hash));
	set("at", slice_of(run.at));
	set("key", slice_of(audit_keys_name(keys)));
	set("signature", slice_of(run.signature));
	set("rows", buf_slice(&run.rows));
}

static void
sealed(void *arg, const struct db_result *result)
{
	struct duty *duty = arg;

	duty_note(duty, result);
	duty->pause_ms = result->status == DB_OK && run.full ? FULL_PAUSE_MS : 0;
	duty_done(duty);
}

static void
keep_text(char *out, size_t size, struct slice text)
{
	snprintf(out, size, "%.*s", (int)MIN(text.len, size - 1), text.data ? text.data : "");
}

static void
found(void *arg, const struct db_result *result)
{
	struct duty *duty = arg;
	struct audit_record head;

	duty_note(duty, result);
	if (result->status != DB_OK || result->count == 0) {
		duty->pause_ms = 0;
		duty_done(duty);
		return;
	}
	run.full = result->count >= SEALED_MAX;
	keep_text(run.numbers[0], sizeof(run.numbers[0]), db_get(result, 0, "head_n"));
	keep_text(run.head_hash, sizeof(run.head_hash), db_get(result, 0, "head_hash"));
	keep_text(run.at, sizeof(run.at), db_get(result, 0, "signed_at"));
	if (!link_rows(result, &head)) {
		duty_fail(duty, "the head of the chain is not a hash: nothing is sealed; `agentd audit verify` says more");
		duty->pause_ms = 0;
		duty_done(duty);
		return;
	}
	set_values(duty->keeper->heritage->audit_keys, &head);
	db_send(duty->keeper->db, QUERY_AUDIT_SEAL, run.values, sealed, duty);
}

void
seal_run(struct keeper *keeper, struct duty *duty)
{
	static struct slice values[QUERY_PARAMS_MAX];

	values[db_param(QUERY_AUDIT_UNSEALED, "max")] = SLICE("500");
	db_send(keeper->db, QUERY_AUDIT_UNSEALED, values, found, duty);
}

static void
kept(void *arg, const struct db_result *result)
{
	duty_note(arg, result);
	if (result->status == DB_OK && result->count)
		log_info("audit", "checkpoint", LOG_INT("n", strtoll(db_get(result, 0, "n").data, NULL, 10)),
		         LOG_SLICE("hash", db_get(result, 0, "hash")), LOG_SLICE("at", db_get(result, 0, "at")),
		         LOG_SLICE("key", db_get(result, 0, "key")), LOG_SLICE("signature", db_get(result, 0, "signature")));
	duty_done(arg);
}

void
checkpoint_run(struct keeper *keeper, struct duty *duty)
{
	static char seconds[24];
	static struct slice values[QUERY_PARAMS_MAX];

	snprintf(seconds, sizeof(seconds), "%lld", (long long)keeper->heritage->config->audit_checkpoint_s);
	values[db_param(QUERY_AUDIT_KEEP, "checkpoint_s")] = slice_of(seconds);
	db_send(keeper->db, QUERY_AUDIT_KEEP, values, kept, duty);
}
