/*
 * test_zone_file.c - zones from files made here: rules in the footer against glibc, slim files, and broken ones.
 *
 * Random traces begin with a fixed seed.
 */
#include "base.h"

#include "zone.h"
#include "zone_time.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>

enum { TZIF_ROOM = 4096 };

struct tzif {
	unsigned char bytes[TZIF_ROOM];
	size_t len;
};

static void
put(struct tzif *tzif, const void *bytes, size_t len)
{
	assert_true(tzif->len + len <= sizeof(tzif->bytes));
	memcpy(tzif->bytes + tzif->len, bytes, len);
	tzif->len += len;
}

static void
put_number(struct tzif *tzif, int64_t number, size_t bytes)
{
	while (bytes-- > 0)
		put(tzif, &(unsigned char){(unsigned char)((uint64_t)number >> bytes * 8)}, 1);
}

static void
put_header(struct tzif *tzif, char version, uint32_t leaps, uint32_t changes, uint32_t types, uint32_t chars)
{
	static const char reserved[15];

	put(tzif, "TZif", 4);
	put(tzif, &version, 1);
	put(tzif, reserved, sizeof(reserved));
	put_number(tzif, 0, 8);
	put_number(tzif, leaps, 4);
	put_number(tzif, changes, 4);
	put_number(tzif, types, 4);
	put_number(tzif, chars, 4);
}

static void
put_type(struct tzif *tzif, int offset_s)
{
	put_number(tzif, offset_s, 4);
	put_number(tzif, 0, 2);
}

/* A slim file: an empty first block, no changes or one, and a footer. */
static void
make_tzif(struct tzif *tzif, char version, const int64_t *change_s, int offset_s, const char *footer)
{
	*tzif = (struct tzif){.len = 0};
	put_header(tzif, version, 0, 0, 1, 4);
	put_type(tzif, 0);
	put(tzif, "XYZ", 4);
	put_header(tzif, version, 0, change_s ? 1 : 0, 2, 4);
	if (change_s) {
		put_number(tzif, *change_s, 8);
		put_number(tzif, 1, 1);
	}
	put_type(tzif, -1234);
	put_type(tzif, offset_s);
	put(tzif, "XYZ", 4);
	put(tzif, "\n", 1);
	put(tzif, footer, strlen(footer));
	put(tzif, "\n", 1);
}

static struct zone *
parse(const struct tzif *tzif)
{
	/* In memory of its own size, so that reading past the end is noticed. */
	char *bytes = mem_alloc(tzif->len + 1);
	struct zone *zone;

	memcpy(bytes, tzif->bytes, tzif->len);
	bytes = mem_grow(bytes, MAX(tzif->len, 1));
	zone = zone_parse((struct slice){bytes, tzif->len});
	free(bytes);
	return zone;
}

static struct zone *
parse_footer(const char *footer)
{
	struct tzif tzif;

	make_tzif(&tzif, '3', NULL, 0, footer);
	return parse(&tzif);
}

static void
test_footers_as_libc(void **state UNUSED)
{
	static const char *const rules[] = {
	    "KST-9",
	    "EST5EDT,M3.2.0,M11.1.0",
	    "AEST-10AEDT,M10.1.0,M4.1.0/3",
	    "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0",
	    "IST-1GMT0,M10.5.0,M3.5.0/1",
	    "<-02>2<-01>,M3.5.0/-1,M10.5.0/0",
	    "EET-2EEST,M4.5.5/0,M10.5.4/24",
	    "IST-2IDT,M3.4.4/26,M10.5.0",
	    "NST3:30NDT,M3.2.0/0:01:30,M11.1.0/0:01",
	    "ABC1DEF,J60,J300/23:59:59",
	    "ABC1DEF,59/2,300",
	    "ABC1DEF,J59/24,365/0",
	    "<+1245>-12:45<+1345>,M9.5.0/2:45,M4.1.0/3:45",
	    "ABC+05:30",
	    "ABC-24",
	};
	uint64_t seed = 7;

	for (size_t i = 0; i < ARRAY_LENGTH(rules); i++) {
		struct zone *zone = parse_footer(rules[i]);

		if (!zone)
			fail_msg("refused: %s", rules[i]);
		setenv("TZ", rules[i], 1);
		tzset();
		for (int n = 0; n < 20000; n++) {
			int64_t at_s = zone_time_random_below(&seed, zone_time_parse("3600-01-01 00:00 Z"));

			if (!zone_time_is_libcs(zone, at_s))
				fail_msg("%s at %lld: libc does not agree with offset %d", rules[i], (long long)at_s,
				         zone_offset_s(zone, at_s));
		}
		zone_free(zone);
	}
	unsetenv("TZ");
	tzset();
}

