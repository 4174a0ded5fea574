/*
 * check.h - the checks of this node that ask nobody: what the kernel, the scoreboard and the board of health say.
 *
 * Each writes its finding by check_found(), which logs what changed, keeps a record, and lets recover.h do something.
 */
#ifndef AGENTD_CHECK_H
#define AGENTD_CHECK_H

#include "health.h"

struct keeper;

/* Once at the beginning of each round. record: findings are recorded, changed or not. */
void check_begin(bool record);
/* response_ms NAN: nothing was asked. */
void check_found(struct keeper *keeper, int part, const char *name, enum health_status status, double response_ms,
                 const char *format, ...) PRINTF_LIKE(6, 7);
/* Between two rounds while something is critical, and after the first try to heal it: a quarter of the interval, 5 s at
 * most. */
int64_t check_pause_us(const struct keeper *keeper);
/* True if anything that was found in this round was critical: the next round comes sooner. */
bool check_worried(void);

void check_machine(struct keeper *keeper);   /* processor, memory, disk */
void check_processes(struct keeper *keeper); /* workers and their pools */
void check_certificate(struct keeper *keeper);

#endif
