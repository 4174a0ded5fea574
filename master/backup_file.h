/*
 * backup_file.h - the format of a backup: frames, one after the other, each proven by a tag. Nothing here knows what is
 * in them.
 *
 *     header   80 bytes: "AGDBKP01", mode (0 plain, 1 encrypted), 7 zeros, id (16), salt (32), key check (16)
 *     frame    length of the body (4 bytes, big endian), type (1 byte), body
 *     body     plain: text and 16 bytes of its tag; encrypted: nonce (12), AES-256-GCM of the text, tag (16)
 *
 * root = HKDF-SHA256(AGENTD_BACKUP_KEY, no salt, "agentd backup 1"); without a key, 32 zeros.
 * key  = HMAC-SHA256(root, first 64 bytes of the header || "key"); key check = first half of the same with "check".
 * A tag covers the number of the frame (8 bytes, big endian) and its type too: plain, it is the first half of
 * HMAC-SHA256(key, number || type || text); encrypted, number || type is the additional data. So frames cannot be left
 * out, exchanged, doubled or taken from another file; the last one has the type BACKUP_END, and nothing follows it.
 * Without a key this finds damage, but no forger, who can compute the same.
 *
 * Writing and reading block; memory is one frame.
 */
#ifndef AGENTD_BACKUP_FILE_H
#define AGENTD_BACKUP_FILE_H

#include "base.h"
#include "buf.h"
#include "crypto.h"
#include "uuid.h"

enum { BACKUP_FILE_HEADER = 80, BACKUP_FRAME_MAX = 1 << 20 };

enum backup_type {
	BACKUP_HEAD = 'h',  /* JSON: what it is of */
	BACKUP_TABLE = 't', /* JSON: the rows of this table follow */
	BACKUP_DATA = 'd',  /* a piece of what COPY gave; lines may go on in the next */
	BACKUP_ROWS = 'r',  /* JSON: the table is over, so many rows */
	BACKUP_END = 'e'    /* JSON: the totals; the end */
};

struct backup_file {
	FILE *file; /* borrowed */
	uint8_t id[UUID_SIZE];
	uint8_t key[CRYPTO_SHA256_SIZE];
	bool sealed;
	bool ended;
	uint64_t number; /* of the next frame */
	int64_t bytes;   /* read or written so far */
	struct buf body, text;
	char fault[240]; /* why the last call failed, for people */
};

/* id: of the backup, a UUID; secret: of AGENTD_BACKUP_KEY; empty: plain. The functions return false when backup->fault
 * says why. */
MUST_CHECK bool backup_file_create(struct backup_file *backup, FILE *file, const char *id, struct slice secret);
MUST_CHECK bool backup_file_write(struct backup_file *backup, enum backup_type type, struct slice text);
/* Reads the header. */
MUST_CHECK bool backup_file_open(struct backup_file *backup, FILE *file, struct slice secret);
/* The next frame; text_r lives until the next call. Behind BACKUP_END there is none to be asked for. */
MUST_CHECK bool backup_file_read(struct backup_file *backup, enum backup_type *type_r, struct slice *text_r);
/* Frees and wipes; the FILE stays the caller's. */
void backup_file_close(struct backup_file *backup);

#endif
