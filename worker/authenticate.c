/*
 * authenticate.c - the stage that finds out who asks: a token, checked here, or an API key, looked up in the cache.
 *
 * An endpoint without a permission is open: nobody is asked for. Everywhere else a missing or bad credential ends the
 * request; what was wrong is told only as far as it helps its owner. Nothing is believed, token or key, by a process
 * that cannot know whether it was revoked meanwhile.
 */
#include "apikey.h"
#include "changes.h"
#include "clock.h"
#include "jwt.h"
#include "keycache.h"
#include "request.h"
#include "revocations.h"
#include "tokencache.h"

static struct slice
trim_bearer(struct slice value)
{
	static const char scheme[] = "Bearer ";
	size_t length = sizeof(scheme) - 1;

	if (value.len < length || strncasecmp(value.data, scheme, length) != 0)
		return SLICE_NONE;
	while (length < value.len && value.data[length] == ' ')
		length++;
	return (struct slice){value.data + length, value.len - length};
}

static enum step
refuse(struct request *request, const char *detail)
{
	return request_fail(request, ERROR_UNAUTHENTICATED, "%s", detail);
}

static struct slice
keep(struct request *request, struct slice text)
{
	return (struct slice){arena_string(&request->arena, text), text.len};
}

/* Whose token it was, for the audit log: the signature was good. */
static void
suspect(struct request *request, const struct jwt_claims *claims)
{
	request->suspect = (struct principal){.kind = PRINCIPAL_USER,
	                                      .id = keep(request, claims->user_id),
	                                      .name = keep(request, claims->username),
	                                      .tenant = claims->tenant_id};
}

static enum step
use_claims(struct request *request, const struct jwt_claims *claims)
{
	const char *refused = revocations_refuse_token(request->worker->revocations, claims);

	if (refused) {
		suspect(request, claims);
		return refuse(request, refused);
	}
	request->principal = (struct principal){.kind = PRINCIPAL_USER,
	                                        .id = keep(request, claims->user_id),
	                                        .name = keep(request, claims->username),
	                                        .role = keep(request, claims->role),
	                                        .perms = perm_of_role(claims->role),
	                                        .tenant = claims->tenant_id,
	                                        .tenant_name = keep(request, claims->tenant)};
	request->principal.owner = request->principal.id;
	request->principal.changes = claims->changes;
	request->principal.issued_at = claims->issued_at;
	if (claims->session.data)
		request->principal.session = keep(request, claims->session);
	return STEP_NEXT;
}

static enum step
check_token(struct request *request, struct slice token)
{
	struct worker *worker = request->worker;
	int64_t now_s = request_time_us(request) / 1000000;
	const struct jwt_claims *known = token_cache_get(worker->tokens, token, now_s);
	struct jwt_claims claims;
	enum jwt_result result;

	if (known)
		return use_claims(request, known);
	result = jwt_verify(worker->jwt_keys, token, now_s, &request->arena, &claims);
	if (result == JWT_EXPIRED) {
		suspect(request, &claims);
		return refuse(request, "the token has expired; log in again");
	}
	if (result != JWT_VALID)
		return request_fail(request, ERROR_UNAUTHENTICATED, "the token is not valid here: %s", jwt_result_code(result));
	token_cache_add(worker->tokens, token, &claims);
	return use_claims(request, &claims);
}

/* Whether a key that is what it says may be used here and now. */
static enum step
judge_key(struct request *request, const struct apikey *key, const struct key_entry *entry)
{
	if (strcmp(entry->status, "active") != 0)
		return request_fail(request, ERROR_UNAUTHENTICATED, "the API key is %s", entry->status);
	if (revocations_refuse_tenant(request->worker->revocations, entry->tenant))
		return refuse(request, "the tenant is not active");
	if (entry->expires_us <= request_time_us(request))
		return refuse(request, "the API key has expired");
	if (!key_entry_admits(entry, request->address))
		return request_fail(request, ERROR_FORBIDDEN, "the API key may not be used from %.*s; see its allowed_ips",
		                    SLICE_ARG(request->address));
	if (key->type != APIKEY_PUBLIC)
		return STEP_NEXT;
	if (request->method != HTTP_GET)
		return request_fail(request, ERROR_FORBIDDEN, "a public key may only read (GET)");
	if (!key_entry_admits_origin(entry, request_header(request, "origin")))
		return request_fail(request, ERROR_FORBIDDEN,
		                    "a public key is for web pages of its allowed_origins only, and the header Origin names none");
	return STEP_NEXT;
}

