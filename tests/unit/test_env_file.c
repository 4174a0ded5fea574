/* test_env_file.c - the file of settings behind the environment: its lines, who wins, and what is refused. */
#include "base.h"

#include "env_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>

static char path[] = "/tmp/agentd-env-file.XXXXXX";

static int
make_file(void **state UNUSED)
{
	int fd = mkstemp(path);

	return fd < 0 || close(fd) != 0;
}

static int
remove_file(void **state UNUSED)
{
	return unlink(path);
}

static void
write_file(const char *text, mode_t mode)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(chmod(path, mode), 0);
}

static void
assert_line(const char *text, int expected, const char *entry)
{
	char line[256], *got = NULL;
	const char *why = NULL;

	snprintf(line, sizeof(line), "%s", text);
	assert_int_equal(env_file_line(line, &got, &why), expected);
	if (expected > 0)
		assert_string_equal(got, entry);
	if (expected < 0)
		assert_non_null(why);
}

static void
test_lines(void **state UNUSED)
{
	assert_line("", 0, NULL);
	assert_line("   # a comment", 0, NULL);
	assert_line("; another", 0, NULL);
	assert_line("A=b", 1, "A=b");
	assert_line("  A=b c \t\r", 1, "A=b c");
	assert_line("A=", 1, "A=");
	assert_line("A=b=c#d", 1, "A=b=c#d");
	assert_line("A=\" b \"", 1, "A= b ");
	assert_line("A=\"say \\\"x\\\" \\\\ \\n\"", 1, "A=say \"x\" \\ \\n");
	assert_line("A='b\\\"c'", 1, "A=b\\\"c");
	assert_line("A=it's", 1, "A=it's");
	assert_line("A=\"\"", 1, "A=");
	assert_line("export A=b", -1, NULL);
	assert_line("=b", -1, NULL);
	assert_line("A", -1, NULL);
	assert_line("A=\"b", -1, NULL);
	assert_line("A=\"b\" c", -1, NULL);
}

/* Merges `A=environment` and a name of the file; the value of `name` afterwards, "" without, to be freed. */
static char *
value_after(const char *name)
{
	char variable[128], *problem = NULL, *found = NULL;
	char *variables[] = {(char *)(uintptr_t)"A=environment", variable, NULL};
	char **merged;

	snprintf(variable, sizeof(variable), ENV_FILE_NAME "=%s", path);
	merged = env_file_merge(variables, &problem);
	assert_non_null(merged);
	for (char **at = merged; *at; at++) {
		assert_int_not_equal(strncmp(*at, ENV_FILE_NAME "=", sizeof(ENV_FILE_NAME)), 0);
		if (strncmp(*at, name, strlen(name)) == 0 && (*at)[strlen(name)] == '=')
			found = mem_string(*at + strlen(name) + 1);
	}
	env_file_free(merged);
	return found ? found : mem_string("");
}

static void
assert_value(const char *name, const char *expected)
{
	char *value = value_after(name);

	assert_string_equal(value, expected);
	free(value);
}

static void
test_the_environment_wins(void **state UNUSED)
{
	write_file("A=file\nB=first\nB=\"second\"\n\n# C=no\nD=last without a line end", 0640);
	assert_value("A", "environment");
	assert_value("B", "second");
	assert_value("C", "");
	assert_value("D", "last without a line end");
}

static void
assert_refused(const char *name, const char *words)
{
	char variable[128], *problem = NULL;
	char *variables[] = {variable, NULL};

	snprintf(variable, sizeof(variable), ENV_FILE_NAME "=%s", name);
	assert_null(env_file_merge(variables, &problem));
	assert_non_null(strstr(problem, words));
	free(problem);
}

static void
test_what_is_refused_says_why(void **state UNUSED)
{
	write_file("A=b\nexport C=d\n", 0600);
	assert_refused(path, "line 2 is not NAME=value");
	write_file("A=b\n", 0602);
	assert_refused(path, "others can change");
	assert_refused("/nowhere/at/all", "cannot be read");
	assert_refused("/", "not a file");
}

static void
test_dropping(void **state UNUSED)
{
	char *variables[] = {mem_string("A=1"), mem_string("AB=2"), mem_string("A=3"), NULL};

	env_file_drop(variables, "A");
	assert_string_equal(variables[0], "AB=2");
	assert_null(variables[1]);
	free(variables[0]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_lines),
	    cmocka_unit_test(test_the_environment_wins),
	    cmocka_unit_test(test_what_is_refused_says_why),
	    cmocka_unit_test(test_dropping),
	};

	return cmocka_run_group_tests_name("env_file", tests, make_file, remove_file);
}
