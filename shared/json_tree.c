/* json_tree.c - see json_tree.h. The parser allows JSON_DEPTH_MAX levels, so that recursion is bounded. */
#include "json_tree.h"

static int
order_slices(struct slice a, struct slice b)
{
	size_t common = MIN(a.len, b.len);
	int order = common ? memcmp(a.data, b.data, common) : 0;

	return order ? order : (a.len > b.len) - (a.len < b.len);
}

static int
order_names(const void *left, const void *right)
{
	const struct json_tree *a = left, *b = right;

	return order_slices(a->name, b->name);
}

void
json_tree_build(const struct json *json, int at, struct arena *arena, struct json_tree *value_r)
{
	struct json_tree *item;

	value_r->type = json_type(json, at);
	value_r->count = json_size(json, at);
	if (value_r->type == JSON_STRING)
		value_r->text = json_string(json, at, arena);
	value_r->truth = json_bool(json, at, &value_r->truth) && value_r->truth;
	value_r->whole = json_int(json, at, &value_r->integer);
	value_r->finite = json_double(json, at, &value_r->number);
	if (!value_r->count)
		return;
	value_r->items = item = arena_zero(arena, (size_t)value_r->count * sizeof(*item));
	for (int i = json_first(json, at); i != JSON_NONE; i = json_next(json, at, i), item++) {
		bool member = value_r->type == JSON_OBJECT;
		if (member)
			item->name = json_string(json, i, arena);
		json_tree_build(json, member ? json_value(json, i) : i, arena, item);
	}
	if (value_r->type == JSON_OBJECT)
		qsort(value_r->items, (size_t)value_r->count, sizeof(*item), order_names);
}

const struct json_tree *
json_tree_member(const struct json_tree *object, struct slice name)
{
	const struct json_tree wanted = {.name = name};
	const struct json_tree *items = object->items, *found = NULL;
	size_t count = (size_t)object->count, at;

	if (object->type == JSON_OBJECT && count)
		found = bsearch(&wanted, items, count, sizeof(*items), order_names);
	if (!found)
		return NULL;
	at = (size_t)(found - items);
	if ((at > 0 && slice_equal(items[at - 1].name, name)) || (at + 1 < count && slice_equal(items[at + 1].name, name)))
		return NULL;
	return found;
}

const struct json_tree *
json_tree_element(const struct json_tree *array, struct slice step)
{
	int index = 0;

	if (step.len == 0 || (step.len > 1 && step.data[0] == '0'))
		return NULL;
	for (size_t i = 0; i < step.len; i++) {
		if (step.data[i] < '0' || step.data[i] > '9' || index >= array->count)
			return NULL;
		index = index * 10 + (step.data[i] - '0');
	}
	return index < array->count ? &array->items[index] : NULL;
}

bool
json_tree_order(const struct json_tree *a, const struct json_tree *b, int *order_r)
{
	if (a->type == JSON_STRING && b->type == JSON_STRING)
		*order_r = order_slices(a->text, b->text);
	else if (a->whole && b->whole)
		*order_r = (a->integer > b->integer) - (a->integer < b->integer);
	else if (a->finite && b->finite)
		*order_r = (a->number > b->number) - (a->number < b->number);
	else
		return false;
	return true;
}

bool
json_tree_equal(const struct json_tree *a, const struct json_tree *b)
{
	int order;

	if (a->type != b->type || a->count != b->count)
		return false;
	if (a->type == JSON_STRING)
		return slice_equal(a->text, b->text); /* looks at the lengths first */
	if (a->type == JSON_NUMBER)
		return json_tree_order(a, b, &order) && order == 0;
	for (int i = 0; i < a->count; i++)
		if (!slice_equal(a->items[i].name, b->items[i].name) || !json_tree_equal(&a->items[i], &b->items[i]))
			return false;
	return a->truth == b->truth;
}
