/*
 * changes.c - see changes.h.
 *
 * The sequence has no gaps and its order is the order of commits, so "all up to a number" is one number. What is known
 * is as old as the sending of the last look that had everything; a look that hangs does not keep a second one from
 * being sent.
 */
#include "changes.h"

#include "clock.h"
#include "crypto.h"
#include "log.h"
#include "scoreboard.h"
#include "wake.h"

enum { LOOKS = 2, PAGE = 1000, HANGS_US = 1000000, TICK_US = 100000 };

/* One statement on its way. */
struct look {
	struct changes *changes;
	struct slice values[QUERY_PARAMS_MAX];
	char after_text[24];
	int64_t after;
	int64_t sent_us; /* 0: not on its way */
	unsigned round;  /* a look of an earlier round has nothing to say any more */
	bool load;
};

struct changes {
	struct db *db;
	const struct heritage *heritage;
	struct changes_listener listeners[CHANGES_LISTENERS_MAX];
	int listener_count;
	struct look looks[LOOKS];
	int64_t after; /* everything up to here was told */
	unsigned round;
	bool loading;
	bool loaded; /* since the last begin */
	bool again;  /* asked for while a look was on its way, which may have missed it */
	int64_t confirmed_us;
	int64_t due_us;
	uint32_t marks;
};

static const struct slice mark_name = {"#changes", 8};

static void send_look(struct changes *changes);

static void
begin(struct changes *changes)
{
	changes->round++;
	changes->after = 0;
	changes->loading = true;
	changes->loaded = false;
	for (int i = 0; i < changes->listener_count; i++)
		changes->listeners[i].begin(changes->listeners[i].arg);
}

static int64_t
number(const struct db_result *result, int row, const char *column, int64_t absent)
{
	struct slice text = db_get(result, row, column);

	return text.data ? strtoll(text.data, NULL, 10) : absent;
}

static bool
read_kind(struct slice text, enum change_kind *kind_r)
{
	static const char *const names[] = {[CHANGE_KEY] = "key",
	                                    [CHANGE_SESSION] = "session",
	                                    [CHANGE_USER] = "user",
	                                    [CHANGE_TENANT] = "tenant",
	                                    [CHANGE_SETTINGS] = "settings",
	                                    [CHANGE_ALL] = "all"};

	for (size_t i = 0; i < ARRAY_LENGTH(names); i++)
		if (slice_is(text, names[i])) {
			*kind_r = (enum change_kind)i;
			return true;
		}
	return false;
}

static void
tell(struct changes *changes, const struct db_result *result, int row)
{
	struct change change = {.seq = number(result, row, "seq", 0),
	                        .tenant = number(result, row, "tenant", 0),
	                        .subject = db_get(result, row, "subject"),
	                        .at_us = number(result, row, "at_us", INT64_MAX),
	                        .until_us = number(result, row, "until_us", INT64_MAX),
	                        .refused = slice_is(db_get(result, row, "refused"), "t")};

	/* A kind that a newer version has made concerns nothing that this one does. */
	if (!read_kind(db_get(result, row, "kind"), &change.kind))
		return;
	for (int i = 0; i < changes->listener_count; i++)
		changes->listeners[i].take(changes->listeners[i].arg, &change);
}

/* No row is missing between the number that was asked for and the newest; a load leaves out what is not relevant. */
static bool
is_whole(const struct look *look, const struct db_result *result, int64_t head)
{
	int64_t last = look->after;

	if (head < look->after)
		return false;
	for (int i = 0; i < result->count && !look->load; i++) {
		int64_t seq = number(result, i, "seq", -1);

		/* The only row, if nothing came after the number. */
		if (seq < 0)
			break;
		if (seq != last + 1)
			return false;
		last = seq;
	}
	return look->load || result->count >= PAGE || last == head;
}

