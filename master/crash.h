/*
 * crash.h - what a process leaves behind when it crashes: the signal and where it was, in its slot of the scoreboard.
 *
 * The master forked the process, so an address means the same in both: crash_describe() turns it into file and offset,
 * for `addr2line -fie agentd OFFSET`. Under sanitizers, which say more, nothing is caught.
 */
#ifndef AGENTD_CRASH_H
#define AGENTD_CRASH_H

#include "base.h"
#include "buf.h"
#include "scoreboard.h"

/* In the child: crashes write into slot from now on. */
void crash_catch(struct scoreboard_slot *slot);
/* In the master: appends "agentd+0x1234 libc.so.6+0x56 ..."; nothing if none was written. Trusts nothing in the slot. */
void crash_describe(const struct scoreboard_slot *slot, struct buf *out);

#endif
