/* api_explain.c - why a task is not running: the row of facts goes through explain.c. */
#include "api.h"
#include "explain.h"
#include "rows.h"

void
api_explain_finish(struct request *request, struct call *call, const struct db_result *result)
{
	struct buf row = {0};
	struct json_writer writer;
	struct json_error error;
	struct json facts;

	if (result->count == 0) {
		call_not_found(call);
		return;
	}
	/* The row goes through JSON so that times and types are written as everywhere. */
	json_write_begin(&writer, &row);
	rows_write_object(&writer, result, 0);
	INVARIANT(json_parse_payload(&request->arena, buf_slice(&row), &facts, &error));
	explain_write(&facts, &request->arena, &call->out);
	call->status = 200;
	buf_free(&row);
}
