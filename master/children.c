/* children.c - the list of processes that should run: who joins it, who leaves it. */
#include "clock.h"
#include "log.h"
#include "master.h"

#include <signal.h>

static bool
is_taken(const struct master *master, int slot)
{
	for (int i = 0; i < master->child_count; i++)
		if (master->children[i].slot == slot || master->children[i].foreign_slot == slot)
			return true;
	return false;
}

static int
free_slot(const struct master *master)
{
	for (int slot = 0; slot < master->slots; slot++)
		if (!is_taken(master, slot))
			return slot;
	return -1;
}

int
child_room(const struct master *master)
{
	int taken = 0;

	for (int i = 0; i < master->child_count; i++)
		taken += master->children[i].slot >= 0 || master->children[i].foreign_slot >= 0;
	return master->slots - taken;
}

void
child_name(struct child *child)
{
	if (child->service == SERVICE_WORKER)
		snprintf(child->name, sizeof(child->name), "worker %d", child->index);
	else
		snprintf(child->name, sizeof(child->name), "%s", service_kinds[child->service].name);
}

int
child_place(const struct child *child)
{
	return child->service == SERVICE_WORKER ? 2 + child->index : 1;
}

struct child *
child_add(struct master *master, enum service service, int index, int generation)
{
	struct child *child = &master->children[master->child_count];

	*child = (struct child){.service = service,
	                        .index = index,
	                        .slot = -1,
	                        .foreign_slot = -1,
	                        .status_fd = -1,
	                        .generation = generation};
	child_name(child);
	if (service_kinds[service].main) {
		child->slot = free_slot(master);
		INVARIANT(child->slot >= 0);
		master->heritage.board->records[child->slot] = (struct scoreboard_record){.generation = generation};
	}
	master->child_count++;
	return child;
}

void
child_leave(struct child *child, int64_t deadline_us)
{
	if (child->leaving)
		return;
	child->leaving = true;
	child->fresh = child->old = false;
	child->leave_deadline_us = deadline_us;
	if (child->pid)
		kill(child->pid, service_kinds[child->service].stop_signal);
}

void
children_bury(struct master *master)
{
	int kept = 0;

	for (int i = 0; i < master->child_count; i++) {
		struct child *child = &master->children[i];
		if (child->leaving && !child->pid)
			continue;
		if (child->leaving && child->leave_deadline_us && clock_steady_us() > child->leave_deadline_us) {
			log_warning("master", "a process did not leave in time and is killed", LOG_TEXT("name", child->name),
			            LOG_INT("child", child->pid));
			kill(child->pid, SIGKILL);
			child->leave_deadline_us = 0;
		}
		if (kept != i)
			master->children[kept] = *child;
		kept++;
	}
	master->child_count = kept;
}
