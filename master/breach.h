/*
 * breach.h - the attempt to break out: what an intruder who runs in a worker would try, tried.
 *
 * Only with AGENTD_TEST_BREACH, which only AGENTD_ENV=testing takes. A line of the log says what each attempt came to;
 * a test reads them. Whatever succeeds is undone or harmless.
 */
#ifndef AGENTD_BREACH_H
#define AGENTD_BREACH_H

#include "base.h"

/* In a confined child, before it serves. folder is the state folder; fenced says whether Landlock closes it. */
void breach_try(const char *folder, bool fenced);

#endif
