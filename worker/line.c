/* line.c - see line.h. */
#include "line.h"

enum { KEY_SIZE = 400 };

static size_t
make_key(char out[KEY_SIZE], int64_t tenant, struct slice queue)
{
	int length = snprintf(out, KEY_SIZE, "%lld %.*s", (long long)tenant, SLICE_ARG(queue));

	return (size_t)MIN(length, KEY_SIZE - 1);
}

struct line *
line_find(const struct lines *lines, int64_t tenant, struct slice queue)
{
	char key[KEY_SIZE];
	size_t length = make_key(key, tenant, queue);
	struct line *line;

	HASH_FIND(hh, lines->all, key, length, line);
	return line;
}

struct line *
line_join(struct lines *lines, int64_t tenant, struct slice queue)
{
	struct line *line = line_find(lines, tenant, queue);
	char key[KEY_SIZE];
	size_t length;

	if (!line) {
		length = make_key(key, tenant, queue);
		line = mem_zero(sizeof(*line) + length + 1);
		memcpy(line->key, key, length);
		TAILQ_INIT(&line->places);
		line->burst = 1;
		line->bucket = scoreboard_queue(tenant, queue);
		line->next_in_bucket = lines->buckets[line->bucket];
		lines->buckets[line->bucket] = line;
		HASH_ADD_KEYPTR(hh, lines->all, line->key, length, line);
	}
	line->members++;
	return line;
}

void
line_leave(struct lines *lines, struct line *line)
{
	struct line **at = &lines->buckets[line->bucket];

	if (--line->members > 0)
		return;
	while (*at != line)
		at = &(*at)->next_in_bucket;
	*at = line->next_in_bucket;
	HASH_DEL(lines->all, line);
	free(line);
}

void
line_insert(struct line *line, struct place *place)
{
	struct place *other = TAILQ_LAST(&line->places, places);

	if (!other || other->turn < place->turn) {
		TAILQ_INSERT_TAIL(&line->places, place, entry);
		return;
	}
	TAILQ_FOREACH(other, &line->places, entry)
	if (other->turn > place->turn)
		break;
	TAILQ_INSERT_BEFORE(other, place, entry);
}

struct place *
line_next(const struct line *line)
{
	struct place *place;

	TAILQ_FOREACH(place, &line->places, entry)
	if (place->turn > line->passed_upto)
		return place;
	return NULL;
}

void
lines_free(struct lines *lines)
{
	struct line *line, *next;

	HASH_ITER(hh, lines->all, line, next)
	{
		HASH_DEL(lines->all, line);
		free(line);
	}
}
