/* landlock.c - see landlock.h. The C library has no functions for these calls, and old headers lack the newer rights.
 */
#include "landlock.h"
#include "buf.h"
#include "config.h"
#include "database.h"
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <linux/landlock.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* struct landlock_ruleset_attr of the newest version that is used here: an older kernel takes it, if the rest is 0. */
struct ruleset {
	uint64_t files, net, scope;
};

enum {
	VERSION_REFER = 2,
	VERSION_TRUNCATE = 3,
	VERSION_NET = 4,
	VERSION_IOCTL = 5,
	VERSION_SCOPE = 6,
	TRUNCATE = 1 << 14,
	IOCTL_DEVICE = 1 << 15,
	FIRST_RIGHTS = (1 << 13) - 1, /* all of version 1 */
	BIND_TCP = 1,
	SCOPE_ABSTRACT_SOCKET = 1,
	SCOPE_SIGNAL = 2,
	READ = LANDLOCK_ACCESS_FS_READ_FILE,
	LIST = LANDLOCK_ACCESS_FS_READ_DIR,
	WRITE = LANDLOCK_ACCESS_FS_WRITE_FILE,
	REPLACE = LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_REMOVE_FILE
};

/* Whole folders: a file that is replaced would be another one. Names of hosts, certificates, zones, /proc/stat. */
static const char *const readable[] = {"/etc", "/usr",         "/lib",        "/lib64",        "/proc",
                                       "/sys", "/dev/urandom", "/dev/random", "/proc/self/exe"};

struct fence {
	int ruleset;
	uint64_t known;     /* rights that this kernel's rules may name */
	const char *closed; /* the state folder */
};

int
landlock_version(void)
{
	long version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	return version > 0 ? (int)version : 0;
}

static uint64_t
file_rights(int version)
{
	uint64_t rights = FIRST_RIGHTS;

	if (version >= VERSION_REFER)
		rights |= LANDLOCK_ACCESS_FS_REFER;
	if (version >= VERSION_TRUNCATE)
		rights |= TRUNCATE;
	if (version >= VERSION_IOCTL)
		rights |= IOCTL_DEVICE;
	return rights;
}

/* What is not there, or not for this user, needs no rule. */
static void
open_path(const struct fence *fence, const char *path, uint64_t rights)
{
	struct landlock_path_beneath_attr rule = {.parent_fd = open(path, O_PATH | O_CLOEXEC)};
	struct stat info;

	if (rule.parent_fd < 0)
		return;
	/* Of a file, only rights of files can be named. */
	if (fstat(rule.parent_fd, &info) == 0 && !S_ISDIR(info.st_mode))
		rights &= READ | WRITE | TRUNCATE;
	rule.allowed_access = rights & fence->known;
	(void)!syscall(SYS_landlock_add_rule, fence->ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
	close(rule.parent_fd);
}

/* The folder, since certificates are renewed by putting another file there, and a renewed one must be found. */
static void
open_folder_of(const struct fence *fence, const char *path, uint64_t rights)
{
	char *copy = mem_string(path), *folder = realpath(dirname(copy), NULL);
	size_t length = folder ? strlen(folder) : 0;

	if (folder)
		open_path(fence, folder, rights);
	if (folder && strncmp(fence->closed, folder, length) == 0 &&
	    (folder[length - 1] == '/' || fence->closed[length] == '/' || !fence->closed[length]))
		log_warning("security", "the state folder is open to this process, since it is in the folder of another file",
		            LOG_TEXT("file", path), LOG_TEXT("hint", "give certificates a folder of their own"));
	free(folder);
	free(copy);
}

/* And where a link leads. */
static void
open_link(const struct fence *fence, const char *path, uint64_t rights)
{
	char *target = realpath(path, NULL);

	open_folder_of(fence, path, rights);
	if (target)
		open_folder_of(fence, target, rights);
	free(target);
}

static void
open_database_file(void *arg, const char *path, bool is_renewed)
{
	if (is_renewed)
		open_link(arg, path, READ | LIST);
	else
		open_path(arg, path, READ | LIST);
}

static void
open_files(const struct fence *fence, const struct config *config, const char *database_url)
{
	for (size_t i = 0; i < ARRAY_LENGTH(readable); i++)
		open_path(fence, readable[i], READ | LIST);
	open_path(fence, "/dev/null", READ | WRITE);
	/* Often a link into /run. */
	open_link(fence, "/etc/resolv.conf", READ | LIST);
	if (*config->tls_cert_file) {
		open_link(fence, config->tls_cert_file, READ | LIST);
		open_link(fence, config->tls_key_file, READ | LIST);
	}
	if (*config->log_file)
		open_folder_of(fence, config->log_file, READ | LIST | WRITE | TRUNCATE | REPLACE);
	database_files(database_url, open_database_file, (void *)(uintptr_t)fence);
}

bool
landlock_enter(const struct config *config, const char *database_url, const char *state_folder)
{
	int version = landlock_version(), problem;
	struct ruleset rights = {file_rights(version), version >= VERSION_NET ? BIND_TCP : 0,
	                         version >= VERSION_SCOPE ? SCOPE_ABSTRACT_SOCKET | SCOPE_SIGNAL : 0};
	struct fence fence = {(int)syscall(SYS_landlock_create_ruleset, &rights, sizeof(rights), 0), rights.files,
	                      state_folder};
	bool done;

	if (fence.ruleset < 0)
		return false;
	open_files(&fence, config, database_url);
	done = syscall(SYS_landlock_restrict_self, fence.ruleset, 0) == 0;
	problem = errno;
	close(fence.ruleset);
	errno = problem;
	return done;
}
