/* backup_job.c - see backup_job.h. The newest of the names that it gives sorts last: they begin with the time. */
#include "backup_job.h"
#include "backup.h"
#include "clock.h"
#include "config.h"
#include "confine.h"
#include "database.h"
#include "launch.h"
#include "log.h"
#include "master.h"
#include "proctitle.h"
#include "restore_load.h"
#include "verify.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const int64_t most_us = INT64_C(6) * 3600 * 1000000, pause_us = 1000000;

struct job {
	const struct config *config;
	const char *url;
	int said; /* what is said on standard error goes there */
	int before;
	char path[4096 + 128];
	struct backup backup;
};

/* Messages are for people at a terminal: here they go to the log, in one piece. */
static void
catch_words(struct job *job)
{
	job->said = memfd_create("agentd backup", MFD_CLOEXEC);
	job->before = dup(STDERR_FILENO);
	if (job->said < 0 || job->before < 0)
		return;
	dup2(job->said, STDERR_FILENO);
	dup2(job->said, STDOUT_FILENO);
}

/* What was said, on one line; and standard error is as before. */
static void
release_words(struct job *job, char *out, size_t size)
{
	ssize_t length;

	fflush(stdout);
	fflush(stderr);
	*out = '\0';
	if (job->said < 0 || job->before < 0)
		return;
	dup2(job->before, STDERR_FILENO);
	length = pread(job->said, out, size - 1, 0);
	out[MAX(length, 0)] = '\0';
	for (char *at = out; (at = strchr(at, '\n'));)
		*at = at[1] ? ' ' : '\0';
}

/* The lock for as long as the connection lives. NULL: another node makes one, or has made one just now. */
static struct pg_conn *
take_turn(const struct job *job)
{
	struct pg_conn *conn = database_open(job->url, 10);
	char *error = NULL;
	struct pg_result *result =
	    conn ? database_query(
	               conn,
	               "SELECT pg_try_advisory_lock(107083807650918) AND NOT EXISTS (SELECT FROM backups WHERE scheduled"
	               " AND started_at > now() - interval '30 seconds')",
	               0, NULL, &error)
	         : NULL;
	bool mine = result && database_cell(result, 0, 0)[0] == 't';

	if (error)
		fprintf(stderr, "agentd: the lock of backups cannot be taken: %s", error);
	free(error);
	database_clear(result);
	if (!mine && conn) {
		database_close(conn);
		conn = NULL;
	}
	return conn;
}

static int
is_one(const struct dirent *entry)
{
	size_t length = strlen(entry->d_name);

	return strncmp(entry->d_name, "agentd-2", 8) == 0 &&
	       ((length > 7 && strcmp(entry->d_name + length - 7, ".backup") == 0) ||
	        (length > 15 && strcmp(entry->d_name + length - 15, ".backup.partial") == 0));
}

/* Nothing but what has the name of such a backup is touched. Pieces that a dead process left go with them. */
static void
rotate(const struct job *job)
{
	struct dirent **entries;
	int count = scandir(job->config->backup_dir, &entries, is_one, alphasort);
	int64_t kept = 0;

	for (int i = count - 1; i >= 0; i--) {
		const char *name = entries[i]->d_name;
		bool whole = strcmp(name + strlen(name) - 7, ".backup") == 0;
		char path[4096 + 300];

		snprintf(path, sizeof(path), "%s/%s", job->config->backup_dir, name);
		kept += whole;
		if ((whole ? kept > job->config->backup_keep : i < count - 1) && unlink(path) != 0)
			fprintf(stderr, "agentd: the old backup %s cannot be removed: %s\n", path, strerror(errno));
		free(entries[i]);
	}
	if (count >= 0)
		free(entries);
}

static bool
prove(struct job *job)
{
	struct restore_load load;
	bool good =
	    restore_load_open(&load, job->path, job->backup.key) && verify_backup(job->config, &load, job->url, false);

	restore_load_close(&load);
	return good;
}

static void
record_words(const struct job *job, const char *words)
{
	const char *values[] = {job->backup.id, words};
	struct pg_conn *conn = *job->backup.id ? database_open(job->url, 10) : NULL;
	char *error = NULL;

	if (!conn)
		return;
	database_clear(database_query(conn, "UPDATE backups SET error = left($2, 1000) WHERE id = $1 AND status = 'failed'",
	                              2, values, &error));
	free(error);
	database_close(conn);
}

