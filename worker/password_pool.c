/*
 * password_pool.c - see password_pool.h.
 *
 * A job waits in `waiting`, is worked on by one thread, and lies in `finished` until the loop takes it there: an
 * eventfd wakes the loop, so a callback never runs inside a send. The mutex guards both lists, the count and
 * `stopping`; the event and the callbacks belong to the loop's thread. The threads block all signals.
 *
 * password_pool_free() waits for the hashes that are being made (some 20 ms) and drops everything else: callbacks of
 * jobs that were not delivered are never called, so whoever stops the loop forgets their arguments himself. It must
 * not be called from a callback.
 */
#include "password_pool.h"

#include "crypto.h"

#include <errno.h>
#include <event2/event.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/queue.h>
#include <unistd.h>

struct job {
	STAILQ_ENTRY(job) next;
	bool verify;
	bool ok;
	char *encoded;                 /* verify: what to compare with, or NULL */
	char hash[PASSWORD_HASH_SIZE]; /* "": none was made */
	password_done *done;
	void *arg;
	size_t password_len;
	char password[];
};

STAILQ_HEAD(jobs, job);

struct password_pool {
	pthread_mutex_t mutex;
	pthread_cond_t work;
	struct jobs waiting, finished;
	int unfinished, unfinished_max; /* waiting or worked on: a thread more is a job more */
	bool stopping;
	int wake_fd;
	struct event *wake;
	int threads;
	pthread_t thread[];
};

static void
job_run(struct job *job)
{
	struct slice password = {job->password, job->password_len};

	if (job->verify)
		job->ok = password_verify(password, job->encoded);
	/* A new hash that cannot be made is made at the next login. */
	if (job->verify && job->ok && password_is_outdated(job->encoded) && !password_hash(password, job->hash))
		job->hash[0] = '\0';
	if (!job->verify)
		job->ok = password_hash(password, job->hash);
	crypto_wipe(job->password, job->password_len);
}

static void
job_free(struct job *job)
{
	crypto_wipe(job->password, job->password_len);
	free(job->encoded);
	free(job);
}

static void
jobs_free(struct jobs *jobs)
{
	struct job *job;

	while ((job = STAILQ_FIRST(jobs))) {
		STAILQ_REMOVE_HEAD(jobs, next);
		job_free(job);
	}
}

static void *
thread_main(void *arg)
{
	struct password_pool *pool = arg;
	const uint64_t one = 1;
	struct job *job;

	pthread_mutex_lock(&pool->mutex);
	for (;;) {
		while (!pool->stopping && STAILQ_EMPTY(&pool->waiting))
			pthread_cond_wait(&pool->work, &pool->mutex);
		if (pool->stopping)
			break;
		job = STAILQ_FIRST(&pool->waiting);
		STAILQ_REMOVE_HEAD(&pool->waiting, next);
		pthread_mutex_unlock(&pool->mutex);
		job_run(job);
		pthread_mutex_lock(&pool->mutex);
		STAILQ_INSERT_TAIL(&pool->finished, job, next);
		pool->unfinished--;
		/* An eventfd takes 8 bytes unless it counts to 2^64. */
		INVARIANT(write(pool->wake_fd, &one, sizeof(one)) == sizeof(one));
	}
	pthread_mutex_unlock(&pool->mutex);
	return NULL;
}

static void
deliver(evutil_socket_t fd, short what UNUSED, void *arg)
{
	struct password_pool *pool = arg;
	struct jobs finished = STAILQ_HEAD_INITIALIZER(finished);
	struct job *job;
	uint64_t count;

	/* Nothing to read is no error: the list says what is there. */
	(void)!read(fd, &count, sizeof(count));
	pthread_mutex_lock(&pool->mutex);
	STAILQ_CONCAT(&finished, &pool->finished);
	pthread_mutex_unlock(&pool->mutex);
	while ((job = STAILQ_FIRST(&finished))) {
		STAILQ_REMOVE_HEAD(&finished, next);
		job->done(job->arg, job->ok, job->ok && job->hash[0] ? job->hash : NULL);
		job_free(job);
	}
}

