/* recover.c - see recover.h. One table says what is done about which part. */
#include "recover.h"
#include "aside.h"
#include "cache.h"
#include "check.h"
#include "clock.h"
#include "duty.h"
#include "heal.h"
#include "log.h"
#include "metrics.h"
#include "uuid.h"

#include <unistd.h>

enum { NOTES = 64, RESETS = 2 };

/* One attempt, until PostgreSQL has it. */
struct note {
	char id[UUID_TEXT_SIZE];
	char component[HEALTH_NAME];
	const char *action; /* constant */
	char error[HEALTH_MESSAGE];
	const char *outcome; /* constant; NULL: not in use */
	int attempt;
	int64_t began_us;
	bool unwritten;
};

static struct heal heals[HEALTH_PARTS_MAX];
static int last_note[HEALTH_PARTS_MAX]; /* plus one; 0: none */
static struct note notes[NOTES];
static int next_note;

const char *
recover_node(void)
{
	static char name[65];

	if (!*name && gethostname(name, sizeof(name) - 1) != 0)
		snprintf(name, sizeof(name), "unknown");
	return name;
}

static void
note_begin(struct keeper *keeper, int part, const char *component, const char *action, const char *error, int attempt,
           const char *outcome)
{
	struct note *note = &notes[next_note];

	last_note[part] = next_note + 1;
	next_note = (next_note + 1) % NOTES;
	*note = (struct note){.action = action, .outcome = outcome, .attempt = attempt, .unwritten = true};
	note->began_us = clock_steady_us();
	uuid_new(note->id);
	snprintf(note->component, sizeof(note->component), "%s", component);
	snprintf(note->error, sizeof(note->error), "%s", error);
	health_recovery_count(keeper->heritage->health);
	metrics_add(METRIC_RECOVERIES, 0, 1);
}

static void
note_end(int part, const char *outcome)
{
	struct note *note = last_note[part] ? &notes[last_note[part] - 1] : NULL;

	last_note[part] = 0;
	if (!note || !note->outcome || strcmp(note->outcome, "started") != 0)
		return;
	note->outcome = outcome;
	note->unwritten = true;
	log_info("health", "an attempt to heal ended", LOG_TEXT("component", note->component),
	         LOG_TEXT("action", note->action), LOG_TEXT("outcome", outcome),
	         LOG_INT("after_ms", (clock_steady_us() - note->began_us) / 1000));
}

/* --- what is done --- */

static const char *
reset_own_pool(struct keeper *keeper, int slot, int tries)
{
	(void)slot;
	(void)tries;
	db_reset(keeper->db, "its connections are made anew: health checks failed");
	return "reset_pool";
}

static const char *
reconnect_redis(struct keeper *keeper, int slot, int tries)
{
	struct health_board *health = keeper->heritage->health;

	(void)slot;
	(void)tries;
	cache_reconnect(keeper->cache, "the connection is made anew: health checks failed");
	for (int i = 0; i < keeper->heritage->board->slot_count; i++)
		atomic_fetch_add(&health_board_pool(health, i)->reconnect_wish, 1);
	return "reconnect_redis";
}

static const char *
replace_worker(struct keeper *keeper, int slot, int tries)
{
	(void)tries;
	atomic_store(&keeper->heritage->board->slots[slot].replace, true);
	return "replace_worker";
}

/* Who still has no good connection after two of these is replaced as a whole. */
static const char *
reset_worker_pool(struct keeper *keeper, int slot, int tries)
{
	if (tries > RESETS)
		return replace_worker(keeper, slot, tries);
	atomic_fetch_add(&health_board_pool(keeper->heritage->health, slot)->reset_wish, 1);
	return "reset_pool";
}

/* NULL: nothing that a program can do. Returns the name of what was done. */
typedef const char *remedy(struct keeper *keeper, int slot, int tries);

static remedy *
find_remedy(int part)
{
	static remedy *const fixed[HEALTH_FIXED_PARTS] = {
	    [HEALTH_DATABASE] = reset_own_pool, [HEALTH_REDIS] = reconnect_redis};

	if (part < HEALTH_FIXED_PARTS)
		return fixed[part];
	return (part - HEALTH_FIXED_PARTS) % 2 ? reset_worker_pool : replace_worker;
}

