/*
 * clock.h - the only place where agentd asks what time it is.
 *
 * Two clocks: the wall clock for what people and tokens see, the monotonic one for deadlines and intervals. The truth
 * about leases and schedules is PostgreSQL's now(), never these. In the testing environment both can be shifted by an
 * offset that a test driver writes into a shared file, so that tests of expiry never sleep. Nothing blocks.
 */
#ifndef AGENTD_CLOCK_H
#define AGENTD_CLOCK_H

#include "base.h"

/* Microseconds since 1970-01-01 UTC. */
int64_t clock_wall_us(void);
/* Microseconds since an arbitrary start; never goes back. */
int64_t clock_mono_us(void);
/* The same without the offset of a test: for supervision and I/O deadlines, which a test must not trip by accident. */
int64_t clock_steady_us(void);

/* Writes RFC 3339 UTC with microseconds ("2026-11-23T01:02:03.000004Z", 27 characters and a NUL), for 1970 to 9999. */
enum { CLOCK_RFC3339_SIZE = 28 };
void clock_format(int64_t wall_us, char out[CLOCK_RFC3339_SIZE]);

/*
 * Maps path, a file of at least 8 bytes that holds an int64_t offset in microseconds, native byte order. Both clocks
 * add it from now on, in this process and its children; a second one, if the file has 16 bytes, only the wall clock: so
 * that it can jump, as when somebody sets it. Only the testing environment calls this. False: errno says why.
 */
MUST_CHECK bool clock_use_offset_file(const char *path);

#endif
