/*
 * uuid.h - UUID version 7 (RFC 9562): ids that sort by the time they were made.
 *
 * Within one process every id is greater than the one before (method 1: a counter in rand_a). Nothing blocks.
 */
#ifndef AGENTD_UUID_H
#define AGENTD_UUID_H

#include "base.h"

enum { UUID_TEXT_SIZE = 37, UUID_SIZE = 16 };

/* A new id as 36 lower-case characters and a NUL. */
void uuid_new(char out[UUID_TEXT_SIZE]);
/* True for the 36-character form, either case, any version; fills the 16 bytes. */
MUST_CHECK bool uuid_parse(struct slice text, uint8_t out[UUID_SIZE]);
void uuid_format(const uint8_t bytes[UUID_SIZE], char out[UUID_TEXT_SIZE]);

#endif
