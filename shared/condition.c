/*
 * condition.c - see condition.h. Both texts become trees of values, and the condition's tree a tree of nodes; judging
 * only walks them. A condition is read strictly: it has no key twice, and no NUL in a string.
 */
#include "condition.h"

#include "json_read.h"
#include "json_tree.h"
#include "utf8.h"

/* --- reading a condition --- */

enum op { OP_EQ, OP_NE, OP_LT, OP_LE, OP_GT, OP_GE, OP_IN, OP_CONTAINS, OP_EXISTS, OP_ABSENT, OP_COUNT };

static const char *const op_names[OP_COUNT] = {
    [OP_EQ] = "eq",         [OP_NE] = "ne",         [OP_LT] = "lt", [OP_LE] = "le",
    [OP_GT] = "gt",         [OP_GE] = "ge",         [OP_IN] = "in", [OP_CONTAINS] = "contains",
    [OP_EXISTS] = "exists", [OP_ABSENT] = "absent",
};

enum kind { KIND_ALL, KIND_ANY, KIND_NOT, KIND_LEAF };

static const char *const kind_names[] = {[KIND_ALL] = "all", [KIND_ANY] = "any", [KIND_NOT] = "not"};

struct node {
	enum kind kind;
	struct node **inner; /* of all, any and not */
	int count;
	struct slice task; /* the rest: of a leaf */
	struct slice path;
	enum op op;
	const struct json_tree *value;
};

struct reader {
	struct arena *arena;
	struct condition_report *report;
};

/* Always NULL, for the caller to return. */
static struct node *
complain(struct reader *reader, const char *pointer, const char *code, const char *detail)
{
	struct condition_report *report = reader->report;

	report->pointer = pointer;
	report->code = code;
	report->detail = detail;
	return NULL;
}

static struct node *
complain_too_many(struct reader *reader, const char *pointer)
{
	return complain(reader, pointer, "too_many",
	                arena_printf(reader->arena, "one condition names tasks at most %d times", CONDITION_LEAVES_MAX));
}

static const char *
pointer_to(struct reader *reader, const char *pointer, const char *member)
{
	return arena_printf(reader->arena, "%s/%s", pointer, member);
}

/* A name that somebody else chose, as a step of a pointer; long ones are cut between two characters. */
static const char *
pointer_to_name(struct reader *reader, const char *pointer, struct slice name)
{
	char escaped[200];
	size_t length = 0, step;

	for (size_t i = 0; i < name.len && length + UTF8_MAX < sizeof(escaped); i += step) {
		step = utf8_length(name.data + i, name.len - i);
		INVARIANT(step > 0);
		if (name.data[i] == '~' || name.data[i] == '/') {
			escaped[length++] = '~';
			escaped[length++] = name.data[i] == '~' ? '0' : '1';
		} else {
			memcpy(escaped + length, name.data + i, step);
			length += step;
		}
	}
	return arena_printf(reader->arena, "%s/%.*s", pointer, (int)length, escaped);
}

/* Like json_tree_member(), but null means absent, as everywhere in a request. */
static const struct json_tree *
find_option(const struct json_tree *object, struct slice name)
{
	const struct json_tree *found = json_tree_member(object, name);

	return found && found->type != JSON_NULL ? found : NULL;
}

static bool
is_pointer(struct slice text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.data[i] == '~' && (i + 1 == text.len || (text.data[i + 1] != '0' && text.data[i + 1] != '1')))
			return false;
	return text.len == 0 || text.data[0] == '/';
}

static bool
read_op(const struct json_tree *text, bool has_value, enum op *op_r)
{
	*op_r = has_value ? OP_EQ : OP_EXISTS;
	if (!text)
		return true;
	for (*op_r = 0; text->type == JSON_STRING && *op_r < OP_COUNT; ++*op_r)
		if (slice_is(text->text, op_names[*op_r]))
			return true;
	return false;
}

/* What is wrong with the value of a leaf for its op, or NULL; *code_r goes with it. */
static const char *
value_fault(enum op op, const struct json_tree *value, const char **code_r)
{
	bool needed = op != OP_EXISTS && op != OP_ABSENT;

	if (!value) {
		*code_r = "required";
		return needed ? "this op needs a value to compare with" : NULL;
	}
	*code_r = "wrong_type";
	if (!needed)
		return "exists and absent take no value: what is null or not there is absent, all else exists";
	if ((op == OP_EQ || op == OP_NE) && value->type == JSON_NULL)
		return "null counts as not there: use op exists or absent";
	if (op == OP_IN && value->type != JSON_ARRAY)
		return "must be an array: in looks for the output among its elements";
	if (op >= OP_LT && op <= OP_GE && value->type != JSON_NUMBER && value->type != JSON_STRING)
		return "must be a number or a string: lt, le, gt and ge know no order of anything else";
	return NULL;
}

