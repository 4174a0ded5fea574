/*
 * workflow_graph.c - agentctl workflow graph: the tasks as a tree for people, as DOT for graphviz, or as JSON.
 *
 * The tree shows each task once, below the last of those that it waits for (the one on the longest way from a
 * beginning); what else it waits for is named beside it.
 */
#include "base.h"

#include "command.h"
#include "http.h"
#include "output.h"
#include "text.h"
#include "workflow.h"

struct node {
	const json_t *json;
	const char *id, *key;
	int depth;  /* edges on the longest way from a beginning */
	int parent; /* index of the node that it is drawn below; -1: none */
};

struct graph {
	const struct ctl *ctl;
	struct node *nodes;
	int count;
	const json_t *edges;
};

/* The index of the node at the edge's end ("from" or "to"), -1: the server named none that is here. */
static int
end_of(const struct graph *graph, const json_t *edge, const char *end)
{
	const char *id = output_string(edge, end, NULL);

	for (int i = 0; id && i < graph->count; i++)
		if (strcmp(graph->nodes[i].id, id) == 0)
			return i;
	return -1;
}

static bool
is_revision(const json_t *edge)
{
	return strcmp(output_string(edge, "kind", "dependency"), "revision") == 0;
}

/* Longest ways: as many rounds as there are nodes are enough, and end even if the server sent a circle. */
static void
place(struct graph *graph)
{
	json_t *edge;
	size_t i;
	bool moved = true;

	for (int round = 0; moved && round < graph->count; round++) {
		moved = false;
		json_array_foreach(graph->edges, i, edge)
		{
			int from = end_of(graph, edge, "from"), to = end_of(graph, edge, "to");

			if (is_revision(edge) || from < 0 || to < 0 || from == to)
				continue;
			if (graph->nodes[to].depth < graph->nodes[from].depth + 1) {
				graph->nodes[to].depth = graph->nodes[from].depth + 1;
				graph->nodes[to].parent = from;
				moved = true;
			}
		}
	}
}

static bool
read_graph(const struct ctl *ctl, const json_t *answer, struct graph *graph_r)
{
	const json_t *nodes = json_object_get(answer, "nodes");

	*graph_r = (struct graph){ctl, NULL, (int)json_array_size(nodes), json_object_get(answer, "edges")};
	if (!json_is_array(nodes) || !json_is_array(graph_r->edges)) {
		output_error(CTL_FAILED, "cannot draw the graph.",
		             "the answer has no nodes and edges; is the server an agentd?", "agentctl status");
		return false;
	}
	graph_r->nodes = mem_zero(sizeof(*graph_r->nodes) * (size_t)MAX(graph_r->count, 1));
	for (int i = 0; i < graph_r->count; i++) {
		const json_t *json = json_array_get(nodes, (size_t)i);

		const char *id = output_string(json, "id", "?");

		graph_r->nodes[i] = (struct node){json, id, output_string(json, "key", id), 0, -1};
	}
	place(graph_r);
	return true;
}

static void
print_text(const char *before, const char *text)
{
	char *safe = text_escape(text, strlen(text));

	printf("%s%s", before, safe);
	free(safe);
}

/* "also after a, b" and "may send back to a". */
static void
print_edges(const struct graph *graph, int index)
{
	json_t *edge;
	size_t i;
	bool first = true;

	json_array_foreach(graph->edges, i, edge)
	{
		int from = end_of(graph, edge, "from");

		if (is_revision(edge) || from < 0 || from == graph->nodes[index].parent || end_of(graph, edge, "to") != index)
			continue;
		print_text(first ? "  also after " : ", ", graph->nodes[from].key);
		first = false;
	}
	json_array_foreach(graph->edges, i, edge)
	{
		int to = end_of(graph, edge, "to");

		if (is_revision(edge) && to >= 0 && end_of(graph, edge, "from") == index)
			print_text("  may send back to ", graph->nodes[to].key);
	}
}

static void
print_node(const struct graph *graph, int index)
{
	static const struct output_field status_field = {"", "status", OUTPUT_STATUS, false, 0};
	const json_t *json = graph->nodes[index].json;
	char *status = output_cell(json, &status_field);
	const char *colour = graph->ctl->colour ? output_colour(status) : "";
	const char *role = output_string(json, "role", NULL);
	int round = (int)json_number_value(json_object_get(json, "round"));

	print_text("", graph->nodes[index].key);
	if (role) {
		print_text(" (", role);
		putchar(')');
	}
	printf("  %s%s%s", colour, json_is_true(json_object_get(json, "skipped")) ? "skipped" : status,
	       *colour ? OUTPUT_PLAIN : "");
	if (round > 1)
		printf(", round %d", round);
	if (json_is_true(json_object_get(json, "approval")))
		fputs(", decided by a person", stdout);
	print_edges(graph, index);
	if (graph->ctl->format == CTL_WIDE)
		print_text("  ", output_string(json, "id", "-"));
	putchar('\n');
	free(status);
}

