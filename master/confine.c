/* confine.c - see confine.h. */
#include "confine.h"
#include "state.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

void
confine_memory(void)
{
	const struct rlimit none = {0, 0};

	if (setrlimit(RLIMIT_CORE, &none) != 0 || prctl(PR_SET_DUMPABLE, 0) != 0)
		fprintf(stderr, "agentd: cannot forbid core files: %s\n", strerror(errno));
}

static NORETURN void
give_up(const char *what)
{
	fprintf(stderr, "agentd: cannot %s: %s\n", what, strerror(errno));
	abort();
}

/* What exec could give back. It takes a capability to shrink it; who has not got that one has no_new_privs all the
 * same. */
static void
drop_bounding_set(void)
{
	for (unsigned long capability = 0; prctl(PR_CAPBSET_READ, capability) >= 0; capability++)
		(void)!prctl(PR_CAPBSET_DROP, capability);
}

static void
drop_capabilities(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	const struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {{0}};
	struct __user_cap_data_struct held[_LINUX_CAPABILITY_U32S_3] = {{0}};

	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0 && errno != EINVAL)
		give_up("clear the ambient capabilities");
	/* Who has none need not ask: under systemd the call itself is refused. */
	if (syscall(SYS_capget, &header, held) == 0 && memcmp(held, none, sizeof(none)) == 0)
		return;
	if (syscall(SYS_capset, &header, none) != 0)
		give_up("drop the capabilities");
}

void
confine_user(const struct state_user *user)
{
	drop_bounding_set();
	if (user->uid != (uid_t)-1) {
		if (initgroups(user->name, user->gid) != 0 || setgid(user->gid) != 0 || setuid(user->uid) != 0 ||
		    setuid(0) == 0)
			give_up("become the user that serves");
		/* libpq looks for its files there, and takes one that it may not see for a mistake. */
		setenv("HOME", user->home, 1);
	}
	drop_capabilities();
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		give_up("refuse new privileges");
}
