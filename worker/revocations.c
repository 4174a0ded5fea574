/* revocations.c - see revocations.h. The tables keep the order in which the changes came. */
#include "revocations.h"

#include "uuid.h"

#include <uthash.h>

static const int64_t SPARE_US = INT64_C(3600000000);         /* for clocks that differ */
static const int64_t LIFE_US = INT64_C(8) * 86400 * 1000000; /* no token lives for longer */

/* A session or a user. */
struct subject {
	uint8_t id[UUID_SIZE];
	int64_t seq;
	int64_t at_us;
	int64_t until_us;
	UT_hash_handle hh;
};

struct tenant {
	int64_t id;
	UT_hash_handle hh;
};

struct revocations {
	struct subject *sessions;
	struct subject *users;
	struct tenant *tenants;
	int64_t floor; /* tokens of before this change are refused */
};

struct revocations *
revocations_new(void)
{
	return mem_zero(sizeof(struct revocations));
}

static void
drop(struct subject **table, struct subject *subject)
{
	HASH_DEL(*table, subject);
	free(subject);
}

static void
drop_all(struct subject **table)
{
	struct subject *subject, *next;

	HASH_ITER(hh, *table, subject, next)
	drop(table, subject);
}

void
revocations_clear(struct revocations *revocations)
{
	struct tenant *tenant, *next;

	drop_all(&revocations->sessions);
	drop_all(&revocations->users);
	HASH_ITER(hh, revocations->tenants, tenant, next)
	{
		HASH_DEL(revocations->tenants, tenant);
		free(tenant);
	}
	revocations->floor = 0;
}

void
revocations_free(struct revocations *revocations)
{
	revocations_clear(revocations);
	free(revocations);
}

static const struct subject *
find(const struct subject *table, struct slice id)
{
	const struct subject *subject = NULL;
	uint8_t bytes[UUID_SIZE];

	if (table && uuid_parse(id, bytes))
		HASH_FIND(hh, table, bytes, sizeof(bytes), subject);
	return subject;
}

static void
take_subject(struct revocations *revocations, struct subject **table, const struct change *change)
{
	struct subject *subject;
	uint8_t id[UUID_SIZE];

	if (!uuid_parse(change->subject, id))
		return;
	HASH_FIND(hh, *table, id, sizeof(id), subject);
	/* The newest has to stand last. */
	if (subject)
		drop(table, subject);
	if (HASH_COUNT(*table) >= REVOCATIONS_MAX) {
		revocations->floor = MAX(revocations->floor, (*table)->seq);
		drop(table, *table);
	}
	subject = mem_zero(sizeof(*subject));
	memcpy(subject->id, id, sizeof(id));
	subject->seq = change->seq;
	subject->at_us = change->at_us;
	subject->until_us =
	    MIN(change->until_us, change->at_us < INT64_MAX - LIFE_US ? change->at_us + LIFE_US : INT64_MAX);
	HASH_ADD(hh, *table, id, sizeof(subject->id), subject);
}

static void
take_tenant(struct revocations *revocations, const struct change *change)
{
	char text[24];
	struct tenant *tenant;
	int64_t id;

	snprintf(text, sizeof(text), "%.*s", (int)MIN(change->subject.len, sizeof(text) - 1), change->subject.data);
	id = strtoll(text, NULL, 10);
	HASH_FIND(hh, revocations->tenants, &id, sizeof(id), tenant);
	if (change->refused && !tenant) {
		tenant = mem_zero(sizeof(*tenant));
		tenant->id = id;
		HASH_ADD(hh, revocations->tenants, id, sizeof(tenant->id), tenant);
	} else if (!change->refused && tenant) {
		HASH_DEL(revocations->tenants, tenant);
		free(tenant);
	}
}

void
revocations_take(struct revocations *revocations, const struct change *change)
{
	if (change->kind == CHANGE_SESSION)
		take_subject(revocations, &revocations->sessions, change);
	else if (change->kind == CHANGE_USER)
		take_subject(revocations, &revocations->users, change);
	else if (change->kind == CHANGE_TENANT)
		take_tenant(revocations, change);
	else if (change->kind == CHANGE_ALL)
		revocations->floor = MAX(revocations->floor, change->seq);
}

static void
forget(struct subject **table, int64_t now_us)
{
	struct subject *subject, *next;

	HASH_ITER(hh, *table, subject, next)
	if (subject->until_us < now_us - SPARE_US)
		drop(table, subject);
}

void
revocations_forget(struct revocations *revocations, int64_t now_us)
{
	forget(&revocations->sessions, now_us);
	forget(&revocations->users, now_us);
}

int
revocations_count(const struct revocations *revocations)
{
	return (int)(HASH_COUNT(revocations->sessions) + HASH_COUNT(revocations->users) + HASH_COUNT(revocations->tenants));
}

bool
revocations_refuse_tenant(const struct revocations *revocations, int64_t tenant)
{
	struct tenant *found;

	HASH_FIND(hh, revocations->tenants, &tenant, sizeof(tenant), found);
	return found != NULL;
}

/* iat has whole seconds and is of the same clock as the change; within one second rev decides. */
static bool
is_older(const struct jwt_claims *claims, const struct subject *change)
{
	return claims->changes < change->seq || claims->issued_at < change->at_us / 1000000;
}

const char *
revocations_refuse_token(const struct revocations *revocations, const struct jwt_claims *claims)
{
	const struct subject *user;

	if (revocations_refuse_tenant(revocations, claims->tenant_id))
		return "the tenant is not active";
	if (claims->session.data && find(revocations->sessions, claims->session))
		return "the session has ended; log in again";
	user = find(revocations->users, claims->user_id);
	if (user && is_older(claims, user))
		return "the user was changed since the token was issued; log in again";
	if (claims->changes < revocations->floor)
		return "the token is too old; refresh it, or log in again";
	return NULL;
}
