/* SPDX-License-Identifier: MIT */
/* Packets that prove that they arrived as they were sent. */
#include "tests/scale/stamp.h"

#include <string.h>

enum {
	AT_HASH = 28,
	AT_STREAM = 36,
	AT_LEN = 40,
	AT_SEQUENCE = 44,
	AT_PATTERN = 52,
	PATTERN_STEPS = 1024,	/* power of two */
	UDP = 17,
	PORT = 7777,
};

static uint8_t pattern[PATTERN_STEPS + STAMP_MAX_LEN];

static void make_pattern(void)
{
	uint32_t random = 1;
	size_t i;

	if (pattern[0] != 0)
		return;
	for (i = 0; i < sizeof(pattern); i++) {
		random = random * 1664525 + 1013904223;
		pattern[i] = (uint8_t)(random >> 24) | 1;
	}
}

static void put16(uint8_t *p, uint32_t value)
{
	p[0] = (uint8_t)(value >> 8);
	p[1] = (uint8_t)value;
}

static void put32(uint8_t *p, uint32_t value)
{
	put16(p, value >> 16);
	put16(p + 2, value & 0xffff);
}

static uint32_t get16(const uint8_t *p)
{
	return (uint32_t)(p[0] << 8 | p[1]);
}

static uint32_t get32(const uint8_t *p)
{
	return get16(p) << 16 | get16(p + 2);
}

/* The finaliser of MurmurHash3: each bit of the input moves all others. */
static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 33) * 0xff51afd7ed558ccdU;
	x = (x ^ x >> 33) * 0xc4ceb9fe1a85ec53U;
	return x ^ x >> 33;
}

static uint64_t hash_of(const struct stamp *stamp, size_t len)
{
	uint64_t hash = mix((uint64_t)stamp->source << 32 |
			    stamp->destination);

	hash = mix(hash ^ ((uint64_t)stamp->stream << 32 | len));
	return mix(hash ^ stamp->sequence);
}

static uint32_t header_checksum(const uint8_t *packet)
{
	uint32_t sum = 0;
	int i;

	for (i = 0; i < 20; i += 2)
		sum += get16(packet + i);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~(sum + (sum >> 16)) & 0xffff;
}

static const uint8_t *pattern_of(uint64_t sequence)
{
	return pattern + sequence % PATTERN_STEPS;
}

void stamp_write(uint8_t *packet, size_t len, const struct stamp *stamp)
{
	uint64_t hash = hash_of(stamp, len);
	uint32_t length = (uint32_t)len;

	make_pattern();
	memset(packet, 0, AT_HASH);
	packet[0] = 0x45;
	put16(packet + 2, length);
	packet[8] = 64;
	packet[9] = UDP;
	put32(packet + 12, stamp->source);
	put32(packet + 16, stamp->destination);
	put16(packet + 10, header_checksum(packet));
	put16(packet + 20, PORT);
	put16(packet + 22, PORT);
	put16(packet + 24, length - 20);
	memcpy(packet + AT_HASH, &hash, sizeof(hash));
	memcpy(packet + AT_STREAM, &stamp->stream, sizeof(stamp->stream));
	memcpy(packet + AT_LEN, &length, sizeof(length));
	memcpy(packet + AT_SEQUENCE, &stamp->sequence,
	       sizeof(stamp->sequence));
	memcpy(packet + AT_PATTERN, pattern_of(stamp->sequence),
	       len - AT_PATTERN);
}

static bool in_order(struct stamp_memory *memory, const struct stamp *stamp)
{
	uint32_t i = (stamp->stream + stamp->destination) % STAMP_STREAMS;

	if (memory->seen[i].stream == stamp->stream &&
	    memory->seen[i].destination == stamp->destination &&
	    memory->seen[i].last >= stamp->sequence)
		return false;
	memory->seen[i].stream = stamp->stream;
	memory->seen[i].destination = stamp->destination;
	memory->seen[i].last = stamp->sequence;
	return true;
}

enum stamp_verdict stamp_check(struct stamp_memory *memory,
			       const uint8_t *packet, size_t len,
			       struct stamp *stamp)
{
	uint64_t hash;
	uint32_t length;

	make_pattern();
	if (len < STAMP_MIN_LEN || len > STAMP_MAX_LEN || packet[9] != UDP ||
	    get16(packet + 20) != PORT || get16(packet + 22) != PORT)
		return STAMP_FOREIGN;
	memcpy(&hash, packet + AT_HASH, sizeof(hash));
	memcpy(&stamp->stream, packet + AT_STREAM, sizeof(stamp->stream));
	memcpy(&length, packet + AT_LEN, sizeof(length));
	memcpy(&stamp->sequence, packet + AT_SEQUENCE,
	       sizeof(stamp->sequence));
	stamp->source = get32(packet + 12);
	stamp->destination = get32(packet + 16);
	if (length != len || hash != hash_of(stamp, len) ||
	    header_checksum(packet) != 0 ||
	    memcmp(packet + AT_PATTERN, pattern_of(stamp->sequence),
		   len - AT_PATTERN) != 0)
		return STAMP_CORRUPT;
	return in_order(memory, stamp) ? STAMP_GOOD : STAMP_DISORDER;
}
