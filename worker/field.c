/* field.c - see field.h. */
#include "field.h"
#include "uuid.h"

int
field_count(const struct field *fields)
{
	int count = 0;

	while (fields && fields[count].name)
		count++;
	return count;
}

int
field_find(const struct field *fields, struct slice name)
{
	for (int i = 0; fields && name.len && fields[i].name; i++)
		if (fields[i].name[0] == name.data[0] && slice_is(name, fields[i].name))
			return i;
	return -1;
}

void
field_error_add(struct field_errors *errors, const char *pointer, const char *code, const char *detail)
{
	if (errors->count < FIELD_ERRORS_MAX)
		errors->list[errors->count++] = (struct field_error){pointer, code, detail};
}

static size_t
character_count(struct slice text)
{
	size_t count = 0;

	for (size_t i = 0; i < text.len; i++)
		count += ((unsigned char)text.data[i] & 0xC0) != 0x80;
	return count;
}

static bool
digits(struct slice text, size_t at, size_t count)
{
	if (at + count > text.len)
		return false;
	for (size_t i = at; i < at + count; i++)
		if (text.data[i] < '0' || text.data[i] > '9')
			return false;
	return true;
}

static int
number_at(struct slice text, size_t at)
{
	return (text.data[at] - '0') * 10 + text.data[at + 1] - '0';
}

/* RFC 3339: 2026-11-23T01:02:03[.fraction](Z|+hh:mm). Whether the day exists is PostgreSQL's to say. */
static bool
is_time(struct slice text)
{
	size_t at = 19;

	if (text.len > 40 || !digits(text, 0, 4) || !digits(text, 5, 2) || !digits(text, 8, 2) || !digits(text, 11, 2) ||
	    !digits(text, 14, 2) || !digits(text, 17, 2) || text.data[4] != '-' || text.data[7] != '-' ||
	    (text.data[10] != 'T' && text.data[10] != 't') || text.data[13] != ':' || text.data[16] != ':')
		return false;
	if (number_at(text, 5) < 1 || number_at(text, 5) > 12 || number_at(text, 8) < 1 || number_at(text, 8) > 31 ||
	    number_at(text, 11) > 23 || number_at(text, 14) > 59 || number_at(text, 17) > 59)
		return false;
	if (at < text.len && text.data[at] == '.') {
		if (!digits(text, ++at, 1))
			return false;
		while (digits(text, at, 1))
			at++;
	}
	if (at + 1 == text.len)
		return text.data[at] == 'Z' || text.data[at] == 'z';
	return at + 6 == text.len && (text.data[at] == '+' || text.data[at] == '-') && digits(text, at + 1, 2) &&
	       text.data[at + 3] == ':' && digits(text, at + 4, 2) && number_at(text, at + 1) < 24 &&
	       number_at(text, at + 4) < 60;
}

static bool
in_choices(const struct field *field, struct slice text)
{
	for (int i = 0; field->choices[i]; i++)
		if (slice_is(text, field->choices[i]))
			return true;
	return false;
}

static const char *
choices_text(const struct field *field, struct arena *arena)
{
	char *text = arena_printf(arena, "must be one of %s", field->choices[0]);

	for (int i = 1; field->choices[i]; i++)
		text = arena_printf(arena, "%s, %s", text, field->choices[i]);
	return text;
}

/* What is wrong with a text, or NULL. */
static const char *
text_fault(const struct field *field, struct slice text, struct arena *arena)
{
	size_t length = character_count(text);
	int64_t max = field->max ? field->max : FIELD_TEXT_MAX;

	if (text.len && memchr(text.data, '\0', text.len))
		return "must not contain \\u0000";
	if (field->no_at && text.len && text.data[0] == '@')
		return "must not begin with @";
	if (field->type == FIELD_UUID) {
		uint8_t bytes[UUID_SIZE];
		return uuid_parse(text, bytes) ? NULL : "must be a UUID";
	}
	if (field->type == FIELD_TIME)
		return is_time(text) ? NULL : "must be a time as in RFC 3339, with a zone: 2026-11-23T01:02:03Z";
	if (field->choices)
		return in_choices(field, text) ? NULL : choices_text(field, arena);
	if ((int64_t)length < field->min)
		return field->min == 1 ? "must not be empty"
		                       : arena_printf(arena, "must have at least %lld characters", (long long)field->min);
	if ((int64_t)length > max)
		return arena_printf(arena, "must have at most %lld characters", (long long)max);
	return NULL;
}

static const char *
range_fault(const struct field *field, double value, double scale, struct arena *arena)
{
	if (!field->min && !field->max)
		return NULL;
	if (value >= (double)field->min / scale && value <= (double)field->max / scale)
		return NULL;
	return arena_printf(arena, "must be from %g to %g", (double)field->min / scale, (double)field->max / scale);
}

static const char *
int_fault(const struct field *field, const struct json *json, int at, struct arena *arena)
{
	int64_t value;

	if (!json_int(json, at, &value))
		return "must be a whole number";
	return range_fault(field, (double)value, 1, arena);
}

