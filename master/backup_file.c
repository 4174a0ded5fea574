/* backup_file.c - see backup_file.h. A reader believes nothing before its tag is right. */
#include "backup_file.h"
#include "crypto_seal.h"

#include <errno.h>

enum { TAG = 16, ABOUT = 9, SIGNED = 64, MODE_AT = 8, ID_AT = 16, SALT_AT = 32, CHECK_AT = SIGNED };

static const char magic[] = "AGDBKP01";

static bool
fail(struct backup_file *backup, const char *text)
{
	snprintf(backup->fault, sizeof(backup->fault), "%s", text);
	return false;
}

static bool
fail_input(struct backup_file *backup)
{
	if (!ferror(backup->file))
		return fail(backup, "it ends in the middle: it was cut off when it was written or copied");
	snprintf(backup->fault, sizeof(backup->fault), "it cannot be read: %s", strerror(errno));
	return false;
}

static void
derive(const uint8_t header[BACKUP_FILE_HEADER], struct slice secret, const char *purpose,
       uint8_t out[CRYPTO_SHA256_SIZE])
{
	uint8_t root[CRYPTO_SHA256_SIZE] = {0};
	struct crypto_hmac *hmac;
	struct buf text = {0};

	if (secret.len)
		crypto_derive(secret, "agentd backup 1", root, sizeof(root));
	hmac = crypto_hmac_new((struct slice){(const char *)root, sizeof(root)});
	buf_add(&text, header, SIGNED);
	buf_add_text(&text, purpose);
	crypto_hmac_sign(hmac, buf_slice(&text), out);
	crypto_hmac_free(hmac);
	crypto_wipe(root, sizeof(root));
	buf_free(&text);
}

bool
backup_file_create(struct backup_file *backup, FILE *file, const char *id, struct slice secret)
{
	uint8_t header[BACKUP_FILE_HEADER] = {0}, check[CRYPTO_SHA256_SIZE];

	*backup = (struct backup_file){.file = file, .sealed = secret.len > 0};
	INVARIANT(uuid_parse(slice_of(id), backup->id));
	memcpy(header, magic, strlen(magic));
	header[MODE_AT] = backup->sealed;
	memcpy(header + ID_AT, backup->id, UUID_SIZE);
	crypto_random(header + SALT_AT, CRYPTO_SHA256_SIZE);
	derive(header, secret, "key", backup->key);
	derive(header, secret, "check", check);
	memcpy(header + CHECK_AT, check, BACKUP_FILE_HEADER - CHECK_AT);
	backup->bytes = sizeof(header);
	if (fwrite(header, 1, sizeof(header), file) == sizeof(header))
		return true;
	snprintf(backup->fault, sizeof(backup->fault), "it cannot be written: %s", strerror(errno));
	return false;
}

static void
put_number(uint8_t *out, uint64_t number, int size)
{
	for (int i = size - 1; i >= 0; i--, number >>= 8)
		out[i] = (uint8_t)number;
}

/* What the frame's tag covers beside its text. */
static struct slice
about(const struct backup_file *backup, enum backup_type type, uint8_t out[ABOUT])
{
	put_number(out, backup->number, 8);
	out[8] = (uint8_t)type;
	return (struct slice){(const char *)out, ABOUT};
}

static void
sign(const struct backup_file *backup, enum backup_type type, struct slice text, uint8_t tag[CRYPTO_SHA256_SIZE])
{
	struct crypto_hmac *hmac = crypto_hmac_new((struct slice){(const char *)backup->key, sizeof(backup->key)});
	uint8_t place[ABOUT];
	struct buf all = {0};

	buf_add_slice(&all, about(backup, type, place));
	buf_add_slice(&all, text);
	crypto_hmac_sign(hmac, buf_slice(&all), tag);
	crypto_hmac_free(hmac);
	buf_free(&all);
}

bool
backup_file_write(struct backup_file *backup, enum backup_type type, struct slice text)
{
	uint8_t head[5], tag[CRYPTO_SHA256_SIZE], place[ABOUT];

	INVARIANT(text.len <= BACKUP_FRAME_MAX && !backup->ended);
	backup->body.len = 0;
	if (backup->sealed) {
		crypto_seal(backup->key, about(backup, type, place), text, &backup->body);
	} else {
		sign(backup, type, text, tag);
		buf_add_slice(&backup->body, text);
		buf_add(&backup->body, tag, TAG);
	}
	put_number(head, backup->body.len, 4);
	head[4] = (uint8_t)type;
	backup->number++;
	backup->bytes += (int64_t)(sizeof(head) + backup->body.len);
	backup->ended = type == BACKUP_END;
	if (fwrite(head, 1, sizeof(head), backup->file) == sizeof(head) &&
	    fwrite(backup->body.data, 1, backup->body.len, backup->file) == backup->body.len)
		return true;
	snprintf(backup->fault, sizeof(backup->fault), "it cannot be written: %s", strerror(errno));
	return false;
}

