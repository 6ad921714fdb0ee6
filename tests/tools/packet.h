/* SPDX-License-Identifier: MIT */
/*
 * Packets for tests: written, and their checksums computed, with nothing shared
 * with the code under test.  Addresses are in host byte order.
 */
#ifndef TESTS_TOOLS_PACKET_H
#define TESTS_TOOLS_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	PACKET_ICMP = 1,
	PACKET_UDP = 17,
	PACKET_ECHO_REPLY = 0,
	PACKET_ECHO_REQUEST = 8,
	PACKET_UDP_PORT = 7777,		/* source and destination */
	PACKET_ECHO_ID = 0x5157,
};

uint16_t packet_get16(const uint8_t *p);
uint32_t packet_get32(const uint8_t *p);
void packet_put16(uint8_t *p, uint32_t value);
void packet_put32(uint8_t *p, uint32_t value);

bool packet_is_keepalive(const uint8_t *message);

/* Bytes from..len of a packet that a receiver can know again. */
void packet_fill(uint8_t *packet, size_t from, size_t len);

/* Internet checksum as it stands in a header; sum is added to it. */
uint16_t packet_checksum(const uint8_t *bytes, size_t len, uint32_t sum);

/* A packet of len bytes in all, at least 28. */
void packet_write_udp(uint8_t *packet, size_t len, uint32_t source,
		      uint32_t destination, bool df);
void packet_write_echo(uint8_t *packet, size_t len, uint32_t source,
		       uint32_t destination, bool df);

#endif
