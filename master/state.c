/* state.c - see state.h. */
#include "state.h"
#include "buf.h"
#include "crypto.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

bool
state_user_find(const char *name, struct state_user *user_r)
{
	const char *wanted = *name ? name : "agentd";
	struct passwd *entry;

	*user_r = (struct state_user){.uid = (uid_t)-1, .gid = (gid_t)-1};
	if (geteuid() != 0)
		return true;
	entry = getpwnam(wanted);
	if (!entry || entry->pw_uid == 0) {
		fprintf(stderr,
		        "agentd: started by root, but the user `%s` that should serve %s.\n"
		        "agentd: make it with `useradd --system --no-create-home %s`, or name another in AGENTD_USER.\n",
		        wanted, entry ? "is root itself" : "does not exist", entry ? "agentd" : wanted);
		return false;
	}
	user_r->uid = entry->pw_uid;
	user_r->gid = entry->pw_gid;
	snprintf(user_r->name, sizeof(user_r->name), "%s", entry->pw_name);
	snprintf(user_r->home, sizeof(user_r->home), "%s", entry->pw_dir);
	return true;
}

char *
state_folder(const char *path, const struct state_user *user)
{
	char *folder;

	if (mkdir(path, 0700) != 0 && errno != EEXIST) {
		fprintf(stderr, "agentd: cannot make the state folder %s: %s. AGENTD_STATE_DIR names another.\n", path,
		        strerror(errno));
		return NULL;
	}
	folder = realpath(path, NULL);
	if (!folder || access(folder, R_OK | W_OK | X_OK) != 0) {
		fprintf(stderr, "agentd: cannot use the state folder %s: %s. AGENTD_STATE_DIR names another.\n", path,
		        strerror(errno));
		free(folder);
		return NULL;
	}
	if (user->uid != (uid_t)-1 && chown(folder, user->uid, user->gid) != 0) {
		fprintf(stderr, "agentd: cannot give the state folder %s to user %s: %s\n", folder, user->name,
		        strerror(errno));
		free(folder);
		return NULL;
	}
	return folder;
}

static char *
path_of(const char *folder, const char *name)
{
	struct buf path = {0};

	buf_printf(&path, "%s/%s", folder, name);
	buf_add_byte(&path, '\0');
	return path.data;
}

int
state_lock(const char *folder)
{
	char *path = path_of(folder, "lock");
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	char pid[16] = "";

	free(path);
	if (fd < 0) {
		fprintf(stderr, "agentd: cannot open the lock in %s: %s\n", folder, strerror(errno));
		return -1;
	}
	if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		(void)!read(fd, pid, sizeof(pid) - 1);
		fprintf(stderr,
		        "agentd: another agentd (pid %.*s) uses the state folder %s.\n"
		        "agentd: stop it, or give this one its own AGENTD_STATE_DIR.\n",
		        (int)strcspn(pid, "\n"), pid, folder);
		close(fd);
		return -1;
	}
	snprintf(pid, sizeof(pid), "%d\n", (int)getpid());
	if (ftruncate(fd, 0) != 0 || write(fd, pid, strlen(pid)) < 0)
		fprintf(stderr, "agentd: cannot write the lock in %s: %s\n", folder, strerror(errno));
	return fd;
}

bool
state_write(const char *folder, const char *name, const char *text)
{
	char *path = path_of(folder, name);
	char *fresh = path_of(path, ".new");
	bool done = false;
	int fd;

	fresh[strlen(path)] = '-';
	if (!text) {
		done = unlink(path) == 0 || errno == ENOENT;
	} else if ((fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600)) >= 0) {
		done = write(fd, text, strlen(text)) == (ssize_t)strlen(text) && fsync(fd) == 0;
		close(fd);
		done = done && rename(fresh, path) == 0;
	}
	if (!done)
		fprintf(stderr, "agentd: cannot write %s: %s\n", path, strerror(errno));
	free(fresh);
	free(path);
	return done;
}

bool
state_read(const char *folder, const char *name, char *out, size_t size)
{
	char *path = path_of(folder, name);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	ssize_t length = fd < 0 ? -1 : read(fd, out, size - 1);

	if (fd >= 0)
		close(fd);
	free(path);
	out[length > 0 ? length : 0] = '\0';
	out[strcspn(out, "\n")] = '\0';
	return length > 0;
}

char *
state_secret(const char *folder)
{
	struct buf text = {0};
	uint8_t random[32];
	char known[128];

	if (state_read(folder, "secret", known, sizeof(known)) && strlen(known) >= 32)
		return mem_string(known);
	crypto_random(random, sizeof(random));
	crypto_base64url_encode(&text, (struct slice){(const char *)random, sizeof(random)});
	buf_add_byte(&text, '\0');
	if (!state_write(folder, "secret", text.data)) {
		buf_free(&text);
		return NULL;
	}
	return text.data;
}
