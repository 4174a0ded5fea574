/*
 * once.c - see once.h.
 *
 * What is stored of a request is a digest with the server's secret as its key: a body may hold a password, and a plain
 * digest of it could be guessed by who reads the table.
 */
#include "once.h"
#include "ask.h"
#include "crypto.h"

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
	bool creates = request->endpoint->method == HTTP_POST && request->endpoint->status == 201;
	bool plain = key.len > 0 && key.len <= KEY_MAX;

	if (!key.data || (!request->endpoint->once && !creates))
		return STEP_NEXT;
	if (!request->endpoint->once)
		return request_fail(request, ERROR_VALIDATION_FAILED,
		                    "the answer of this endpoint holds a secret and is never stored: send no Idempotency-Key");
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
	ask_set(values, QUERY_IDEMPOTENCY_STORE, "body", call->out.len ? buf_slice(&call->out) : SLICE(""));
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
	call->out.len = 0;
	buf_add_slice(&call->out, db_get(result, 0, "body"));
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
