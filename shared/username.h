/* username.h - what a new user may be called. Pure. Names are compared byte by byte: `Ada` and `ada` are two users. */
#ifndef AGENTD_USERNAME_H
#define AGENTD_USERNAME_H

#include "base.h"

enum { USERNAME_LENGTH_MAX = 64 }; /* characters */

/* NULL when a new user may have the name, else a sentence that says what is wrong. */
const char *username_fault(struct slice name);

#endif
