/*
 * test_log.c - the log: the two line forms, hostile values, bounds, rotation by several processes, a reader that is
 * slow.
 */
#include "base.h"

#include "log.h"

#include "clock.h"
#include "context.h"
#include "log_levels.h"

#include <errno.h>
#include <fcntl.h>
#include <pty.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { LINE_MAX_BYTES = 8192 };

static char folder[64];
static char log_path[96];
static _Atomic int64_t *clock_offset_us;

static const char *
path_of(int backup)
{
	static char path[128];

	if (backup == 0)
		return log_path;
	snprintf(path, sizeof(path), "%s.%d", log_path, backup);
	return path;
}

static bool
exists(int backup)
{
	return access(path_of(backup), F_OK) == 0;
}

/* The whole file, with a NUL behind; to be freed. */
static char *
content(int backup)
{
	FILE *file = fopen(path_of(backup), "r");
	size_t length;
	char *text = mem_alloc(1 << 20);

	assert_non_null(file);
	length = fread(text, 1, (1 << 20) - 1, file);
	fclose(file);
	text[length] = '\0';
	return text;
}

static void
remove_logs(void)
{
	for (int i = 0; i < 200; i++)
		unlink(path_of(i));
}

static void
open_log(enum log_level level, bool json, int64_t max_bytes, int backups)
{
	remove_logs();
	assert_true(log_open(&(struct log_options){level, json, log_path, max_bytes, backups}));
	log_set_process("worker-0");
}

static void
assert_rfc3339(const char *text)
{
	static const char shape[] = "dddd-dd-ddTdd:dd:dd.ddddddZ";

	for (size_t i = 0; shape[i]; i++)
		assert_true(shape[i] == 'd' ? text[i] >= '0' && text[i] <= '9' : text[i] == shape[i]);
}

/* One line, newline at its end only, no other control character, strings closed and escapes complete. */
static void
assert_whole_json(const char *line)
{
	size_t length = strlen(line);
	bool inside = false;

	assert_true(length > 2 && length <= LINE_MAX_BYTES);
	assert_true(line[0] == '{' && strcmp(line + length - 2, "}\n") == 0);
	for (size_t i = 0; i < length - 1; i++) {
		assert_true((unsigned char)line[i] >= 0x20 && line[i] != 0x7f);
		if (inside && line[i] == '\\' && line[i + 1] == 'u')
			assert_int_equal(strspn(line + i + 2, "0123456789abcdef") >= 4, true);
		if (inside && line[i] == '\\')
			i++;
		else if (line[i] == '"')
			inside = !inside;
	}
	assert_false(inside);
}

static void
assert_contains(const char *text, const char *part)
{
	if (strstr(text, part))
		return;
	print_error("\"%s\" is missing in: ", part);
	fputs(text, stderr);
	fail();
}

static void
test_json_line(UNUSED void **state)
{
	char expected[256];
	char *text;

	open_log(LOG_LEVEL_INFO, true, 0, 0);
	log_warning("worker", "ready", LOG_INT("slot", -3), LOG_TEXT("address", "[::1]:80"),
	            LOG_SLICE("part", SLICE("a\"b")), LOG_TEXT("none", NULL), LOG_TEXT("empty", ""));
	text = content(0);
	assert_memory_equal(text, "{\"time\":\"", 9);
	assert_rfc3339(text + 9);
	snprintf(
	    expected, sizeof(expected),
	    "\",\"level\":\"warning\",\"category\":\"worker\",\"process\":\"worker-0\",\"pid\":%ld,\"message\":\"ready\","
	    "\"slot\":-3,\"address\":\"[::1]:80\",\"part\":\"a\\\"b\",\"none\":null,\"empty\":\"\"}\n",
	    (long)getpid());
	assert_string_equal(text + 9 + 27, expected);
	free(text);
}

static void
test_text_line(UNUSED void **state)
{
	char *text;

	open_log(LOG_LEVEL_DEBUG, false, 0, 0);
	log_info("worker", "task done", LOG_TEXT("name", "value"), LOG_INT("count", 12));
	log_warning("worker", "odd", LOG_TEXT("a", "two words"), LOG_TEXT("b", "x=y"), LOG_TEXT("c", "q\"q"),
	            LOG_TEXT("d", ""), LOG_TEXT("e", NULL));
	text = content(0);
	assert_rfc3339(text);
	assert_contains(text, "Z INFO  worker-0  worker     task done                        name=value count=12\n");
	assert_contains(text, "Z WARN  worker-0  worker     odd                              a=\"two words\" b=\"x=y\" "
	                      "c=\"q\\\"q\" d=\"\" e=null\n");
	free(text);
}

