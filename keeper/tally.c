/* tally.c - see tally.h. An event that is strange, however strange, must not stop the counting. */
#include "tally.h"
#include "arena.h"
#include "event_items.h"
#include "json_read.h"
#include "json_write.h"
#include "metrics.h"

#include <uthash.h>

static const int64_t DURATION_MAX_MS = 31536000000; /* a year: what an agent says is not believed beyond it */

enum count {
	WORKFLOWS_CREATED,
	WORKFLOWS_STARTED,
	WORKFLOWS_COMPLETED,
	WORKFLOWS_FAILED,
	WORKFLOWS_CANCELLED,
	TASKS_CREATED,
	TASKS_STARTED,
	TASKS_COMPLETED,
	TASKS_FAILED,
	TASKS_CANCELLED,
	TASKS_SKIPPED,
	TASKS_RETRIED,
	TASKS_TIMED,
	TASKS_MS,
	MESSAGES_SENT,
	COUNTS
};

static const char *const columns[COUNTS] = {
    "workflows_created", "workflows_started", "workflows_completed", "workflows_failed", "workflows_cancelled",
    "tasks_created",     "tasks_started",     "tasks_completed",     "tasks_failed",     "tasks_cancelled",
    "tasks_skipped",     "tasks_retried",     "tasks_timed",         "tasks_ms",         "messages_sent"};

static const struct {
	const char *kind;
	enum count count;
} kinds[] = {
    {"workflow.created", WORKFLOWS_CREATED},
    {"workflow.started", WORKFLOWS_STARTED},
    {"workflow.completed", WORKFLOWS_COMPLETED},
    {"workflow.failed", WORKFLOWS_FAILED},
    {"workflow.cancelled", WORKFLOWS_CANCELLED},
    {"task.created", TASKS_CREATED},
    {"task.started", TASKS_STARTED},
    {"task.completed", TASKS_COMPLETED},
    {"task.failed", TASKS_FAILED},
    {"task.dead", TASKS_FAILED},
    {"task.cancelled", TASKS_CANCELLED},
    {"task.skipped", TASKS_SKIPPED},
    {"task.retrying", TASKS_RETRIED},
    {"message.sent", MESSAGES_SENT},
};

struct agent {
	int64_t leased, completed, failed, ms, min_ms, max_ms, messages_sent, messages_received;
	char settled_at[40];
	char changed_at[40];
	UT_hash_handle hh;
	char id[];
};

struct tally {
	int64_t counts[COUNTS];
	struct agent *agents;
	struct buf ended; /* without the closing bracket */
	struct buf text;
	struct buf agent_text;
	struct arena arena; /* of one item */
};

/* What counts in an item. */
struct fact {
	struct slice kind, subject, agent_id, from_agent_id, outcome;
	int64_t duration_ms; /* -1: not said */
	int64_t tasks;
};

struct tally *
tally_new(void)
{
	return mem_zero(sizeof(struct tally));
}

void
tally_free(struct tally *tally)
{
	struct agent *agent, *next;

	HASH_ITER(hh, tally->agents, agent, next)
	{
		HASH_DEL(tally->agents, agent);
		free(agent);
	}
	buf_free(&tally->ended);
	buf_free(&tally->text);
	buf_free(&tally->agent_text);
	arena_reset(&tally->arena);
	free(tally);
}

static struct slice
text_of(const struct json *json, int object, const char *name, struct arena *arena)
{
	int at = json_get(json, object, name);

	return at != JSON_NONE && json_type(json, at) == JSON_STRING ? json_string(json, at, arena) : SLICE_NONE;
}

static int64_t
number_of(const struct json *json, int object, const char *name)
{
	int at = json_get(json, object, name);
	int64_t number;

	return at != JSON_NONE && json_int(json, at, &number) && number >= 0 ? number : -1;
}

static bool
read_fact(struct slice item, struct arena *arena, struct fact *fact)
{
	struct json json;
	struct json_error error;
	int data;

	if (!json_parse_payload(arena, item, &json, &error) || json_type(&json, 0) != JSON_OBJECT)
		return false;
	*fact = (struct fact){.duration_ms = -1};
	fact->kind = text_of(&json, 0, "kind", arena);
	data = json_get(&json, 0, "data");
	if (!fact->kind.data)
		return false;
	fact->subject = text_of(&json, 0, "subject", arena);
	if (data == JSON_NONE || json_type(&json, data) != JSON_OBJECT)
		return true;
	fact->agent_id = text_of(&json, data, "agent_id", arena);
	fact->from_agent_id = text_of(&json, data, "from_agent_id", arena);
	fact->outcome = text_of(&json, data, "outcome", arena);
	fact->duration_ms = number_of(&json, data, "duration_ms");
	fact->tasks = number_of(&json, data, "tasks");
	return true;
}

