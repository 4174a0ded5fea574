/*
 * audit_chain.h - the hash chain over the audit log: what is hashed, what is signed, and how it is held against the
 * rows.
 *
 * Sealed rows have the numbers 1, 2, 3 and so on. digest = SHA-256 of a row in one exact form, its number included;
 * hash = SHA-256(hash of the row before, digest). So whoever may see the digests of rows, but not the rows, can still
 * follow the chain. A checkpoint says what number and hash the chain had at a time, and is signed (HMAC-SHA-256, with a
 * key that is derived from the server's secret by HKDF, RFC 5869); the head is the newest one. An anchor stands, signed
 * as well, for all rows up to its number: retention has dropped them.
 *
 * Pure; nothing here does I/O or keeps what it was given.
 */
#ifndef AGENTD_AUDIT_CHAIN_H
#define AGENTD_AUDIT_CHAIN_H

#include "base.h"
#include "crypto.h"

enum { AUDIT_FIELDS = 14, AUDIT_KEYS_MAX = 2, AUDIT_KEY_ID_SIZE = 17, AUDIT_AT_SIZE = 40, AUDIT_FINDING_SIZE = 400 };

/* The columns that are hashed, in this order: names of the columns of `audit_chain` and of the members of an export. */
extern const char *const audit_fields[AUDIT_FIELDS];

enum audit_kind { AUDIT_ANCHOR, AUDIT_FROM, AUDIT_ROW, AUDIT_DIGEST, AUDIT_CHECKPOINT, AUDIT_HEAD, AUDIT_KIND_COUNT };

/* One record of the chain, in the order in which it is read: by number, the head last. Texts are borrowed. */
struct audit_record {
	enum audit_kind kind;
	int64_t n;
	struct slice fields[AUDIT_FIELDS];  /* of a row; absent: NULL */
	uint8_t digest[CRYPTO_SHA256_SIZE]; /* of rows and digests, as it is stored */
	uint8_t hash[CRYPTO_SHA256_SIZE];   /* of all kinds */
	struct slice at;                    /* when it was signed: anchors, checkpoints, the head */
	struct slice key;
	uint8_t signature[CRYPTO_SHA256_SIZE];
};

/* The text of a column or member, absent when it is NULL or not there. */
typedef struct slice audit_get(void *arg, const char *name);
/* False: it is not a record, for reason_r (static text) says why. */
MUST_CHECK bool audit_record_read(audit_get *get, void *arg, struct audit_record *record_r, const char **reason_r);

/* 64 lower-case hex digits. */
MUST_CHECK bool audit_hash_read(struct slice text, uint8_t out[CRYPTO_SHA256_SIZE]);
void audit_digest(const struct audit_record *row, uint8_t out[CRYPTO_SHA256_SIZE]);
void audit_link(const uint8_t before[CRYPTO_SHA256_SIZE], const uint8_t digest[CRYPTO_SHA256_SIZE],
                uint8_t out[CRYPTO_SHA256_SIZE]);

/* The keys of the secrets that are given, the first one signs. Empty secrets are left out. free wipes; NULL is fine. */
struct audit_keys;
struct audit_keys *audit_keys_new(const char *const *secrets, int count);
void audit_keys_free(struct audit_keys *keys);
/* What the key that signs is called: 16 hex digits that say nothing of it. */
const char *audit_keys_name(const struct audit_keys *keys);
/* Signs kind, n, hash and at with the first key. */
void audit_sign(const struct audit_keys *keys, const struct audit_record *record, uint8_t out[CRYPTO_SHA256_SIZE]);
enum audit_verdict { AUDIT_SIGNED, AUDIT_FORGED, AUDIT_KEY_UNKNOWN };
enum audit_verdict audit_signature_check(const struct audit_keys *keys, const struct audit_record *record);

/*
 * Reads a chain record by record. The first thing that is wrong ends it and is in finding, for people, with the number
 * of the row that it is about. keys NULL: signatures are not looked at.
 */
struct audit_reader {
	const struct audit_keys *keys;
	bool behind; /* begins behind row n: that row (kind from), or an anchor, has to come first */
	bool begun;  /* an anchor, a row to start from or a row came */
	bool ended;  /* the head came */
	bool found;  /* something is wrong */
	int64_t n;   /* of the last row */
	int64_t promised_n; /* how many rows there were, by a checkpoint */
	char promised_at[40];
	uint8_t hash[CRYPTO_SHA256_SIZE];
	int64_t rows;
	int64_t checkpoints;  /* that were signed with a known key and fit */
	int64_t unknown_keys; /* checkpoints whose key is none of the given ones */
	int64_t first_n;      /* of the first row that was read; 0: none */
	int64_t found_n;
	char finding[AUDIT_FINDING_SIZE];
};

/* False once something is wrong. */
MUST_CHECK bool audit_reader_take(struct audit_reader *reader, const struct audit_record *record);
/* The end of the records: the head must have come. */
MUST_CHECK bool audit_reader_end(struct audit_reader *reader);
/* Makes a finding of the reader's own. Returns false. */
bool audit_reader_find(struct audit_reader *reader, int64_t n, const char *format, ...) PRINTF_LIKE(3, 4);

#endif
