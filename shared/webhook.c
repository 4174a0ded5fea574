/* webhook.c - see webhook.h. */
#include "webhook.h"
#include "address_rule.h"
#include "cidr.h"
#include "crypto.h"

static const char prefix[] = "whsec_";

/* RFC 4648 section 4, with padding: crypto.h has the other alphabet. */
static void
encode(struct buf *out, const uint8_t *data, size_t len)
{
	size_t first = out->len;

	crypto_base64url_encode(out, (struct slice){(const char *)data, len});
	for (size_t i = first; i < out->len; i++)
		out->data[i] = out->data[i] == '-' ? '+' : out->data[i] == '_' ? '/' : out->data[i];
	while ((out->len - first) % 4)
		buf_add_byte(out, '=');
}

void
webhook_secret_new(struct buf *out)
{
	uint8_t key[32];

	crypto_random(key, sizeof(key));
	buf_add_text(out, prefix);
	encode(out, key, sizeof(key));
	crypto_wipe(key, sizeof(key));
}

bool
webhook_secret_read(struct slice secret, struct webhook_key *key_r)
{
	size_t head = sizeof(prefix) - 1, len = 0;
	char text[WEBHOOK_KEY_MAX * 4 / 3 + 4];

	if (secret.len <= head || secret.len - head > sizeof(text) || memcmp(secret.data, prefix, head) != 0)
		return false;
	for (size_t i = head; i < secret.len; i++) {
		char byte = secret.data[i];
		if (byte == '-' || byte == '_')
			return false;
		text[len++] = byte == '+' ? '-' : byte == '/' ? '_' : byte;
	}
	while (len && text[len - 1] == '=' && secret.len - head - len < 2)
		len--;
	return len <= sizeof(key_r->bytes) * 4 / 3 + 2 && len * 3 / 4 <= sizeof(key_r->bytes) &&
	       crypto_base64url_decode((struct slice){text, len}, key_r->bytes, &key_r->len) &&
	       key_r->len >= WEBHOOK_KEY_MIN;
}

void
webhook_sign(const struct webhook_key *key, struct slice id, int64_t timestamp_s, struct slice body, struct buf *out)
{
	struct crypto_hmac *hmac = crypto_hmac_new((struct slice){(const char *)key->bytes, key->len});
	uint8_t digest[CRYPTO_SHA256_SIZE];
	struct buf text = {0};

	buf_add_slice(&text, id);
	buf_printf(&text, ".%lld.", (long long)timestamp_s);
	buf_add_slice(&text, body);
	crypto_hmac_sign(hmac, buf_slice(&text), digest);
	crypto_hmac_free(hmac);
	buf_free(&text);
	buf_add_text(out, "v1,");
	encode(out, digest, sizeof(digest));
}

int64_t
webhook_pause_s(int tries, int64_t asked_s, uint32_t random)
{
	static const int pauses[WEBHOOK_TRIES - 1] = {5, 30, 300, 1800, 7200, 18000, 36000, 43200};
	enum { ASKED_MOST = 86400 };
	int64_t pause;

	if (tries >= WEBHOOK_TRIES)
		return -1;
	pause = pauses[MAX(tries, 1) - 1];
	pause += pause / 5 * (int64_t)(random % 1000) / 1000;
	return MAX(pause, MIN(asked_s, (int64_t)ASKED_MOST));
}

static bool
begins(struct slice text, const char *with)
{
	return text.len >= strlen(with) && strncasecmp(text.data, with, strlen(with)) == 0;
}

const char *
webhook_url_fault(struct slice url, const struct cidr_list *allowed)
{
	size_t start = begins(url, "https://") ? 8 : begins(url, "http://") ? 7 : 0, end = start, host_end;
	struct slice host;
	struct cidr address;

	if (!start)
		return "must begin with https:// or http://";
	for (size_t i = 0; i < url.len; i++)
		if ((unsigned char)url.data[i] <= 0x20 || (unsigned char)url.data[i] >= 0x7f || url.data[i] == '\\')
			return "must be ASCII without blanks and backslashes: write other characters as %XX";
	while (end < url.len && !strchr("/?#", url.data[end]))
		end++;
	if (memchr(url.data + start, '@', end - start))
		return "must not have a user in it: the signature says who sends";
	if (memchr(url.data + end, '#', url.len - end))
		return "must not have a fragment (#)";
	host_end = start;
	if (start < end && url.data[start] == '[')
		while (host_end < end && url.data[host_end] != ']')
			host_end++;
	while (host_end < end && url.data[host_end] != ':')
		host_end++;
	host = (struct slice){url.data + start, host_end - start};
	if (host.len && host.data[0] == '[')
		host = host.len > 2 ? (struct slice){host.data + 1, host.len - 2} : SLICE("");
	if (!host.len)
		return "must name a host";
	if (cidr_parse_address(host, &address) && !address_may_be_reached(&address, allowed))
		return "names an internal address; AGENTD_WEBHOOK_ALLOWED_RANGES can allow it";
	return NULL;
}
