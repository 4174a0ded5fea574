/* test_span.c - spans in their ring, whole and in order, and what is made of a ring that a process left in disorder;
 * OTLP. */
#include "base.h"

#include "otlp.h"
#include "span.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct span_ring *ring;
static struct trace trace;

static void
put(int number)
{
	struct span span;

	span_begin(&span, &trace, trace.span, trace.parent, SPAN_SERVER);
	span.begin_us = number;
	span.end_us = number + 1;
	snprintf(span.name, sizeof(span.name), "span %d", number);
	span_text(&span, SPAN_HTTP_ROUTE, SLICE("/a"));
	span_int(&span, SPAN_HTTP_STATUS, -number);
	span_event(&span, "stage", number);
	span_end(&span);
}

static int
set_up(UNUSED void **state)
{
	ring = mem_zero(sizeof(*ring));
	span_use(ring);
	span_record(true);
	trace_begin(&trace, 1);
	return 0;
}

static int
tear_down(UNUSED void **state)
{
	span_use(NULL);
	free(ring);
	return 0;
}

static void
test_in_order(UNUSED void **state)
{
	struct span span;
	struct span_part part;

	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < SPAN_RING; i++)
			put(round * SPAN_RING + i);
		for (int i = 0; i < SPAN_RING; i++) {
			size_t at = 0;

			assert_true(span_take(ring, &span));
			assert_int_equal(span.begin_us, round * SPAN_RING + i);
			assert_memory_equal(span.trace, trace.id, sizeof(span.trace));
			assert_true(span_next(&span, &at, &part));
			assert_true(part.is_text && !part.is_event && slice_is(part.text, "/a"));
			assert_string_equal(part.name, "http.route");
			assert_true(span_next(&span, &at, &part));
			assert_true(!part.is_text && part.number == -span.begin_us);
			assert_true(span_next(&span, &at, &part));
			assert_true(part.is_event && slice_is(part.text, "stage") && part.number == span.begin_us);
			assert_false(span_next(&span, &at, &part));
		}
		assert_false(span_take(ring, &span));
	}
	assert_int_equal(ring->dropped, 0);
}

static void
test_full_ring_drops_and_counts(UNUSED void **state)
{
	struct span span;

	for (int i = 0; i < SPAN_RING + 7; i++)
		put(i);
	assert_int_equal(ring->dropped, 7);
	for (int i = 0; i < SPAN_RING; i++) {
		assert_true(span_take(ring, &span));
		assert_int_equal(span.begin_us, i);
	}
	assert_false(span_take(ring, &span));
}

static void
test_recorded_only_when_wanted(UNUSED void **state)
{
	struct trace other = {.present = true};

	assert_true(span_is_recorded(&trace));
	assert_false(span_is_recorded(&other));
	span_record(false);
	assert_false(span_is_recorded(&trace));
	span_record(true);
	span_use(NULL);
	assert_false(span_is_recorded(&trace));
	put(1);
	assert_int_equal(ring->head, 0);
}

static void
test_what_does_not_fit_is_left_out(UNUSED void **state)
{
	static char text[1000];
	struct span span;
	struct span_part part;
	size_t at = 0;
	int count = 0;

	memset(text, 'x', sizeof(text));
	span_begin(&span, &trace, trace.span, trace.parent, SPAN_CLIENT);
	for (int i = 0; i < 100; i++)
		span_text(&span, SPAN_URL_PATH, (struct slice){text, i % 2 ? 3 : sizeof(text)});
	span_text(&span, SPAN_TENANT, SLICE_NONE);
	while (span_next(&span, &at, &part)) {
		assert_true(part.text.len == 255 || part.text.len == 3);
		count++;
	}
	assert_in_range(count, 2, 20);
	assert_true(span.length <= SPAN_BYTES);
}

/* A process that went wrong may leave any bytes: reading ends, and stays inside. */
static void
test_disorder(UNUSED void **state)
{
	uint32_t random = 42;
	struct span span;
	struct buf out = {0};
	struct json_writer writer;
	static const struct otlp_resource resource = {"1", "node", "host", "testing"};

	for (int round = 0; round < 300; round++) {
		uint8_t *bytes = (uint8_t *)&ring->spans[0];
		json_t *json;

		for (size_t i = 0; i < sizeof(struct span); i++) {
			random = random * 1664525u + 1013904223u;
			bytes[i] = (uint8_t)(random >> 24);
		}
		ring->head = 1;
		ring->tail = 0;
		assert_true(span_take(ring, &span));
		out.len = 0;
		otlp_begin(&writer, &out, &resource);
		otlp_add(&writer, &span, "worker 0");
		otlp_end(&writer);
		json = json_loadb(out.data, out.len, JSON_ALLOW_NUL, NULL);
		assert_non_null(json);
		json_decref(json);
	}
	ring->head = UINT64_MAX / 2;
	ring->tail = 5;
	assert_true(span_take(ring, &span));
	assert_false(span_take(ring, &span));
	buf_free(&out);
}

