/*
 * child.h - one running command: its process group and its three pipes. Nothing here blocks.
 *
 * The command is /bin/sh -c COMMAND in a process group of its own. Its input is written, its output collected (at most
 * CHILD_OUTPUT_MAX bytes), its standard error passed on line by line and its end kept. When the shell ends, what is
 * left of its group is killed.
 */
#ifndef AGENTCTL_CHILD_H
#define AGENTCTL_CHILD_H

#include "base.h"
#include "guard.h"

#include <curl/curl.h>
#include <sys/types.h>

enum { CHILD_OUTPUT_MAX = 1000000, CHILD_TAIL_MAX = 4096, CHILD_LINE_MAX = 1024, CHILD_PIPES = 3 };

struct child {
	pid_t pid;        /* also the process group; 0: none */
	int in, out, err; /* -1: closed */
	char *input;
	size_t input_len;
	size_t input_sent;
	FILE *stream; /* collects into output */
	char *output;
	size_t output_len;
	bool too_large;
	bool ended;
	int status;      /* of waitpid(), once ended */
	char prefix[16]; /* of its lines on our standard error */
	bool escape;     /* those lines go to a terminal */
	char line[CHILD_LINE_MAX];
	size_t line_len;
	char tail[CHILD_TAIL_MAX]; /* the end of its standard error */
	size_t tail_len;
};

/*
 * Starts command with environment (NULL-terminated). input is taken over. False: errno says why. *child_r needs
 * child_free() in both cases.
 */
MUST_CHECK bool child_start(struct child *child_r, const char *command, char **environment, char *input);
/* Moves what can be moved and notices the end; afterwards child->ended tells. The guard forgets an ended group. */
void child_pump(struct child *child, const struct guard *guard);
/* Sends a signal to the whole group, if it still runs. */
void child_signal(const struct child *child, int signal_number);
/* The descriptors to wait for; returns how many. */
unsigned child_wait_fds(const struct child *child, struct curl_waitfd fds[CHILD_PIPES]);
void child_free(struct child *child);

#endif
