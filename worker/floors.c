/*
 * floors.c - see floors.h.
 *
 * What always holds: a floor rises only by a look that began at or below it. So whatever is below a floor was looked at
 * when it was passed, or is left to the looks for stragglers.
 */
#include "floors.h"
#include "json_write.h"

#include <uthash.h>

enum {
	SUSPECT_US = 50000,      /* between looks at queues that only may be slow */
	RAISE_US = 200000,       /* between two looks that raise, while leases ask */
	RAISE_IDLE_US = 3000000, /* and while none does: agents of other nodes may be at work there */
	LOWER_LEAST_US = 3000000,
	LOWER_MOST_US = 15000000,
	LOWER_SHARE = 20, /* one part of the time is spent looking for one queue's stragglers */
	LOWER_REST = 4,   /* and one in five for those of all */
	QUICK_US = 2000,  /* floors are not worth their while */
};

struct entry {
	int64_t tenant;
	struct slice queue;
	bool special;
	bool suspect; /* its floors are not used before the first look */
	int64_t at_us[FLOORS_PRIORITIES];
	int64_t used_us;
	int64_t raised_us;
	int64_t lower_us; /* when to look for stragglers */
	UT_hash_handle hh;
	char key[]; /* "tenant special queue" */
};

struct floors {
	struct entry *entries;
	int suspects;
	int64_t rest_us;    /* no look for stragglers before */
	int64_t suspect_us; /* no look at a suspect before */
};

struct floors *
floors_new(void)
{
	return mem_zero(sizeof(struct floors));
}

static void
forget(struct floors *floors, struct entry *entry)
{
	floors->suspects -= entry->suspect;
	HASH_DEL(floors->entries, entry);
	free(entry);
}

void
floors_free(struct floors *floors)
{
	struct entry *entry, *next;

	HASH_ITER(hh, floors->entries, entry, next)
	{
		forget(floors, entry);
	}
	free(floors);
}

int
floors_count(const struct floors *floors)
{
	return (int)HASH_COUNT(floors->entries);
}

/* The length of the key, or 0: longer than any queue's name. */
static size_t
make_key(int64_t tenant, bool special, struct slice queue, char key[static FLOORS_NAME_SIZE])
{
	int length = snprintf(key, FLOORS_NAME_SIZE, "%lld %d %.*s", (long long)tenant, special, SLICE_ARG(queue));

	return length > 0 && length < FLOORS_NAME_SIZE ? (size_t)length : 0;
}

static struct entry *
find(const struct floors *floors, int64_t tenant, bool special, struct slice queue)
{
	struct entry *entry = NULL;
	char key[FLOORS_NAME_SIZE];
	size_t length = make_key(tenant, special, queue, key);

	if (length > 0)
		HASH_FIND(hh, floors->entries, key, length, entry);
	return entry;
}

void
floors_suspect(struct floors *floors, int64_t tenant, bool special, struct slice queue, int64_t now_us)
{
	char key[FLOORS_NAME_SIZE];
	size_t length = make_key(tenant, special, queue, key);
	struct entry *entry;

	if (length == 0 || floors->suspects >= FLOORS_SUSPECTS_MAX || floors_count(floors) >= FLOORS_MAX ||
	    find(floors, tenant, special, queue))
		return;
	entry = mem_zero(sizeof(*entry) + length + 1);
	memcpy(entry->key, key, length);
	entry->tenant = tenant;
	entry->special = special;
	entry->suspect = true;
	floors->suspects++;
	entry->queue = (struct slice){entry->key + length - queue.len, queue.len};
	entry->used_us = now_us;
	entry->raised_us = now_us - RAISE_IDLE_US;
	entry->lower_us = now_us + LOWER_LEAST_US;
	HASH_ADD_KEYPTR(hh, floors->entries, entry->key, length, entry);
}

void
floors_write_times(const int64_t at_us[static FLOORS_PRIORITIES], struct buf *out)
{
	for (int i = 0; i < FLOORS_PRIORITIES; i++) {
		buf_add_byte(out, i ? ',' : '{');
		buf_add_int(out, at_us[i]);
	}
	buf_add_byte(out, '}');
}

static void
write_text(struct json_writer *writer, const struct entry *entry)
{
	struct buf array = {0};

	floors_write_times(entry->at_us, &array);
	json_write_string(writer, buf_slice(&array));
	buf_free(&array);
}

struct slice
floors_write(struct floors *floors, int64_t tenant, bool special, const struct slice *queues, int count, int64_t now_us,
             struct arena *arena)
{
	struct json_writer writer;
	struct buf text = {0};
	struct slice copy;