static void
try_it(struct keeper *keeper, int part, const struct health_component *component)
{
	const char *action = find_remedy(part)(keeper, (part - HEALTH_FIXED_PARTS) / 2, heals[part].tries);

	note_end(part, "failed");
	note_begin(keeper, part, component->name, action, component->message, heals[part].tries, "started");
	log_warning("health", "healing", LOG_TEXT("component", component->name), LOG_TEXT("action", action),
	            LOG_INT("attempt", heals[part].tries), LOG_INT("most", HEAL_TRIES),
	            LOG_TEXT("error", component->message));
}

static void
give_up(struct keeper *keeper, int part, const struct health_component *component)
{
	note_end(part, "failed");
	note_begin(keeper, part, component->name, "none", component->message, heals[part].tries, "given_up");
	last_note[part] = 0;
	log_error("health", "what was done did not help: somebody has to look", LOG_TEXT("component", component->name),
	          LOG_INT("attempts", heals[part].tries), LOG_TEXT("error", component->message),
	          LOG_TEXT("hint", "docs/operations/troubleshooting.md; the next attempt is in some minutes"));
}

void
recover_look(struct keeper *keeper, int part, const struct health_component *component, enum health_status found)
{
	int64_t pause_us = check_pause_us(keeper);

	if (!find_remedy(part))
		return;
	switch (heal_next(&heals[part], component->status == HEALTH_CRITICAL, found == HEALTH_HEALTHY, pause_us,
	                  clock_steady_us())) {
	case HEAL_NOTHING:
		break;
	case HEAL_TRY:
		try_it(keeper, part, component);
		break;
	case HEAL_GIVE_UP:
		give_up(keeper, part, component);
		break;
	case HEAL_RECOVERED:
		note_end(part, "recovered");
		break;
	}
}

void
recover_began(struct keeper *keeper, int part, const char *component, const char *action, const char *error)
{
	note_begin(keeper, part, component, action, error, 1, "started");
}

void
recover_ended(struct keeper *keeper, int part)
{
	(void)keeper;
	note_end(part, "recovered");
}

/* --- what is kept of it --- */

static void
written(void *arg, const struct slice *values, const struct db_result *result)
{
	struct note *note = arg;

	/* A note that took the place of this one has another id. */
	if (result->status != DB_OK && slice_is(values[db_param(QUERY_RECOVERY_NOTE, "id")], note->id))
		note->unwritten = true;
}

static void
write_note(struct keeper *keeper, struct note *note)
{
	struct slice values[QUERY_PARAMS_MAX] = {0};
	char attempt[16], age_ms[24];

	snprintf(attempt, sizeof(attempt), "%d", note->attempt);
	snprintf(age_ms, sizeof(age_ms), "%lld", (long long)(clock_steady_us() - note->began_us) / 1000);
	values[db_param(QUERY_RECOVERY_NOTE, "id")] = slice_of(note->id);
	values[db_param(QUERY_RECOVERY_NOTE, "node")] = slice_of(recover_node());
	values[db_param(QUERY_RECOVERY_NOTE, "component")] = slice_of(note->component);
	values[db_param(QUERY_RECOVERY_NOTE, "action")] = slice_of(note->action);
	values[db_param(QUERY_RECOVERY_NOTE, "attempt")] = slice_of(attempt);
	values[db_param(QUERY_RECOVERY_NOTE, "error")] = slice_of(note->error);
	values[db_param(QUERY_RECOVERY_NOTE, "outcome")] = slice_of(note->outcome);
	values[db_param(QUERY_RECOVERY_NOTE, "age_ms")] = slice_of(age_ms);
	note->unwritten = false;
	aside_send(keeper->db, QUERY_RECOVERY_NOTE, values, written, note);
}

void
recover_flush(struct keeper *keeper)
{
	if (!db_ready(keeper->db))
		return;
	for (int i = 0; i < NOTES; i++)
		if (notes[i].unwritten)
			write_note(keeper, &notes[i]);
}