static const char *
number_fault(const struct field *field, const struct json *json, int at, struct arena *arena)
{
	double value;

	if (!json_double(json, at, &value))
		return "must be a number";
	return range_fault(field, value, 1000, arena);
}

static bool check_value(const struct field *field, const struct json *json, int at, const char *pointer,
                        struct field_value *value_r, struct field_errors *errors);

static bool
check_array(const struct field *field, const struct json *json, int at, const char *pointer,
            struct field_errors *errors)
{
	const struct field element = {
	    .name = field->name, .type = field->element, .min = field->element == FIELD_TEXT, .no_at = field->no_at};
	int64_t max = field->max ? field->max : FIELD_ARRAY_MAX;
	struct field_value values[FIELD_COUNT_MAX];
	bool good = true;
	int index = 0;

	if (json_size(json, at) < field->min || json_size(json, at) > max) {
		field_error_add(
		    errors, pointer, "out_of_range",
		    arena_printf(errors->arena, "must have from %lld to %lld elements", (long long)field->min, (long long)max));
		return false;
	}
	for (int i = json_first(json, at); i != JSON_NONE; i = json_next(json, at, i), index++) {
		const char *inner = arena_printf(errors->arena, "%s/%d", pointer, index);
		if (!field->fields)
			good = check_value(&element, json, i, inner, values, errors) && good;
		else if (json_type(json, i) != JSON_OBJECT) {
			field_error_add(errors, inner, "wrong_type", "must be an object");
			good = false;
		} else
			good = field_check_object(field->fields, json, i, false, inner, values, errors) && good;
	}
	return good;
}

static bool
check_object(const struct field *field, const struct json *json, int at, const char *pointer,
             struct field_errors *errors)
{
	struct field_value values[FIELD_COUNT_MAX];

	return !field->fields || field_check_object(field->fields, json, at, false, pointer, values, errors);
}

/* A JSON pointer to a member: "~" and "/" in its name are escaped (RFC 6901). Every member has one: no printf(). */
static const char *
member_pointer(const char *prefix, struct slice name, struct arena *arena)
{
	struct slice cut = {name.data, MIN(name.len, 100)};
	size_t length = strlen(prefix);
	char *pointer = arena_alloc(arena, length + 1 + 2 * cut.len + 1);

	memcpy(pointer, prefix, length);
	pointer[length++] = '/';
	for (size_t i = 0; i < cut.len; i++) {
		if (cut.data[i] == '~' || cut.data[i] == '/') {
			pointer[length++] = '~';
			pointer[length++] = cut.data[i] == '~' ? '0' : '1';
		} else {
			pointer[length++] = cut.data[i];
		}
	}
	pointer[length] = '\0';
	return pointer;
}

/* Names and texts, as they are looked for by SQL: no NUL, no second meaning. */
static bool
check_texts(const struct field *field, const struct json *json, int at, const char *pointer,
            struct field_errors *errors)
{
	bool good = true;

	if (field->max && json_size(json, at) > field->max) {
		field_error_add(errors, pointer, "out_of_range",
		                arena_printf(errors->arena, "must have at most %lld members", (long long)field->max));
		return false;
	}
	for (int key = json_first(json, at); key != JSON_NONE; key = json_next(json, at, key)) {
		struct slice name = json_string(json, key, errors->arena);
		int value = json_value(json, key);
		struct slice text = json_type(json, value) == JSON_STRING ? json_string(json, value, errors->arena) : SLICE_NONE;
		if (text.data && name.len && !memchr(name.data, '\0', name.len) && !memchr(name.data, ':', name.len) &&
		    character_count(name) <= 100 && !(text.len && memchr(text.data, '\0', text.len)) && character_count(text) <= 500)
			continue;
		field_error_add(errors, member_pointer(pointer, name, errors->arena), "wrong_type",
		                "must be a text of at most 500 characters, its name one of 1 to 100 without a colon");
		good = false;
	}
	return good;
}

static const char *
type_name(enum field_type type)
{
	static const char *const names[] = {[FIELD_TEXT] = "must be a string",
	                                    [FIELD_INT] = "must be a whole number",
	                                    [FIELD_NUMBER] = "must be a number",
	                                    [FIELD_BOOL] = "must be true or false",
	                                    [FIELD_UUID] = "must be a string",
	                                    [FIELD_TIME] = "must be a string",
	                                    [FIELD_JSON] = "",
	                                    [FIELD_OBJECT] = "must be an object",
	                                    [FIELD_TEXTS] = "must be an object",
	                                    [FIELD_ARRAY] = "must be an array"};

	return names[type];
}

