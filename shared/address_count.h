/*
 * address_count.h - how many connections each client address holds on this node, over all its workers, exactly.
 *
 * The master maps the table before it forks. Each worker owns a part of it, which only it writes; how many an address
 * has is the sum over the parts of workers that live, so what a dead worker counted is gone with it. Taking a place is
 * done under a robust lock: two workers never both take the last one. Addresses are 64-bit hashes with a secret key
 * (crypto_siphash). Nothing blocks but for the lock, which is held for well under a microsecond a worker.
 */
#ifndef AGENTD_ADDRESS_COUNT_H
#define AGENTD_ADDRESS_COUNT_H

#include "base.h"

struct address_count;

/* For so many processes with so many connections each at most. NULL: errno says why. */
MUST_CHECK struct address_count *address_count_new(int owners, size_t connections);
void address_count_free(struct address_count *table);

/* A new process takes over the part of owner: it holds nothing. */
void address_count_begin(struct address_count *table, int owner);
/* The process that had this part is dead. For the master; takes no lock. */
void address_count_end(struct address_count *table, int owner);

/* One more connection of address for owner. False: address has `most` already (or owner has more addresses than fit).
 */
MUST_CHECK bool address_count_take(struct address_count *table, int owner, uint64_t address, int64_t most);
/* One that owner took is closed. */
void address_count_give(struct address_count *table, int owner, uint64_t address);

#endif
