/*
 * run.c - the start of a node, step by step: state folder, socket, database, migrations, first admin, processes.
 *
 * Each step says on standard error why it failed; nothing serves before all have passed.
 */
#include "run.h"
#include "address_count.h"
#include "audit_chain.h"
#include "clock.h"
#include "config.h"
#include "confine.h"
#include "crypto.h"
#include "database.h"
#include "landlock.h"
#include "limit.h"
#include "log.h"
#include "master.h"
#include "metrics.h"
#include "migrate.h"
#include "proctitle.h"
#include "sandbox.h"
#include "secrets.h"
#include "throttle.h"
#include "user.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { LIMIT_SUBJECTS = 65536, THROTTLE_SUBJECTS = 65536 };

static int
worker_count(const struct config *config)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);

	return config->workers ? (int)config->workers : (int)(cores > 0 ? MIN(cores, 256) : 1);
}

static void
add_child(struct master *master, enum service service, int index)
{
	struct child *child = &master->children[master->child_count++];

	*child = (struct child){.service = service, .index = index, .slot = -1, .status_fd = -1};
	if (service == SERVICE_WORKER)
		snprintf(child->name, sizeof(child->name), "worker %d", index);
	else
		snprintf(child->name, sizeof(child->name), "%s", service_kinds[service].name);
	if (service != SERVICE_POSTGRES)
		child->slot = master->heritage.board->slot_count++;
}

static bool
make_shared_memory(struct master *master)
{
	struct heritage *heritage = &master->heritage;

	heritage->config = master->config;
	heritage->board = scoreboard_new(0);
	heritage->limits = limit_table_new(LIMIT_SUBJECTS);
	heritage->throttle = throttle_table_new(THROTTLE_SUBJECTS);
	master->metrics_memory = metrics_map(-1);
	if (!heritage->board || !heritage->limits || !heritage->throttle || master->metrics_memory < 0 ||
	    pipe2(master->lifeline, O_CLOEXEC) != 0) {
		fprintf(stderr, "agentd: cannot make shared memory: %s\n", strerror(errno));
		return false;
	}
	heritage->board->started_us = clock_wall_us();
	atomic_store(&heritage->board->clock_offset_us, clock_wall_us() - clock_mono_us());
	crypto_random(heritage->hash_key, sizeof(heritage->hash_key));
	return true;
}

