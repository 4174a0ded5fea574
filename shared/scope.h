/*
 * scope.h - what an API key may do: a list of scopes. Pure.
 *
 *     scope    = "default" | permission | group ":*" | permission "@" kind "=" pattern
 *     kind     = "role" | "agent" | "template"
 *     pattern  = a name, or the beginning of one and then "*"; no other "*", no control characters
 *
 * "default" is every permission, as far as the key's role has it; workflow:read is that permission; workflow:* is all
 * of that group; task:execute@role=sena is the permission for the role sena only, agent:read@agent=web-* for the agents
 * whose id begins so. Scopes add up: what any of them allows is allowed.
 */
#ifndef AGENTD_SCOPE_H
#define AGENTD_SCOPE_H

#include "arena.h"
#include "base.h"
#include "perm.h"

enum scope_kind { SCOPE_ALL, SCOPE_ROLE, SCOPE_AGENT, SCOPE_TEMPLATE, SCOPE_KIND_COUNT };

enum { SCOPE_TEXT_MAX = 200, SCOPES_MAX = 50 };

/* What a public key may do at most: it stands in web pages. */
#define SCOPE_PUBLIC_PERMS                                                                         \
	(1u << PERM_ANY | 1u << PERM_WORKFLOW_READ | 1u << PERM_AGENT_READ | 1u << PERM_METRICS_READ | \
	 1u << PERM_HEALTH_READ)

struct scope {
	uint32_t perms;       /* bits 1 << enum perm */
	enum scope_kind kind; /* SCOPE_ALL: whatever the permissions are about */
	struct slice text;    /* all of it */
	struct slice pattern; /* of names, without its "*"; borrowed from what was parsed */
	bool prefix;
};

/* "role"; NULL for SCOPE_ALL. */
const char *scope_kind_name(enum scope_kind kind);
/* What is wrong with text, or NULL: *scope_r says what it means. */
MUST_CHECK const char *scope_parse(struct slice text, struct scope *scope_r);
/* True if what narrow allows is a part of what wide allows; both with one kind and the permissions of narrow. */
bool scope_covers(const struct scope *wide, const struct scope *narrow);

/* A key's scopes together. */
struct scopes {
	uint32_t full;    /* permissions without a limit */
	uint32_t limited; /* permissions that are there for some names only */
	int count;
	struct scope *list; /* those with a kind */
};

/* The next of some lines that are separated by line ends; lines_r is what is left. */
struct slice scope_line(struct slice *lines_r);
/* From texts that scope_parse() took, one a line, which are borrowed; what it would not take is left out. */
void scopes_parse(struct arena *arena, struct slice lines, struct scopes *scopes_r);
/* True if a scope gives the permission for this name. */
bool scopes_allow(const struct scopes *scopes, enum perm perm, enum scope_kind kind, struct slice name);

#endif
