/*
 * api_keys.c - making, rotating and checking API keys. A key never gets more permissions than who makes it has, and a
 * key without key:manage makes and changes none: it may look at itself and revoke itself.
 */
#include "api.h"
#include "apikey.h"
#include "body.h"
#include "cidr.h"
#include "keycache.h"
#include "origin.h"
#include "reach.h"
#include "rows.h"

bool
api_key_change_prepare(struct request *request, struct call *call)
{
	if (request->principal.kind != PRINCIPAL_KEY || (request->principal.perms & 1u << PERM_KEY_MANAGE))
		return true;
	return call_fail(call, ERROR_FORBIDDEN,
	                 "an API key without key:manage may look at itself and revoke itself, and nothing else about keys");
}

/* True if a key that has these scopes, as far as most goes, could do something that who asks cannot. */
static bool
exceeds(const struct principal *who, const struct scopes *scopes, uint32_t most)
{
	if (scopes->full & most & ~who->perms)
		return true;
	for (int i = 0; i < scopes->count; i++) {
		const struct scope *scope = &scopes->list[i];
		bool covered = !(scope->perms & most & ~who->perms);

		for (int own = 0; !covered && who->scopes && own < who->scopes->count; own++)
			covered = scope_covers(&who->scopes->list[own], scope);
		if (!covered)
			return true;
	}
	return false;
}

static uint32_t
most_of(struct slice role, bool public)
{
	return perm_of_role(role) & (public ? SCOPE_PUBLIC_PERMS : UINT32_MAX);
}

/* What is wrong with one scope of a key with these permissions at most, or NULL. */
static const char *
scope_fault(struct slice text, uint32_t most, bool public)
{
	struct scope scope;
	const char *fault = scope_parse(text, &scope);

	if (fault)
		return fault;
	if (!(scope.perms & most & ~(1u << PERM_ANY)))
		return public ? "gives nothing: the role does not have it, or it is not for public keys, which may only read"
		              : "gives nothing: the key's role does not have it";
	if (scope.kind != SCOPE_ALL && !reach_enforces(scope.perms, scope.kind))
		return "cannot be held: nothing that this permission is for tells names of this kind";
	return NULL;
}

static const char *
address_fault(struct slice text)
{
	struct cidr cidr;

	return cidr_parse(text, &cidr) ? NULL
	                               : "must be an address or a range such as 192.0.2.7, 10.0.0.0/8 or 2001:db8::/32, "
	                                 "without bits behind the prefix";
}

static const char *
origin_fault(struct slice text)
{
	return origin_is_valid(text)
	           ? NULL
	           : "must be an origin as browsers send it: scheme://host[:port] in lower case, without a "
	             "path and without the usual port";
}

struct key_wish {
	struct slice role;
	uint32_t most;
	bool public;
	struct buf scopes; /* lines */
};

/* Checks each text of an array field. */
static void
check_texts(struct request *request, struct call *call, const char *name, struct key_wish *wish,
            struct field_errors *errors)
{
	int array = call_field(call, name)->token;
	int index = 0;

	if (array == JSON_NONE || json_type(&request->body, array) != JSON_ARRAY)
		return;
	for (int at = json_first(&request->body, array); at != JSON_NONE;
	     at = json_next(&request->body, array, at), index++) {
		struct slice text = json_string(&request->body, at, &request->arena);
		bool scopes = strcmp(name, "scopes") == 0;
		const char *fault = scopes                             ? scope_fault(text, wish->most, wish->public)
		                    : strcmp(name, "allowed_ips") == 0 ? address_fault(text)
		                                                       : origin_fault(text);
		if (fault)
			field_error_add(errors, arena_printf(errors->arena, "/%s/%d", name, index), "bad_value", fault);
		if (scopes) {
			buf_add_slice(&wish->scopes, text);
			buf_add_byte(&wish->scopes, '\n');
		}
	}
}

static bool
check_wish(struct request *request, struct call *call, struct key_wish *wish)
{
	struct field_errors errors = {.arena = &request->arena};
	int origins = call_field(call, "allowed_origins")->token;
	bool has_origins = origins != JSON_NONE && json_size(&request->body, origins) > 0;
	struct scopes scopes;

	check_texts(request, call, "scopes", wish, &errors);
	check_texts(request, call, "allowed_ips", wish, &errors);
	check_texts(request, call, "allowed_origins", wish, &errors);
	if (wish->public && !has_origins)
		field_error_add(&errors, "/allowed_origins", "required", "is required for a public key");
	if (!wish->public && has_origins)
		field_error_add(&errors, "/allowed_origins", "not_allowed",
		                "is for public keys: outside a browser anybody can send any Origin; take allowed_ips");
	if (errors.count)
		return call_fail_fields(call, &errors);
	scopes_parse(&request->arena, wish->scopes.len ? buf_slice(&wish->scopes) : SLICE("default"), &scopes);
	if (perm_of_role(wish->role) & ~perm_of_role(request->principal.role) ||
	    exceeds(&request->principal, &scopes, wish->most))
		return call_fail(call, ERROR_FORBIDDEN,
		                 "a key cannot do more than you may: take another role, or scopes of yours");
	return true;
}

