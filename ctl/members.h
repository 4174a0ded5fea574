/*
 * members.h - an object whose members are not known beforehand: a line or more for each.
 */
#ifndef AGENTCTL_MEMBERS_H
#define AGENTCTL_MEMBERS_H

#include "ctl.h"

/* JSON with -o json and jsonl. object is not changed (jansson's loop wants it so). */
void members_show(const struct ctl *ctl, json_t *object);

#endif
