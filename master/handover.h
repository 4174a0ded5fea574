/*
 * handover.h - what a master leaves to the program that it becomes (upgrade.c): open descriptors, who runs, and names for
 * them, as lines of text in a memfd.
 *
 * The process stays the same, so its children stay its children, its locks are held, and its sockets listen all the time.
 * Lines that a program does not know are skipped: a newer one may say more. Nothing here is a secret except the key of
 * hashes, which is nobody's but this node's. Nothing blocks.
 */
#ifndef AGENTD_HANDOVER_H
#define AGENTD_HANDOVER_H

#include "base.h"

struct master;

/*
 * Writes it, and leaves every descriptor that it names open over execve(2). reverted: the next program is the one before
 * this, to go on as if nothing had been. -1: errno says why; all is as it was.
 */
MUST_CHECK int handover_write(const struct master *master, bool reverted);
/* The exec failed: descriptors close on exec again. Closes fd. */
void handover_withdraw(const struct master *master, int fd);

/*
 * In the new program, before it reads its settings: has it read those that it had, if it is the one before (reverted).
 */
void handover_prepare(int fd);
/*
 * In the new program, whose settings turned out to be wrong since it was asked: becomes the one before, as if nothing had
 * been. Returns only if that fails.
 */
void handover_return(int fd);
/*
 * In the new program: fills what it knows of the empty master, whose `now` is an edition without a socket, adopts the
 * shared memory, and closes fd. False: it is of no use, said why.
 */
MUST_CHECK bool handover_read(struct master *master, int fd, bool *reverted_r);

#endif
