/* issue.h - the answer of a login and of a refresh: tokens for a session, and whose it is. */
#ifndef AGENTD_ISSUE_H
#define AGENTD_ISSUE_H

#include "refresh.h"
#include "request.h"

struct db_result;

/* Whom the tokens are for. Texts are borrowed. */
struct issue {
	struct slice user_id;
	struct slice username;
	struct slice role;
	struct slice display_name; /* may be absent */
	struct slice tenant_name;
	struct refresh_token token; /* the new one: names the tenant and the session */
	char text[REFRESH_TEXT_SIZE];
};

/* Makes the refresh token. session: NULL makes a new session. */
void issue_begin(struct request *request, struct issue *issue, int64_t tenant, const char *session);
/* Appends the answer. row 0 of result has issued_at and changes, as the transaction saw them that made sure of the
 * user. */
void issue_write(struct request *request, const struct issue *issue, const struct db_result *result, struct buf *out);
/* The client's name for itself, printable and of bounded length; absent when it says nothing. */
struct slice issue_user_agent(struct request *request);
/* The setting as SQL text. */
struct slice issue_seconds(struct request *request, int64_t seconds);

#endif
