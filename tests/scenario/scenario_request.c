/*
 * scenario_request.c - requests: every one on a fresh connection, so that they spread over the workers.
 *
 * What a scenario expects of a request and of raw bytes is one thing: answers in order, then perhaps the end of the
 * connection. Bytes after the last answer are a failure.
 */
#include "base.h"
#include "scenario_run.h"

#include <strings.h>

static bool
running_port(struct scenario *scenario, int *port_r)
{
	if (!scenario->node)
		return failure_set(&scenario->failure, 0, "no server was started; write `start` first");
	*port_r = scenario->node->port;
	return true;
}

static const struct statement *
find_header(const struct statement *statement, const char *name)
{
	for (const struct statement *child = statement->children; child; child = child->next)
		if ((child->kind->is & KIND_HEADER) && strcasecmp(child->name, name) == 0)
			return child;
	return NULL;
}

/* What the driver sends by itself, unless the scenario says otherwise. */
static void
add_header(struct buf *out, const struct statement *statement, const char *name, const char *value)
{
	if (value && !find_header(statement, name))
		buf_printf(out, "%s: %s\r\n", name, value);
}

static bool
add_own_headers(struct scenario *scenario, const struct statement *statement, struct buf *out)
{
	struct slice value;

	for (const struct statement *child = statement->children; child; child = child->next) {
		/* `no-header` has no value. */
		if (!(child->kind->is & KIND_HEADER) || !child->text_count)
			continue;
		if (!scenario_text(scenario, child->texts[0], &value))
			return failure_set(&scenario->failure, child->line, "%s",
			                   arena_string(&scenario->arena, slice_of(scenario->failure.text)));
		buf_printf(out, "%s: ", child->name);
		buf_add_slice(out, value);
		buf_add_text(out, "\r\n");
	}
	return true;
}

static bool
compose(struct scenario *scenario, const struct statement *statement, int port, struct buf *out)
{
	struct arena *arena = &scenario->arena;
	const char *method = statement->kind->name;
	bool creates = method[0] == 'P' || statement->body;
	struct slice path, body = {"", 0};

	if (!scenario_text(scenario, statement->texts[0], &path) ||
	    (statement->body && !scenario_text(scenario, statement->body, &body)))
		return false;
	if (path.len > 1 && path.data[1] == '/')
		buf_printf(out, "%s %s HTTP/1.1\r\n", method, path.data + 1);
	else
		buf_printf(out, "%s %s%s HTTP/1.1\r\n", method, *path.data == '*' ? "" : "/api/v1", path.data);
	add_header(out, statement, "Host", arena_printf(arena, "127.0.0.1:%d", port));
	if (scenario->token)
		add_header(out, statement, "Authorization", arena_printf(arena, "Bearer %s", scenario->token));
	add_header(out, statement, "Content-Type", statement->body ? "application/json" : NULL);
	add_header(out, statement, "Content-Length", creates ? arena_printf(arena, "%zu", body.len) : NULL);
	if (!add_own_headers(scenario, statement, out))
		return false;
	buf_add_text(out, "\r\n");
	buf_add_slice(out, body);
	return true;
}

static void
keep_answer(struct scenario *scenario, int line)
{
	json_decref(scenario->answer_json);
	scenario->answer_json = json_text_parse(scenario->answer.body, &scenario->answer_why);
	scenario->answer_line = line;
}

static bool
expect_status(struct scenario *scenario, const int *choices)
{
	int status = scenario->answer.status;

	for (int i = 0; i < ANSWER_CHOICES_MAX && choices[i]; i++)
		if (status == choices[i])
			return true;
	for (int i = 1; i < ANSWER_CHOICES_MAX && choices[i]; i++)
		return failure_set(&scenario->failure, 0, "expected status %d or %d, saw %d", choices[0], choices[i], status);
	return failure_set(&scenario->failure, 0, "expected status %d, saw %d", choices[0], status);
}

