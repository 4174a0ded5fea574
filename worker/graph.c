/* graph.c - see graph.h. */
#include "graph.h"
#include "buf.h"
#include "condition.h"
#include "json_write.h"
#include "schemas.h"
#include "task_input.h"

#include <uthash.h>

struct node {
	struct slice key;
	struct field_value fields[FIELD_COUNT_MAX];
	int *deps;
	int dep_count;
	struct slice *external; /* keys of tasks that are there already */
	int external_count;
	bool approval;
	int dependents;
	int revision_target; /* index, or -1 */
	int64_t max_rounds;  /* 0: no gate */
	int gate_deps;
	int open; /* dependencies not yet placed, while sorting */
	UT_hash_handle hh;
};

struct graph {
	const struct json *json;
	const char *prefix;
	bool append;
	struct arena *arena;
	struct field_errors *errors;
	struct node *nodes;
	int count;
	int *order; /* topological */
	int revisions;
	struct node *by_key;
};

static struct field_value *
get(struct node *node, const char *name)
{
	int index = field_find(fields_graph_task, slice_of(name));

	INVARIANT(index >= 0);
	return &node->fields[index];
}

static void
complain(struct graph *graph, int index, const char *member, const char *code, const char *detail)
{
	field_error_add(graph->errors, arena_printf(graph->arena, "%s/%d/%s", graph->prefix, index, member), code, detail);
}

static struct node *
find(struct graph *graph, struct slice key)
{
	struct node *node;

	HASH_FIND(hh, graph->by_key, key.data, key.len, node);
	return node;
}

static void
read_nodes(struct graph *graph, int at)
{
	struct field_errors ignored = {.arena = graph->arena}; /* they have been checked before */
	int i = 0;

	for (int token = json_first(graph->json, at); token != JSON_NONE; token = json_next(graph->json, at, token), i++) {
		struct node *node = &graph->nodes[i];
		(void)!field_check_object(fields_graph_task, graph->json, token, false, "", node->fields, &ignored);
		node->key = get(node, "key")->text;
		node->revision_target = -1;
		if (find(graph, node->key))
			complain(graph, i, "key", "duplicate_key", "two tasks have this key");
		else
			HASH_ADD_KEYPTR(hh, graph->by_key, node->key.data, node->key.len, node);
	}
}

static bool
has_dep(const struct node *node, int dep)
{
	for (int i = 0; i < node->dep_count; i++)
		if (node->deps[i] == dep)
			return true;
	return false;
}

static void
add_external(struct node *node, struct slice key)
{
	for (int i = 0; i < node->external_count; i++)
		if (slice_equal(node->external[i], key))
			return;
	node->external[node->external_count++] = key;
}

static bool
depends_on(struct graph *graph, const struct node *node, struct slice key)
{
	const struct node *dep = find(graph, key);

	for (int i = 0; i < node->external_count; i++)
		if (slice_equal(node->external[i], key))
			return true;
	return dep && has_dep(node, (int)(dep - graph->nodes));
}

static void
read_condition(struct graph *graph, int index)
{
	struct node *node = &graph->nodes[index];
	struct slice text = get(node, "condition")->text;
	struct condition_report *report;

	if (!text.data)
		return;
	report = arena_zero(graph->arena, sizeof(*report));
	if (!condition_check(text, graph->arena, report)) {
		complain(graph, index, arena_printf(graph->arena, "condition%s", report->pointer), report->code, report->detail);
		return;
	}
	for (int i = 0; i < report->count; i++)
		if (!depends_on(graph, node, report->tasks[i].name))
			complain(graph, index, arena_printf(graph->arena, "condition%s", report->tasks[i].pointer), "not_a_dependency",
			         "a condition can only look at tasks in depends_on");
}

