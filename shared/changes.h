/*
 * changes.h - follows the table `changes`: what every process of every node has to learn of within a second.
 *
 * A process looks every CHANGES_POLL_US at most, and at once after changes_hint() or a mark on the node's ready board
 * (changes_mark(), which the keeper also carries to the other nodes): marks and hints only make it look sooner, the
 * table is the truth. Listeners are told of each change once, in order. They are told to begin when all that they know
 * is void: before the first load, when the sequence went back (the database was restored), and when rows are missing
 * because this process was away for longer than they are kept. A load brings what is still relevant: sessions and users
 * whose tokens are refused, tenants that are, and restores; keys and settings are read anew by who begins.
 *
 * changes_age_us() is how old the knowledge is at most, on the monotonic clock: what was committed before that is known
 * here. Who refuses on its ground must refuse everything when it is too old. Nothing blocks.
 */
#ifndef AGENTD_CHANGES_H
#define AGENTD_CHANGES_H

#include "db.h"
#include "heritage.h"

enum { CHANGES_POLL_US = 400000, CHANGES_STALE_US = 5000000, CHANGES_LISTENERS_MAX = 8 };

enum change_kind {
	CHANGE_KEY,     /* subject: key id; what is cached of it is void */
	CHANGE_SESSION, /* subject: session id; its tokens are refused */
	CHANGE_USER,    /* subject: user id; tokens from before the change are refused */
	CHANGE_TENANT,  /* subject: tenant id; refused says what holds now */
	CHANGE_SETTINGS, /* subject: name of the setting */
	CHANGE_ALL       /* the database was restored: tokens from before are refused */
};

struct change {
	int64_t seq;
	int64_t tenant;
	enum change_kind kind;
	struct slice subject; /* borrowed until the listener returns */
	int64_t at_us;        /* PostgreSQL's wall clock; INT64_MAX: not said */
	int64_t until_us;     /* may be forgotten then; INT64_MAX: never */
	bool refused;         /* of a tenant: it is not active, or not there any more */
};

struct changes_listener {
	void (*begin)(void *arg);
	void (*take)(void *arg, const struct change *change);
	void *arg;
};

struct changes;

/* Begins to look as soon as the database is there. Both must outlive it; freed after the database pool. */
struct changes *changes_new(struct db *db, const struct heritage *heritage);
void changes_free(struct changes *changes);
/* Before the first tick. listener is copied. */
void changes_listen(struct changes *changes, struct changes_listener listener);
/* To be called at least ten times a second. */
void changes_tick(struct changes *changes);
/* Something may have changed: looks now. */
void changes_hint(struct changes *changes);
/* INT64_MAX until everything is loaded. */
int64_t changes_age_us(const struct changes *changes);

/* Tells the processes of this node, and the other nodes by way of the keeper, to look: after a commit. */
void changes_mark(const struct heritage *heritage);

#endif
