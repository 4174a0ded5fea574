/* recall.c - see recall.h. */
#include "base.h"

#include "recall.h"

#include "follow.h"
#include "jwt.h"
#include "keycache.h"
#include "request.h"
#include "revocations.h"
#include "waiters.h"

static bool
is_refused(const struct request *request)
{
	const struct principal *who = &request->principal;
	const struct worker *worker = request->worker;
	struct jwt_claims claims = {.user_id = who->id,
	                            .session = who->session,
	                            .tenant_id = who->tenant,
	                            .changes = who->changes,
	                            .issued_at = who->issued_at};

	if (who->kind == PRINCIPAL_USER)
		return revocations_refuse_token(worker->revocations, &claims) != NULL;
	return revocations_refuse_tenant(worker->revocations, who->tenant) ||
	       key_cache_voided(worker->keys, who->id, who->since_us);
}

void
recall_refused(struct worker *worker)
{
	struct request *request, *next;

	for (request = TAILQ_FIRST(&worker->requests); request; request = next) {
		next = TAILQ_NEXT(request, entry);
		if ((!request->waiter && !request->follower) || !request->conn || !is_refused(request))
			continue;
		if (request->waiter)
			waiters_end(request->waiter);
		else
			follow_end(request->follower);
	}
}
