/* shared_memory.c - see shared_memory.h. A list of what is mapped or waits to be: a handful, so it is searched. */
#include "shared_memory.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/queue.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NAME_SIZE = 16 };

struct memory {
	TAILQ_ENTRY(memory) entry;
	char name[NAME_SIZE];
	int fd;
	void *mapped; /* NULL: adopted, and not asked for yet */
	size_t size;
};

static TAILQ_HEAD(, memory) all = TAILQ_HEAD_INITIALIZER(all);

static struct memory *
add(const char *name, int fd)
{
	struct memory *memory = mem_zero(sizeof(*memory));

	INVARIANT(strlen(name) < NAME_SIZE);
	snprintf(memory->name, sizeof(memory->name), "%s", name);
	memory->fd = fd;
	TAILQ_INSERT_TAIL(&all, memory, entry);
	return memory;
}

static void
forget(struct memory *memory)
{
	TAILQ_REMOVE(&all, memory, entry);
	close(memory->fd);
	free(memory);
}

/* An adopted one of that name and size. */
static struct memory *
find_adopted(const char *name, size_t size)
{
	struct memory *memory;
	struct stat status;

	TAILQ_FOREACH(memory, &all, entry)
	if (!memory->mapped && strcmp(memory->name, name) == 0 && fstat(memory->fd, &status) == 0 &&
	    (size_t)status.st_size == size)
		break;
	return memory;
}

static struct memory *
make(const char *name, size_t size)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int problem;

	/* Sealed: no process can shrink it under the feet of the others. */
	if (fd >= 0 && ftruncate(fd, (off_t)size) == 0 && fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0)
		return add(name, fd);
	problem = errno;
	if (fd >= 0)
		close(fd);
	errno = problem;
	return NULL;
}

void *
shared_memory_map(const char *name, size_t size, bool *adopted_r)
{
	struct memory *memory = find_adopted(name, size);
	bool adopted = memory != NULL;
	void *mapped;

	if (!memory && !(memory = make(name, size)))
		return NULL;
	mapped = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, memory->fd, 0);
	if (mapped == MAP_FAILED) {
		int problem = errno;
		forget(memory);
		errno = problem;
		return NULL;
	}
	memory->mapped = mapped;
	memory->size = size;
	if (adopted_r)
		*adopted_r = adopted;
	return mapped;
}

void
shared_memory_unmap(void *mapped)
{
	struct memory *memory;

	if (!mapped)
		return;
	TAILQ_FOREACH(memory, &all, entry)
	if (memory->mapped == mapped)
		break;
	INVARIANT(memory);
	munmap(mapped, memory->size);
	forget(memory);
}

void
shared_memory_adopt(const char *name, int fd)
{
	add(name, fd);
}

void
shared_memory_forget_adopted(void)
{
	struct memory *memory, *next;

	for (memory = TAILQ_FIRST(&all); memory; memory = next) {
		next = TAILQ_NEXT(memory, entry);
		if (!memory->mapped)
			forget(memory);
	}
}

void
shared_memory_each(void (*visit)(void *arg, const char *name, int fd), void *arg)
{
	struct memory *memory;

	TAILQ_FOREACH(memory, &all, entry)
	visit(arg, memory->name, memory->fd);
}
