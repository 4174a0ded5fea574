/*
 * sandbox.c - see sandbox.h. libseccomp turns the lists into the filter; a call that is allowed whatever its arguments
 * costs next to nothing (the kernel keeps a bitmap of them), so calls of every request have no conditions here.
 */
#include "sandbox.h"
#include "log.h"
#include "services.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

/* AddressSanitizer looks for leaks at the end from a process that it clones and that stops this one. */
#ifndef __has_feature
#define __has_feature(name) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
enum { HAS_ASAN = true };
#else
enum { HAS_ASAN = false };
#endif

/* clang-format off */
static const int of_all[] = {
	/* what every request takes, first */
	SCMP_SYS(epoll_wait), SCMP_SYS(recvfrom), SCMP_SYS(sendto), SCMP_SYS(epoll_ctl), SCMP_SYS(read), SCMP_SYS(write),
	SCMP_SYS(futex), SCMP_SYS(poll), SCMP_SYS(close),
	SCMP_SYS(clock_gettime), SCMP_SYS(gettimeofday), SCMP_SYS(time), SCMP_SYS(getpid), SCMP_SYS(gettid),
	/* loop, sockets, name service */
	SCMP_SYS(epoll_pwait), SCMP_SYS(epoll_pwait2), SCMP_SYS(epoll_create1), SCMP_SYS(ppoll), SCMP_SYS(select),
	SCMP_SYS(pselect6), SCMP_SYS(eventfd2), SCMP_SYS(pipe2), SCMP_SYS(timerfd_create), SCMP_SYS(timerfd_settime),
	SCMP_SYS(readv), SCMP_SYS(writev), SCMP_SYS(sendmsg), SCMP_SYS(sendmmsg), SCMP_SYS(recvmsg), SCMP_SYS(recvmmsg),
	SCMP_SYS(connect), SCMP_SYS(shutdown), SCMP_SYS(getsockopt), SCMP_SYS(setsockopt), SCMP_SYS(getsockname),
	SCMP_SYS(getpeername),
	/* files: certificates, zones, /proc/stat; which of them, Landlock says */
	SCMP_SYS(openat), SCMP_SYS(open), SCMP_SYS(fstat), SCMP_SYS(newfstatat), SCMP_SYS(stat), SCMP_SYS(lstat),
	SCMP_SYS(statx), SCMP_SYS(statfs), SCMP_SYS(fstatfs), SCMP_SYS(access), SCMP_SYS(faccessat), SCMP_SYS(faccessat2),
	SCMP_SYS(readlink), SCMP_SYS(readlinkat), SCMP_SYS(getdents64), SCMP_SYS(pread64), SCMP_SYS(lseek),
	SCMP_SYS(fcntl), SCMP_SYS(flock), SCMP_SYS(getcwd), SCMP_SYS(dup), SCMP_SYS(dup2), SCMP_SYS(dup3),
	/* memory, threads, time, who am I */
	SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(brk), SCMP_SYS(mlock), SCMP_SYS(munlock),
	SCMP_SYS(set_robust_list), SCMP_SYS(rseq), SCMP_SYS(membarrier), SCMP_SYS(sched_yield),
	SCMP_SYS(sched_getaffinity), SCMP_SYS(clock_getres), SCMP_SYS(clock_nanosleep), SCMP_SYS(nanosleep),
	SCMP_SYS(getrandom), SCMP_SYS(getppid), SCMP_SYS(getuid), SCMP_SYS(geteuid), SCMP_SYS(getgid), SCMP_SYS(getegid),
	SCMP_SYS(uname), SCMP_SYS(sysinfo), SCMP_SYS(getrusage), SCMP_SYS(times), SCMP_SYS(getrlimit),
	/* signals, the end */
	SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn), SCMP_SYS(sigaltstack),
	SCMP_SYS(restart_syscall), SCMP_SYS(exit), SCMP_SYS(exit_group),
};
static const int of_servers[] = {SCMP_SYS(accept4), SCMP_SYS(accept)};
static const int of_log_files[] = {SCMP_SYS(rename), SCMP_SYS(renameat), SCMP_SYS(renameat2), SCMP_SYS(unlink),
                                   SCMP_SYS(unlinkat)};
static const int of_asan[] = {SCMP_SYS(wait4), SCMP_SYS(getdents), SCMP_SYS(prctl), SCMP_SYS(mincore), SCMP_SYS(msync),
                              SCMP_SYS(prlimit64), SCMP_SYS(setrlimit)};
/* clang-format on */

/* SYS_SECCOMP of the kernel's headers: the signal comes from the filter, and from nobody's kill(). */
enum { BY_FILTER = 1 };

static struct scoreboard_slot *own_slot;

/* In whichever thread made the call. The call's answer is what stands in the register that this leaves. */
static void
on_refused(int signal_number, siginfo_t *info, void *context)
{
	ucontext_t *interrupted = context;

	(void)signal_number;
	if (info->si_code != BY_FILTER)
		return;
	atomic_store(&own_slot->refused_call, info->si_syscall);
	atomic_fetch_add(&own_slot->refused, 1);
#if defined(__x86_64__)
	interrupted->uc_mcontext.gregs[REG_RAX] = -EPERM;
#elif defined(__aarch64__)
	interrupted->uc_mcontext.regs[0] = (uint64_t)-EPERM;
#else
	(void)interrupted;
#endif
}

