/*
 * latency.h - durations that a load generator measured, kept one by one, so that percentiles are exact.
 */
#ifndef BENCH_LATENCY_H
#define BENCH_LATENCY_H

#include "base.h"

/* Zeros are an empty one; it owns its memory until latency_free(). */
struct latency {
	int64_t *us;
	size_t count;
	size_t capacity;
};

void latency_add(struct latency *latency, int64_t us);
/* Writes `,"PREFIXp50_ms":...,"PREFIXp99_ms":...,"PREFIXmax_ms":...`; sorts the durations. Nothing if there are none.
 */
void latency_print(struct latency *latency, const char *prefix);
void latency_free(struct latency *latency);

#endif