static void
test_otlp(UNUSED void **state)
{
	static const struct otlp_resource resource = {"1.2", "node", "host", "testing"};
	struct buf out = {0};
	struct json_writer writer;
	struct span span;
	json_t *json, *one;
	const char *name, *begin, *key, *value;
	int kind, code;

	memset(trace.parent, 0xab, sizeof(trace.parent));
	put(1000);
	assert_true(span_take(ring, &span));
	span.failed = true;
	otlp_begin(&writer, &out, &resource);
	otlp_add(&writer, &span, "worker 0");
	otlp_end(&writer);
	json = json_loadb(out.data, out.len, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(json);
	assert_int_equal(json_unpack(json, "{s:[{s:[{s:[o!]}!]}!]!}", "resourceSpans", "scopeSpans", "spans", &one), 0);
	assert_int_equal(json_unpack(one, "{s:s, s:s, s:i, s:{s:i}}", "name", &name, "startTimeUnixNano", &begin, "kind",
	                             &kind, "status", "code", &code),
	                 0);
	assert_string_equal(name, "span 1000");
	assert_string_equal(begin, "1000000");
	assert_int_equal(kind, 2);
	assert_int_equal(code, 2);
	assert_string_equal(json_string_value(json_object_get(one, "parentSpanId")), "abababababababab");
	assert_int_equal(strlen(json_string_value(json_object_get(one, "traceId"))), 32);
	assert_int_equal(json_unpack(json_array_get(json_object_get(one, "attributes"), 1), "{s:s, s:{s:s}}", "key", &key,
	                             "value", "intValue", &value),
	                 0);
	assert_string_equal(key, "http.response.status_code");
	assert_string_equal(value, "-1000");
	json_decref(json);
	buf_free(&out);
}

static void
test_otlp_rejected(UNUSED void **state)
{
	assert_int_equal(otlp_rejected(SLICE("{\"partialSuccess\":{\"rejectedSpans\":\"3\",\"errorMessage\":\"x\"}}")), 3);
	assert_int_equal(otlp_rejected(SLICE("{\"partialSuccess\":{\"rejectedSpans\":4}}")), 4);
	assert_int_equal(otlp_rejected(SLICE("{\"partialSuccess\":{}}")), 0);
	assert_int_equal(otlp_rejected(SLICE("{\"partialSuccess\":[{\"rejectedSpans\":4}]}")), 0);
	assert_int_equal(otlp_rejected(SLICE("{\"partialSuccess\":{\"rejectedSpans\":{}}}")), 0);
	assert_int_equal(otlp_rejected(SLICE("{\"partialSuccess\":{\"rejectedSpans\":\"-3\"}}")), 0);
	assert_int_equal(otlp_rejected(SLICE("[]")), 0);
	assert_int_equal(otlp_rejected(SLICE("nonsense")), 0);
	assert_int_equal(otlp_rejected(SLICE("")), 0);
}

static void
test_headers(UNUSED void **state)
{
	static const char *const bad[] = {"a",     "=b",    "a=",   "a b=c", "a=b%", "a=b%4", "a=b%zz", "a=b%0d%0aX: y",
	                                  "a=b\r", "a=%00", "a:b=c"};
	const char *rest = " authorization=Basic%20a%3d%3D , x-two=2,";
	char line[64];
	bool wrong;

	assert_true(otlp_header(&rest, line, sizeof(line), &wrong));
	assert_string_equal(line, "authorization: Basic a== ");
	assert_true(otlp_header(&rest, line, sizeof(line), &wrong));
	assert_string_equal(line, "x-two: 2");
	assert_false(otlp_header(&rest, line, sizeof(line), &wrong));
	assert_false(wrong);
	for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
		rest = bad[i];
		assert_false(otlp_header(&rest, line, sizeof(line), &wrong));
		assert_true(wrong);
	}
	for (size_t size = 0; size < 12; size++) {
		rest = "abc=defgh";
		assert_int_equal(otlp_header(&rest, line, size, &wrong), size >= 11);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_in_order, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_full_ring_drops_and_counts, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_recorded_only_when_wanted, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_what_does_not_fit_is_left_out, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_disorder, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_otlp, set_up, tear_down),
	    cmocka_unit_test(test_otlp_rejected),
	    cmocka_unit_test(test_headers),
	};

	return cmocka_run_group_tests_name("span", tests, NULL, NULL);
}
