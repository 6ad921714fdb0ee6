/* SPDX-License-Identifier: MIT */
/*
 * Packets for tests, built in the plainest way, so that a mistake in the code
 * under test is not made here as well.
 */
#include "tests/tools/packet.h"

#include <string.h>

uint16_t packet_get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

uint32_t packet_get32(const uint8_t *p)
{
	return (uint32_t)packet_get16(p) << 16 | packet_get16(p + 2);
}

void packet_put16(uint8_t *p, uint32_t value)
{
	p[0] = (uint8_t)(value >> 8);
	p[1] = (uint8_t)value;
}

void packet_put32(uint8_t *p, uint32_t value)
{
	packet_put16(p, value >> 16);
	packet_put16(p + 2, value & 0xffff);
}

bool packet_is_keepalive(const uint8_t *message)
{
	return packet_get32(message + 12) == UINT32_MAX &&
	       packet_get32(message + 16) == UINT32_MAX;
}

uint16_t packet_checksum(const uint8_t *bytes, size_t len, uint32_t sum)
{
	size_t i;

	for (i = 0; i < len; i++)
		sum += i % 2 ? bytes[i] : (uint32_t)bytes[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static uint32_t pseudo_sum(const uint8_t *packet, size_t payload_len)
{
	uint32_t sum = packet[9] + (uint32_t)payload_len;
	int i;

	for (i = 12; i < 20; i += 2)
		sum += packet_get16(packet + i);
	return sum;
}

static void write_ip(uint8_t *packet, size_t len, uint8_t protocol,
		     uint32_t source, uint32_t destination, bool df)
{
	memset(packet, 0, 20);
	packet[0] = 0x45;
	packet_put16(packet + 2, (uint32_t)len);
	packet_put16(packet + 6, df ? 0x4000 : 0);
	packet[8] = 64;
	packet[9] = protocol;
	packet_put32(packet + 12, source);
	packet_put32(packet + 16, destination);
	packet_put16(packet + 10, packet_checksum(packet, 20, 0));
}

void packet_fill(uint8_t *packet, size_t from, size_t len)
{
	size_t i;

	for (i = from; i < len; i++)
		packet[i] = (uint8_t)(i * 7);
}

void packet_write_udp(uint8_t *packet, size_t len, uint32_t source,
		      uint32_t destination, bool df)
{
	write_ip(packet, len, PACKET_UDP, source, destination, df);
	packet_put16(packet + 20, PACKET_UDP_PORT);
	packet_put16(packet + 22, PACKET_UDP_PORT);
	packet_put16(packet + 24, (uint32_t)len - 20);
	packet_put16(packet + 26, 0);
	packet_fill(packet, 28, len);
	packet_put16(packet + 26,
		     packet_checksum(packet + 20, len - 20,
				     pseudo_sum(packet, len - 20)));
}

void packet_write_echo(uint8_t *packet, size_t len, uint32_t source,
		       uint32_t destination, bool df)
{
	write_ip(packet, len, PACKET_ICMP, source, destination, df);
	memset(packet + 20, 0, 8);
	packet[20] = PACKET_ECHO_REQUEST;
	packet_put16(packet + 24, PACKET_ECHO_ID);
	packet_fill(packet, 28, len);
	packet_put16(packet + 22, packet_checksum(packet + 20, len - 20, 0));
}
