/* scoreboard_text.c - see scoreboard_text.h. */
#include "scoreboard_text.h"
#include "clock.h"

#include <ctype.h>

enum { TEXT_SIZE = SCOREBOARD_END };

/* A copy without what could move a cursor. */
static const char *
clean(const char *text, size_t size, char out[TEXT_SIZE])
{
	size_t length = MIN(strnlen(text, size), (size_t)TEXT_SIZE - 1);

	for (size_t i = 0; i < length; i++)
		out[i] = isprint((unsigned char)text[i]) ? text[i] : '?';
	out[length] = '\0';
	return out;
}

static int
slots_of(const struct scoreboard *board)
{
	return MIN(MAX(board->slot_count, 0), SCOREBOARD_SLOTS_MAX);
}

/* Nobody's; of one that crashed, what is started in its place has it. */
static bool
is_empty(const struct scoreboard *board, int i)
{
	return !atomic_load(&board->slots[i].pid);
}

static int64_t
beat_ms(const struct scoreboard_slot *slot)
{
	return atomic_load(&slot->pid) ? (clock_steady_us() - atomic_load(&slot->heartbeat_us)) / 1000 : -1;
}

static void
text_duration(int64_t us, struct buf *out)
{
	int64_t s = us / 1000000;

	if (s < 120)
		buf_printf(out, "%llds", (long long)s);
	else if (s < 7200)
		buf_printf(out, "%lldm", (long long)(s / 60));
	else if (s < 172800)
		buf_printf(out, "%lldh", (long long)(s / 3600));
	else
		buf_printf(out, "%lldd", (long long)(s / 86400));
}

static void
text_process(const struct scoreboard *board, int i, struct buf *out)
{
	const struct scoreboard_slot *slot = &board->slots[i];
	const struct scoreboard_record *record = &board->records[i];
	char name[TEXT_SIZE], doing[TEXT_SIZE], stage[TEXT_SIZE];
	struct buf age = {0};

	if (atomic_load(&slot->pid))
		text_duration(clock_wall_us() - record->started_us, &age);
	else
		buf_add_byte(&age, '-');
	buf_printf(out, "%-10s %7d  %-8s %3d %6.*s %8d %7d %10llu %7lld %5d  ", clean(slot->name, sizeof(slot->name), name),
	           (int)atomic_load(&slot->pid), scoreboard_state_name(atomic_load(&slot->state)), record->generation,
	           (int)age.len, age.data, atomic_load(&slot->connections), atomic_load(&slot->in_flight),
	           (unsigned long long)atomic_load(&slot->requests), (long long)beat_ms(slot), record->restarts);
	if (*slot->endpoint)
		buf_printf(out, "%s (%s)", clean(slot->endpoint, sizeof(slot->endpoint), doing),
		           clean(slot->stage, sizeof(slot->stage), stage));
	buf_add_byte(out, '\n');
	buf_free(&age);
}

static void
text_last_ends(const struct scoreboard *board, struct buf *out)
{
	char name[TEXT_SIZE], end[TEXT_SIZE], when[CLOCK_RFC3339_SIZE];
	bool any = false;

	for (int i = 0; i < slots_of(board); i++) {
		const struct scoreboard_record *record = &board->records[i];
		if (!record->ended_us)
			continue;
		clock_format(record->ended_us, when);
		buf_printf(out, "%s  %.19sZ  %s: %s\n", any ? "" : "\nLast unexpected ends:\n", when,
		           clean(board->slots[i].name, sizeof(board->slots[i].name), name),
		           clean(record->last_end, sizeof(record->last_end), end));
		any = true;
	}
}

void
scoreboard_text(const struct scoreboard *board, struct buf *out)
{
	char text[TEXT_SIZE], version[TEXT_SIZE];

	buf_printf(out, "agentd %s, master %d, %s, generation %d, up ", clean(board->version, sizeof(board->version), version),
	           (int)board->master, clean(board->address, sizeof(board->address), text), atomic_load(&board->generation));
	text_duration(clock_wall_us() - board->started_us, out);
	buf_printf(out, "%s, %d live node%s in the cluster\n\n", atomic_load(&board->draining) ? ", stopping" : "",
	           atomic_load(&board->nodes), atomic_load(&board->nodes) == 1 ? "" : "s");
	buf_add_text(out, "PROCESS        PID  STATE    GEN     UP  CLIENTS IN WORK   REQUESTS BEAT ms ENDED  NOW\n");
	for (int i = 0; i < slots_of(board); i++)
		if (!is_empty(board, i))
			text_process(board, i, out);
	text_last_ends(board, out);
}

static void
json_time(struct json_writer *writer, const char *name, int64_t wall_us)
{
	char text[CLOCK_RFC3339_SIZE];

	if (wall_us <= 0)
		return;
	clock_format(wall_us, text);
	json_write_member_text(writer, name, text);
}

static void
json_process(struct json_writer *writer, const struct scoreboard *board, int i)
{
	const struct scoreboard_slot *slot = &board->slots[i];
	const struct scoreboard_record *record = &board->records[i];
	char text[TEXT_SIZE];

	json_write_object_open(writer);
	json_write_member_text(writer, "name", clean(slot->name, sizeof(slot->name), text));
	json_write_member_int(writer, "pid", atomic_load(&slot->pid));
	json_write_member_text(writer, "state", scoreboard_state_name(atomic_load(&slot->state)));
	json_write_member_int(writer, "generation", record->generation);
	json_write_member_int(writer, "connections", atomic_load(&slot->connections));
	json_write_member_int(writer, "in_flight", atomic_load(&slot->in_flight));
	json_write_member_int(writer, "requests", (int64_t)atomic_load(&slot->requests));
	json_write_member_int(writer, "heartbeat_age_ms", beat_ms(slot));
	json_write_member_int(writer, "restarts", record->restarts);
	json_write_member_int(writer, "hangs", record->hangs);
	json_time(writer, "started_at", record->started_us);
	json_time(writer, "ended_at", record->ended_us);
	if (record->ended_us)
		json_write_member_text(writer, "last_end", clean(record->last_end, sizeof(record->last_end), text));
	json_time(writer, "certificate_expires_at", atomic_load(&slot->tls_expires_s) * 1000000);
	json_write_object_close(writer);
}

void
scoreboard_write_processes(struct json_writer *writer, const struct scoreboard *board)
{
	json_write_array_open(writer);
	for (int i = 0; i < slots_of(board); i++)
		if (!is_empty(board, i))
			json_process(writer, board, i);
	json_write_array_close(writer);
}

void
scoreboard_json(const struct scoreboard *board, struct buf *out)
{
	struct json_writer writer;
	char text[TEXT_SIZE];

	json_write_begin(&writer, out);
	json_write_object_open(&writer);
	json_write_member_text(&writer, "version", clean(board->version, sizeof(board->version), text));
	json_write_member_int(&writer, "master", board->master);
	json_write_member_text(&writer, "url", clean(board->address, sizeof(board->address), text));
	json_write_member_int(&writer, "generation", atomic_load(&board->generation));
	json_time(&writer, "started_at", board->started_us);
	json_write_member_int(&writer, "nodes", atomic_load(&board->nodes));
	json_write_key(&writer, "processes");
	scoreboard_write_processes(&writer, board);
	json_write_object_close(&writer);
	buf_add_byte(out, '\n');
}
