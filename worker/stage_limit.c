/*
 * stage_limit.c - the stage `limit`: for whom a request counts, and what the answer says of it.
 *
 * A request counts for its user or key, for its tenant if that has a limit, and for its address: strangers at the limit
 * of a user, those who are known at a larger one that only bounds them all together. Logins have a counter of their own
 * for each address. If one of them refuses, the request counts for none. The answer carries the tightest.
 */
#include "borrow.h"
#include "clock.h"
#include "config.h"
#include "crypto.h"
#include "metrics.h"
#include "process.h"
#include "quota.h"
#include "request.h"
#include "tenant_bounds.h"

enum { ADDRESS_FACTOR = 10, LOGIN_PART = 10, LIMIT_MOST = 1000000000 };

static void
name_subject(struct request *request, struct quota_subject *subject, char kind, struct slice name)
{
	size_t length = MIN(name.len, (size_t)QUOTA_NAME_MAX - 2);
	char *text = arena_alloc(&request->arena, length + 2);

	text[0] = kind;
	text[1] = ':';
	if (length)
		memcpy(text + 2, name.data, length);
	subject->name = (struct slice){text, length + 2};
	subject->hash = crypto_siphash(request->worker->heritage->hash_key, subject->name);
}

static void
add_to(struct quota_check *check, const char *policy, const char *whose, char kind, struct slice name, int64_t limit)
{
	struct request *request = check->request;
	const struct config *config = request->worker->config;
	struct quota_subject *subject = &check->subjects[check->count++];

	subject->policy = policy;
	subject->whose = whose;
	subject->rule = (struct limit_rule){.strategy = (enum limit_strategy)config->rate_limit_strategy,
	                                    .limit = MIN(limit, (int64_t)LIMIT_MOST),
	                                    .window_us = config->rate_limit_window_s * 1000000};
	name_subject(request, subject, kind, name);
}

static void
add_subject(struct request *request, const char *policy, const char *whose, char kind, struct slice name, int64_t limit)
{
	add_to(request->quota, policy, whose, kind, name, limit);
}

static void
add_known(struct request *request)
{
	const struct config *config = request->worker->config;
	const struct principal *who = &request->principal;
	int64_t whole = tenant_bounds_rate(request->worker->bounds, who->tenant);

	add_subject(request, "default", "", who->kind == PRINCIPAL_USER ? 'u' : 'k', who->id,
	            who->rate_limit ? who->rate_limit : config->rate_limit);
	if (whole)
		add_subject(request, "tenant", " of the tenant", 't',
		            slice_of(arena_printf(&request->arena, "%lld", (long long)who->tenant)), whole);
	add_subject(request, "address", " of this address", 'b', request->network,
	            config->rate_limit_address ? config->rate_limit_address : config->rate_limit * ADDRESS_FACTOR);
}

static struct quota_check *
new_check(struct request *request)
{
	struct quota_check *check = arena_alloc(&request->arena, sizeof(*check));

	check->request = request;
	check->count = 0;
	check->decided = false;
	check->waiting_since_us = 0;
	return check;
}

static void
begin_check(struct request *request)
{
	const struct config *config = request->worker->config;

	request->quota = new_check(request);
	if (request->endpoint->limit == LIMIT_CLASS_LOGIN)
		add_subject(request, "login", " of logins from this address", 'l', request->network,
		            MAX(config->rate_limit / LOGIN_PART, 1));
	else if (request->principal.kind == PRINCIPAL_NOBODY)
		add_subject(request, "default", "", 'a', request->network, config->rate_limit);
	else
		add_known(request);
}

static void
count(enum metrics_policy policy, enum metrics_verdict verdict)
{
	metrics_add(METRIC_LIMIT_REQUESTS, metrics_pair(METRIC_LIMIT_REQUESTS, (int)policy, (int)verdict), 1);
}

static enum metrics_policy
policy_of(const struct quota_subject *subject)
{
	static const char *const names[] = {[METRICS_POLICY_DEFAULT] = "default",
	                                    [METRICS_POLICY_TENANT] = "tenant",
	                                    [METRICS_POLICY_ADDRESS] = "address",
	                                    [METRICS_POLICY_LOGIN] = "login"};

	for (size_t i = 0; i < ARRAY_LENGTH(names); i++)
		if (strcmp(subject->policy, names[i]) == 0)
			return (enum metrics_policy)i;
	return METRICS_POLICY_DEFAULT;
}

