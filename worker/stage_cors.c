/*
 * stage_cors.c - what a browser is told about pages of other origins (Fetch standard, CORS protocol).
 *
 * The first stage, so that refusals of all later ones carry the same headers: a page that may call can read why it was
 * refused, and a cache never gives one origin the answer that was made for another.
 */
#include "config.h"
#include "cors.h"
#include "request.h"

static bool
is_plain(struct slice text)
{
	for (size_t i = 0; i < text.len; i++)
		if ((unsigned char)text.data[i] < 0x20 || (unsigned char)text.data[i] >= 0x7F)
			return false;
	return text.len > 0;
}

/* What the page may send after this; it may remember that for a while. */
static void
answer_preflight(struct request *request, const struct cors_verdict *verdict)
{
	struct slice wanted = request_header(request, "access-control-request-headers");

	request_add_header(request, "Access-Control-Allow-Methods", slice_of(verdict->methods));
	if (verdict->headers || is_plain(wanted))
		request_add_header(request, "Access-Control-Allow-Headers",
		                   verdict->headers ? slice_of(verdict->headers) : wanted);
	request_add_header(request, "Access-Control-Max-Age",
	                   slice_of(arena_printf(&request->arena, "%d", verdict->max_age_s)));
}

enum step
stage_cors(struct request *request)
{
	struct slice origin = request_header(request, "origin");
	bool preflight = request->method == HTTP_OPTIONS && request_header(request, "access-control-request-method").data;
	struct cors_verdict verdict;

	if (request->worker->config->cors_policy == CORS_OFF)
		return STEP_NEXT;
	request_add_header(request, "Vary",
	                   preflight ? SLICE("Origin, Access-Control-Request-Method, Access-Control-Request-Headers")
	                             : SLICE("Origin"));
	if (!is_plain(origin))
		return STEP_NEXT;
	verdict = cors_judge(request->worker->config, origin);
	if (!verdict.allowed)
		return STEP_NEXT;
	request_add_header(request, "Access-Control-Allow-Origin", verdict.any ? SLICE("*") : origin);
	if (verdict.credentials)
		request_add_header(request, "Access-Control-Allow-Credentials", SLICE("true"));
	if (preflight)
		answer_preflight(request, &verdict);
	else
		request_add_header(request, "Access-Control-Expose-Headers", slice_of(verdict.exposed));
	return STEP_NEXT;
}
