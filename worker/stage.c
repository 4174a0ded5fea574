/*
 * stage.c - the short stages: route, authorize, body, reply. cors, authenticate, limit (stage_limit.c) and handle have files
 * of their own.
 */
#include "clock.h"
#include "config.h"
#include "crypto.h"
#include "forwarded.h"
#include "health.h"
#include "http_write.h"
#include "metrics_port.h"
#include "reach.h"
#include "request.h"
#include "route.h"
#include "tenant_bounds.h"
#include "tracing.h"

static struct slice
methods_text(struct request *request)
{
	char *text = arena_string(&request->arena, SLICE("OPTIONS"));

	for (int method = 0; method < HTTP_METHOD_OTHER; method++)
		if (request->allowed & 1u << method)
			text = arena_printf(&request->arena, "%s%s, %s", method == HTTP_GET ? "HEAD, " : "",
			                    http_method_name((enum http_method)method), text);
	return slice_of(text);
}

/* Complete: it needs no identity, and a preflight never has one. */
static enum step
answer_options(struct request *request)
{
	request->status = 204;
	request_add_header(request, "Allow", methods_text(request));
	return STEP_DONE;
}

enum step
stage_route(struct request *request)
{
	struct route route;

	if (request->method == HTTP_METHOD_OTHER)
		return request_fail(request, ERROR_NOT_IMPLEMENTED, "this method is not one that agentd knows");
	if (slice_is(request->path, "*")) {
		request->allowed = 1u << HTTP_GET | 1u << HTTP_POST | 1u << HTTP_PUT | 1u << HTTP_PATCH | 1u << HTTP_DELETE;
		return answer_options(request);
	}
	if (request->conn->metrics_port) {
		request->endpoint = metrics_port_find(request->method, request->path);
		return request->endpoint ? STEP_NEXT
		                         : request_fail(request, ERROR_NOT_FOUND,
		                                        "this port has GET /metrics, /livez, /readyz and /startupz; the API is on "
		                                        "AGENTD_PORT");
	}
	route_find(request->method, request->path, &route);
	request->endpoint = route.endpoint;
	request->allowed = route.allowed;
	if (!route.allowed)
		return request_fail(request, ERROR_NOT_FOUND,
		                    "there is nothing at this path; /openapi.json lists what there is");
	if (!route.endpoint && request->method == HTTP_OPTIONS)
		return answer_options(request);
	if (!route.endpoint) {
		request_add_header(request, "Allow", methods_text(request));
		return request_fail(request, ERROR_METHOD_NOT_ALLOWED, "the header Allow lists the methods of this path");
	}
	for (int i = 0; i < ENDPOINT_PATH_MAX; i++)
		if (route.values[i].data) {
			char *decoded = arena_alloc(&request->arena, route.values[i].len + 1);
			size_t length;
			if (!http_parse_decode(route.values[i], false, decoded, &length))
				return request_fail(request, ERROR_NOT_FOUND, "the path is not UTF-8");
			request->path_values[i] = (struct slice){decoded, length};
		}
	return STEP_NEXT;
}

/* What is bounded by a quota of the tenant is refused before it costs a statement. */
static enum step
check_bound(struct request *request)
{
	enum tenant_bound bound = request->endpoint->bound;

	if (!bound || !tenant_bounds_full(request->worker->bounds, request->principal.tenant, bound))
		return STEP_NEXT;
	return request_fail(
	    request, ERROR_QUOTA_EXCEEDED,
	    "nothing was made: this tenant has as many open %s as it may have (its quota %s); wait until some "
	    "have ended, or ask who runs agentd for more",
	    bound == TENANT_BOUND_TASKS ? "tasks" : "workflows",
	    bound == TENANT_BOUND_TASKS ? "max_open_tasks" : "max_open_workflows");
}

/* What a full disk has no room for. */
static bool
grows(const struct request *request)
{
	return request->method != HTTP_GET && request->method != HTTP_DELETE && !request->endpoint->essential;
}