static void
read_deps(struct graph *graph, int index)
{
	struct node *node = &graph->nodes[index];
	int list = get(node, "depends_on")->token;

	if (list == JSON_NONE || json_type(graph->json, list) != JSON_ARRAY)
		return;
	node->deps = arena_alloc(graph->arena, (size_t)(json_size(graph->json, list) + 1) * sizeof(int));
	node->external = arena_zero(graph->arena, (size_t)(json_size(graph->json, list) + 1) * sizeof(struct slice));
	for (int token = json_first(graph->json, list); token != JSON_NONE; token = json_next(graph->json, list, token)) {
		struct slice key = json_string(graph->json, token, graph->arena);
		struct node *dep = find(graph, key);
		if (!dep && graph->append)
			add_external(node, key);
		else if (!dep)
			complain(graph, index, "depends_on", "unknown_key",
			         arena_printf(graph->arena, "no task has the key %.*s", (int)MIN(key.len, 100), key.data));
		else if (!has_dep(node, (int)(dep - graph->nodes))) {
			node->deps[node->dep_count++] = (int)(dep - graph->nodes);
			dep->dependents++;
		}
	}
}

/* Kahn's algorithm; what cannot be placed is on a cycle or behind one. */
static void
sort(struct graph *graph)
{
	int placed = 0;

	for (int i = 0; i < graph->count; i++)
		if ((graph->nodes[i].open = graph->nodes[i].dep_count) == 0)
			graph->order[placed++] = i;
	for (int done = 0; done < placed; done++)
		for (int i = 0; i < graph->count; i++)
			if (has_dep(&graph->nodes[i], graph->order[done]) && --graph->nodes[i].open == 0)
				graph->order[placed++] = i;
	if (placed == graph->count)
		return;
	for (int i = 0; i < graph->count; i++)
		if (graph->nodes[i].open)
			complain(graph, i, "depends_on", "cycle", "this task depends on itself, directly or through others");
}

/* Marks what can be reached from start along dependencies (up) or against them. */
static bool *
reach(struct graph *graph, int start, bool up)
{
	bool *marked = arena_zero(graph->arena, (size_t)graph->count * sizeof(bool));

	marked[start] = true;
	for (int n = 0; n < graph->count; n++) {
		/* Descendants in topological order, ancestors in reverse: one pass is enough. */
		int i = graph->order[up ? graph->count - 1 - n : n];
		for (int d = 0; d < graph->nodes[i].dep_count; d++) {
			int dep = graph->nodes[i].deps[d];
			if (up && marked[i])
				marked[dep] = true;
			if (!up && marked[dep])
				marked[i] = true;
		}
	}
	return marked;
}

static void
read_gate(struct graph *graph, int index)
{
	struct node *node = &graph->nodes[index];
	int gate = get(node, "gate")->token;
	int target = gate == JSON_NONE                             ? JSON_NONE
	             : json_type(graph->json, gate) == JSON_OBJECT ? json_get(graph->json, gate, "on_revision")
	                                                           : JSON_NONE;
	int rounds = JSON_NONE, approval;
	struct node *found;

	if (gate == JSON_NONE || json_type(graph->json, gate) != JSON_OBJECT)
		return;
	node->max_rounds = 3;
	approval = json_get(graph->json, gate, "approval");
	if (approval != JSON_NONE && json_type(graph->json, approval) == JSON_BOOL)
		(void)!json_bool(graph->json, approval, &node->approval);
	rounds = json_get(graph->json, gate, "max_rounds");
	if (rounds != JSON_NONE && json_type(graph->json, rounds) == JSON_NUMBER)
		(void)!json_int(graph->json, rounds, &node->max_rounds);
	if (target == JSON_NONE || json_type(graph->json, target) != JSON_STRING) {
		node->max_rounds = 1; /* nobody to send it back to: needs_revision refuses */
		return;
	}
	found = find(graph, json_string(graph->json, target, graph->arena));
	if (!found)
		complain(graph, index, "gate/on_revision", "unknown_key", "no task has this key");
	else
		node->revision_target = (int)(found - graph->nodes);
}

