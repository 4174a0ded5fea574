/* crash.c - see crash.h. The handler writes to mapped memory and calls backtrace(3), which was warmed up before. */
#include "crash.h"

#include <dlfcn.h>
#include <execinfo.h>
#include <signal.h>
#include <ucontext.h>
#include <unistd.h>

enum { STACK_BYTES = 65536, SHOWN = 10 };

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { IS_SANITIZED = true };
#else
enum { IS_SANITIZED = false };
#endif

static struct scoreboard_slot *own_slot;

static void
on_crash(int signal_number, siginfo_t *info UNUSED, void *context)
{
	void *frames[SCOREBOARD_FRAMES];
	int count;

	own_slot->crash_signal = signal_number;
#if defined(__x86_64__)
	own_slot->crash_at = (uintptr_t)((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];
#elif defined(__aarch64__)
	own_slot->crash_at = (uintptr_t)((ucontext_t *)context)->uc_mcontext.pc;
#else
	(void)context;
#endif
	/* A broken stack may end the process here: the first address is written by then. */
	count = backtrace(frames, SCOREBOARD_FRAMES);
	for (int i = 0; i < count; i++)
		own_slot->crash_frames[i] = (uintptr_t)frames[i];
	own_slot->crash_frame_count = count;
	/* The handler is gone (SA_RESETHAND): the signal ends the process as it would have. */
	raise(signal_number);
}

void
crash_catch(struct scoreboard_slot *slot)
{
	static const int fatal[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
	static char stack[STACK_BYTES];
	const stack_t other = {.ss_sp = stack, .ss_size = sizeof(stack)};
	struct sigaction action = {.sa_sigaction = on_crash, .sa_flags = SA_SIGINFO | SA_ONSTACK | (int)SA_RESETHAND};
	void *frame;

	if (IS_SANITIZED)
		return;
	own_slot = slot;
	/* Its first call loads a library. */
	(void)backtrace(&frame, 1);
	sigaltstack(&other, NULL);
	sigemptyset(&action.sa_mask);
	for (size_t i = 0; i < ARRAY_LENGTH(fatal); i++)
		sigaction(fatal[i], &action, NULL);
}

static void
add_address(struct buf *out, uintptr_t address)
{
	Dl_info info, own = {0};
	const char *file;

	if (!address)
		return;
	if (out->len)
		buf_add_byte(out, ' ');
	if (!dladdr((void *)address, &info) || !info.dli_fname) { /* NOLINT: an address to look up, never followed */
		buf_printf(out, "0x%llx", (unsigned long long)address);
		return;
	}
	/* The program itself goes by argv[0], which says what the process is by now. */
	(void)dladdr((void *)(uintptr_t)add_address, &own);
	file = info.dli_fbase == own.dli_fbase ? "/agentd" : strrchr(info.dli_fname, '/');
	buf_printf(out, "%s+0x%llx", file ? file + 1 : info.dli_fname,
	           (unsigned long long)(address - (uintptr_t)info.dli_fbase));
}

void
crash_describe(const struct scoreboard_slot *slot, struct buf *out)
{
	int count = MIN(MAX(slot->crash_frame_count, 0), SCOREBOARD_FRAMES), first = 0;

	if (!slot->crash_signal)
		return;
	/* What lies above the place itself is the handler. */
	for (int i = 0; i < count; i++)
		if (slot->crash_frames[i] == slot->crash_at)
			first = i + 1;
	add_address(out, slot->crash_at);
	for (int i = first; i < MIN(count, first + SHOWN); i++)
		add_address(out, slot->crash_frames[i]);
}
