/*
 * test_backup_file.c - the format of backups: what was written is read, and whatever is done to the bytes is found,
 * with a key and without one.
 */
#include "base.h"

#include "backup_file.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>

enum { FRAMES = 4 };

static const struct slice keys[] = {{"", 0}, {"kX8-of-at-least-32-characters-for-backups", 41}};
static const struct slice other_key = {"kX8-of-at-least-32-characters-for-others!", 41};
static const enum backup_type types[FRAMES] = {BACKUP_HEAD, BACKUP_DATA, BACKUP_DATA, BACKUP_END};
static const char *const texts[FRAMES] = {"{\"a\":1}", "one line\n", "one more\n", "{}"};

/* The bytes of a backup of FRAMES frames; where each begins in at. */
static struct buf
make(struct slice key, size_t at[FRAMES + 1])
{
	struct buf bytes = {0};
	char *data;
	size_t size;
	FILE *file = open_memstream(&data, &size);
	struct backup_file backup;
	char id[UUID_TEXT_SIZE];

	uuid_new(id);
	assert_true(backup_file_create(&backup, file, id, key));
	for (int i = 0; i < FRAMES; i++) {
		at[i] = (size_t)backup.bytes;
		assert_true(backup_file_write(&backup, types[i], slice_of(texts[i])));
	}
	at[FRAMES] = (size_t)backup.bytes;
	backup_file_close(&backup);
	fclose(file);
	assert_int_equal(size, at[FRAMES]);
	buf_add(&bytes, data, size);
	free(data);
	return bytes;
}

/* How many frames were read before something was wrong; FRAMES: nothing was. */
static int
read_all(struct slice bytes, struct slice key, char fault[240])
{
	FILE *file = fmemopen((void *)(uintptr_t)bytes.data, bytes.len, "r");
	struct backup_file backup = {0};
	int count = -1;

	assert_non_null(file);
	if (backup_file_open(&backup, file, key)) {
		enum backup_type type;
		struct slice text;

		for (count = 0; !backup.ended && backup_file_read(&backup, &type, &text); count++) {
			assert_int_equal(type, types[count]);
			assert_true(slice_is(text, texts[count]));
		}
		if (!backup.ended || *backup.fault)
			count = MIN(count, FRAMES - 1);
	}
	if (fault)
		memcpy(fault, backup.fault, sizeof(backup.fault));
	backup_file_close(&backup);
	fclose(file);
	return count;
}

static void
test_what_was_written_is_read(void **state UNUSED)
{
	for (size_t i = 0; i < ARRAY_LENGTH(keys); i++) {
		size_t at[FRAMES + 1];
		struct buf bytes = make(keys[i], at);

		assert_int_equal(read_all(buf_slice(&bytes), keys[i], NULL), FRAMES);
		assert_int_equal(memmem(bytes.data, bytes.len, texts[1], strlen(texts[1])) != NULL, keys[i].len == 0);
		buf_free(&bytes);
	}
}

static void
test_every_byte_counts(void **state UNUSED)
{
	for (size_t i = 0; i < ARRAY_LENGTH(keys); i++) {
		size_t at[FRAMES + 1];
		struct buf bytes = make(keys[i], at);

		for (size_t byte = 0; byte < bytes.len; byte++) {
			bytes.data[byte] = (char)(bytes.data[byte] ^ 1);
			assert_true(read_all(buf_slice(&bytes), keys[i], NULL) < FRAMES);
			bytes.data[byte] = (char)(bytes.data[byte] ^ 1);
		}
		buf_free(&bytes);
	}
}

static void
test_every_cut_is_found(void **state UNUSED)
{
	for (size_t i = 0; i < ARRAY_LENGTH(keys); i++) {
		size_t at[FRAMES + 1];
		struct buf bytes = make(keys[i], at);
		char fault[240];

		for (size_t len = 1; len < bytes.len; len++)
			assert_true(read_all((struct slice){bytes.data, len}, keys[i], fault) < FRAMES);
		assert_string_equal(fault, "it ends in the middle: it was cut off when it was written or copied");
		buf_add_byte(&bytes, 'x');
		assert_true(read_all(buf_slice(&bytes), keys[i], fault) < FRAMES);
		assert_string_equal(fault, "something was added behind its end");
		buf_free(&bytes);
	}
}

/* Puts frames of from one after the other, as order says, behind the header of bytes. */
static int
read_frames(const struct buf *bytes, const struct buf *from, const size_t at[FRAMES + 1], const char *order,
            struct slice key)
{
	struct buf made = {0};
	int count;

	buf_add(&made, bytes->data, BACKUP_FILE_HEADER);
	for (; *order; order++) {
		int frame = *order - '0';

		buf_add(&made, (frame == 2 ? from : bytes)->data + at[frame], at[frame + 1] - at[frame]);
	}
	count = read_all(buf_slice(&made), key, NULL);
	buf_free(&made);
	return count;
}

static void
test_frames_have_their_place(void **state UNUSED)
{
	for (size_t i = 0; i < ARRAY_LENGTH(keys); i++) {
		size_t at[FRAMES + 1];
		struct buf bytes = make(keys[i], at), other = make(keys[i], at);

		assert_int_equal(read_frames(&bytes, &bytes, at, "0123", keys[i]), FRAMES);
		assert_int_equal(read_frames(&bytes, &bytes, at, "0213", keys[i]), 1);
		assert_int_equal(read_frames(&bytes, &bytes, at, "01123", keys[i]), 2);
		assert_int_equal(read_frames(&bytes, &bytes, at, "023", keys[i]), 1);
		assert_int_equal(read_frames(&bytes, &bytes, at, "03", keys[i]), 1);
		assert_int_equal(read_frames(&bytes, &bytes, at, "01233", keys[i]), FRAMES - 1);
		/* A frame of the same place and text, of another backup with the same key. */
		assert_int_equal(read_frames(&bytes, &other, at, "0123", keys[i]), 2);
		buf_free(&bytes);
		buf_free(&other);
	}
}

static void
test_the_key_is_needed(void **state UNUSED)
{
	size_t at[FRAMES + 1];
	struct buf bytes = make(keys[1], at);
	char fault[240];

	assert_int_equal(read_all(buf_slice(&bytes), other_key, fault), -1);
	assert_string_equal(fault, "AGENTD_BACKUP_KEY is not the key that it was made with, or its header is damaged");
	assert_int_equal(read_all(buf_slice(&bytes), SLICE(""), fault), -1);
	assert_non_null(strstr(fault, "it is encrypted: set AGENTD_BACKUP_KEY"));
	assert_int_equal(
	    read_all(SLICE("PGDMP and what pg_dump writes, which is longer than a header of 80 bytes .........."), keys[1],
	             fault),
	    -1);
	assert_non_null(strstr(fault, "it is no backup that `agentd backup` made"));
	buf_free(&bytes);
	/* One that was made without a key opens with any. */
	bytes = make(keys[0], at);
	assert_int_equal(read_all(buf_slice(&bytes), other_key, NULL), FRAMES);
	buf_free(&bytes);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_what_was_written_is_read), cmocka_unit_test(test_every_byte_counts),
	    cmocka_unit_test(test_every_cut_is_found),       cmocka_unit_test(test_frames_have_their_place),
	    cmocka_unit_test(test_the_key_is_needed),
	};

	return cmocka_run_group_tests_name("backup file", tests, NULL, NULL);
}
