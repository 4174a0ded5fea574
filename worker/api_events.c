/* api_events.c - events: where a reader wants to go on and what it wants to see; follow.c does the rest. */
#include "api.h"
#include "ask.h"
#include "follow.h"
#include "uuid.h"

#include <math.h>

enum {
	AFTER,
	KIND,
	SUBJECT,
	WAIT_S,
	LIMIT
}; /* the order of query_events; that of query_event_stream is its beginning */

/* Ids of tasks and workflows are written in lower case in events. */
static struct slice
subject(struct request *request)
{
	struct slice text = request->query[SUBJECT].text;
	uint8_t id[UUID_SIZE];
	char *lower;

	if (!text.data || !uuid_parse(text, id))
		return text;
	lower = arena_alloc(&request->arena, UUID_TEXT_SIZE);
	uuid_format(id, lower);
	return slice_of(lower);
}

/* False: the request has failed. */
static bool
read_wish(struct request *request, struct slice after, struct follow_wish *wish)
{
	wish->filter = (struct events_filter){request->query[KIND].text, subject(request)};
	if (after.data && slice_is(after, "latest")) {
		wish->latest = true;
	} else if (after.data && !events_place_parse(after, &wish->from)) {
		(void)request_fail(request, ERROR_BAD_QUERY,
		                   "the cursor is not one that agentd gave out; use next_cursor of a page, the id of an event, "
		                   "or latest");
		return false;
	}
	return true;
}

static enum step
found_workflow(struct request *request, const struct db_result *result)
{
	if (result->count == 0)
		return request_fail(request, ERROR_NOT_FOUND, "there is no such workflow, or it is not yours");
	return STEP_NEXT;
}

enum step
api_events_workflow(struct request *request)
{
	struct slice *values = ask_values(request, QUERY_WORKFLOW_GET);
	uint8_t id[UUID_SIZE];
	char *lower;

	if (!uuid_parse(request->path_values[0], id))
		return request_fail(request, ERROR_NOT_FOUND, "there is no such workflow, or it is not yours");
	lower = arena_alloc(&request->arena, UUID_TEXT_SIZE);
	uuid_format(id, lower);
	request->path_values[0] = slice_of(lower);
	ask_set(values, QUERY_WORKFLOW_GET, "tenant", ask_tenant(request));
	ask_set(values, QUERY_WORKFLOW_GET, "id", request->path_values[0]);
	return ask_send(request, QUERY_WORKFLOW_GET, values, found_workflow);
}

enum step
api_events(struct request *request)
{
	struct follow_wish wish = {.workflow_id = request->path_values[0]};

	if (!read_wish(request, request->query[AFTER].text, &wish))
		return STEP_DONE;
	wish.wait_us = llround(strtod(arena_string(&request->arena, request->query[WAIT_S].text), NULL) * 1000000);
	wish.limit = (int)strtol(arena_string(&request->arena, request->query[LIMIT].text), NULL, 10);
	return follow_begin(request->worker->follow, request, &wish);
}

enum step
api_events_stream(struct request *request)
{
	struct slice last = request_header(request, "last-event-id");
	struct slice after = last.len ? last : request->query[AFTER].text;
	struct follow_wish wish = {.stream = true};

	if (!read_wish(request, after.data ? after : SLICE("latest"), &wish))
		return STEP_DONE;
	if (!request->head_only)
		return follow_begin(request->worker->follow, request, &wish);
	stage_stream_begin(request);
	return STEP_DONE;
}
