/*
 * issue.c - see issue.h. The times in a token are PostgreSQL's, so that they compare with the changes that end it; no
 * cache on the way may keep the answer (RFC 6749, section 5.1).
 */
#include "issue.h"

#include "config.h"
#include "db.h"
#include "jwt.h"

enum { USER_AGENT_MAX = 200 };

void
issue_begin(struct request *request, struct issue *issue, int64_t tenant, const char *session)
{
	char made[UUID_TEXT_SIZE];

	if (!session)
		uuid_new(made);
	refresh_create(request->worker->refresh_keys, tenant, session ? session : made, &issue->token, issue->text);
}

static void
write_user(struct json_writer *writer, const struct issue *issue)
{
	json_write_key(writer, "user");
	json_write_object_open(writer);
	json_write_member_string(writer, "id", issue->user_id);
	json_write_member_string(writer, "username", issue->username);
	json_write_member_string(writer, "role", issue->role);
	json_write_member_string(writer, "display_name", issue->display_name);
	json_write_member_string(writer, "tenant", issue->tenant_name);
	json_write_object_close(writer);
}

void
issue_write(struct request *request, const struct issue *issue, const struct db_result *result, struct buf *out)
{
	const struct config *config = request->worker->config;
	struct jwt_claims claims = {.user_id = issue->user_id,
	                            .username = issue->username,
	                            .role = issue->role,
	                            .tenant = issue->tenant_name,
	                            .tenant_id = issue->token.tenant,
	                            .session = slice_of(issue->token.session),
	                            .changes = strtoll(db_get(result, 0, "changes").data, NULL, 10),
	                            .issued_at = strtoll(db_get(result, 0, "issued_at").data, NULL, 10)};
	struct json_writer writer;
	struct buf token = {0};

	claims.expires_at = claims.issued_at + config->jwt_lifetime_s;
	jwt_create(request->worker->jwt_keys, &claims, &token);
	json_write_begin(&writer, out);
	json_write_object_open(&writer);
	json_write_member_string(&writer, "access_token", buf_slice(&token));
	json_write_member_text(&writer, "token_type", "Bearer");
	json_write_member_int(&writer, "expires_in", config->jwt_lifetime_s);
	json_write_member_text(&writer, "refresh_token", issue->text);
	json_write_member_int(&writer, "refresh_expires_in", config->refresh_lifetime_s);
	json_write_member_text(&writer, "session", issue->token.session);
	write_user(&writer, issue);
	json_write_object_close(&writer);
	buf_free(&token);
}

struct slice
issue_user_agent(struct request *request)
{
	struct slice given = request_header(request, "user-agent");
	size_t length = MIN(given.len, (size_t)USER_AGENT_MAX);
	char *text;

	if (length == 0)
		return SLICE_NONE;
	text = arena_string(&request->arena, (struct slice){given.data, length});
	for (size_t i = 0; i < length; i++)
		if (text[i] < ' ' || text[i] > '~')
			text[i] = '?';
	return (struct slice){text, length};
}

struct slice
issue_seconds(struct request *request, int64_t seconds)
{
	return slice_of(arena_printf(&request->arena, "%lld", (long long)seconds));
}
