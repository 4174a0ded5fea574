/* login_guard.c - see login_guard.h. */
#include "login_guard.h"
#include "clock.h"
#include "crypto.h"
#include "log.h"
#include "throttle.h"

#define SECOND INT64_C(1000000)
#define MINUTE (60 * SECOND)

/* How long a pair is known for after a login. */
#define KNOWN_US (30 * 24 * 60 * MINUTE)

/* Several people may share an address, and several addresses may guess at one user: these fail more often freely. */
static const struct throttle_rule pair_rule = {5, SECOND, MINUTE, 15 * MINUTE};
static const struct throttle_rule user_rule = {20, SECOND, MINUTE, 15 * MINUTE};
static const struct throttle_rule address_rule = {50, SECOND, MINUTE, 15 * MINUTE};

static uint64_t
subject(struct request *request, const char *kind, struct slice tenant_name, struct slice username,
        struct slice address)
{
	struct buf text = {0};
	uint64_t hash;

	/* Lengths keep one name from reading like another name and an address. */
	buf_printf(&text, "%s %zu %zu ", kind, tenant_name.len, username.len);
	buf_add_slice(&text, tenant_name);
	buf_add_slice(&text, username);
	buf_add_slice(&text, address);
	hash = crypto_siphash(request->worker->heritage->hash_key, buf_slice(&text));
	buf_free(&text);
	return hash;
}

struct login_guard
login_guard_of(struct request *request, struct slice tenant_name, struct slice username)
{
	struct slice none = SLICE(""), address = request->network;

	return (struct login_guard){.worker = request->worker,
	                            .pair = subject(request, "login pair", tenant_name, username, address),
	                            .user = subject(request, "login user", tenant_name, username, none),
	                            .address = subject(request, "login address", none, none, address)};
}

static enum step
refuse(struct request *request, int64_t wait_us)
{
	request->retry_after_s = (wait_us + SECOND - 1) / SECOND;
	log_warning("security", "login delayed", LOG_SLICE("address", request->address),
	            LOG_INT("wait_s", request->retry_after_s), LOG_SLICE("request_id", request->id));
	return request_fail(
	    request, ERROR_LOGIN_THROTTLED,
	    "too many attempts with a wrong password, for this user or from this address; try again in %lld s "
	    "(the right password is not looked at before)",
	    (long long)request->retry_after_s);
}

enum step
login_guard_begin(const struct login_guard *guard, struct request *request)
{
	struct throttle_table *table = guard->worker->heritage->throttle;
	int64_t now_us = clock_mono_us();
	bool known = throttle_is_known(table, guard->pair, now_us);
	int64_t wait_us = throttle_wait_us(table, guard->pair, &pair_rule, now_us);

	if (!known) {
		wait_us = MAX(wait_us, throttle_wait_us(table, guard->user, &user_rule, now_us));
		wait_us = MAX(wait_us, throttle_wait_us(table, guard->address, &address_rule, now_us));
	}
	if (wait_us)
		return refuse(request, wait_us);
	wait_us = throttle_try(table, guard->pair, &pair_rule, now_us);
	if (!wait_us && !known)
		wait_us = throttle_try(table, guard->user, &user_rule, now_us);
	if (!wait_us && !known)
		wait_us = throttle_try(table, guard->address, &address_rule, now_us);
	return wait_us ? refuse(request, wait_us) : STEP_NEXT;
}

void
login_guard_failed(const struct login_guard *guard)
{
	struct throttle_table *table = guard->worker->heritage->throttle;
	int64_t now_us = clock_mono_us();

	throttle_fail(table, guard->pair, &pair_rule, now_us);
	throttle_fail(table, guard->user, &user_rule, now_us);
	throttle_fail(table, guard->address, &address_rule, now_us);
}

/* Only the pair: one right password, of a user of one's own perhaps, does not wash an address clean. */
void
login_guard_succeeded(const struct login_guard *guard)
{
	throttle_succeed(guard->worker->heritage->throttle, guard->pair, clock_mono_us(), KNOWN_US);
}
