/*
 * webhooks.c - sends what alerts have to say to their channels. A duty of the leader.
 *
 * A run takes what is due, so that nobody else tries it for a while, and is over when all of it is answered. What a
 * leader that dies has taken the next one tries again when that while is over, under the same webhook-id: receivers may
 * see a message twice, and none is lost before it is given up.
 */
#include "webhooks.h"
#include "arena.h"
#include "aside.h"
#include "cidr.h"
#include "config.h"
#include "crypto.h"
#include "crypto_seal.h"
#include "duty.h"
#include "log.h"
#include "metrics.h"
#include "outbound.h"
#include "webhook.h"

#include <sys/queue.h>

enum { TAKEN_MAX = 32, HOLD_MORE_S = 30, ANSWER_MAX = 200, GONE = 410, PAUSE_MS = 2000 };

/* One message on its way to one channel. */
struct sending {
	TAILQ_ENTRY(sending) entry;
	struct webhooks *webhooks;
	struct arena arena;
	struct slice tenant, id, channel_id, name, attempts;
	struct slice sealed_again; /* the secret, if the key in use now has not sealed it yet */
	int tries;
};
TAILQ_HEAD(sendings, sending);

struct webhooks {
	struct keeper *keeper;
	struct duty *duty; /* of the run */
	struct outbound *outbound;
	struct cidr_list allowed;
	struct sendings sendings;
};

static void
end(struct sending *sending)
{
	struct webhooks *webhooks = sending->webhooks;

	TAILQ_REMOVE(&webhooks->sendings, sending, entry);
	arena_reset(&sending->arena);
	free(sending);
	if (TAILQ_EMPTY(&webhooks->sendings))
		duty_done(webhooks->duty);
}

static void
noted(void *arg, const struct slice *values, const struct db_result *result)
{
	struct sending *sending = arg;

	(void)values;
	duty_note(sending->webhooks->duty, result);
	end(sending);
}

static void
set(struct slice *values, const char *name, struct slice value)
{
	int param = db_param(QUERY_ALERT_DELIVERY_DONE, name);

	INVARIANT(param >= 0);
	values[param] = value;
}

/* What came of the try. pause_s < 0: there is no other; error NULL: it was delivered. */
static void
note(struct sending *sending, int answer_status, const char *error, int64_t pause_s)
{
	struct slice values[QUERY_PARAMS_MAX] = {0};
	const char *status = !error ? "delivered" : pause_s >= 0 ? "pending" : "failed";

	set(values, "tenant", sending->tenant);
	set(values, "id", sending->id);
	set(values, "attempts", sending->attempts);
	set(values, "status", slice_of(status));
	set(values, "gone", answer_status == GONE ? SLICE("true") : SLICE("false"));
	set(values, "sealed_again", sending->sealed_again);
	if (answer_status)
		set(values, "answer_status", slice_of(arena_printf(&sending->arena, "%d", answer_status)));
	if (error)
		set(values, "error", slice_of(error));
	if (pause_s >= 0)
		set(values, "pause_s", slice_of(arena_printf(&sending->arena, "%lld", (long long)pause_s)));
	if (error)
		log_warning("alert", pause_s >= 0 ? "a webhook was not delivered; it is tried again" : "a webhook is given up",
		            LOG_SLICE("channel", sending->name), LOG_SLICE("delivery", sending->id), LOG_TEXT("reason", error),
		            LOG_INT("tries", sending->tries), LOG_INT("again_in_s", MAX(pause_s, 0)));
	metrics_add(error ? METRIC_WEBHOOKS_FAILED : METRIC_WEBHOOKS_DELIVERED, 0, 1);
	metrics_add(METRIC_WEBHOOKS_LOST, 0, error && pause_s < 0);
	aside_send(sending->webhooks->keeper->db, QUERY_ALERT_DELIVERY_DONE, values, noted, sending);
}

static void
answered(void *arg, const struct outbound_result *result)
{
	struct sending *sending = arg;
	const char *error = result->error;
	uint32_t random;

	crypto_random(&random, sizeof(random));
	if (result->outcome == OUTBOUND_ANSWERED && result->status / 100 == 2) {
		note(sending, result->status, NULL, -1);
		return;
	}
	if (result->outcome == OUTBOUND_ANSWERED)
		error = arena_printf(&sending->arena, "it answered %d%s", result->status,
		                     result->status / 100 == 3 ? ", and redirects are not followed" : "");
	note(sending, result->status, arena_string(&sending->arena, slice_of(error)),
	     result->status == GONE || result->outcome == OUTBOUND_MALFORMED
	         ? -1
	         : webhook_pause_s(sending->tries, result->retry_after_s, random));
}

