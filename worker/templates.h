/* templates.h - workflow templates that are built in. Constant data. */
#ifndef AGENTD_TEMPLATES_H
#define AGENTD_TEMPLATES_H

#include "arena.h"
#include "base.h"

/* The template's tasks as the JSON array of POST /workflows, or an absent slice. */
struct slice templates_find(struct slice name);

/* All of them: a JSON array of {name, description, tasks}. */
MUST_CHECK struct slice templates_list(struct arena *arena);

#endif