static bool
expect_answers(struct scenario *scenario, const struct statement *statement, struct exchange *exchange)
{
	const struct expected *expected = &statement->expected;
	struct failure *failure = &scenario->failure;
	int answers = expected->given ? expected->answers : 1;
	struct slice begins;

	if (expected->begins && (!scenario_text(scenario, expected->begins, &begins) ||
	                         !exchange_begins(exchange, begins, scenario->deadline, failure)))
		return false;
	for (int i = 0; i < answers; i++) {
		if (!exchange_answer(exchange, scenario->deadline, &scenario->arena, &scenario->answer, failure))
			return false;
		keep_answer(scenario, statement->line);
		if (expected->given && !expect_status(scenario, expected->choices[i]))
			return false;
	}
	if (!expected->given && scenario->answer.status / 100 != 2)
		return failure_set(failure, 0, "expected a status of 200 to 299, saw %d", scenario->answer.status);
	if (expected->closed && (answers || !expected->begins))
		return exchange_closed(exchange, scenario->deadline, failure);
	if (answers && exchange->in.len)
		return failure_set(failure, 0, "expected nothing after the answer, saw %zu more bytes: %.*s", exchange->in.len,
		                   (int)MIN(exchange->in.len, (size_t)300), exchange->in.data);
	return true;
}

/* Fills and opens the connection for a request or raw statement. */
static bool
begin(struct scenario *scenario, const struct statement *statement, struct exchange *exchange)
{
	struct slice bytes;
	int port = 0;

	*exchange = (struct exchange){.fd = -1};
	if (!running_port(scenario, &port))
		return false;
	if (statement->kind->run == request_send) {
		if (!compose(scenario, statement, port, &exchange->out))
			return false;
	} else {
		if (!scenario_text(scenario, statement->texts[0], &bytes))
			return false;
		buf_add_slice(&exchange->out, bytes);
	}
	return exchange_open(exchange, port, &scenario->failure) &&
	       (!statement->eof || exchange_finish(exchange, scenario->deadline, &scenario->failure));
}

bool
request_send(struct scenario *scenario, const struct statement *statement)
{
	struct exchange exchange;
	bool done = begin(scenario, statement, &exchange) && expect_answers(scenario, statement, &exchange);

	exchange_close(&exchange);
	return done;
}

bool
request_raw(struct scenario *scenario, const struct statement *statement)
{
	return request_send(scenario, statement);
}

static struct background **
find_background(struct scenario *scenario, const char *name)
{
	struct background **at = &scenario->backgrounds;

	while (*at && strcmp((*at)->name, name) != 0)
		at = &(*at)->next;
	return at;
}

bool
request_background(struct scenario *scenario, const struct statement *statement)
{
	struct background **at = find_background(scenario, statement->name);

	if (*at)
		return failure_set(&scenario->failure, 0, "%s is in flight already; `join %s` comes first", statement->name,
		                   statement->name);
	*at = arena_zero(&scenario->arena, sizeof(**at));
	(*at)->name = statement->name;
	return begin(scenario, statement->inner, &(*at)->exchange);
}

static bool
get_background(struct scenario *scenario, const struct statement *statement, struct background ***at_r)
{
	*at_r = find_background(scenario, statement->name);
	return **at_r ||
	       failure_set(&scenario->failure, 0, "there is no request %s in flight; `background %s ...` makes one",
	                   statement->name, statement->name);
}

bool
request_send_more(struct scenario *scenario, const struct statement *statement)
{
	struct background **at;
	struct slice bytes;

	if (!get_background(scenario, statement, &at) || !scenario_text(scenario, statement->texts[0], &bytes))
		return false;
	exchange_send(&(*at)->exchange, bytes);
	return true;
}

bool
request_join(struct scenario *scenario, const struct statement *statement)
{
	struct background **at;
	bool done;

	if (!get_background(scenario, statement, &at))
		return false;
	done = expect_answers(scenario, statement, &(*at)->exchange);
	exchange_close(&(*at)->exchange);
	*at = (*at)->next;
	return done;
}

