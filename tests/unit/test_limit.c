/*
 * test_limit.c - the rate limiter against plain models, at its edges, and with four processes at once.
 *
 * Time is an argument, so nothing here waits. Random traces begin with a fixed seed, which a failure prints.
 */
#include "base.h"

#include "limit.h"
#include "limit_model.h"

#include <sched.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>

enum { PROCESSES = 4, STEPS = 20000 };

static const enum limit_strategy strategies[] = {LIMIT_TOKEN_BUCKET, LIMIT_FIXED_WINDOW, LIMIT_SLIDING_WINDOW};

static struct limit_table *
table_new(size_t subjects)
{
	struct limit_table *table = limit_table_new(subjects);

	assert_non_null(table);
	return table;
}

/*
 * Never is a request admitted for which the model has no room for one. None is refused for which it has, but for the
 * rounding of a token's time, which always favours the limit.
 */
static void
check_verdict(struct model *model, const struct limit_rule *rule, int64_t now_us, const struct limit_verdict *verdict,
              uint64_t seed)
{
	double room = model_room(model, rule, now_us);

	if (verdict->admitted ? room < 1 - 1e-6 : room > 1 + 0.01)
		fail_msg("seed %llu, strategy %d, limit %lld in %lld us, at %lld: %s with room for %f",
		         (unsigned long long)seed, (int)rule->strategy, (long long)rule->limit, (long long)rule->window_us,
		         (long long)now_us, verdict->admitted ? "admitted" : "refused", room);
	if (verdict->admitted) {
		model_take(model);
		room -= 1;
	}
	assert_int_equal(verdict->limit, rule->limit);
	assert_true((double)verdict->remaining <= MAX(room, 0) + 1e-6 && (double)verdict->remaining > room - 1.01);
	assert_true(verdict->admitted ? verdict->retry_us == 0 : verdict->retry_us > 0 && verdict->remaining == 0);
}

static void
run_trace(const struct limit_rule *rule, uint64_t seed)
{
	struct limit_table *table = table_new(1);
	uint64_t random = seed;
	int64_t now_us = random_below(&random, 100 * rule->window_us);
	struct model model;
	int refused = 0;

	model_init(&model, rule, now_us);
	for (int i = 0; i < 3000; i++) {
		struct limit_verdict verdict;

		now_us += random_step_us(&random, rule);
		verdict = limit_take(table, seed, rule, now_us);
		check_verdict(&model, rule, now_us, &verdict, seed);
		if (verdict.admitted)
			continue;
		/* retry_us is exact: a microsecond less is refused too, then the request is admitted. */
		refused++;
		if (verdict.retry_us > 1)
			assert_false(limit_take(table, seed, rule, now_us + verdict.retry_us - 1).admitted);
		if (refused % 4 == 0) {
			now_us += verdict.retry_us;
			verdict = limit_take(table, seed, rule, now_us);
			check_verdict(&model, rule, now_us, &verdict, seed);
			assert_true(verdict.admitted);
		}
	}
	assert_true(refused > 10 || rule->limit > 100);
	limit_table_free(table);
}

static void
test_models(void **state UNUSED)
{
	static const int64_t limits[] = {1, 2, 3, 7, 10, 60, 1000};
	static const int64_t windows_us[] = {1000, SECOND_US, 1500000, 999983, 60LL * SECOND_US, 86400LL * SECOND_US};
	uint64_t seed = 20260101;

	for (size_t s = 0; s < ARRAY_LENGTH(strategies); s++)
		for (size_t l = 0; l < ARRAY_LENGTH(limits); l++)
			for (size_t w = 0; w < ARRAY_LENGTH(windows_us); w++)
				run_trace(&(struct limit_rule){strategies[s], limits[l], windows_us[w]}, seed++);
}

static int64_t
burst(struct limit_table *table, uint64_t subject, const struct limit_rule *rule, int64_t now_us)
{
	int64_t admitted = 0;
	struct limit_verdict verdict;

	while ((verdict = limit_take(table, subject, rule, now_us)).admitted) {
		admitted++;
		assert_int_equal(verdict.remaining, rule->limit - admitted);
		assert_true(admitted <= rule->limit);
	}
	return admitted;
}

