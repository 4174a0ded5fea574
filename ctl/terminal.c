/* terminal.c - questions and the state of the terminal. The handler calls only what is safe in a handler. */
#include "base.h"

#include "terminal.h"

#include <signal.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

static volatile sig_atomic_t echo_is_off;
static struct termios saved_modes;
static const char *volatile farewell;
static volatile sig_atomic_t farewell_len;

static void
handle_end(int signal_number)
{
	ssize_t ignored UNUSED;

	if (echo_is_off)
		tcsetattr(STDIN_FILENO, TCSANOW, &saved_modes);
	if (farewell)
		ignored = write(STDERR_FILENO, farewell, (size_t)farewell_len);
	else if (echo_is_off)
		ignored = write(STDERR_FILENO, "\n", 1);
	_exit(128 + signal_number);
}

void
terminal_init(void)
{
	struct sigaction action = {.sa_handler = handle_end};

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	/* A reader that left is noticed when standard output is flushed. */
	signal(SIGPIPE, SIG_IGN);
}

void
terminal_set_farewell(const char *text)
{
	farewell = NULL;
	farewell_len = text ? (sig_atomic_t)strlen(text) : 0;
	farewell = text;
}

static char *
read_line(void)
{
	char *line = NULL;
	size_t size = 0;
	ssize_t len = getline(&line, &size, stdin);

	if (len < 0) {
		free(line);
		return NULL;
	}
	if (len > 0 && line[len - 1] == '\n')
		line[len - 1] = '\0';
	return line;
}

/* The echo is off before the question is there, so that no quick answer is shown or flushed away. */
static char *
read_secret(const char *question)
{
	struct termios modes;
	char *line;

	if (tcgetattr(STDIN_FILENO, &saved_modes) != 0)
		return NULL;
	modes = saved_modes;
	modes.c_lflag &= ~(tcflag_t)ECHO;
	echo_is_off = 1;
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &modes);
	fputs(question, stderr);
	line = read_line();
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &saved_modes);
	echo_is_off = 0;
	fputc('\n', stderr);
	return line;
}

void
terminal_read_keys(bool on)
{
	struct termios modes;

	if (!on && echo_is_off)
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &saved_modes);
	if (!on || tcgetattr(STDIN_FILENO, &saved_modes) != 0) {
		echo_is_off = 0;
		return;
	}
	modes = saved_modes;
	modes.c_lflag &= ~(tcflag_t)(ECHO | ICANON);
	echo_is_off = 1;
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &modes);
}

char *
terminal_ask(const char *question, bool secret)
{
	if (!isatty(STDIN_FILENO))
		return NULL;
	if (secret)
		return read_secret(question);
	fputs(question, stderr);
	return read_line();
}

bool
terminal_confirm(const char *question)
{
	char *answer = terminal_ask(question, false);
	bool yes = answer && (strcasecmp(answer, "y") == 0 || strcasecmp(answer, "yes") == 0);

	free(answer);
	return yes;
}

bool
terminal_can_redraw(int fd)
{
	const char *term = getenv("TERM");

	return isatty(fd) && term && *term && strcmp(term, "dumb") != 0;
}

void
terminal_size(int fd, int *columns_r, int *rows_r)
{
	struct winsize size = {0};

	if (ioctl(fd, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) {
		size.ws_col = 80;
		size.ws_row = 24;
	}
	*columns_r = size.ws_col;
	*rows_r = size.ws_row ? size.ws_row : 24;
}
