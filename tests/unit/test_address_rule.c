/* test_address_rule.c - which addresses are internal: the edges of every range, in every spelling. */
#include "base.h"

#include "address_rule.h"
#include "cidr.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>

static struct cidr
address(const char *text)
{
	struct cidr cidr;

	if (!cidr_parse_address(slice_of(text), &cidr))
		fail_msg("%s is not an address", text);
	return cidr;
}

static void
expect(const char *text, bool is_internal)
{
	struct cidr one = address(text);

	if (address_is_internal(&one) != is_internal)
		fail_msg("%s should be %s", text, is_internal ? "internal" : "reachable");
}

static void
test_internal(void **state UNUSED)
{
	static const char *const internal[] = {"0.0.0.0",
	                                       "0.255.255.255",
	                                       "10.0.0.0",
	                                       "10.255.255.255",
	                                       "100.64.0.0",
	                                       "100.127.255.255",
	                                       "127.0.0.1",
	                                       "127.255.255.254",
	                                       "169.254.169.254",
	                                       "172.16.0.0",
	                                       "172.31.255.255",
	                                       "192.0.0.8",
	                                       "192.168.0.0",
	                                       "192.168.255.255",
	                                       "198.18.0.1",
	                                       "198.19.255.255",
	                                       "224.0.0.1",
	                                       "239.255.255.255",
	                                       "240.0.0.1",
	                                       "255.255.255.255",
	                                       "::",
	                                       "::1",
	                                       "::127.0.0.1",
	                                       "::ffff:127.0.0.1",
	                                       "::ffff:10.1.2.3",
	                                       "64:ff9b::7f00:1",
	                                       "fc00::1",
	                                       "fdff::1",
	                                       "fe80::1",
	                                       "febf::1",
	                                       "fec0::1",
	                                       "ff02::1",
	                                       "2002:7f00:1::",
	                                       "2001:0:4136:e378::1",
	                                       "2001:db8::1",
	                                       "fd00:ec2::254",
	                                       "::7f00:1"};

	for (size_t i = 0; i < ARRAY_LENGTH(internal); i++)
		expect(internal[i], true);
}

static void
test_reachable(void **state UNUSED)
{
	static const char *const reachable[] = {
	    "1.1.1.1",         "9.255.255.255",   "11.0.0.0",        "100.63.255.255", "100.128.0.0",
	    "126.255.255.255", "128.0.0.0",       "169.253.255.255", "169.255.0.0",    "172.15.255.255",
	    "172.32.0.0",      "192.167.255.255", "192.169.0.0",     "198.17.255.255", "198.20.0.0",
	    "223.255.255.255", "::ffff:8.8.8.8",  "2606:4700::1111", "2a00:1450::1",   "2001:4860:4860::8888"};

	for (size_t i = 0; i < ARRAY_LENGTH(reachable); i++)
		expect(reachable[i], false);
}

static void
test_what_is_allowed_opens_just_that(void **state UNUSED)
{
	struct cidr_list list;
	struct slice bad;
	struct cidr inside = address("10.1.2.3"), outside = address("10.2.0.1"), far = address("1.1.1.1");

	assert_true(cidr_list_parse(SLICE("10.1.0.0/16,::1"), &list, &bad));
	assert_true(address_may_be_reached(&inside, &list));
	assert_false(address_may_be_reached(&outside, &list));
	assert_true(address_may_be_reached(&far, &list));
	assert_false(address_may_be_reached(&inside, NULL));
	cidr_list_free(&list);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_internal),
	    cmocka_unit_test(test_reachable),
	    cmocka_unit_test(test_what_is_allowed_opens_just_that),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
