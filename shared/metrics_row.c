/* metrics_row.c - the table of metrics.def, its labels and bounds. See metrics_private.h. */
#include "metrics_private.h"

/* Of a statement that is quick to a wait that is long; microseconds. */
static const int64_t bounds_of_seconds[] = {250,    500,    1000,   2500,    5000,    10000,   25000,    50000,
                                            100000, 250000, 500000, 1000000, 2500000, 5000000, 10000000, 30000000};
static const int64_t bounds_of_number[] = {1, 2, 5, 10, 20, 50, 100, 200, 500, 1000};
static const int64_t bounds_of_bytes[] = {1 << 8, 1 << 10, 1 << 12, 1 << 14, 1 << 16, 1 << 18, 1 << 20};

#define BOUNDS_NUMBER bounds_of_number
#define BOUNDS_BYTES bounds_of_bytes
#define BOUNDS_SECONDS bounds_of_seconds
enum { IS_COUNTER = 0, IS_GAUGE = 0, IS_LATEST = 0, IS_HISTOGRAM = 1 };

#define WIDTH(type, unit) (1 + IS_##type * (ARRAY_LENGTH(BOUNDS_##unit) + 1))

/* Where each metric begins. */
enum {
#define METRIC(id, name, type, first, second, unit, help) \
	AT_##id, LAST_##id = AT_##id + METRICS_MAX_##first * METRICS_MAX_##second * WIDTH(type, unit) - 1,
#include "metrics.def"
	CELLS
};

const struct metrics_row metrics_rows[METRIC_COUNT] = {
#define METRIC(id, name_, type_, first, second, unit_, help_)                   \
	[METRIC_##id] = {.name = (name_),                                           \
	                 .help = (help_),                                           \
	                 .type = METRICS_TYPE_##type_,                              \
	                 .labels = {METRICS_LABEL_##first, METRICS_LABEL_##second}, \
	                 .unit = METRICS_UNIT_##unit_,                              \
	                 .values = {METRICS_MAX_##first, METRICS_MAX_##second},     \
	                 .bounds = BOUNDS_##unit_,                                  \
	                 .bound_count = IS_##type_ * ARRAY_LENGTH(BOUNDS_##unit_),  \
	                 .at = AT_##id,                                             \
	                 .width = WIDTH(type_, unit_)},
#include "metrics.def"
};

#define LABEL_NAME(id, name, most) name,
const char *const metrics_label_names[METRICS_LABEL_COUNT] = {METRICS_LABELS(LABEL_NAME)};
#define LABEL_VALUES(id, name, most) most,
const int metrics_label_values[METRICS_LABEL_COUNT] = {METRICS_LABELS(LABEL_VALUES)};

unsigned
metrics_cells(void)
{
	return CELLS;
}

static uint64_t
hash_text(uint64_t hash, const char *text)
{
	for (; *text; text++)
		hash = (hash ^ (unsigned char)*text) * UINT64_C(1099511628211);
	return hash;
}

uint64_t
metrics_signature(void)
{
	/* Endpoints and families are numbered by the tables of a version. */
	uint64_t hash = hash_text(UINT64_C(14695981039346656037), PACKAGE_VERSION);

	for (int i = 0; i < METRIC_COUNT; i++)
		hash = hash_text(hash, metrics_rows[i].name) * 31 + metrics_rows[i].at * 7 + metrics_rows[i].width;
	return hash * 31 + CELLS;
}