/* The exit status of the process. */
static int
work(struct job *job)
{
	char words[2000], at[32];
	struct pg_conn *turn;
	bool made, proven;

	catch_words(job);
	turn = take_turn(job);
	if (!turn) {
		release_words(job, words, sizeof(words));
		log_info("master", "no backup is made: another node is at it, or the database cannot be reached",
		         LOG_TEXT("said", words));
		return 0;
	}
	made = backup_make(&job->backup);
	proven = made && job->config->backup_verify && prove(job);
	if (made)
		rotate(job);
	release_words(job, words, sizeof(words));
	snprintf(at, sizeof(at), "%lld", (long long)job->backup.bytes);
	if (!made) {
		record_words(job, words);
		log_error("master", "a backup by schedule failed", LOG_TEXT("file", job->path), LOG_TEXT("said", words));
	} else if (job->config->backup_verify && !proven) {
		log_error("master", "a backup by schedule could not be proven", LOG_TEXT("file", job->path),
		          LOG_TEXT("said", words));
	} else {
		log_info("master", "a backup by schedule is made", LOG_TEXT("file", job->path), LOG_TEXT("bytes", at),
		         LOG_TEXT("proven", proven ? "yes" : "not asked for"), LOG_TEXT("said", words));
	}
	database_close(turn);
	return made ? 0 : 1;
}

static NORETURN void
become_job(struct master *master)
{
	static struct job job;
	struct heritage heritage = master->heritage;
	time_t now = (time_t)(clock_wall_us() / 1000000);
	char stamp[32] = "", node[65] = "node";
	struct tm parts;

	edition_give(master->now, &heritage);
	signals_reset();
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	close(master->lifeline[1]);
	close(master->lock_fd);
	close(heritage.listen_fd);
	if (heritage.metrics_fd >= 0)
		close(heritage.metrics_fd);
	if (master->control_fd >= 0)
		close(master->control_fd);
	launch_forget();
	confine_user(&master->user);
	proctitle_set("backup");
	log_set_process("backup");
	if (gmtime_r(&now, &parts))
		strftime(stamp, sizeof(stamp), "%Y%m%dT%H%M%SZ", &parts);
	if (gethostname(node, sizeof(node) - 1) != 0)
		snprintf(node, sizeof(node), "node");
	job = (struct job){.config = heritage.config, .url = heritage.direct_url};
	snprintf(job.path, sizeof(job.path), "%s/agentd-%s-%s.backup", heritage.config->backup_dir, stamp, node);
	job.backup = (struct backup){
	    .url = job.url, .key = slice_of(heritage.config->backup_key), .path = job.path, .scheduled = true};
	_exit(work(&job));
}

void
backup_job_step(struct master *master)
{
	uint32_t wish = atomic_load(&master->heritage.board->backup_wish);
	int64_t now_us = clock_steady_us();
	sigset_t all, before;

	if (master->backup_pid && now_us - master->backup_started_us > most_us) {
		log_error("master", "a backup takes too long and is ended", LOG_INT("child", master->backup_pid));
		kill(master->backup_pid, SIGKILL);
		master->backup_started_us = now_us;
	}
	if (wish == master->backup_wish || master->backup_pid || now_us - master->backup_started_us < pause_us ||
	    !*master->now->config->backup_dir)
		return;
	master->backup_wish = wish;
	master->backup_started_us = now_us;
	/* No signal may run the master's handler in the child. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	master->backup_pid = fork();
	if (master->backup_pid == 0)
		become_job(master);
	sigprocmask(SIG_SETMASK, &before, NULL);
	if (master->backup_pid < 0) {
		log_error("master", "no process for a backup can be started", LOG_TEXT("reason", strerror(errno)));
		master->backup_pid = 0;
	}
}

bool
backup_job_reap(struct master *master, pid_t pid, int status)
{
	if (!pid || pid != master->backup_pid)
		return false;
	master->backup_pid = 0;
	if (WIFSIGNALED(status))
		log_error("master", "a backup ended unexpectedly", LOG_TEXT("how", strsignal(WTERMSIG(status))));
	return true;
}

void
backup_job_stop(struct master *master)
{
	if (master->backup_pid)
		kill(master->backup_pid, SIGTERM);
}
