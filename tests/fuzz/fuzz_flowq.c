/* SPDX-License-Identifier: MIT */
/*
 * Fuzzes common/flowq: whatever is pushed and however it is sent, messages
 * leave whole, in order within their flow, and none is lost without a count.
 */
#include "common/flowq.h"

#include <stdlib.h>
#include <string.h>

#include "proto/wire.h"

enum {
	N_FLOWS = 16,
	HEADER_LEN = 40,	/* IPv4, UDP, flow, number, length */
	MAX_MESSAGE = 66000,
	MAX_IOV = 32,
	SLAB = 32 * 1024,
};

struct input {
	const uint8_t *data;
	size_t len;
};

struct peer {
	struct flowq *q;
	uint64_t now_ns;
	size_t max_bytes;
	uint32_t max_packets;
	int64_t memory;
	uint32_t pushed[N_FLOWS], received[N_FLOWS];
	uint64_t n_pushed, n_received;
	uint8_t part[MAX_MESSAGE];
	uint32_t part_len;
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

static void charge(void *arg, int64_t bytes)
{
	struct peer *peer = arg;

	peer->memory += bytes;
	must(peer->memory >= 0);
}

static void write_message(uint8_t *out, uint32_t flow, uint32_t number,
			  uint32_t len)
{
	memset(out, (int)(flow + number), len);
	memset(out, 0, HEADER_LEN);
	out[0] = 0x45;
	out[9] = 17;
	store_be32(out + 12, 0x0a000002);
	store_be32(out + 20, flow);
	store_be32(out + 28, flow);
	store_be32(out + 32, number);
	store_be32(out + 36, len);
}

static void push(struct peer *peer, uint32_t flow, uint32_t len)
{
	static uint8_t data[MAX_MESSAGE];

	write_message(data, flow, peer->pushed[flow]++, len);
	peer->n_pushed++;
	flowq_push(peer->q, data, len, 0, peer->now_ns);
}

static void receive_message(struct peer *peer, uint32_t len)
{
	const uint8_t *p = peer->part;
	uint32_t flow = load_be32(p + 28), number = load_be32(p + 32), i;

	must(flow < N_FLOWS);
	must(number >= peer->received[flow] && number < peer->pushed[flow]);
	for (i = HEADER_LEN; i < len; i++)
		must(p[i] == (uint8_t)(flow + number));
	peer->received[flow] = number + 1;
	peer->n_received++;
}

static void receive(struct peer *peer, const uint8_t *p, size_t len)
{
	for (; len > 0; p++, len--) {
		peer->part[peer->part_len++] = *p;
		if (peer->part_len < HEADER_LEN)
			continue;
		must(load_be32(peer->part + 36) <= MAX_MESSAGE);
		if (peer->part_len == load_be32(peer->part + 36)) {
			receive_message(peer, peer->part_len);
			peer->part_len = 0;
		}
	}
}

static void send_some(struct peer *peer, struct iovec *iov, int n,
		      size_t limit)
{
	size_t sent = 0, len;
	int i;

	for (i = 0; i < n; i++) {
		len = iov[i].iov_len;
		if (len > limit - sent)
			len = limit - sent;
		receive(peer, iov[i].iov_base, len);
		sent += len;
	}
	flowq_sent(peer->q, sent);
}

static void check_invariants(const struct peer *peer)
{
	const struct flowq_drops *drops = flowq_drops(peer->q);
	uint32_t packets = flowq_packets(peer->q);
	int64_t bound = 2 * (int64_t)peer->max_bytes + 3 * SLAB;

	must(packets <= peer->max_packets);
	must(flowq_bytes(peer->q) <= peer->max_bytes);
	must(peer->memory <= bound);
	must(flowq_empty(peer->q) == (packets == 0));
	must(peer->n_pushed == peer->n_received + drops->full +
			       drops->stale + drops->no_memory + packets);
}

static void step(struct peer *peer, struct input *in)
{
	struct iovec iov[MAX_IOV];
	uint8_t op = take(in);
	int n;

	peer->now_ns += (uint64_t)(op >> 4) << 20;	/* about ms */
	switch (op & 7) {
	case 0: case 1: case 2:
		push(peer, op >> 4, HEADER_LEN + take(in) * 8U);
		break;
	case 3:
		push(peer, op >> 4, HEADER_LEN + take16(in));
		break;
	case 4:
		peer->now_ns += (uint64_t)take(in) << 24;
		break;
	default:
		n = flowq_peek(peer->q, iov, 1 + take(in) % MAX_IOV,
			       take16(in), peer->now_ns);
		if (op & 8)
			push(peer, take(in) % N_FLOWS, 500);
		send_some(peer, iov, n, op & 1 ? SIZE_MAX : take16(in));
		break;
	}
	check_invariants(peer);
}

static void drain(struct peer *peer)
{
	struct iovec iov[MAX_IOV];
	int n;

	while (!flowq_empty(peer->q)) {
		n = flowq_peek(peer->q, iov, MAX_IOV, SIZE_MAX, peer->now_ns);
		must(n > 0);
		send_some(peer, iov, n, SIZE_MAX);
	}
	must(peer->part_len == 0 && flowq_bytes(peer->q) == 0);
	check_invariants(peer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const size_t limits[4] = { 2000, 30000, 100000, 300000 };
	struct peer *peer = calloc(1, sizeof(*peer));
	struct input in = { data, len };
	uint8_t limit = take(&in);

	peer->max_bytes = limits[limit & 3];
	peer->max_packets = limit & 4 ? 8 : 200;
	peer->now_ns = 1;
	peer->q = flowq_new(peer->max_bytes, peer->max_packets, charge, peer);
	while (in.len > 0)
		step(peer, &in);
	if (!(limit & 8))
		drain(peer);
	flowq_free(peer->q);
	must(peer->memory == 0);
	free(peer);
	return 0;
}
