/* SPDX-License-Identifier: MIT */
/* What the tests of proto/ share: repeatable random numbers and hex. */
#ifndef TESTS_UNIT_PROTO_TEST_H
#define TESTS_UNIT_PROTO_TEST_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* The seed from SEED, else from the clock; printed, so a failure repeats. */
static inline uint64_t random_seed(const char *test)
{
	const char *text = getenv("SEED");
	uint64_t seed = text ? strtoull(text, NULL, 0) : (uint64_t)time(NULL);

	printf("%s: SEED=%llu\n", test, (unsigned long long)seed);
	fflush(stdout);
	return seed;
}

/* Marsaglia's xorshift64*: enough for tests, the same everywhere. */
static inline uint32_t random_u32(uint64_t *state)
{
	uint64_t x = *state ? *state : 0x9e3779b97f4a7c15U;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	*state = x;
	return (uint32_t)((x * 0x2545f4914f6cdd1dU) >> 32);
}

static inline uint32_t random_below(uint64_t *state, uint32_t n)
{
	return (uint32_t)(((uint64_t)random_u32(state) * n) >> 32);
}

static inline void random_fill(uint64_t *state, uint8_t *out, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		out[i] = (uint8_t)random_u32(state);
}

/* Hex digits, spaces ignored; returns the bytes written, at most size. */
static inline size_t from_hex(const char *text, uint8_t *out, size_t size)
{
	char pair[3] = { 0 };
	size_t n = 0;

	for (; *text != '\0' && n < size; text++) {
		if (*text == ' ')
			continue;
		pair[0] = text[0];
		pair[1] = text[1];
		out[n++] = (uint8_t)strtoul(pair, NULL, 16);
		text++;
	}
	return n;
}

#endif