/* The key of the channel's secret; sealed again if it was sealed with the key before the one in use. */
static bool
open_secret(struct sending *sending, struct slice sealed_text, struct webhook_key *key_r)
{
	const struct heritage *heritage = sending->webhooks->keeper->heritage;
	struct slice sealed = {arena_alloc(&sending->arena, sealed_text.len + 1), 0};
	struct buf secret = {0}, again = {0}, text = {0};
	bool opened = crypto_base64url_decode(sealed_text, (uint8_t *)(uintptr_t)sealed.data, &sealed.len);
	bool current = opened && crypto_unseal(heritage->channel_keys[0], sending->channel_id, sealed, &secret);

	opened = opened && (current || crypto_unseal(heritage->channel_keys[1], sending->channel_id, sealed, &secret));
	if (opened && !current) {
		crypto_seal(heritage->channel_keys[0], sending->channel_id, buf_slice(&secret), &again);
		crypto_base64url_encode(&text, buf_slice(&again));
		sending->sealed_again = slice_of(arena_string(&sending->arena, buf_slice(&text)));
	}
	opened = opened && webhook_secret_read(buf_slice(&secret), key_r);
	if (secret.len)
		crypto_wipe(secret.data, secret.len);
	buf_free(&secret);
	buf_free(&again);
	buf_free(&text);
	return opened;
}

static void
post(struct sending *sending, const struct db_result *result, int row, const struct webhook_key *key)
{
	const struct config *config = sending->webhooks->keeper->heritage->config;
	struct slice body = db_get(result, row, "body");
	int64_t now_s = strtoll(db_get(result, row, "now_s").data, NULL, 10);
	struct buf signature = {0};
	struct arena *arena = &sending->arena;
	struct outbound_request request = {.url = arena_string(arena, db_get(result, row, "url")),
	                                   .body = body,
	                                   .timeout_ms = (int)config->webhook_timeout_s * 1000,
	                                   .answer_max = ANSWER_MAX};

	webhook_sign(key, sending->id, now_s, body, &signature);
	request.headers[0] = "Content-Type: application/json";
	request.headers[1] = arena_printf(arena, "webhook-id: %.*s", SLICE_ARG(sending->id));
	request.headers[2] = arena_printf(arena, "webhook-timestamp: %lld", (long long)now_s);
	request.headers[3] = arena_printf(arena, "webhook-signature: %.*s", SLICE_ARG(buf_slice(&signature)));
	buf_free(&signature);
	(void)outbound_send(sending->webhooks->outbound, &request, answered, sending);
}

static struct slice
keep(struct sending *sending, const struct db_result *result, int row, const char *name)
{
	return slice_of(arena_string(&sending->arena, db_get(result, row, name)));
}

static void
send_row(struct webhooks *webhooks, const struct db_result *result, int row)
{
	struct sending *sending = mem_zero(sizeof(*sending));
	struct webhook_key key;

	sending->webhooks = webhooks;
	sending->tenant = keep(sending, result, row, "tenant");
	sending->id = keep(sending, result, row, "id");
	sending->channel_id = keep(sending, result, row, "channel_id");
	sending->name = keep(sending, result, row, "name");
	sending->attempts = keep(sending, result, row, "attempts");
	sending->tries = (int)strtol(sending->attempts.data, NULL, 10);
	TAILQ_INSERT_TAIL(&webhooks->sendings, sending, entry);
	if (open_secret(sending, db_get(result, row, "secret"), &key))
		post(sending, result, row, &key);
	else
		note(sending, 0,
		     "its secret was sealed with an AGENTD_SECRET that is not known any more: make the channel anew", -1);
	crypto_wipe(&key, sizeof(key));
}

static void
taken(void *arg, const struct db_result *result)
{
	struct webhooks *webhooks = arg;

	duty_note(webhooks->duty, result);
	for (int row = 0; result->status == DB_OK && row < result->count; row++)
		send_row(webhooks, result, row);
	webhooks->duty->pause_ms = result->count == TAKEN_MAX ? 1 : PAUSE_MS;
	if (TAILQ_EMPTY(&webhooks->sendings))
		duty_done(webhooks->duty);
}

void
webhooks_run(struct keeper *keeper, struct duty *duty)
{
	static char hold_s[24];
	static struct slice values[QUERY_PARAMS_MAX];

	keeper->webhooks->duty = duty;
	snprintf(hold_s, sizeof(hold_s), "%lld", (long long)keeper->heritage->config->webhook_timeout_s + HOLD_MORE_S);
	values[db_param(QUERY_ALERT_DELIVERIES_CLAIM, "max")] = SLICE("32");
	values[db_param(QUERY_ALERT_DELIVERIES_CLAIM, "hold_s")] = slice_of(hold_s);
	db_send(keeper->db, QUERY_ALERT_DELIVERIES_CLAIM, values, taken, keeper->webhooks);
}

struct webhooks *
webhooks_new(struct keeper *keeper)
{
	struct webhooks *webhooks = mem_zero(sizeof(*webhooks));
	struct slice bad;

	webhooks->keeper = keeper;
	TAILQ_INIT(&webhooks->sendings);
	/* Checked when the settings were loaded. */
	INVARIANT(cidr_list_parse(slice_of(keeper->heritage->config->webhook_allowed_ranges), &webhooks->allowed, &bad));
	webhooks->outbound = outbound_new(keeper->base, &webhooks->allowed);
	return webhooks;
}

void
webhooks_free(struct webhooks *webhooks)
{
	struct sending *sending;

	outbound_free(webhooks->outbound);
	while ((sending = TAILQ_FIRST(&webhooks->sendings))) {
		TAILQ_REMOVE(&webhooks->sendings, sending, entry);
		arena_reset(&sending->arena);
		free(sending);
	}
	cidr_list_free(&webhooks->allowed);
	free(webhooks);
}
