/*
 * uuid.c - see uuid.h. The upper 60 bits that make the order (48 of milliseconds, 12 of counter) are one atomic word
 * that only grows, whatever the clock does: a full counter carries into the milliseconds. The other 62 bits are fresh
 * from the random source each time, so that processes, and a child after fork(), share nothing but the order. They are
 * fetched many ids at a time: one call of the random source costs more than the rest of an id.
 */
#include "uuid.h"

#include "clock.h"
#include "crypto.h"

#include <stdatomic.h>
#include <unistd.h>

enum { RANDOM_BYTES = UUID_SIZE - 6, POOL_IDS = 64 };

static _Atomic uint64_t last_order;

/* seed starts the counter of a new millisecond; its top bit is cleared so that at least 2048 ids fit behind it. */
static uint64_t
next_order(uint64_t now_ms, uint64_t seed)
{
	uint64_t last = atomic_load(&last_order), next;

	do
		next = MAX(last + 1, now_ms << 12 | (seed & 0x7ff));
	while (!atomic_compare_exchange_weak(&last_order, &last, next));
	return next;
}

/* Random bytes for one id; a child after fork() does not use what its parent has left. */
static void
take_random(uint8_t out[RANDOM_BYTES])
{
	static _Thread_local uint8_t pool[POOL_IDS][RANDOM_BYTES];
	static _Thread_local int left;
	static _Thread_local pid_t owner;
	pid_t self = getpid();

	if (left == 0 || owner != self) {
		crypto_random(pool, sizeof(pool));
		left = POOL_IDS;
		owner = self;
	}
	memcpy(out, pool[--left], RANDOM_BYTES);
}

void
uuid_new(char out[UUID_TEXT_SIZE])
{
	uint8_t bytes[UUID_SIZE];
	uint64_t order;

	take_random(bytes + 6);
	order = next_order((uint64_t)(clock_wall_us() / 1000), (uint64_t)bytes[6] << 8 | bytes[7]);
	for (int i = 0; i < 6; i++)
		bytes[i] = (uint8_t)(order >> (52 - 8 * i));
	bytes[6] = (uint8_t)(0x70 | (order >> 8 & 0x0f));
	bytes[7] = (uint8_t)order;
	bytes[8] = (uint8_t)(0x80 | (bytes[8] & 0x3f));
	uuid_format(bytes, out);
}

static int
hex_value(char digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	if (digit >= 'a' && digit <= 'f')
		return digit - 'a' + 10;
	return digit >= 'A' && digit <= 'F' ? digit - 'A' + 10 : -1;
}

static bool
hyphen_at(size_t i)
{
	return i == 8 || i == 13 || i == 18 || i == 23;
}

bool
uuid_parse(struct slice text, uint8_t out[UUID_SIZE])
{
	size_t at = 0;

	if (text.len != UUID_TEXT_SIZE - 1)
		return false;
	for (size_t i = 0; i < text.len; i += hyphen_at(i) ? 1 : 2) {
		int high, low;

		if (hyphen_at(i)) {
			if (text.data[i] != '-')
				return false;
			continue;
		}
		high = hex_value(text.data[i]);
		low = hex_value(text.data[i + 1]);
		if (high < 0 || low < 0)
			return false;
		out[at++] = (uint8_t)(high << 4 | low);
	}
	return true;
}

void
uuid_format(const uint8_t bytes[UUID_SIZE], char out[UUID_TEXT_SIZE])
{
	static const uint8_t groups[] = {4, 2, 2, 2, 6};

	for (size_t i = 0; i < ARRAY_LENGTH(groups); i++) {
		if (i)
			*out++ = '-';
		crypto_hex(bytes, groups[i], out);
		bytes += groups[i];
		out += 2 * groups[i];
	}
}
