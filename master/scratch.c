/*
 * scratch.c - see scratch.h. A server of its own is tried first: rows that are loaded beside live ones cost those who
 * work there, and a long transaction anywhere in a cluster holds back its readers of events.
 */
#include "scratch.h"
#include "buf.h"
#include "clock.h"
#include "confine.h"
#include "crypto.h"
#include "database.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { STOP_MS = 10000 };

static int
remove_one(const char *path, const struct stat *info, int kind, struct FTW *place)
{
	(void)info;
	(void)kind;
	(void)place;
	return remove(path);
}

static bool
make_folder(struct scratch *scratch)
{
	const char *top = getenv("TMPDIR");

	if (asprintf(&scratch->folder, "%s/agentd-verify-XXXXXX", top && *top == '/' ? top : "/tmp") < 0)
		abort();
	if (mkdtemp(scratch->folder) &&
	    (scratch->user.uid == (uid_t)-1 || chown(scratch->folder, scratch->user.uid, scratch->user.gid) == 0))
		return true;
	fprintf(stderr, "agentd: no folder %s for a scratch database can be made: %s\n", scratch->folder, strerror(errno));
	return false;
}

static void
stop_server(struct scratch *scratch)
{
	int64_t deadline_us = clock_steady_us() + STOP_MS * 1000;

	kill(scratch->server, SIGINT);
	while (waitpid(scratch->server, NULL, WNOHANG) == 0) {
		if (clock_steady_us() > deadline_us)
			kill(scratch->server, SIGKILL);
		poll(NULL, 0, 20);
	}
	scratch->server = 0;
}

static NORETURN void
become_server(const struct scratch *scratch)
{
	char *path;
	int log;

	if (asprintf(&path, "%s/postgres.log", scratch->folder) < 0)
		_exit(1);
	log = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (log >= 0) {
		dup2(log, STDOUT_FILENO);
		dup2(log, STDERR_FILENO);
	}
	setpgid(0, 0);
	embedded_exec(&scratch->embedded);
	_exit(1);
}

static bool
start_server(struct scratch *scratch)
{
	if (!embedded_find(&scratch->config, scratch->folder, &scratch->user, &scratch->embedded) ||
	    !embedded_prepare(&scratch->embedded))
		return false;
	scratch->server = fork();
	if (scratch->server == 0)
		become_server(scratch);
	if (scratch->server < 0) {
		scratch->server = 0;
		fprintf(stderr, "agentd: no process for a scratch database can be started: %s\n", strerror(errno));
		return false;
	}
	scratch->url = mem_string(scratch->embedded.url);
	return embedded_wait(&scratch->embedded, scratch->server);
}

/* A database beside another one: name it, make it. */
static bool
make_beside(struct scratch *scratch, const char *beside)
{
	struct pg_conn *conn = database_open(beside, 10);
	uint8_t random[8];
	char hex[17], *error;
	struct buf sql = {0};

	if (!conn)
		return false;
	crypto_random(random, sizeof(random));
	crypto_hex(random, sizeof(random), hex);
	snprintf(scratch->name, sizeof(scratch->name), "agentd_verify_%s", hex);
	buf_printf(&sql, "CREATE DATABASE %s TEMPLATE template0", scratch->name);
	buf_add_byte(&sql, '\0');
	error = database_script(conn, sql.data);
	if (error)
		fprintf(
		    stderr,
		    "agentd: no scratch database can be made: %s"
		    "agentd: let the user make databases (ALTER ROLE ... CREATEDB), or install PostgreSQL's programs here "
		    "(Debian:\n"
		    "agentd: postgresql-15; AGENTD_POSTGRES_BIN_DIR names their folder): then it gets a server of its own.\n",
		    error);
	else {
		scratch->beside = beside;
		scratch->url = database_url_of(beside, scratch->name);
	}
	database_close(conn);
	buf_free(&sql);
	free(error);
	return scratch->url != NULL;
}

bool
scratch_make(struct scratch *scratch, const struct config *config, const char *url, bool beside)
{
	bool made;

	*scratch = (struct scratch){.config = *config};
	/* As thrown-away databases of tests are: nothing has to reach the disk. */
	scratch->config.environment = ENVIRONMENT_TESTING;
	if (beside || !embedded_is_possible(config)) {
		made = make_beside(scratch, url);
	} else {
		made = state_user_find(config->user, &scratch->user) && make_folder(scratch) && start_server(scratch);
		if (!made && scratch->folder)
			fprintf(stderr, "agentd: the scratch database in %s did not start; its postgres.log says why.\n",
			        scratch->folder);
	}
	if (!made)
		scratch_drop(scratch);
	return made;
}

static void
drop_beside(struct scratch *scratch)
{
	struct pg_conn *conn = database_open(scratch->beside, 10);
	char sql[96], *error;

	snprintf(sql, sizeof(sql), "DROP DATABASE IF EXISTS %s WITH (FORCE)", scratch->name);
	error = conn ? database_script(conn, sql) : NULL;
	if (error || !conn)
		fprintf(stderr, "agentd: the scratch database %s could not be dropped: %s", scratch->name,
		        error ? error : "no connection\n");
	free(error);
	if (conn)
		database_close(conn);
}

void
scratch_drop(struct scratch *scratch)
{
	if (scratch->server)
		stop_server(scratch);
	if (scratch->beside)
		drop_beside(scratch);
	if (scratch->folder)
		nftw(scratch->folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	free(scratch->embedded.bin);
	free(scratch->embedded.data);
	free(scratch->embedded.socket);
	free(scratch->embedded.url);
	free(scratch->folder);
	free(scratch->url);
	*scratch = (struct scratch){0};
}