static struct agent *
agent_of(struct tally *tally, struct slice id)
{
	struct agent *agent;

	HASH_FIND(hh, tally->agents, id.data, id.len, agent);
	if (agent)
		return agent;
	agent = mem_zero(sizeof(*agent) + id.len + 1);
	memcpy(agent->id, id.data, id.len);
	agent->min_ms = agent->max_ms = -1;
	HASH_ADD_KEYPTR(hh, tally->agents, agent->id, id.len, agent);
	return agent;
}

/* Times in UTC with any number of digits behind the point sort as texts: '+' comes before '.', and '.' before digits.
 */
static void
keep_later(char kept[40], struct slice at)
{
	size_t length = MIN(at.len, (size_t)39);

	/* By far the most come at the time of the one before. */
	if (length == 0 || strncmp(at.data, kept, length) <= 0)
		return;
	memcpy(kept, at.data, length);
	kept[length] = '\0';
}

static void
add_time(struct tally *tally, struct agent *agent, int64_t ms)
{
	ms = MIN(ms, DURATION_MAX_MS);
	tally->counts[TASKS_TIMED]++;
	tally->counts[TASKS_MS] += ms;
	if (!agent)
		return;
	agent->ms += ms;
	agent->min_ms = agent->min_ms < 0 ? ms : MIN(agent->min_ms, ms);
	agent->max_ms = MAX(agent->max_ms, ms);
}

/* How a lease ended, whatever became of the task. */
static void
add_settlement(struct tally *tally, const struct fact *fact, struct slice at)
{
	bool complete = slice_is(fact->outcome, "complete");
	bool bad = slice_is(fact->outcome, "fail") || slice_is(fact->outcome, "expire");
	bool of_holder = complete || bad || slice_is(fact->outcome, "release");
	struct agent *agent = of_holder && fact->agent_id.data ? agent_of(tally, fact->agent_id) : NULL;

	if (complete && fact->duration_ms >= 0)
		add_time(tally, agent, fact->duration_ms);
	if (!agent)
		return;
	agent->completed += complete;
	agent->failed += bad;
	keep_later(agent->settled_at, at);
	keep_later(agent->changed_at, at);
}

static void
add_of_agent(struct tally *tally, const struct fact *fact, struct slice at)
{
	bool started = slice_is(fact->kind, "task.started"), received = slice_is(fact->kind, "message.received");
	bool sent = slice_is(fact->kind, "message.sent");
	struct slice who = sent ? fact->from_agent_id : fact->agent_id;
	struct agent *agent;

	if (!(started || received || sent) || !who.data)
		return;
	agent = agent_of(tally, who);
	agent->leased += started;
	agent->messages_sent += sent;
	agent->messages_received += received;
	keep_later(agent->changed_at, at);
}

static void
add_fact(struct tally *tally, const struct fact *fact, struct slice at)
{
	for (size_t i = 0; i < ARRAY_LENGTH(kinds); i++)
		if (slice_is(fact->kind, kinds[i].kind))
			tally->counts[kinds[i].count]++;
	if (slice_is(fact->kind, "workflow.created"))
		tally->counts[TASKS_CREATED] += MAX(fact->tasks, 0);
	if ((slice_is(fact->kind, "workflow.completed") || slice_is(fact->kind, "workflow.failed")) && fact->subject.data) {
		buf_add_byte(&tally->ended, tally->ended.len ? ',' : '[');
		json_write_quoted(&tally->ended, fact->subject);
	}
	if (fact->kind.len > 5 && memcmp(fact->kind.data, "task.", 5) == 0)
		add_settlement(tally, fact, at);
	add_of_agent(tally, fact, at);
}

/* By far the most, and nothing else of them is looked at; agentd writes events in this form. */
static bool
is_plain_creation(struct slice item)
{
	static const char head[] = "{\"kind\":\"task.created\",";

	return item.len > sizeof(head) && memcmp(item.data, head, sizeof(head) - 1) == 0;
}

static void
add_event(struct tally *tally, struct slice event, struct slice at)
{
	struct fact fact;

	if (read_fact(event, &tally->arena, &fact))
		add_fact(tally, &fact, at);
	arena_reset(&tally->arena);
}

/* A JSON string in which nothing is escaped, without its quotes. */
static bool
is_plain_text(struct slice json, struct slice *text_r)
{
	if (json.len < 2 || json.data[0] != '"' || memchr(json.data, '\\', json.len))
		return false;
	*text_r = (struct slice){json.data + 1, json.len - 2};
	return true;
}