static void
test_levels(UNUSED void **state)
{
	char *text;

	open_log(LOG_LEVEL_WARNING, true, 0, 0);
	assert_false(log_enabled(LOG_LEVEL_INFO, "c"));
	assert_true(log_enabled(LOG_LEVEL_WARNING, "c"));
	log_debug("c", "one");
	log_info("c", "two");
	log_warning("c", "three");
	log_error("c", "four");
	text = content(0);
	assert_null(strstr(text, "one"));
	assert_null(strstr(text, "two"));
	assert_contains(text, "\"level\":\"warning\"");
	assert_contains(text, "\"level\":\"error\"");
	free(text);
}

static void
test_levels_of_categories(UNUSED void **state)
{
	struct buf why = {0};
	char *text;

	open_log(LOG_LEVEL_ERROR, true, 0, 0);
	log_set_levels(log_levels_of(LOG_LEVEL_WARNING, "database=debug,http=ERROR,from_the_future=debug"));
	log_debug("database", "one");
	log_warning("http", "two");
	log_info("worker", "three");
	log_warning("worker", "four");
	log_debug("nothing known", "five");
	log_warning("nothing known", "six");
	text = content(0);
	assert_contains(text, "one");
	assert_contains(text, "four");
	assert_contains(text, "six");
	assert_null(strstr(text, "two"));
	assert_null(strstr(text, "three"));
	assert_null(strstr(text, "five"));
	free(text);
	assert_true(log_levels_check("", &why));
	assert_true(log_levels_check("database=debug,http=warning", &why));
	assert_int_equal(why.len, 0);
	assert_false(log_levels_check("database=debug,nonsense=info,http", &why));
	buf_add_byte(&why, '\0');
	assert_contains(why.data, "has \"nonsense=info\"");
	assert_contains(why.data, ", trace or worker");
	buf_free(&why);
	assert_false(log_levels_check("database=loud", &why));
	assert_false(log_levels_check("database", &why));
	assert_false(log_levels_check("database=", &why));
	buf_free(&why);
}

/* Ids of the request and of the trace, once, and gone with the request. */
static void
test_context(UNUSED void **state)
{
	struct context context = {.id_length = 3, .id = "r-1"};
	char *text;

	open_log(LOG_LEVEL_INFO, true, 0, 0);
	assert_true(trace_parse(SLICE("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"), &context.trace));
	assert_null(context_enter(&context));
	log_info("c", "inside", LOG_INT("n", 1));
	log_info("c", "own", LOG_TEXT("request_id", "other"));
	assert_ptr_equal(context_enter(NULL), &context);
	log_info("c", "outside");
	text = content(0);
	assert_contains(text,
	                "\"inside\",\"n\":1,\"request_id\":\"r-1\",\"trace_id\":\"4bf92f3577b34da6a3ce929d0e0e4736\"}\n");
	assert_contains(text, "\"own\",\"request_id\":\"other\"}\n");
	assert_contains(text, "\"outside\"}\n");
	free(text);
}

/* What an attacker sends: line ends, terminal commands (ESC, DEL, C1), bytes that are not UTF-8, a NUL. */
#define HOSTILE                                       \
	"x\n{\"level\":\"error\"}\r\n\x1b[2J\x7f\xc2\x9b" \
	"31m\xff\xc0\xaf\xed\xa0\x80\0end"

static void
test_injection_into_json(UNUSED void **state)
{
	char *text;

	open_log(LOG_LEVEL_INFO, true, 0, 0);
	log_info("http", "refused\nby {\"me\"}", LOG_SLICE("path", SLICE(HOSTILE)),
	         LOG_TEXT("forged", "\",\"level\":\"error"));
	text = content(0);
	assert_whole_json(text);
	assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
	assert_contains(text, "\"message\":\"refused\\nby {\\\"me\\\"}\"");
	assert_contains(text, "\"path\":\"x\\n{\\\"level\\\":\\\"error\\\"}\\r\\n\\u001b[2J???31m\xef\xbf\xbd\xef\xbf\xbd");
	assert_contains(text, "\\u0000end\"");
	assert_contains(text, "\"forged\":\"\\\",\\\"level\\\":\\\"error\"}");
	for (const char *at = text; *at; at++)
		assert_false(*at == '\x1b' || *at == '\xff' || *at == '\xc0' || *at == '\xed' || *at == '\xc2');
	free(text);
}

