/* backup_plan.c - see backup_plan.h. */
#include "backup_plan.h"
#include "zone.h"

static const int64_t minute_us = 60000000;

/* A number and a letter; 0: it is no such thing. */
static int64_t
parse_interval(struct slice text)
{
	static const struct {
		char letter;
		int64_t minutes;
	} units[] = {{'m', 1}, {'h', 60}, {'d', 1440}};
	int64_t number = 0;

	if (text.len < 2 || text.len > 6)
		return 0;
	for (size_t i = 0; i + 1 < text.len; i++) {
		if (text.data[i] < '0' || text.data[i] > '9')
			return 0;
		number = number * 10 + (text.data[i] - '0');
	}
	for (size_t i = 0; i < ARRAY_LENGTH(units); i++)
		if (text.data[text.len - 1] == units[i].letter)
			return number * units[i].minutes * minute_us;
	return 0;
}

bool
backup_plan_parse(struct slice text, struct backup_plan *plan_r, const char **why_r)
{
	*plan_r = (struct backup_plan){.interval_us = parse_interval(text)};
	if (plan_r->interval_us)
		return true;
	if (memchr(text.data, ' ', text.len) || (text.len && text.data[0] == '@'))
		return cron_parse(text, &plan_r->cron, why_r);
	*why_r = "is neither an interval (30m, 6h, 1d) nor a cron expression of five fields, such as \"15 3 * * *\"";
	return false;
}

int64_t
backup_plan_next(const struct backup_plan *plan, int64_t after_us)
{
	struct zone *zone;
	int64_t next_us = INT64_MAX;

	if (plan->interval_us)
		return after_us + plan->interval_us;
	zone = zone_open(SLICE("UTC"));
	INVARIANT(zone);
	if (!cron_next(&plan->cron, zone, after_us, &next_us))
		next_us = INT64_MAX;
	zone_free(zone);
	return next_us;
}
