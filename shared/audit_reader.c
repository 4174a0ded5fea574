/*
 * audit_reader.c - holds a chain against its rows; see audit_chain.h.
 *
 * An older checkpoint whose key is no longer known proves nothing and is only counted; the head and an anchor have to
 * be signed with a known key, for without that anybody could have written them.
 */
#include "audit_chain.h"

#include <stdarg.h>

bool
audit_reader_find(struct audit_reader *reader, int64_t n, const char *format, ...)
{
	va_list list;

	if (reader->found)
		return false;
	reader->found = true;
	reader->found_n = n;
	va_start(list, format);
	vsnprintf(reader->finding, sizeof(reader->finding), format, list);
	va_end(list);
	return false;
}

static bool
check_signature(struct audit_reader *reader, const struct audit_record *record, const char *what)
{
	enum audit_verdict verdict = reader->keys ? audit_signature_check(reader->keys, record) : AUDIT_KEY_UNKNOWN;

	if (verdict == AUDIT_FORGED)
		return audit_reader_find(reader, record->n,
		                         "%s at row %lld was edited: its signature does not fit what it says", what,
		                         (long long)record->n);
	if (verdict == AUDIT_SIGNED)
		reader->checkpoints += record->kind != AUDIT_ANCHOR;
	else if (reader->keys && record->kind != AUDIT_CHECKPOINT)
		return audit_reader_find(reader, record->n,
		                         "%s at row %lld is signed with the key %.*s, which is not of AGENTD_SECRET or "
		                         "AGENTD_PREVIOUS_SECRET: it may be anybody's",
		                         what, (long long)record->n, SLICE_ARG(record->key));
	else
		reader->unknown_keys++;
	return true;
}

static bool
take_number(struct audit_reader *reader, int64_t n)
{
	int64_t expected = reader->n + 1;

	if (n == expected)
		return true;
	if (n < expected)
		return audit_reader_find(reader, n, "row %lld is there twice: one of the two was inserted", (long long)n);
	if (n == expected + 1)
		return audit_reader_find(reader, expected, "row %lld is missing: it was deleted", (long long)expected);
	return audit_reader_find(reader, expected, "rows %lld to %lld are missing: they were deleted", (long long)expected,
	                         (long long)(n - 1));
}

static bool
take_row(struct audit_reader *reader, const struct audit_record *row)
{
	uint8_t digest[CRYPTO_SHA256_SIZE], hash[CRYPTO_SHA256_SIZE];
	long long n = row->n;

	if (reader->behind && !reader->begun)
		return audit_reader_find(reader, reader->n, "row %lld, to begin behind, is not there: it was deleted",
		                         (long long)reader->n);
	reader->begun = true;
	if (!take_number(reader, row->n))
		return false;
	if (row->kind == AUDIT_ROW) {
		audit_digest(row, digest);
		if (!crypto_equal(digest, row->digest, sizeof(digest)))
			return audit_reader_find(reader, n,
			                         "row %lld was edited: it is not what was sealed (%.*s, %.*s of %.*s %.*s)", n,
			                         SLICE_ARG(row->fields[3]), SLICE_ARG(row->fields[6]), SLICE_ARG(row->fields[7]),
			                         SLICE_ARG(row->fields[8]));
	}
	audit_link(reader->hash, row->digest, hash);
	if (row->kind == AUDIT_ROW && !crypto_equal(hash, row->hash, sizeof(hash)))
		return audit_reader_find(reader, n,
		                         "row %lld does not follow from the one before: it was inserted, replaced or moved", n);
	memcpy(reader->hash, hash, sizeof(hash));
	reader->n = row->n;
	reader->rows++;
	if (!reader->first_n)
		reader->first_n = row->n;
	return true;
}

static bool
take_checkpoint(struct audit_reader *reader, const struct audit_record *record)
{
	if (!check_signature(reader, record, record->kind == AUDIT_HEAD ? "the head" : "the checkpoint"))
		return false;
	if (record->n == reader->n && !crypto_equal(record->hash, reader->hash, sizeof(reader->hash)))
		return audit_reader_find(reader, record->n,
		                         "the rows up to %lld are not those that the checkpoint of %.*s was made of: the chain "
		                         "was written anew",
		                         (long long)record->n, SLICE_ARG(record->at));
	/* Rows may still follow: then some are missing before them, and if not, the end is. */
	if (record->n > MAX(reader->n, reader->promised_n)) {
		reader->promised_n = record->n;
		snprintf(reader->promised_at, sizeof(reader->promised_at), "%.*s", SLICE_ARG(record->at));
	}
	return true;
}

/* No row follows any more. */
static bool
has_all_promised(struct audit_reader *reader)
{
	return reader->promised_n <= reader->n ||
	       audit_reader_find(reader, reader->n + 1,
	                         "the log ends at row %lld, but had %lld rows on %s: its end was cut off",
	                         (long long)reader->n, (long long)reader->promised_n, reader->promised_at);
}

static bool
take_head(struct audit_reader *reader, const struct audit_record *record)
{
	reader->ended = true;
	if (record->n < reader->n)
		return audit_reader_find(
		    reader, record->n + 1,
		    "row %lld comes after the end of the chain, which is row %lld: it was inserted, or the "
		    "head was put back",
		    (long long)(record->n + 1), (long long)record->n);
	/* Nothing was sealed yet: there is nothing to sign. */
	return (record->n == 0 || take_checkpoint(reader, record)) && has_all_promised(reader);
}

/* In the middle it is the beginning of a further part, and has to fit. */
static bool
take_start(struct audit_reader *reader, const struct audit_record *record)
{
	if (reader->begun && (record->n != reader->n || !crypto_equal(record->hash, reader->hash, sizeof(reader->hash))))
		return audit_reader_find(reader, record->n,
		                         "the chain begins anew at row %lld, and not with what was there before",
		                         (long long)record->n);
	reader->begun = true;
	reader->n = record->n;
	memcpy(reader->hash, record->hash, sizeof(reader->hash));
	return true;
}

bool
audit_reader_take(struct audit_reader *reader, const struct audit_record *record)
{
	if (reader->found)
		return false;
	switch (record->kind) {
	case AUDIT_ANCHOR:
		if (!check_signature(reader, record, "the anchor"))
			return false;
		return take_start(reader, record);
	case AUDIT_FROM:
		return take_start(reader, record);
	case AUDIT_ROW:
	case AUDIT_DIGEST:
		return take_row(reader, record);
	case AUDIT_CHECKPOINT:
		return take_checkpoint(reader, record);
	case AUDIT_HEAD:
		return take_head(reader, record);
	case AUDIT_KIND_COUNT:
		break;
	}
	INVARIANT(false);
	return false;
}

bool
audit_reader_end(struct audit_reader *reader)
{
	if (!reader->found && !has_all_promised(reader))
		return false;
	if (!reader->found && !reader->ended)
		return audit_reader_find(reader, reader->n + 1, "the head is missing: the log may have gone on after row %lld",
		                         (long long)reader->n);
	return !reader->found;
}