/* A burst admits exactly the limit, and reset_us says exactly when the full limit is back. */
static void
test_burst_and_reset(void **state UNUSED)
{
	static const int64_t limits[] = {1, 3, 7, 1000, 4999};
	struct limit_table *table = table_new(100);

	for (size_t s = 0; s < ARRAY_LENGTH(strategies); s++) {
		for (size_t l = 0; l < ARRAY_LENGTH(limits); l++) {
			struct limit_rule rule = {strategies[s], limits[l], 60LL * SECOND_US};
			int64_t now_us = 123456789;

			assert_int_equal(burst(table, l, &rule, now_us), limits[l]);
			now_us += limit_take(table, l, &rule, now_us).reset_us;
			assert_int_equal(burst(table, l, &rule, now_us), limits[l]);
		}
	}
	limit_table_free(table);
}

/* A rate whose tokens take no whole number of microseconds: in the long run it is reached and never exceeded. */
static void
test_long_run_rate(void **state UNUSED)
{
	const struct limit_rule rule = {LIMIT_TOKEN_BUCKET, 700000, SECOND_US};
	struct limit_table *table = table_new(1);
	int64_t now_us = 0, admitted = burst(table, 1, &rule, now_us);

	while (now_us < SECOND_US / 2) {
		struct limit_verdict verdict = limit_take(table, 1, &rule, now_us);

		admitted += verdict.admitted;
		now_us += verdict.retry_us;
	}
	assert_in_range(admitted, (700000 + 350000) * 0.999, 700000 + 350000);
	limit_table_free(table);
}

/* The largest setting and more: it still counts, and what does not fit a word is the largest that does. */
static void
test_large_limits(void **state UNUSED)
{
	struct limit_table *table = table_new(10);

	for (size_t s = 0; s < ARRAY_LENGTH(strategies); s++) {
		struct limit_rule rule = {strategies[s], 1000000000, 86400LL * SECOND_US};
		struct limit_verdict verdict = limit_take(table, s, &rule, SECOND_US);

		assert_true(verdict.admitted && verdict.remaining == 999999999);
		rule.limit = INT64_MAX;
		verdict = limit_take(table, s + 10, &rule, SECOND_US);
		assert_true(verdict.admitted && verdict.limit >= 1000000000 && verdict.remaining == verdict.limit - 1);
		rule.window_us *= 366;
		assert_true(limit_take(table, s + 20, &rule, (int64_t)1 << 50).admitted);
	}
	limit_table_free(table);
}

/* Subjects, and one subject under two windows, do not share; a changed limit goes on with the old count. */
static void
test_subjects_and_rules(void **state UNUSED)
{
	struct limit_table *table = table_new(1000);

	for (size_t s = 0; s < ARRAY_LENGTH(strategies); s++) {
		struct limit_rule rule = {strategies[s], 5, 60LL * SECOND_US}, longer = {strategies[s], 5, 600LL * SECOND_US};

		for (uint64_t subject = 0; subject < 200; subject++)
			assert_int_equal(burst(table, subject, &rule, 0), 5);
		assert_int_equal(burst(table, 7, &longer, 0), 5);
		/* An empty bucket stays empty when it becomes larger; a window has room for three more. */
		rule.limit = 8;
		for (int i = 0; i < 4; i++)
			assert_true(limit_take(table, 7, &rule, 0).admitted == (strategies[s] != LIMIT_TOKEN_BUCKET && i < 3));
		rule.limit = 2;
		assert_false(limit_take(table, 7, &rule, 0).admitted);
	}
	limit_table_free(table);
}