static int64_t
plain_number(struct slice json)
{
	int64_t number = 0;

	if (json.len == 0 || json.len > 18)
		return -1;
	for (size_t i = 0; i < json.len; i++) {
		if (json.data[i] < '0' || json.data[i] > '9')
			return -1;
		number = number * 10 + json.data[i] - '0';
	}
	return number;
}

/* An event of a group without the parser: what is the same for all of them is in *fact. False: it takes the parser. */
static bool
read_fact_of_group(const struct event_group *group, struct fact *fact)
{
	fact->duration_ms = plain_number(event_group_value(group, "duration_ms"));
	return fact->kind.len > 5 && memcmp(fact->kind.data, "task.", 5) == 0 &&
	       is_plain_text(group->subject, &fact->subject) &&
	       is_plain_text(event_group_value(group, "agent_id"), &fact->agent_id);
}

static void
add_group(struct tally *tally, struct event_group *group, struct slice at)
{
	struct arena arena = ARENA_EMPTY;
	struct buf head = {0};
	struct fact fact;

	event_group_write(group, &head);
	if (read_fact(buf_slice(&head), &arena, &fact))
		while (event_group_next(group)) {
			if (read_fact_of_group(group, &fact)) {
				add_fact(tally, &fact, at);
				continue;
			}
			event_group_write(group, &tally->text);
			add_event(tally, buf_slice(&tally->text), at);
		}
	buf_free(&head);
	arena_reset(&arena);
}

void
tally_add(struct tally *tally, struct slice items, struct slice at)
{
	struct event_group group;
	struct slice item;

	while (event_items_take(&items, &item)) {
		if (is_plain_creation(item))
			tally->counts[TASKS_CREATED]++;
		else if (event_group_begin(item, &group))
			add_group(tally, &group, at);
		else
			add_event(tally, item, at);
	}
}

struct slice
tally_counts(struct tally *tally)
{
	struct json_writer writer;

	tally->text.len = 0;
	json_write_begin(&writer, &tally->text);
	json_write_object_open(&writer);
	for (int i = 0; i < COUNTS; i++)
		json_write_member_int(&writer, columns[i], tally->counts[i]);
	json_write_object_close(&writer);
	return buf_slice(&tally->text);
}

static void
write_agent(struct json_writer *writer, const struct agent *agent)
{
	json_write_object_open(writer);
	json_write_member_text(writer, "agent_id", agent->id);
	json_write_member_int(writer, "leased", agent->leased);
	json_write_member_int(writer, "completed", agent->completed);
	json_write_member_int(writer, "failed", agent->failed);
	json_write_member_int(writer, "ms", agent->ms);
	if (agent->min_ms >= 0) {
		json_write_member_int(writer, "min_ms", agent->min_ms);
		json_write_member_int(writer, "max_ms", agent->max_ms);
	}
	json_write_member_int(writer, "messages_sent", agent->messages_sent);
	json_write_member_int(writer, "messages_received", agent->messages_received);
	if (agent->settled_at[0])
		json_write_member_text(writer, "settled_at", agent->settled_at);
	json_write_member_text(writer, "changed_at", agent->changed_at);
	json_write_object_close(writer);
}

void
tally_name_events(void)
{
	INVARIANT(ARRAY_LENGTH(columns) <= METRICS_MAX_EVENT);
	for (int i = 0; i < COUNTS; i++)
		if (i != TASKS_TIMED && i != TASKS_MS)
			metrics_name(METRICS_LABEL_EVENT, i, columns[i]);
}

void
tally_measure(struct slice counts)
{
	struct arena arena = ARENA_EMPTY;
	struct json json;
	struct json_error error;

	if (json_parse(&arena, counts, &json, &error))
		for (int i = 0; i < COUNTS; i++)
			metrics_add(METRIC_WORK, i, MAX(number_of(&json, 0, columns[i]), 0));
	arena_reset(&arena);
}

struct slice
tally_agents(struct tally *tally)
{
	struct agent *agent, *next;
	struct json_writer writer;

	tally->agent_text.len = 0;
	json_write_begin(&writer, &tally->agent_text);
	json_write_array_open(&writer);
	HASH_ITER(hh, tally->agents, agent, next)
	write_agent(&writer, agent);
	json_write_array_close(&writer);
	return buf_slice(&tally->agent_text);
}

struct slice
tally_ended(struct tally *tally)
{
	if (!tally->ended.len)
		return SLICE("[]");
	buf_add_byte(&tally->ended, ']');
	return buf_slice(&tally->ended);
}