static enum step
refuse(struct request *request, const struct quota_subject *subject)
{
	request->retry_after_s = (subject->verdict.retry_us + 999999) / 1000000;
	return request_fail(request, ERROR_RATE_LIMITED, "the limit%s is %lld requests in %lld s; try again in %lld s",
	                    subject->whose, (long long)subject->rule.limit, (long long)(subject->rule.window_us / 1000000),
	                    (long long)request->retry_after_s);
}

enum step
stage_limit(struct request *request)
{
	const struct quota_subject *tightest;

	if (!request->quota) {
		if (request->endpoint->limit == LIMIT_CLASS_NONE)
			return STEP_NEXT;
		begin_check(request);
	}
	if (!request->quota->decided && !quota_take(request->worker->quota, request->quota))
		return STEP_WAIT;
	tightest = &request->quota->subjects[request->quota->tightest];
	request->limit = tightest->verdict;
	request->limit.limit = tightest->rule.limit;
	/* It counted for several: it stands under what it is, or under what refused it. */
	if (tightest->verdict.admitted) {
		count(policy_of(&request->quota->subjects[0]), METRICS_ADMITTED);
		return STEP_NEXT;
	}
	count(policy_of(tightest), METRICS_TURNED_DOWN);
	return refuse(request, tightest);
}

bool
stage_limit_left(struct request *request, const struct principal *who, struct quota_check **check_r, int64_t *left_r)
{
	struct quota *quota = request->worker->quota;
	const struct limit_verdict *verdict;

	if (!*check_r) {
		*check_r = new_check(request);
		add_to(*check_r, "default", "", 'k', who->id,
		       who->rate_limit ? who->rate_limit : request->worker->config->rate_limit);
	}
	if (!(*check_r)->decided && !quota_take(quota, *check_r))
		return false;
	verdict = &(*check_r)->subjects[0].verdict;
	*left_r = verdict->remaining + verdict->admitted;
	quota_give_back(quota, *check_r);
	return true;
}

void
stage_limit_stranger(struct request *request)
{
	struct quota_subject subject = {
	    .policy = "address",
	    .whose = " of refused credentials from this address",
	    .rule = {.strategy = (enum limit_strategy)request->worker->config->rate_limit_strategy,
	             .limit = request->worker->config->rate_limit,
	             .window_us = request->worker->config->rate_limit_window_s * 1000000},
	};

	name_subject(request, &subject, 'f', request->network);
	subject.verdict = quota_take_here(request->worker->quota, &subject);
	count(METRICS_POLICY_CREDENTIAL, subject.verdict.admitted ? METRICS_ADMITTED : METRICS_TURNED_DOWN);
	if (!subject.verdict.admitted)
		(void)refuse(request, &subject);
}

void
stage_limit_headers(struct request *request)
{
	const struct quota_check *check = request->quota;
	const struct quota_subject *subject;
	int64_t reset_s;

	if (!check || !check->decided)
		return;
	subject = &check->subjects[check->tightest];
	reset_s = (subject->verdict.reset_us + 999999) / 1000000;
	const struct {
		const char *text;
		int64_t number;
	} parts[] = {{"X-RateLimit-Limit: ", subject->rule.limit},
	             {"\r\nX-RateLimit-Remaining: ", subject->verdict.remaining},
	             {"\r\nX-RateLimit-Reset: ", reset_s},
	             {"\";q=", subject->rule.limit},
	             {";w=", subject->rule.window_us / 1000000},
	             {"\";r=", subject->verdict.remaining},
	             {";t=", reset_s}};

	for (size_t i = 0; i < ARRAY_LENGTH(parts); i++) {
		if (i == 3 || i == 5) {
			buf_add_text(&request->headers, i == 3 ? "\r\nRateLimit-Policy: \"" : "\r\nRateLimit: \"");
			buf_add_text(&request->headers, subject->policy);
		}
		buf_add_text(&request->headers, parts[i].text);
		buf_add_int(&request->headers, parts[i].number);
	}
	buf_add(&request->headers, "\r\n", 2);
}
