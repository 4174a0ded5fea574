/* test_cidr.c - address ranges: what is one, what lies in one, whichever family and spelling. */
#include "base.h"

#include "cidr.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>

static struct cidr
range(const char *text)
{
	struct cidr cidr;

	if (!cidr_parse(slice_of(text), &cidr))
		fail_msg("'%s' is not taken for a range", text);
	return cidr;
}

static bool
covers(const char *outer, const char *inner)
{
	struct cidr a = range(outer), b = range(inner);

	return cidr_covers(&a, &b);
}

static void
test_texts_come_back_in_their_usual_form(void **state UNUSED)
{
	static const char *const pairs[][2] = {{"10.0.0.0/8", "10.0.0.0/8"},
	                                       {"10.1.2.3", "10.1.2.3"},
	                                       {"10.1.2.3/32", "10.1.2.3"},
	                                       {"0.0.0.0/0", "0.0.0.0/0"},
	                                       {"255.255.255.255", "255.255.255.255"},
	                                       {"192.168.0.128/25", "192.168.0.128/25"},
	                                       {"::", "::"},
	                                       {"::/0", "::/0"},
	                                       {"::1", "::1"},
	                                       {"::1/128", "::1"},
	                                       {"2001:DB8:0:0::/32", "2001:db8::/32"},
	                                       {"fe80::/10", "fe80::/10"},
	                                       {"::ffff:10.1.2.3", "10.1.2.3"},
	                                       {"::ffff:0:0/96", "0.0.0.0/0"},
	                                       {"::ffff:10.0.0.0/104", "10.0.0.0/8"},
	                                       {"::10.1.2.3", "::10.1.2.3"}};

	for (size_t i = 0; i < ARRAY_LENGTH(pairs); i++) {
		struct cidr cidr = range(pairs[i][0]);
		char text[CIDR_TEXT_SIZE];
		cidr_write(&cidr, text);
		assert_string_equal(text, pairs[i][1]);
	}
}

static void
test_what_is_not_a_range_is_refused(void **state UNUSED)
{
	static const char *const bad[] = {"",
	                                  "/",
	                                  "/8",
	                                  "10",
	                                  "10.0.0",
	                                  "10.0.0.0.0",
	                                  "010.0.0.1",
	                                  "0x0a.0.0.1",
	                                  "10.0.0.256",
	                                  "10.0.0.-1",
	                                  " 10.0.0.1",
	                                  "10.0.0.1 ",
	                                  "10.0.0.0/",
	                                  "10.0.0.0/33",
	                                  "10.0.0.0/08",
	                                  "10.0.0.0/+8",
	                                  "10.0.0.0/-1",
	                                  "10.0.0.0/ 8",
	                                  "10.0.0.0/8/8",
	                                  "10.0.0.0/255.0.0.0",
	                                  "10.0.0.1/8",
	                                  "10.128.0.0/8",
	                                  "0.0.0.1/0",
	                                  ":",
	                                  ":::",
	                                  "1::2::3",
	                                  "::/129",
	                                  "::/1000",
	                                  "::1/127",
	                                  "2001:db8::1/32",
	                                  "::ffff:10.0.0.1/104",
	                                  "fe80::1%lo",
	                                  "fe80::1%1",
	                                  "[::1]",
	                                  "[::1]:80",
	                                  "10.0.0.1:80",
	                                  "12345::",
	                                  "1:2:3:4:5:6:7:8:9",
	                                  "localhost",
	                                  "*",
	                                  "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc"};
	struct cidr cidr = {.bits = 7};

	for (size_t i = 0; i < ARRAY_LENGTH(bad); i++)
		if (cidr_parse(slice_of(bad[i]), &cidr))
			fail_msg("'%s' is taken for a range", bad[i]);
	assert_false(cidr_parse((struct slice){"10.0.0.1\0", 9}, &cidr));
	assert_false(cidr_parse((struct slice){"::1\0/12", 7}, &cidr));
	assert_false(cidr_parse(SLICE_NONE, &cidr));
	assert_int_equal(cidr.bits, 7);
	assert_false(cidr_parse_address(SLICE("10.0.0.1/32"), &cidr));
	assert_false(cidr_parse_address(SLICE(""), &cidr));
	assert_true(cidr_parse_address(SLICE("10.0.0.1"), &cidr));
}

