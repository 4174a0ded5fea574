/* task_made.c - see task_made.h. */
#include "task_made.h"
#include "rows.h"

/* The answer in pieces: a text, then a value that was sent; what a new task does not have yet stands in the texts. */
static struct piece {
	const char *before;
	const char *name;
	bool quoted;
	int param;
} pieces[] = {
    {"{\"id\":", "id", true},
    {",\"workflow_id\":null,\"parent_id\":null,\"key\":null,\"role\":", "role", true},
    {",\"agent_id\":", "agent_id", true},
    {",\"description\":", "description", true},
    {",\"status\":\"pending\",\"priority\":", "priority"},
    {",\"input_data\":", "input_data"},
    {",\"output_data\":null,\"error_message\":null,\"epoch\":0,\"attempt\":0,\"retry_count\":0,\"max_retries\":",
     "max_retries"},
    {",\"round\":1,\"leased_by\":null,\"lease_until\":null,\"progress\":null,\"timeout_s\":", "timeout_s"},
    {",\"labels\":", "labels"},
};
static const char rest[] =
    ",\"unique_key\":null,\"concurrency_key\":null,\"requires\":null,\"condition\":null,\"approval\":false,"
    "\"skipped\":false,\"parked\":null,\"started_at\":null,\"completed_at\":null,\"duration_ms\":null,\"lease_s\":";

void
task_made_init(void)
{
	for (size_t i = 0; i < ARRAY_LENGTH(pieces); i++) {
		pieces[i].param = db_param(QUERY_TASK_CREATE, pieces[i].name);
		INVARIANT(pieces[i].param >= 0 && pieces[i].param == db_param(QUERY_TASK_CREATE_TRACED, pieces[i].name));
	}
}

static void
write_value(struct buf *out, struct slice value, bool quoted)
{
	if (!value.data)
		buf_add_slice(out, SLICE("null"));
	else if (quoted)
		json_write_quoted(out, value);
	else
		buf_add_slice(out, value);
}

struct slice
task_made_event(struct call *call)
{
	struct buf *out = &call->out; /* not used for the answer yet */
	struct slice text;

	buf_add_text(out, "{\"kind\":\"task.created\",\"subject\":");
	write_value(out, call_value(call, "id"), true);
	buf_add_text(out, ",\"data\":{\"role\":");
	write_value(out, call_value(call, "role"), true);
	buf_add_text(out, ",\"agent_id\":");
	write_value(out, call_value(call, "agent_id"), true);
	buf_add_text(out, ",\"priority\":");
	write_value(out, call_value(call, "priority"), false);
	buf_add_text(out, "}}");
	text = (struct slice){arena_string(&call->request->arena, buf_slice(out)), out->len};
	out->len = 0;
	return text;
}

void
task_made_write(struct call *call, const struct db_result *result)
{
	struct buf *out = &call->out;
	char created_at[40];

	call->status = 201;
	(void)buf_reserve(out, 1000);
	for (size_t i = 0; i < ARRAY_LENGTH(pieces); i++) {
		buf_add_text(out, pieces[i].before);
		write_value(out, call->values[pieces[i].param], pieces[i].quoted);
	}
	buf_add_text(out, rest);
	write_value(out, call_field(call, "lease_s")->text, false);
	buf_add_text(out, ",\"run_at\":null,\"created_at\":\"");
	rows_format_time(db_get(result, 0, "created_at"), created_at);
	buf_add_text(out, created_at);
	buf_add_text(out, "\"}");
}
