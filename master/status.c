/*
 * status.c - see status.h. What is shown was written by other processes: text is cut and cleaned before it reaches a
 * terminal.
 */
#include "status.h"
#include "buf.h"
#include "clock.h"
#include "config.h"
#include "control.h"
#include "json_write.h"
#include "scoreboard.h"
#include "scoreboard_text.h"

#include <errno.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { EXIT_USAGE = 2, EVERY_MS = 1000 };

static const struct scoreboard *
open_board(const struct config *config, int *connection_r)
{
	const struct scoreboard *board = MAP_FAILED;
	struct stat status;
	int memory;

	*connection_r = control_connect(config->state_dir, &memory);
	if (*connection_r < 0) {
		fprintf(stderr,
		        "agentd: no agentd runs with the state folder %s: %s.\n"
		        "agentd: if it runs with another, set AGENTD_STATE_DIR to that.\n",
		        config->state_dir, strerror(errno));
		return NULL;
	}
	if (fstat(memory, &status) == 0 && status.st_size == sizeof(*board))
		board = mmap(NULL, sizeof(*board), PROT_READ, MAP_SHARED, memory, 0);
	close(memory);
	if (board != MAP_FAILED)
		return board;
	fputs("agentd: the agentd that runs here is of another version; ask with its own program.\n", stderr);
	close(*connection_r);
	return NULL;
}

/* Until the next look; false: the node has ended. */
static bool
wait_a_while(int connection)
{
	struct pollfd end = {.fd = connection, .events = POLLIN};

	return poll(&end, 1, EVERY_MS) == 0;
}

static int
show_live(const struct scoreboard *board, int connection)
{
	struct buf page = {0};

	do {
		page.len = 0;
		buf_add_text(&page, "\033[H\033[J");
		scoreboard_text(board, &page);
		buf_add_text(&page, "\nCtrl-C leaves.\n");
		fwrite(page.data, 1, page.len, stdout);
		fflush(stdout);
	} while (wait_a_while(connection));
	buf_free(&page);
	puts("The node has stopped.");
	return 0;
}

int
status_command(const struct config *config, int argc, char **argv)
{
	bool json = argc == 1 && strcmp(argv[0], "--json") == 0, once = argc == 1 && strcmp(argv[0], "--once") == 0;
	const struct scoreboard *board;
	struct buf page = {0};
	int connection;

	if (argc > 1 || (argc == 1 && !json && !once)) {
		fputs("usage: agentd status [--once | --json]\n", stderr);
		return EXIT_USAGE;
	}
	board = open_board(config, &connection);
	if (!board)
		return 1;
	if (!json && !once && isatty(STDOUT_FILENO))
		return show_live(board, connection);
	if (json)
		scoreboard_json(board, &page);
	else
		scoreboard_text(board, &page);
	fwrite(page.data, 1, page.len, stdout);
	buf_free(&page);
	return 0;
}
