/* test_username.c - what new users may be called. */
#include "base.h"

#include "username.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>

static void
test_good_names(void **state UNUSED)
{
	static const char *const good[] = {
	    "a",
	    "admin",
	    "ada.lovelace",
	    "ada@example.org",
	    "o'neill",
	    "7of9",
	    "_svc",
	    "\xea\xb9\x80\xec\xb2\xa0\xec\x88\x98",
	    "Andr\xc3\xa9",
	    "\xd0\x90\xd0\xb4\xd0\xb0",
	    "a/b\\c;d\"e",
	    "\xf0\x9f\xa6\x8a",
	};

	for (size_t i = 0; i < ARRAY_LENGTH(good); i++)
		if (username_fault(slice_of(good[i])))
			fail_msg("\"%s\": %s", good[i], username_fault(slice_of(good[i])));
}

static void
test_bad_names(void **state UNUSED)
{
	static const struct {
		struct slice name;
		const char *why;
	} bad[] = {
	    {SLICE(""), "1 to 64"},
	    {SLICE_NONE, "1 to 64"},
	    {SLICE("a b"), "blanks"},
	    {SLICE(" a"), "blanks"},
	    {SLICE("a\n"), "control"},
	    {SLICE("a\0b"), "control"},
	    {SLICE("a\x1b[31m"), "control"},
	    {SLICE("a\x7f"), "control"},
	    {SLICE("a\xc2\x85"), "control"},
	    {SLICE("a\xc2\xa0"
	           "b"),
	     "blanks"},
	    {SLICE("a\xe2\x80\x8b"), "cannot be seen"},
	    {SLICE("\xe2\x80\xae"
	           "nimda"),
	     "cannot be seen"},
	    {SLICE("a\xe3\x80\x80"), "blanks"},
	    {SLICE("\xef\xbb\xbf"
	           "a"),
	     "cannot be seen"},
	    {SLICE("a\xf3\xa0\x81\x81"), "cannot be seen"},
	    {SLICE("\xe3\x85\xa4"), "cannot be seen"},
	    {SLICE("a\xff"), "UTF-8"},
	    {SLICE("a\xc3"), "UTF-8"},
	    {SLICE("-role"), "begin with -"},
	};

	for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
		const char *fault = username_fault(bad[i].name);
		if (!fault || !strstr(fault, bad[i].why))
			fail_msg("%zu: %s, expected ...%s...", i, fault ? fault : "(good)", bad[i].why);
	}
}

/* Characters count, not bytes. */
static void
test_length(void **state UNUSED)
{
	char name[4 * (USERNAME_LENGTH_MAX + 1)];

	for (size_t i = 0; i < sizeof(name); i += 4)
		memcpy(name + i, "\xf0\x9f\xa6\x8a", 4);
	assert_null(username_fault((struct slice){name, 4 * (size_t)USERNAME_LENGTH_MAX}));
	assert_non_null(username_fault((struct slice){name, sizeof(name)}));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_good_names),
	    cmocka_unit_test(test_bad_names),
	    cmocka_unit_test(test_length),
	};

	return cmocka_run_group_tests_name("username", tests, NULL, NULL);
}
