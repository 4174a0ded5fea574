/*
 * json_tree.h - a parsed JSON text as a tree of values that can be compared.
 *
 * Every string is unescaped and the members of every object are sorted, once, so that comparing two values takes no
 * longer than the smaller of them is. Objects compare without regard to the order of their members. Integers of 64 bits
 * compare exactly, other numbers as doubles; a number that is not finite as a double equals nothing. Pure; nothing
 * blocks; memory comes from the arena, and strings may point into the parsed text.
 */
#ifndef AGENTD_JSON_TREE_H
#define AGENTD_JSON_TREE_H

#include "arena.h"
#include "base.h"
#include "json_read.h"

struct json_tree {
	enum json_type type;
	bool truth;        /* of true and false */
	bool whole;        /* a number that integer holds */
	bool finite;       /* a number that number holds, rounded or not */
	struct slice name; /* when it is a member of an object */
	struct slice text; /* of a string */
	int64_t integer;
	double number;
	struct json_tree *items; /* elements; members, sorted by their names */
	int count;
};

/* value_r must be zero. Takes n log n in the members of an object, else linear time. */
void json_tree_build(const struct json *json, int at, struct arena *arena, struct json_tree *value_r);
/* The member of an object; NULL when it is none, has none of this name, or has two. */
const struct json_tree *json_tree_member(const struct json_tree *object, struct slice name);
/*
 * The element of an array by its index as RFC 6901, section 4 writes it: digits without leading zeros; NULL when it is
 * not there. "-" is the element after the last one, which never is.
 */
const struct json_tree *json_tree_element(const struct json_tree *array, struct slice step);
/* Strings order by their bytes. False when there is no order: not two strings nor two numbers that can be read. */
MUST_CHECK bool json_tree_order(const struct json_tree *a, const struct json_tree *b, int *order_r);
/* An object that has a key twice must not stand on both sides. */
MUST_CHECK bool json_tree_equal(const struct json_tree *a, const struct json_tree *b);

#endif
