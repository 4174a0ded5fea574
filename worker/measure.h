/* measure.h - what a worker counts of its requests (shared/metrics.def). Costs some loads and stores, and the clock. */
#ifndef AGENTD_MEASURE_H
#define AGENTD_MEASURE_H

#include "base.h"

struct request;
struct worker;

/* Names the endpoints; stages are named by those who have them. */
void measure_init(void);
void measure_stage_name(size_t stage, const char *name);
void measure_begin(struct request *request);
/* The request leaves a stage. */
void measure_stage(struct request *request, size_t stage);
void measure_end(const struct request *request, int64_t took_us);
/* What is rather than what happened; called by the worker's tick. */
void measure_tick(const struct worker *worker);

#endif
