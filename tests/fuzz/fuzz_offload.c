/* SPDX-License-Identifier: MIT */
/*
 * Fuzzes common/segment and common/coalesce: any bytes as a super-packet come
 * apart into valid packets, and any batch that was coalesced comes apart into
 * the packets that it was made of.
 */
#include "common/coalesce.h"
#include "common/segment.h"

#include <stdlib.h>
#include <string.h>

#include "proto/ippkt.h"
#include "tests/unit/packets.h"

enum {
	N_FLOWS = 4,
	N_PACKETS = 48,
	PACKET_SPACE = 2048,
};

struct input {
	const uint8_t *data;
	size_t len;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static uint8_t take(struct input *in)
{
	if (in->len == 0)
		return 0;
	in->len--;
	return *in->data++;
}

static uint16_t take16(struct input *in)
{
	uint8_t high = take(in);

	return (uint16_t)(high << 8 | take(in));
}

static void must(bool good)
{
	if (!good)
		abort();
}

/* Every packet is valid, and its transport checksum is right. */
static void check_packets(const uint8_t *p, size_t size, uint32_t n,
			  uint32_t longest)
{
	uint32_t len, ip_len, sum;

	for (; n > 0; n--, p += len, size -= len) {
		must(size >= 20);
		len = get16(p + 2);
		must(len <= size && len <= longest && ippkt_valid(p, len));
		ip_len = (p[0] & 15U) * 4;
		sum = naive_sum(p + ip_len, len - ip_len,
				naive_pseudo(p, len - ip_len));
		must(sum == 0xffff && naive_sum(p, ip_len, 0) == 0xffff);
	}
	must(size == 0);
}

/* The bytes as they are, as a packet of any description. */
static void fuzz_segment(struct input in)
{
	uint16_t each = take16(&in);
	bool partial = take(&in) & 1;
	struct packet packet;
	uint8_t *copy, *out;
	size_t size;

	if (in.len > MAX_PACKET)
		return;
	copy = malloc(in.len + 1);
	memcpy(copy, in.data, in.len);
	if (in.len >= 20 && copy[1] & 1)	/* else few would pass */
		put16(copy + 2, (uint32_t)in.len);
	packet = (struct packet){ copy, (uint32_t)in.len, each, partial };
	if (segment_check(&packet)) {
		size = segment_size(&packet);
		out = malloc(size);
		must(segment_write(&packet, out) == size);
		if (each != 0)
			check_packets(out, size, segment_count(&packet),
				      segment_max_len(&packet));
		segment_finish_checksum(&packet);
		free(out);
	}
	free(copy);
}

/* One step away from the plain continuation of a flow. */
static void change(struct spec *s, struct input *in)
{
	switch (take(in) % 20) {
	case 0: s->tos = take(in); break;
	case 1: s->ttl = take(in); break;
	case 2: s->flags = take(in); break;
	case 3: s->ip_options = take(in) % 11 * 4; break;
	case 4: s->tcp_options = take(in) % 11 * 4; break;
	case 5: s->id = take16(in); break;
	case 6: s->fragment = take16(in); break;
	case 7: s->fragment = 0; break;
	case 8: s->window = take(in); break;
	case 9: s->urgent = take(in); break;
	case 10: s->sequence = take(in); break;
	case 11: s->acknowledgement = take(in); break;
	case 12: s->payload_len = take16(in) % 1500; break;
	case 13: s->source_port = take(in) % 4; break;
	case 14: s->protocol = take(in); break;
	case 15: s->fill = take16(in); break;
	case 16: s->flags = ACK | PSH; break;
	case 17: s->flags = ACK; break;
	case 18: s->id--; break;
	default: break;
	}
}

static void describe(struct packet *packet, struct input *in)
{
	uint8_t what = take(in);

	if (what & 1)
		packet->data[take16(in) % packet->len] ^= take(in);
	/* Only what would pass segment_check() may be called partial. */
	packet->checksum_partial = true;
	if (what & 2 && segment_check(packet)) {
		if (what & 4)
			packet->segment_size = 500;
		if (segment_check(packet))
			return;
		packet->segment_size = 0;
	}
	packet->checksum_partial = false;
}

static void fuzz_coalesce(struct input in)
{
	uint8_t *space = malloc((size_t)N_PACKETS * PACKET_SPACE);
	uint8_t protocols = take(&in);
	struct coalesce *c = coalesce_new(protocols & 1, protocols & 2);
	struct packet packets[N_PACKETS] = { { .len = 0 } };
	struct spec specs[N_FLOWS];
	size_t i, n, n_items;
	struct spec *s;
	uint8_t op;

	for (i = 0; i < N_FLOWS; i++) {
		specs[i] = i % 2 ? spec_tcp(200) : spec_udp(200);
		specs[i].source_port = (uint16_t)i;
	}
	for (n = 0; n < N_PACKETS && in.len > 0; n++) {
		op = take(&in);
		s = &specs[op % N_FLOWS];
		if (op & 4)
			change(s, &in);
		packets[n].data = space + n * PACKET_SPACE;
		packets[n].len = spec_write(s, packets[n].data);
		if (op & 8)
			describe(&packets[n], &in);
		s->id++;
		s->sequence += s->payload_len;
	}
	must(round_trip(c, packets, n, &n_items));
	must(n_items <= n);
	coalesce_free(c);
	free(space);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct input in = { data, len };

	if (take(&in) & 1)
		fuzz_segment(in);
	else
		fuzz_coalesce(in);
	return 0;
}