enum step
stage_authorize(struct request *request)
{
	enum perm perm = request->endpoint->perm;
	bool allowed = perm == PERM_NONE || (request->principal.perms & 1u << perm);
	bool narrowed = !allowed && (request->principal.limited & 1u << perm);

	if ((allowed || narrowed) && request->endpoint->only_default && request->principal.tenant != TENANT_DEFAULT)
		return request_fail(request, ERROR_FORBIDDEN, "this is for the tenant default, which looks after the others");
	if (narrowed && reach_begin(request) != STEP_NEXT)
		return STEP_DONE;
	if ((allowed || narrowed) && grows(request) &&
	    health_storage(request->worker->heritage->health) != HEALTH_STORAGE_OK)
		return request_fail_full(request);
	if (allowed || narrowed)
		return check_bound(request);
	if (perm == PERM_ANY)
		return request_fail(request, ERROR_FORBIDDEN, "the role %.*s is not known here",
		                    SLICE_ARG(request->principal.role));
	if (request->principal.kind == PRINCIPAL_KEY)
		return request_fail(request, ERROR_FORBIDDEN,
		                    "this needs the permission %s, which the key does not have: its scopes, its role and what its "
		                    "owner may decide",
		                    perm_name(perm));
	return request_fail(request, ERROR_FORBIDDEN, "this needs the permission %s, which the role %.*s does not have",
	                    perm_name(perm), SLICE_ARG(request->principal.role));
}

static bool
is_json(struct slice type)
{
	static const char wanted[] = "application/json";
	size_t length = sizeof(wanted) - 1;

	if (type.len < length || strncasecmp(type.data, wanted, length) != 0)
		return false;
	while (length < type.len && (type.data[length] == ' ' || type.data[length] == '\t'))
		length++;
	return length == type.len || type.data[length] == ';';
}

static enum step
check_query(struct request *request)
{
	const struct field *fields = request->endpoint->query;
	struct field_errors *errors = arena_zero(&request->arena, sizeof(*errors));
	struct slice rest = request->query_text;
	int count = field_count(fields);

	errors->arena = &request->arena;
	request->query = arena_zero(&request->arena, (size_t)(count + 1) * sizeof(*request->query));
	while (rest.len) {
		const char *end = memchr(rest.data, '&', rest.len);
		struct slice pair = {rest.data, end ? (size_t)(end - rest.data) : rest.len};
		const char *equals = memchr(pair.data, '=', pair.len);
		size_t name_length = equals ? (size_t)(equals - pair.data) : pair.len;
		char *decoded = arena_alloc(&request->arena, pair.len + 1);
		size_t length = 0;
		int index;

		rest = (struct slice){pair.data + pair.len + (end ? 1 : 0), rest.len - pair.len - (end ? 1 : 0)};
		if (pair.len == 0)
			continue;
		index = field_find(fields, (struct slice){pair.data, name_length});
		if (index < 0)
			field_error_add(errors, arena_printf(&request->arena, "%.*s", (int)MIN(name_length, 100), pair.data),
			                "unknown_parameter", "is not a query parameter of this endpoint");
		else if (request->query[index].text.data)
			field_error_add(errors, fields[index].name, "duplicate_parameter", "is there twice");
		else if (!http_parse_decode(equals ? (struct slice){equals + 1, pair.len - name_length - 1} : SLICE(""), true,
		                            decoded, &length))
			field_error_add(errors, fields[index].name, "bad_encoding", "is not UTF-8 in percent-encoding");
		else
			(void)!field_check_text(&fields[index], (struct slice){decoded, length}, &request->query[index], errors);
	}
	field_fallbacks(fields, request->query);
	if (errors->count)
		return request_fail_fields(request, ERROR_BAD_QUERY, errors, "the query string has parameters that do not fit");
	return STEP_NEXT;
}

enum step
stage_body(struct request *request)
{
	struct json_error error;

	if (check_query(request) == STEP_DONE)
		return STEP_DONE;
	if (request->body_text.len == 0 && request->endpoint->body && !request->endpoint->body_optional)
		return request_fail(request, ERROR_BAD_JSON, "the body is empty; this endpoint needs a JSON body, at least {}");
	if (request->body_text.len == 0)
		return STEP_NEXT;
	if (!is_json(request_header(request, "content-type")))
		return request_fail(request, ERROR_UNSUPPORTED_MEDIA_TYPE, "send the header Content-Type: application/json");
	if (!json_parse_payload(&request->arena, request->body_text, &request->body, &error))
		return request_fail(request, ERROR_BAD_JSON, "%s (at byte %zu of the body)", error.reason, error.offset);
	request->has_body = true;
	return STEP_NEXT;
}

