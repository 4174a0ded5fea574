/* test_db_hosts.c - connection strings with several hosts: whose turn it is, in every spelling that libpq takes. */
#include "base.h"

#include "db_hosts.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>

static void
expect(const char *url, int first, const char *host, const char *hostaddr, const char *port)
{
	const char *const wanted[] = {host, hostaddr, port};
	struct db_hosts hosts;

	db_hosts_turn(url, first, &hosts);
	for (int i = 0; i < 3; i++) {
		const char *found = ((const char *[]){hosts.host, hosts.hostaddr, hosts.port})[i];
		if (wanted[i])
			assert_string_equal(found, wanted[i]);
		else
			assert_null(found);
	}
	db_hosts_clear(&hosts);
	assert_null(hosts.host);
}

static void
test_lists_are_turned_together(void **state UNUSED)
{
	static const char url[] = "postgresql://u@a:1,b:2,c:3/d?target_session_attrs=read-write";

	expect(url, 0, "a,b,c", NULL, "1,2,3");
	expect(url, 1, "b,c,a", NULL, "2,3,1");
	expect(url, 2, "c,a,b", NULL, "3,1,2");
	expect(url, 3, "a,b,c", NULL, "1,2,3");
	expect("hostaddr=10.0.0.1,10.0.0.2 host=x,y user=u", 1, "y,x", "10.0.0.2,10.0.0.1", NULL);
}

static void
test_one_item_holds_for_all(void **state UNUSED)
{
	expect("host=a,b port=5433", 1, "b,a", NULL, "5433");
	expect("postgresql://a:1,b/d", 1, "b,a", NULL, ",1"); /* no port is the usual one */
	expect("postgresql://[::1]:7,b:8/d", 1, "b,::1", NULL, "8,7");
	expect("host=a", 7, "a", NULL, NULL);
	expect("dbname=d", 1, NULL, NULL, NULL);
}

static void
test_who_comes_behind(void **state UNUSED)
{
	assert_int_equal(db_hosts_after("host=a,b,c", "a", "5432"), 1);
	assert_int_equal(db_hosts_after("host=a,b,c", "b", "5432"), 2);
	assert_int_equal(db_hosts_after("host=a,b,c", "c", "5432"), 3);
	assert_int_equal(db_hosts_after("postgresql://a:1,a:2,a:3/d", "a", "2"), 2);
	assert_int_equal(db_hosts_after("hostaddr=10.0.0.1,10.0.0.2", "10.0.0.1", "5432"), 1);
	assert_int_equal(db_hosts_after("host=a,b", "from the environment", "1"), 2);
	assert_int_equal(db_hosts_after("dbname=d", "/run", "5432"), 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_lists_are_turned_together),
	    cmocka_unit_test(test_one_item_holds_for_all),
	    cmocka_unit_test(test_who_comes_behind),
	};

	return cmocka_run_group_tests_name("db_hosts", tests, NULL, NULL);
}
