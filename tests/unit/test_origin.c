/* test_origin.c - origins in the one spelling that browsers send. */
#include "base.h"

#include "origin.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>

static void
test_origins(void **state UNUSED)
{
	static const char *const right[] = {"https://a.example",
	                                    "http://localhost:3000",
	                                    "https://[::1]:8443",
	                                    "http://127.0.0.1",
	                                    "http://a:443",
	                                    "https://a:80",
	                                    "https://xn--bcher-kva.example",
	                                    "chrome-extension://abcdefgh",
	                                    "http://b-c_d.example:1"};
	static const char *const wrong[] = {"",
	                                    "null",
	                                    "*",
	                                    "a.example",
	                                    "https:",
	                                    "https://",
	                                    "://a",
	                                    "1http://a",
	                                    "https://a/",
	                                    "https://a?",
	                                    "https://a#",
	                                    "https://A",
	                                    "HTTPS://a",
	                                    "https://u@a",
	                                    "https://a ",
	                                    " https://a",
	                                    "https://a,https://b",
	                                    "https://a\nb",
	                                    "https://*.a",
	                                    "https://b\xc3\xbc",
	                                    "https://[",
	                                    "https://[]",
	                                    "https://[::1",
	                                    "https://[::1]x",
	                                    "https://a:",
	                                    "https://a:0",
	                                    "https://a:01",
	                                    "https://a:65536",
	                                    "https://a:123456",
	                                    "https://a:8x",
	                                    "https://a:443",
	                                    "http://a:80"};
	char longest[ORIGIN_MAX + 1] = "https://";

	for (size_t i = 0; i < ARRAY_LENGTH(right); i++)
		if (!origin_is_valid(slice_of(right[i])))
			fail_msg("%s was refused", right[i]);
	for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++)
		if (origin_is_valid(slice_of(wrong[i])))
			fail_msg("%s was taken", wrong[i]);
	assert_false(origin_is_valid(SLICE_NONE));
	assert_false(origin_is_valid((struct slice){"https://a\0", 10}));
	memset(longest + 8, 'a', sizeof(longest) - 8);
	assert_true(origin_is_valid((struct slice){longest, ORIGIN_MAX}));
	assert_false(origin_is_valid((struct slice){longest, ORIGIN_MAX + 1}));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_origins)};

	return cmocka_run_group_tests_name("origin", tests, NULL, NULL);
}