bool
backup_file_open(struct backup_file *backup, FILE *file, struct slice secret)
{
	uint8_t header[BACKUP_FILE_HEADER], check[CRYPTO_SHA256_SIZE];

	*backup = (struct backup_file){.file = file};
	if (fread(header, 1, sizeof(header), file) != sizeof(header))
		return fail_input(backup);
	if (memcmp(header, magic, strlen(magic)) != 0)
		return fail(backup, "it is no backup that `agentd backup` made (or it is compressed: unpack it first)");
	backup->sealed = header[MODE_AT] == 1;
	memcpy(backup->id, header + ID_AT, UUID_SIZE);
	backup->bytes = sizeof(header);
	if (header[MODE_AT] > 1)
		return fail(backup, "its header is damaged, or a newer agentd made it");
	if (backup->sealed && !secret.len)
		return fail(backup, "it is encrypted: set AGENTD_BACKUP_KEY (or AGENTD_BACKUP_KEY_FILE) as when it was made");
	if (!backup->sealed)
		secret = SLICE("");
	derive(header, secret, "key", backup->key);
	derive(header, secret, "check", check);
	if (crypto_equal(check, header + CHECK_AT, BACKUP_FILE_HEADER - CHECK_AT))
		return true;
	return fail(backup, backup->sealed
	                        ? "AGENTD_BACKUP_KEY is not the key that it was made with, or its header is damaged"
	                        : "its header is damaged");
}

/* Reads the body of a frame; false: it is not there, or too long to be one. */
static bool
read_body(struct backup_file *backup, uint8_t *type_r)
{
	uint8_t head[5];
	size_t length = 0;

	if (fread(head, 1, sizeof(head), backup->file) != sizeof(head))
		return fail_input(backup);
	for (int i = 0; i < 4; i++)
		length = length << 8 | head[i];
	if (length > BACKUP_FRAME_MAX + CRYPTO_SEAL_MORE || length < TAG) {
		snprintf(backup->fault, sizeof(backup->fault), "it is damaged at byte %lld", (long long)backup->bytes);
		return false;
	}
	backup->body.len = 0;
	if (fread(buf_reserve(&backup->body, length), 1, length, backup->file) != length)
		return fail_input(backup);
	backup->body.len = length;
	*type_r = head[4];
	return true;
}

static bool
check_body(struct backup_file *backup, enum backup_type type)
{
	struct slice body = buf_slice(&backup->body);
	uint8_t tag[CRYPTO_SHA256_SIZE], place[ABOUT];

	backup->text.len = 0;
	if (backup->sealed)
		return crypto_unseal(backup->key, about(backup, type, place), body, &backup->text);
	body.len -= TAG;
	sign(backup, type, body, tag);
	buf_add_slice(&backup->text, body);
	return crypto_equal(tag, body.data + body.len, TAG);
}

bool
backup_file_read(struct backup_file *backup, enum backup_type *type_r, struct slice *text_r)
{
	uint8_t type = 0;

	INVARIANT(!backup->ended);
	if (!read_body(backup, &type))
		return false;
	if (!check_body(backup, (enum backup_type)type)) {
		snprintf(
		    backup->fault, sizeof(backup->fault),
		    "it was changed or damaged in the %zu bytes from byte %lld on, or parts of it were exchanged or left out",
		    backup->body.len, (long long)backup->bytes + 5);
		return false;
	}
	backup->number++;
	backup->bytes += (int64_t)backup->body.len + 5;
	backup->ended = type == BACKUP_END;
	if (backup->ended && fgetc(backup->file) != EOF)
		return fail(backup, "something was added behind its end");
	*type_r = (enum backup_type)type;
	*text_r = buf_slice(&backup->text);
	return true;
}

void
backup_file_close(struct backup_file *backup)
{
	crypto_wipe(backup->key, sizeof(backup->key));
	buf_free(&backup->body);
	buf_free(&backup->text);
}
