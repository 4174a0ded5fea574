/* test_webhook.c - the signature against the published example of Standard Webhooks, secrets, pauses and URLs. */
#include "base.h"

#include "cidr.h"
#include "webhook.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>

static void
test_the_published_example(void **state UNUSED)
{
	struct webhook_key key;
	struct buf out = {0};

	assert_true(webhook_secret_read(SLICE("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), &key));
	assert_int_equal(key.len, 24);
	webhook_sign(&key, SLICE("msg_p5jXN8AQM9LWM0D4loKWxJek"), 1614265330, SLICE("{\"test\": 2432232314}"), &out);
	assert_true(slice_is(buf_slice(&out), "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="));
	buf_free(&out);
}

static void
test_new_secrets_are_read_and_differ(void **state UNUSED)
{
	struct webhook_key one, two;
	struct buf first = {0}, second = {0};

	webhook_secret_new(&first);
	webhook_secret_new(&second);
	assert_int_equal(first.len, 6 + 44);
	assert_true(webhook_secret_read(buf_slice(&first), &one));
	assert_true(webhook_secret_read(buf_slice(&second), &two));
	assert_int_equal(one.len, 32);
	assert_memory_not_equal(one.bytes, two.bytes, 32);
	buf_free(&first);
	buf_free(&second);
}

static void
test_what_is_no_secret(void **state UNUSED)
{
	static const char *const bad[] = {
	    "",
	    "whsec_",
	    "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
	    "whsec_MfKQ9r8GKYqr",
	    "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLa-w",
	    "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS!",
	    "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"};
	struct webhook_key key;

	for (size_t i = 0; i < ARRAY_LENGTH(bad); i++)
		if (webhook_secret_read(slice_of(bad[i]), &key))
			fail_msg("%s was read", bad[i]);
}

static void
test_pauses_grow_over_hours_and_end(void **state UNUSED)
{
	int64_t before = 0, all = 0, pause;
	int tries = 1;

	for (; (pause = webhook_pause_s(tries, 0, 0)) >= 0; tries++) {
		assert_true(pause > before);
		assert_true(webhook_pause_s(tries, 0, 999) >= pause);
		assert_true(webhook_pause_s(tries, 0, 999) <= pause + pause / 5);
		all += pause;
		before = pause;
	}
	assert_int_equal(tries, WEBHOOK_TRIES);
	assert_true(all > 6 * 3600 && all < 36 * 3600);
	/* The receiver may ask for more, within a day. */
	assert_int_equal(webhook_pause_s(1, 120, 0), 120);
	assert_int_equal(webhook_pause_s(1, 1000000, 0), 86400);
	assert_int_equal(webhook_pause_s(4, 1, 0), webhook_pause_s(4, 0, 0));
}

static void
test_urls(void **state UNUSED)
{
	static const char *const good[] = {"https://example.com/hook", "http://example.com:8080", "HTTPS://1.1.1.1/x?y=z",
	                                   "https://[2606:4700::1111]:443/", "http://10.1.2.3/allowed"};
	static const char *const bad[] = {"",
	                                  "example.com",
	                                  "ftp://example.com",
	                                  "https://",
	                                  "https:///path",
	                                  "https://a b/",
	                                  "https://user:password@example.com/",
	                                  "https://example.com/#here",
	                                  "http://127.0.0.1/",
	                                  "http://[::1]:5000/",
	                                  "http://169.254.169.254/latest",
	                                  "https://[]/",
	                                  "http://:80/",
	                                  "http://10.2.0.1/",
	                                  "https://ex\xc3\xa4mple.com/",
	                                  "https://a\\b/"};
	struct cidr_list allowed;
	struct slice wrong;

	assert_true(cidr_list_parse(SLICE("10.1.0.0/16"), &allowed, &wrong));
	for (size_t i = 0; i < ARRAY_LENGTH(good); i++)
		if (webhook_url_fault(slice_of(good[i]), &allowed))
			fail_msg("%s: %s", good[i], webhook_url_fault(slice_of(good[i]), &allowed));
	for (size_t i = 0; i < ARRAY_LENGTH(bad); i++)
		if (!webhook_url_fault(slice_of(bad[i]), &allowed))
			fail_msg("%s is good", bad[i]);
	cidr_list_free(&allowed);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_the_published_example),
	    cmocka_unit_test(test_new_secrets_are_read_and_differ),
	    cmocka_unit_test(test_what_is_no_secret),
	    cmocka_unit_test(test_pauses_grow_over_hours_and_end),
	    cmocka_unit_test(test_urls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
