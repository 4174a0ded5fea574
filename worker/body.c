/* body.c - see body.h. */
#include "body.h"

bool
body_read(struct request *request, struct field_value *values)
{
	struct field_errors *errors = arena_zero(&request->arena, sizeof(*errors));

	errors->arena = &request->arena;
	if (!request->has_body || json_type(&request->body, 0) != JSON_OBJECT)
		field_error_add(errors, "", "wrong_type", "must be an object");
	else if (field_check_object(request->endpoint->body, &request->body, 0, false, "", values, errors))
		return true;
	request_fail_fields(request, ERROR_VALIDATION_FAILED, errors, "errors lists every field that does not fit");
	return false;
}
