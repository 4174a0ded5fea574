/* perm.c - see perm.h. */
#include "perm.h"

#define P(name) (1u << PERM_##name)

static const struct {
	const char *name;
	uint32_t perms;
} roles[] = {
#define ROLE(name, perms) {name, perms},
#include "perm.def"
};

static const char *const names[PERM_COUNT] = {
#define PERM(name, text) [PERM_##name] = text,
#include "perm.def"
};

const char *
perm_name(enum perm perm)
{
	return names[perm];
}

uint32_t
perm_of_role(struct slice role)
{
	for (size_t i = 0; i < ARRAY_LENGTH(roles); i++)
		if (slice_is(role, roles[i].name))
			return roles[i].perms | 1u << PERM_ANY;
	return 0;
}

const char *
perm_role(int n)
{
	return n >= 0 && (size_t)n < ARRAY_LENGTH(roles) ? roles[n].name : NULL;
}
