/* latency.c - see latency.h. */
#include "latency.h"

void
latency_add(struct latency *latency, int64_t us)
{
	if (latency->count == latency->capacity) {
		latency->capacity = MAX(latency->capacity * 2, (size_t)4096);
		latency->us = mem_grow(latency->us, latency->capacity * sizeof(int64_t));
	}
	latency->us[latency->count++] = us;
}

static int
compare(const void *a, const void *b)
{
	int64_t left = *(const int64_t *)a;
	int64_t right = *(const int64_t *)b;

	return (left > right) - (left < right);
}

/* The nearest rank: of 200, the 99th percentile is the 198th. */
static double
percentile_ms(const struct latency *latency, size_t percent)
{
	return (double)latency->us[(latency->count * percent + 99) / 100 - 1] / 1000.0;
}

void
latency_print(struct latency *latency, const char *prefix)
{
	if (latency->count == 0)
		return;
	qsort(latency->us, latency->count, sizeof(int64_t), compare);
	printf(",\"%sp50_ms\":%.3f,\"%sp99_ms\":%.3f,\"%smax_ms\":%.3f", prefix, percentile_ms(latency, 50), prefix,
	       percentile_ms(latency, 99), prefix, percentile_ms(latency, 100));
}

void
latency_free(struct latency *latency)
{
	free(latency->us);
	*latency = (struct latency){0};
}
