/*
 * metrics.h - counters, gauges and histograms in shared memory: what Prometheus is told.
 *
 * The master maps an area for itself and one for each slot of the scoreboard before the first fork. An area is written
 * only by the process that has the slot, so to count is a plain load and store, and it belongs to the slot: what a
 * process counted stays when it dies, and the next one goes on from there. Reading sums over areas; nothing ever
 * blocks. What may be counted stands in metrics.def, and labels are bounded: an index below METRICS_MAX_*. Only the
 * thread of the loop may write.
 */
#ifndef AGENTD_METRICS_H
#define AGENTD_METRICS_H

#include "base.h"

struct buf;

/*
 * LABEL(ID, name, how many values it has at most). Values get their names by metrics_name(), or have them from the
 * start (metrics.c). PROCESS is a place that processes have one after the other, and at a reload two at once: 0 is the
 * master, 1 the keeper, then come the workers.
 */
#define METRICS_LABELS(LABEL)         \
	LABEL(NONE, "", 1)                \
	LABEL(PROCESS, "process", 260)    \
	LABEL(VERSION, "version", 1)      \
	LABEL(ENDPOINT, "endpoint", 192)  \
	LABEL(STATUS, "status", 4)        \
	LABEL(STAGE, "stage", 12)         \
	LABEL(FAMILY, "family", 48)       \
	LABEL(FAILURE, "reason", 5)       \
	LABEL(POLICY, "policy", 5)        \
	LABEL(VERDICT, "verdict", 2)      \
	LABEL(EVENT, "event", 16)         \
	LABEL(ROLE, "role", 21)           \
	LABEL(DUTY, "duty", 64)           \
	LABEL(COMPONENT, "component", 16) \
	LABEL(SEVERITY, "severity", 3)

enum {
#define METRICS_MAX(id, name, most) METRICS_MAX_##id = (most),
	METRICS_LABELS(METRICS_MAX)
#undef METRICS_MAX
	/* clang-format off */
	METRICS_NAME_SIZE = 66, /* a role has 64 bytes at most */
	METRICS_MASTER = -1,    /* instead of a slot */
	METRICS_OWN = -2        /* instead of an index: the place of this process */
	/* clang-format on */
};

enum metrics_label {
#define METRICS_LABEL(id, name, most) METRICS_LABEL_##id,
	METRICS_LABELS(METRICS_LABEL)
#undef METRICS_LABEL
	    METRICS_LABEL_COUNT
};

/* Indices of labels that are named from the start. Of STATUS: hundreds - 2. */
enum metrics_failure { METRICS_REFUSED, METRICS_UNAVAILABLE, METRICS_TIMEOUT, METRICS_OVERLOADED, METRICS_FULL };
enum metrics_policy {
	METRICS_POLICY_DEFAULT,
	METRICS_POLICY_TENANT,
	METRICS_POLICY_ADDRESS,
	METRICS_POLICY_LOGIN,
	METRICS_POLICY_CREDENTIAL
};
enum metrics_severity { METRICS_INFO, METRICS_WARNING, METRICS_CRITICAL };
enum metrics_verdict { METRICS_ADMITTED, METRICS_TURNED_DOWN };

enum metrics_type { METRICS_TYPE_COUNTER, METRICS_TYPE_GAUGE, METRICS_TYPE_LATEST, METRICS_TYPE_HISTOGRAM };
enum metrics_unit { METRICS_UNIT_NUMBER, METRICS_UNIT_BYTES, METRICS_UNIT_SECONDS };

enum metric {
#define METRIC(id, name, type, first, second, unit, help) METRIC_##id,
#include "metrics.def"
	METRIC_COUNT
};

/*
 * Maps the areas (shared_memory.h): what the program before has counted, if it was of this version, else zeros. False:
 * errno says why.
 */
MUST_CHECK bool metrics_map(void);
void metrics_unmap(void);
/* From here on this process writes the area of that slot. What was gauged there is forgotten. */
void metrics_begin(int slot, int place, const char *name);
/* In the master: the process of that slot has ended, and what it gauged with it. */
void metrics_end(int slot);

/*
 * Of a metric with one label (its index) or two (see metrics_pair); 0 without. What is out of bounds is dropped.
 * Amounts of SECONDS are microseconds.
 */
void metrics_add(enum metric metric, int index, int64_t amount);
void metrics_set(enum metric metric, int index, int64_t value);
void metrics_observe(enum metric metric, int index, int64_t value);
/* A gauge that several parts of a process have a share of. */
void metrics_change(enum metric metric, int index, int64_t by);
/* The gauge is not known any more. */
void metrics_unset(enum metric metric, int index);
/* The index of a metric with two labels; -1: out of bounds. */
int metrics_pair(enum metric metric, int first, int second);

/*
 * Names a value of a label; the same for all processes. A label has one writer, or several that write the same. NULL or
 * "" takes the name back, and what is under it is not shown.
 */
void metrics_name(enum metrics_label label, int index, const char *name);
/* What becomes of a name that is too long: as many whole characters as fit. */
void metrics_cut(struct slice name, char name_r[METRICS_NAME_SIZE]);

/* The sum over all processes; of a histogram the number of observations. False: a gauge that nobody has set. */
MUST_CHECK bool metrics_read(enum metric metric, int index, int64_t *value_r);
/* The text format of Prometheus, version 0.0.4. */
void metrics_write(struct buf *out);

#endif
