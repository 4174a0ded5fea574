/*
 * test_audit_chain.c - the hash chain of the audit log: every byte of a row counts, and whatever is done to a chain is
 * found, with the number of the row.
 */
#include "base.h"

#include "audit_chain.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>

enum { ROWS = 6 };

static const char *const secrets[] = {"a-secret-of-at-least-32-characters-x", "the-secret-before-that-was-different"};
static struct audit_keys *keys;
static struct audit_record rows[ROWS], head, checkpoint;
static char ids[ROWS][8];

/* A chain of six rows with a checkpoint at the fourth. */
static int
set_up(void **state UNUSED)
{
	uint8_t hash[CRYPTO_SHA256_SIZE] = {0};

	keys = audit_keys_new(secrets, 2);
	for (int i = 0; i < ROWS; i++) {
		rows[i] = (struct audit_record){.kind = AUDIT_ROW, .n = i + 1};
		for (int field = 0; field < AUDIT_FIELDS; field++)
			rows[i].fields[field] = field == 9 ? SLICE_NONE : slice_of(audit_fields[field]);
		snprintf(ids[i], sizeof(ids[i]), "%d", i);
		rows[i].fields[1] = slice_of(ids[i]);
		audit_digest(&rows[i], rows[i].digest);
		audit_link(hash, rows[i].digest, rows[i].hash);
		memcpy(hash, rows[i].hash, sizeof(hash));
	}
	head = (struct audit_record){
	    .kind = AUDIT_HEAD, .n = ROWS, .at = SLICE("today"), .key = slice_of(audit_keys_name(keys))};
	memcpy(head.hash, hash, sizeof(hash));
	audit_sign(keys, &head, head.signature);
	checkpoint = (struct audit_record){
	    .kind = AUDIT_CHECKPOINT, .n = 4, .at = SLICE("yesterday"), .key = slice_of(audit_keys_name(keys))};
	memcpy(checkpoint.hash, rows[3].hash, sizeof(hash));
	audit_sign(keys, &checkpoint, checkpoint.signature);
	return 0;
}

static int
tear_down(void **state UNUSED)
{
	audit_keys_free(keys);
	return 0;
}

/* Reads the rows in their order, without the one at left_out, with the checkpoint behind row 4 and the head. */
static struct audit_reader
read_chain(int left_out, const struct audit_keys *with)
{
	struct audit_reader reader = {.keys = with};
	bool good = true;

	for (int i = 0; i < ROWS && good; i++) {
		if (i != left_out)
			good = audit_reader_take(&reader, &rows[i]);
		if (i == 3 && good)
			good = audit_reader_take(&reader, &checkpoint);
	}
	if (good && audit_reader_take(&reader, &head))
		good = audit_reader_end(&reader);
	return reader;
}

#define EXPECT_FOUND(reader, row, words)                                                                   \
	do {                                                                                                   \
		struct audit_reader found_ = (reader);                                                             \
		if (!found_.found || found_.found_n != (row) || !strstr(found_.finding, words))                    \
			fail_msg("found %d at row %lld: %s", found_.found, (long long)found_.found_n, found_.finding); \
	} while (0)

static void
test_a_whole_chain_is_good(void **state UNUSED)
{
	struct audit_reader reader = read_chain(-1, keys);

	assert_false(reader.found);
	assert_int_equal(reader.rows, ROWS);
	assert_int_equal(reader.checkpoints, 2);
	assert_int_equal(reader.first_n, 1);
	/* Without the secret the rows can be checked, the signatures not. */
	reader = read_chain(-1, NULL);
	assert_false(reader.found);
	assert_int_equal(reader.checkpoints, 0);
}

static void
test_every_byte_of_every_column_counts(void **state UNUSED)
{
	for (int i = 0; i < ROWS; i++)
		for (int field = 0; field < AUDIT_FIELDS; field++) {
			struct slice was = rows[i].fields[field];
			char bytes[32];

			for (size_t at = 0; at < was.len; at++) {
				memcpy(bytes, was.data, was.len);
				bytes[at] ^= 1;
				rows[i].fields[field] = (struct slice){bytes, was.len};
				EXPECT_FOUND(read_chain(-1, keys), i + 1, "was edited");
			}
			/* NULL and empty, and the border between two columns. */
			rows[i].fields[field] = was.data ? SLICE_NONE : SLICE("");
			EXPECT_FOUND(read_chain(-1, keys), i + 1, "was edited");
			rows[i].fields[field] = was;
		}
	rows[2].fields[2] = SLICE("xida");
	rows[2].fields[3] = SLICE("t");
	EXPECT_FOUND(read_chain(-1, keys), 3, "was edited");
}

