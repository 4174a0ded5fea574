/* test_config_change.c - which settings change while agentd runs, and how a change is tried out on a copy. */
#include "base.h"

#include "config.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>

static struct config *config;

static int
set_up(void **state UNUSED)
{
	static char *variables[] = {"AGENTD_ENV=production",
	                            "AGENTD_SECRET=kA93mfQpX7zLw2RtYv5BnC8dEgHj4sUq",
	                            "AGENTD_DATABASE_URL=postgresql:///x",
	                            "AGENTD_CORS_ORIGINS=https://a.example",
	                            "AGENTD_RATE_LIMIT=70",
	                            NULL};
	struct config_errors errors;

	config = config_load(variables, false, &errors);
	config_errors_free(&errors);
	return config ? 0 : -1;
}

static int
tear_down(void **state UNUSED)
{
	config_free(config);
	return 0;
}

/* What is read once, at the start, is not among them; neither is a secret or where things are. */
static void
test_only_what_takes_effect_can_change(void **state UNUSED)
{
	static const enum config_setting fixed[] = {SETTING_PORT,          SETTING_WORKERS,      SETTING_SECRET,
	                                            SETTING_DATABASE_URL,  SETTING_DB_POOL_SIZE, SETTING_STATE_DIR,
	                                            SETTING_TLS_CERT_FILE, SETTING_TEST_CLOCK,   SETTING_DRAIN_TIMEOUT_S,
	                                            SETTING_SANDBOX,       SETTING_LOG_FILE,     SETTING_ADMIN_PASSWORD};
	int count = 0;

	for (size_t i = 0; i < ARRAY_LENGTH(fixed); i++)
		assert_false(config_changes(fixed[i]));
	for (int i = 0; i < SETTING_COUNT; i++) {
		assert_int_equal(config_find(slice_of(config_fact((enum config_setting)i).name)), i);
		if (config_changes((enum config_setting)i)) {
			assert_false(config_fact((enum config_setting)i).secret);
			count++;
		}
	}
	assert_true(count >= 25);
	assert_int_equal(config_find(SLICE("RATE_LIMIT")), -1);
	assert_int_equal(config_find(SLICE("")), -1);
}

static void
test_a_copy_is_changed_alone(void **state UNUSED)
{
	struct config *copy = config_copy(config);
	struct buf why = {0}, text = {0};

	assert_true(
	    config_set(copy, SETTING_CORS_ORIGINS, "https://b.example,https://c.example", CONFIG_FROM_SETTINGS, &why));
	assert_true(config_set(copy, SETTING_RATE_LIMIT, "71", CONFIG_FROM_SETTINGS, &why));
	assert_true(config_set(copy, SETTING_LOG_LEVEL, "error", CONFIG_FROM_SETTINGS, &why));
	assert_int_equal(copy->rate_limit, 71);
	assert_int_equal(copy->origins[SETTING_RATE_LIMIT], CONFIG_FROM_SETTINGS);
	assert_int_equal(config->rate_limit, 70);
	assert_string_equal(config->cors_origins, "https://a.example");
	assert_int_equal(config->origins[SETTING_RATE_LIMIT], CONFIG_FROM_VARIABLE);
	config_get(copy, SETTING_LOG_LEVEL, &text);
	assert_true(slice_is(buf_slice(&text), "error"));
	assert_false(config_set(copy, SETTING_RATE_LIMIT, "0", CONFIG_FROM_SETTINGS, &why));
	assert_int_equal(copy->rate_limit, 71);
	assert_true(why.len > 0);
	config_copy_free(copy);
	buf_free(&why);
	buf_free(&text);
}

static void
test_rules_of_the_start_hold(void **state UNUSED)
{
	struct config *copy = config_copy(config);
	struct config_errors errors;
	struct buf why = {0};

	/* A running process has no secret any more, which the rules ask for: that is not the change's fault. */
	config_forget(config, SETTING_SECRET);
	config_check_change(config, copy, &errors);
	assert_int_equal(errors.count, 0);
	config_errors_free(&errors);
	assert_true(config_set(copy, SETTING_CORS_ORIGINS, "*", CONFIG_FROM_SETTINGS, &why));
	config_check_change(config, copy, &errors);
	assert_int_equal(errors.count, 1);
	assert_non_null(strstr(errors.messages[0], "AGENTD_CORS_ORIGINS"));
	config_errors_free(&errors);
	config_copy_free(copy);
	buf_free(&why);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_only_what_takes_effect_can_change),
	    TEST(test_a_copy_is_changed_alone),
	    TEST(test_rules_of_the_start_hold),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
