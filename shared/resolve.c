/*
 * resolve.c - see resolve.h.
 *
 * The thread writes its answer into the job and then closes its end of a pipe, which is what the loop hears. Whoever
 * comes second, the thread at its end or the loop after the answer or a cancel, frees the job.
 */
#include "resolve.h"

#include <arpa/inet.h>
#include <event2/event.h>
#include <fcntl.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

enum { STACK = 256 * 1024 };

struct resolve {
	_Atomic int owners;
	int pipe[2];
	struct event *event;
	resolve_done *done;
	void *arg;
	int error;
	char address[NI_MAXHOST];
	char host[256];
};

static void
let_go(struct resolve *resolve)
{
	if (atomic_fetch_sub(&resolve->owners, 1) == 1)
		free(resolve);
}

static void *
look_up(void *arg)
{
	static const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	struct resolve *resolve = arg;
	struct addrinfo *found = NULL;
	int fd = resolve->pipe[1];

	resolve->error = getaddrinfo(resolve->host, NULL, &hints, &found);
	if (!resolve->error)
		resolve->error = getnameinfo(found->ai_addr, found->ai_addrlen, resolve->address, sizeof(resolve->address),
		                             NULL, 0, NI_NUMERICHOST);
	if (found)
		freeaddrinfo(found);
	let_go(resolve);
	/* After the job is no longer touched: the loop may free it as soon as it hears this. */
	close(fd);
	return NULL;
}

static void
on_answer(evutil_socket_t fd, short what, void *arg)
{
	struct resolve *resolve = arg;
	resolve_done *done = resolve->done;
	void *done_arg = resolve->arg;
	char address[NI_MAXHOST];
	int error = resolve->error;

	(void)what;
	snprintf(address, sizeof(address), "%s", resolve->address);
	event_free(resolve->event);
	close(fd);
	let_go(resolve);
	done(done_arg, error ? NULL : address, error ? gai_strerror(error) : "");
}

static bool
start_thread(struct resolve *resolve)
{
	pthread_attr_t attributes;
	pthread_t thread;
	sigset_t all, before;
	bool started;

	if (pthread_attr_init(&attributes) != 0)
		return false;
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attributes, STACK);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	started = pthread_create(&thread, &attributes, look_up, resolve) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attributes);
	return started;
}

struct resolve *
resolve_start(struct event_base *base, const char *host, resolve_done *done, void *arg)
{
	struct resolve *resolve = mem_zero(sizeof(*resolve));

	resolve->done = done;
	resolve->arg = arg;
	snprintf(resolve->host, sizeof(resolve->host), "%s", host);
	if (pipe2(resolve->pipe, O_CLOEXEC | O_NONBLOCK) != 0) {
		free(resolve);
		return NULL;
	}
	atomic_store(&resolve->owners, 2);
	resolve->event = event_new(base, resolve->pipe[0], EV_READ, on_answer, resolve);
	INVARIANT(resolve->event);
	event_add(resolve->event, NULL);
	if (start_thread(resolve))
		return resolve;
	event_free(resolve->event);
	close(resolve->pipe[0]);
	close(resolve->pipe[1]);
	free(resolve);
	return NULL;
}

void
resolve_cancel(struct resolve *resolve)
{
	int fd = resolve->pipe[0];

	event_free(resolve->event);
	let_go(resolve);
	close(fd);
}
