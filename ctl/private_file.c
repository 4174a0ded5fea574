/* private_file.c - reading and replacing of small files that may hold secrets. */
#include "base.h"

#include "private_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static bool PRINTF_LIKE(2, 3) fail(char **why_r, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	INVARIANT(vasprintf(why_r, format, args) >= 0);
	va_end(args);
	return false;
}

void
private_file_wipe(char *text, size_t len)
{
	if (text)
		explicit_bzero(text, len);
	free(text);
}

static bool
check_private(int fd, const char *path, char **why_r)
{
	struct stat status;

	if (fstat(fd, &status) != 0)
		return fail(why_r, "%s: %s", path, strerror(errno));
	if (!S_ISREG(status.st_mode))
		return fail(why_r, "%s is not a regular file", path);
	if (status.st_uid != geteuid() && status.st_uid != 0)
		return fail(why_r, "%s belongs to another user", path);
	if (status.st_mode & 077)
		return fail(why_r, "others can read or change %s, which may hold a key; run: chmod 600 '%s'", path, path);
	return true;
}

static bool
read_all(int fd, const char *path, char **text_r, size_t *len_r, char **why_r)
{
	char *text = mem_alloc(PRIVATE_FILE_MAX + 2);
	size_t len = 0;
	ssize_t got;

	while (len <= PRIVATE_FILE_MAX && (got = read(fd, text + len, PRIVATE_FILE_MAX + 1 - len)) != 0) {
		if (got < 0 && errno != EINTR) {
			private_file_wipe(text, len);
			return fail(why_r, "%s: %s", path, strerror(errno));
		}
		len += got > 0 ? (size_t)got : 0;
	}
	if (len > PRIVATE_FILE_MAX) {
		private_file_wipe(text, len);
		return fail(why_r, "%s is larger than 1 MB", path);
	}
	text[len] = '\0';
	*text_r = text;
	*len_r = len;
	return true;
}

bool
private_file_read(const char *path, bool is_private, char **text_r, size_t *len_r, char **why_r)
{
	int fd = strcmp(path, "-") == 0 ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	bool done;

	*text_r = NULL;
	*len_r = 0;
	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR ? true : fail(why_r, "%s: %s", path, strerror(errno));
	done = (!is_private || check_private(fd, path, why_r)) && read_all(fd, path, text_r, len_r, why_r);
	close(fd);
	return done;
}

/* Makes the folders above path; what is there already is left as it is. */
static bool
make_folder(const char *path, char **why_r)
{
	char *copy = mem_string(path);

	for (char *slash = strchr(copy + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(copy, 0700) != 0 && errno != EEXIST) {
			fail(why_r, "cannot make the folder %s: %s", copy, strerror(errno));
			free(copy);
			return false;
		}
		*slash = '/';
	}
	free(copy);
	return true;
}

static bool
write_all(int fd, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t sent = write(fd, text, len);

		if (sent < 0 && errno != EINTR)
			return false;
		if (sent > 0) {
			text += sent;
			len -= (size_t)sent;
		}
	}
	return fsync(fd) == 0;
}

bool
private_file_replace(const char *path, const char *text, size_t len, char **why_r)
{
	/* A link to the file stays a link. */
	char *target = realpath(path, NULL), *draft = NULL;
	int fd, error = 0;

	if (!target)
		target = mem_string(path);
	INVARIANT(asprintf(&draft, "%s.XXXXXX", target) >= 0);
	if (!make_folder(target, why_r)) {
		free(draft);
		free(target);
		return false;
	}
	fd = mkostemp(draft, O_CLOEXEC); /* mode 0600 */
	if (fd < 0 || !write_all(fd, text, len) || rename(draft, target) != 0)
		error = errno;
	if (fd >= 0)
		close(fd);
	if (error && fd >= 0)
		unlink(draft);
	free(draft);
	free(target);
	return error ? fail(why_r, "%s: %s", path, strerror(error)) : true;
}

int
private_file_lock(const char *path, char **why_r)
{
	char *name = NULL;
	int fd, error;

	INVARIANT(asprintf(&name, "%s.lock", path) >= 0);
	fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	while (fd >= 0 && flock(fd, LOCK_EX) != 0 && errno == EINTR)
		continue;
	error = errno;
	if (fd < 0)
		fail(why_r, "%s: %s", name, strerror(error));
	free(name);
	return fd;
}
