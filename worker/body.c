/* body.c - see body.h. */
#include "body.h"

bool
body_check(struct request *request, struct field_value *values, struct field_errors *errors)
{
	if (request->has_body && json_type(&request->body, 0) == JSON_OBJECT)
		return field_check_object(request->endpoint->body, &request->body, 0, false, "", values, errors);
	field_error_add(errors, "", "wrong_type", "must be an object");
	return false;
}

bool
body_read(struct request *request, struct field_value *values)
{
	struct field_errors *errors = arena_zero(&request->arena, sizeof(*errors));

	errors->arena = &request->arena;
	if (body_check(request, values, errors))
		return true;
	request_fail_fields(request, ERROR_VALIDATION_FAILED, errors, "errors lists every field that does not fit");
	return false;
}

bool
body_has_text(const struct request *request, const struct field_value *value)
{
	return value->text.data && value->token != JSON_NONE && json_type(&request->body, value->token) == JSON_STRING;
}
