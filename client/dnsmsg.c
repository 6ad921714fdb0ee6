/* SPDX-License-Identifier: MIT */
/* A DNS question and its answer. */
#include "client/dnsmsg.h"

#include <string.h>

enum {
	HEADER_LEN = 12,
	RECORD_HEAD_LEN = 10,	/* type, class, time to live, length */
	MAX_LABEL = 63,
	MAX_NAME = 255,		/* on the wire, with the root's zero */
	POINTER = 0xc0,
	TYPE_A = 1,
	CLASS_IN = 1,
	FLAG_RESPONSE = 0x80,	/* third byte */
	FLAG_RECURSE = 0x01,
	CODE_MASK = 0x0f,	/* fourth byte; 0: no error */
};

static uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static void put16(uint8_t *p, uint16_t value)
{
	p[0] = (uint8_t)(value >> 8);
	p[1] = (uint8_t)value;
}

/* The name as labels; bytes written, 0: it is none. */
static size_t write_name(uint8_t *out, const char *name)
{
	size_t at = 0, len;

	while (*name != '\0') {
		len = strcspn(name, ".");
		if (len == 0 || len > MAX_LABEL || at + len + 2 > MAX_NAME)
			return 0;
		out[at++] = (uint8_t)len;
		memcpy(out + at, name, len);
		at += len;
		name += len;
		if (*name == '.')
			name++;
	}
	out[at++] = 0;
	return at > 1 ? at : 0;
}

size_t dnsmsg_write_query(uint8_t out[DNSMSG_MAX_QUERY], uint16_t id,
			  const char *name)
{
	size_t len;

	memset(out, 0, HEADER_LEN);
	put16(out, id);
	out[2] = FLAG_RECURSE;
	put16(out + 4, 1);
	len = write_name(out + HEADER_LEN, name);
	if (len == 0)
		return 0;
	len += HEADER_LEN;
	put16(out + len, TYPE_A);
	put16(out + len + 2, CLASS_IN);
	return len + 4;
}

/* The end of the name at this offset; 0: there is none. */
static size_t skip_name(const uint8_t *in, size_t len, size_t at)
{
	while (at < len) {
		if (in[at] == 0)
			return at + 1;
		if ((in[at] & POINTER) == POINTER)
			return at + 2 <= len ? at + 2 : 0;
		if (in[at] > MAX_LABEL)
			return 0;
		at += (size_t)in[at] + 1;
	}
	return 0;
}

/* The header fits, and the question is repeated as it was put. */
static bool answers(const uint8_t *in, size_t len, const uint8_t *query,
		    size_t query_len)
{
	return len >= query_len && query_len > HEADER_LEN &&
	       memcmp(in, query, 2) == 0 &&
	       (in[2] & FLAG_RESPONSE) != 0 && (in[3] & CODE_MASK) == 0 &&
	       get16(in + 4) == 1 &&
	       memcmp(in + HEADER_LEN, query + HEADER_LEN,
		      query_len - HEADER_LEN) == 0;
}

bool dnsmsg_read_answer(const uint8_t *in, size_t len, const uint8_t *query,
			size_t query_len, uint32_t *address)
{
	size_t at = query_len, data_len;
	const uint8_t *record;
	unsigned int n;

	if (!answers(in, len, query, query_len))
		return false;
	for (n = get16(in + 6); n > 0; n--) {
		at = skip_name(in, len, at);
		if (at == 0 || len - at < RECORD_HEAD_LEN)
			return false;
		record = in + at;
		data_len = get16(record + 8);
		at += RECORD_HEAD_LEN;
		if (len - at < data_len)
			return false;
		if (get16(record) == TYPE_A && get16(record + 2) == CLASS_IN &&
		    data_len == 4) {
			*address = (uint32_t)get16(in + at) << 16 |
				   get16(in + at + 2);
			return true;
		}
		at += data_len;
	}
	return false;
}
