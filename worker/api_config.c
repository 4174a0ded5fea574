/*
 * api_config.c - the settings: what holds, and changing what can change while agentd runs.
 *
 * What is answered is what the database says over what this node was started with. A change is tried out on a copy, by
 * the rules of the start, and stored only if nobody else has stored one meanwhile; then every process of every node
 * reads it.
 */
#include "api.h"
#include "ask.h"
#include "changes.h"
#include "config.h"
#include "settings.h"

static const char *
source_name(enum config_origin origin)
{
	switch (origin) {
	case CONFIG_FROM_DEFAULT:
		return "default";
	case CONFIG_FROM_FILE:
		return "file";
	case CONFIG_FROM_SETTINGS:
		return "run-time";
	case CONFIG_FROM_VARIABLE:
	case CONFIG_FROM_PLAIN:
	case CONFIG_BROKEN:
		break;
	}
	return "environment";
}

static void
write_value(struct json_writer *writer, const struct config *config, enum config_setting setting)
{
	struct config_fact fact = config_fact(setting);
	struct buf text = {0};

	config_get(config, setting, &text);
	if (fact.secret)
		json_write_null(writer);
	else if (fact.number)
		json_write_raw(writer, buf_slice(&text));
	else if (fact.truth)
		json_write_bool(writer, slice_is(buf_slice(&text), "on"));
	else
		json_write_string(writer, text.len ? buf_slice(&text) : SLICE(""));
	buf_free(&text);
}

static void
write_setting(struct json_writer *writer, const struct config *config, enum config_setting setting)
{
	struct config_fact fact = config_fact(setting);

	json_write_object_open(writer);
	json_write_member_text(writer, "name", fact.name);
	json_write_key(writer, "value");
	write_value(writer, config, setting);
	json_write_member_bool(writer, "set", config->origins[setting] != CONFIG_FROM_DEFAULT);
	json_write_member_text(writer, "source", source_name(config->origins[setting]));
	json_write_member_bool(writer, "changeable", config_changes(setting));
	json_write_member_text(writer, "doc", fact.doc);
	json_write_object_close(writer);
}

static void
write_config(struct request *request, const struct config *config, int64_t version)
{
	struct json_writer writer;

	request->reply.len = 0;
	json_write_begin(&writer, &request->reply);
	json_write_object_open(&writer);
	json_write_key(&writer, "items");
	json_write_array_open(&writer);
	for (int i = 0; i < SETTING_COUNT; i++)
		write_setting(&writer, config, (enum config_setting)i);
	json_write_array_close(&writer);
	json_write_member_int(&writer, "version", version);
	json_write_object_close(&writer);
	request->status = 200;
	request->etag = slice_of(arena_printf(&request->arena, "\"%lld\"", (long long)version));
	if (request->method != HTTP_GET)
		request_add_header(request, "ETag", request->etag);
}

static int64_t
version_of(const struct db_result *result)
{
	return strtoll(db_get(result, 0, "version").data, NULL, 10);
}

static enum step
show(struct request *request, const struct db_result *result)
{
	struct config *config = settings_over(request->worker->settings, result);

	write_config(request, config, version_of(result));
	config_copy_free(config);
	return STEP_NEXT;
}

enum step
api_config_get(struct request *request)
{
	return ask_send(request, QUERY_SETTINGS_GET, NULL, show);
}

/* What one PATCH is about, while it is tried out. */
struct patch {
	struct request *request;
	struct config *before, *after;
	struct field_errors *errors;
	struct json_writer writer; /* of the changes */
	int count;
};

static void
refuse(struct patch *patch, struct slice name, const char *code, const char *detail)
{
	const char *pointer = arena_printf(&patch->request->arena, "/%.*s", (int)MIN(name.len, 100), name.data);

	field_error_add(patch->errors, pointer, code, arena_string(&patch->request->arena, slice_of(detail)));
}

static void
write_state(struct patch *patch, const char *name, const struct config *config, enum config_setting setting)
{
	json_write_key(&patch->writer, name);
	json_write_object_open(&patch->writer);
	json_write_key(&patch->writer, "value");
	write_value(&patch->writer, config, setting);
	json_write_member_text(&patch->writer, "source", source_name(config->origins[setting]));
	json_write_object_close(&patch->writer);
}

/* Sets it in the copy; text NULL: as the node was started. */
static void
try_setting(struct patch *patch, enum config_setting setting, const char *text)
{
	const struct config *base = settings_base(patch->request->worker->settings);
	struct slice name = slice_of(config_fact(setting).name);
	struct buf was = {0}, why = {0};
	bool set;

	config_get(base, setting, &was);
	buf_add_byte(&was, '\0');
	set = config_set(patch->after, setting, text ? text : was.data,
	                 text ? CONFIG_FROM_SETTINGS : base->origins[setting], &why);
	buf_add_byte(&why, '\0');
	if (!set)
		refuse(patch, name, "invalid", why.data);
	buf_free(&was);
	buf_free(&why);
	if (!set)
		return;
	json_write_object_open(&patch->writer);
	json_write_member_string(&patch->writer, "name", name);
	json_write_key(&patch->writer, "value");
	if (text)
		json_write_string(&patch->writer, slice_of(text));
	else
		json_write_null(&patch->writer);
	write_state(patch, "before", patch->before, setting);
	write_state(patch, "after", patch->after, setting);
	json_write_object_close(&patch->writer);
	patch->count++;
}