/* A worker whose clock reading is a little old counts in the present window and opens no past one again. */
static void
test_old_now(void **state UNUSED)
{
	struct limit_table *table = table_new(10);

	for (size_t s = 0; s < ARRAY_LENGTH(strategies); s++) {
		struct limit_rule rule = {strategies[s], 10, SECOND_US};
		struct limit_verdict verdict;

		assert_int_equal(burst(table, s, &rule, 5 * SECOND_US + 1), 10);
		for (int64_t old_us = 0; old_us < 5 * SECOND_US; old_us += 99999)
			assert_false(limit_take(table, s, &rule, 5 * SECOND_US - old_us).admitted);
		verdict = limit_take(table, s, &rule, 3 * SECOND_US);
		assert_true(limit_take(table, s, &rule, 3 * SECOND_US + verdict.retry_us).admitted);
	}
	limit_table_free(table);
}

/*
 * A full bucket refuses a stranger, with a time after which he is admitted; those who are counted keep their counts.
 * Idle ones give way, the one that has been idle longest first.
 */
static void
test_full_table(void **state UNUSED)
{
	const struct limit_rule rule = {LIMIT_FIXED_WINDOW, 1, 60LL * SECOND_US};
	struct limit_table *table = table_new(1);
	struct limit_verdict verdict;
	uint64_t known = 0;

	while ((verdict = limit_take(table, known, &rule, 10 * SECOND_US)).admitted)
		assert_true(++known < 1000);
	assert_in_range(known, 4, 999);
	assert_int_equal(verdict.remaining, 0);
	assert_int_equal(verdict.limit, 1);
	assert_in_range(verdict.retry_us, 1, rule.window_us);
	for (uint64_t subject = 0; subject < known; subject++)
		assert_false(limit_take(table, subject, &rule, 59 * SECOND_US).admitted);
	assert_false(limit_take(table, known, &rule, 10 * SECOND_US + verdict.retry_us - 1).admitted);
	assert_true(limit_take(table, known, &rule, 10 * SECOND_US + verdict.retry_us).admitted);
	assert_false(limit_take(table, known, &rule, 119 * SECOND_US).admitted);
	limit_table_free(table);
}

/* Ten thousand subjects one after the other pass through a small table: the idle ones give way each time. */
static void
test_idle_give_way(void **state UNUSED)
{
	struct limit_table *table = table_new(1);
	struct limit_rule rule = {LIMIT_TOKEN_BUCKET, 2, SECOND_US};

	for (uint64_t subject = 0; subject < 10000; subject++)
		assert_int_equal(burst(table, subject, &rule, (int64_t)subject * SECOND_US), 2);
	limit_table_free(table);
}

/* What the processes of a test share. */
struct common {
	_Atomic int ready, arrived;
	_Atomic int64_t admitted[200]; /* of a subject */
	_Atomic int steps[STEPS];      /* admitted in a step */
};

