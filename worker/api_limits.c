/* api_limits.c - limits on tasks: what fits together. */
#include "api.h"

bool
api_limit_prepare(struct request *request, struct call *call)
{
	struct field_errors *errors = arena_zero(&request->arena, sizeof(*errors));
	bool rate = slice_is(call_field(call, "kind")->text, "rate");
	bool by_label = slice_is(call_field(call, "key")->text, "label");
	struct slice name = call_value(call, "name");

	errors->arena = &request->arena;
	if (rate != (call_field(call, "window_s")->text.data != NULL))
		field_error_add(errors, "/window_s", rate ? "required" : "conflict",
		                rate ? "a rate needs its window" : "only a rate has a window");
	if (by_label != (call_field(call, "label")->text.data != NULL))
		field_error_add(errors, "/label", by_label ? "required" : "conflict",
		                by_label ? "name the label that is counted by" : "goes with key: label only");
	for (size_t i = 0; i < name.len; i++)
		if (name.len > 100 || (unsigned char)name.data[i] < 0x20 || name.data[i] == ':' || name.data[i] == '#')
			return call_fail(call, ERROR_VALIDATION_FAILED,
			                 "the name of a limit has at most 100 characters, none of them a colon or a #");
	return errors->count ? call_fail_fields(call, errors) : true;
}
