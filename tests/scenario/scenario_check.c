/* scenario_check.c - expect and let: what the statement above got. */
#include "base.h"
#include "scenario_run.h"

/* A text of the outside world as JSON: bytes that are not UTF-8 become question marks. */
static json_t *
json_of(struct slice text)
{
	json_t *value = text.data ? json_stringn(text.data, text.len) : NULL;
	char *copy;

	if (value || !text.data)
		return value;
	copy = mem_alloc(text.len);
	for (size_t i = 0; i < text.len; i++)
		copy[i] = (unsigned char)text.data[i] < 0x80 ? text.data[i] : '?';
	value = json_stringn(copy, text.len);
	free(copy);
	return value;
}

static bool
get_json(struct scenario *scenario, const char *path, json_t **value_r)
{
	const char *why = json_path_error(path);

	if (why)
		return failure_set(&scenario->failure, 0, "the path %s cannot be read: %s", path, why);
	if (!scenario->answer_json)
		return failure_set(&scenario->failure, 0, "expected a JSON body with %s, saw a body that is no JSON: %s", path,
		                   scenario->answer_why);
	*value_r = json_path_get(scenario->answer_json, path);
	return true;
}

/* The value the condition is about, NULL when absent, and how messages call it. */
static bool
get_subject(struct scenario *scenario, const struct condition *condition, json_t **value_r, const char **called_r)
{
	static const char *const names[] = {[SUBJECT_STATUS] = "status",
	                                    [SUBJECT_BODY] = "body",
	                                    [SUBJECT_STDOUT] = "stdout",
	                                    [SUBJECT_STDERR] = "stderr",
	                                    [SUBJECT_RESULT] = "result"};
	bool of_answer = condition->subject <= SUBJECT_BODY;
	struct slice name;

	*value_r = NULL;
	if (of_answer && !scenario->answer_line)
		return failure_set(&scenario->failure, 0, "there was no answer yet");
	if (condition->name && !scenario_text(scenario, condition->name, &name))
		return false;
	switch (condition->subject) {
	case SUBJECT_JSON:
		*called_r = name.data;
		return get_json(scenario, name.data, value_r);
	case SUBJECT_HEADER:
		*called_r = arena_printf(&scenario->arena, "header %s", name.data);
		*value_r = json_of(answer_header(&scenario->answer, name, &scenario->arena));
		return true;
	case SUBJECT_STATUS:
		*value_r = json_integer(scenario->answer.status);
		break;
	case SUBJECT_BODY:
		*value_r = json_of(scenario->answer.body);
		break;
	case SUBJECT_STDOUT:
		*value_r = json_of(slice_of(scenario->output));
		break;
	case SUBJECT_STDERR:
		*value_r = json_of(slice_of(scenario->errors));
		break;
	case SUBJECT_RESULT:
		*value_r = json_of(slice_of(scenario->result));
		break;
	}
	*called_r = names[condition->subject];
	return true;
}

static bool
mismatch(struct scenario *scenario, const struct condition *condition, const char *called, const char *right,
         const json_t *seen)
{
	char *text = seen ? json_dumps(seen, JSON_ENCODE_ANY | JSON_COMPACT) : mem_string("nothing");
	const char *quote = condition->right && condition->right->quoted ? "\"" : "";

	failure_set(&scenario->failure, 0, "expected %s %s%s%s%.1000s%s, saw %.1500s", called,
	            compare_name(condition->compare), condition->right ? " " : "", quote, right, quote, text);
	free(text);
	return false;
}

bool
check_condition(struct scenario *scenario, const struct condition *condition)
{
	struct slice right = {"", 0};
	const char *called = NULL, *why;
	json_t *seen;
	bool holds;

	if (condition->right && !scenario_text(scenario, condition->right, &right))
		return false;
	why = condition->right ? json_compare_error(condition->compare, right.data, condition->as) : NULL;
	if (why)
		return failure_set(&scenario->failure, 0, "%s: %s", right.data, why);
	if (!get_subject(scenario, condition, &seen, &called))
		return false;
	holds = json_compare(seen, condition->compare, right.data, condition->as) ||
	        mismatch(scenario, condition, called, right.data, seen);
	json_decref(seen);
	return holds;
}

bool
check_expect(struct scenario *scenario, const struct statement *statement)
{
	return check_condition(scenario, statement->condition);
}

bool
check_let(struct scenario *scenario, const struct statement *statement)
{
	const char *called = NULL;
	json_t *seen;
	char *text;

	if (!get_subject(scenario, statement->condition, &seen, &called))
		return false;
	if (!seen)
		return failure_set(&scenario->failure, 0, "expected %s to keep as $%s, saw nothing", called, statement->name);
	text = json_text(seen);
	variables_set(&scenario->variables, statement->name, slice_of(text));
	free(text);
	json_decref(seen);
	return true;
}
