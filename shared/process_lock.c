/* process_lock.c - see process_lock.h. */
#include "process_lock.h"

#include <errno.h>

bool
process_locks_init(pthread_mutex_t *locks, size_t count)
{
	pthread_mutexattr_t attributes;
	int error = pthread_mutexattr_init(&attributes);

	if (!error)
		error = pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
	if (!error)
		error = pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
	for (size_t i = 0; i < count && !error; i++)
		error = pthread_mutex_init(&locks[i], &attributes);
	pthread_mutexattr_destroy(&attributes);
	errno = error;
	return !error;
}

void
process_lock(pthread_mutex_t *lock)
{
	int error = pthread_mutex_lock(lock);

	if (error == EOWNERDEAD)
		error = pthread_mutex_consistent(lock);
	INVARIANT(!error);
}

void
process_unlock(pthread_mutex_t *lock)
{
	pthread_mutex_unlock(lock);
}
