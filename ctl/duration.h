/*
 * duration.h - time as agentctl needs it: a monotonic clock in milliseconds, pauses, and times for people.
 */
#ifndef AGENTCTL_DURATION_H
#define AGENTCTL_DURATION_H

#include "base.h"

/* Milliseconds since an arbitrary start; never goes back. */
int64_t duration_now_ms(void);
/* Milliseconds since 1970. */
int64_t duration_wall_ms(void);
void duration_sleep_ms(int64_t ms);

/* "340 ms", "12.3 s", "4 min 05 s", "2 h 07 min". */
enum { DURATION_TEXT_SIZE = 32 };
void duration_format(int64_t ms, char out[DURATION_TEXT_SIZE]);

/* RFC 3339 in UTC ("2026-11-23T01:02:03.5Z") to milliseconds since 1970, and back. */
MUST_CHECK bool duration_parse_time(const char *text, int64_t *wall_ms_r);
void duration_format_time(int64_t wall_ms, char out[DURATION_TEXT_SIZE]);

/* Between half of ms and ms, by chance: so that many clients do not come back at one moment. */
int64_t duration_jitter(int64_t ms);

#endif
