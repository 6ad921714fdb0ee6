/* SPDX-License-Identifier: MIT */
/*
 * A DNS question for the IPv4 address of a name, and its answer (RFC 1035).
 * Bytes only: any thread, nothing blocks.
 */
#ifndef CLIENT_DNSMSG_H
#define CLIENT_DNSMSG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DNSMSG_MAX_QUERY = 12 + 255 + 4, DNSMSG_MAX_ANSWER = 4096 };

/* Bytes written; 0: the name cannot be asked for. */
size_t dnsmsg_write_query(uint8_t out[DNSMSG_MAX_QUERY], uint16_t id,
			  const char *name);

/*
 * Read the answer to this query: its first address, host byte order.  False:
 * it is not the answer, is malformed, or has no address.
 */
bool dnsmsg_read_answer(const uint8_t *in, size_t len, const uint8_t *query,
			size_t query_len, uint32_t *address);

#endif
