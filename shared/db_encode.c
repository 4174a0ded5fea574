/*
 * db_encode.c - parameters in PostgreSQL's binary format: scalars for single queries, one-dimensional arrays for
 * batches.
 *
 * Binary needs no quoting and no terminating NUL, so values go from the request's buffer to the wire with one copy.
 */
#include "db_private.h"
#include "uuid.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <math.h>

/* Type OIDs from PostgreSQL's pg_type.dat: stable by definition. */
static const uint32_t element_oid[] = {
    [QUERY_TYPE_TEXT] = 25, [QUERY_TYPE_INT] = 23,    [QUERY_TYPE_INT8] = 20,  [QUERY_TYPE_FLOAT8] = 701,
    [QUERY_TYPE_BOOL] = 16, [QUERY_TYPE_UUID] = 2950, [QUERY_TYPE_JSON] = 114,
};

static bool
read_int(struct slice text, int64_t low, int64_t high, int64_t *value_r)
{
	char digits[24];
	char *end;
	long long value;

	if (text.len == 0 || text.len >= sizeof(digits))
		return false;
	memcpy(digits, text.data, text.len);
	digits[text.len] = '\0';
	errno = 0;
	value = strtoll(digits, &end, 10);
	*value_r = value;
	return *end == '\0' && errno == 0 && value >= low && value <= high;
}

static bool
read_double(struct slice text, double *value_r)
{
	char digits[64];
	char *end;

	if (text.len == 0 || text.len >= sizeof(digits))
		return false;
	memcpy(digits, text.data, text.len);
	digits[text.len] = '\0';
	*value_r = strtod(digits, &end);
	return *end == '\0' && isfinite(*value_r);
}

static void
put_be(char *out, uint64_t value, int bytes)
{
	for (int i = bytes - 1; i >= 0; i--, value >>= 8)
		out[i] = (char)(value & 0xff);
}

/* Writes value as type to out (16 bytes are enough for all but text and json, which are not copied here). */
static int
encode_fixed(enum query_type type, struct slice value, char out[16])
{
	int64_t number;
	double real;
	uint64_t bits;

	switch (type) {
	case QUERY_TYPE_INT:
		if (!read_int(value, INT32_MIN, INT32_MAX, &number))
			return -1;
		put_be(out, (uint64_t)number, 4);
		return 4;
	case QUERY_TYPE_INT8:
		if (!read_int(value, INT64_MIN, INT64_MAX, &number))
			return -1;
		put_be(out, (uint64_t)number, 8);
		return 8;
	case QUERY_TYPE_FLOAT8:
		if (!read_double(value, &real))
			return -1;
		memcpy(&bits, &real, sizeof(bits));
		put_be(out, bits, 8);
		return 8;
	case QUERY_TYPE_BOOL:
		out[0] = value.len && (value.data[0] == 't' || value.data[0] == '1');
		return 1;
	case QUERY_TYPE_UUID:
		return uuid_parse(value, (uint8_t *)out) ? 16 : -1;
	case QUERY_TYPE_TEXT:
	case QUERY_TYPE_JSON:
		break;
	}
	INVARIANT(false); /* not a fixed type */
	return -1;
}

static bool
is_fixed(enum query_type type)
{
	return type != QUERY_TYPE_TEXT && type != QUERY_TYPE_JSON;
}

bool
db_encode_check(const struct query *query, const struct slice *values)
{
	char out[16];

	for (int i = 0; i < query->param_count; i++) {
		enum query_type type = query->params[i].type;
		if (values[i].data && is_fixed(type) && encode_fixed(type, values[i], out) < 0)
			return false;
	}
	return true;
}

static void
add_be32(struct buf *out, uint32_t value)
{
	put_be(buf_reserve(out, 4), value, 4);
	out->len += 4;
}

static void
add_value(struct buf *out, enum query_type type, struct slice value)
{
	if (is_fixed(type)) {
		int length = encode_fixed(type, value, buf_reserve(out, 16));
		INVARIANT(length > 0);
		out->len += (size_t)length;
	} else {
		buf_add_slice(out, value);
	}
}

const struct slice *
db_call_values(const struct db_call *call, enum db_phase phase)
{
	return phase == DB_QUERY ? call->values : phase == DB_BEFORE ? call->then->before_values : call->after_values;
}

static bool
is_empty(int param, const struct db_calls *calls, enum db_phase phase)
{
	const struct db_call *call;

	TAILQ_FOREACH(call, calls, entry)
	{
		const struct slice *values = db_call_values(call, phase);
		if (values && values[param].data)
			return false;
	}
	return true;
}

/*
 * A parameter that is absent from every call is an array without elements: unnest() of several arrays fills the shorter
 * ones with NULL. Every :batch statement unnests one that is always there beside it, mostly the tenant.
 */
static void
add_array(struct buf *out, enum query_type type, int param, const struct db_calls *calls, enum db_phase phase)
{
	const struct db_call *call;
	size_t flag_at, count_at;
	uint32_t count = 0;

	if (is_empty(param, calls, phase)) {
		add_be32(out, 0); /* dimensions */
		add_be32(out, 0);
		add_be32(out, element_oid[type]);
		return;
	}
	add_be32(out, 1);
	flag_at = out->len;
	add_be32(out, 0); /* no NULL seen yet */
	add_be32(out, element_oid[type]);
	count_at = out->len;
	add_be32(out, 0);
	add_be32(out, 1); /* lower bound */
	TAILQ_FOREACH(call, calls, entry)
	{
		const struct slice *values = db_call_values(call, phase);
		size_t length_at = out->len;

		if (!values)
			continue;
		count++;
		if (!values[param].data) {
			add_be32(out, UINT32_MAX);
			put_be(out->data + flag_at, 1, 4);
			continue;
		}
		add_be32(out, 0);
		add_value(out, type, values[param]);
		put_be(out->data + length_at, out->len - length_at - 4, 4);
	}
	put_be(out->data + count_at, count, 4);
}

void
db_encode(const struct query *query, const struct query_statement *statement, const struct db_calls *calls,
          enum db_phase phase, struct buf *scratch, struct db_encoded *encoded_r)
{
	const struct slice *first = query->kind == QUERY_KIND_BATCH ? NULL : TAILQ_FIRST(calls)->values;
	size_t at[QUERY_PARAMS_MAX + 1];

	scratch->len = 0;
	buf_reserve(scratch, 1);
	for (int i = 0; i < statement->param_count; i++) {
		int param = statement->params[i];
		enum query_type type = query->params[param].type;

		at[i] = scratch->len;
		if (!first)
			add_array(scratch, type, param, calls, phase);
		else if (first[param].data)
			add_value(scratch, type, first[param]);
	}
	at[statement->param_count] = scratch->len;
	for (int i = 0; i < statement->param_count; i++) {
		bool null = first && !first[statement->params[i]].data;
		encoded_r->values[i] = null ? NULL : scratch->data + at[i];
		encoded_r->lengths[i] = (int)(at[i + 1] - at[i]);
		encoded_r->formats[i] = 1;
	}
}
