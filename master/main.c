/*
 * main.c - the command line of agentd: a table of commands. Exit status: 0 done, 1 failed, 2 wrong usage, 78 bad
 * configuration (EX_CONFIG of sysexits.h).
 */
#include "audit.h"
#include "backup.h"
#include "config.h"
#include "embedded.h"
#include "handover.h"
#include "launch.h"
#include "migrate.h"
#include "proctitle.h"
#include "query.h"
#include "restore.h"
#include "run.h"
#include "state.h"
#include "status.h"
#include "upgrade.h"
#include "user.h"

#include <limits.h>
#include <unistd.h>

extern char **environ;

enum { EXIT_USAGE = 2, EXIT_CONFIG = 78 };

struct command {
	const char *name;
	const char *arguments;
	const char *doc;
	int (*run)(const struct config *config, int argc, char **argv);
};

static int
command_run(const struct config *config, int argc, char **argv)
{
	(void)argv;
	if (argc > 0) {
		fprintf(stderr,
		        "agentd: `run` takes no arguments; settings come from the environment (see `agentd config`).\n");
		return EXIT_USAGE;
	}
	return run_node(config);
}

/* The database of a node that need not be running; NULL: said why. */
static char *
database_of(const struct config *config)
{
	struct state_user user = {.uid = (uid_t)-1};
	char *folder, *url;

	if (*config->db_direct_url)
		return mem_string(config->db_direct_url);
	if (!config->embedded)
		return config_database_url(config);
	folder = state_folder(config->state_dir, &user);
	url = folder ? embedded_url(folder) : NULL;
	free(folder);
	return url;
}

static int
command_migrate(const struct config *config, int argc, char **argv)
{
	const char *what = argc > 0 ? argv[0] : "";
	char *end = NULL;
	long target = argc > 1 ? strtol(argv[1], &end, 10) : MIGRATE_LATEST;
	bool is_number = argc < 2 || (end != argv[1] && !*end && target >= 0 && target <= query_migration_count);
	char *url;
	bool done;

	if (!is_number) {
		fprintf(stderr, "agentd: `%s` is not a schema version; this program knows 0 (nothing) to %d.\n", argv[1],
		        query_migration_count);
		return EXIT_USAGE;
	}
	if (argc > 2 ||
	    (strcmp(what, "up") != 0 && strcmp(what, "status") != 0 && (strcmp(what, "down") != 0 || argc < 2))) {
		fputs("usage: agentd migrate up [N] | down N | status\n", stderr);
		return EXIT_USAGE;
	}
	url = database_of(config);
	if (!url)
		return 1;
	if (strcmp(what, "up") == 0)
		done = migrate_up(url, (int)target);
	else if (strcmp(what, "down") == 0)
		done = migrate_down(url, (int)target);
	else
		done = migrate_status(url, stdout);
	free(url);
	return done ? 0 : 1;
}

static int
command_config(const struct config *config, int argc, char **argv)
{
	if (argc == 0)
		config_print(config, stdout);
	else if (argc == 1 && strcmp(argv[0], "--check") == 0)
		puts("The configuration is valid.");
	else if (argc == 1 && strcmp(argv[0], "--example") == 0)
		config_print_reference(stdout, CONFIG_REFERENCE_ENV);
	else {
		fputs("usage: agentd config [--check | --example]\n", stderr);
		return EXIT_USAGE;
	}
	return 0;
}

static int
command_user(const struct config *config, int argc, char **argv)
{
	char *url = database_of(config);
	int status = url ? user_command(url, argc, argv) : 1;

	free(url);
	return status;
}

static int
command_audit(const struct config *config, int argc, char **argv)
{
	return audit_command(config, database_of, argc, argv);
}

static int
command_upgrade_check(const struct config *config, int argc, char **argv)
{
	(void)argv;
	if (argc > 0) {
		fputs("usage: agentd upgrade-check\n", stderr);
		return EXIT_USAGE;
	}
	return upgrade_check_command(config, database_of);
}

static int
command_backup(const struct config *config, int argc, char **argv)
{
	return backup_command(config, database_of, argc, argv);
}

static int
command_restore(const struct config *config, int argc, char **argv)
{
	return restore_command(config, database_of, argc, argv);
}

