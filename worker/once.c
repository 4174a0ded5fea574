/*
 * once.c - see once.h.
 *
 * What is stored of a request is a digest with the server's secret as its key: a body may hold a password, and a plain
 * digest of it could be guessed by who reads the table.
 */
#include "once.h"
#include "ask.h"
#include "crypto.h"
#include "crypto_seal.h"

enum { KEY_MAX = 200, TRIES_MAX = 5 };

struct once {
	struct slice key;
	struct slice owner;
	struct slice digest; /* of the request: another one with the same key is refused */
};

struct once_call {
	struct db_then then;
	struct slice *stored; /* the values of idempotency_store */
	int tries;
};

/* By the secret of that number. The first line keeps what is signed here apart from what tokens are signed with. */
static struct slice
digest_of(struct request *request, int secret)
{
	uint8_t bytes[CRYPTO_SHA256_SIZE];
	char *text = arena_alloc(&request->arena, 2 * sizeof(bytes) + 1);
	struct buf what = {0};

	buf_reserve(&what,
	            request->path.len + request->body_text.len + 100); /* so that it never moves: it is wiped below */
	buf_printf(&what, "idempotency\n%s %.*s\n", request->endpoint->operation, SLICE_ARG(request->path));
	buf_add_slice(&what, request->body_text);
	crypto_hmac_sign(request->worker->digests[secret], buf_slice(&what), bytes);
	buf_free(&what);
	crypto_hex(bytes, sizeof(bytes), text);
	return (struct slice){text, 2 * sizeof(bytes)};
}

enum step
once_read(struct request *request)
{
	struct slice key = request_header(request, "idempotency-key");
	bool plain = key.len > 0 && key.len <= KEY_MAX;

	if (!key.data || !request->endpoint->once)
		return STEP_NEXT;
	for (size_t i = 0; plain && i < key.len; i++)
		plain = key.data[i] > 0x20 && key.data[i] < 0x7F;
	if (!plain)
		return request_fail(request, ERROR_BAD_REQUEST,
		                    "an Idempotency-Key has 1 to %d visible ASCII characters; a random UUID will do", KEY_MAX);
	request->once = arena_zero(&request->arena, sizeof(*request->once));
	*request->once =
	    (struct once){.key = key,
	                  .owner = slice_of(arena_printf(&request->arena, "%s %.*s",
	                                                 request->principal.kind == PRINCIPAL_USER ? "user" : "key",
	                                                 SLICE_ARG(request->principal.id))),
	                  .digest = digest_of(request, 0)};
	return STEP_NEXT;
}

static struct slice *
make_values(struct call *call, enum query_id query)
{
	struct request *request = call->request;
	struct slice *values = ask_values(request, query);
	long long element = call - request->calls->list;

	ask_set(values, query, "tenant", ask_tenant(request));
	ask_set(values, query, "owner", request->once->owner);
	ask_set(values, query, "key", request->once->key);
	ask_set(values, query, "element", slice_of(arena_printf(&request->arena, "%lld", element)));
	return values;
}

/* What a sealed answer is bound to: one that is moved to another row does not open. */
static struct slice
about(const struct call *call)
{
	struct request *request = call->request;

	return slice_of(arena_printf(&request->arena, "%s %.*s %.*s %.*s", request->endpoint->operation,
	                             SLICE_ARG(ask_tenant(request)), SLICE_ARG(request->once->owner),
	                             SLICE_ARG(request->once->key)));
}

/* The answer as it is stored. */
static struct slice
stored_body(const struct call *call)
{
	struct request *request = call->request;
	struct slice body = buf_slice(&call->out);
	struct buf sealed = {0}, text = {0};

	if (!request->endpoint->sealed)
		return body;
	crypto_seal(request->worker->seal_keys[0], about(call), body, &sealed);
	crypto_base64url_encode(&text, buf_slice(&sealed));
	body = (struct slice){arena_string(&request->arena, buf_slice(&text)), text.len};
	buf_free(&sealed);
	buf_free(&text);
	return body;
}