static void
test_injection_into_text(UNUSED void **state)
{
	char *text;

	open_log(LOG_LEVEL_INFO, false, 0, 0);
	log_info("http", "refused\nby me", LOG_SLICE("path", SLICE(HOSTILE)), LOG_TEXT("forged", "a level=error"));
	text = content(0);
	assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
	for (const char *at = text; at[1]; at++)
		assert_true((unsigned char)*at >= 0x20 && *at != 0x7f && *at != '\xc2' && *at != '\xff');
	assert_contains(text, " refused\\nby me                   path=\"x\\n{");
	assert_contains(text, " forged=\"a level=error\"\n");
	free(text);
}

/* Each kind of character, so long that the bound falls on every place inside it. */
static void
test_long_values_are_cut(UNUSED void **state)
{
	static const char *const units[] = {"a",    "\n",   "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80",
	                                    "\xff", "\x80", "\x01"};

	for (size_t i = 0; i < ARRAY_LENGTH(units); i++) {
		for (size_t lead = 0; lead < 6; lead++) {
			size_t unit = strlen(units[i]), length = lead + 9000 * unit;
			char *value = mem_alloc(length), *text;

			memset(value, 'b', lead);
			for (size_t at = lead; at < length; at += unit)
				memcpy(value + at, units[i], unit);
			open_log(LOG_LEVEL_INFO, true, 0, 0);
			log_info("c", "m", LOG_SLICE("value", ((struct slice){value, length})), LOG_INT("after", 1));
			text = content(0);
			assert_whole_json(text);
			assert_contains(text, ",\"truncated\":true}\n");
			/* Much is kept, and a character is either whole or gone. */
			assert_true(strlen(text) > LINE_MAX_BYTES - 200);
			if ((unsigned char)units[i][0] >= 0xc3 && unit > 1)
				assert_null(strstr(text, "\xef\xbf\xbd"));
			free(text);
			free(value);
		}
	}
}

static void
test_long_lines_in_text_form(UNUSED void **state)
{
	static char value[9000];
	char *text;

	memset(value, 'v', sizeof(value) - 1);
	open_log(LOG_LEVEL_INFO, false, 0, 0);
	log_info("c", value, LOG_TEXT("name", value), LOG_INT("after", 1));
	text = content(0);
	assert_true(strlen(text) <= LINE_MAX_BYTES);
	assert_contains(text, " truncated=true\n");
	assert_contains(text, "c          vvvv");
	free(text);
}

static void
test_lines_that_just_fit_are_whole(UNUSED void **state)
{
	static char value[7900];
	char *text;

	memset(value, 'v', sizeof(value) - 1);
	open_log(LOG_LEVEL_INFO, true, 0, 0);
	log_info("c", "m", LOG_TEXT("value", value), LOG_INT("after", 1));
	text = content(0);
	assert_whole_json(text);
	assert_contains(text, value);
	assert_contains(text, "\"after\":1}\n");
	free(text);
}

static void
test_errno_is_kept(UNUSED void **state)
{
	open_log(LOG_LEVEL_INFO, true, 100, 2);
	for (int i = 0; i < 4; i++) {
		errno = EXDEV;
		log_info("c", "m");
		assert_int_equal(errno, EXDEV);
	}
}

static void
test_rotation_keeps_the_newest(UNUSED void **state)
{
	char *newest, *oldest;

	open_log(LOG_LEVEL_INFO, true, 1000, 3);
	for (int i = 0; i < 100; i++)
		log_info("c", "m", LOG_INT("number", i));
	for (int i = 0; i <= 3; i++) {
		struct stat status;

		assert_int_equal(stat(path_of(i), &status), 0);
		assert_true(status.st_size > 0 && status.st_size <= 1000);
	}
	assert_false(exists(4));
	newest = content(0);
	oldest = content(3);
	assert_contains(newest, "\"number\":99}");
	assert_null(strstr(oldest, "\"number\":0}"));
	free(newest);
	free(oldest);
}

