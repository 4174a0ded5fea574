/*
 * agent.c - an agent in C with libcurl and jansson: counts words.
 *
 *     cc -std=gnu17 -O2 -Wall -Wextra -o agent agent.c -lcurl -ljansson -lpthread
 *     AGENTCTL_SERVER=http://127.0.0.1:5000 AGENTCTL_KEY_FILE=key ./agent ROLE
 *
 * Holds one task at a time; a thread beats while work() is at it. SIGTERM hands the task back. Exit status 1: not
 * allowed.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <curl/curl.h>
#include <jansson.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { TRIES = 20, STEP_MS = 50 };

static atomic_bool stopping;
static const char *server;
static char authorization[512] = "Authorization: Bearer ";

/* An answer; json is NULL if it had none. The caller gives it back with json_decref(). */
struct answer {
	long status;  /* 0: there was none */
	long pause_s; /* until it may be tried again */
	json_t *json;
};

/* One lease, seen by the thread that works and the thread that beats. */
struct lease {
	const char *id, *traceparent;
	json_int_t epoch;
	long beat_ms;
	atomic_bool lost; /* the task is not ours any more */
	atomic_bool done;
};

static void
stop(int number)
{
	(void)number;
	stopping = true;
}

static void
pause_ms(long ms)
{
	nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

static size_t
take_body(char *data, size_t size, size_t count, void *to)
{
	return fwrite(data, size, count, to);
}

/* Sends body, which it gives back, to the path that format says. A key that is not allowed ends the program. */
static struct answer __attribute__((format(printf, 4, 5)))
call(CURL *curl, json_t *body, const char *traceparent, const char *format, ...)
{
	struct answer answer = {.pause_s = 1};
	struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
	char url[1024], trace[128], *sent = json_dumps(body, JSON_COMPACT), *received = NULL;
	size_t len = 0;
	FILE *to = open_memstream(&received, &len);
	curl_off_t retry_after = 0;
	va_list args;

	va_start(args, format);
	len = (size_t)snprintf(url, sizeof(url), "%s/api/v1", server);
	vsnprintf(url + len, sizeof(url) - len, format, args);
	va_end(args);
	headers = curl_slist_append(headers, authorization);
	if (traceparent && snprintf(trace, sizeof(trace), "traceparent: %s", traceparent) > 0)
		headers = curl_slist_append(headers, trace);
	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(curl, CURLOPT_POSTFIELDS, sent);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT, 30L);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, to);
	if (curl_easy_perform(curl) == CURLE_OK) {
		curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &answer.status);
		curl_easy_getinfo(curl, CURLINFO_RETRY_AFTER, &retry_after);
	}
	fclose(to);
	answer.json = json_loads(received, JSON_DECODE_ANY, NULL);
	answer.pause_s = retry_after ? (long)retry_after : 1;
	curl_slist_free_all(headers);
	json_decref(body);
	free(sent);
	free(received);
	if (answer.status == 401 || answer.status == 403) {
		fprintf(stderr, "not allowed: %s\n", json_string_value(json_object_get(answer.json, "detail")));
		exit(1);
	}
	return answer;
}

/* Whether the same request can have another answer later. */
static bool
may_help(long status)
{
	return status == 0 || status == 429 || status >= 500;
}

/* The thread that beats. */
static void *
beat(void *argument)
{
	struct lease *lease = argument;
	CURL *curl = curl_easy_init();
	long waited = 0;

	for (; !lease->done && !lease->lost; pause_ms(STEP_MS)) {
		struct answer answer;

		if ((waited += STEP_MS) < lease->beat_ms)
			continue;
		waited = 0;
		answer = call(curl, json_pack("{s:I}", "epoch", lease->epoch), NULL, "/tasks/%s/heartbeat", lease->id);
		if (answer.status == 404 || answer.status == 409 || json_is_true(json_object_get(answer.json, "cancel")))
			lease->lost = true;
		json_decref(answer.json);
	}
	curl_easy_cleanup(curl);
	return NULL;
}

/* The work itself. It looks now and then whether it is still wanted; NULL: it stopped, or *why_r says what is wrong. */
static json_t *
work(const json_t *task, const struct lease *lease, const char **why_r)
{
	const json_t *input = json_object_get(task, "input_data");
	const char *text = json_string_value(json_object_get(input, "text"));
	double left_ms = json_number_value(json_object_get(input, "seconds")) * 1000;
	json_int_t words = 0;

	*why_r = text ? NULL : "input_data.text is missing";
	if (!text)
		return NULL;
	for (; left_ms > 0; left_ms -= STEP_MS, pause_ms(STEP_MS))
		if (lease->lost || stopping)
			return NULL;
	for (; *text; text++)
		words += !isspace((unsigned char)*text) && (!text[1] || isspace((unsigned char)text[1]));
	return json_pack("{s:I}", "words", words);
}