/* The answer from what was stored; a secret that was changed since is tried too. False: none opens it. */
static bool
read_body(struct call *call, struct slice stored)
{
	struct request *request = call->request;
	struct slice sealed = {arena_alloc(&request->arena, stored.len + 1), 0};
	bool opened = false;

	call->out.len = 0;
	if (!request->endpoint->sealed) {
		buf_add_slice(&call->out, stored);
		return true;
	}
	if (!crypto_base64url_decode(stored, (uint8_t *)(uintptr_t)sealed.data, &sealed.len))
		return false;
	for (size_t i = 0; i < ARRAY_LENGTH(request->worker->seal_keys) && !opened; i++)
		opened = crypto_unseal(request->worker->seal_keys[i], about(call), sealed, &call->out);
	return opened;
}

/* Still in the transaction: the answer, and what is stored of it. Errors are not: the key can be used again. */
static const struct slice *
step(void *arg, const struct db_result *result)
{
	struct call *call = arg;
	struct slice *values = call->once->stored;

	call_write(call, result);
	if (call->is_error)
		return NULL;
	ask_set(values, QUERY_IDEMPOTENCY_STORE, "digest", call->request->once->digest);
	ask_set(values, QUERY_IDEMPOTENCY_STORE, "status",
	        slice_of(arena_printf(&call->request->arena, "%d", call->status)));
	ask_set(values, QUERY_IDEMPOTENCY_STORE, "body", stored_body(call));
	return values;
}

static void find(struct call *call);

static void
made(void *arg, const struct db_result *result)
{
	struct call *call = arg;

	/* Another one with the same key was faster: its answer is ours. */
	if (result->status == DB_FAILED && strcmp(result->sqlstate, "AG200") == 0 && call->once->tries++ < TRIES_MAX) {
		find(call);
		return;
	}
	if (result->status == DB_OK)
		call_follow(call, result);
	else
		call_failed(call, result);
	call_end(call);
}

/* The first request may have come before the secret was changed. */
static bool
is_same(struct request *request, struct slice digest)
{
	return slice_equal(digest, request->once->digest) ||
	       (request->worker->digests[1] && slice_equal(digest, digest_of(request, 1)));
}

static void
replay(struct call *call, const struct db_result *result)
{
	struct request *request = call->request;

	if (!is_same(request, db_get(result, 0, "digest"))) {
		call_fail(
		    call, ERROR_IDEMPOTENCY_MISMATCH,
		    "this Idempotency-Key was used for another request within 24 hours; take a new one for a new request");
		return;
	}
	call->status = (int)strtol(db_get(result, 0, "status").data, NULL, 10);
	if (!read_body(call, db_get(result, 0, "body"))) {
		call_fail(call, ERROR_CONFLICT,
		          "it was done, but what was answered cannot be read any more: AGENTD_SECRET was changed and "
		          "AGENTD_PREVIOUS_SECRET is not the one of then; look at what there is, and take a new Idempotency-Key");
		return;
	}
	if (!request->calls->array)
		request_add_header(request, "Idempotency-Replayed", SLICE("true"));
}

static void
found(void *arg, const struct db_result *result)
{
	struct call *call = arg;

	if (result->status == DB_OK && result->count == 0) {
		db_send_then(call->request->worker->db, call->query, call->values, &call->once->then, made, call);
		return;
	}
	if (result->status == DB_OK)
		replay(call, result);
	else
		call_failed(call, result);
	call_end(call);
}

static void
find(struct call *call)
{
	db_send(call->request->worker->db, QUERY_IDEMPOTENCY_FIND, make_values(call, QUERY_IDEMPOTENCY_FIND), found, call);
}

void
once_send(struct call *call)
{
	call->once = arena_zero(&call->request->arena, sizeof(*call->once));
	call->once->then = (struct db_then){.before = QUERY_IDEMPOTENCY_CLAIM,
	                                    .before_values = make_values(call, QUERY_IDEMPOTENCY_CLAIM),
	                                    .after = QUERY_IDEMPOTENCY_STORE,
	                                    .step = step};
	call->once->stored = make_values(call, QUERY_IDEMPOTENCY_STORE);
	find(call);
}
