/*
 * zone.c - see zone.h. A zone is one table of the moments at which its offset changes, in order of time.
 *
 * The changes that the footer's rule makes are written out behind those of the file for more than 400 years, after
 * which the calendar, weekdays included, repeats itself: a later moment is looked up 400 years (or a multiple) earlier.
 * So always holds: neighbouring rows have different offsets and rising times, and no lookup knows of rules.
 */
#include "zone.h"

#include "zone_rule.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	DAY_S = 86400,
	OFFSET_MAX_S = 26 * 3600, /* RFC 8536, 3.2: no clock is further off */
	FILE_MAX = 256 * 1024,
	CYCLE_YEARS = 400,
	HEADER_SIZE = 44,
	UNLISTED_FIRST_YEAR = 1900 /* from which a rule holds if no later change is listed: before any summer time */
};

static const int64_t cycle_s = (int64_t)146097 * DAY_S;

struct change {
	int64_t at_s;
	int offset_s; /* from then on */
};

struct zone {
	int first_offset_s; /* before the first change */
	bool repeats;       /* every 400 years, after repeats_s as in the 400 years before it */
	int64_t repeats_s;
	size_t count;
	size_t room;
	struct change *changes;
};

/* --- making the table --- */

static int
offset_after(const struct zone *zone)
{
	return zone->count > 0 ? zone->changes[zone->count - 1].offset_s : zone->first_offset_s;
}

/* Rules with summer time all year change twice at one moment, or out of order: the later word counts. */
static void
add_change(struct zone *zone, int64_t at_s, int offset_s)
{
	while (zone->count > 0 && zone->changes[zone->count - 1].at_s >= at_s)
		zone->count--;
	if (offset_after(zone) == offset_s)
		return;
	if (zone->count == zone->room) {
		zone->room = MAX(zone->room * 2, 64);
		zone->changes = mem_grow(zone->changes, zone->room * sizeof(*zone->changes));
	}
	zone->changes[zone->count++] = (struct change){at_s, offset_s};
}

/* The two changes of a year, in order, if they are later than listed_until_s. */
static void
add_year(struct zone *zone, const struct zone_rule *rule, int year, int64_t listed_until_s)
{
	int64_t start_s, end_s;

	zone_rule_changes(rule, year, &start_s, &end_s);
	if (start_s <= end_s && start_s > listed_until_s)
		add_change(zone, start_s, rule->summer_s);
	if (end_s > listed_until_s)
		add_change(zone, end_s, rule->standard_s);
	if (start_s > end_s && start_s > listed_until_s)
		add_change(zone, start_s, rule->summer_s);
}

/* A cycle begins in the second year after the list, where all is the rule's; lookups near its end look ahead. */
static void
add_rule(struct zone *zone, const struct zone_rule *rule, int64_t listed_until_s)
{
	int listed_year = calendar_date(calendar_divide(listed_until_s, DAY_S)).year;
	int end_year = listed_year + CYCLE_YEARS + 4;
	int64_t end_s = calendar_days(end_year, 1, 1) * DAY_S;

	for (int year = listed_year - 1; year <= end_year; year++)
		add_year(zone, rule, year, listed_until_s);
	/* The last year's change back may be none: the year after it could put another at the same moment. */
	while (zone->count > 0 && zone->changes[zone->count - 1].at_s >= end_s)
		zone->count--;
	zone->repeats = true;
	zone->repeats_s = calendar_days(listed_year + CYCLE_YEARS + 2, 1, 1) * DAY_S;
}

/* --- reading TZif --- */