static const struct command commands[] = {
    {"run", "", "serve (this is what agentd does without a command)", command_run},
    {"status", "[--once | --json]", "the processes of the node that runs here: live on a terminal", status_command},
    {"migrate", "up [N] | down N | status", "move the schema of the database", command_migrate},
    {"config", "[--check | --example]", "show every setting, secrets hidden; or a file of all settings",
     command_config},
    {"audit", "verify [--checkpoint FILE] [--file FILE]", "find what was changed in the audit log afterwards", command_audit},
    {"upgrade-check", "", "what a running agentd asks a new program (SIGUSR2): settings, and the schema brought up",
     command_upgrade_check},
    {"backup", "FILE", "everything of one moment into a file, while the nodes go on", command_backup},
    {"restore", "FILE [--verify | --replace]", "prove a backup, or put it back", command_restore},
    {"user", "add NAME | passwd NAME | list", "people who may log in", command_user},
};

static void
print_help(FILE *out)
{
	fputs("agentd " PACKAGE_VERSION " - durable workflows for agents in any language, over plain HTTP\n\n"
	      "usage: agentd [--embedded] [COMMAND ...]\n\n",
	      out);
	for (size_t i = 0; i < ARRAY_LENGTH(commands); i++)
		fprintf(out, "  %-8s %-30s  %s\n", commands[i].name, commands[i].arguments, commands[i].doc);
	fputs("\n  --embedded  use a private PostgreSQL under AGENTD_STATE_DIR (the default in development and testing)\n"
	      "  --version, --help\n\n"
	      "Settings come from the environment: AGENTD_ENV=development|testing|staging|production and AGENTD_*;\n"
	      "`agentd config` shows them all. Exit status: 0 done, 1 failed, 2 wrong usage, 78 bad configuration.\n",
	      out);
}

static const struct command *
find_command(const char *name)
{
	for (size_t i = 0; i < ARRAY_LENGTH(commands); i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

static int wrong_settings;

static void
tell(const char *error)
{
	wrong_settings++;
	fprintf(stderr, "agentd: %s\n", error);
}

static struct config *
load(bool embedded)
{
	struct config *config = launch_load(embedded, tell);

	config_scrub(environ);
	if (!config)
		fprintf(stderr, "agentd: the configuration has %d error%s; nothing was started.\n", wrong_settings,
		        wrong_settings == 1 ? "" : "s");
	return config;
}

/* Of `--resume NUMBER`, which only a running agentd says to the program that it becomes. -1: no number. */
static int
handover_of(const char *text)
{
	char *end = NULL;
	long number = text ? strtol(text, &end, 10) : -1;

	return text && end != text && !*end && number > 2 && number < INT_MAX ? (int)number : -1;
}

int
main(int argc, char **argv)
{
	const struct command *command = find_command("run");
	struct config *config;
	bool embedded = false;
	int at = 1, handover = -1, status;

	launch_save(argc, argv, environ);
	proctitle_init(argc, argv);
	for (; at < argc && argv[at][0] == '-'; at++) {
		if (strcmp(argv[at], "--embedded") == 0) {
			embedded = true;
		} else if (strcmp(argv[at], "--resume") == 0 && (handover = handover_of(argv[at + 1])) >= 0) {
			at++;
		} else if (strcmp(argv[at], "--version") == 0) {
			puts("agentd " PACKAGE_VERSION);
			return 0;
		} else if (strcmp(argv[at], "--help") == 0 || strcmp(argv[at], "-h") == 0) {
			print_help(stdout);
			return 0;
		} else {
			fprintf(stderr, "agentd: unknown option %s; `agentd --help` shows all.\n", argv[at]);
			return EXIT_USAGE;
		}
	}
	if (at < argc && !(command = find_command(argv[at]))) {
		fprintf(stderr, "agentd: unknown command %s; `agentd --help` shows all.\n", argv[at]);
		return EXIT_USAGE;
	}
	if (handover >= 0)
		handover_prepare(handover);
	config = load(embedded);
	if (!config && handover >= 0)
		handover_return(handover);
	if (!config)
		return EXIT_CONFIG;
	at = MIN(at + 1, argc);
	status = handover >= 0 ? run_resume(config, handover) : command->run(config, argc - at, argv + at);
	config_free(config);
	return status;
}