static int
next_child(const struct graph *graph, int parent, int after)
{
	for (int i = after + 1; i < graph->count; i++)
		if (graph->nodes[i].parent == parent)
			return i;
	return -1;
}

/* The children of a node, each with its own; prefix is what stands before every line. */
static void
print_children(const struct graph *graph, int parent, const char *prefix)
{
	int next, child = next_child(graph, parent, -1);

	for (; child >= 0; child = next) {
		char *longer = NULL;

		next = next_child(graph, parent, child);
		printf("%s%s ", prefix, next >= 0 ? "├─" : "└─");
		print_node(graph, child);
		INVARIANT(asprintf(&longer, "%s%s", prefix, next >= 0 ? "│  " : "   ") >= 0);
		/* Each step down is deeper, so that a circle cannot hold us. */
		if (graph->nodes[child].depth > graph->nodes[parent].depth)
			print_children(graph, child, longer);
		free(longer);
	}
}

static void
print_tree(const struct graph *graph, const json_t *answer)
{
	static const struct output_field status_field = {"", "status", OUTPUT_STATUS, false, 0};
	char *status = output_cell(answer, &status_field);
	const char *colour = graph->ctl->colour ? output_colour(status) : "";

	print_text("workflow ", output_string(answer, "id", graph->ctl->args.items[0]));
	printf("  %s%s%s\n", colour, status, *colour ? OUTPUT_PLAIN : "");
	for (int i = 0; i < graph->count; i++)
		if (graph->nodes[i].parent < 0) {
			print_node(graph, i);
			print_children(graph, i, "");
		}
	free(status);
}

/* A text as DOT quotes it: only '"' and '\' are special once control characters are escaped. */
static void
print_quoted(const char *text)
{
	char *safe = text_escape(text, strlen(text));

	putchar('"');
	for (const char *at = safe; *at; at++) {
		if (*at == '"' || *at == '\\')
			putchar('\\');
		putchar(*at);
	}
	putchar('"');
	free(safe);
}

static const char *
dot_colour(const char *status)
{
	static const char *const colours[][2] = {
	    {"completed", "palegreen"}, {"processing", "lightblue"}, {"retrying", "khaki"}, {"failed", "lightpink"},
	    {"dead", "lightpink"},      {"cancelled", "gray80"},     {"pending", "white"},  {"blocked", "gray95"},
	};

	for (size_t i = 0; i < ARRAY_LENGTH(colours); i++)
		if (strcmp(colours[i][0], status) == 0)
			return colours[i][1];
	return "white";
}

static void
print_dot(const struct graph *graph, const json_t *answer)
{
	json_t *edge;
	size_t i;

	fputs("digraph ", stdout);
	print_quoted(output_string(answer, "id", "workflow"));
	fputs(" {\n\tnode [shape=box, style=filled];\n", stdout);
	for (int at = 0; at < graph->count; at++) {
		const json_t *json = graph->nodes[at].json;
		const char *status = output_string(json, "status", "?");

		putchar('\t');
		print_quoted(graph->nodes[at].key);
		printf(" [fillcolor=%s, tooltip=", dot_colour(status));
		print_quoted(status);
		fputs("];\n", stdout);
	}
	json_array_foreach(graph->edges, i, edge)
	{
		int from = end_of(graph, edge, "from"), to = end_of(graph, edge, "to");

		if (from < 0 || to < 0)
			continue;
		putchar('\t');
		print_quoted(graph->nodes[from].key);
		fputs(" -> ", stdout);
		print_quoted(graph->nodes[to].key);
		puts(is_revision(edge) ? " [style=dashed, constraint=false, label=\"revision\"];" : ";");
	}
	puts("}");
}

enum ctl_exit
workflow_graph(struct ctl *ctl)
{
	char *path = http_path("/workflows/%s/graph", ctl->args.items[0]);
	json_t *answer = NULL;
	struct graph graph = {0};
	enum ctl_exit code = http_request(ctl, "GET", path, NULL, "cannot get the workflow's graph.", &answer);

	free(path);
	if (code == CTL_DONE && (ctl_flag(ctl, OPTION_DOT) || ctl->format <= CTL_WIDE)) {
		if (!read_graph(ctl, answer, &graph))
			code = CTL_FAILED;
		else if (ctl_flag(ctl, OPTION_DOT))
			print_dot(&graph, answer);
		else
			print_tree(&graph, answer);
	} else if (code == CTL_DONE && !output_json(ctl, answer)) {
		json_t *node;
		size_t i;

		json_array_foreach(json_object_get(answer, "nodes"), i, node)
		{
			print_text("", output_string(node, "key", "-"));
			putchar('\n');
		}
	}
	free(graph.nodes);
	json_decref(answer);
	return code;
}
