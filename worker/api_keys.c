/* api_keys.c - making and checking API keys. A key never has more permissions than whoever makes it. */
#include "api.h"
#include "apikey.h"
#include "body.h"
#include "keycache.h"

bool
api_key_prepare(struct request *request, struct call *call)
{
	struct slice role = call_field(call, "role")->text.data ? call_field(call, "role")->text : request->principal.role;
	bool public = slice_is(call_field(call, "type")->text, "public");
	char *text = arena_alloc(&request->arena, APIKEY_TEXT_SIZE);
	char *hash = arena_alloc(&request->arena, 2 * CRYPTO_SHA256_SIZE + 1);
	struct apikey key;

	if (perm_of_role(role) & ~request->principal.perms)
		return call_fail(call, ERROR_FORBIDDEN, "a key cannot have a role that may do more than you may");
	apikey_create(public ? APIKEY_PUBLIC : APIKEY_SECRET, &key, text);
	crypto_hex(key.hash, sizeof(key.hash), hash);
	call_set(call, "key_id", slice_of(arena_string(&request->arena, slice_of(key.id))));
	call_set(call, "hash", slice_of(hash));
	call_set(call, "key", slice_of(text));
	call_set(call, "role", role);
	return true;
}

static const char *
why_not(struct request *request, const struct apikey *key, const struct key_entry *entry)
{
	if (!entry->known || entry->tenant != request->principal.tenant ||
	    !crypto_equal(entry->hash, key->hash, sizeof(key->hash)))
		return "unknown";
	if (strcmp(entry->status, "active") != 0)
		return entry->status;
	return entry->expires_us <= request->worker->now_us ? "expired" : NULL;
}

static void
write_check(struct request *request, const struct apikey *key, const struct key_entry *entry, const char *reason)
{
	struct json_writer writer;

	json_write_begin(&writer, &request->reply);
	json_write_object_open(&writer);
	json_write_member_bool(&writer, "valid", !reason);
	if (reason) {
		json_write_member_text(&writer, "reason", reason);
	} else {
		json_write_member_text(&writer, "key_id", key->id);
		json_write_member_text(&writer, "owner", entry->owner_id);
		json_write_member_text(&writer, "role", entry->role);
	}
	json_write_object_close(&writer);
	request->status = 200;
}

enum step
api_verify_key(struct request *request)
{
	struct field_value value;
	const struct key_entry *entry;
	struct apikey key;

	if (!body_read(request, &value))
		return STEP_DONE;
	if (!apikey_parse(value.text, &key)) {
		write_check(request, NULL, NULL, "malformed");
		return STEP_NEXT;
	}
	entry = key_cache_get(request->worker->keys, key.id);
	if (!entry) {
		request->step--; /* this step again, when the key is there */
		key_cache_fetch(request->worker->keys, key.id, request);
		return STEP_WAIT;
	}
	write_check(request, &key, entry, why_not(request, &key, entry));
	return STEP_NEXT;
}
