/* stop.c - the end of a node: services in their order, each with a deadline. */
#include "backup_job.h"
#include "clock.h"
#include "config.h"
#include "log.h"
#include "master.h"
#include "notify.h"

#include <signal.h>
#include <unistd.h>

enum { STOP_GRACE_S = 10 };

static void
signal_order(struct master *master, int order, int signal_number)
{
	for (int i = 0; i < master->child_count; i++) {
		struct child *child = &master->children[i];
		const struct service_kind *kind = &service_kinds[child->service];
		if (child->pid && kind->stop_order == order)
			kill(child->pid, signal_number ? signal_number : kind->stop_signal);
	}
}

static bool
order_is_gone(const struct master *master, int order)
{
	for (int i = 0; i < master->child_count; i++)
		if (master->children[i].pid && service_kinds[master->children[i].service].stop_order == order)
			return false;
	return true;
}

/* A worker that runs may have said at /readyz that it is, though the node as a whole is not up yet. */
static bool
may_be_known(const struct master *master)
{
	for (int i = 0; i < master->child_count; i++)
		if (master->children[i].pid && master->children[i].service == SERVICE_WORKER)
			return true;
	return false;
}

/* Balancers are told first, and need time to look: until then nothing changes but /readyz and "Connection: close". */
void
stop_begin(struct master *master)
{
	int64_t delay_s = may_be_known(master) ? master->now->config->drain_delay_s : 0;

	notify_send("STOPPING=1\nSTATUS=finishing what is in flight");
	(void)!state_write(master->folder, "url", NULL);
	(void)!state_write(master->folder, "metrics_url", NULL);
	if (master->heritage.board)
		atomic_store(&master->heritage.board->draining, true);
	master->phase = MASTER_STOPPING;
	master->stop_order = -1;
	master->stop_deadline_us = clock_steady_us() + delay_s * 1000000;
	if (master->upgrade_check)
		kill(master->upgrade_check, SIGKILL);
	backup_job_stop(master);
	log_info("master", "stopping");
}

/* The last holders of the sockets are the workers, which take what is in their queues and close them. */
static void
close_sockets(struct master *master)
{
	if (master->next)
		edition_close(master->next, master->now);
	if (master->now)
		edition_close(master->now, NULL);
}

void
stop_continue(struct master *master)
{
	int64_t now_us = clock_steady_us();
	int64_t grace_s;

	if (master->stop_order < 0) {
		if (now_us < master->stop_deadline_us)
			return;
		close_sockets(master);
	}
	while (master->stop_order < 0 || order_is_gone(master, master->stop_order)) {
		if (++master->stop_order >= SERVICE_COUNT) {
			master->phase = MASTER_STOPPED;
			log_info("master", "stopped");
			return;
		}
		grace_s = master->stop_order == 0 ? master->now->config->drain_timeout_s + 1 : STOP_GRACE_S;
		master->stop_deadline_us = now_us + grace_s * 1000000;
		signal_order(master, master->stop_order, 0);
	}
	if (now_us >= master->stop_deadline_us) {
		log_warning("master", "processes did not stop in time and are killed", LOG_INT("order", master->stop_order));
		signal_order(master, master->stop_order, SIGKILL);
		master->stop_deadline_us = now_us + (int64_t)STOP_GRACE_S * 1000000;
	}
}
