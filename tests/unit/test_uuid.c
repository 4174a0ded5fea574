/* test_uuid.c - version 7 ids: form, time, order whatever the clock does, and no repetition, also across fork(). */
#include "base.h"

#include "clock.h"
#include "uuid.h"

#include <sys/wait.h>
#include <unistd.h>

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>

enum { MANY = 100000, SOME = 1000 };

static int64_t
milliseconds_of(const char *text)
{
	uint8_t bytes[UUID_SIZE];
	int64_t ms = 0;

	assert_true(uuid_parse(slice_of(text), bytes));
	for (int i = 0; i < 6; i++)
		ms = ms << 8 | bytes[i];
	return ms;
}

/* RFC 9562, section 5.7: 36 characters, version 7, variant 10, the time of now. */
static void
test_form(void **state UNUSED)
{
	int64_t before = clock_wall_us() / 1000;
	char text[UUID_TEXT_SIZE];

	uuid_new(text);
	assert_int_equal(strlen(text), 36);
	assert_int_equal(strspn(text, "0123456789abcdef-"), 36);
	assert_true(text[8] == '-' && text[13] == '-' && text[18] == '-' && text[23] == '-');
	assert_int_equal(text[14], '7');
	assert_non_null(strchr("89ab", text[19]));
	assert_in_range(milliseconds_of(text), before, clock_wall_us() / 1000);
}

/* Greater than the one before makes them unique too. */
static void
test_order(void **state UNUSED)
{
	char last[UUID_TEXT_SIZE] = "", text[UUID_TEXT_SIZE];

	for (int i = 0; i < MANY; i++) {
		uuid_new(text);
		assert_true(strcmp(last, text) < 0);
		memcpy(last, text, sizeof(last));
	}
	/* Faster than the counter allows, the time in the ids runs ahead of the clock, but not far. */
	assert_true(milliseconds_of(text) - clock_wall_us() / 1000 < MANY / 2048);
}

static void
set_clock_offset(int fd, int64_t offset_us)
{
	assert_int_equal(pwrite(fd, &offset_us, sizeof(offset_us), 0), sizeof(offset_us));
}

/* The clock jumps ahead by an hour, then back by two, then stands at the old hour again. */
static void
test_order_with_a_clock_that_jumps(void **state UNUSED)
{
	static const int64_t offsets_us[] = {0, 3600000000, -3600000000, -3600000000, 3600000000, 0};
	char path[] = "/tmp/test_uuid.XXXXXX", last[UUID_TEXT_SIZE] = "", text[UUID_TEXT_SIZE];
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	set_clock_offset(fd, 0);
	assert_true(clock_use_offset_file(path));
	unlink(path);
	for (size_t i = 0; i < ARRAY_LENGTH(offsets_us); i++) {
		set_clock_offset(fd, offsets_us[i]);
		for (int n = 0; n < SOME; n++) {
			uuid_new(text);
			assert_true(strcmp(last, text) < 0);
			memcpy(last, text, sizeof(last));
		}
	}
	set_clock_offset(fd, 0);
	close(fd);
}

static int
compare_tails(const void *a, const void *b)
{
	return memcmp((const char *)a + 19, (const char *)b + 19, 17);
}

/* Parent and child go on from the same counter; their random parts, the last 17 characters, must all differ. */
static void
test_fork(void **state UNUSED)
{
	static char texts[2 * SOME][UUID_TEXT_SIZE];
	size_t half = sizeof(texts) / 2;
	int ends[2], status;
	FILE *from;
	pid_t pid;

	uuid_new(texts[0]);
	assert_int_equal(pipe(ends), 0);
	pid = fork();
	assert_true(pid >= 0);
	for (int i = 0; i < SOME; i++)
		uuid_new(texts[i]);
	if (pid == 0)
		_exit(write(ends[1], texts, half) != (ssize_t)half);
	from = fdopen(ends[0], "r");
	assert_non_null(from);
	assert_int_equal(fread(texts[SOME], 1, half, from), half);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	fclose(from);
	close(ends[1]);
	qsort(texts, 2 * SOME, sizeof(texts[0]), compare_tails);
	for (int i = 1; i < 2 * SOME; i++)
		assert_true(compare_tails(texts[i - 1], texts[i]) < 0);
}

static void
test_parse(void **state UNUSED)
{
	static const char *const good = "00112233-4455-6677-8899-aAbBcCdDeEfF";
	static const uint8_t expected[UUID_SIZE] = {0,    0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77,
	                                            0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff};
	static const char *const bad[] = {
	    "",
	    "00112233-4455-6677-8899-aabbccddeef",
	    "00112233-4455-6677-8899-aabbccddeeff0",
	    "00112233445566778899aabbccddeeff0000",
	    "0011223-34455-6677-8899-aabbccddeeff",
	    "00112233-4455-6677-8899-aabbccddeefg",
	    "{0112233-4455-6677-8899-aabbccddeef}",
	    "00112233-4455-6677-8899_aabbccddeeff",
	    "00112233-4455-6677--899-aabbccddeeff",
	    " 0112233-4455-6677-8899-aabbccddeeff",
	};
	uint8_t bytes[UUID_SIZE];
	char text[UUID_TEXT_SIZE];

	assert_true(uuid_parse(slice_of(good), bytes));
	assert_memory_equal(bytes, expected, sizeof(bytes));
	uuid_format(bytes, text);
	assert_string_equal(text, "00112233-4455-6677-8899-aabbccddeeff");
	for (size_t i = 0; i < ARRAY_LENGTH(bad); i++)
		if (uuid_parse(slice_of(bad[i]), bytes))
			fail_msg("\"%s\" was taken", bad[i]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_form),
	    cmocka_unit_test(test_order),
	    cmocka_unit_test(test_fork),
	    cmocka_unit_test(test_parse),
	    cmocka_unit_test(test_order_with_a_clock_that_jumps),
	};

	return cmocka_run_group_tests_name("uuid", tests, NULL, NULL);
}
