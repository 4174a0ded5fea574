/* breach.c - see breach.h. Calls are made by number, so that no library stands between. */
#include "breach.h"
#include "log.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static long
try_execve(const char *folder UNUSED)
{
	char *const none[] = {NULL};

	return execve("/bin/true", none, none);
}

static long
try_fork(const char *folder UNUSED)
{
	long child = syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);

	if (child == 0)
		_exit(0);
	return child;
}

static long
try_ptrace(const char *folder UNUSED)
{
	return ptrace(PTRACE_TRACEME, 0, NULL, NULL);
}

static long
try_process_memory(const char *folder UNUSED)
{
	return syscall(SYS_process_vm_writev, getppid(), NULL, 0, NULL, 0, 0);
}

static long
try_signal(const char *folder UNUSED)
{
	return syscall(SYS_kill, getppid(), 0);
}

static long
try_setuid(const char *folder UNUSED)
{
	return setuid(0);
}

static long
try_raw_socket(const char *folder UNUSED)
{
	return socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
}

static long
try_packet_socket(const char *folder UNUSED)
{
	return socket(AF_PACKET, SOCK_DGRAM, 0);
}

static long
try_listen(const char *folder UNUSED)
{
	const struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), problem;
	long outcome = bind(fd, (const struct sockaddr *)(const void *)&any, sizeof(any));

	problem = errno;
	close(fd);
	errno = problem;
	return outcome;
}

static long
try_mount(const char *folder UNUSED)
{
	return mount("none", "/tmp", "tmpfs", 0, NULL);
}

static long
try_namespace(const char *folder UNUSED)
{
	return unshare(CLONE_NEWUSER);
}

static long
try_code(const char *folder UNUSED)
{
	void *code = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return code == MAP_FAILED ? -1 : munmap(code, 4096);
}

static long
try_shadow(const char *folder UNUSED)
{
	return open("/etc/shadow", O_RDONLY | O_CLOEXEC);
}

/* Its owner is who runs this. */
static long
try_state(const char *folder)
{
	return open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static long
try_write(const char *folder UNUSED)
{
	return open("/tmp", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
}

static long
try_chmod(const char *folder)
{
	return chmod(folder, 0700);
}

static const struct {
	const char *name;
	long (*run)(const char *folder);
	bool only_landlock; /* denies it */
} attempts[] = {
    {"execve", try_execve},
    {"fork", try_fork},
    {"ptrace", try_ptrace},
    {"process_vm_writev", try_process_memory},
    {"kill", try_signal},
    {"setuid", try_setuid},
    {"raw socket", try_raw_socket},
    {"packet socket", try_packet_socket},
    {"listen", try_listen},
    {"mount", try_mount},
    {"unshare", try_namespace},
    {"executable memory", try_code},
    {"/etc/shadow", try_shadow},
    {"state folder", try_state, true},
    {"write a file", try_write, true},
    {"chmod", try_chmod},
};

void
breach_try(const char *folder, bool fenced)
{
	for (size_t i = 0; i < ARRAY_LENGTH(attempts); i++) {
		long outcome;

		if (attempts[i].only_landlock && !fenced)
			continue;
		outcome = attempts[i].run(folder);
		log_warning("security", outcome < 0 ? "breach denied" : "breach done", LOG_TEXT("attempt", attempts[i].name),
		            LOG_TEXT("reason", outcome < 0 ? strerrorname_np(errno) : ""));
	}
}
