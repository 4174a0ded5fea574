/* test_metrics.c - counting in shared memory: by several processes, over their ends, and the text that tells it. */
#include "base.h"

#include "buf.h"
#include "metrics_private.h"
#include "shared_memory.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>

/* Memory of its own for each test. */
static int
set_up(void **state UNUSED)
{
	assert_true(metrics_map());
	metrics_begin(METRICS_MASTER, 0, "master");
	metrics_name(METRICS_LABEL_ENDPOINT, 0, "createTask");
	metrics_name(METRICS_LABEL_ENDPOINT, 1, "leaseTasks");
	metrics_name(METRICS_LABEL_STAGE, 0, "cors");
	metrics_begin(0, 1, "keeper");
	return 0;
}

static int
tear_down(void **state UNUSED)
{
	metrics_unmap();
	return 0;
}

static int64_t
value_of(enum metric metric, int index)
{
	int64_t value;

	return metrics_read(metric, index, &value) ? value : -1;
}

/* The value of one series as the text has it; "" if it is not there. */
static char *
line_of(const char *series)
{
	static char value[64];
	struct buf out = {0};
	size_t length = strlen(series);

	metrics_write(&out);
	buf_add_byte(&out, '\0');
	value[0] = '\0';
	for (const char *at = out.data; *at; at = strchr(at, '\n') + 1)
		if (strncmp(at, series, length) == 0 && at[length] == ' ')
			snprintf(value, sizeof(value), "%.*s", (int)strcspn(at + length + 1, "\n"), at + length + 1);
	buf_free(&out);
	return value;
}

static pid_t
fork_child(int slot, const char *name, void (*work)(void))
{
	pid_t child = fork();

	if (child == 0) {
		metrics_begin(slot, slot + 1, name);
		work();
		pause();
	}
	assert_true(child > 0);
	return child;
}

static void
end_child(pid_t child, int slot)
{
	int status;

	kill(child, SIGKILL);
	assert_int_equal(waitpid(child, &status, 0), child);
	metrics_end(slot);
}

static void
until(enum metric metric, int index, int64_t value)
{
	while (value_of(metric, index) != value)
		usleep(1000);
}

static void
count_a_thousand(void)
{
	metrics_set(METRIC_HTTP_CONNECTIONS, METRICS_OWN, 7);
	for (int i = 0; i < 1000; i++)
		metrics_add(METRIC_STAGE_ERRORS, 0, 1);
}

static void
test_counters_are_summed_and_outlive_kill_9(void **state UNUSED)
{
	pid_t first = fork_child(1, "worker 0", count_a_thousand), second = fork_child(2, "worker 1", count_a_thousand);

	until(METRIC_STAGE_ERRORS, 0, 2000);
	end_child(first, 1);
	assert_int_equal(value_of(METRIC_STAGE_ERRORS, 0), 2000);
	first = fork_child(1, "worker 0", count_a_thousand);
	until(METRIC_STAGE_ERRORS, 0, 3000);
	assert_string_equal(line_of("agentd_http_stage_errors_total{stage=\"cors\"}"), "3000");
	end_child(first, 1);
	end_child(second, 2);
	assert_int_equal(value_of(METRIC_STAGE_ERRORS, 0), 3000);
}

static void
test_gauges_end_with_their_process(void **state UNUSED)
{
	pid_t child = fork_child(1, "worker 0", count_a_thousand);

	until(METRIC_STAGE_ERRORS, 0, 1000);
	metrics_set(METRIC_HTTP_CONNECTIONS, 2, 5);
	assert_string_equal(line_of("agentd_http_connections{process=\"worker 0\"}"), "12");
	end_child(child, 1);
	assert_string_equal(line_of("agentd_http_connections{process=\"worker 0\"}"), "5");
	metrics_unset(METRIC_HTTP_CONNECTIONS, 2);
	assert_string_equal(line_of("agentd_http_connections{process=\"worker 0\"}"), "");
	assert_int_equal(value_of(METRIC_HTTP_CONNECTIONS, 2), -1);
}

/* At a reload two processes have one place for a while: what they count is one series, of times the later holds. */
static void
test_two_generations_are_one_series(void **state UNUSED)
{
	metrics_begin(1, 2, "worker 0");
	metrics_add(METRIC_PROCESS_CPU, METRICS_OWN, 1500000);
	metrics_set(METRIC_PROCESS_START_TIME, METRICS_OWN, 100000000);
	metrics_set(METRIC_PROCESS_FDS, METRICS_OWN, 10);
	metrics_begin(7, 2, "worker 0");
	metrics_add(METRIC_PROCESS_CPU, METRICS_OWN, 250000);
	metrics_set(METRIC_PROCESS_START_TIME, METRICS_OWN, 200000000);
	metrics_set(METRIC_PROCESS_FDS, METRICS_OWN, 20);
	assert_string_equal(line_of("agentd_process_cpu_seconds_total{process=\"worker 0\"}"), "1.75");
	assert_string_equal(line_of("agentd_process_start_time_seconds{process=\"worker 0\"}"), "200");
	assert_string_equal(line_of("agentd_process_open_fds{process=\"worker 0\"}"), "30");
	metrics_end(1);
	/* The slot goes to another process: what was counted there keeps its place. */
	metrics_begin(1, 1, "keeper");
	assert_string_equal(line_of("agentd_process_cpu_seconds_total{process=\"worker 0\"}"), "1.75");
	assert_string_equal(line_of("agentd_process_open_fds{process=\"worker 0\"}"), "20");
}