static struct common *
common_new(void)
{
	struct common *common = mmap(NULL, sizeof(*common), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_true(common != MAP_FAILED);
	return common;
}

/* Runs body in PROCESSES children that begin together; the answer is how many ended well. */
static int
in_processes(struct common *common, void (*body)(int process, struct common *common, void *arg), void *arg)
{
	int well = 0, status;

	atomic_store(&common->ready, 0);
	for (int i = 0; i < PROCESSES; i++) {
		pid_t pid = fork();

		assert_true(pid >= 0);
		if (pid == 0) {
			atomic_fetch_add(&common->ready, 1);
			while (atomic_load(&common->ready) < PROCESSES)
				continue;
			body(i, common, arg);
			_exit(0);
		}
	}
	while (wait(&status) > 0)
		well += WIFEXITED(status) && WEXITSTATUS(status) == 0;
	return well;
}

struct hammer {
	struct limit_table *table;
	struct limit_rule rule;
	uint64_t first; /* the subjects: this one and those after it */
	uint64_t subjects;
	int takes;
	int64_t now_us;
};

static void
hammer_subjects(int process, struct common *common, void *arg)
{
	const struct hammer *hammer = arg;
	uint64_t random = (uint64_t)process;

	for (int i = 0; i < hammer->takes; i++) {
		uint64_t subject = random_next(&random) % hammer->subjects;

		if (limit_take(hammer->table, hammer->first + subject, &hammer->rule, hammer->now_us).admitted)
			atomic_fetch_add(&common->admitted[subject], 1);
	}
}

/* Four processes, one subject, time standing still: exactly the limit is admitted in all. */
static void
test_processes_one_subject(void **state UNUSED)
{
	struct limit_table *table = table_new(10);
	struct common *common = common_new();

	for (size_t s = 0; s < ARRAY_LENGTH(strategies); s++) {
		struct hammer hammer = {table, {strategies[s], 20000, 60LL * SECOND_US}, s, 1, 10000, 777777777};

		atomic_store(&common->admitted[0], 0);
		assert_int_equal(in_processes(common, hammer_subjects, &hammer), PROCESSES);
		assert_int_equal(atomic_load(&common->admitted[0]), 20000);
	}
	munmap(common, sizeof(*common));
	limit_table_free(table);
}

/*
 * Four processes, many subjects, and each round others, so that slots are claimed and evicted all the time. With room
 * for all each gets exactly the limit; in a table that is too small some are refused, but none gets more.
 */
static void
test_processes_many_subjects(void **state UNUSED)
{
	struct limit_table *roomy = table_new(200), *crowded = table_new(8);
	struct common *common = common_new();

	for (int round = 0; round < 30; round++) {
		bool crowd = round % 2;
		struct hammer hammer = {
		    .table = crowd ? crowded : roomy,
		    .rule = {strategies[round % 3], 5, SECOND_US},
		    .first = (uint64_t)round * 0x9e3779b97f4a7c15,
		    .subjects = crowd ? 200 : 40,
		    .takes = 3000,
		    .now_us = (round + 1) * 10LL * SECOND_US,
		};
		int64_t most = 0, least = INT64_MAX;

		memset(common, 0, sizeof(*common));
		assert_int_equal(in_processes(common, hammer_subjects, &hammer), PROCESSES);
		for (uint64_t i = 0; i < hammer.subjects; i++) {
			most = MAX(most, atomic_load(&common->admitted[i]));
			least = MIN(least, atomic_load(&common->admitted[i]));
		}
		assert_int_equal(most, 5);
		assert_int_equal(least, crowd ? 0 : 5);
	}
	munmap(common, sizeof(*common));
	limit_table_free(roomy);
	limit_table_free(crowded);
}

/* Step by step, all at the same moment, each step a new subject at a time when the ones before are idle. */
static void
claim_in_lockstep(int process, struct common *common, void *table)
{
	const struct limit_rule rule = {LIMIT_FIXED_WINDOW, 1, SECOND_US};

	if (process >= 2)
		return;
	for (int i = 0; i < STEPS; i++) {
		atomic_fetch_add(&common->arrived, 1);
		while (atomic_load(&common->arrived) < 2 * (i + 1))
			sched_yield();
		if (limit_take(table, (uint64_t)i / 2, &rule, i * (int64_t)SECOND_US).admitted)
			atomic_fetch_add(&common->steps[i], 1);
	}
}

/* Two processes meet a subject for the first time, or again after it was idle: it is counted in one place only. */
static void
test_processes_claim_at_once(void **state UNUSED)
{
	struct common *common = common_new();
	struct limit_table *table = table_new(1);

	assert_int_equal(in_processes(common, claim_in_lockstep, table), PROCESSES);
	for (int i = 0; i < STEPS; i++)
		assert_int_equal(atomic_load(&common->steps[i]), 1);
	limit_table_free(table);
	munmap(common, sizeof(*common));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_models),
	    cmocka_unit_test(test_burst_and_reset),
	    cmocka_unit_test(test_long_run_rate),
	    cmocka_unit_test(test_large_limits),
	    cmocka_unit_test(test_subjects_and_rules),
	    cmocka_unit_test(test_old_now),
	    cmocka_unit_test(test_full_table),
	    cmocka_unit_test(test_idle_give_way),
	    cmocka_unit_test(test_processes_one_subject),
	    cmocka_unit_test(test_processes_many_subjects),
	    cmocka_unit_test(test_processes_claim_at_once),
	};

	return cmocka_run_group_tests_name("limit", tests, NULL, NULL);
}