static void
test_what_lies_in_a_range(void **state UNUSED)
{
	assert_true(covers("10.0.0.0/8", "10.255.255.255"));
	assert_false(covers("10.0.0.0/8", "11.0.0.0"));
	assert_false(covers("10.0.0.0/8", "9.255.255.255"));
	assert_true(covers("10.0.0.0/8", "::ffff:10.1.1.1"));
	assert_true(covers("::ffff:10.0.0.0/104", "10.1.1.1"));
	assert_true(covers("0.0.0.0/0", "255.1.2.3"));
	assert_false(covers("0.0.0.0/0", "::1"));
	assert_false(covers("0.0.0.0/0", "2001:db8::1"));
	assert_true(covers("::/0", "10.1.1.1")); /* everything */
	assert_true(covers("::/0", "2001:db8::1"));
	assert_true(covers("192.168.0.128/25", "192.168.0.200"));
	assert_false(covers("192.168.0.128/25", "192.168.0.127"));
	assert_true(covers("10.1.2.3", "10.1.2.3"));
	assert_false(covers("10.1.2.3", "10.1.2.2"));
	assert_true(covers("2001:db8::/33", "2001:db8:7fff::1"));
	assert_false(covers("2001:db8::/33", "2001:db8:8000::1"));
	/* "::a.b.c.d" is not the mapped form. */
	assert_false(covers("10.0.0.0/8", "::10.1.2.3"));
	/* A range lies in another only whole. */
	assert_true(covers("10.0.0.0/8", "10.1.0.0/16"));
	assert_false(covers("10.1.0.0/16", "10.0.0.0/8"));
}

/* Every length of prefix: the first and the last address inside, and their neighbours outside. */
static void
test_every_prefix_length(void **state UNUSED)
{
	for (int bits = 1; bits <= 32; bits++) {
		uint32_t size = (uint32_t)1 << (32 - bits), first = 0x0A000000u / size * size;
		struct in_addr edges[4] = {
		    {htonl(first)}, {htonl(first + size - 1)}, {htonl(first - 1)}, {htonl(first + size)}};
		char text[INET_ADDRSTRLEN + 4];
		struct cidr cidr;

		assert_non_null(inet_ntop(AF_INET, &edges[0], text, sizeof(text)));
		snprintf(text + strlen(text), 4, "/%d", bits);
		cidr = range(text);
		for (int i = 0; i < 4; i++) {
			struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = edges[i]};
			if (cidr_match(&cidr, (struct sockaddr *)&address) != (i < 2))
				fail_msg("%s is wrong about neighbour %d", text, i);
		}
	}
}

static void
test_socket_addresses(void **state UNUSED)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_addr = {htonl(0x0A010203)}};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
	struct sockaddr other = {.sa_family = AF_UNIX};
	struct cidr ten = range("10.0.0.0/8"), docs = range("2001:db8::/32");

	assert_true(cidr_match(&ten, (struct sockaddr *)&v4));
	assert_false(cidr_match(&docs, (struct sockaddr *)&v4));
	assert_int_equal(inet_pton(AF_INET6, "::ffff:10.9.9.9", &v6.sin6_addr), 1);
	assert_true(cidr_match(&ten, (struct sockaddr *)&v6));
	assert_int_equal(inet_pton(AF_INET6, "2001:db8::9", &v6.sin6_addr), 1);
	assert_true(cidr_match(&docs, (struct sockaddr *)&v6));
	assert_false(cidr_match(&ten, (struct sockaddr *)&v6));
	assert_false(cidr_match(&ten, &other));
}

static void
test_lists(void **state UNUSED)
{
	struct cidr_list list;
	struct slice bad;
	struct cidr address = range("192.168.1.1");

	assert_true(cidr_list_parse(SLICE(" 10.0.0.0/8 ,192.168.0.0/16,, ::1,"), &list, &bad));
	assert_int_equal(list.count, 3);
	assert_true(cidr_list_covers(&list, &address));
	address = range("172.16.0.1");
	assert_false(cidr_list_covers(&list, &address));
	cidr_list_free(&list);
	assert_false(cidr_list_covers(&list, &address));
	assert_true(cidr_list_parse(SLICE(""), &list, &bad));
	assert_int_equal(list.count, 0);
	assert_false(cidr_list_parse(SLICE("10.0.0.0/8, 10.0.0.1/8 ,::1"), &list, &bad));
	assert_true(slice_is(bad, "10.0.0.1/8"));
	assert_false(cidr_list_parse(SLICE("10.0.0.0 /8"), &list, &bad));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_texts_come_back_in_their_usual_form),
	    cmocka_unit_test(test_what_is_not_a_range_is_refused),
	    cmocka_unit_test(test_what_lies_in_a_range),
	    cmocka_unit_test(test_every_prefix_length),
	    cmocka_unit_test(test_socket_addresses),
	    cmocka_unit_test(test_lists),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