static void
test_rotation_without_backups(UNUSED void **state)
{
	struct stat status;

	open_log(LOG_LEVEL_INFO, true, 1000, 0);
	for (int i = 0; i < 50; i++)
		log_info("c", "m", LOG_INT("number", i));
	assert_int_equal(stat(path_of(0), &status), 0);
	assert_true(status.st_size > 0 && status.st_size <= 1000);
	assert_false(exists(1));
}

static void
test_no_rotation_without_a_bound(UNUSED void **state)
{
	char *text;

	open_log(LOG_LEVEL_INFO, true, 0, 3);
	for (int i = 0; i < 100; i++)
		log_info("c", "m", LOG_INT("number", i));
	text = content(0);
	assert_contains(text, "\"number\":0}");
	assert_contains(text, "\"number\":99}");
	assert_false(exists(1));
	free(text);
}

enum { WRITERS = 2, LINES_EACH = 400, ROTATED_MAX = 150 };

/* A child that logs its numbers; both start when the pipe closes. */
static pid_t
start_writer(int writer, const int gate[2])
{
	pid_t pid = fork();
	char name[32], byte;

	if (pid != 0)
		return pid;
	close(gate[1]);
	snprintf(name, sizeof(name), "worker-%d", writer);
	log_set_process(name);
	if (read(gate[0], &byte, 1) != 0)
		_exit(1);
	for (int i = 0; i < LINES_EACH; i++)
		log_info("c", "m", LOG_INT("id", writer * LINES_EACH + i));
	_exit(0);
}

static void
count_ids(char *text, int seen[WRITERS * LINES_EACH])
{
	char *rest = text;

	for (char *line = strsep(&rest, "\n"); line && *line; line = strsep(&rest, "\n")) {
		char *at = strstr(line, "\"id\":"), *end;
		long id;

		assert_non_null(at);
		assert_int_equal(strncmp(line, "{\"time\":\"", 9), 0);
		id = strtol(at + 5, &end, 10);
		assert_string_equal(end, "}");
		assert_true(id >= 0 && id < WRITERS * LINES_EACH);
		seen[id]++;
	}
}

static void
test_two_processes_rotate_one_file(UNUSED void **state)
{
	static int seen[WRITERS * LINES_EACH];
	int gate[2], status, files;
	pid_t writers[WRITERS];

	open_log(LOG_LEVEL_INFO, true, 4096, ROTATED_MAX);
	assert_int_equal(pipe(gate), 0);
	for (int i = 0; i < WRITERS; i++)
		writers[i] = start_writer(i, gate);
	close(gate[0]);
	close(gate[1]);
	for (int i = 0; i < WRITERS; i++) {
		assert_int_equal(waitpid(writers[i], &status, 0), writers[i]);
		assert_int_equal(status, 0);
	}
	for (files = 0; exists(files); files++) {
		char *text = content(files);

		count_ids(text, seen);
		free(text);
	}
	/* A new file only for a full one, and each line there exactly once. How many files is left to the scheduler: while
	 * one rotates, the other goes on with the old file. */
	assert_in_range(files, 2, WRITERS * LINES_EACH * 160 / 4096 + 10);
	for (int i = 0; i < WRITERS * LINES_EACH; i++)
		assert_int_equal(seen[i], 1);
}

/* A process that still has the file that another one rotated goes to the new file, and does not rotate that too. */
static void
test_rotation_by_another_process_is_followed(UNUSED void **state)
{
	int gate[2], status;
	char byte, *text;
	pid_t follower;

	open_log(LOG_LEVEL_INFO, true, 1000, 3);
	assert_int_equal(pipe(gate), 0);
	follower = fork();
	if (follower == 0) {
		close(gate[1]);
		if (read(gate[0], &byte, 1) != 0)
			_exit(1);
		log_info("c", "from the follower");
		_exit(0);
	}
	while (!exists(1))
		log_info("c", "from the one that rotates");
	close(gate[0]);
	close(gate[1]);
	assert_int_equal(waitpid(follower, &status, 0), follower);
	assert_int_equal(status, 0);
	text = content(0);
	assert_contains(text, "from the follower");
	assert_false(exists(2));
	free(text);
}

