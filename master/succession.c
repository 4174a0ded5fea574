/*
 * succession.c - one generation of processes after another, and nothing lost between them.
 *
 * The fresh stand by beside the old: both accept from the same socket once they are ready. When every fresh one is ready
 * the old are told to leave: they accept no more, finish what they have, and go. If one of the fresh ends, or they are
 * not ready in time, the fresh leave and everything is as it was. There is at most one succession at a time.
 */
#include "clock.h"
#include "config.h"
#include "log.h"
#include "master.h"
#include "notify.h"

enum { READY_US = 30000000, LEAVE_AT_ONCE_US = 5000000 };

static const char *const reasons[] = {[SUCCESSION_NONE] = "",
                                      [SUCCESSION_RELOAD] = "reload",
                                      [SUCCESSION_UPGRADE] = "upgrade",
                                      [SUCCESSION_REPLACE] = "replacement"};

static int64_t
drain_deadline(const struct master *master)
{
	return clock_steady_us() + (master->now->config->drain_timeout_s + 1) * 1000000;
}

static void
begin(struct master *master, enum succession_reason reason)
{
	master->succession = reason;
	master->succession_failed = false;
	master->succession_began_us = clock_steady_us();
	master->succession_deadline_us = master->succession_began_us + READY_US;
}

static void
add_fresh(struct master *master, enum service service, int index)
{
	child_add(master, service, index, master->generation)->fresh = true;
}

bool
succession_begin(struct master *master, enum succession_reason reason)
{
	const struct edition *edition = master->next ? master->next : master->now;
	int workers = edition_workers(edition);

	if (child_room(master) < workers + 1)
		return false;
	begin(master, reason);
	for (int i = 0; i < master->child_count; i++)
		master->children[i].old = service_kinds[master->children[i].service].succeeds && !master->children[i].leaving;
	master->generation++;
	add_fresh(master, SERVICE_KEEPER, 0);
	for (int i = 0; i < workers; i++)
		add_fresh(master, SERVICE_WORKER, i);
	return true;
}

void
succession_replace(struct master *master, struct child *child)
{
	if (!service_kinds[child->service].succeeds || child_room(master) < 1)
		return;
	log_info("master", "a process is replaced", LOG_TEXT("name", child->name), LOG_INT("child", child->pid));
	begin(master, SUCCESSION_REPLACE);
	child->old = true;
	add_fresh(master, child->service, child->index);
}

static bool
fresh_are_ready(const struct master *master)
{
	for (int i = 0; i < master->child_count; i++)
		if (master->children[i].fresh && !master->children[i].ready)
			return false;
	return true;
}

static void
take_over(struct master *master)
{
	int64_t deadline_us = drain_deadline(master);

	for (int i = 0; i < master->child_count; i++) {
		struct child *child = &master->children[i];
		child->fresh = false;
		if (child->old)
			child_leave(child, deadline_us);
	}
	if (master->next) {
		edition_free(master->now, master->next);
		master->now = master->next;
		master->next = NULL;
	}
	log_info("master", "a new generation serves", LOG_TEXT("reason", reasons[master->succession]),
	         LOG_INT("generation", master->generation),
	         LOG_INT("after_ms", (clock_steady_us() - master->succession_began_us) / 1000));
	master->succession = SUCCESSION_NONE;
	master_tell_address(master);
	atomic_store(&master->heritage.board->generation, master->generation);
	notify_ready(master->heritage.board->address);
	upgrade_done(master);
}

static void
give_up(struct master *master)
{
	enum succession_reason reason = master->succession;
	int64_t deadline_us = clock_steady_us() + LEAVE_AT_ONCE_US;

	log_error("master", "the new generation does not get ready; the old one stays",
	          LOG_TEXT("reason", reasons[reason]), LOG_INT("generation", master->generation),
	          LOG_TEXT("because", master->succession_failed ? "one of its processes ended" : "it took too long"));
	for (int i = 0; i < master->child_count; i++) {
		struct child *child = &master->children[i];
		child->old = false;
		if (child->fresh)
			child_leave(child, deadline_us);
	}
	if (master->next) {
		edition_free(master->next, master->now);
		master->next = NULL;
		(void)!edition_open_log(master->now, &master->user);
	}
	master->succession = SUCCESSION_NONE;
	notify_ready(master->heritage.board->address);
	if (reason == SUCCESSION_UPGRADE)
		upgrade_revert(master);
}

void
succession_step(struct master *master)
{
	if (!master->succession)
		return;
	if (master->succession_failed || clock_steady_us() > master->succession_deadline_us)
		give_up(master);
	else if (fresh_are_ready(master))
		take_over(master);
}
