/*
 * scenario.c - `scenario FILE...`: runs scenario files against a real agentd and speaks TAP; see README.md.
 *
 * Always holds: a file that fails leaves no process and no database behind, and the next one starts from nothing.
 */
#include "base.h"

#include "scenario_run.h"

#include <errno.h>
#include <sys/prctl.h>

static void
print_note(const char *text)
{
	while (*text) {
		size_t length = strcspn(text, "\n");

		printf("# %.*s\n", (int)length, text);
		text += length + (text[length] == '\n');
	}
}

static int
print_help(void)
{
	puts("usage: scenario FILE...          run them; TAP on standard output\n"
	     "       scenario --check FILE...  only read them\n"
	     "environment: AGENTD, AGENTCTL (paths), AGENTD_TEST_DATABASE_URL (a user who may make databases);\n"
	     "SCENARIO_KEEP=1 keeps the folder of a scenario that fails\n\nstatements:");
	for (const struct statement_kind *kind = scenario_kinds; kind->name; kind++)
		printf("  %s %s\n      %s\n", kind->name, kind->form, kind->doc);
	return 0;
}

/* NULL: it can be read. */
static const char *
check_file(const char *path, struct arena *arena)
{
	struct failure failure = {0};
	struct statement *first;
	struct slice text;

	text.data = scenario_read_file(arena, path, &text.len);
	if (!text.data)
		return arena_printf(arena, "%s: cannot be read: %s", path, strerror(errno));
	if (scenario_parse(arena, text, &first, &failure))
		return NULL;
	return arena_printf(arena, "%s:%d: %s", path, failure.line, failure.text);
}

static bool
check_environment(void)
{
	char *agentd = getenv("AGENTD") ? realpath(getenv("AGENTD"), NULL) : NULL;
	char *agentctl = getenv("AGENTCTL") ? realpath(getenv("AGENTCTL"), NULL) : NULL;
	bool fine = agentd && getenv("AGENTD_TEST_DATABASE_URL");

	/* Absolute, because programs run in other folders. */
	if (agentd)
		setenv("AGENTD", agentd, 1);
	if (agentctl)
		setenv("AGENTCTL", agentctl, 1);
	else
		unsetenv("AGENTCTL");
	free(agentd);
	free(agentctl);
	if (!agentd)
		puts("Bail out! AGENTD must be the path of agentd");
	else if (!fine)
		puts("Bail out! AGENTD_TEST_DATABASE_URL must name a PostgreSQL; run this under tests/with-postgres");
	return fine;
}

int
main(int argc, char **argv)
{
	bool check = argc > 1 && strcmp(argv[1], "--check") == 0;
	int first = check ? 2 : 1;
	struct arena arena = ARENA_EMPTY;
	int failed = 0;

	if (argc > 1 && strcmp(argv[1], "--help") == 0)
		return print_help();
	if (argc <= first) {
		fputs("scenario: no file was named; `scenario --help` shows how to use it\n", stderr);
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!check && !check_environment())
		return 1;
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	printf("1..%d\n", argc - first);
	for (int i = first; i < argc; i++) {
		const char *why = check ? check_file(argv[i], &arena) : scenario_run(argv[i], i - first + 1, &arena);

		printf("%sok %d - %s\n", why ? "not " : "", i - first + 1, argv[i]);
		print_note(why ? why : "");
		failed += why != NULL;
		arena_reset(&arena);
	}
	return failed ? 1 : 0;
}
