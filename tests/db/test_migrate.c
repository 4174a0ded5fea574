/* test_migrate.c - master/migrate.h: up, down and back, by many at once, with data, and when something is in the way.
 */
#include "base.h"

#include "db_fixture.h"
#include "migrate.h"
#include "query.h"

#include <sys/wait.h>
#include <unistd.h>

static struct db_fixture fixture;

#define SQL(...) db_fixture_sql(&fixture, __VA_ARGS__)

/* Everything that the migrations make, as one text: columns, constraints, indexes, storage. */
static const char *
schema_text(void)
{
	return SQL("SELECT string_agg(line, E'\\n' ORDER BY line) FROM ("
	           "SELECT format('%%s.%%s %%s %%s %%s %%s', c.relname, a.attname, format_type(a.atttypid, a.atttypmod),"
	           " a.attnotnull, a.attcompression, pg_get_expr(d.adbin, d.adrelid)) AS line"
	           " FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped"
	           " LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum"
	           " WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'"
	           " UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'"
	           " UNION ALL SELECT relname || ' ' || array_to_string(reloptions, ',') FROM pg_class"
	           "  WHERE relnamespace = 'public'::regnamespace AND reloptions IS NOT NULL"
	           " UNION ALL SELECT format('%%s %%s %%s', relname, relrowsecurity, relforcerowsecurity) FROM pg_class"
	           "  WHERE relnamespace = 'public'::regnamespace AND relrowsecurity"
	           " UNION ALL SELECT format('%%s %%s %%s', tablename, policyname, qual) FROM pg_policies WHERE schemaname = 'public'"
	           " UNION ALL SELECT conname || ' ' || pg_get_constraintdef(oid) FROM pg_constraint"
	           "  WHERE connamespace = 'public'::regnamespace) lines");
}

static const char *
versions(void)
{
	return SQL("SELECT coalesce(string_agg(version || ' ' || name || ' ' || status, ', ' ORDER BY version), '')"
	           " FROM migration_versions");
}

static void
expect_version(int version)
{
	char expected[2000] = "";
	size_t length = 0;

	for (int i = 0; i < version; i++)
		length += (size_t)snprintf(expected + length, sizeof(expected) - length, "%s%d %s applied", i ? ", " : "",
		                           query_migrations[i].version, query_migrations[i].name);
	assert_string_equal(versions(), expected);
}

static void
fill_with_data(void)
{
	SQL("INSERT INTO users (tenant, id, username, password_hash, role)"
	    " VALUES (1, gen_random_uuid(), 'neo', 'x', 'admin');"
	    "INSERT INTO agents (tenant, agent_id, name, role) VALUES (1, 'smith', 'Smith', 'sena');"
	    "INSERT INTO workflows (tenant, id, description, created_by, tasks_total, input_data)"
	    " SELECT 1, gen_random_uuid(), 'w', 'neo', 2, '{\"n\": 1.50}' FROM generate_series(1, 20);"
	    "INSERT INTO tasks (tenant, id, workflow_id, queue, status, input_data)"
	    " SELECT 1, gen_random_uuid(), id, 'sena', 'pending', input_data FROM workflows;"
	    "INSERT INTO task_dependencies SELECT 1, min(id::text)::uuid, max(id::text)::uuid FROM tasks");
}

static void
test_up_down_and_up_again(void **state UNUSED)
{
	const char *first, *last;

	assert_true(migrate_up(fixture.url, 1));
	first = schema_text();
	expect_version(1);
	assert_true(migrate_down(fixture.url, 0));
	assert_true(migrate_up(fixture.url, MIGRATE_LATEST));
	last = schema_text();
	expect_version(query_migration_count);
	assert_true(migrate_down(fixture.url, 1));
	expect_version(1);
	assert_string_equal(schema_text(), first);
	assert_true(migrate_up(fixture.url, query_migration_count));
	expect_version(query_migration_count);
	assert_string_equal(schema_text(), last);
	assert_true(strcmp(first, last) != 0);
}

static void
test_nothing_to_do_is_done(void **state UNUSED)
{
	const char *before;

	assert_true(migrate_up(fixture.url, MIGRATE_LATEST));
	before = SQL("SELECT string_agg(applied_at::text, ' ') FROM migration_versions");
	assert_true(migrate_up(fixture.url, MIGRATE_LATEST));
	assert_true(migrate_up(fixture.url, 1)); /* up never goes down */
	assert_true(migrate_down(fixture.url, query_migration_count));
	expect_version(query_migration_count);
	assert_string_equal(SQL("SELECT string_agg(applied_at::text, ' ') FROM migration_versions"), before);
	assert_true(migrate_down(fixture.url, 0));
	assert_true(migrate_down(fixture.url, 0));
}

static void
test_data_survives_down_and_up(void **state UNUSED)
{
	const char *before;

	assert_true(migrate_up(fixture.url, MIGRATE_LATEST));
	fill_with_data();
	before = SQL("SELECT md5(string_agg(t::text, ' ' ORDER BY id)) FROM tasks t");
	assert_true(migrate_down(fixture.url, 1));
	assert_true(migrate_up(fixture.url, MIGRATE_LATEST));
	assert_string_equal(SQL("SELECT md5(string_agg(t::text, ' ' ORDER BY id)) FROM tasks t"), before);
	assert_string_equal(SQL("SELECT count(*) FROM tasks"), "20");
}

static void
test_down_to_nothing_with_data(void **state UNUSED)
{
	assert_true(migrate_up(fixture.url, MIGRATE_LATEST));
	fill_with_data();
	assert_true(migrate_down(fixture.url, 0));
	assert_string_equal(SQL("SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace"), "0");
	assert_string_equal(SQL("SELECT count(*) FROM pg_proc WHERE pronamespace = 'public'::regnamespace"), "0");
	assert_string_equal(SQL("SELECT count(*) FROM pg_type WHERE typnamespace = 'public'::regnamespace"), "0");
}

