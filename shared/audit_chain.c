/* audit_chain.c - see audit_chain.h. */
#include "audit_chain.h"

const char *const audit_fields[AUDIT_FIELDS] = {
    "tenant",       "id",         "xid",    "at",    "actor",   "actor_id", "action",
    "subject_type", "subject_id", "before", "after", "details", "address",  "request_id",
};

static const char *const kind_names[AUDIT_KIND_COUNT] = {
    [AUDIT_ANCHOR] = "anchor",         [AUDIT_FROM] = "from", [AUDIT_ROW] = "row", [AUDIT_DIGEST] = "digest",
    [AUDIT_CHECKPOINT] = "checkpoint", [AUDIT_HEAD] = "head",
};

static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool
audit_hash_read(struct slice text, uint8_t out[CRYPTO_SHA256_SIZE])
{
	if (text.len != 2 * CRYPTO_SHA256_SIZE)
		return false;
	for (size_t i = 0; i < CRYPTO_SHA256_SIZE; i++) {
		int high = hex_value(text.data[2 * i]), low = hex_value(text.data[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		out[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

static bool
read_number(struct slice text, int64_t *value_r)
{
	int64_t value = 0;

	if (text.len == 0 || text.len > 18)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] < '0' || text.data[i] > '9')
			return false;
		value = value * 10 + (text.data[i] - '0');
	}
	*value_r = value;
	return true;
}

static bool
is_signed(enum audit_kind kind)
{
	return kind == AUDIT_ANCHOR || kind == AUDIT_CHECKPOINT || kind == AUDIT_HEAD;
}

bool
audit_record_read(audit_get *get, void *arg, struct audit_record *record_r, const char **reason_r)
{
	struct slice kind = get(arg, "kind");

	*record_r = (struct audit_record){.kind = AUDIT_KIND_COUNT};
	*reason_r = NULL;
	for (int i = 0; i < AUDIT_KIND_COUNT; i++)
		if (slice_is(kind, kind_names[i]))
			record_r->kind = (enum audit_kind)i;
	if (record_r->kind == AUDIT_KIND_COUNT)
		*reason_r = "its kind is none of row, digest, checkpoint, anchor and head";
	else if (!read_number(get(arg, "n"), &record_r->n))
		*reason_r = "its number n is not a whole number";
	else if (record_r->kind != AUDIT_DIGEST && !audit_hash_read(get(arg, "hash"), record_r->hash))
		*reason_r = "its hash is not 64 hex digits";
	else if ((record_r->kind == AUDIT_DIGEST || record_r->kind == AUDIT_ROW) &&
	         !audit_hash_read(get(arg, "digest"), record_r->digest))
		*reason_r = "its digest is not 64 hex digits";
	else if (is_signed(record_r->kind) && record_r->n && !audit_hash_read(get(arg, "signature"), record_r->signature))
		*reason_r = "its signature is not 64 hex digits";
	if (*reason_r)
		return false;
	for (int i = 0; i < AUDIT_FIELDS && record_r->kind == AUDIT_ROW; i++)
		record_r->fields[i] = get(arg, audit_fields[i]);
	if (is_signed(record_r->kind)) {
		record_r->at = get(arg, "at");
		record_r->key = get(arg, "key");
	}
	return true;
}

/* Each field with its length, so that no two rows have one form. */
void
audit_digest(const struct audit_record *row, uint8_t out[CRYPTO_SHA256_SIZE])
{
	struct buf text = {0};

	buf_printf(&text, "agentd audit row 1\n%lld\n", (long long)row->n);
	for (int i = 0; i < AUDIT_FIELDS; i++) {
		if (!row->fields[i].data) {
			buf_add_text(&text, "-\n");
			continue;
		}
		buf_printf(&text, "%zu:", row->fields[i].len);
		buf_add_slice(&text, row->fields[i]);
		buf_add_byte(&text, '\n');
	}
	crypto_sha256(buf_slice(&text), out);
	buf_free(&text);
}

void
audit_link(const uint8_t before[CRYPTO_SHA256_SIZE], const uint8_t digest[CRYPTO_SHA256_SIZE],
           uint8_t out[CRYPTO_SHA256_SIZE])
{
	char both[2 * CRYPTO_SHA256_SIZE];

	memcpy(both, before, CRYPTO_SHA256_SIZE);
	memcpy(both + CRYPTO_SHA256_SIZE, digest, CRYPTO_SHA256_SIZE);
	crypto_sha256((struct slice){both, sizeof(both)}, out);
}

struct audit_keys {
	int count;
	struct {
		struct crypto_hmac *hmac;
		char name[AUDIT_KEY_ID_SIZE];
	} list[AUDIT_KEYS_MAX];
};

/* HKDF with no salt and one block of output. */
static void
derive(const char *secret, uint8_t out[CRYPTO_SHA256_SIZE])
{
	static const char salt[CRYPTO_SHA256_SIZE], info[] = "agentd audit checkpoint\x01";
	struct crypto_hmac *hmac = crypto_hmac_new((struct slice){salt, sizeof(salt)});
	uint8_t middle[CRYPTO_SHA256_SIZE];

	crypto_hmac_sign(hmac, slice_of(secret), middle);
	crypto_hmac_free(hmac);
	hmac = crypto_hmac_new((struct slice){(const char *)middle, sizeof(middle)});
	crypto_hmac_sign(hmac, (struct slice){info, sizeof(info) - 1}, out);
	crypto_hmac_free(hmac);
	crypto_wipe(middle, sizeof(middle));
}

struct audit_keys *
audit_keys_new(const char *const *secrets, int count)
{
	struct audit_keys *keys = mem_zero(sizeof(*keys));

	for (int i = 0; i < count && keys->count < AUDIT_KEYS_MAX; i++) {
		uint8_t key[CRYPTO_SHA256_SIZE], name[CRYPTO_SHA256_SIZE];

		if (!secrets[i] || !*secrets[i])
			continue;
		derive(secrets[i], key);
		crypto_sha256((struct slice){(const char *)key, sizeof(key)}, name);
		crypto_hex(name, AUDIT_KEY_ID_SIZE / 2, keys->list[keys->count].name);
		keys->list[keys->count++].hmac = crypto_hmac_new((struct slice){(const char *)key, sizeof(key)});
		crypto_wipe(key, sizeof(key));
	}
	return keys;
}

void
audit_keys_free(struct audit_keys *keys)
{
	if (!keys)
		return;
	for (int i = 0; i < keys->count; i++)
		crypto_hmac_free(keys->list[i].hmac);
	free(keys);
}

const char *
audit_keys_name(const struct audit_keys *keys)
{
	return keys->count ? keys->list[0].name : "";
}

/* The head is a checkpoint that is not kept: they are signed alike. */
static void
sign(struct crypto_hmac *hmac, const struct audit_record *record, uint8_t out[CRYPTO_SHA256_SIZE])
{
	char hash[2 * CRYPTO_SHA256_SIZE + 1];
	struct buf text = {0};

	crypto_hex(record->hash, CRYPTO_SHA256_SIZE, hash);
	buf_printf(&text, "agentd audit %s 1\n%lld\n%s\n%.*s\n",
	           kind_names[record->kind == AUDIT_ANCHOR ? AUDIT_ANCHOR : AUDIT_CHECKPOINT], (long long)record->n, hash,
	           SLICE_ARG(record->at));
	crypto_hmac_sign(hmac, buf_slice(&text), out);
	buf_free(&text);
}

void
audit_sign(const struct audit_keys *keys, const struct audit_record *record, uint8_t out[CRYPTO_SHA256_SIZE])
{
	INVARIANT(keys->count);
	sign(keys->list[0].hmac, record, out);
}

enum audit_verdict
audit_signature_check(const struct audit_keys *keys, const struct audit_record *record)
{
	uint8_t expected[CRYPTO_SHA256_SIZE];

	for (int i = 0; i < keys->count; i++)
		if (slice_is(record->key, keys->list[i].name)) {
			sign(keys->list[i].hmac, record, expected);
			return crypto_equal(expected, record->signature, sizeof(expected)) ? AUDIT_SIGNED : AUDIT_FORGED;
		}
	return AUDIT_KEY_UNKNOWN;
}
