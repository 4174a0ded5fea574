/* templates.h - workflow templates that are built in. Constant data. */
#ifndef AGENTD_TEMPLATES_H
#define AGENTD_TEMPLATES_H

#include "base.h"

/* The template's tasks as the JSON array of POST /workflows, or an absent slice. */
struct slice templates_find(struct slice name);

#endif
