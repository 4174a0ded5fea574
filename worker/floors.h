/*
 * floors.h - where leases begin to look in queues that are full of dead index entries.
 *
 * The index of ready tasks keeps the entry of a leased task while any snapshot may still see that task as ready. So
 * while a transaction stays open for long, a lease that begins at the head of a queue walks over all that was leased
 * since. What becomes ready gets the time of that moment, so what is alive stands at the end of its priority. When a
 * lease took long and a look at its queue does too, this remembers from then on for each priority of the queue a floor,
 * a time below which nothing is ready, and the leases send the floors along.
 *
 * Two statements beside the leases keep the floors (floor_looks.h). One looks from the floors on and raises them: a few
 * times a second while the queue is asked for. The other looks below them for stragglers, what became ready there after
 * all (a commit that came late, a changed priority), and lowers them: it reads all that is dead, so it comes every few
 * seconds. When that is quick the dead entries are gone, and the queue loses its floors. Pure: time is an argument.
 */
#ifndef AGENTD_FLOORS_H
#define AGENTD_FLOORS_H

#include "arena.h"
#include "buf.h"

struct floors;

enum {
	FLOORS_PRIORITIES = 10,
	FLOORS_MAX = 1000,
	FLOORS_SUSPECTS_MAX = 32, /* a storm makes every lease slow, of each queue; what is slow by itself comes again */
	FLOORS_NAME_SIZE = 400,
	FLOORS_KEEP_US = 120000000
};

enum floors_kind { FLOORS_RAISE, FLOORS_LOWER };

/* A look that is on its way, and the floors that it began with. */
struct floors_look {
	enum floors_kind kind;
	int64_t tenant;
	bool special; /* the tasks in the index of special ones, not the others */
	char queue[FLOORS_NAME_SIZE];
	int64_t at_us[FLOORS_PRIORITIES]; /* by the database's clock, as all floors */
};

struct floors *floors_new(void);
void floors_free(struct floors *floors);
int floors_count(const struct floors *floors);

/* A lease of the queue took long, maybe for another reason: it gets floors if the first look takes long too. */
void floors_suspect(struct floors *floors, int64_t tenant, bool special, struct slice queue, int64_t now_us);
/*
 * The parameter of a lease for these queues: a JSON array in the arena, or absent: no queue at all has floors. One kind
 * of lease at a time: two kinds side by side would be two batches where there was one.
 */
struct slice floors_write(struct floors *floors, int64_t tenant, bool special, const struct slice *queues, int count,
                          int64_t now_us, struct arena *arena);
/* All of them as a JSON array for ready_queues. */
void floors_list(const struct floors *floors, struct buf *out);
/* Ten times as an array of PostgreSQL. */
void floors_write_times(const int64_t at_us[static FLOORS_PRIORITIES], struct buf *out);

/* The look that is to be sent now; false: none. Forgets queues that no lease asked for in FLOORS_KEEP_US. */
MUST_CHECK bool floors_due(struct floors *floors, int64_t now_us, struct floors_look *look_r);
/* The look found this for a priority. */
void floors_found(struct floors *floors, const struct floors_look *look, int64_t priority, int64_t floor_us);
/* The look is over and took PostgreSQL took_us; < 0: it failed. */
void floors_looked(struct floors *floors, const struct floors_look *look, int64_t now_us, int64_t took_us);

#endif
