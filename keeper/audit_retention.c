/*
 * audit_retention.c - drops the oldest part of the audit log when it is past retention, and leaves a signed anchor for
 * it.
 *
 * Only sealed rows go, and only from the beginning of the chain. Two keepers may do it side by side: the anchor is
 * inserted by one of them.
 */
#include "audit_chain.h"
#include "config.h"
#include "duty.h"
#include "log.h"

enum { HEX_SIZE = 2 * CRYPTO_SHA256_SIZE + 1, BUSY_PAUSE_MS = 100, IDLE_PAUSE_MS = 60000 };

static char n[24], hash[HEX_SIZE], at[AUDIT_AT_SIZE], signature[HEX_SIZE];

static void
dropped(void *arg, const struct db_result *result)
{
	struct duty *duty = arg;

	if (result->status == DB_OK && result->count)
		log_info("audit", "rows past retention were dropped", LOG_SLICE("rows", db_get(result, 0, "dropped")),
		         LOG_TEXT("up_to", n), LOG_TEXT("hash", hash));
	duty_note(duty, result);
	duty->pause_ms = result->status == DB_OK ? BUSY_PAUSE_MS : IDLE_PAUSE_MS;
	duty_done(duty);
}

static void
copy(char *out, size_t size, struct slice text)
{
	snprintf(out, size, "%.*s", (int)MIN(text.len, size - 1), text.data ? text.data : "");
}

static void
found(void *arg, const struct db_result *result)
{
	static struct slice values[QUERY_PARAMS_MAX];
	struct audit_record anchor = {.kind = AUDIT_ANCHOR};
	uint8_t signed_as[CRYPTO_SHA256_SIZE];
	struct duty *duty = arg;
	struct audit_keys *keys = duty->keeper->heritage->audit_keys;

	duty_note(duty, result);
	duty->pause_ms = IDLE_PAUSE_MS;
	if (result->status != DB_OK || result->count == 0 || !audit_hash_read(db_get(result, 0, "hash"), anchor.hash)) {
		duty_done(duty);
		return;
	}
	copy(n, sizeof(n), db_get(result, 0, "n"));
	copy(hash, sizeof(hash), db_get(result, 0, "hash"));
	copy(at, sizeof(at), db_get(result, 0, "signed_at"));
	anchor.n = strtoll(n, NULL, 10);
	anchor.at = slice_of(at);
	audit_sign(keys, &anchor, signed_as);
	crypto_hex(signed_as, sizeof(signed_as), signature);
	values[db_param(QUERY_AUDIT_DROP, "n")] = slice_of(n);
	values[db_param(QUERY_AUDIT_DROP, "hash")] = slice_of(hash);
	values[db_param(QUERY_AUDIT_DROP, "at")] = slice_of(at);
	values[db_param(QUERY_AUDIT_DROP, "key")] = slice_of(audit_keys_name(keys));
	values[db_param(QUERY_AUDIT_DROP, "signature")] = slice_of(signature);
	db_send(duty->keeper->db, QUERY_AUDIT_DROP, values, dropped, duty);
}

void
audit_retention_run(struct keeper *keeper, struct duty *duty)
{
	static char days[24];
	static struct slice values[QUERY_PARAMS_MAX];

	if (keeper->heritage->config->audit_retention_days == 0) {
		duty->pause_ms = IDLE_PAUSE_MS;
		duty_done(duty);
		return;
	}
	snprintf(days, sizeof(days), "%lld", (long long)keeper->heritage->config->audit_retention_days);
	values[db_param(QUERY_AUDIT_OLD, "retention_days")] = slice_of(days);
	values[db_param(QUERY_AUDIT_OLD, "max")] = SLICE("1000");
	db_send(keeper->db, QUERY_AUDIT_OLD, values, found, duty);
}
