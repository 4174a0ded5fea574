/* problem.c - see problem.h. */
#include "problem.h"
#include "json_write.h"

static void
write_field_errors(struct json_writer *writer, const struct field_errors *errors)
{
	json_write_key(writer, "errors");
	json_write_array_open(writer);
	for (int i = 0; i < errors->count; i++) {
		json_write_object_open(writer);
		json_write_member_text(writer, "pointer", errors->list[i].pointer);
		json_write_member_text(writer, "code", errors->list[i].code);
		json_write_member_text(writer, "detail", errors->list[i].detail);
		json_write_object_close(writer);
	}
	json_write_array_close(writer);
}

void
problem_write(struct buf *out, const struct problem *problem)
{
	const struct error_kind *kind = error_kind(problem->error);
	struct json_writer writer;

	json_write_begin(&writer, out);
	json_write_object_open(&writer);
	json_write_key(&writer, "type");
	{
		char type[96];
		snprintf(type, sizeof(type), "urn:agentd:error:%s", kind->code);
		json_write_string(&writer, slice_of(type));
	}
	json_write_member_text(&writer, "title", kind->title);
	json_write_member_int(&writer, "status", kind->status);
	if (problem->detail.data)
		json_write_member_string(&writer, "detail", problem->detail);
	json_write_member_text(&writer, "code", kind->code);
	json_write_member_string(&writer, "request_id", problem->request_id);
	if (problem->task_status.data)
		json_write_member_string(&writer, "task_status", problem->task_status);
	if (problem->current_epoch.data)
		json_write_member_raw(&writer, "current_epoch", problem->current_epoch);
	if (problem->current_version.data)
		json_write_member_raw(&writer, "current_version", problem->current_version);
	if (problem->errors && problem->errors->count)
		write_field_errors(&writer, problem->errors);
	json_write_object_close(&writer);
}