static void
test_an_edited_row_with_its_digest_made_anew_is_found(void **state UNUSED)
{
	rows[2].fields[4] = SLICE("mallory");
	audit_digest(&rows[2], rows[2].digest);
	EXPECT_FOUND(read_chain(-1, keys), 3, "does not follow");
	/* And with its hash: then the one behind it does not fit. */
	audit_link(rows[1].hash, rows[2].digest, rows[2].hash);
	EXPECT_FOUND(read_chain(-1, keys), 4, "does not follow");
}

/* All hashes from there on are computed again: only what is signed tells. */
static void
test_a_chain_written_anew_is_found_by_the_next_signature(void **state UNUSED)
{
	rows[1].fields[4] = SLICE("mallory");
	audit_digest(&rows[1], rows[1].digest);
	for (int i = 1; i < ROWS; i++)
		audit_link(rows[i - 1].hash, rows[i].digest, rows[i].hash);
	EXPECT_FOUND(read_chain(-1, keys), 4, "the chain was written anew");
	memcpy(checkpoint.hash, rows[3].hash, sizeof(checkpoint.hash));
	EXPECT_FOUND(read_chain(-1, keys), 4, "the checkpoint at row 4 was edited");
}

static void
test_what_is_missing_is_named(void **state UNUSED)
{
	EXPECT_FOUND(read_chain(0, keys), 1, "row 1 is missing");
	EXPECT_FOUND(read_chain(2, keys), 3, "row 3 is missing");
	/* With the numbers closed up. */
	for (int i = 3; i < ROWS; i++)
		rows[i].n--;
	EXPECT_FOUND(read_chain(2, keys), 3, "was edited");
}

static void
test_the_end_cut_off_is_found(void **state UNUSED)
{
	EXPECT_FOUND(read_chain(ROWS - 1, keys), ROWS, "its end was cut off");
	/* The head put back to before as well: the checkpoint of then has another place. */
	head.n = 3;
	memcpy(head.hash, rows[2].hash, sizeof(head.hash));
	EXPECT_FOUND(read_chain(-1, keys), 4, "inserted, or the head was put back");
	head.n = ROWS;
	EXPECT_FOUND(read_chain(-1, keys), ROWS, "the head at row 6 was edited");
}

static void
test_a_row_twice_and_rows_that_changed_places(void **state UNUSED)
{
	struct audit_record was = rows[2];

	rows[2] = rows[1];
	EXPECT_FOUND(read_chain(-1, keys), 2, "is there twice");
	rows[2].n = 3;
	EXPECT_FOUND(read_chain(-1, keys), 3, "was edited");
	rows[1] = was;
	rows[1].n = 2;
	EXPECT_FOUND(read_chain(-1, keys), 2, "was edited");
}

static void
test_signatures_of_others_do_not_count(void **state UNUSED)
{
	static const char *const other[] = {"the-secret-of-somebody-else-entirely", ""};
	struct audit_keys *strangers = audit_keys_new(other, 2);

	/* An old checkpoint may be of a secret that is gone; the head may not. */
	checkpoint.key = slice_of(audit_keys_name(strangers));
	audit_sign(strangers, &checkpoint, checkpoint.signature);
	assert_false(read_chain(-1, keys).found);
	assert_int_equal(read_chain(-1, keys).unknown_keys, 1);
	head.key = slice_of(audit_keys_name(strangers));
	audit_sign(strangers, &head, head.signature);
	EXPECT_FOUND(read_chain(-1, keys), ROWS, "which is not of AGENTD_SECRET");
	/* A stranger's signature under a known name. */
	head.key = slice_of(audit_keys_name(keys));
	EXPECT_FOUND(read_chain(-1, keys), ROWS, "the head at row 6 was edited");
	audit_keys_free(strangers);
}

static void
test_the_secret_before_still_checks(void **state UNUSED)
{
	static const char *const now[] = {"a-new-secret-that-came-after-those-two", "a-secret-of-at-least-32-characters-x"};
	struct audit_keys *rotated = audit_keys_new(now, 2);

	assert_false(read_chain(-1, rotated).found);
	assert_string_not_equal(audit_keys_name(rotated), audit_keys_name(keys));
	audit_keys_free(rotated);
}

