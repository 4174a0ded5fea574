/* metrics_port.c - see metrics_port.h. */
#include "metrics_port.h"
#include "config.h"
#include "crypto.h"
#include "metrics.h"
#include "request.h"
#include "route.h"

/* Digests are compared, so that neither bytes nor length are told by the time that it takes. */
static bool
is_token(struct slice given, struct slice wanted)
{
	uint8_t digests[2][CRYPTO_SHA256_SIZE];

	crypto_sha256(given, digests[0]);
	crypto_sha256(wanted, digests[1]);
	return crypto_equal(digests[0], digests[1], sizeof(digests[0]));
}

static bool
may_read(const struct request *request)
{
	static const char scheme[] = "Bearer ";
	const char *wanted = request->worker->config->metrics_token;
	struct slice given = request_header(request, "authorization");
	size_t length = sizeof(scheme) - 1;

	if (!*wanted)
		return true;
	return given.len > length && strncasecmp(given.data, scheme, length) == 0 &&
	       is_token((struct slice){given.data + length, given.len - length}, slice_of(wanted));
}

static enum step
answer(struct request *request)
{
	if (!may_read(request))
		return request_fail(request, ERROR_UNAUTHENTICATED,
		                    "send the header Authorization: Bearer TOKEN with the token of AGENTD_METRICS_TOKEN (in "
		                    "prometheus.yml: authorization, credentials_file)");
	metrics_write(&request->reply);
	request->content_type = "text/plain; version=0.0.4; charset=utf-8";
	request->status = 200;
	return STEP_NEXT;
}

static const struct endpoint metrics_endpoint = {
    HTTP_GET, "/metrics", "metrics", "open", "Metrics for Prometheus", PERM_NONE, LIMIT_CLASS_NONE, .steps = {answer}};

bool
metrics_port_is_metrics(const struct endpoint *endpoint)
{
	return endpoint == &metrics_endpoint;
}

const struct endpoint *
metrics_port_find(enum http_method method, struct slice path)
{
	struct route route;

	if (method != HTTP_GET)
		return NULL;
	if (slice_is(path, "/metrics"))
		return &metrics_endpoint;
	if (!slice_is(path, "/livez") && !slice_is(path, "/readyz") && !slice_is(path, "/startupz"))
		return NULL;
	route_find(method, path, &route);
	return route.endpoint;
}
