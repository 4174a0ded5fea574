/* duty_board.c - see duty_board.h. Texts are written under a lock, all else is one word each. */
#include "duty_board.h"
#include "clock.h"
#include "json_write.h"
#include "process_lock.h"
#include "shared_memory.h"

/* The name changes with the layout. */
struct duty_board *
duty_board_new(void)
{
	bool adopted;
	struct duty_board *board = shared_memory_map("duties 1", sizeof(*board), &adopted);

	if (board && !adopted && !process_locks_init(&board->lock, 1)) {
		shared_memory_unmap(board);
		return NULL;
	}
	return board;
}

bool
duty_board_leads(const struct duty_board *board)
{
	return clock_steady_us() < atomic_load(&board->leads_until_us);
}

struct duty_record *
duty_board_record(struct duty_board *board, const char *name)
{
	int count = atomic_load(&board->count);
	struct duty_record *record;

	for (int i = 0; i < count; i++)
		if (strcmp(board->records[i].name, name) == 0)
			return &board->records[i];
	INVARIANT(count < DUTY_BOARD_MAX);
	record = &board->records[count];
	snprintf(record->name, sizeof(record->name), "%s", name);
	atomic_store(&board->count, count + 1);
	return record;
}

void
duty_board_fail(struct duty_board *board, struct duty_record *record, const char *why)
{
	atomic_store(&record->failed_us, clock_wall_us());
	atomic_fetch_add(&record->failures, 1);
	process_lock(&board->lock);
	snprintf(record->error, sizeof(record->error), "%s", why);
	process_unlock(&board->lock);
}

void
duty_board_error(struct duty_board *board, const struct duty_record *record, char error_r[DUTY_ERROR_SIZE])
{
	process_lock(&board->lock);
	snprintf(error_r, DUTY_ERROR_SIZE, "%.*s", DUTY_ERROR_SIZE - 1, record->error);
	process_unlock(&board->lock);
}

static void
write_time(struct json_writer *writer, const char *key, int64_t wall_us)
{
	char text[CLOCK_RFC3339_SIZE];

	if (!wall_us)
		return;
	clock_format(wall_us, text);
	json_write_member_text(writer, key, text);
}

static void
write_duty(struct json_writer *writer, struct duty_board *board, const struct duty_record *record)
{
	char error[DUTY_ERROR_SIZE];

	duty_board_error(board, record, error);
	json_write_object_open(writer);
	json_write_member_text(writer, "name", record->name);
	json_write_member_bool(writer, "leader", atomic_load(&record->leader));
	json_write_member_bool(writer, "running", atomic_load(&record->running));
	json_write_member_int(writer, "runs", (int64_t)atomic_load(&record->runs));
	json_write_member_int(writer, "failures", (int64_t)atomic_load(&record->failures));
	json_write_member_int(writer, "overdue", (int64_t)atomic_load(&record->overdue));
	json_write_key(writer, "last_ms");
	json_write_double(writer, (double)atomic_load(&record->last_us) / 1000);
	write_time(writer, "last_at", atomic_load(&record->ended_us));
	write_time(writer, "failed_at", atomic_load(&record->failed_us));
	if (*error)
		json_write_member_text(writer, "error", error);
	json_write_object_close(writer);
}

void
duty_board_write(struct duty_board *board, struct json_writer *writer)
{
	json_write_key(writer, "keeper");
	json_write_object_open(writer);
	json_write_member_bool(writer, "leads", duty_board_leads(board));
	if (duty_board_leads(board))
		write_time(writer, "leads_since", atomic_load(&board->leads_since_us));
	json_write_member_int(writer, "take_overs", (int64_t)atomic_load(&board->take_overs));
	json_write_key(writer, "duties");
	json_write_array_open(writer);
	for (int i = 0; i < atomic_load(&board->count); i++)
		write_duty(writer, board, &board->records[i]);
	json_write_array_close(writer);
	json_write_object_close(writer);
}