static void
test_histograms_have_cumulative_buckets(void **state UNUSED)
{
	metrics_observe(METRIC_HTTP_DURATION, 1, 250);
	metrics_observe(METRIC_HTTP_DURATION, 1, 251);
	metrics_observe(METRIC_HTTP_DURATION, 1, 3000000);
	metrics_observe(METRIC_HTTP_DURATION, 1, 3600000000);
	assert_string_equal(line_of("agentd_http_request_duration_seconds_bucket{endpoint=\"leaseTasks\",le=\"0.00025\"}"),
	                    "1");
	assert_string_equal(line_of("agentd_http_request_duration_seconds_bucket{endpoint=\"leaseTasks\",le=\"0.0005\"}"),
	                    "2");
	assert_string_equal(line_of("agentd_http_request_duration_seconds_bucket{endpoint=\"leaseTasks\",le=\"2.5\"}"),
	                    "2");
	assert_string_equal(line_of("agentd_http_request_duration_seconds_bucket{endpoint=\"leaseTasks\",le=\"30\"}"), "3");
	assert_string_equal(line_of("agentd_http_request_duration_seconds_bucket{endpoint=\"leaseTasks\",le=\"+Inf\"}"),
	                    "4");
	assert_string_equal(line_of("agentd_http_request_duration_seconds_count{endpoint=\"leaseTasks\"}"), "4");
	assert_string_equal(line_of("agentd_http_request_duration_seconds_sum{endpoint=\"leaseTasks\"}"), "3603.000501");
	assert_int_equal(value_of(METRIC_HTTP_DURATION, 1), 4);
}

static void
test_what_is_unused_or_out_of_bounds_is_left_out(void **state UNUSED)
{
	metrics_add(METRIC_HTTP_REQUESTS, metrics_pair(METRIC_HTTP_REQUESTS, 0, 0), 1);
	metrics_add(METRIC_HTTP_REQUESTS, metrics_pair(METRIC_HTTP_REQUESTS, METRICS_MAX_ENDPOINT, 0), 1);
	metrics_add(METRIC_HTTP_REQUESTS, metrics_pair(METRIC_HTTP_REQUESTS, 0, METRICS_MAX_STATUS), 1);
	metrics_add(METRIC_HTTP_REQUESTS, METRICS_MAX_ENDPOINT * METRICS_MAX_STATUS, 1);
	metrics_observe(METRIC_HTTP_DURATION, -1, 1);
	assert_string_equal(line_of("agentd_http_requests_total{endpoint=\"createTask\",status=\"2xx\"}"), "1");
	/* So that the rate of the first failure is seen. */
	assert_string_equal(line_of("agentd_http_requests_total{endpoint=\"createTask\",status=\"5xx\"}"), "0");
	assert_string_equal(line_of("agentd_http_requests_total{endpoint=\"leaseTasks\",status=\"2xx\"}"), "");
	assert_int_equal(value_of(METRIC_HTTP_REQUESTS, METRICS_MAX_ENDPOINT * METRICS_MAX_STATUS), -1);
}

static void
test_names_are_escaped_and_can_be_taken_back(void **state UNUSED)
{
	metrics_add(METRIC_STAGE_ERRORS, 3, 9);
	metrics_name(METRICS_LABEL_STAGE, 3, "a\"b\\c\nd");
	assert_string_equal(line_of("agentd_http_stage_errors_total{stage=\"a\\\"b\\\\c\\nd\"}"), "9");
	metrics_name(METRICS_LABEL_STAGE, 3, "other");
	assert_string_equal(line_of("agentd_http_stage_errors_total{stage=\"other\"}"), "9");
	metrics_name(METRICS_LABEL_STAGE, 3, NULL);
	assert_string_equal(line_of("agentd_http_stage_errors_total{stage=\"other\"}"), "");
}

/* The newest memory, as a program that takes over gets it. */
static void
keep_last(void *arg, const char *name, int fd)
{
	if (strncmp(name, "metrics ", 8) == 0)
		*(int *)arg = fd;
}

/* Names come from users: what is told stays UTF-8, or Prometheus would take nothing at all. */
static void
test_long_names_are_cut_between_characters(void **state UNUSED)
{
	const char *hangul = "\xea\xb0\x80"; /* one character */
	char name[200] = "", cut[METRICS_NAME_SIZE];

	for (int i = 0; i < 30; i++)
		memcpy(name + 3 * i, hangul, 4);
	metrics_cut(slice_of(name), cut);
	assert_int_equal(strlen(cut), 63); /* 21 of them */
	assert_memory_equal(cut, name, 63);
	memcpy(name, "xx", 2);
	memmove(name + 2, name + 3, strlen(name + 3) + 1);
	metrics_cut(slice_of(name), cut);
	assert_int_equal(strlen(cut), 65);
	metrics_cut((struct slice){hangul, 2}, cut);
	assert_string_equal(cut, "");
	metrics_cut(SLICE_NONE, cut);
	assert_string_equal(cut, "");
}

