/*
 * recover.h - what is done about a part of this node that is unhealthy, bounded (heal.h), logged, counted and kept in
 * the table `recoveries`. What happens while the database cannot be reached is written when it is back.
 */
#ifndef AGENTD_RECOVER_H
#define AGENTD_RECOVER_H

#include "health.h"

struct keeper;

/* The component was looked at: does what is to be done about it, if anything. */
void recover_look(struct keeper *keeper, int part, const struct health_component *component, enum health_status found);
/* Something else was done (keeper/storage.c): begins, and ends, what is on record about a part. */
void recover_began(struct keeper *keeper, int part, const char *component, const char *action, const char *error);
void recover_ended(struct keeper *keeper, int part);
/* Writes what has not been written yet. */
void recover_flush(struct keeper *keeper);
/* The name under which this node is on record. */
const char *recover_node(void);

#endif