static uint32_t
read_u32(const unsigned char *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static int64_t
read_i64(const unsigned char *at)
{
	return (int64_t)((uint64_t)read_u32(at) << 32 | read_u32(at + 4));
}

struct tzif_counts {
	uint32_t ut_marks, standard_marks, leaps, changes, types, name_chars;
};

static bool
take_header(struct slice *rest, struct tzif_counts *counts_r)
{
	const unsigned char *at = (const unsigned char *)rest->data;

	if (rest->len < HEADER_SIZE || memcmp(at, "TZif", 4) != 0 || at[4] < '2')
		return false;
	*counts_r = (struct tzif_counts){.ut_marks = read_u32(at + 20),
	                                 .standard_marks = read_u32(at + 24),
	                                 .leaps = read_u32(at + 28),
	                                 .changes = read_u32(at + 32),
	                                 .types = read_u32(at + 36),
	                                 .name_chars = read_u32(at + 40)};
	rest->data += HEADER_SIZE;
	rest->len -= HEADER_SIZE;
	return true;
}

/* Takes the data block that follows a header; time_size is 4 in the first and 8 in the second. */
static bool
take_block(struct slice *rest, const struct tzif_counts *counts, uint64_t time_size, struct slice *block_r)
{
	uint64_t size = counts->changes * (time_size + 1) + (uint64_t)counts->types * 6 + counts->name_chars +
	                counts->leaps * (time_size + 4) + counts->standard_marks + counts->ut_marks;

	if (rest->len < size)
		return false;
	*block_r = (struct slice){rest->data, (size_t)size};
	rest->data += size;
	rest->len -= size;
	return true;
}

/* Writes the offset of a local time type. False: there is no such type, or no clock is so far off. */
static bool
type_offset(const unsigned char *types, uint32_t count, uint32_t index, int *offset_s_r)
{
	if (index >= count)
		return false;
	*offset_s_r = (int)read_u32(types + (size_t)index * 6);
	return *offset_s_r >= -OFFSET_MAX_S && *offset_s_r <= OFFSET_MAX_S;
}

static bool
add_list(struct zone *zone, struct slice block, const struct tzif_counts *counts)
{
	const unsigned char *times = (const unsigned char *)block.data;
	const unsigned char *indexes = times + (size_t)counts->changes * 8;
	const unsigned char *types = indexes + counts->changes;
	int64_t before_s = INT64_MIN;

	if (!type_offset(types, counts->types, 0, &zone->first_offset_s))
		return false;
	for (uint32_t i = 0; i < counts->changes; i++) {
		int64_t at_s = read_i64(times + (size_t)i * 8);
		int offset_s;

		/* From before the universe began, as files of RFC 8536 may, to beyond any use. */
		if ((i > 0 && at_s <= before_s) || at_s < -((int64_t)1 << 59) || at_s > (int64_t)1 << 40 ||
		    !type_offset(types, counts->types, indexes[i], &offset_s))
			return false;
		add_change(zone, at_s, offset_s);
		before_s = at_s;
	}
	return true;
}

static int64_t
last_time(struct slice block, const struct tzif_counts *counts)
{
	return read_i64((const unsigned char *)block.data + (size_t)(counts->changes - 1) * 8);
}

/* The footer: a rule between two newlines, or nothing between them. A file that lists no change has only the rule. */
static bool
add_footer(struct zone *zone, struct slice rest, int64_t listed_until_s, bool has_list)
{
	struct zone_rule rule;

	if (rest.len < 2 || rest.data[0] != '\n' || rest.data[rest.len - 1] != '\n')
		return false;
	rest = (struct slice){rest.data + 1, rest.len - 2};
	if (rest.len == 0)
		return true;
	if (!zone_rule_parse(rest, &rule))
		return false;
	if (!has_list)
		zone->first_offset_s = rule.standard_s;
	if (rule.has_summer)
		add_rule(zone, &rule, listed_until_s);
	return true;
}

static bool
read_tzif(struct zone *zone, struct slice rest)
{
	struct tzif_counts counts;
	struct slice block;
	int64_t listed_until_s = calendar_days(UNLISTED_FIRST_YEAR, 1, 1) * DAY_S;

	if (!take_header(&rest, &counts) || !take_block(&rest, &counts, 4, &block) || !take_header(&rest, &counts) ||
	    !take_block(&rest, &counts, 8, &block) || counts.leaps > 0 || !add_list(zone, block, &counts))
		return false;
	if (counts.changes > 0)
		listed_until_s = MAX(listed_until_s, last_time(block, &counts));
	return add_footer(zone, rest, listed_until_s, counts.changes > 0);
}

struct zone *
zone_parse(struct slice tzif)
{
	struct zone *zone = mem_zero(sizeof(*zone));

	if (read_tzif(zone, tzif))
		return zone;
	zone_free(zone);
	return NULL;
}

static bool
is_name_char(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '+' ||
	       c == '-' || c == '/';
}

static bool
is_name(struct slice name)
{
	if (name.len == 0 || name.len > ZONE_NAME_MAX || name.data[0] < 'A' || name.data[0] > 'Z')
		return false;
	for (size_t i = 0; i < name.len; i++) {
		if (!is_name_char(name.data[i]) || (name.data[i] == '/' && name.data[i - 1] == '/'))
			return false;
	}
	return true;
}

/* Reads all of a regular file of at most FILE_MAX bytes. NULL: there is none. */
static char *
read_file(const char *path, size_t *len_r)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat status;
	char *bytes = NULL;
	ssize_t got = 1;

	if (fd < 0)
		return NULL;
	*len_r = 0;
	if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_size <= FILE_MAX) {
		bytes = mem_alloc((size_t)status.st_size + 1);
		while (*len_r < (size_t)status.st_size && got > 0) {
			got = read(fd, bytes + *len_r, (size_t)status.st_size - *len_r);
			*len_r += got > 0 ? (size_t)got : 0;
		}
	}
	close(fd);
	return bytes;
}