static void
make_key(struct request *request, struct call *call, bool public, const char *id_name)
{
	char *text = arena_alloc(&request->arena, APIKEY_TEXT_SIZE);
	char *hash = arena_alloc(&request->arena, 2 * CRYPTO_SHA256_SIZE + 1);
	struct apikey key;

	apikey_create(public ? APIKEY_PUBLIC : APIKEY_SECRET, &key, text);
	crypto_hex(key.hash, sizeof(key.hash), hash);
	call_set(call, id_name, slice_of(arena_string(&request->arena, slice_of(key.id))));
	call_set(call, "hash", slice_of(hash));
	request->state = text;
}

/* The key itself is known here only. */
void
api_key_finish(struct request *request, struct call *call, const struct db_result *result)
{
	struct json_writer writer;

	if (result->count == 0) {
		call_not_found(call);
		return;
	}
	if (call_refused(call, result))
		return;
	call->status = request->endpoint->status;
	json_write_begin(&writer, &call->out);
	json_write_object_open(&writer);
	rows_write_members(&writer, result, 0);
	json_write_member_text(&writer, "key", request->state);
	json_write_object_close(&writer);
}

bool
api_key_prepare(struct request *request, struct call *call)
{
	struct slice role = call_field(call, "role")->text;
	struct key_wish wish = {.role = role.data ? role : request->principal.role,
	                        .public = slice_is(call_field(call, "type")->text, "public")};
	bool good;

	if (!api_key_change_prepare(request, call))
		return false;
	wish.most = most_of(wish.role, wish.public);
	good = check_wish(request, call, &wish);
	buf_free(&wish.scopes);
	if (!good)
		return false;
	make_key(request, call, wish.public, "key_id");
	call_set(call, "role", wish.role);
	return true;
}

bool
api_key_rotate_prepare(struct request *request, struct call *call)
{
	struct slice id = request->path_values[0];

	if (!api_key_change_prepare(request, call))
		return false;
	make_key(request, call, id.len > 7 && memcmp(id.data, "agd_pk_", 7) == 0, "new_key_id");
	return true;
}

/* Who rotates a key gets its secret, and so all that it may do. */
bool
api_key_rotate_judge(struct request *request, struct call *call, const struct db_result *result)
{
	struct scopes scopes;

	if (result->count == 0) {
		call_not_found(call);
		return false;
	}
	scopes_parse(&request->arena, db_get(result, 0, "scopes"), &scopes);
	if (!exceeds(&request->principal, &scopes,
	             most_of(db_get(result, 0, "role"), slice_is(db_get(result, 0, "type"), "public"))))
		return true;
	return call_fail(call, ERROR_FORBIDDEN, "the key may do more than you may; its new secret would be yours");
}

static const char *
why_not(struct request *request, const struct apikey *key, const struct key_entry *entry)
{
	if (!entry->known || entry->tenant != request->principal.tenant ||
	    !crypto_equal(entry->hash, key->hash, sizeof(key->hash)))
		return "unknown";
	if (strcmp(entry->status, "active") != 0)
		return entry->status;
	return entry->expires_us <= request_time_us(request) ? "expired" : NULL;
}

static void
write_valid(struct request *request, struct json_writer *writer, const struct apikey *key,
            const struct key_entry *entry, int64_t left)
{
	struct slice lines = slice_of(entry->scopes);

	json_write_member_text(writer, "key_id", key->id);
	json_write_member_text(writer, "name", entry->name);
	json_write_member_text(writer, "type", key->type == APIKEY_PUBLIC ? "public" : "secret");
	json_write_member_text(writer, "owner", entry->owner);
	json_write_member_text(writer, "role", entry->role);
	json_write_key(writer, "scopes");
	json_write_array_open(writer);
	while (lines.len)
		json_write_string(writer, scope_line(&lines));
	json_write_array_close(writer);
	json_write_member_int(writer, "rate_limit", entry->rate_limit);
	json_write_member_int(writer, "remaining", left);
	json_write_member_int(writer, "expires_in_s", (entry->expires_us - request_time_us(request)) / 1000000);
}

static void
write_check(struct request *request, const struct apikey *key, const struct key_entry *entry, const char *reason,
            int64_t left)
{
	struct json_writer writer;

	json_write_begin(&writer, &request->reply);
	json_write_object_open(&writer);
	json_write_member_bool(&writer, "valid", !reason);
	if (reason)
		json_write_member_text(&writer, "reason", reason);
	else
		write_valid(request, &writer, key, entry, left);
	json_write_object_close(&writer);
	request->status = 200;
}

enum step
api_verify_key(struct request *request)
{
	struct field_value value;
	const struct key_entry *entry;
	struct quota_check *check = request->state;
	struct principal who = {.kind = PRINCIPAL_KEY, .tenant = request->principal.tenant};
	const char *reason;
	struct apikey key;
	int64_t left = 0;

	if (!body_read(request, &value))
		return STEP_DONE;
	if (!apikey_parse(value.text, &key)) {
		write_check(request, NULL, NULL, "malformed", 0);
		return STEP_NEXT;
	}
	entry = key_cache_get(request->worker->keys, key.id);
	if (!entry) {
		request->step--; /* this step again, when the key is there */
		key_cache_fetch(request->worker->keys, key.id, request);
		return STEP_WAIT;
	}
	reason = why_not(request, &key, entry);
	who.id = slice_of(key.id);
	who.rate_limit = entry->rate_limit;
	if (!reason && !stage_limit_left(request, &who, &check, &left)) {
		request->state = check;
		request->step--; /* and again, when Redis has answered */
		return STEP_WAIT;
	}
	write_check(request, &key, entry, reason, left);
	return STEP_NEXT;
}