static enum json_type
json_type_of(enum field_type type)
{
	static const enum json_type types[] = {
	    [FIELD_TEXT] = JSON_STRING, [FIELD_INT] = JSON_NUMBER,    [FIELD_NUMBER] = JSON_NUMBER,
	    [FIELD_BOOL] = JSON_BOOL,   [FIELD_UUID] = JSON_STRING,   [FIELD_TIME] = JSON_STRING,
	    [FIELD_JSON] = JSON_NULL,   [FIELD_OBJECT] = JSON_OBJECT, [FIELD_TEXTS] = JSON_OBJECT,
	    [FIELD_ARRAY] = JSON_ARRAY};

	return types[type];
}

static bool
check_value(const struct field *field, const struct json *json, int at, const char *pointer,
            struct field_value *value_r, struct field_errors *errors)
{
	const char *fault = NULL;

	*value_r = (struct field_value){json_raw(json, at), at};
	if (field->type == FIELD_JSON)
		return true;
	if (json_type(json, at) != json_type_of(field->type)) {
		field_error_add(errors, pointer, "wrong_type", type_name(field->type));
		return false;
	}
	if (field->type == FIELD_OBJECT)
		return check_object(field, json, at, pointer, errors);
	if (field->type == FIELD_TEXTS)
		return check_texts(field, json, at, pointer, errors);
	if (field->type == FIELD_ARRAY)
		return check_array(field, json, at, pointer, errors);
	if (field->type == FIELD_INT)
		fault = int_fault(field, json, at, errors->arena);
	else if (field->type == FIELD_NUMBER)
		fault = number_fault(field, json, at, errors->arena);
	else if (field->type != FIELD_BOOL) {
		value_r->text = json_string(json, at, errors->arena);
		fault = text_fault(field, value_r->text, errors->arena);
	}
	if (fault)
		field_error_add(errors, pointer, field->choices ? "not_a_choice" : "out_of_range", fault);
	return !fault;
}

static bool
check_member(const struct field *fields, const struct json *json, int key, bool open, const char *prefix,
             struct field_value *values, struct field_errors *errors)
{
	struct slice name = json_string(json, key, errors->arena);
	int index = field_find(fields, name);
	int value = json_value(json, key);

	if (index < 0) {
		if (!open)
			field_error_add(errors, member_pointer(prefix, name, errors->arena), "unknown_field",
			                "is not a field of this object");
		return open;
	}
	if (values[index].token != JSON_NONE) {
		field_error_add(errors, member_pointer(prefix, name, errors->arena), "duplicate_field", "is there twice");
		return false;
	}
	values[index].token = value;
	/* null means absent, except where null itself is the payload. */
	if (json_type(json, value) == JSON_NULL && fields[index].type != FIELD_JSON)
		return true;
	return check_value(&fields[index], json, value, member_pointer(prefix, name, errors->arena), &values[index],
	                   errors);
}

bool
field_check_object(const struct field *fields, const struct json *json, int at, bool open, const char *prefix,
                   struct field_value *values_r, struct field_errors *errors)
{
	int count = field_count(fields);
	bool good = true;

	INVARIANT(count <= FIELD_COUNT_MAX);
	for (int i = 0; i < count; i++)
		values_r[i] = (struct field_value){SLICE_NONE, JSON_NONE};
	for (int key = json_first(json, at); key != JSON_NONE; key = json_next(json, at, key))
		good = check_member(fields, json, key, open, prefix, values_r, errors) && good;
	for (int i = 0; i < count; i++)
		if (fields[i].required && !values_r[i].text.data && values_r[i].token == JSON_NONE) {
			field_error_add(errors, member_pointer(prefix, slice_of(fields[i].name), errors->arena), "required",
			                "is required");
			good = false;
		} else if (fields[i].required && !values_r[i].text.data) {
			field_error_add(errors, member_pointer(prefix, slice_of(fields[i].name), errors->arena), "required",
			                "must not be null");
			good = false;
		}
	field_fallbacks(fields, values_r);
	return good;
}

void
field_fallbacks(const struct field *fields, struct field_value *values)
{
	for (int i = 0; fields && fields[i].name; i++)
		if (!values[i].text.data && fields[i].fallback)
			values[i].text = slice_of(fields[i].fallback);
}

bool
field_check_text(const struct field *field, struct slice text, struct field_value *value_r, struct field_errors *errors)
{
	const char *fault = NULL;
	const char *pointer = field->name;
	struct json json;
	struct json_error error;

	*value_r = (struct field_value){text, 0};
	if (field->type == FIELD_INT || field->type == FIELD_NUMBER || field->type == FIELD_BOOL) {
		/* JSON would let blanks stand around the value. */
		if (!json_parse(errors->arena, text, &json, &error) || json_type(&json, 0) != json_type_of(field->type) ||
		    json_raw(&json, 0).len != text.len)
			fault = type_name(field->type);
		else if (field->type == FIELD_INT)
			fault = int_fault(field, &json, 0, errors->arena);
		else if (field->type == FIELD_NUMBER)
			fault = number_fault(field, &json, 0, errors->arena);
	} else {
		fault = text_fault(field, text, errors->arena);
	}
	if (fault)
		field_error_add(errors, pointer, field->choices ? "not_a_choice" : "out_of_range", fault);
	return !fault;
}
