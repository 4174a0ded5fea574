/*
 * revocations.h - whose tokens and keys are refused now, as the followed changes say: sessions, users, tenants.
 *
 * Memory is bounded: when there are REVOCATIONS_MAX sessions or users, the oldest of them is forgotten and every token
 * from before it is refused instead (its holder gets a new one with the refresh token). What has expired by itself is
 * forgotten. A token says by its claim rev which changes its issuer had seen, so no clock decides whether it is older
 * than a change of its user. Pure but for memory; nothing blocks.
 */
#ifndef AGENTD_REVOCATIONS_H
#define AGENTD_REVOCATIONS_H

#include "base.h"
#include "changes.h"
#include "jwt.h"

enum { REVOCATIONS_MAX = 50000 };

struct revocations;

struct revocations *revocations_new(void);
void revocations_free(struct revocations *revocations);
/* All is void: nothing is refused until the load that follows. */
void revocations_clear(struct revocations *revocations);
/* Changes of other kinds are ignored. */
void revocations_take(struct revocations *revocations, const struct change *change);
/* Forgets what is over at the wall clock now_us. */
void revocations_forget(struct revocations *revocations, int64_t now_us);
int revocations_count(const struct revocations *revocations);

bool revocations_refuse_tenant(const struct revocations *revocations, int64_t tenant);
/* Why a valid token is refused all the same, as a text for its holder; NULL: it is not. */
const char *revocations_refuse_token(const struct revocations *revocations, const struct jwt_claims *claims);

#endif