static void
test_an_anchor_stands_for_what_was_dropped(void **state UNUSED)
{
	struct audit_record anchor = {
	    .kind = AUDIT_ANCHOR, .n = 2, .at = SLICE("then"), .key = slice_of(audit_keys_name(keys))};
	struct audit_reader reader = {.keys = keys};

	memcpy(anchor.hash, rows[1].hash, sizeof(anchor.hash));
	audit_sign(keys, &anchor, anchor.signature);
	assert_true(audit_reader_take(&reader, &anchor));
	for (int i = 2; i < ROWS; i++)
		assert_true(audit_reader_take(&reader, &rows[i]));
	assert_true(audit_reader_take(&reader, &head) && audit_reader_end(&reader));
	assert_int_equal(reader.first_n, 3);
	/* What is signed as a checkpoint is no anchor: nobody but the keeper can drop rows. */
	reader = (struct audit_reader){.keys = keys};
	checkpoint.kind = AUDIT_ANCHOR;
	assert_false(audit_reader_take(&reader, &checkpoint));
	EXPECT_FOUND(reader, 4, "the anchor at row 4 was edited");
}

static void
test_a_part_begins_behind_a_row_that_is_there(void **state UNUSED)
{
	struct audit_record from = {.kind = AUDIT_FROM, .n = 3};
	struct audit_reader reader = {.keys = keys, .n = 3, .behind = true};

	memcpy(from.hash, rows[2].hash, sizeof(from.hash));
	assert_true(audit_reader_take(&reader, &from));
	assert_true(audit_reader_take(&reader, &rows[3]));
	reader = (struct audit_reader){.keys = keys, .n = 3, .behind = true};
	assert_false(audit_reader_take(&reader, &rows[3]));
	EXPECT_FOUND(reader, 3, "is not there");
	reader = (struct audit_reader){.keys = keys};
	assert_true(audit_reader_take(&reader, &rows[0]));
	assert_false(audit_reader_take(&reader, &from));
}

/* Who may not see a row follows the chain by its digest. */
static void
test_digests_do_for_rows(void **state UNUSED)
{
	rows[1].kind = rows[4].kind = AUDIT_DIGEST;
	memset(rows[1].fields, 0, sizeof(rows[1].fields));
	assert_false(read_chain(-1, keys).found);
	rows[4].digest[3] ^= 1;
	EXPECT_FOUND(read_chain(-1, keys), 6, "does not follow");
}

static struct slice
get(void *arg, const char *name)
{
	const char *const *pairs = arg;

	for (; *pairs; pairs += 2)
		if (strcmp(*pairs, name) == 0)
			return slice_of(pairs[1]);
	return SLICE_NONE;
}

static void
test_records_are_read_strictly(void **state UNUSED)
{
	static char hash[] = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
	const char *row[] = {"kind", "row", "n", "7", "hash", hash, "digest", hash, "actor", "neo", NULL};
	struct audit_record record;
	const char *reason;

	assert_true(audit_record_read(get, row, &record, &reason));
	assert_int_equal(record.n, 7);
	assert_int_equal(record.hash[1], 0x11);
	assert_true(slice_is(record.fields[4], "neo"));
	assert_null(record.fields[5].data);
	row[3] = "7x";
	assert_false(audit_record_read(get, row, &record, &reason));
	assert_non_null(strstr(reason, "number"));
	row[3] = "7";
	row[5] = "00";
	assert_false(audit_record_read(get, row, &record, &reason));
	row[5] = hash;
	row[1] = "frob";
	assert_false(audit_record_read(get, row, &record, &reason));
	row[1] = "head";
	assert_false(audit_record_read(get, row, &record, &reason)); /* no signature */
	assert_non_null(strstr(reason, "signature"));
}

/* Computed once by hand, so that what was sealed by one version is read by the next. */
static void
test_the_form_of_a_row_never_changes(void **state UNUSED)
{
	char hex[2 * CRYPTO_SHA256_SIZE + 1];

	crypto_hex(rows[0].hash, CRYPTO_SHA256_SIZE, hex);
	assert_string_equal(hex, "16acc414a3b0edb8bf55602078ddb0fe353d26f15ffc54c1cb75c9b07541b5d9");
	crypto_hex(checkpoint.signature, CRYPTO_SHA256_SIZE, hex);
	assert_string_equal(hex, "ee7ab92d87bcb97028d940670a5f8c49685585562122aaae403c8c288bc5329a");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_a_whole_chain_is_good),
	    TEST(test_every_byte_of_every_column_counts),
	    TEST(test_an_edited_row_with_its_digest_made_anew_is_found),
	    TEST(test_a_chain_written_anew_is_found_by_the_next_signature),
	    TEST(test_what_is_missing_is_named),
	    TEST(test_the_end_cut_off_is_found),
	    TEST(test_a_row_twice_and_rows_that_changed_places),
	    TEST(test_signatures_of_others_do_not_count),
	    TEST(test_the_secret_before_still_checks),
	    TEST(test_an_anchor_stands_for_what_was_dropped),
	    TEST(test_a_part_begins_behind_a_row_that_is_there),
	    TEST(test_digests_do_for_rows),
	    TEST(test_records_are_read_strictly),
	    TEST(test_the_form_of_a_row_never_changes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