static bool
plan_children(struct master *master)
{
	struct heritage *heritage = &master->heritage;

	if (master->config->embedded)
		add_child(master, SERVICE_POSTGRES, 0);
	add_child(master, SERVICE_KEEPER, 0);
	for (int i = 0; i < worker_count(master->config); i++)
		add_child(master, SERVICE_WORKER, i);
	heritage->wake_fds = mem_alloc((size_t)heritage->board->slot_count * sizeof(int));
	heritage->addresses = address_count_new(heritage->board->slot_count, (size_t)master->config->max_connections);
	if (!heritage->addresses) {
		fprintf(stderr, "agentd: cannot make shared memory: %s\n", strerror(errno));
		return false;
	}
	for (int i = 0; i < heritage->board->slot_count; i++)
		if ((heritage->wake_fds[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) < 0) {
			fprintf(stderr, "agentd: cannot make an eventfd: %s\n", strerror(errno));
			return false;
		}
	return true;
}

static bool
open_state(struct master *master)
{
	const struct config *config = master->config;
	struct log_options log = {.level = (enum log_level)config->log_level,
	                          .json = config->log_format == LOG_FORMAT_JSON,
	                          .file = config->log_file,
	                          .max_bytes = config->log_max_bytes,
	                          .backups = (int)config->log_backups};

	if (!state_user_find(config->user, &master->user))
		return false;
	if (master->user.uid != (uid_t)-1) {
		log.owner = master->user.uid;
		log.group = master->user.gid;
	}
	if (!log_open(&log)) {
		fprintf(stderr, "agentd: cannot open AGENTD_LOG_FILE=%s: %s\n", config->log_file, strerror(errno));
		return false;
	}
	log_set_process("master");
	master->folder = state_folder(config->state_dir, &master->user);
	if (!master->folder)
		return false;
	master->lock_fd = state_lock(master->folder);
	if (master->lock_fd < 0)
		return false;
	master->secret = *config->secret ? mem_string(config->secret) : state_secret(master->folder);
	master->heritage.secret = master->secret;
	master->heritage.previous_secret = config->previous_secret;
	if (master->secret)
		master->heritage.audit_keys =
		    audit_keys_new((const char *const[]){master->secret, config->previous_secret}, AUDIT_KEYS_MAX);
	return master->secret != NULL;
}

/* The embedded database is needed before the other children: migrations run on it. */
static bool
start_database(struct master *master)
{
	if (!master->config->embedded) {
		master->database_url = config_database_url(master->config);
		return master->database_url != NULL;
	}
	if (!embedded_prepare(&master->embedded))
		return false;
	master->database_url = mem_string(master->embedded.url);
	master_spawn(master, &master->children[0]);
	if (embedded_wait(&master->embedded, master->children[0].pid))
		return true;
	fprintf(stderr, "agentd: the embedded database does not start; %s/postgres.log says why.\n", master->folder);
	return false;
}

/*
 * A port that somebody asked for is had or nothing starts; the default of development gives way, so that two nodes of one
 * machine need no settings.
 */
static bool
open_metrics(struct master *master)
{
	const struct config *config = master->config;
	const struct listen_place place = {config->metrics_host, (int)config->metrics_port, "AGENTD_METRICS_HOST",
	                                   "AGENTD_METRICS_PORT"};

	master->heritage.metrics_fd = -1;
	if (!config->metrics)
		return true;
	master->heritage.metrics_fd = listen_open(&place, master->metrics_address);
	if (master->heritage.metrics_fd >= 0)
		return true;
	if (config->environment != ENVIRONMENT_DEVELOPMENT || config->origins[SETTING_METRICS_PORT] != CONFIG_FROM_DEFAULT)
		return false;
	fputs("agentd: nobody asked for this port by name, so this node goes on without metrics.\n", stderr);
	return true;
}

static bool
open_sockets(struct master *master)
{
	const struct config *config = master->config;
	const struct listen_place place = {config->host, (int)config->port, "AGENTD_HOST", "AGENTD_PORT"};

	master->heritage.listen_fd = listen_open(&place, master->address);
	return master->heritage.listen_fd >= 0 && open_metrics(master);
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
start(struct master *master)
{
	const struct config *config = master->config;

	if (*config->test_clock && !clock_use_offset_file(config->test_clock)) {
		fprintf(stderr, "agentd: cannot map AGENTD_TEST_CLOCK=%s: %s\n", config->test_clock, strerror(errno));
		return false;
	}
	if (!open_state(master) || !prepare_confinement(config) ||
	    (config->embedded && !embedded_find(config, master->folder, &master->user, &master->embedded)) ||
	    !make_shared_memory(master) || !plan_children(master))
		return false;
	if (!open_sockets(master) || !start_database(master))
		return false;
	master->heritage.database_url = master->database_url;
	master->heritage.direct_url = *config->db_direct_url ? config->db_direct_url : master->database_url;
	if (!migrate_up(master->heritage.direct_url, MIGRATE_LATEST) ||
	    !user_first_admin(master->heritage.direct_url, config->admin_username, config->admin_password))
		return false;
	database_warn_of_bypass(master->database_url);
	secrets_forget_used(config);
	return true;
}

int
run_node(const struct config *config)
{
	static struct master master;
	int status = 1;

	master.config = config;
	master.phase = MASTER_STARTING;
	proctitle_set("master");
	signals_init();
	if (start(&master))
		status = master_supervise(&master);
	else if (master.child_count && master.children[0].pid) {
		/* Only the database runs yet: stop it as it should be stopped. */
		master.phase = MASTER_STOPPING;
		master.stop_order = -1;
		master_supervise(&master);
	}
	return status;
}