static void
write_text(struct json_writer *writer, struct node *node, const char *name)
{
	json_write_member_string(writer, name, get(node, name)->text);
}

static void
write_raw(struct json_writer *writer, struct node *node, const char *name)
{
	json_write_member_raw(writer, name, get(node, name)->text);
}

/* What waits for a person is in nobody's queue. */
static struct slice
queue_of(struct graph *graph, struct node *node)
{
	if (node->approval)
		return SLICE("");
	return task_input_queue(get(node, "role")->text, get(node, "agent_id")->text, graph->arena);
}

static void
write_task(struct json_writer *writer, struct graph *graph, struct node *node)
{
	struct task_retry retry = task_input_retry(graph->json, get(node, "retry")->token);

	json_write_object_open(writer);
	json_write_member_int(writer, "n", node - graph->nodes);
	json_write_member_string(writer, "key", node->key);
	json_write_member_string(writer, "queue", queue_of(graph, node));
	write_text(writer, node, "role");
	write_text(writer, node, "agent_id");
	write_text(writer, node, "description");
	write_raw(writer, node, "input_data");
	write_raw(writer, node, "priority");
	write_raw(writer, node, "max_retries");
	write_raw(writer, node, "timeout_s");
	write_text(writer, node, "run_at");
	write_raw(writer, node, "labels");
	write_text(writer, node, "unique_key");
	write_text(writer, node, "concurrency_key");
	write_raw(writer, node, "requires");
	write_raw(writer, node, "condition");
	json_write_member_bool(writer, "approval", node->approval);
	json_write_member_raw(writer, "lease_own_ms", task_input_ms(get(node, "lease_s")->text, graph->arena));
	json_write_member_text(writer, "retry_backoff", retry.fixed ? "fixed" : "exponential");
	json_write_member_int(writer, "retry_base_ms", retry.base_ms);
	json_write_member_int(writer, "retry_max_ms", retry.max_ms);
	json_write_member_bool(writer, "retry_jitter", retry.jitter);
	json_write_member_int(writer, "deps_left", node->dep_count);
	if (node->max_rounds)
		json_write_member_int(writer, "max_rounds", node->max_rounds);
	json_write_member_int(writer, "gate_deps", node->gate_deps);
	json_write_member_bool(writer, "is_sink", node->dependents == 0);
	json_write_object_close(writer);
}

static void
write_pair(struct json_writer *writer, const char *left, int left_n, const char *right, int right_n)
{
	json_write_object_open(writer);
	json_write_member_int(writer, left, left_n);
	json_write_member_int(writer, right, right_n);
}

/* What runs again when gate asks for a revision: everything from the target to the gate, both included. */
static void
write_revisions(struct json_writer *writer, struct graph *graph, int gate)
{
	struct node *node = &graph->nodes[gate];
	bool *below, *above;

	if (node->revision_target < 0)
		return;
	below = reach(graph, node->revision_target, false);
	above = reach(graph, gate, true);
	if (node->revision_target == gate || !above[node->revision_target]) {
		complain(graph, gate, "gate/on_revision", "not_a_dependency", "a gate can only send back what it depends on");
		return;
	}
	for (int i = 0; i < graph->count; i++) {
		int inside = 0;
		if (!below[i] || !above[i])
			continue;
		for (int d = 0; d < graph->nodes[i].dep_count; d++)
			inside += below[graph->nodes[i].deps[d]] && above[graph->nodes[i].deps[d]];
		if (i == gate)
			node->gate_deps = inside;
		if (++graph->revisions > GRAPH_ROWS_MAX) {
			complain(graph, gate, "gate", "too_many", "the gates send back too much in all; split the workflow");
			return;
		}
		write_pair(writer, "gate", gate, "n", i);
		json_write_member_int(writer, "deps_left", inside);
		json_write_object_close(writer);
	}
}

