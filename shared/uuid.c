/*
 * uuid.c - see uuid.h. The upper 60 bits that make the order (48 of milliseconds, 12 of counter) are one atomic word
 * that only grows, whatever the clock does: a full counter carries into the milliseconds. The other 62 bits are fresh
 * from the random source each time, so that processes, and a child after fork(), share nothing but the order. They are
 * fetched many ids at a time: one call of the random source costs more than the rest of an id.
 */
#include "uuid.h"

#include "clock.h"
#include "crypto.h"

#include <pthread.h>
#include <stdatomic.h>

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

static _Thread_local int random_left;

/* A child after fork() does not use what its parent has left. */
static void
forget_random(void)
{
	random_left = 0;
}

static void
watch_forks(void)
{
	INVARIANT(pthread_atfork(NULL, NULL, forget_random) == 0);
}

/* Random bytes for one id. */
static void
take_random(uint8_t out[RANDOM_BYTES])
{
	static _Thread_local uint8_t pool[POOL_IDS][RANDOM_BYTES];
	static pthread_once_t watching = PTHREAD_ONCE_INIT;

	if (random_left == 0) {
		INVARIANT(pthread_once(&watching, watch_forks) == 0);
		crypto_random(pool, sizeof(pool));
		random_left = POOL_IDS;
	}
	memcpy(out, pool[--random_left], RANDOM_BYTES);
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

/* 1 + the value of a hexadecimal digit; 0: none. */
static const uint8_t hex_digits[256] = {
    ['0'] = 1,  ['1'] = 2,  ['2'] = 3,  ['3'] = 4,  ['4'] = 5,  ['5'] = 6,  ['6'] = 7,  ['7'] = 8,
    ['8'] = 9,  ['9'] = 10, ['a'] = 11, ['b'] = 12, ['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16,
    ['A'] = 11, ['B'] = 12, ['C'] = 13, ['D'] = 14, ['E'] = 15, ['F'] = 16,
};

bool
uuid_parse(struct slice text, uint8_t out[UUID_SIZE])
{
	/* Where each byte's digits are; a hyphen stands before four of them. */
	static const uint8_t places[UUID_SIZE] = {0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34};

	if (text.len != UUID_TEXT_SIZE - 1 || text.data[8] != '-' || text.data[13] != '-' || text.data[18] != '-' ||
	    text.data[23] != '-')
		return false;
	for (size_t i = 0; i < UUID_SIZE; i++) {
		unsigned high = hex_digits[(uint8_t)text.data[places[i]]], low = hex_digits[(uint8_t)text.data[places[i] + 1]];

		if (!high || !low)
			return false;
		out[i] = (uint8_t)((high - 1) << 4 | (low - 1));
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