static void
test_memory_can_be_taken_over(void **state UNUSED)
{
	char name[16];
	int fd = -1;

	metrics_add(METRIC_STAGE_ERRORS, 0, 42);
	snprintf(name, sizeof(name), "metrics %07x", (unsigned)(metrics_signature() & 0xfffffff));
	shared_memory_each(keep_last, &fd);
	assert_true(fd >= 0);
	shared_memory_adopt(name, dup(fd));
	assert_true(metrics_map());
	metrics_begin(METRICS_MASTER, 0, "master");
	assert_int_equal(value_of(METRIC_STAGE_ERRORS, 0), 42);
}

static bool
ends_with(const char *text, const char *end)
{
	size_t length = strlen(text);

	return length > strlen(end) && strcmp(text + length - strlen(end), end) == 0;
}

static void
test_names_follow_the_conventions(void **state UNUSED)
{
	for (int i = 0; i < METRIC_COUNT; i++) {
		const struct metrics_row *row = &metrics_rows[i];
		bool total = ends_with(row->name, "_total"), info = ends_with(row->name, "_info");

		if (strncmp(row->name, "agentd_", 7) != 0 ||
		    strspn(row->name, "abcdefghijklmnopqrstuvwxyz_") != strlen(row->name))
			fail_msg("%s: the name", row->name);
		if ((row->type == METRICS_TYPE_COUNTER) != total)
			fail_msg("%s: counters, and only they, end in _total", row->name);
		if (row->unit == METRICS_UNIT_SECONDS && !ends_with(row->name, "_seconds") &&
		    !ends_with(row->name, "_seconds_total"))
			fail_msg("%s: seconds", row->name);
		if (row->unit == METRICS_UNIT_BYTES && !ends_with(row->name, "_bytes") && !ends_with(row->name, "_bytes_total"))
			fail_msg("%s: bytes", row->name);
		if (!ends_with(row->help, ".") || info != (row->labels[0] == METRICS_LABEL_VERSION))
			fail_msg("%s: help", row->name);
	}
}

/* --- the document --- */

static void
write_labels(struct buf *out, const struct metrics_row *row)
{
	for (int i = 0; i < 2; i++)
		if (row->labels[i] != METRICS_LABEL_NONE)
			buf_printf(out, "%s`%s`", i ? ", " : "", metrics_label_names[row->labels[i]]);
}

static void
write_table(struct buf *out)
{
	static const char *const types[] = {"counter", "gauge", "gauge", "histogram"};

	buf_add_text(out, "| metric | type | labels | what |\n|-|-|-|-|\n");
	for (int i = 0; i < METRIC_COUNT; i++) {
		buf_printf(out, "| `%s` | %s | ", metrics_rows[i].name, types[metrics_rows[i].type]);
		write_labels(out, &metrics_rows[i]);
		buf_printf(out, " | %s |\n", metrics_rows[i].help);
	}
}

static void
test_the_document_has_the_table(void **state UNUSED)
{
	const char *tree = getenv("SOURCE_DIR");
	struct buf table = {0}, text = {0};
	char path[4096];
	size_t count;
	FILE *file;

	snprintf(path, sizeof(path), "%s/docs/operations/metrics.md", tree ? tree : ".");
	file = fopen(path, "r");
	if (!file)
		fail_msg("cannot open %s", path);
	while ((count = fread(buf_reserve(&text, 4096), 1, 4096, file)) > 0)
		text.len += count;
	fclose(file);
	write_table(&table);
	if (!memmem(text.data, text.len, table.data, table.len))
		fail_msg("%s does not have the table of metrics.def: put in what `test_metrics --document` prints", path);
	buf_free(&table);
	buf_free(&text);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_counters_are_summed_and_outlive_kill_9),
	    TEST(test_gauges_end_with_their_process),
	    TEST(test_two_generations_are_one_series),
	    TEST(test_histograms_have_cumulative_buckets),
	    TEST(test_what_is_unused_or_out_of_bounds_is_left_out),
	    TEST(test_names_are_escaped_and_can_be_taken_back),
	    TEST(test_long_names_are_cut_between_characters),
	    TEST(test_memory_can_be_taken_over),
	    TEST(test_names_follow_the_conventions),
	    TEST(test_the_document_has_the_table),
	};
	struct buf table = {0};

	if (argc > 1 && strcmp(argv[1], "--document") == 0) {
		write_table(&table);
		return fwrite(table.data, 1, table.len, stdout) == table.len ? 0 : 1;
	}
	return cmocka_run_group_tests_name("metrics", tests, NULL, NULL);
}