/* On other processors calls are refused, but not counted. */
static uint32_t
refuse_and_count(void)
{
#if defined(__x86_64__) || defined(__aarch64__)
	return SCMP_ACT_TRAP;
#else
	return SCMP_ACT_ERRNO(EPERM);
#endif
}

static bool
allow(scmp_filter_ctx filter, const int *calls, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0) != 0)
			return false;
	return true;
}

/* Clients, databases and name servers; no raw sockets, none to the kernel. */
static bool
allow_sockets(scmp_filter_ctx filter)
{
	static const unsigned families[] = {AF_INET, AF_INET6, AF_UNIX}, types[] = {SOCK_STREAM, SOCK_DGRAM};
	int error = 0;

	for (size_t i = 0; i < ARRAY_LENGTH(families); i++)
		for (size_t j = 0; j < ARRAY_LENGTH(types); j++)
			error |= seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 2, SCMP_A0_32(SCMP_CMP_EQ, families[i]),
			                          SCMP_A1_32(SCMP_CMP_MASKED_EQ, 0xf, types[j]));
	/* libcurl's resolver threads tell its loop by a pair. */
	error |= seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socketpair), 1, SCMP_A0_32(SCMP_CMP_EQ, AF_UNIX));
	/* getaddrinfo() asks the kernel for the node's addresses, and does without. */
	error |= seccomp_rule_add(filter, SCMP_ACT_ERRNO(EAFNOSUPPORT), SCMP_SYS(socket), 1,
	                          SCMP_A0_32(SCMP_CMP_EQ, AF_NETLINK));
	return error == 0;
}

/* Threads but no processes, memory but no code, the own limits only to look at, the own death. */
static bool
allow_with_conditions(scmp_filter_ctx filter)
{
	static const unsigned long ioctls[] = {FIONREAD, FIONBIO, TCGETS};
	const unsigned process = (unsigned)getpid(), thread = CLONE_VM | (HAS_ASAN ? 0 : CLONE_THREAD);
	int error = 0;

	error |= seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	error |= seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	/* The C library falls back to clone(), whose flags can be seen here. */
	error |= seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
	for (size_t i = 0; i < ARRAY_LENGTH(ioctls); i++)
		error |=
		    seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1, SCMP_A1_32(SCMP_CMP_EQ, (unsigned)ioctls[i]));
	error |= seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1, SCMP_A0(SCMP_CMP_MASKED_EQ, thread, thread));
	error |= seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1, SCMP_A0_32(SCMP_CMP_EQ, process));
	if (HAS_ASAN)
		return error == 0;
	error |= seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), 1, SCMP_A2(SCMP_CMP_EQ, 0));
	error |= seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(prctl), 1, SCMP_A0_32(SCMP_CMP_EQ, PR_SET_NAME));
	return error == 0;
}

/* All that the leak check asks of ptrace() is about a process that it stops itself. */
static bool
allow_asan(scmp_filter_ctx filter)
{
	return allow(filter, of_asan, ARRAY_LENGTH(of_asan)) &&
	       seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(ptrace), 1, SCMP_A0_32(SCMP_CMP_NE, 0)) == 0;
}

static scmp_filter_ctx
make_filter(const struct sandbox *sandbox)
{
	scmp_filter_ctx filter = seccomp_init(refuse_and_count());

	if (filter && allow(filter, of_all, ARRAY_LENGTH(of_all)) && allow_sockets(filter) &&
	    allow_with_conditions(filter) && (!sandbox->serves || allow(filter, of_servers, ARRAY_LENGTH(of_servers))) &&
	    (!sandbox->moves_files || allow(filter, of_log_files, ARRAY_LENGTH(of_log_files))) &&
	    (!HAS_ASAN || allow_asan(filter)) && seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2) == 0)
		return filter;
	seccomp_release(filter);
	return NULL;
}

bool
sandbox_enter(const struct sandbox *sandbox)
{
	struct sigaction action = {.sa_sigaction = on_refused, .sa_flags = SA_SIGINFO | SA_RESTART};
	scmp_filter_ctx filter = make_filter(sandbox);
	int error;

	/* The lists are constant: what makes a filter once makes it always. */
	INVARIANT(filter);
	own_slot = sandbox->slot;
	sigemptyset(&action.sa_mask);
	sigaction(SIGSYS, &action, NULL);
	error = seccomp_load(filter);
	seccomp_release(filter);
	errno = -error;
	return error == 0;
}

bool
sandbox_is_possible(void)
{
	const uint32_t trap = SECCOMP_RET_TRAP;

	if (syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &trap) == 0)
		return true;
	fprintf(stderr,
	        "agentd: the kernel, or the container around agentd, refuses seccomp filters: %s. Workers would not be "
	        "confined.\n"
	        "agentd: allow the system call seccomp, or set AGENTD_SANDBOX=off to serve without that wall.\n",
	        strerror(errno));
	return false;
}

void
sandbox_report(struct child *child, const struct scoreboard_slot *slot)
{
	uint32_t refused = atomic_load(&slot->refused);
	int number = atomic_load(&slot->refused_call);
	char *name;

	if (refused == child->refused)
		return;
	name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, number);
	log_warning("security", "system calls were refused to a process", LOG_TEXT("name", child->name),
	            LOG_INT("child", child->pid), LOG_TEXT("last_call", name ? name : "unknown"), LOG_INT("number", number),
	            LOG_INT("times", (int64_t)(uint32_t)(refused - child->refused)));
	free(name);
	child->refused = refused;
}