static void
test_ten_at_once_apply_each_once(void **state UNUSED)
{
	pid_t children[10];
	int good = 0;

	for (size_t i = 0; i < ARRAY_LENGTH(children); i++) {
		children[i] = fork();
		assert_true(children[i] >= 0);
		if (children[i] == 0)
			_exit(migrate_up(fixture.url, MIGRATE_LATEST) ? 0 : 1);
	}
	for (size_t i = 0; i < ARRAY_LENGTH(children); i++) {
		int status;
		assert_int_equal(waitpid(children[i], &status, 0), children[i]);
		good += WIFEXITED(status) && WEXITSTATUS(status) == 0;
	}
	assert_int_equal(good, 10);
	expect_version(query_migration_count);
	assert_string_equal(SQL("SELECT count(*) FROM tenants"), "1");
	assert_string_equal(SQL("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"), "0");
}

static void
test_newer_database_is_refused(void **state UNUSED)
{
	const char *before;

	assert_true(migrate_up(fixture.url, MIGRATE_LATEST));
	SQL("INSERT INTO migration_versions (version, name, description, duration_ms, status)"
	    " VALUES (%d, 'later', 'from the future', 1, 'applied')",
	    query_migration_count + 1);
	before = schema_text();
	assert_false(migrate_up(fixture.url, MIGRATE_LATEST));
	assert_false(migrate_up(fixture.url, 1));
	assert_false(migrate_down(fixture.url, 0));
	assert_string_equal(schema_text(), before);
	assert_int_equal(strtol(SQL("SELECT max(version) FROM migration_versions"), NULL, 10), query_migration_count + 1);
}

static void
test_failed_migration_leaves_nothing_behind(void **state UNUSED)
{
	SQL("CREATE TABLE public.agents (mine text); INSERT INTO agents VALUES ('kept')");
	assert_false(migrate_up(fixture.url, MIGRATE_LATEST));
	expect_version(0);
	assert_string_equal(
	    SQL("SELECT string_agg(tablename, ' ' ORDER BY tablename) FROM pg_tables WHERE schemaname = 'public'"),
	    "agents migration_versions");
	assert_string_equal(SQL("SELECT mine FROM agents"), "kept");
	SQL("DROP TABLE agents");
	assert_true(migrate_up(fixture.url, MIGRATE_LATEST));
	expect_version(query_migration_count);
}

static void
test_failed_later_migration_keeps_the_earlier(void **state UNUSED)
{
	const char *first;

	assert_true(migrate_up(fixture.url, 1));
	first = schema_text();
	SQL("CREATE INDEX api_keys_owner ON agents (name)"); /* the last one that migration 2 makes */
	assert_false(migrate_up(fixture.url, MIGRATE_LATEST));
	expect_version(1);
	SQL("DROP INDEX api_keys_owner");
	assert_string_equal(schema_text(), first);
	assert_true(migrate_up(fixture.url, MIGRATE_LATEST));
	expect_version(query_migration_count);
}

static void
test_failed_way_down_stops_where_it_was(void **state UNUSED)
{
	assert_true(migrate_up(fixture.url, MIGRATE_LATEST));
	fill_with_data();
	SQL("CREATE VIEW public.mine AS SELECT id FROM tasks");
	assert_false(migrate_down(fixture.url, 0));
	expect_version(1);
	assert_string_equal(SQL("SELECT count(*) FROM mine"), "20");
	assert_string_equal(SQL("SELECT count(*) FROM users"), "1");
}

static void
test_status_shows_what_is_applied(void **state UNUSED)
{
	char *text = NULL;
	size_t length;
	FILE *out = open_memstream(&text, &length);

	assert_non_null(out);
	assert_true(migrate_up(fixture.url, 2));
	assert_true(migrate_status(fixture.url, out));
	fclose(out);
	assert_true(strncmp(text, "VERSION  NAME ", 14) == 0);
	assert_non_null(strstr(text, "\n1        initial        applied   20"));
	assert_non_null(strstr(text, "\n2        indexes        applied   20"));
	assert_non_null(strstr(text, "\n3        properties     pending   -"));
	free(text);
}

static void
test_version_that_is_not_there(void **state UNUSED)
{
	assert_false(migrate_up(fixture.url, query_migration_count + 1));
	/* Refused before anything is done, not when the scripts ran out. */
	assert_string_equal(SQL("SELECT count(*) FROM pg_tables WHERE tablename = 'tenants'"), "0");
}

static int
set_up(void **state UNUSED)
{
	static int number;
	char label[16];

	snprintf(label, sizeof(label), "migrate%d", number++);
	db_fixture_create(&fixture, label);
	return 0;
}

static int
tear_down(void **state UNUSED)
{
	db_fixture_drop(&fixture);
	return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_up_down_and_up_again),
	    TEST(test_nothing_to_do_is_done),
	    TEST(test_data_survives_down_and_up),
	    TEST(test_down_to_nothing_with_data),
	    TEST(test_ten_at_once_apply_each_once),
	    TEST(test_newer_database_is_refused),
	    TEST(test_failed_migration_leaves_nothing_behind),
	    TEST(test_failed_later_migration_keeps_the_earlier),
	    TEST(test_failed_way_down_stops_where_it_was),
	    TEST(test_status_shows_what_is_applied),
	    TEST(test_version_that_is_not_there),
	};

	return cmocka_run_group_tests_name("migrate", tests, NULL, NULL);
}