static struct node *
read_leaf(struct reader *reader, const struct json_tree *object, const char *pointer, struct node *node)
{
	const struct json_tree *task = find_option(object, SLICE("task")), *path = find_option(object, SLICE("path"));
	struct condition_report *report = reader->report;
	const char *fault, *code, *task_pointer = pointer_to(reader, pointer, "task");

	if (!task)
		return complain(reader, task_pointer, "required",
		                "a condition names the task whose output it looks at, or it is all, any or not");
	if (task->type != JSON_STRING || task->text.len == 0)
		return complain(reader, task_pointer, "wrong_type", "must be the key of a task that this one depends on");
	if (report->count == CONDITION_LEAVES_MAX)
		return complain_too_many(reader, pointer);
	report->tasks[report->count++] = (struct condition_task){task->text, task_pointer};
	if (path && (path->type != JSON_STRING || !is_pointer(path->text)))
		return complain(reader, pointer_to(reader, pointer, "path"), "wrong_type",
		                "must be a JSON pointer (RFC 6901): \"\", or \"/\" before each step, ~1 for / and ~0 for ~");
	node->value = json_tree_member(object, SLICE("value"));
	if (!read_op(find_option(object, SLICE("op")), node->value, &node->op))
		return complain(reader, pointer_to(reader, pointer, "op"), "not_a_choice",
		                "must be one of eq, ne, lt, le, gt, ge, in, contains, exists, absent");
	fault = value_fault(node->op, node->value, &code);
	if (fault)
		return complain(reader, pointer_to(reader, pointer, "value"), code, fault);
	node->task = task->text;
	node->path = path ? path->text : SLICE("");
	return node;
}

static struct node *read_node(struct reader *reader, const struct json_tree *value, const char *pointer, int depth);

/* pointer is of what all, any or not stands before. An empty all or any is more likely a mistake than meant. */
static struct node *
read_inner(struct reader *reader, const struct json_tree *value, const char *pointer, int depth, struct node *node)
{
	bool list = node->kind != KIND_NOT;

	if (depth == CONDITION_DEPTH_MAX)
		return complain(
		    reader, pointer, "out_of_range",
		    arena_printf(reader->arena, "all, any and not stand in one another at most %d deep", CONDITION_DEPTH_MAX));
	if (list && (value->type != JSON_ARRAY || value->count == 0))
		return complain(reader, pointer, "wrong_type", "must be an array of at least one condition");
	if (list && value->count > CONDITION_LEAVES_MAX)
		return complain_too_many(reader, pointer);
	node->count = list ? value->count : 1;
	node->inner = arena_zero(reader->arena, (size_t)node->count * sizeof(*node->inner));
	for (int i = 0; i < node->count; i++) {
		const char *inner = list ? arena_printf(reader->arena, "%s/%d", pointer, i) : pointer;
		node->inner[i] = read_node(reader, list ? &value->items[i] : value, inner, depth + 1);
		if (!node->inner[i])
			return NULL;
	}
	return node;
}

static bool
is_known(enum kind kind, struct slice name)
{
	if (kind != KIND_LEAF)
		return slice_is(name, kind_names[kind]);
	return slice_is(name, "task") || slice_is(name, "path") || slice_is(name, "op") || slice_is(name, "value");
}

static struct node *
read_node(struct reader *reader, const struct json_tree *value, const char *pointer, int depth)
{
	struct node *node = arena_zero(reader->arena, sizeof(*node));

	if (value->type != JSON_OBJECT)
		return complain(reader, pointer, "wrong_type", "a condition is an object with a task, or with all, any or not");
	while (node->kind < KIND_LEAF && !json_tree_member(value, slice_of(kind_names[node->kind])))
		node->kind++;
	for (int i = 0; i < value->count; i++)
		if (!is_known(node->kind, value->items[i].name))
			return complain(reader, pointer_to_name(reader, pointer, value->items[i].name), "unknown_field",
			                node->kind == KIND_LEAF
			                    ? "is not part of a condition: task, path, op and value are, or all, any or not alone"
			                    : "does not belong here: all, any and not each stand alone in their object");
	if (node->kind == KIND_LEAF)
		return read_leaf(reader, value, pointer, node);
	return read_inner(reader, &value->items[0], pointer_to(reader, pointer, kind_names[node->kind]), depth, node);
}

static struct node *
read_condition(struct slice text, struct arena *arena, struct condition_report *report_r)
{
	struct reader reader = {arena, report_r};
	struct json_error error;
	struct json_tree root = {0}; /* nodes refer to what is below it only */
	struct json json;

	*report_r = (struct condition_report){0};
	if (!json_parse(arena, text.data ? text : SLICE(""), &json, &error))
		return complain(&reader, "", "not_json", error.reason);
	json_tree_build(&json, 0, arena, &root);
	return read_node(&reader, &root, "", 0);
}

