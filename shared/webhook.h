/*
 * webhook.h - what a webhook is sent with, as Standard Webhooks say (github.com/standard-webhooks/standard-webhooks),
 * and when it is tried again. Pure.
 *
 * A request has the headers webhook-id (the same for every try of a message), webhook-timestamp (seconds) and
 * webhook-signature: "v1," and the HMAC-SHA256 of "id.timestamp.body" in base64. The secret is "whsec_" and the key in
 * base64.
 */
#ifndef AGENTD_WEBHOOK_H
#define AGENTD_WEBHOOK_H

#include "base.h"
#include "buf.h"

struct cidr_list;

enum { WEBHOOK_KEY_MIN = 24, WEBHOOK_KEY_MAX = 64, WEBHOOK_TRIES = 9 };

struct webhook_key {
	uint8_t bytes[WEBHOOK_KEY_MAX];
	size_t len;
};

/* A new secret of 32 random bytes. */
void webhook_secret_new(struct buf *out);
/* False: it is not a secret of this form. */
MUST_CHECK bool webhook_secret_read(struct slice secret, struct webhook_key *key_r);
/* Appends the value of the header webhook-signature. */
void webhook_sign(const struct webhook_key *key, struct slice id, int64_t timestamp_s, struct slice body,
                  struct buf *out);

/*
 * Seconds to wait after the try of that number (from 1) failed, at least what the receiver asked for (0: nothing), with
 * a fifth of chance; -1: it is given up, about 30 hours after the first.
 */
int64_t webhook_pause_s(int tries, int64_t asked_s, uint32_t random);

/* What is wrong with a URL for webhooks, or NULL. An address that it names must be allowed (address_rule.h). */
const char *webhook_url_fault(struct slice url, const struct cidr_list *allowed);

#endif