static void
test_summer_time_all_year(void **state UNUSED)
{
	/* RFC 8536, 3.3.1: eastern summer time for ever. */
	struct zone *zone = parse_footer("XXX3EDT4,0/0,J365/23");
	struct zone *flat = parse_footer("ABC1DEF1,M3.2.0,M11.1.0");
	uint64_t seed = 9;
	int64_t change_s;

	assert_non_null(zone);
	assert_non_null(flat);
	for (int n = 0; n < 5000; n++) {
		int64_t at_s = zone_time_random_below(&seed, zone_time_parse("5000-01-01 00:00 Z"));

		assert_int_equal(zone_offset_s(zone, at_s), -4 * 3600);
		assert_false(zone_next_change(zone, at_s, &change_s));
		assert_int_equal(zone_offset_s(flat, at_s), -3600);
	}
	zone_free(zone);
	zone_free(flat);
}

static void
test_slim_file(void **state UNUSED)
{
	int64_t change_s = zone_time_parse("2007-11-04 06:00 Z");
	struct zone *new_york = zone_open(SLICE("America/New_York"));
	struct zone *slim, *no_footer;
	struct tzif tzif;
	uint64_t seed = 11;

	assert_non_null(new_york);
	make_tzif(&tzif, '2', &change_s, -5 * 3600, "EST5EDT,M3.2.0,M11.1.0");
	slim = parse(&tzif);
	assert_non_null(slim);
	make_tzif(&tzif, '2', &change_s, -5 * 3600, "");
	no_footer = parse(&tzif);
	assert_non_null(no_footer);
	assert_int_equal(zone_offset_s(slim, change_s - 1), -1234);
	for (int n = 0; n < 20000; n++) {
		int64_t at_s = change_s + zone_time_random_below(&seed, zone_time_parse("2400-01-01 00:00 Z"));

		assert_int_equal(zone_offset_s(slim, at_s), zone_offset_s(new_york, at_s));
		assert_int_equal(zone_offset_s(no_footer, at_s), -5 * 3600);
	}
	zone_free(slim);
	zone_free(no_footer);
	zone_free(new_york);
}

static void
test_broken_footers(void **state UNUSED)
{
	static const char *const bad[] = {
	    "E5",
	    "EST",
	    "EST5EDT",
	    "EST5EDT,M3.2.0",
	    "EST5EDT,M3.2.0,",
	    "EST25",
	    "EST5:60",
	    "EST5EDT,M13.2.0,0",
	    "EST5EDT,M0.2.0,0",
	    "EST5EDT,M3.6.0,0",
	    "EST5EDT,M3.0.0,0",
	    "EST5EDT,M3.2.7,0",
	    "EST5EDT,J0,0",
	    "EST5EDT,J366,0",
	    "EST5EDT,366,0",
	    "EST5EDT,0,0/168",
	    "EST5EDT,0,0x",
	    "<EST5",
	    "<E>5",
	    "EST5 ",
	    "EST--5",
	    "5EST",
	    ",",
	    "EST5EDT,0,0,0",
	    "EST5EDT4,",
	    "EST99999999999",
	    "EST5EDT,M3.2,M11.1.0",
	    "\n",
	};
	struct tzif tzif;

	for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
		struct zone *zone = parse_footer(bad[i]);

		if (zone)
			fail_msg("accepted: %s", bad[i]);
	}
	make_tzif(&tzif, '2', NULL, 0, "");
	tzif.bytes[tzif.len - 2] = 'x';
	assert_null(parse(&tzif));
}

