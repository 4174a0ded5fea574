/* route.c - see route.h. A literal segment wins over a placeholder. */
#include "route.h"

enum { NODES_MAX = 256 };

struct node {
	struct slice segment; /* absent: a placeholder */
	struct node *child;
	struct node *sibling;
	const struct endpoint *endpoints[HTTP_METHOD_COUNT];
	uint32_t allowed;
};

static struct node nodes[NODES_MAX];
static int node_count;

static struct slice
next_segment(struct slice *rest)
{
	struct slice segment;
	const char *end;

	rest->data++; /* the slash */
	rest->len--;
	end = memchr(rest->data, '/', rest->len);
	segment = (struct slice){rest->data, end ? (size_t)(end - rest->data) : rest->len};
	rest->data += segment.len;
	rest->len -= segment.len;
	return segment;
}

static struct node *
add_child(struct node *parent, struct slice segment)
{
	bool placeholder = segment.len > 0 && segment.data[0] == '{';
	struct node **at = &parent->child;

	for (; *at; at = &(*at)->sibling)
		if (placeholder ? !(*at)->segment.data : slice_equal((*at)->segment, segment))
			return *at;
	INVARIANT(node_count < NODES_MAX);
	*at = &nodes[node_count++];
	(*at)->segment = placeholder ? SLICE_NONE : segment;
	return *at;
}

void
route_init(void)
{
	if (node_count)
		return;
	node_count = 1;
	for (int i = 0; i < endpoint_count; i++) {
		const struct endpoint *endpoint = &endpoint_table[i];
		struct slice rest = slice_of(endpoint->path);
		struct node *node = &nodes[0];

		while (rest.len > 0)
			node = add_child(node, next_segment(&rest));
		INVARIANT(!node->endpoints[endpoint->method]);
		node->endpoints[endpoint->method] = endpoint;
		node->allowed |= 1u << endpoint->method;
	}
}

static const struct node *
find_child(const struct node *parent, struct slice segment)
{
	const struct node *placeholder = NULL;

	for (const struct node *child = parent->child; child; child = child->sibling) {
		if (!child->segment.data)
			placeholder = child;
		else if (slice_equal(child->segment, segment))
			return child;
	}
	return segment.len ? placeholder : NULL;
}

void
route_find(enum http_method method, struct slice path, struct route *route_r)
{
	const struct node *node = &nodes[0];
	int count = 0;

	*route_r = (struct route){0};
	while (path.len > 0 && node) {
		struct slice segment = next_segment(&path);
		node = find_child(node, segment);
		if (node && !node->segment.data && count < ENDPOINT_PATH_MAX)
			route_r->values[count++] = segment;
	}
	if (!node || !node->allowed)
		return;
	route_r->allowed = node->allowed;
	route_r->endpoint = method < HTTP_METHOD_COUNT ? node->endpoints[method] : NULL;
}
