/* SPDX-License-Identifier: MIT */
/*
 * For tests of segmentation and coalescing: packets made byte by byte, with
 * checksums computed in the plainest way, and the check that what was
 * coalesced comes apart into the very same packets.
 */
#ifndef TESTS_UNIT_PACKETS_H
#define TESTS_UNIT_PACKETS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/coalesce.h"
#include "common/segment.h"
#include "proto/packet.h"

enum {
	TCP = 6,
	UDP = 17,
	DF = 0x4000,
	MF = 0x2000,
	FIN = 0x01,
	SYN = 0x02,
	RST = 0x04,
	PSH = 0x08,
	ACK = 0x10,
	URG = 0x20,
	ECE = 0x40,
	CWR = 0x80,
	MAX_PACKET = 65535,
};

struct spec {
	uint8_t protocol, tos, ttl, flags;
	uint8_t ip_options, tcp_options;	/* bytes, a multiple of 4 */
	uint16_t id, fragment, source_port, destination_port;
	uint16_t window, urgent;
	uint32_t source, destination, sequence, acknowledgement;
	uint32_t payload_len, fill;
};

static inline struct spec spec_tcp(uint32_t payload_len)
{
	return (struct spec){
		.protocol = TCP, .ttl = 64, .flags = ACK, .fragment = DF,
		.id = 1000, .source = 0x0a000002, .destination = 0x0a000003,
		.source_port = 40000, .destination_port = 5201,
		.sequence = 0xfffffc00, .acknowledgement = 77, .window = 500,
		.tcp_options = 12, .payload_len = payload_len, .fill = 1,
	};
}

static inline struct spec spec_udp(uint32_t payload_len)
{
	struct spec spec = spec_tcp(payload_len);

	spec.protocol = UDP;
	return spec;
}

static inline void put16(uint8_t *p, uint32_t value)
{
	p[0] = (uint8_t)(value >> 8 & 0xff);
	p[1] = (uint8_t)(value & 0xff);
}

static inline void put32(uint8_t *p, uint32_t value)
{
	put16(p, value >> 16);
	put16(p + 2, value & 0xffff);
}

static inline uint32_t get16(const uint8_t *p)
{
	return (uint32_t)(p[0] * 256 + p[1]);
}

/* The sum of RFC 1071, one byte at a time, carries added at once. */
static inline uint32_t naive_sum(const uint8_t *p, size_t len, uint32_t sum)
{
	size_t i;

	for (i = 0; i < len; i++) {
		sum += i % 2 ? p[i] : (uint32_t)p[i] * 256;
		if (sum > 0xffff)
			sum -= 0xffff;
	}
	return sum;
}

static inline uint32_t naive_pseudo(const uint8_t *ip, uint32_t len)
{
	uint8_t pseudo[12] = { 0 };

	memcpy(pseudo, ip + 12, 8);
	pseudo[9] = ip[9];
	put16(pseudo + 10, len);
	return naive_sum(pseudo, sizeof(pseudo), 0);
}

static inline void naive_ip_checksum(uint8_t *ip)
{
	put16(ip + 10, 0);
	put16(ip + 10, 0xffff - naive_sum(ip, (ip[0] & 15U) * 4, 0));
}

/* Complete both checksums of a whole TCP or UDP packet. */
static inline void naive_checksums(uint8_t *ip, uint32_t len)
{
	uint32_t ip_len = (ip[0] & 15U) * 4;
	uint8_t *field = ip + ip_len + (ip[9] == TCP ? 16 : 6);
	uint32_t sum;

	naive_ip_checksum(ip);
	put16(field, 0);
	sum = 0xffff - naive_sum(ip + ip_len, len - ip_len,
				 naive_pseudo(ip, len - ip_len));
	put16(field, sum == 0 && ip[9] == UDP ? 0xffff : sum);
}

/* As the kernel leaves it: the pseudo-header's sum alone. */
static inline void naive_partial(uint8_t *ip, uint32_t len)
{
	uint32_t ip_len = (ip[0] & 15U) * 4;

	put16(ip + ip_len + (ip[9] == TCP ? 16 : 6),
	      naive_pseudo(ip, len - ip_len));
}

static inline uint32_t spec_write(const struct spec *s, uint8_t *out)
{
	uint32_t ip_len = 20U + s->ip_options, i;
	uint32_t header = s->protocol == TCP ? 20U + s->tcp_options : 8;
	uint32_t len = ip_len + header + s->payload_len;
	uint8_t *p = out + ip_len;

	memset(out, 1, ip_len + header);	/* options: no operation */
	out[0] = (uint8_t)(0x40 + ip_len / 4);
	out[1] = s->tos;
	put16(out + 2, len);
	put16(out + 4, s->id);
	put16(out + 6, s->fragment);
	out[8] = s->ttl;
	out[9] = s->protocol;
	put32(out + 12, s->source);
	put32(out + 16, s->destination);
	put16(p, s->source_port);
	put16(p + 2, s->destination_port);
	put16(p + 4, header + s->payload_len);
	if (s->protocol == TCP) {
		put32(p + 4, s->sequence);
		put32(p + 8, s->acknowledgement);
		p[12] = (uint8_t)(header / 4 * 16);
		p[13] = s->flags;
		put16(p + 14, s->window);
		put16(p + 18, s->urgent);
	}
	for (i = 0; i < s->payload_len; i++)
		p[header + i] = (uint8_t)((s->fill + i) * 2654435761U >> 24);
	naive_checksums(out, len);
	return len;
}