/* RFC 9110 8.8.3: by what the answer says; behind a point, by what can be changed of it. */
static const char *
entity_tag(struct request *request, struct slice body)
{
	static const uint8_t key[16] = "agentd etag key";
	unsigned long long hash;

	if (request->etag.data)
		return arena_string(&request->arena, request->etag);
	hash = crypto_siphash(key, body);
	if (request->match.data)
		return arena_printf(&request->arena, "\"%016llx.%.*s\"", hash, SLICE_ARG(request->match));
	return arena_printf(&request->arena, "\"%016llx\"", hash);
}

/* Gives the answer its ETag, if it is to have one. True for a GET whose answer the client has already (13.1.2). */
static bool
is_unchanged(struct request *request, struct slice body)
{
	struct slice known = request_header(request, "if-none-match");
	bool reads = request->method == HTTP_GET, changes = request->method == HTTP_PATCH && request->match.data;
	const char *tag;

	if (!(reads || changes) || request->status != 200 || !request->endpoint || request->endpoint->limit == LIMIT_CLASS_NONE)
		return false;
	tag = entity_tag(request, body);
	request_add_header(request, "ETag", slice_of(tag));
	return reads && known.data && (slice_is(known, "*") || memmem(known.data, known.len, tag, strlen(tag)));
}

/* What can be read by anyone may be kept by the client if it asks each time whether it still holds. */
static void
write_security_headers(struct request *request, struct buf *out)
{
	const struct worker *worker = request->worker;
	const struct conn *conn = request->conn;

	http_write_guards(out, request->own_policy);
	buf_add_text(out, request->static_reply.data ? "Cache-Control: no-cache\r\n" : "Cache-Control: no-store\r\n");
	if (worker->config->hsts_s && (conn->tls || (!request->broken && forwarded_secure(&worker->trusted, &conn->peer,
	                                                                                  &conn->parser, request->data))))
		buf_printf(out, "Strict-Transport-Security: max-age=%lld\r\n", (long long)worker->config->hsts_s);
}

/* The head but for what says how long the body is. */
static void
write_head(struct request *request, bool has_type)
{
	struct conn *conn = request->conn;
	struct buf *out = &conn->out;

	stage_limit_headers(request);
	if (request->status == 401)
		request_add_header(request, "WWW-Authenticate", SLICE("Bearer realm=\"agentd\""));
	if (request->retry_after_s)
		request_add_header(request, "Retry-After",
		                   slice_of(arena_printf(&request->arena, "%lld", (long long)request->retry_after_s)));
	if (worker_is_leaving(conn->worker))
		request->close = true;
	http_write_status(out, request->status, request->worker->now_us);
	http_write_header(out, "X-Request-Id", request->id);
	if (tracing_parent(request).data)
		http_write_header(out, "traceparent", tracing_parent(request));
	write_security_headers(request, out);
	if (has_type)
		http_write_header(out, "Content-Type", slice_of(request->content_type));
	if (request->close || !request->keep_alive)
		http_write_header(out, "Connection", SLICE("close"));
	buf_add_slice(out, buf_slice(&request->headers));
}

static bool
is_chunked(const struct request *request)
{
	return request->conn->parser.minor_version == 1;
}

void
stage_stream_begin(struct request *request)
{
	request->status = 200;
	request->content_type = request->endpoint->content_type;
	request->close = true;
	write_head(request, true);
	http_write_stream(&request->conn->out, is_chunked(request));
	request->streaming = true;
	request->worker->stream_count++;
	conn_push(request->conn);
}

void
stage_stream_write(struct request *request, struct slice data)
{
	request->body_bytes += data.len;
	if (is_chunked(request))
		http_write_chunk(&request->conn->out, data);
	else
		buf_add_slice(&request->conn->out, data);
	conn_push(request->conn);
}

enum step
stage_reply(struct request *request)
{
	struct conn *conn = request->conn;
	struct slice body = request->static_reply.data ? request->static_reply : buf_slice(&request->reply);

	if (!conn)
		return STEP_NEXT;
	if (request->status == 401)
		stage_limit_stranger(request);
	if (request->streaming) {
		if (is_chunked(request) && !request->head_only)
			http_write_last_chunk(&conn->out);
		return STEP_NEXT;
	}
	if (is_unchanged(request, body))
		request->status = 304;
	write_head(request, body.len || request->status == 200);
	http_write_body(&conn->out, request->status, body, !request->head_only);
	if (!request->head_only && request->status != 304)
		request->body_bytes = body.len;
	return STEP_NEXT;
}
