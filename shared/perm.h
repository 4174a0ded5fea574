/*
 * perm.h - permissions as bits, and the roles that bundle them. Constant data from perm.def.
 */
#ifndef AGENTD_PERM_H
#define AGENTD_PERM_H

#include "base.h"

enum perm {
	PERM_NONE, /* the endpoint is open */
	PERM_ANY,  /* anyone who is known: no permission of its own */
#define PERM(name, text) PERM_##name,
#include "perm.def"
	PERM_COUNT
};

/* "workflow:create"; NULL for PERM_NONE and PERM_ANY. */
const char *perm_name(enum perm perm);
/* The permissions of a role as bits 1 << perm, PERM_ANY included; 0 for an unknown role. */
uint32_t perm_of_role(struct slice role);
/* The name of the n-th role, from 0; NULL: there are no more. */
const char *perm_role(int n);

#endif