static void
try_member(struct patch *patch, const struct json *body, int key)
{
	struct arena *arena = &patch->request->arena;
	struct slice name = json_string(body, key, arena);
	int setting = config_find(name), value = json_value(body, key);
	enum json_type type = json_type(body, value);
	struct slice text = type == JSON_STRING ? json_string(body, value, arena) : json_raw(body, value);

	if (setting < 0)
		refuse(patch, name, "unknown_field", "is not a setting; GET /api/v1/config lists them");
	else if (!config_changes((enum config_setting)setting))
		refuse(patch, name, "not_changeable",
		       "is read when agentd starts: set its variable in the environment and restart the nodes");
	else if (type == JSON_OBJECT || type == JSON_ARRAY || memchr(text.data, '\0', text.len))
		refuse(patch, name, "wrong_type", "must be a text, a number, true or false, or null");
	else
		try_setting(patch, (enum config_setting)setting, type == JSON_NULL ? NULL : arena_string(arena, text));
}

/* `NAME="value" why` of a rule that several settings are about, at the setting that it names. */
static void
refuse_combinations(struct patch *patch)
{
	struct config_errors errors;

	config_check_change(patch->before, patch->after, &errors);
	for (size_t i = 0; i < errors.count; i++)
		refuse(patch, SLICE(""), "invalid", errors.messages[i]);
	config_errors_free(&errors);
}

static bool
is_twice(const struct json *body, int key, struct arena *arena)
{
	for (int other = json_first(body, 0); other != key; other = json_next(body, 0, other))
		if (slice_equal(json_string(body, other, arena), json_string(body, key, arena)))
			return true;
	return false;
}

static void
try_all(struct patch *patch)
{
	struct request *request = patch->request;
	const struct json *body = &request->body;

	if (!request->has_body || json_type(body, 0) != JSON_OBJECT) {
		refuse(patch, SLICE(""), "wrong_type", "the body must be an object of settings and values");
		return;
	}
	for (int key = json_first(body, 0); key != JSON_NONE; key = json_next(body, 0, key)) {
		if (is_twice(body, key, &request->arena))
			refuse(patch, json_string(body, key, &request->arena), "duplicate_field", "is there twice");
		else
			try_member(patch, body, key);
	}
	if (!patch->errors->count && !patch->count)
		refuse(patch, SLICE(""), "required", "name at least one setting");
	if (!patch->errors->count)
		refuse_combinations(patch);
}

static enum step
stored(struct request *request, const struct db_result *result)
{
	if (result->count == 0)
		return request_fail(request, ERROR_CONFLICT,
		                    "somebody else changed settings at the same moment; nothing was changed: send it again");
	changes_mark(request->worker->heritage);
	/* The answer was made when the change was tried out. */
	return STEP_NEXT;
}

static bool
is_other_version(struct request *request, int64_t version)
{
	struct slice wanted = request_header(request, "if-match");
	const char *tag = arena_printf(&request->arena, "\"%lld\"", (long long)version);

	return wanted.data && !slice_is(wanted, "*") && !memmem(wanted.data, wanted.len, tag, strlen(tag));
}

static enum step
store(struct request *request, int64_t version, struct slice changes)
{
	struct slice *values = ask_values(request, QUERY_SETTINGS_SET);
	const struct {
		const char *name;
		struct slice value;
	} given[] = {{"tenant", ask_tenant(request)},
	             {"version", slice_of(arena_printf(&request->arena, "%lld", (long long)version))},
	             {"changes", {arena_string(&request->arena, changes), changes.len}},
	             {"actor", request->principal.name},
	             {"principal", ask_principal(request)},
	             {"address", request->address},
	             {"request_id", request->id}};

	for (size_t i = 0; i < ARRAY_LENGTH(given); i++)
		ask_set(values, QUERY_SETTINGS_SET, given[i].name, given[i].value);
	return ask_send(request, QUERY_SETTINGS_SET, values, stored);
}

static enum step
change(struct request *request, const struct db_result *result)
{
	struct patch patch = {.request = request, .errors = arena_zero(&request->arena, sizeof(struct field_errors))};
	int64_t version = version_of(result);
	struct buf changes = {0};
	enum step step;

	if (is_other_version(request, version))
		return request_fail(request, ERROR_PRECONDITION_FAILED,
		                    "settings were changed since you read them: version is %lld now", (long long)version);
	patch.errors->arena = &request->arena;
	patch.before = settings_over(request->worker->settings, result);
	patch.after = settings_over(request->worker->settings, result);
	json_write_begin(&patch.writer, &changes);
	json_write_array_open(&patch.writer);
	try_all(&patch);
	json_write_array_close(&patch.writer);
	if (patch.errors->count) {
		step = request_fail_fields(request, ERROR_VALIDATION_FAILED, patch.errors,
		                           "errors lists every setting that does not fit; nothing was changed");
	} else {
		write_config(request, patch.after, version + 1);
		step = store(request, version, buf_slice(&changes));
	}
	config_copy_free(patch.before);
	config_copy_free(patch.after);
	buf_free(&changes);
	return step;
}

enum step
api_config_patch(struct request *request)
{
	return ask_send(request, QUERY_SETTINGS_GET, NULL, change);
}
