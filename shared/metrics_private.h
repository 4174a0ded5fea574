/*
 * metrics_private.h - what metrics.c (the memory), metrics_row.c (the table) and metrics_text.c (the text) share;
 * nobody else includes it.
 *
 * A metric has one series for each value of its labels, and a series one cell in each area; that of a histogram has one
 * for each bucket (not cumulative), one for what is above the last bound, and one for the sum.
 */
#ifndef AGENTD_METRICS_PRIVATE_H
#define AGENTD_METRICS_PRIVATE_H

#include "metrics.h"

#include <stdatomic.h>

struct metrics_row {
	const char *name;
	const char *help;
	enum metrics_type type;
	enum metrics_label labels[2];
	enum metrics_unit unit;
	int values[2]; /* of the labels, at most */
	const int64_t *bounds;
	int bound_count; /* of a histogram; 0 of the others */
	unsigned at;     /* its first cell */
	unsigned width;  /* cells of a series */
};

extern const struct metrics_row metrics_rows[METRIC_COUNT];
extern const char *const metrics_label_names[METRICS_LABEL_COUNT];
extern const int metrics_label_values[METRICS_LABEL_COUNT];

/* Cells of an area. */
unsigned metrics_cells(void);
/* Changes with the table: memory of another one is of no use. */
uint64_t metrics_signature(void);

/* A name may be replaced while others read it: the sequence is odd meanwhile, and another one afterwards. */
struct metrics_name {
	_Atomic uint32_t sequence;
	char text[METRICS_NAME_SIZE];
};

/* False: nothing has this name now. The sequence tells whether a later look sees the same. */
MUST_CHECK bool metrics_name_read(enum metrics_label label, int index, char name_r[METRICS_NAME_SIZE],
                                  uint32_t *sequence_r);
/* Areas that are or have been in use. */
int metrics_area_count(void);
int64_t metrics_area_cell(int area, unsigned cell);

/* A gauge that nobody has set; so cells of zeros say 0 for counters and this for gauges. */
#define METRICS_UNSET INT64_MIN

#endif
