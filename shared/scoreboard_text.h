/*
 * scoreboard_text.h - the scoreboard for people and for programs. Its texts were written by other processes: they are cut
 * and cleaned. Nothing blocks.
 */
#ifndef AGENTD_SCOREBOARD_TEXT_H
#define AGENTD_SCOREBOARD_TEXT_H

#include "base.h"
#include "buf.h"
#include "json_write.h"
#include "scoreboard.h"

/* A table, a line a process. */
void scoreboard_text(const struct scoreboard *board, struct buf *out);
/* One JSON object and a newline. */
void scoreboard_json(const struct scoreboard *board, struct buf *out);
/* Only the array of processes. */
void scoreboard_write_processes(struct json_writer *writer, const struct scoreboard *board);

#endif