/* ---- The way through coalescing and back ---- */

struct original {
	uint8_t *data;
	struct packet packet;
	bool used;
};

static inline bool has_ports(const uint8_t *p, uint32_t len)
{
	uint32_t ip_len;

	if (len < 20 || p[0] >> 4 != 4 || (p[9] != TCP && p[9] != UDP))
		return false;
	ip_len = (p[0] & 15U) * 4;
	return ip_len >= 20 && ip_len + 4 <= len && get16(p + 2) == len &&
	       (get16(p + 6) & 0x3fff) == 0;
}

static inline bool same_flow(const uint8_t *a, uint32_t a_len,
			     const uint8_t *b, uint32_t b_len)
{
	bool ports = has_ports(a, a_len);

	if (ports != has_ports(b, b_len))
		return false;
	if (!ports)	/* these are never joined, so all keep their order */
		return true;
	return memcmp(a + 12, b + 12, 8) == 0 && a[9] == b[9] &&
	       memcmp(a + (a[0] & 15U) * 4, b + (b[0] & 15U) * 4, 4) == 0;
}

/* Take the first original of the packet's flow that was not taken yet. */
static inline struct original *take_original(struct original *originals,
					     size_t n, const uint8_t *p,
					     uint32_t len)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (!originals[i].used &&
		    same_flow(originals[i].data, originals[i].packet.len, p,
			      len)) {
			originals[i].used = true;
			return &originals[i];
		}
	}
	return NULL;
}

/* What left alone must be what came, in bytes and in description. */
static inline bool came_alone(struct original *originals, size_t n,
			      const struct coalesce_item *item)
{
	const uint8_t *data = item->iov[1].iov_base;
	struct original *o = take_original(originals, n, data,
					   item->packet.len);

	return o != NULL && item->n_iov == 2 && item->packet.data == data &&
	       item->packet.len == o->packet.len &&
	       item->iov[1].iov_len == o->packet.len &&
	       item->packet.segment_size == o->packet.segment_size &&
	       item->packet.checksum_partial == o->packet.checksum_partial &&
	       memcmp(data, o->data, o->packet.len) == 0;
}

/* One packet of those that a super-packet came apart into. */
static inline bool came_joined(struct original *originals, size_t n,
			       const uint8_t *p, uint32_t len)
{
	struct original *o = take_original(originals, n, p, len);

	if (o == NULL || o->packet.len != len || o->packet.segment_size != 0)
		return false;
	if (o->packet.checksum_partial)
		naive_checksums(o->data, len);
	if (get16(p + 6) & DF) {	/* where the identification is void */
		memcpy(o->data + 4, p + 4, 2);
		naive_ip_checksum(o->data);
	}
	return memcmp(o->data, p, len) == 0;
}

static inline bool came_apart(struct original *originals, size_t n,
			      const struct coalesce_item *item)
{
	uint8_t *whole = malloc(item->packet.len), *end = whole;
	struct packet packet = item->packet;
	size_t size, at;
	uint8_t *out;
	bool good;
	int i;

	for (i = 1; i < item->n_iov; i++) {
		memcpy(end, item->iov[i].iov_base, item->iov[i].iov_len);
		end += item->iov[i].iov_len;
	}
	packet.data = whole;
	good = end == whole + packet.len && packet.segment_size != 0 &&
	       segment_check(&packet) &&
	       segment_count(&packet) == item->n_packets &&
	       item->n_iov == (int)item->n_packets + 1;
	size = good ? segment_size(&packet) : 0;
	out = malloc(size + 1);
	good = good && segment_write(&packet, out) == size;
	for (at = 0; good && at < size; at += get16(out + at + 2))
		good = came_joined(originals, n, out + at,
				   get16(out + at + 2));
	free(out);
	free(whole);
	return good;
}

/*
 * Coalesce the packets, take everything apart again, and say whether each flow
 * has its packets back, byte for byte and in order.  *n_items: how many writes
 * it would have been.
 */
static inline bool round_trip(struct coalesce *c, const struct packet *packets,
			      size_t n, size_t *n_items)
{
	struct original *originals = calloc(n + 1, sizeof(*originals));
	struct coalesce_item *items;
	bool good = true;
	size_t i, n_packets = 0;

	for (i = 0; i < n; i++) {
		originals[i].packet = packets[i];
		originals[i].data = malloc(packets[i].len + 1);
		memcpy(originals[i].data, packets[i].data, packets[i].len);
	}
	*n_items = coalesce_run(c, packets, n, &items);
	for (i = 0; good && i < *n_items; i++) {
		n_packets += items[i].n_packets;
		good = items[i].n_packets == 1 ?
		       came_alone(originals, n, &items[i]) :
		       came_apart(originals, n, &items[i]);
	}
	for (i = 0; i < n; i++)
		free(originals[i].data);
	free(originals);
	return good && n_packets == n;
}

/* ---- Random numbers: xorshift64, so that a seed says everything ---- */

static inline uint32_t next_random(uint64_t *state, uint32_t below)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return (uint32_t)((*state >> 11) % below);
}

static inline uint64_t seed_from_environment(const char *test, uint64_t seed)
{
	const char *text = getenv("SEED");

	if (text != NULL)
		seed = strtoull(text, NULL, 0);
	printf("%s: SEED=%llu\n", test, (unsigned long long)seed);
	return seed == 0 ? 1 : seed;
}

#endif