static void
write_dependencies(struct json_writer *writer, const struct graph *graph)
{
	for (int i = 0; i < graph->count; i++)
		for (int d = 0; d < graph->nodes[i].dep_count; d++) {
			write_pair(writer, "n", i, "depends_on", graph->nodes[i].deps[d]);
			json_write_object_close(writer);
		}
}

static void
write_external(struct json_writer *writer, const struct graph *graph)
{
	for (int i = 0; i < graph->count; i++)
		for (int d = 0; d < graph->nodes[i].external_count; d++) {
			json_write_object_open(writer);
			json_write_member_int(writer, "n", i);
			json_write_member_string(writer, "key", graph->nodes[i].external[d]);
			json_write_object_close(writer);
		}
}

static struct slice
to_arena(struct buf *buf, struct arena *arena)
{
	struct slice text = {arena_string(arena, buf_slice(buf)), buf->len};

	buf_free(buf);
	return text;
}

static void
open_list(struct json_writer *writer, const char *name)
{
	json_write_key(writer, name);
	json_write_array_open(writer);
}

static void
write_plan(struct graph *graph, struct graph_plan *plan_r)
{
	struct buf text = {0}, keys = {0};
	struct json_writer plan, key;

	json_write_begin(&plan, &text);
	json_write_object_open(&plan);
	open_list(&plan, "revisions"); /* first: they tell gates what they wait for in another round */
	for (int i = 0; i < graph->count; i++)
		write_revisions(&plan, graph, i);
	json_write_array_close(&plan);
	open_list(&plan, "tasks");
	for (int i = 0; i < graph->count; i++)
		write_task(&plan, graph, &graph->nodes[i]);
	json_write_array_close(&plan);
	open_list(&plan, "dependencies");
	write_dependencies(&plan, graph);
	json_write_array_close(&plan);
	if (graph->append) {
		open_list(&plan, "external");
		write_external(&plan, graph);
		json_write_array_close(&plan);
	}
	json_write_object_close(&plan);
	json_write_begin(&key, &keys);
	json_write_array_open(&key);
	for (int i = 0; i < graph->count; i++)
		json_write_string(&key, graph->nodes[i].key);
	json_write_array_close(&key);
	*plan_r = (struct graph_plan){to_arena(&text, graph->arena), to_arena(&keys, graph->arena)};
}

/* Who can take it: an agent's role, an agent, or a person. */
static void
check_taker(struct graph *graph, int index)
{
	struct node *node = &graph->nodes[index];
	bool named = get(node, "role")->text.data || get(node, "agent_id")->text.data;

	if (node->approval && named)
		complain(graph, index, "gate/approval", "conflict", "a person decides: give no role and no agent_id");
	if (!node->approval && !named)
		complain(graph, index, "role", "required", "a task needs a role or an agent_id, or a gate with approval");
}

bool
graph_compile(const struct json *json, int at, const char *prefix, bool append, struct arena *arena,
              struct graph_plan *plan_r, struct field_errors *errors)
{
	size_t count = (size_t)json_size(json, at);
	struct graph graph = {
	    .json = json, .prefix = prefix, .append = append, .arena = arena, .errors = errors, .count = (int)count};
	int before = errors->count, dependencies = 0;

	graph.nodes = arena_zero(arena, count * sizeof(*graph.nodes));
	graph.order = arena_zero(arena, count * sizeof(int));
	read_nodes(&graph, at);
	for (int i = 0; i < graph.count; i++) {
		read_deps(&graph, i);
		read_condition(&graph, i);
		read_gate(&graph, i);
		check_taker(&graph, i);
	}
	for (int i = 0; i < graph.count; i++)
		dependencies += graph.nodes[i].dep_count + graph.nodes[i].external_count;
	if (dependencies > GRAPH_ROWS_MAX)
		field_error_add(errors, prefix, "too_many", "the graph has more than 20000 dependencies; split the workflow");
	if (errors->count == before)
		sort(&graph);
	if (errors->count == before)
		write_plan(&graph, plan_r);
	HASH_CLEAR(hh, graph.by_key);
	return errors->count == before;
}
