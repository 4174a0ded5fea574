/*
 * test_password.c - argon2id against the reference's hashes, the pool's promises, and which passwords are refused.
 */
#include "base.h"

#include "password_pool.h"

#include <event2/event.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>

#define RIGHT SLICE("four unrelated words")

static void
test_hash_and_verify(void **state UNUSED)
{
	char first[PASSWORD_HASH_SIZE], second[PASSWORD_HASH_SIZE];

	assert_true(password_hash(RIGHT, first));
	assert_true(password_hash(RIGHT, second));
	assert_string_not_equal(first, second);
	assert_memory_equal(first, "$argon2id$v=19$m=19456,t=2,p=1$", 31);
	assert_true(password_verify(RIGHT, first));
	assert_true(password_verify(RIGHT, second));
	assert_false(password_verify(SLICE("four unrelated word"), first));
	assert_false(password_verify(SLICE("Four unrelated words"), first));
	assert_false(password_verify(SLICE(""), first));
	assert_false(password_verify(RIGHT, ""));
	assert_false(password_verify(RIGHT, "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHQ$"));
	assert_false(password_verify(RIGHT, NULL));
}

/* From the test program of the argon2 reference implementation: hashes with other costs stay valid. */
static void
test_reference_hash(void **state UNUSED)
{
	static const char encoded[] =
	    "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";

	assert_true(password_verify(SLICE("password"), encoded));
	assert_false(password_verify(SLICE("differentpassword"), encoded));
}

static void
test_outdated_hashes(void **state UNUSED)
{
	static const char *const outdated[] = {
	    "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
	    "$argon2id$v=19$m=19456,t=1,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
	    "$argon2id$v=16$m=19456,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
	    "$argon2i$v=19$m=19456,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
	    "",
	};
	char hash[PASSWORD_HASH_SIZE];

	for (size_t i = 0; i < ARRAY_LENGTH(outdated); i++)
		assert_true(password_is_outdated(outdated[i]));
	assert_true(password_hash(RIGHT, hash));
	assert_false(password_is_outdated(hash));
	/* Made by a node that is newer: stays. */
	assert_false(password_is_outdated("$argon2id$v=19$m=65536,t=3,p=1$c29tZXNhbHQ$nf65"));
}

static void
test_length(void **state UNUSED)
{
	char text[PASSWORD_LENGTH_MAX + 1], hash[PASSWORD_HASH_SIZE];

	memset(text, 'x', sizeof(text));
	assert_true(password_hash((struct slice){text, PASSWORD_LENGTH_MAX}, hash));
	assert_true(password_verify((struct slice){text, PASSWORD_LENGTH_MAX}, hash));
	assert_false(password_verify((struct slice){text, PASSWORD_LENGTH_MAX + 1}, hash));
	assert_false(password_hash((struct slice){text, PASSWORD_LENGTH_MAX + 1}, hash));
}

/* Processor time of the quickest of three runs. */
static int64_t
cost_ns(const char *encoded)
{
	int64_t best = INT64_MAX;

	for (int i = 0; i < 3; i++) {
		struct timespec start, end;

		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &start);
		assert_false(password_verify(SLICE("a wrong password"), encoded));
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &end);
		best = MIN(best, (end.tv_sec - start.tv_sec) * 1000000000 + end.tv_nsec - start.tv_nsec);
	}
	return best;
}

/* Nobody learns from the time whether a user exists. */
static void
test_unknown_user_costs_the_same(void **state UNUSED)
{
	char hash[PASSWORD_HASH_SIZE];
	int64_t known, unknown;

	assert_true(password_hash(RIGHT, hash));
	known = cost_ns(hash);
	unknown = cost_ns(NULL);
	assert_true(unknown > known / 2 && unknown < known * 2);
}

/* One pool, its loop, and what its callbacks saw. */
struct fixture {
	struct event_base *base;
	struct password_pool *pool;
	pthread_t loop;
	bool sending;
	int called, ok, hashes;
	char hash[PASSWORD_HASH_SIZE];
};

static void
note_result(void *arg, bool ok, const char *hash)
{
	struct fixture *fixture = arg;

	assert_false(fixture->sending);
	assert_true(pthread_equal(pthread_self(), fixture->loop));
	fixture->called++;
	fixture->ok += ok;
	if (hash) {
		fixture->hashes++;
		snprintf(fixture->hash, sizeof(fixture->hash), "%s", hash);
	}
}

static int
set_up(void **state)
{
	static struct fixture fixture;

	fixture = (struct fixture){.base = event_base_new(), .loop = pthread_self()};
	*state = &fixture;
	return fixture.base ? 0 : -1;
}