static void
test_rotation_is_left_to_who_has_the_lock(UNUSED void **state)
{
	char *text;
	int other;

	open_log(LOG_LEVEL_INFO, true, 200, 3);
	log_info("c", "first");
	other = open(log_path, O_RDONLY);
	assert_int_equal(flock(other, LOCK_EX), 0);
	log_info("c", "second");
	assert_false(exists(1));
	text = content(0);
	assert_contains(text, "second");
	free(text);
	close(other);
	log_info("c", "third");
	assert_true(exists(1));
	text = content(0);
	assert_contains(text, "third");
	assert_null(strstr(text, "second"));
	free(text);
}

static void
test_removed_file_is_made_again(UNUSED void **state)
{
	char *text;

	open_log(LOG_LEVEL_INFO, true, 0, 0);
	log_info("c", "before");
	assert_int_equal(unlink(log_path), 0);
	log_info("c", "after");
	text = content(0);
	assert_contains(text, "\"message\":\"after\"");
	free(text);
}

static void
test_renamed_file_is_noticed_within_a_second(UNUSED void **state)
{
	char *text;

	open_log(LOG_LEVEL_INFO, true, 0, 0);
	log_info("c", "before");
	assert_int_equal(rename(log_path, path_of(1)), 0);
	*clock_offset_us += 1000000;
	log_info("c", "after");
	text = content(0);
	assert_contains(text, "\"message\":\"after\"");
	assert_null(strstr(text, "before"));
	free(text);
}

/* Gives standard error to fd until restore_stderr(); returns what it was. */
static int
swap_stderr(int fd)
{
	int saved = dup(STDERR_FILENO);

	assert_true(saved >= 0);
	assert_int_equal(dup2(fd, STDERR_FILENO), STDERR_FILENO);
	return saved;
}

static void
restore_stderr(int saved)
{
	assert_int_equal(dup2(saved, STDERR_FILENO), STDERR_FILENO);
	close(saved);
}

static size_t
read_lines(int fd, char *text, size_t size)
{
	size_t lines = 0, length = 0;
	ssize_t got;

	while ((got = recv(fd, text + length, size - 1 - length, MSG_DONTWAIT)) > 0 ||
	       (errno == ENOTSOCK && (got = read(fd, text + length, size - 1 - length)) > 0))
		length += (size_t)got;
	text[length] = '\0';
	for (size_t i = 0; i < length; i++)
		lines += text[i] == '\n';
	return lines;
}

/* A reader that does not read: logging goes on at once, and the next line that gets through says what was lost. */
static void
assert_gives_up(int reader, int writer, int lines)
{
	static char text[1 << 20];
	char expected[64];
	int saved = swap_stderr(writer);
	size_t kept;

	assert_true(log_open(&(struct log_options){LOG_LEVEL_INFO, true, NULL, 0, 0}));
	for (int i = 0; i < lines; i++)
		log_info("c", "m", LOG_INT("number", i));
	kept = read_lines(reader, text, sizeof(text));
	log_info("c", "again");
	restore_stderr(saved);
	assert_in_range(kept, 1, lines - 1);
	snprintf(expected, sizeof(expected), "\"message\":\"again\",\"lost\":%zu}\n", (size_t)lines - kept);
	assert_int_equal(read_lines(reader, text, sizeof(text)), 1);
	assert_contains(text, expected);
	close(reader);
	close(writer);
}

static void
test_full_pipe_is_given_up(UNUSED void **state)
{
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	assert_true(fcntl(ends[1], F_SETPIPE_SZ, 4096) >= 0);
	assert_int_equal(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
	assert_gives_up(ends[0], ends[1], 200);
}

static void
test_full_socket_is_given_up(UNUSED void **state)
{
	int ends[2], size = 4096;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	assert_int_equal(setsockopt(ends[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)), 0);
	assert_gives_up(ends[0], ends[1], 2000);
}

/* SIGPIPE, which would end the process, is at its default here. */
static void
test_reader_that_left_ends_nobody(UNUSED void **state)
{
	int ends[2][2];

	assert_int_equal(pipe(ends[0]), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends[1]), 0);
	for (int i = 0; i < 2; i++) {
		int saved = swap_stderr(ends[i][1]);
		bool opened = log_open(&(struct log_options){LOG_LEVEL_INFO, true, NULL, 0, 0});

		close(ends[i][0]);
		log_info("c", "nobody reads this");
		restore_stderr(saved);
		close(ends[i][1]);
		assert_true(opened);
	}
	open_log(LOG_LEVEL_INFO, true, 0, 0);
	log_info("c", "alive");
	assert_true(exists(0));
}