/* Signals are for the loop's thread: a new thread inherits the mask of the moment. */
static int
start_threads(struct password_pool *pool, int threads)
{
	sigset_t all, old;
	int error = 0;

	sigfillset(&all);
	/* That of a refused system call belongs to the thread that made it; blocked, it would end the process. */
	sigdelset(&all, SIGSYS);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	while (pool->threads < threads && !error) {
		error = pthread_create(&pool->thread[pool->threads], NULL, thread_main, pool);
		pool->threads += !error;
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return error;
}

struct password_pool *
password_pool_new(struct event_base *base, int threads, int queue_max)
{
	struct password_pool *pool;
	int error;

	INVARIANT(threads >= 1 && queue_max >= 0);
	pool = mem_zero(sizeof(*pool) + (size_t)threads * sizeof(pool->thread[0]));
	pthread_mutex_init(&pool->mutex, NULL);
	pthread_cond_init(&pool->work, NULL);
	STAILQ_INIT(&pool->waiting);
	STAILQ_INIT(&pool->finished);
	pool->unfinished_max = threads + queue_max;
	pool->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	error = errno;
	if (pool->wake_fd < 0)
		goto out;
	error = ENOMEM;
	pool->wake = event_new(base, pool->wake_fd, EV_READ | EV_PERSIST, deliver, pool);
	if (!pool->wake || event_add(pool->wake, NULL) != 0)
		goto out;
	error = start_threads(pool, threads);
	if (!error)
		return pool;
out:
	password_pool_free(pool);
	errno = error;
	return NULL;
}

void
password_pool_free(struct password_pool *pool)
{
	if (!pool)
		return;
	pthread_mutex_lock(&pool->mutex);
	pool->stopping = true;
	pthread_cond_broadcast(&pool->work);
	pthread_mutex_unlock(&pool->mutex);
	for (int i = 0; i < pool->threads; i++)
		pthread_join(pool->thread[i], NULL);
	jobs_free(&pool->waiting);
	jobs_free(&pool->finished);
	if (pool->wake)
		event_free(pool->wake);
	if (pool->wake_fd >= 0)
		close(pool->wake_fd);
	pthread_cond_destroy(&pool->work);
	pthread_mutex_destroy(&pool->mutex);
	free(pool);
}

static struct job *
job_new(struct slice password, password_done *done, void *arg)
{
	/* One byte more than any password here can have keeps "too long" visible to the thread. */
	size_t len = MIN(password.len, (size_t)PASSWORD_LENGTH_MAX + 1);
	struct job *job = mem_zero(sizeof(*job) + len);

	job->done = done;
	job->arg = arg;
	job->password_len = len;
	if (len)
		memcpy(job->password, password.data, len);
	return job;
}

static bool
job_send(struct password_pool *pool, struct job *job)
{
	bool room;

	pthread_mutex_lock(&pool->mutex);
	room = pool->unfinished < pool->unfinished_max;
	if (room) {
		pool->unfinished++;
		STAILQ_INSERT_TAIL(&pool->waiting, job, next);
		pthread_cond_signal(&pool->work);
	}
	pthread_mutex_unlock(&pool->mutex);
	if (!room)
		job_free(job);
	return room;
}

bool
password_verify_send(struct password_pool *pool, struct slice password, const char *encoded, password_done *done,
                     void *arg)
{
	struct job *job = job_new(password, done, arg);

	job->verify = true;
	job->encoded = encoded ? mem_string(encoded) : NULL;
	return job_send(pool, job);
}

bool
password_hash_send(struct password_pool *pool, struct slice password, password_done *done, void *arg)
{
	return job_send(pool, job_new(password, done, arg));
}