static int
tear_down(void **state)
{
	struct fixture *fixture = *state;

	password_pool_free(fixture->pool);
	event_base_free(fixture->base);
	return 0;
}

static void
start(struct fixture *fixture, int threads, int queue_max)
{
	fixture->pool = password_pool_new(fixture->base, threads, queue_max);
	assert_non_null(fixture->pool);
}

static bool
send_verify(struct fixture *fixture, struct slice password, const char *encoded)
{
	bool sent;

	fixture->sending = true;
	sent = password_verify_send(fixture->pool, password, encoded, note_result, fixture);
	fixture->sending = false;
	return sent;
}

/* Runs the loop until that many callbacks came; a minute without the last of them is a failure. */
static void
wait_for(struct fixture *fixture, int calls)
{
	const struct timeval minute = {60, 0};

	assert_int_equal(event_base_loopexit(fixture->base, &minute), 0);
	while (fixture->called < calls && !event_base_got_exit(fixture->base))
		event_base_loop(fixture->base, EVLOOP_ONCE);
	assert_int_equal(fixture->called, calls);
}

static void
test_pool(void **state)
{
	struct fixture *fixture = *state;

	start(fixture, 2, 10);
	assert_true(password_hash_send(fixture->pool, RIGHT, note_result, fixture));
	wait_for(fixture, 1);
	assert_int_equal(fixture->hashes, 1);
	assert_true(password_verify(RIGHT, fixture->hash));
	fixture->ok = 0;
	assert_true(send_verify(fixture, RIGHT, fixture->hash));
	wait_for(fixture, 2);
	assert_int_equal(fixture->ok, 1);
	assert_true(send_verify(fixture, SLICE("a wrong password"), fixture->hash));
	assert_true(send_verify(fixture, RIGHT, NULL));
	assert_true(send_verify(fixture, RIGHT, "not a hash"));
	wait_for(fixture, 5);
	assert_int_equal(fixture->ok, 1);
	assert_int_equal(fixture->hashes, 1);
}

/* A right password brings the hash that replaces an outdated one; a wrong password brings none. */
static void
test_pool_makes_outdated_hashes_anew(void **state)
{
	static const char old[] = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";
	struct fixture *fixture = *state;

	start(fixture, 1, 10);
	assert_true(send_verify(fixture, SLICE("differentpassword"), old));
	wait_for(fixture, 1);
	assert_int_equal(fixture->ok, 0);
	assert_int_equal(fixture->hashes, 0);
	assert_true(send_verify(fixture, SLICE("password"), old));
	wait_for(fixture, 2);
	assert_int_equal(fixture->ok, 1);
	assert_int_equal(fixture->hashes, 1);
	assert_false(password_is_outdated(fixture->hash));
	assert_true(send_verify(fixture, SLICE("password"), fixture->hash));
	wait_for(fixture, 3);
	assert_int_equal(fixture->ok, 2);
	assert_int_equal(fixture->hashes, 1);
}

/* The caller's memory may change as soon as the call returned. */
static void
test_pool_copies(void **state)
{
	struct fixture *fixture = *state;
	char password[] = "four unrelated words", hash[PASSWORD_HASH_SIZE];

	start(fixture, 1, 10);
	assert_true(password_hash(RIGHT, hash));
	for (int i = 0; i < 3; i++) {
		char encoded[PASSWORD_HASH_SIZE];

		memcpy(encoded, hash, sizeof(hash));
		assert_true(send_verify(fixture, (struct slice){password, 20}, encoded));
		memset(encoded, 'x', sizeof(encoded));
	}
	memset(password, 'x', sizeof(password));
	wait_for(fixture, 3);
	assert_int_equal(fixture->ok, 3);
}

/* One thread and a queue of three take four at least and refuse when full; all that was taken is answered. */
static void
test_queue_is_bounded(void **state)
{
	struct fixture *fixture = *state;
	int taken = 0, tried = 0;

	start(fixture, 1, 3);
	while (send_verify(fixture, RIGHT, NULL))
		assert_true(++taken < 1000);
	assert_true(taken >= 4);
	assert_int_equal(fixture->called, 0);
	wait_for(fixture, taken);
	while (tried < 4 && send_verify(fixture, RIGHT, NULL))
		tried++;
	assert_int_equal(tried, 4);
	wait_for(fixture, taken + tried);
}

/* A callback may send the next job. */
static void
send_again(void *arg, bool ok, const char *hash)
{
	struct fixture *fixture = arg;

	note_result(arg, ok, hash);
	if (hash)
		assert_true(password_verify_send(fixture->pool, RIGHT, hash, send_again, fixture));
}