/* Until there is an answer. Twice does no harm: the epoch says whose word counts. */
static void
settle(CURL *curl, const struct lease *lease, const char *verb, json_t *body)
{
	struct answer answer = {0};

	json_object_set_new(body, "epoch", json_integer(lease->epoch));
	for (int i = 0; i < TRIES; i++) {
		json_decref(answer.json);
		answer = call(curl, json_incref(body), lease->traceparent, "/tasks/%s/%s", lease->id, verb);
		if (!may_help(answer.status))
			break;
		pause_ms(answer.pause_s * 1000);
	}
	fprintf(stderr, "%s: %s: %ld\n", lease->id, verb, answer.status);
	json_decref(answer.json);
	json_decref(body);
	if (strcmp(verb, "complete") == 0 && (answer.status == 400 || answer.status == 413 || answer.status == 422))
		settle(curl, lease, "fail",
		       json_pack("{s:s, s:b}", "error_message", "the result was refused", "retryable", false));
}

static void
do_task(CURL *curl, const json_t *task)
{
	struct lease lease = {
	    .id = json_string_value(json_object_get(task, "id")),
	    .traceparent = json_string_value(json_object_get(task, "traceparent")),
	    .epoch = json_integer_value(json_object_get(task, "epoch")),
	    .beat_ms = (long)(json_number_value(json_object_get(task, "lease_s")) * 1000 / 3),
	};
	const char *why;
	pthread_t heart;
	json_t *result;

	if (pthread_create(&heart, NULL, beat, &lease) != 0)
		return; /* without a beat: the lease ends by itself */
	result = work(task, &lease, &why);
	if (lease.lost)
		fprintf(stderr, "%s: the lease was lost or the task cancelled; stopped\n", lease.id);
	else if (result)
		settle(curl, &lease, "complete", json_pack("{s:O}", "output_data", result));
	else if (why)
		settle(curl, &lease, "fail", json_pack("{s:s, s:b}", "error_message", why, "retryable", false));
	else
		settle(curl, &lease, "release", json_object());
	lease.done = true;
	pthread_join(heart, NULL);
	json_decref(result);
}

static bool
read_key(const char *path)
{
	size_t len = strlen(authorization);
	FILE *file = path ? fopen(path, "r") : NULL;
	bool good = file && fgets(authorization + len, (int)(sizeof(authorization) - len), file);

	authorization[strcspn(authorization, "\r\n")] = '\0';
	if (file)
		fclose(file);
	return good;
}

/* Registers until there is an answer. */
static bool
enter(CURL *curl, const char *agent_id, const char *role)
{
	struct answer answer = {0};

	do {
		pause_ms(answer.pause_s * 1000);
		answer = call(curl, json_pack("{s:s, s:s, s:s}", "agent_id", agent_id, "name", agent_id, "role", role), NULL,
		              "/agents");
		json_decref(answer.json);
	} while (may_help(answer.status) && !stopping);
	return answer.status == 201;
}

int
main(int argc, char **argv)
{
	char host[65] = "host", own_id[256];
	const char *agent_id = getenv("AGENT_ID");
	CURL *curl;

	server = getenv("AGENTCTL_SERVER");
	if (argc != 2 || !server || !read_key(getenv("AGENTCTL_KEY_FILE"))) {
		fprintf(stderr, "usage: AGENTCTL_SERVER=URL AGENTCTL_KEY_FILE=FILE agent ROLE\n");
		return 2;
	}
	gethostname(host, sizeof(host) - 1);
	snprintf(own_id, sizeof(own_id), "%s-%s-%d", argv[1], host, (int)getpid());
	agent_id = agent_id ? agent_id : own_id;
	sigaction(SIGTERM, &(struct sigaction){.sa_handler = stop}, NULL);
	sigaction(SIGINT, &(struct sigaction){.sa_handler = stop}, NULL);
	curl_global_init(CURL_GLOBAL_DEFAULT);
	curl = curl_easy_init();
	if (!enter(curl, agent_id, argv[1]))
		return 1;
	while (!stopping) {
		struct answer answer =
		    call(curl, json_pack("{s:[s], s:s, s:i}", "roles", argv[1], "agent_id", agent_id, "wait_s", 5), NULL,
		         "/tasks/lease");
		const json_t *task = json_array_get(json_object_get(answer.json, "tasks"), 0);

		if (answer.status == 200 && task)
			do_task(curl, task);
		json_decref(answer.json);
		if (answer.status != 200 && !may_help(answer.status))
			return 1;
		if (answer.status != 200)
			pause_ms(answer.pause_s * 1000);
	}
	curl_easy_cleanup(curl);
	curl_global_cleanup();
	return 0;
}