/* False: what was followed is broken off. *more_r: there is another page. */
static bool
take_rows(struct changes *changes, const struct look *look, const struct db_result *result, bool *more_r)
{
	int64_t head = number(result, 0, "head", 0), last = 0;
	int count = 0;

	if (!is_whole(look, result, head))
		return false;
	for (int i = 0; i < result->count; i++) {
		int64_t seq = number(result, i, "seq", -1);

		/* 0: a tenant, as a load finds it. */
		if (seq == 0 || seq > changes->after)
			tell(changes, result, i);
		count += seq > 0;
		last = seq;
	}
	*more_r = count >= PAGE;
	changes->after = MAX(changes->after, *more_r ? last : head);
	return true;
}

static void
looked(void *arg, const struct db_result *result)
{
	struct look *look = arg;
	struct changes *changes = look->changes;
	int64_t sent_us = look->sent_us;
	bool more = false;

	look->sent_us = 0;
	if (look->round != changes->round || result->status != DB_OK || result->count == 0)
		return;
	if (!take_rows(changes, look, result, &more)) {
		log_warning("changes", "the sequence of changes was broken off: everything is read anew");
		begin(changes);
		more = true;
	} else if (!more) {
		changes->loading = false;
		changes->loaded = true;
		changes->confirmed_us = MAX(changes->confirmed_us, sent_us);
	}
	if (more || changes->again)
		send_look(changes);
}

/* The next look comes one tick early, so that the interval is kept, and not in step with other processes. */
static int64_t
pause_us(void)
{
	uint16_t random;

	crypto_random(&random, sizeof(random));
	return CHANGES_POLL_US - TICK_US - random % (CHANGES_POLL_US / 4);
}

static void
send_look(struct changes *changes)
{
	struct look *look = NULL;
	int64_t now_us = clock_steady_us();

	if (!db_ready(changes->db))
		return;
	for (int i = 0; i < LOOKS; i++) {
		if (changes->looks[i].sent_us && changes->looks[i].round == changes->round &&
		    (changes->loading || now_us - changes->looks[i].sent_us < HANGS_US)) {
			changes->again = true;
			return;
		}
		if (!changes->looks[i].sent_us)
			look = &changes->looks[i];
	}
	if (!look)
		return;
	changes->again = false;
	look->sent_us = now_us;
	look->after = changes->after;
	look->round = changes->round;
	look->load = changes->loading;
	snprintf(look->after_text, sizeof(look->after_text), "%lld", (long long)look->after);
	look->values[db_param(QUERY_CHANGES_AFTER, "after")] = slice_of(look->after_text);
	look->values[db_param(QUERY_CHANGES_AFTER, "load")] = look->load ? SLICE("true") : SLICE("false");
	changes->due_us = now_us + pause_us();
	db_send(changes->db, QUERY_CHANGES_AFTER, look->values, looked, look);
}

struct changes *
changes_new(struct db *db, const struct heritage *heritage)
{
	struct changes *changes = mem_zero(sizeof(*changes));

	changes->db = db;
	changes->heritage = heritage;
	for (int i = 0; i < LOOKS; i++)
		changes->looks[i].changes = changes;
	return changes;
}

void
changes_free(struct changes *changes)
{
	free(changes);
}

void
changes_listen(struct changes *changes, struct changes_listener listener)
{
	INVARIANT(changes->listener_count < CHANGES_LISTENERS_MAX && changes->round == 0);
	changes->listeners[changes->listener_count++] = listener;
}

void
changes_tick(struct changes *changes)
{
	const struct scoreboard *board = changes->heritage->board;
	uint32_t marks = atomic_load(&board->ready[scoreboard_queue(0, mark_name)]);

	if (changes->round == 0)
		begin(changes);
	if (marks == changes->marks && clock_steady_us() < changes->due_us)
		return;
	changes->marks = marks;
	send_look(changes);
}

void
changes_hint(struct changes *changes)
{
	if (changes->round > 0)
		send_look(changes);
}

int64_t
changes_age_us(const struct changes *changes)
{
	return changes->loaded ? clock_steady_us() - changes->confirmed_us : INT64_MAX;
}

void
changes_mark(const struct heritage *heritage)
{
	wake_queue(heritage, 0, mark_name);
}