static void
test_lines_on_a_pipe_are_written_in_one_piece(UNUSED void **state)
{
	static char value[9000], text[1 << 16];
	int ends[2], saved;

	memset(value, 'v', sizeof(value) - 1);
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
	saved = swap_stderr(ends[1]);
	assert_true(log_open(&(struct log_options){LOG_LEVEL_INFO, true, "", 0, 0}));
	log_info("c", "m", LOG_TEXT("value", value));
	restore_stderr(saved);
	assert_int_equal(read_lines(ends[0], text, sizeof(text)), 1);
	assert_whole_json(text);
	assert_true(strlen(text) <= 4096);
	/* The pipe of everybody else was not made non-blocking. */
	assert_int_equal(fcntl(ends[1], F_GETFL) & O_NONBLOCK, 0);
	close(ends[0]);
	close(ends[1]);
}

static void
test_file_that_cannot_be_opened(UNUSED void **state)
{
	static char text[4096];
	int ends[2], saved;

	assert_int_equal(pipe(ends), 0);
	assert_int_equal(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
	saved = swap_stderr(ends[1]);
	errno = 0;
	assert_false(log_open(&(struct log_options){LOG_LEVEL_INFO, true, "/nowhere/at/all", 0, 0}));
	assert_int_equal(errno, ENOENT);
	log_info("c", "still here");
	restore_stderr(saved);
	assert_int_equal(read_lines(ends[0], text, sizeof(text)), 1);
	assert_contains(text, "still here");
	close(ends[0]);
	close(ends[1]);
}

/* A disk that is full takes the beginning of a line. The next that is written stands by itself and says what was lost.
 */
static void
test_full_disk(UNUSED void **state)
{
	struct rlimit unlimited, full;
	struct stat status;
	char *text, *second;

	signal(SIGXFSZ, SIG_IGN);
	open_log(LOG_LEVEL_INFO, true, 0, 0);
	log_info("c", "before");
	assert_int_equal(stat(log_path, &status), 0);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &unlimited), 0);
	full = (struct rlimit){(rlim_t)status.st_size + 20, unlimited.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &full), 0);
	for (int i = 0; i < 5; i++)
		log_info("c", "lost");
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &unlimited), 0);
	log_info("c", "after");
	log_info("c", "later");
	text = content(0);
	second = strchr(text, '\n') + 1;
	assert_int_equal(strcspn(second, "\n"), 20);
	second = strchr(second, '\n') + 1;
	assert_int_equal(strncmp(second, "{\"time\"", 7), 0);
	assert_contains(second, "\"message\":\"after\",\"lost\":5}\n{\"time\"");
	assert_contains(second, "\"message\":\"later\"}\n");
	free(text);
}