static void
test_broken_files(void **state UNUSED)
{
	int64_t change_s = 0;
	struct tzif tzif;
	struct zone *zone;

	make_tzif(&tzif, '2', &change_s, 3600, "ABC1DEF,M3.2.0,M11.1.0");
	zone = parse(&tzif);
	assert_non_null(zone);
	zone_free(zone);
	for (size_t len = tzif.len; tzif.len-- > 0;) {
		assert_null(parse(&tzif));
		assert_true(len > tzif.len);
	}

	make_tzif(&tzif, '\0', &change_s, 3600, "UTC0"); /* version 1 */
	assert_null(parse(&tzif));
	make_tzif(&tzif, '2', &change_s, 27 * 3600, "UTC0");
	assert_null(parse(&tzif));
	make_tzif(&tzif, '2', &change_s, INT32_MIN, "UTC0");
	assert_null(parse(&tzif));
	change_s = INT64_MIN;
	make_tzif(&tzif, '2', &change_s, 3600, "UTC0");
	assert_null(parse(&tzif));

	/* Leap seconds, no type, and changes that do not rise. */
	tzif = (struct tzif){.len = 0};
	put_header(&tzif, '2', 0, 0, 0, 0);
	put_header(&tzif, '2', 1, 0, 1, 0);
	put_type(&tzif, 0);
	put_number(&tzif, 78796800, 8);
	put_number(&tzif, 1, 4);
	put(&tzif, "\n\n", 2);
	assert_null(parse(&tzif));
	tzif = (struct tzif){.len = 0};
	put_header(&tzif, '2', 0, 0, 0, 0);
	put_header(&tzif, '2', 0, 0, 0, 0);
	put(&tzif, "\n\n", 2);
	assert_null(parse(&tzif));
	tzif = (struct tzif){.len = 0};
	put_header(&tzif, '2', 0, 0, 0, 0);
	put_header(&tzif, '2', 0, 2, 1, 0);
	put_number(&tzif, 5, 8);
	put_number(&tzif, 5, 8);
	put_number(&tzif, 0, 2);
	put_type(&tzif, 0);
	put(&tzif, "\n\n", 2);
	assert_null(parse(&tzif));
}

/* Never a crash, whatever a file holds, and what is accepted can be asked. */
static void
test_random_files(void **state UNUSED)
{
	uint64_t seed = 17;
	int accepted = 0;

	for (int n = 0; n < 20000; n++) {
		int64_t change_s = (int64_t)(zone_time_random(&seed) >> zone_time_random_below(&seed, 64)) - 1000;
		struct tzif tzif;
		struct zone *zone;

		make_tzif(&tzif, '3', n % 3 ? &change_s : NULL, 3600, "ABC1DEF,M3.2.0/-167,J365/167");
		for (int64_t hits = zone_time_random_below(&seed, 4); hits > 0; hits--)
			tzif.bytes[zone_time_random_below(&seed, (int64_t)tzif.len)] = (unsigned char)zone_time_random(&seed);
		zone = parse(&tzif);
		if (!zone)
			continue;
		accepted++;
		for (int k = 0; k < 10; k++) {
			int64_t at_s = (int64_t)zone_time_random(&seed) >> (22 + zone_time_random_below(&seed, 30));
			struct zone_wall wall;
			struct zone_moments moments;

			zone_wall_at(zone, at_s, &wall);
			assert_int_not_equal(zone_resolve(zone, &wall, &moments), ZONE_GAP);
			assert_true(moments.first_s <= at_s && at_s <= moments.second_s);
		}
		zone_free(zone);
	}
	assert_true(accepted > 1000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_footers_as_libc), cmocka_unit_test(test_summer_time_all_year),
	    cmocka_unit_test(test_slim_file),       cmocka_unit_test(test_broken_footers),
	    cmocka_unit_test(test_broken_files),    cmocka_unit_test(test_random_files),
	};

	return cmocka_run_group_tests_name("zone_file", tests, NULL, NULL);
}
