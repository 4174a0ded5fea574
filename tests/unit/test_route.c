/* test_route.c - from method and path to the row of the endpoint table. */
#include "base.h"

#include "route.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>

static const struct endpoint *
find(enum http_method method, const char *path, struct route *route_r)
{
	route_find(method, slice_of(path), route_r);
	return route_r->endpoint;
}

static const char *
operation(enum http_method method, const char *path)
{
	struct route route;
	const struct endpoint *endpoint = find(method, path, &route);

	return endpoint ? endpoint->operation : "none";
}

static uint32_t
allowed(const char *path)
{
	struct route route;

	(void)find(HTTP_METHOD_OTHER, path, &route);
	assert_null(route.endpoint);
	return route.allowed;
}

/* The row's own path with a value for each placeholder: "/agents/value0/inbox". */
static int
fill(const char *path, char *out, size_t size)
{
	int count = 0;
	size_t used = 0;

	while (*path) {
		if (*path == '{') {
			used += (size_t)snprintf(out + used, size - used, "value%d", count++);
			path += strcspn(path, "}") + 1;
		} else {
			out[used++] = *path++;
		}
		assert_in_range(used, 1, size - 10);
	}
	out[used] = '\0';
	return count;
}

static void
test_every_row_is_found_by_its_path(void **state UNUSED)
{
	for (int i = 0; i < endpoint_count; i++) {
		const struct endpoint *row = &endpoint_table[i];
		char path[200], value[16];
		struct route route;
		int count = fill(row->path, path, sizeof(path));

		if (find(row->method, path, &route) != row)
			fail_msg("%s is not found by %s", row->operation, path);
		assert_in_range(count, 0, ENDPOINT_PATH_MAX);
		for (int v = 0; v < count; v++) {
			snprintf(value, sizeof(value), "value%d", v);
			assert_true(slice_is(route.values[v], value));
		}
		assert_true(route.allowed & 1u << row->method);
	}
}

static void
test_methods_of_a_path_are_exactly_its_rows(void **state UNUSED)
{
	for (int i = 0; i < endpoint_count; i++) {
		uint32_t expected = 0;
		char path[200];

		for (int j = 0; j < endpoint_count; j++)
			if (strcmp(endpoint_table[j].path, endpoint_table[i].path) == 0)
				expected |= 1u << endpoint_table[j].method;
		fill(endpoint_table[i].path, path, sizeof(path));
		assert_int_equal(allowed(path), expected);
	}
	assert_int_equal(allowed("/api/v1/agents"), 1u << HTTP_GET | 1u << HTTP_POST);
	assert_int_equal(allowed("/api/v1/agents/smith"), 1u << HTTP_GET | 1u << HTTP_PATCH | 1u << HTTP_DELETE);
	assert_int_equal(allowed("/livez"), 1u << HTTP_GET);
	assert_string_equal(operation(HTTP_DELETE, "/livez"), "none");
	assert_string_equal(operation(HTTP_POST, "/api/v1/agents/smith"), "none");
}

static void
test_literal_beats_placeholder(void **state UNUSED)
{
	assert_string_equal(operation(HTTP_POST, "/api/v1/tasks/lease"), "leaseTasks");
	assert_string_equal(operation(HTTP_POST, "/api/v1/tasks/settle"), "settleTasks");
	assert_string_equal(operation(HTTP_POST, "/api/v1/keys/verify"), "verifyKey");
	assert_string_equal(operation(HTTP_GET, "/api/v1/keys/verif"), "getKey");
	assert_string_equal(operation(HTTP_GET, "/api/v1/keys/verify2"), "getKey");
	assert_string_equal(operation(HTTP_GET, "/api/v1/tasks/x"), "getTask");
	assert_string_equal(operation(HTTP_POST, "/api/v1/tasks/x/heartbeat"), "taskHeartbeat");
}

static void
test_values_stay_encoded(void **state UNUSED)
{
	struct route route;

	assert_non_null(find(HTTP_GET, "/api/v1/agents/a%20b/inbox", &route));
	assert_true(slice_is(route.values[0], "a%20b"));
	assert_non_null(find(HTTP_GET, "/api/v1/agents/{agent_id}", &route));
	assert_true(slice_is(route.values[0], "{agent_id}"));
}

static void
test_unknown_paths(void **state UNUSED)
{
	static const char *const paths[] = {"/api",
	                                    "/api/",
	                                    "/api/v1",
	                                    "/api/v1/",
	                                    "/api/v2/tasks",
	                                    "/api/v1/task",
	                                    "/api/v1/tasksx",
	                                    "/api/v1/tasks/",
	                                    "/api/v1/tasks//attempts",
	                                    "/api/v1//tasks",
	                                    "//",
	                                    "//livez",
	                                    "/livez/",
	                                    "/livez/x",
	                                    "/LIVEZ",
	                                    "/Api/v1/tasks",
	                                    "/api/v1/tasks/x/attempts/y",
	                                    "/api/v1/tasks/x/nothing",
	                                    "/api/v1/agents/a/inbox/",
	                                    "/%6civez",
	                                    "/x",
	                                    "/*"};

	for (size_t i = 0; i < ARRAY_LENGTH(paths); i++)
		for (int method = 0; method < HTTP_METHOD_COUNT; method++) {
			struct route route;
			if (find((enum http_method)method, paths[i], &route) || route.allowed)
				fail_msg("%s is found", paths[i]);
		}
	assert_string_equal(operation(HTTP_GET, "/"), "root");
}

static int
set_up(void **state UNUSED)
{
	route_init();
	route_init(); /* again does nothing */
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_every_row_is_found_by_its_path),
	    cmocka_unit_test(test_methods_of_a_path_are_exactly_its_rows),
	    cmocka_unit_test(test_literal_beats_placeholder),
	    cmocka_unit_test(test_values_stay_encoded),
	    cmocka_unit_test(test_unknown_paths),
	};

	return cmocka_run_group_tests_name("route", tests, set_up, NULL);
}