static void
test_send_in_callback(void **state)
{
	struct fixture *fixture = *state;

	start(fixture, 1, 0);
	assert_true(password_hash_send(fixture->pool, RIGHT, send_again, fixture));
	wait_for(fixture, 2);
	assert_int_equal(fixture->ok, 2);
}

/* free drops what waits, what is being worked on and what was not delivered. */
static void
test_free_drops(void **state)
{
	struct fixture *fixture = *state;

	start(fixture, 2, 20);
	for (int i = 0; i < 5; i++)
		assert_true(send_verify(fixture, RIGHT, NULL));
	assert_true(password_hash_send(fixture->pool, RIGHT, note_result, fixture));
	password_pool_free(fixture->pool);
	fixture->pool = NULL;
	event_base_loop(fixture->base, EVLOOP_NONBLOCK);
	assert_int_equal(fixture->called, 0);
	password_pool_free(NULL);
}

/* A signal that the loop's thread blocks stays pending: no thread of the pool takes it (it would end the process). */
static void
test_threads_block_signals(void **state)
{
	struct fixture *fixture = *state;
	const struct timespec no_time = {0, 0};
	sigset_t set, old, pending;

	start(fixture, 2, 10);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	assert_int_equal(pthread_sigmask(SIG_BLOCK, &set, &old), 0);
	assert_int_equal(kill(getpid(), SIGUSR1), 0);
	for (int i = 0; i < 4; i++)
		assert_true(send_verify(fixture, RIGHT, NULL));
	wait_for(fixture, 4);
	assert_int_equal(sigpending(&pending), 0);
	assert_int_equal(sigismember(&pending, SIGUSR1), 1);
	assert_int_equal(sigtimedwait(&set, NULL, &no_time), SIGUSR1);
	assert_int_equal(pthread_sigmask(SIG_SETMASK, &old, NULL), 0);
	assert_int_equal(sigismember(&old, SIGUSR1), 0);
}

static unsigned
faults(const char *password, const char *username)
{
	return password_faults(slice_of(password), slice_of(username));
}

/* why is in one of the sentences, and each of them says what would do. */
static void
assert_weak(const char *password, const char *username, const char *why)
{
	unsigned found = faults(password, username);
	bool said = false;

	for (int i = 0; i < PASSWORD_FAULT_COUNT; i++) {
		said = said || ((found & 1u << i) && strstr(password_fault_text((enum password_fault)i), why));
		assert_non_null(strstr(password_fault_text((enum password_fault)i), "for example"));
	}
	if (!said)
		fail_msg("\"%s\" of %s: found %#x, expected ...%s...", password, username, found, why);
}

static void
test_weak_passwords(void **state UNUSED)
{
	static const char *const common[] = {
	    "passwordpassword",
	    "Password1234",
	    "P@ssw0rd!!!!",
	    "pa55w0rd2026",
	    "!!!password!!!",
	    "123password123",
	    "administrator",
	    "4dm1n1str4t0r",
	    "Letmein12345",
	    "l3tm31n!!!!!",
	    "iloveyou1234",
	    "correct horse battery staple",
	    "CorrectHorseBatteryStaple",
	    "qwertyuiopas",
	    "1qaz2wsx3edc",
	    "1q2w3e4r5t6y",
	    "pass-word-2026",
	    "changeme!!!!",
	    "changemeplease",
	    "monkeymonkey",
	    "dragondragondragon",
	    "Welcome20261",
	    "adminadmin123",
	    "January-2026",
	    /* The first and the last of the list. */
	    "123qwe123qwe",
	    "zxcvbnm.2026",
	};
	static const char *const sequences[] = {
	    "abcdefghijkl", "ABCDEFGHIJKL", "zyxwvutsrqpo", "123456789012", "098765432109",
	    "uvwxyzabcdef", "111222333444", "abcdef123456", "aaaaaabbbbbb", "aaaaaa999999",
	};
	char long_one[PASSWORD_LENGTH_MAX + 2];

	for (size_t i = 0; i < ARRAY_LENGTH(common); i++)
		assert_weak(common[i], "ada", "common");
	for (size_t i = 0; i < ARRAY_LENGTH(sequences); i++)
		assert_weak(sequences[i], "ada", "sequence");
	assert_weak("", "ada", "shorter than 12");
	assert_weak("elevenchars", "ada", "shorter than 12");
	assert_weak("\xc3\xa9\xc3\xa8\xc3\xa0\xc3\xb9\xc3\xb6\xc3\xbc", "ada", "shorter than 12");
	assert_weak("aaaaaaaaaaaa", "ada", "repeats");
	assert_weak("abcabcabcabcab", "ada", "repeats");
	assert_weak("12121212121212", "ada", "repeats");
	assert_weak("xx-ADA.Lovelace-xx", "ada.lovelace", "user name");
	assert_weak("some grACE in it", "Grace", "user name");
	memset(long_one, 0, sizeof(long_one));
	for (size_t i = 0; i < PASSWORD_LENGTH_MAX + 1; i++)
		long_one[i] = (char)('a' + i * i % 23);
	assert_weak(long_one, "ada", "longer than 256");
	long_one[PASSWORD_LENGTH_MAX] = '\0';
	assert_int_equal(faults(long_one, "ada"), 0);
}