struct zone *
zone_open(struct slice name)
{
	char path[sizeof(ZONE_FOLDER) + 1 + ZONE_NAME_MAX];
	struct zone *zone;
	size_t len;
	char *bytes;

	if (slice_is(name, "UTC") || slice_is(name, "Etc/UTC"))
		return mem_zero(sizeof(*zone));
	if (!is_name(name))
		return NULL;
	snprintf(path, sizeof(path), ZONE_FOLDER "/%.*s", SLICE_ARG(name));
	bytes = read_file(path, &len);
	if (!bytes)
		return NULL;
	zone = zone_parse((struct slice){bytes, len});
	free(bytes);
	return zone;
}

void
zone_free(struct zone *zone)
{
	if (!zone)
		return;
	free(zone->changes);
	free(zone);
}

/* --- looking up --- */

/* How far back to look a moment up: a multiple of 400 years, and 0 for all that the table covers. */
static int64_t
fold(const struct zone *zone, int64_t time_s)
{
	if (!zone->repeats || time_s <= zone->repeats_s)
		return 0;
	return ((time_s - zone->repeats_s - 1) / cycle_s + 1) * cycle_s;
}

/* How many changes there are up to and at a moment. */
static size_t
changes_until(const struct zone *zone, int64_t utc_s)
{
	size_t low = 0, high = zone->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (zone->changes[middle].at_s <= utc_s)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* The offset after the first n changes. */
static int
offset_of(const struct zone *zone, size_t n)
{
	return n > 0 ? zone->changes[n - 1].offset_s : zone->first_offset_s;
}

int
zone_offset_s(const struct zone *zone, int64_t utc_s)
{
	return offset_of(zone, changes_until(zone, utc_s - fold(zone, utc_s)));
}

bool
zone_next_change(const struct zone *zone, int64_t utc_s, int64_t *change_s_r)
{
	int64_t back_s = fold(zone, utc_s);
	size_t n = changes_until(zone, utc_s - back_s);

	if (n == zone->count)
		return false;
	*change_s_r = zone->changes[n].at_s + back_s;
	return true;
}

void
zone_wall_at(const struct zone *zone, int64_t utc_s, struct zone_wall *wall_r)
{
	int64_t local_s = utc_s + zone_offset_s(zone, utc_s);
	int64_t days = calendar_divide(local_s, DAY_S);
	int of_day = (int)(local_s - days * DAY_S);

	wall_r->date = calendar_date(days);
	wall_r->hour = of_day / 3600;
	wall_r->minute = of_day / 60 % 60;
	wall_r->second = of_day % 60;
}

/* Walks the stretches of one offset that lie within a day of local_s: few, so there is nothing to search. */
enum zone_fit
zone_resolve(const struct zone *zone, const struct zone_wall *wall, struct zone_moments *moments_r)
{
	int64_t local_s = calendar_days(wall->date.year, wall->date.month, wall->date.day) * DAY_S + wall->hour * 3600 +
	                  wall->minute * 60 + wall->second;
	int64_t back_s = fold(zone, local_s);
	int64_t gap_end_s = 0;
	int found = 0;

	local_s -= back_s;
	for (size_t n = changes_until(zone, local_s - OFFSET_MAX_S);; n++) {
		int64_t utc_s = local_s - offset_of(zone, n);
		bool begun = n == 0 || zone->changes[n - 1].at_s <= utc_s;
		bool ended = n < zone->count && zone->changes[n].at_s <= utc_s;

		if (begun && !ended) {
			if (found++ == 0)
				moments_r->first_s = utc_s + back_s;
			moments_r->second_s = utc_s + back_s;
		}
		/* Ended before it is shown, and the next begins after it would have been shown: never shown in between. */
		if (ended && zone->changes[n].at_s > local_s - offset_of(zone, n + 1))
			gap_end_s = zone->changes[n].at_s + back_s;
		if (n == zone->count || zone->changes[n].at_s > local_s + OFFSET_MAX_S)
			break;
	}
	if (found == 0)
		*moments_r = (struct zone_moments){gap_end_s, gap_end_s};
	return found == 0 ? ZONE_GAP : found == 1 ? ZONE_UNIQUE : ZONE_AMBIGUOUS;
}