static void
become_key(struct request *request, const struct apikey *key, const struct key_entry *entry)
{
	struct arena *arena = &request->arena;
	struct principal *who = &request->principal;
	struct scopes *scopes = NULL;

	if (entry->limited) {
		scopes = arena_alloc(arena, sizeof(*scopes));
		scopes_parse(arena, slice_of(arena_string(arena, slice_of(entry->scopes))), scopes);
	}
	*who = (struct principal){.kind = PRINCIPAL_KEY,
	                          .id = slice_of(arena_string(arena, slice_of(key->id))),
	                          .name = slice_of(arena_string(arena, slice_of(entry->name))),
	                          .role = slice_of(arena_string(arena, slice_of(entry->role))),
	                          .perms = entry->perms,
	                          .limited = entry->limited,
	                          .scopes = scopes,
	                          .tenant = entry->tenant,
	                          .tenant_name = slice_of(arena_string(arena, slice_of(entry->tenant_name))),
	                          .rate_limit = entry->rate_limit};
	who->since_us = clock_steady_us();
	if (entry->owner_id[0])
		who->owner = slice_of(arena_string(arena, slice_of(entry->owner_id)));
}

static enum step
use_key(struct request *request, const struct apikey *key, const struct key_entry *entry)
{
	bool equal = crypto_equal(entry->hash, key->hash, sizeof(key->hash));
	enum step step;

	if (!entry->known)
		return refuse(request, "the API key is not valid");
	request->suspect = (struct principal){.kind = PRINCIPAL_KEY,
	                                      .id = keep(request, slice_of(key->id)),
	                                      .name = keep(request, slice_of(entry->name)),
	                                      .tenant = entry->tenant};
	step = equal ? judge_key(request, key, entry) : refuse(request, "the API key is not valid");
	key_cache_count(request->worker->keys, key->id, step == STEP_NEXT);
	if (step == STEP_NEXT)
		become_key(request, key, entry);
	return step;
}

static enum step
check_key(struct request *request, struct slice text)
{
	struct apikey key;
	const struct key_entry *entry;

	if (!apikey_parse(text, &key))
		return refuse(request, "this is not an API key of agentd (its form or its checksum is wrong); was it cut off?");
	entry = key_cache_get(request->worker->keys, key.id);
	if (entry)
		return use_key(request, &key, entry);
	key_cache_fetch(request->worker->keys, key.id, request);
	return STEP_WAIT;
}

enum step
stage_authenticate(struct request *request)
{
	struct slice bearer = trim_bearer(request_header(request, "authorization"));
	struct slice given = bearer.data ? bearer : request_header(request, "x-api-key");

	if (request->endpoint->perm == PERM_NONE)
		return STEP_NEXT;
	if (!request->conn)
		return request_fail(request, ERROR_UNAUTHENTICATED, "the client has gone");
	if (!given.data || given.len == 0)
		return refuse(request, "send Authorization: Bearer <token or API key>, or X-API-Key: <key>");
	if (http_parse_header_repeated(&request->conn->parser, request->data, "authorization") ||
	    http_parse_header_repeated(&request->conn->parser, request->data, "x-api-key"))
		return refuse(request, "the credential is there twice");
	if (changes_age_us(request->worker->changes) > CHANGES_STALE_US)
		return request_fail(request, ERROR_IDENTITY_UNAVAILABLE,
		                    "the database has not told for %d s who may still be believed; try again",
		                    CHANGES_STALE_US / 1000000);
	return apikey_looks_like(given) ? check_key(request, given) : check_token(request, given);
}