/* Nobody is sent away twice. */
static void
test_all_faults_are_told(void **state UNUSED)
{
	static const char *const codes[] = {"not_text", "too_short", "too_long", "has_name",
	                                    "repeats",  "sequence",  "common"};

	assert_int_equal(ARRAY_LENGTH(codes), PASSWORD_FAULT_COUNT);
	for (int i = 0; i < PASSWORD_FAULT_COUNT; i++)
		assert_string_equal(password_fault_code((enum password_fault)i), codes[i]);
	assert_int_equal(faults("admin", "admin"), 1u << PASSWORD_SHORT | 1u << PASSWORD_HAS_NAME | 1u << PASSWORD_COMMON);
	assert_int_equal(faults("abcdef", "neo"), 1u << PASSWORD_SHORT | 1u << PASSWORD_SEQUENCE);
	assert_int_equal(faults("", "neo"), 1u << PASSWORD_SHORT);
	assert_int_equal(faults("x", "neo"), 1u << PASSWORD_SHORT);
	assert_int_equal(faults("neoneoneoneo", "neo"), 1u << PASSWORD_HAS_NAME | 1u << PASSWORD_REPEATS);
}

static void
test_passwords_can_be_typed(void **state UNUSED)
{
	static const char *const broken[] = {"four unrelated\nwords",
	                                     "four unrelated words\r",
	                                     "\tfour unrelated words",
	                                     "four unrelated \x7fwords",
	                                     "four unrelated \xffwords",
	                                     "four unrelated words\xc3",
	                                     "four unrelated \xed\xa0\x80 words"};
	const struct slice zero = {"four unrelated\0words", 20};

	for (size_t i = 0; i < ARRAY_LENGTH(broken); i++)
		assert_int_equal(faults(broken[i], "ada"), 1u << PASSWORD_NOT_TEXT);
	assert_int_equal(password_faults(zero, SLICE("ada")), 1u << PASSWORD_NOT_TEXT);
	/* The same letters in two forms of Unicode are two passwords: they are bytes. */
	assert_int_equal(faults("caf\xc3\xa9 tulip anvil", "ada"), 0);
	assert_int_equal(faults("cafe\xcc\x81 tulip anvil", "ada"), 0);
}

static void
test_good_passwords(void **state UNUSED)
{
	static const char *const good[] = {
	    "four unrelated words",
	    "vX9#kq2!mLp0",
	    "tulip-anvil-sonnet-harbour",
	    "mypassword is not yours",
	    "correct horse",
	    "a password manager made this: 8Qz",
	    "\xd0\xbf\xd1\x83\xd1\x82\xd1\x8c \xd1\x87\xd0\xb5\xd1\x80\xd0\xb5\xd0\xb7 \xd0\xbb\xd0\xb5\xd1\x81",
	    "198405231177x",
	    "zebra 12 quilt",
	};

	for (size_t i = 0; i < ARRAY_LENGTH(good); i++)
		if (faults(good[i], "ada"))
			fail_msg("\"%s\": %#x", good[i], faults(good[i], "ada"));
	/* A name of one or two letters is in too many words to count; no name contains nothing. */
	assert_int_equal(faults("tulip anvil sonnet", "an"), 0);
	assert_int_equal(faults("tulip anvil sonnet", ""), 0);
	assert_int_equal(password_faults(SLICE("tulip anvil sonnet"), SLICE_NONE), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_hash_and_verify),
	    cmocka_unit_test(test_reference_hash),
	    cmocka_unit_test(test_outdated_hashes),
	    cmocka_unit_test(test_length),
	    cmocka_unit_test(test_unknown_user_costs_the_same),
	    cmocka_unit_test_setup_teardown(test_pool, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_pool_makes_outdated_hashes_anew, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_pool_copies, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_queue_is_bounded, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_send_in_callback, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_free_drops, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_threads_block_signals, set_up, tear_down),
	    cmocka_unit_test(test_weak_passwords),
	    cmocka_unit_test(test_all_faults_are_told),
	    cmocka_unit_test(test_passwords_can_be_typed),
	    cmocka_unit_test(test_good_passwords),
	};

	return cmocka_run_group_tests_name("password", tests, NULL, NULL);
}