bool
condition_check(struct slice text, struct arena *arena, struct condition_report *report_r)
{
	return read_condition(text, arena, report_r) != NULL;
}

/* --- judging --- */

/* The next step of a pointer, unescaped; *path is what follows it. */
static struct slice
take_step(struct slice *path, struct arena *arena)
{
	const char *start = path->data + 1, *end = memchr(start, '/', path->len - 1);
	size_t length = end ? (size_t)(end - start) : path->len - 1;
	char *step = arena_alloc(arena, length);
	size_t filled = 0;

	for (size_t i = 0; i < length; i++)
		if (start[i] == '~')
			step[filled++] = start[++i] == '0' ? '~' : '/';
		else
			step[filled++] = start[i];
	*path = (struct slice){start + length, path->len - 1 - length};
	return (struct slice){step, filled};
}

/* What a leaf looks at; NULL when it is not there or null. */
static const struct json_tree *
find_subject(const struct node *node, const struct json_tree *outputs, struct arena *arena)
{
	const struct json_tree *found = json_tree_member(outputs, node->task);
	struct slice path = node->path;

	while (found && path.len) {
		struct slice step = take_step(&path, arena);
		found = found->type == JSON_ARRAY ? json_tree_element(found, step) : json_tree_member(found, step);
	}
	return found && found->type != JSON_NULL ? found : NULL;
}

static bool
has_element(const struct json_tree *array, const struct json_tree *wanted)
{
	for (int i = 0; array->type == JSON_ARRAY && i < array->count; i++)
		if (json_tree_equal(&array->items[i], wanted))
			return true;
	return false;
}

static bool
contains(const struct json_tree *subject, const struct json_tree *wanted)
{
	if (subject->type == JSON_STRING && wanted->type == JSON_STRING)
		return memmem(subject->text.data, subject->text.len, wanted->text.data, wanted->text.len);
	return has_element(subject, wanted);
}

static bool
judge_order(enum op op, const struct json_tree *subject, const struct json_tree *value)
{
	int order;

	if (!json_tree_order(subject, value, &order))
		return false;
	return op == OP_LT ? order < 0 : op == OP_LE ? order <= 0 : op == OP_GT ? order > 0 : order >= 0;
}

static bool
judge_leaf(const struct node *node, const struct json_tree *outputs, struct arena *arena)
{
	const struct json_tree *subject = find_subject(node, outputs, arena);

	if (!subject)
		return node->op == OP_ABSENT || node->op == OP_NE;
	switch (node->op) {
	case OP_EQ:
		return json_tree_equal(subject, node->value);
	case OP_NE:
		return !json_tree_equal(subject, node->value);
	case OP_IN:
		return has_element(node->value, subject);
	case OP_CONTAINS:
		return contains(subject, node->value);
	case OP_EXISTS:
		return true;
	case OP_ABSENT:
		return false;
	default:
		return judge_order(node->op, subject, node->value);
	}
}

static bool
judge(const struct node *node, const struct json_tree *outputs, struct arena *arena)
{
	if (node->kind == KIND_LEAF)
		return judge_leaf(node, outputs, arena);
	if (node->kind == KIND_NOT)
		return !judge(node->inner[0], outputs, arena);
	for (int i = 0; i < node->count; i++)
		if (judge(node->inner[i], outputs, arena) != (node->kind == KIND_ALL))
			return node->kind == KIND_ANY;
	return node->kind == KIND_ALL;
}

enum condition_verdict
condition_judge(struct slice condition, struct slice outputs, struct arena *arena, const char **why_r)
{
	enum condition_verdict verdict = CONDITION_BROKEN;
	struct arena scratch = ARENA_EMPTY;
	struct condition_report report;
	struct json_error error;
	struct json_tree root = {0};
	struct json json;
	struct node *node = read_condition(condition, &scratch, &report);

	*why_r = NULL;
	if (!node)
		*why_r = arena_printf(arena, "the condition cannot be read: at \"%s\": %s", report.pointer, report.detail);
	else if (!json_parse_payload(&scratch, outputs.data ? outputs : SLICE("{}"), &json, &error))
		*why_r = arena_printf(arena, "the outputs that the condition looks at cannot be read: %s", error.reason);
	else {
		json_tree_build(&json, 0, &scratch, &root);
		verdict = judge(node, &root, &scratch) ? CONDITION_HOLDS : CONDITION_FAILS;
	}
	arena_reset(&scratch);
	return verdict;
}