/* A connection that is not even accepted. */
bool
request_refuses(struct scenario *scenario, UNUSED const struct statement *statement)
{
	struct exchange exchange = {.fd = -1};
	int port = 0;
	bool opened = running_port(scenario, &port) && exchange_open(&exchange, port, &scenario->failure);

	exchange_close(&exchange);
	return opened ? failure_set(&scenario->failure, 0, "expected no new connections, saw one accepted") : port != 0;
}

/* The client that goes away without a word. */
bool
request_drop(struct scenario *scenario, const struct statement *statement)
{
	struct background **at;

	if (!get_background(scenario, statement, &at))
		return false;
	exchange_close(&(*at)->exchange);
	*at = (*at)->next;
	return true;
}

void
request_finish(struct scenario *scenario)
{
	for (struct background *at = scenario->backgrounds; at; at = at->next)
		exchange_close(&at->exchange);
	json_decref(scenario->answer_json);
}

/* Sends text, a whole request, and reads one answer. */
static bool
ask(struct scenario *scenario, int port, const char *text, int64_t deadline, struct answer *answer)
{
	struct exchange exchange = {.fd = -1};
	bool done;

	buf_add_text(&exchange.out, text);
	done = exchange_open(&exchange, port, &scenario->failure) &&
	       exchange_answer(&exchange, deadline, &scenario->arena, answer, &scenario->failure);
	exchange_close(&exchange);
	return done;
}

bool
request_answers(struct scenario *scenario, int port, const char *path, int status, int64_t deadline)
{
	const char *text = arena_printf(&scenario->arena, "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n", path, port);
	struct answer answer;

	return ask(scenario, port, text, deadline, &answer) && answer.status == status;
}

/* token NULL: nobody. */
static bool
use_token(struct scenario *scenario, const char *token)
{
	scenario->token = token;
	variables_set(&scenario->variables, "TOKEN", slice_of(token ? token : ""));
	return true;
}

static bool
add_identity(struct scenario *scenario, const char *name, const char *token)
{
	struct identity *identity = arena_zero(&scenario->arena, sizeof(*identity));

	*identity = (struct identity){.name = name, .token = token, .next = scenario->identities};
	scenario->identities = identity;
	return use_token(scenario, token);
}

bool
request_login(struct scenario *scenario, const struct statement *statement)
{
	struct arena *arena = &scenario->arena;
	struct slice password = slice_of(scenario->admin_password);
	const char *body, *text, *token;
	json_t *credentials;
	char *json;
	int port = 0;

	if (!running_port(scenario, &port) ||
	    (statement->text_count && !scenario_text(scenario, statement->texts[0], &password)))
		return false;
	credentials = json_pack("{ss ss}", "username", statement->name, "password", password.data);
	json = json_dumps(credentials, JSON_COMPACT);
	json_decref(credentials);
	body = arena_string(arena, slice_of(json));
	free(json);
	text = arena_printf(arena,
	                    "POST /api/v1/auth/login HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n"
	                    "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
	                    port, strlen(body), body);
	if (!ask(scenario, port, text, scenario->deadline, &scenario->answer))
		return false;
	keep_answer(scenario, statement->line);
	token = json_string_value(json_object_get(scenario->answer_json, "access_token"));
	if (scenario->answer.status != 200 || !token)
		return failure_set(&scenario->failure, 0, "expected status 200 and an access_token, saw status %d",
		                   scenario->answer.status);
	return add_identity(scenario, statement->name, arena_string(arena, slice_of(token)));
}

bool
request_as(struct scenario *scenario, const struct statement *statement)
{
	struct slice key;

	if (statement->text_count) {
		if (!scenario_text(scenario, statement->texts[0], &key))
			return false;
		if (strcmp(statement->name, "key") != 0)
			return failure_set(&scenario->failure, 0, "only `as key $KEY` has a second word");
		return use_token(scenario, key.data);
	}
	if (strcmp(statement->name, "nobody") == 0)
		return use_token(scenario, NULL);
	for (const struct identity *at = scenario->identities; at; at = at->next)
		if (strcmp(at->name, statement->name) == 0)
			return use_token(scenario, at->token);
	return failure_set(&scenario->failure, 0, "nobody logged in as %s; `login %s` comes first", statement->name,
	                   statement->name);
}
