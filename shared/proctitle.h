/* proctitle.h - what ps shows for a process. */
#ifndef AGENTD_PROCTITLE_H
#define AGENTD_PROCTITLE_H

#include "base.h"

/* Call once, first in main: moves the environment away so that its space can hold titles. */
void proctitle_init(int argc, char **argv);
/* Shows "agentd: name". */
void proctitle_set(const char *name);

#endif