static void
test_many_lines_together(UNUSED void **state)
{
	static char text[1 << 17];
	struct buf lines = {0};
	char *written, *at;
	int ends[2], saved, count = 0;

	assert_int_equal(pipe(ends), 0);
	assert_true(fcntl(ends[1], F_SETPIPE_SZ, 1 << 16) >= 0);
	assert_int_equal(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
	saved = swap_stderr(ends[1]);
	assert_true(log_open(&(struct log_options){LOG_LEVEL_INFO, true, "", 0, 0}));
	for (int i = 0; i < 100; i++)
		log_add(&lines, LOG_LEVEL_INFO, "c", "m", (struct log_field[]){LOG_INT("number", i), {0}});
	assert_true(lines.len > 8192);
	log_send(&lines);
	assert_int_equal(lines.len, 0);
	restore_stderr(saved);
	assert_int_equal(read_lines(ends[0], text, sizeof(text)), 100);
	written = text;
	for (char *line = strsep(&written, "\n"); line && *line; line = strsep(&written, "\n"), count++) {
		at = strstr(line, "\"number\":");
		assert_non_null(at);
		assert_int_equal(strtol(at + 9, NULL, 10), count);
	}
	assert_int_equal(count, 100);
	buf_free(&lines);
	close(ends[0]);
	close(ends[1]);
}

static void
assert_on_terminal(bool json, bool colours)
{
	static char text[4096];
	int ends[2], saved;
	ssize_t length;

	assert_int_equal(openpty(&ends[0], &ends[1], NULL, NULL, NULL), 0);
	saved = swap_stderr(ends[1]);
	assert_true(log_open(&(struct log_options){LOG_LEVEL_INFO, json, "", 0, 0}));
	log_warning("worker", "odd", LOG_TEXT("a", "b"));
	restore_stderr(saved);
	length = read(ends[0], text, sizeof(text) - 1);
	assert_true(length > 0);
	text[length] = '\0';
	assert_int_equal(strchr(text, '\033') != NULL, colours);
	assert_non_null(strstr(text, colours ? "\033[33mWARN \033[0m"
	                             : json  ? "\"level\":\"warning\""
	                                     : " WARN  worker-0"));
	close(ends[0]);
	close(ends[1]);
}

static void
test_colours_on_a_terminal_only(UNUSED void **state)
{
	unsetenv("NO_COLOR");
	setenv("TERM", "xterm", 1);
	assert_on_terminal(false, true);
	assert_on_terminal(true, false);
	setenv("NO_COLOR", "", 1);
	assert_on_terminal(false, true);
	setenv("NO_COLOR", "1", 1);
	assert_on_terminal(false, false);
	unsetenv("NO_COLOR");
	setenv("TERM", "dumb", 1);
	assert_on_terminal(false, false);
	setenv("TERM", "xterm", 1);
	assert_true(log_open(&(struct log_options){LOG_LEVEL_INFO, false, log_path, 0, 0}));
	log_info("c", "m");
}

static void
test_reopened(UNUSED void **state)
{
	char *text;

	open_log(LOG_LEVEL_INFO, true, 0, 0);
	log_info("c", "before");
	assert_int_equal(rename(log_path, path_of(1)), 0);
	log_info("c", "not noticed yet");
	log_reopen();
	log_info("c", "after");
	text = content(0);
	assert_contains(text, "after");
	assert_null(strstr(text, "noticed"));
	free(text);
}

static int
set_up(UNUSED void **state)
{
	char path[96];
	int64_t zero = 0;
	FILE *file;
	int fd;

	snprintf(folder, sizeof(folder), "/tmp/test_log.XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	snprintf(log_path, sizeof(log_path), "%s/log", folder);
	snprintf(path, sizeof(path), "%s/clock", folder);
	file = fopen(path, "w");
	if (!file || fwrite(&zero, sizeof(zero), 1, file) != 1 || fclose(file) != 0 || !clock_use_offset_file(path))
		return -1;
	fd = open(path, O_RDWR);
	clock_offset_us = mmap(NULL, sizeof(zero), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	unlink(path);
	return clock_offset_us == MAP_FAILED ? -1 : 0;
}

static int
tear_down(UNUSED void **state)
{
	remove_logs();
	return rmdir(folder);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_json_line),
	    cmocka_unit_test(test_text_line),
	    cmocka_unit_test(test_levels),
	    cmocka_unit_test(test_levels_of_categories),
	    cmocka_unit_test(test_context),
	    cmocka_unit_test(test_full_disk),
	    cmocka_unit_test(test_many_lines_together),
	    cmocka_unit_test(test_colours_on_a_terminal_only),
	    cmocka_unit_test(test_reopened),
	    cmocka_unit_test(test_injection_into_json),
	    cmocka_unit_test(test_injection_into_text),
	    cmocka_unit_test(test_long_values_are_cut),
	    cmocka_unit_test(test_long_lines_in_text_form),
	    cmocka_unit_test(test_lines_that_just_fit_are_whole),
	    cmocka_unit_test(test_errno_is_kept),
	    cmocka_unit_test(test_rotation_keeps_the_newest),
	    cmocka_unit_test(test_rotation_without_backups),
	    cmocka_unit_test(test_no_rotation_without_a_bound),
	    cmocka_unit_test(test_two_processes_rotate_one_file),
	    cmocka_unit_test(test_rotation_by_another_process_is_followed),
	    cmocka_unit_test(test_rotation_is_left_to_who_has_the_lock),
	    cmocka_unit_test(test_removed_file_is_made_again),
	    cmocka_unit_test(test_renamed_file_is_noticed_within_a_second),
	    cmocka_unit_test(test_full_pipe_is_given_up),
	    cmocka_unit_test(test_full_socket_is_given_up),
	    cmocka_unit_test(test_reader_that_left_ends_nobody),
	    cmocka_unit_test(test_lines_on_a_pipe_are_written_in_one_piece),
	    cmocka_unit_test(test_file_that_cannot_be_opened),
	};

	return cmocka_run_group_tests_name("log", tests, set_up, tear_down);
}
