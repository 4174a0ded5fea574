/* tracing.c - see tracing.h. */
#include "tracing.h"
#include "request.h"

void
tracing_begin(struct request *request)
{
	struct slice given = request_header(request, "traceparent");

	if (given.data)
		(void)!trace_parse(given, &request->context.trace);
}
