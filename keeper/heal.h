/*
 * heal.h - how often something is done about a part that is unwell: a bounded number of times, more slowly each time.
 *
 * Pure: the caller says how the part is and what time it is, and does what comes out. After HEAL_TRIES in
 * HEAL_WINDOW_US it is given up until the window is over: what did not help five times needs a person.
 */
#ifndef AGENTD_HEAL_H
#define AGENTD_HEAL_H

#include "base.h"

enum { HEAL_TRIES = 5 };
static const int64_t HEAL_WINDOW_US = INT64_C(600000000), HEAL_PAUSE_MOST_US = 60000000;

struct heal {
	int64_t window_us; /* when the first try of this window was; 0: none */
	int64_t next_us;   /* not before this time */
	int tries;         /* in this window */
	bool open;         /* the last try has not shown yet what it was good for */
	bool given_up;     /* in this window */
};

enum heal_step {
	HEAL_NOTHING,
	HEAL_TRY,      /* do it now; a try that was open before has failed */
	HEAL_GIVE_UP,  /* told once: a try that was open has failed, and there are no more for now */
	HEAL_RECOVERED /* the open try helped */
};

/*
 * unwell: it is certain that something has to be done; well: the last look found nothing wrong. pause_us: after the
 * first try; each further one is twice as long.
 */
enum heal_step heal_next(struct heal *heal, bool unwell, bool well, int64_t pause_us, int64_t now_us);

#endif
