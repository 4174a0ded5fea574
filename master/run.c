/*
 * run.c - the start of a node, step by step: state folder, socket, database, migrations, first admin, processes.
 *
 * Each step says on standard error why it failed; nothing serves before all have passed.
 */
#include "run.h"
#include "address_count.h"
#include "clock.h"
#include "config.h"
#include "confine.h"
#include "control.h"
#include "crypto.h"
#include "database.h"
#include "duty_board.h"
#include "handover.h"
#include "landlock.h"
#include "health.h"
#include "limit.h"
#include "log.h"
#include "master.h"
#include "metrics.h"
#include "migrate.h"
#include "notify.h"
#include "process_usage.h"
#include "proctitle.h"
#include "sandbox.h"
#include "secrets.h"
#include "span.h"
#include "throttle.h"
#include "user.h"
#include "uuid.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { LIMIT_SUBJECTS = 65536, THROTTLE_SUBJECTS = 65536 };

/*
 * Two generations of processes, and as many workers again as there are now: a reload may ask for more. What is not used
 * costs an eventfd a slot.
 */
static int
slots_for(int workers)
{
	return MIN(2 * (2 * MAX(workers, 4) + 1), SCOREBOARD_SLOTS_MAX);
}

static bool
make_wake_fds(struct heritage *heritage, int slots)
{
	heritage->wake_fds = mem_alloc((size_t)slots * sizeof(int));
	for (int i = 0; i < slots; i++)
		if ((heritage->wake_fds[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) < 0) {
			fprintf(stderr, "agentd: cannot make an eventfd: %s\n", strerror(errno));
			return false;
		}
	return true;
}

/* What the program before has left of it is taken over. */
static bool
make_shared_memory(struct master *master)
{
	struct heritage *heritage = &master->heritage;
	const struct config *config = master->now->config;
	struct scoreboard *board;

	/* Not there yet: nothing was taken over. */
	if (!master->slots)
		master->slots = slots_for(edition_workers(master->now));
	heritage->board = board = scoreboard_new(master->slots);
	heritage->health = health_board_new();
	heritage->limits = limit_table_new(LIMIT_SUBJECTS);
	heritage->throttle = throttle_table_new(THROTTLE_SUBJECTS);
	heritage->duties = duty_board_new();
	heritage->spans = span_rings_map(master->slots);
	if (board)
		heritage->addresses = address_count_new(master->slots, (size_t)config->max_connections);
	if (!board || !heritage->health || !heritage->limits || !heritage->throttle || !heritage->duties ||
	    !heritage->addresses || !heritage->spans || !metrics_map()) {
		fprintf(stderr, "agentd: cannot make shared memory: %s\n", strerror(errno));
		return false;
	}
	if (!board->started_us) {
		board->started_us = clock_wall_us();
		uuid_new(board->node);
	}
	board->master = getpid();
	snprintf(board->version, sizeof(board->version), "%s", PACKAGE_VERSION);
	process_usage_open();
	metrics_begin(METRICS_MASTER, 0, "master");
	metrics_set(METRIC_START_TIME, 0, board->started_us);
	metrics_set(METRIC_BUILD, 0, 1);
	metrics_name(METRICS_LABEL_VERSION, 0, PACKAGE_VERSION);
	atomic_store(&board->clock_offset_us, clock_wall_us() - clock_mono_us());
	return true;
}

static bool
make_pipes(struct master *master)
{
	if (pipe2(master->lifeline, O_CLOEXEC) != 0) {
		fprintf(stderr, "agentd: cannot make a pipe: %s\n", strerror(errno));
		return false;
	}
	crypto_random(master->heritage.hash_key, sizeof(master->heritage.hash_key));
	return make_wake_fds(&master->heritage, master->slots);
}

static void
plan_children(struct master *master)
{
	master->generation = 1;
	if (master->now->config->embedded)
		child_add(master, SERVICE_POSTGRES, 0, 1);
	child_add(master, SERVICE_KEEPER, 0, 1);
	for (int i = 0; i < edition_workers(master->now); i++)
		child_add(master, SERVICE_WORKER, i, 1);
}

static bool
open_state(struct master *master)
{
	const struct config *config = master->now->config;

	if (!state_user_find(config->user, &master->user) || !edition_open_log(master->now, &master->user))
		return false;
	log_set_process("master");
	master->folder = state_folder(config->state_dir, &master->user);
	if (!master->folder)
		return false;
	if (master->lock_fd < 0)
		master->lock_fd = state_lock(master->folder);
	return master->lock_fd >= 0 && edition_find_secret(master->now, master->folder);
}

/* The embedded database is needed before the other children: migrations run on it. */
static bool
start_database(struct master *master)
{
	bool embedded = master->now->config->embedded;

	if (embedded && !embedded_prepare(&master->embedded))
		return false;
	if (!edition_find_database(master->now, embedded ? master->embedded.url : NULL))
		return false;
	if (!embedded)
		return true;
	master_spawn(master, &master->children[0]);
	if (embedded_wait(&master->embedded, master->children[0].pid))
		return true;
	fprintf(stderr, "agentd: the embedded database does not start; %s/postgres.log says why.\n", master->folder);
	return false;
}

static bool
prepare_confinement(const struct config *config)
{
	if (!config->sandbox)
		return true;
	confine_memory();
	if (!sandbox_is_possible())
		return false;
	if (!landlock_version())
		log_info("security", "the kernel has no Landlock: files are closed to workers by their permissions only");
	return true;
}

static bool
prepare(struct master *master)
{
	const struct config *config = master->now->config;

	if (*config->test_clock && !clock_use_offset_file(config->test_clock)) {
		fprintf(stderr, "agentd: cannot map AGENTD_TEST_CLOCK=%s: %s\n", config->test_clock, strerror(errno));
		return false;
	}
	if (!open_state(master) || !prepare_confinement(config) ||
	    (config->embedded && !embedded_find(config, master->folder, &master->user, &master->embedded)) ||
	    !make_shared_memory(master))
		return false;
	master->control_fd = control_open(master->folder);
	if (master->control_fd < 0)
		log_warning("master", "`agentd status` will find nobody: no control socket",
		            LOG_TEXT("reason", strerror(errno)));
	return true;
}

static bool
start(struct master *master)
{
	const struct config *config = master->now->config;
	struct heritage sight = {0};

	master->lock_fd = -1;
	if (!prepare(master) || !make_pipes(master))
		return false;
	plan_children(master);
	if (!edition_listen(master->now, NULL) || !start_database(master))
		return false;
	edition_give(master->now, &sight);
	if (!migrate_up(sight.direct_url, MIGRATE_LATEST) ||
	    !user_first_admin(sight.direct_url, config->admin_username, config->admin_password))
		return false;
	database_warn_of_bypass(sight.database_url);
	secrets_forget_used(master->now);
	return true;
}

static void
begin(struct master *master, const struct config *config)
{
	master->now = edition_new(config, NULL);
	master->phase = MASTER_STARTING;
	master->previous_program = master->previous_variables = master->control_fd = -1;
	proctitle_set("master");
	notify_init();
	signals_init();
}

int
run_node(const struct config *config)
{
	static struct master master;
	int status = 1;

	begin(&master, config);
	if (start(&master)) {
		status = master_supervise(&master);
	} else if (master.child_count && master.children[0].pid) {
		/* Only the database runs yet: stop it as it should be stopped. */
		master.phase = MASTER_STOPPING;
		master.stop_order = -1;
		master_supervise(&master);
	}
	return status;
}

/* Children of the program before keep their slots if this one has the same scoreboard. */
static void
recognize_children(struct master *master)
{
	for (int i = 0; i < master->child_count; i++) {
		struct child *child = &master->children[i];
		bool same = child->foreign_slot >= 0 && child->pid &&
		            atomic_load(&master->heritage.board->slots[child->foreign_slot].pid) == child->pid;
		if (!same)
			continue;
		child->slot = child->foreign_slot;
		child->foreign_slot = -1;
	}
}

int
run_resume(const struct config *config, int handover)
{
	static struct master master;
	bool reverted, able;

	begin(&master, config);
	if (!handover_read(&master, handover, &reverted))
		return 1;
	able = prepare(&master) && edition_find_database(master.now, config->embedded ? master.embedded.url : NULL);
	master.phase = MASTER_UP;
	if (!able) {
		upgrade_revert(&master);
		upgrade_step(&master);
		return 1;
	}
	recognize_children(&master);
	/* What was wished for before is done, or is being done by a process that goes on. */
	master.backup_wish = atomic_load(&master.heritage.board->backup_wish);
	if (reverted)
		upgrade_done(&master);
	master_reap(&master);
	secrets_forget_used(master.now);
	master_tell_address(&master);
	log_info("master", reverted ? "the program before goes on" : "this program has taken over",
	         LOG_TEXT("version", PACKAGE_VERSION), LOG_INT("generation", master.generation));
	if (!reverted && !succession_begin(&master, SUCCESSION_UPGRADE)) {
		upgrade_revert(&master);
		upgrade_step(&master);
	}
	return master_supervise(&master);
}