	if (floors_count(floors) == floors->suspects)
		return SLICE_NONE;
	json_write_begin(&writer, &text);
	json_write_array_open(&writer);
	for (int i = 0; i < count; i++) {
		struct entry *entry = find(floors, tenant, special, queues[i]);
		if (entry && !entry->suspect) {
			entry->used_us = now_us;
			write_text(&writer, entry);
		} else {
			json_write_null(&writer);
		}
	}
	json_write_array_close(&writer);
	copy = (struct slice){arena_string(arena, buf_slice(&text)), text.len};
	buf_free(&text);
	return copy;
}

void
floors_list(const struct floors *floors, struct buf *out)
{
	struct json_writer writer;

	json_write_begin(&writer, out);
	json_write_array_open(&writer);
	for (const struct entry *entry = floors->entries; entry; entry = entry->hh.next) {
		if (entry->suspect)
			continue;
		json_write_object_open(&writer);
		json_write_member_int(&writer, "tenant", entry->tenant);
		json_write_member_string(&writer, "queue", entry->queue);
		json_write_member_bool(&writer, "special", entry->special);
		json_write_key(&writer, "floors");
		write_text(&writer, entry);
		json_write_object_close(&writer);
	}
	json_write_array_close(&writer);
}

static int64_t
raise_due(const struct entry *entry)
{
	return entry->raised_us + (entry->used_us >= entry->raised_us ? RAISE_US : RAISE_IDLE_US);
}

static void
begin(struct floors *floors, struct entry *entry, enum floors_kind kind, int64_t now_us, struct floors_look *look_r)
{
	if (entry->suspect)
		floors->suspect_us = now_us + SUSPECT_US;
	if (kind == FLOORS_RAISE)
		entry->raised_us = now_us;
	else
		entry->lower_us = now_us + LOWER_MOST_US;
	look_r->kind = kind;
	look_r->tenant = entry->tenant;
	look_r->special = entry->special;
	snprintf(look_r->queue, sizeof(look_r->queue), "%.*s", SLICE_ARG(entry->queue));
	memcpy(look_r->at_us, entry->at_us, sizeof(look_r->at_us));
}

bool
floors_due(struct floors *floors, int64_t now_us, struct floors_look *look_r)
{
	struct entry *entry, *next, *raise = NULL, *lower = NULL;

	HASH_ITER(hh, floors->entries, entry, next)
	{
		if (now_us - entry->used_us > FLOORS_KEEP_US) {
			forget(floors, entry);
			continue;
		}
		if (entry->suspect && floors->suspect_us > now_us)
			continue;
		if (raise_due(entry) <= now_us && (!raise || raise_due(entry) < raise_due(raise)))
			raise = entry;
		if (entry->lower_us <= now_us && (!lower || entry->lower_us < lower->lower_us))
			lower = entry;
	}
	if (lower && floors->rest_us <= now_us)
		begin(floors, lower, FLOORS_LOWER, now_us, look_r);
	else if (raise)
		begin(floors, raise, FLOORS_RAISE, now_us, look_r);
	else
		return false;
	return true;
}

void
floors_found(struct floors *floors, const struct floors_look *look, int64_t priority, int64_t floor_us)
{
	struct entry *entry = find(floors, look->tenant, look->special, slice_of(look->queue));
	int64_t *at_us;

	if (!entry || priority < 1 || priority > FLOORS_PRIORITIES)
		return;
	at_us = &entry->at_us[priority - 1];
	if (look->kind == FLOORS_LOWER)
		*at_us = MIN(*at_us, floor_us);
	else if (look->at_us[priority - 1] <= *at_us)
		*at_us = floor_us;
}

void
floors_looked(struct floors *floors, const struct floors_look *look, int64_t now_us, int64_t took_us)
{
	struct entry *entry = find(floors, look->tenant, look->special, slice_of(look->queue));

	if (look->kind == FLOORS_RAISE && entry && entry->suspect && took_us < QUICK_US) {
		forget(floors, entry);
	} else if (look->kind == FLOORS_RAISE && entry) {
		floors->suspects -= entry->suspect;
		entry->suspect = false;
	}
	if (look->kind == FLOORS_RAISE || took_us < 0)
		return;
	floors->rest_us = now_us + took_us * LOWER_REST;
	if (entry && took_us < QUICK_US)
		forget(floors, entry);
	else if (entry)
		entry->lower_us = now_us + MAX(MIN(took_us * LOWER_SHARE, LOWER_MOST_US), LOWER_LEAST_US);
}
