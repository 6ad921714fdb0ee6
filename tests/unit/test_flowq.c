/* SPDX-License-Identifier: MIT */
/*
 * Tests of common/flowq.  Every message says who it is and how long, so the
 * bytes that leave are checked by reading them like a peer: nothing torn,
 * nothing out of order within a flow, nothing lost that was not counted.
 *
 * Flows share a slot of the queue's hash at random (one pair in 128), so tests
 * of fairness ask most of several flows or queues to be served well.
 */
#include "common/flowq.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	N_FLOWS = 40,
	HEADER_LEN = 40,	/* IPv4, UDP, flow, number, length */
	MAX_MESSAGE = 65535,
	MAX_IOV = 256,
	SLAB = 32 * 1024,
};

#define MS UINT64_C(1000000)

struct model {
	uint32_t pushed[N_FLOWS];	/* messages, which numbers them */
	uint32_t received[N_FLOWS];	/* the next number, at least */
	uint32_t n_pushed, n_received;
	uint32_t whole[N_FLOWS];	/* that came */
	uint8_t part[MAX_MESSAGE];	/* of the message that is coming */
	uint32_t part_len;
	uint32_t last_flow;
	int64_t memory, most_memory;
};

static struct model model;
static struct flowq *q;

static void charge(void *arg, int64_t bytes)
{
	struct model *m = arg;

	m->memory += bytes;
	if (m->memory > m->most_memory)
		m->most_memory = m->memory;
}

static void set_up_queue(size_t max_bytes, uint32_t max_packets)
{
	memset(&model, 0, sizeof(model));
	q = flowq_new(max_bytes, max_packets, charge, &model);
	ck_assert_ptr_nonnull(q);
}

static void tear_down_queue(void)
{
	flowq_free(q);
	q = NULL;
	ck_assert_int_eq(model.memory, 0);
}

static void set_up(void)
{
	set_up_queue(256 * 1024, 1000);
}

static void put32(uint8_t *p, uint32_t value)
{
	p[0] = (uint8_t)(value >> 24);
	p[1] = (uint8_t)(value >> 16);
	p[2] = (uint8_t)(value >> 8);
	p[3] = (uint8_t)value;
}

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	       (uint32_t)p[2] << 8 | p[3];
}

static uint8_t fill(uint32_t flow, uint32_t number, uint32_t i)
{
	return (uint8_t)(flow * 7 + number * 13 + i * 31);
}

static void write_message(uint8_t *out, uint32_t flow, uint32_t number,
			  uint32_t len)
{
	uint32_t i;

	memset(out, 0, HEADER_LEN);
	out[0] = 0x45;
	out[9] = 17;
	put32(out + 12, 0x0a000002);
	put32(out + 16, 0x0a000003);
	put32(out + 20, (1000 + flow) << 16 | 5000);
	put32(out + 28, flow);
	put32(out + 32, number);
	put32(out + 36, len);
	for (i = HEADER_LEN; i < len; i++)
		out[i] = fill(flow, number, i);
}

static void push(uint32_t flow, uint32_t len, uint64_t now_ns)
{
	static uint8_t data[MAX_MESSAGE];

	write_message(data, flow, model.pushed[flow]++, len);
	model.n_pushed++;
	flowq_push(q, data, len, 0, now_ns);
}

static uint32_t n_dropped(void)
{
	const struct flowq_drops *drops = flowq_drops(q);

	return (uint32_t)(drops->full + drops->stale + drops->no_memory);
}

/* A whole message has come. */
static void receive_message(const uint8_t *p, uint32_t len)
{
	uint32_t flow = get32(p + 28), number = get32(p + 32), i;

	if (flow >= N_FLOWS || number >= model.pushed[flow])
		ck_abort_msg("a message that nobody pushed");
	if (number < model.received[flow])
		ck_abort_msg("out of order");
	for (i = HEADER_LEN; i < len; i++) {
		if (p[i] != fill(flow, number, i))
			ck_abort_msg("torn");
	}
	model.received[flow] = number + 1;
	model.n_received++;
	model.whole[flow]++;
	model.last_flow = flow;
}

static void receive(const uint8_t *p, size_t len)
{
	uint32_t want, part;

	while (len > 0) {
		want = model.part_len < HEADER_LEN ? HEADER_LEN :
						     get32(model.part + 36);
		if (want < HEADER_LEN || want > MAX_MESSAGE)
			ck_abort_msg("torn: no message has this length");
		part = want - model.part_len;
		if (part > len)
			part = (uint32_t)len;
		memcpy(model.part + model.part_len, p, part);
		model.part_len += part;
		p += part;
		len -= part;
		if (model.part_len < HEADER_LEN ||
		    model.part_len < get32(model.part + 36))
			continue;
		receive_message(model.part, model.part_len);
		model.part_len = 0;
	}
}

/* Send up to limit bytes of a batch; returns how many there were to send. */
static size_t send_some(struct iovec *iov, int n, size_t limit)
{
	size_t total = 0, len;
	int i;

	for (i = 0; i < n; i++) {
		len = iov[i].iov_len;
		if (len == 0)
			ck_abort_msg("an empty vector");
		if (total + len > limit)
			len = total < limit ? limit - total : 0;
		receive(iov[i].iov_base, len);
		total += iov[i].iov_len;
	}
	flowq_sent(q, total < limit ? total : limit);
	return total;
}

static void drain(uint64_t now_ns)
{
	struct iovec iov[MAX_IOV];
	int n;

	while (!flowq_empty(q)) {
		n = flowq_peek(q, iov, MAX_IOV, SIZE_MAX, now_ns);
		ck_assert_int_gt(n, 0);
		send_some(iov, n, SIZE_MAX);
	}
	ck_assert_uint_eq(flowq_bytes(q), 0);
	ck_assert_uint_eq(model.part_len, 0);
	ck_assert_uint_eq(model.n_pushed, model.n_received + n_dropped());
}

/* Send one message; returns its flow. */
static uint32_t send_one(uint64_t now_ns)
{
	struct iovec iov;

	ck_assert_int_eq(flowq_peek(q, &iov, 1, 1, now_ns), 1);
	send_some(&iov, 1, SIZE_MAX);
	return model.last_flow;
}

START_TEST(flowq_new_is_empty_and_small)
{
	struct iovec iov;

	ck_assert(flowq_empty(q));
	ck_assert_uint_eq(flowq_bytes(q), 0);
	ck_assert_uint_eq(flowq_packets(q), 0);
	ck_assert_int_eq(flowq_peek(q, &iov, 1, 1000, 0), 0);
	flowq_sent(q, 0);
	ck_assert_int_le(model.memory, 8192);
}
END_TEST

START_TEST(flowq_without_charge_works)
{
	struct flowq *other = flowq_new(1000, 10, NULL, NULL);
	uint8_t data[100] = { 0x45 };

	flowq_push(other, data, sizeof(data), 0, 0);
	ck_assert_uint_eq(flowq_packets(other), 1);
	flowq_free(other);
	flowq_free(NULL);
}
END_TEST

START_TEST(flowq_one_flow_leaves_in_order)
{
	int i;

	for (i = 0; i < 50; i++)
		push(3, 100, 0);
	ck_assert_uint_eq(flowq_packets(q), 50);
	ck_assert_uint_eq(flowq_bytes(q), 5000);
	drain(0);
	ck_assert_uint_eq(model.n_received, 50);
}
END_TEST

START_TEST(flowq_neighbours_share_a_vector)
{
	struct iovec iov[4];
	int i;

	for (i = 0; i < 10; i++)
		push(3, 100, 0);
	ck_assert_int_eq(flowq_peek(q, iov, 4, SIZE_MAX, 0), 1);
	ck_assert_uint_eq(iov[0].iov_len, 1000);
	drain(0);
}
END_TEST

START_TEST(flowq_peek_stops_at_its_limits)
{
	struct iovec iov[4];
	uint32_t i;

	for (i = 0; i < 30; i++)
		push(i % 10, 1000, 0);
	ck_assert_int_eq(flowq_peek(q, iov, 1, 2500, 0), 1);
	ck_assert_uint_le(iov[0].iov_len, 3000);
	ck_assert_int_eq(flowq_peek(q, iov, 0, 2500, 0), 0);
	ck_assert_int_le(flowq_peek(q, iov, 4, SIZE_MAX, 0), 4);
	drain(0);
	ck_assert_uint_eq(model.n_received, 30);
}
END_TEST

START_TEST(flowq_any_bytes_are_queued)
{
	uint8_t data[200];
	struct iovec iov;
	uint32_t len, offset;

	memset(data, 0x4f, sizeof(data));
	data[9] = 17;
	for (len = 1; len <= sizeof(data); len++) {
		for (offset = 0; offset < 30; offset += 4) {
			flowq_push(q, data, len, offset, 0);
			ck_assert_int_eq(flowq_peek(q, &iov, 1, 1, 0), 1);
			ck_assert_uint_eq(iov.iov_len, len);
			ck_assert_mem_eq(iov.iov_base, data, len);
			flowq_sent(q, len);
		}
	}
	flowq_push(q, data, 0, 0, 0);
	ck_assert(flowq_empty(q));
}
END_TEST

START_TEST(flowq_full_of_bytes_drops_oldest_of_longest)
{
	int i;

	for (i = 0; i < 20; i++)
		push(1, 40, 0);
	for (i = 0; i < 300; i++)
		push(2, 1000, 0);
	ck_assert_uint_le(flowq_bytes(q), 256 * 1024);
	ck_assert_uint_ge(flowq_bytes(q), 255 * 1024);
	ck_assert_uint_eq(flowq_drops(q)->full, n_dropped());
	drain(0);
	ck_assert_uint_eq(model.received[2], 300);
	/* Few of the short flow suffer, and only if it shares a slot. */
	ck_assert_uint_ge(model.n_received, 262);
}
END_TEST

START_TEST(flowq_full_of_packets_drops)
{
	int i;

	for (i = 0; i < 1100; i++)
		push(1, 50, 0);
	ck_assert_uint_eq(flowq_packets(q), 1000);
	ck_assert_uint_eq(flowq_drops(q)->full, 100);
	drain(0);
	ck_assert_uint_eq(model.received[1], 1100);
}
END_TEST

START_TEST(flowq_short_flows_survive_a_flood)
{
	uint32_t i;

	for (i = 10; i < N_FLOWS; i++)
		push(i, 100, 0);
	for (i = 0; i < 3000; i++)
		push(1, 1400, 0);
	drain(0);
	for (i = 10; i < N_FLOWS; i++)
		model.n_pushed -= model.received[i];
	/* 30 flows: more than 10 in one slot of 128 will not happen. */
	ck_assert_uint_le(model.n_pushed, 3000 + 10);
}
END_TEST

/* Whether two floods, one after the other, are left about the same room. */
static bool floods_are_cut_evenly(void)
{
	int i;

	set_up_queue(256 * 1024, 1000);
	for (i = 0; i < 500; i++)
		push(i < 250 ? 0 : 1, 1000, 0);
	drain(0);
	i = (int)model.whole[0] - (int)model.whole[1];
	tear_down_queue();
	return i >= -20 && i <= 20;
}

START_TEST(flowq_floods_are_cut_to_the_same_length)
{
	int i, n_even = 0;

	tear_down_queue();
	for (i = 0; i < 8; i++)
		n_even += floods_are_cut_evenly();
	ck_assert_int_ge(n_even, 4);
	set_up();
}
END_TEST

START_TEST(flowq_message_over_the_limit_is_dropped)
{
	tear_down_queue();
	set_up_queue(1000, 10);
	push(1, 900, 0);
	push(1, 1001, 0);
	ck_assert_uint_eq(flowq_packets(q), 1);
	ck_assert_uint_eq(flowq_drops(q)->full, 1);
	push(1, 1000, 0);
	ck_assert_uint_eq(flowq_packets(q), 1);
	ck_assert_uint_eq(flowq_drops(q)->full, 2);
	drain(0);
}
END_TEST

START_TEST(flowq_super_packets_are_queued_whole)
{
	int i;

	for (i = 0; i < 8; i++)
		push((uint32_t)i % 2, i % 3 ? MAX_MESSAGE : 100, 0);
	drain(0);
	ck_assert_uint_ge(model.n_received, 5);
}
END_TEST

START_TEST(flowq_sparse_flow_leaves_before_backlog)
{
	uint32_t i, n_first = 0;

	for (i = 0; i < 180; i++)
		push(i % 20, 1400, 0);
	for (i = 0; i < 80; i++)
		send_one(0);
	for (i = 20; i < 36; i++)
		push(i, 100, 0);
	/* A packet of the backlog may be on its turn; some share a slot. */
	for (i = 0; i < 17; i++)
		n_first += send_one(0) >= 20;
	ck_assert_uint_ge(n_first, 8);
	drain(0);
}
END_TEST

START_TEST(flowq_sparse_flow_leaves_before_returned_batch)
{
	struct iovec iov[MAX_IOV];
	uint32_t i, n_first = 0;
	int n;

	for (i = 0; i < 100; i++)
		push(0, 1400, 0);
	n = flowq_peek(q, iov, MAX_IOV, 100 * 1024, 0);
	for (i = 1; i <= 16; i++)
		push(i, 100, 0);
	send_some(iov, n, 10 * 1400 + 7);
	send_one(0);
	for (i = 0; i < 18; i++)
		n_first += send_one(0) != 0;
	ck_assert_uint_ge(n_first, 8);
	drain(0);
	ck_assert_uint_eq(model.n_received, 116);
}
END_TEST

START_TEST(flowq_returned_sparse_packet_keeps_its_place)
{
	struct iovec iov[MAX_IOV];
	uint32_t i, n_first = 0;

	for (i = 0; i < 20; i++)
		push(0, 1400, 0);
	send_one(0);
	send_one(0);
	for (i = 1; i <= 16; i++)
		push(i, 100, 0);
	/* All of it, nothing is sent, and again. */
	flowq_peek(q, iov, MAX_IOV, SIZE_MAX, 0);
	flowq_sent(q, 0);
	for (i = 0; i < 17; i++)
		n_first += send_one(0) != 0;
	ck_assert_uint_ge(n_first, 8);
	drain(0);
	ck_assert_uint_eq(model.n_received, 36);
}
END_TEST

/*
 * Whether four flows with packets of different sizes get equal shares when of
 * each batch only the bytes up to the cut are sent.
 */
static bool shares_are_fair(size_t batch, size_t cut)
{
	static const uint32_t sizes[4] = { 1500, 700, 300, 1100 };
	size_t shares[4] = { 0 }, least = SIZE_MAX, most = 0;
	struct iovec iov[MAX_IOV];
	uint32_t i, before;
	int n;

	set_up_queue(8 * 1024 * 1024, 10000);
	for (i = 0; i < 4000; i++)
		push(i % 4, sizes[i % 4], 0);
	for (i = 0; i < 120; i++) {
		n = flowq_peek(q, iov, MAX_IOV, batch, 0);
		send_some(iov, n, cut);
	}
	for (i = 0; i < 4; i++) {
		before = model.received[i];
		shares[i] = (size_t)before * sizes[i];
		least = shares[i] < least ? shares[i] : least;
		most = shares[i] > most ? shares[i] : most;
	}
	tear_down_queue();
	return most - least <= 2 * 1514;
}

START_TEST(flowq_flows_get_equal_shares_of_bytes)
{
	int i, n_fair = 0;

	tear_down_queue();
	for (i = 0; i < 8; i++)
		n_fair += _i ? shares_are_fair(16000, 5333) :
			       shares_are_fair(1, SIZE_MAX);
	ck_assert_int_ge(n_fair, 4);
	set_up();
}
END_TEST

START_TEST(flowq_started_message_is_finished_first)
{
	struct iovec iov[MAX_IOV];
	uint32_t i;
	int n;

	push(0, 1000, 0);
	push(1, 1000, 0);
	n = flowq_peek(q, iov, MAX_IOV, SIZE_MAX, 0);
	ck_assert(!flowq_has_started(q));
	send_some(iov, n, 1);
	ck_assert(flowq_has_started(q));
	ck_assert_uint_eq(flowq_packets(q), 2);
	ck_assert_uint_eq(flowq_bytes(q), 1999);
	/* Whatever comes, the rest of it stays first. */
	for (i = 0; i < 1000; i++)
		push(2 + i % 3, 1000, 0);
	n = flowq_peek(q, iov, MAX_IOV, SIZE_MAX, 0);
	ck_assert_uint_ge(iov[0].iov_len, 999);
	send_some(iov, n, 500);
	n = flowq_peek(q, iov, MAX_IOV, SIZE_MAX, 0);
	send_some(iov, n, 0);
	n = flowq_peek(q, iov, MAX_IOV, SIZE_MAX, 0);
	send_some(iov, n, 499);
	ck_assert_uint_eq(model.n_received, 1);
	ck_assert_uint_eq(model.part_len, 0);
	ck_assert(!flowq_has_started(q));
	drain(0);
}
END_TEST

START_TEST(flowq_push_started_goes_first_beyond_the_limits)
{
	uint8_t data[MAX_MESSAGE];
	struct iovec iov;

	tear_down_queue();
	set_up_queue(65500, 2);
	write_message(data, 0, model.pushed[0]++, MAX_MESSAGE);
	model.n_pushed++;
	receive(data, 100);
	ck_assert(flowq_push_started(q, data + 100, MAX_MESSAGE - 100));
	ck_assert_uint_eq(flowq_bytes(q), MAX_MESSAGE - 100);
	ck_assert_uint_eq(flowq_packets(q), 1);
	push(1, 100, 0);	/* no room beside it */
	ck_assert_uint_eq(flowq_drops(q)->full, 1);
	ck_assert_int_eq(flowq_peek(q, &iov, 1, SIZE_MAX, 0), 1);
	send_some(&iov, 1, 0);	/* not a byte of it yet: still first */
	ck_assert_int_eq(flowq_peek(q, &iov, 1, SIZE_MAX, 0), 1);
	send_some(&iov, 1, 65000);
	push(1, 100, 0);
	drain(0);
	ck_assert_uint_eq(model.n_received, 2);
}
END_TEST

START_TEST(flowq_batch_that_is_out_is_not_dropped)
{
	struct iovec iov[MAX_IOV];
	uint32_t i;
	int n;

	for (i = 0; i < 100; i++)
		push(0, 1400, 0);
	n = flowq_peek(q, iov, MAX_IOV, SIZE_MAX, 0);
	for (i = 0; i < 300; i++)
		push(i % 5, 1400, 0);
	ck_assert_uint_le(flowq_bytes(q), 256 * 1024);
	send_some(iov, n, SIZE_MAX);
	ck_assert_uint_eq(model.n_received, 100);
	drain(0);
}
END_TEST

START_TEST(flowq_codel_leaves_short_stays_alone)
{
	uint64_t now = 0;
	int i;

	for (i = 0; i < 80; i++, now += MS / 20)
		push(0, 1000, now);
	for (i = 0; i < 5000; i++, now += MS / 20) {
		push(0, 1000, now);
		send_one(now);	/* pushed 4 ms ago */
	}
	ck_assert_uint_eq(n_dropped(), 0);
}
END_TEST

static double square_root(double x)
{
	double root = x + 1;
	int i;

	for (i = 0; i < 60; i++)
		root = (root + x / root) / 2;
	return root;
}

START_TEST(flowq_codel_drops_at_the_times_of_its_law)
{
	double expected_ms = 10 + 100;
	uint64_t now = 0, stale = 0;
	int i;

	for (i = 0; i < 50; i++)
		push(0, 1000, now);
	for (now = 10 * MS; stale < 40; now += MS) {
		send_one(now);
		push(0, 1000, now - 6 * MS);
		if (flowq_drops(q)->stale == stale)
			continue;
		stale++;
		ck_assert_uint_eq(flowq_drops(q)->stale, stale);
		ck_assert(now / 1e6 >= expected_ms - 0.1);
		ck_assert(now / 1e6 <= expected_ms + 1.1);
		/* 100 ms / sqrt(n) after the nth: RFC 8289. */
		expected_ms += 100 / square_root((double)stale);
		push(0, 1000, now - 6 * MS);
	}
	drain(now);
}
END_TEST

START_TEST(flowq_codel_never_drops_the_last_of_a_flow)
{
	uint64_t now = 0;
	int i;

	for (i = 0; i < 100; i++) {
		push(0, 700, now);
		push(0, 700, now);
		now += 1000 * MS;
		send_one(now);
		send_one(now);
	}
	ck_assert_uint_eq(n_dropped(), 0);
	ck_assert_uint_eq(model.n_received, 200);
}
END_TEST

START_TEST(flowq_codel_does_not_drop_what_is_started)
{
	struct iovec iov[MAX_IOV];
	uint64_t now = 0;
	uint32_t i;
	int n;

	for (i = 0; i < 200; i++)
		push(0, 1000, 0);
	for (i = 0; i < 100; i++) {
		now += 20 * MS;
		n = flowq_peek(q, iov, MAX_IOV, 5000, now);
		send_some(iov, n, 700);
	}
	ck_assert_uint_gt(flowq_drops(q)->stale, 0);
	drain(now);
}
END_TEST

START_TEST(flowq_memory_stays_bounded_when_survivors_pin_slabs)
{
	uint32_t i;

	/*
	 * A deep flow between ten shallow ones: while its messages wait, eleven
	 * times as much goes by, in the same slabs.
	 */
	for (i = 0; i < 150; i++)
		push(0, 1000, 0);
	for (i = 0; i < 5000; i++) {
		push(i % 11, 1000, 0);
		send_one(0);
	}
	ck_assert_uint_gt(flowq_drops(q)->full, 0);
	ck_assert_int_le(model.most_memory, 2 * 256 * 1024 + SLAB + 8192);
	drain(0);
	ck_assert_int_le(model.memory, 3 * SLAB + 8192);
}
END_TEST

START_TEST(flowq_free_gives_back_everything)
{
	struct iovec iov[2];
	uint32_t i;

	for (i = 0; i < 300; i++)
		push(i % 7, 200 * (1 + i % 50), 0);
	ck_assert_int_gt(flowq_peek(q, iov, 1, SIZE_MAX, 0), 0);
	flowq_sent(q, 1);
	ck_assert_int_gt(flowq_peek(q, iov, 2, SIZE_MAX, 0), 0);
	ck_assert_int_gt(model.memory, 200 * 1024);
	/* tear_down_queue() checks that nothing is left. */
}
END_TEST

static uint32_t random_below(uint64_t *state, uint32_t below)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return (uint32_t)((*state >> 11) % below);
}

static uint64_t test_seed(void)
{
	const char *text = getenv("SEED");
	uint64_t seed = (uint64_t)time(NULL);

	if (text != NULL)
		seed = strtoull(text, NULL, 0);
	printf("flowq: SEED=%llu\n", (unsigned long long)seed);
	return seed == 0 ? 1 : seed;
}

static void random_push(uint64_t *state, uint64_t now)
{
	uint32_t flow = random_below(state, 2 + random_below(state,
							     N_FLOWS - 2));
	uint32_t len = HEADER_LEN + random_below(state, 1460);

	if (random_below(state, 40) == 0)
		len = HEADER_LEN + random_below(state, MAX_MESSAGE -
						       HEADER_LEN);
	else if (random_below(state, 3) == 0)
		len = HEADER_LEN;
	push(flow, len, now);
}

static void random_send(uint64_t *state, uint64_t now)
{
	struct iovec iov[MAX_IOV];
	int max = 1 + (int)random_below(state, 40);
	int n = flowq_peek(q, iov, max, random_below(state, 100000), now);
	uint32_t i;

	if (n > max)
		ck_abort_msg("more vectors than there is room for");
	if (n == 0)
		return;
	/* The batch's bytes must not move while it is out. */
	for (i = random_below(state, 4); i > 0; i--)
		random_push(state, now);
	if (random_below(state, 2) == 0)
		send_some(iov, n, SIZE_MAX);
	else
		send_some(iov, n, random_below(state, 20000));
}

static void check_limits(size_t max_bytes, uint32_t max_packets)
{
	int64_t bound = 2 * (int64_t)max_bytes + SLAB + 8192;

	if (bound < 2 * SLAB + 8192)
		bound = 2 * SLAB + 8192;
	if (flowq_bytes(q) > max_bytes || flowq_packets(q) > max_packets ||
	    model.most_memory > bound)
		ck_abort_msg("over a limit");
	if (model.n_pushed != model.n_received + n_dropped() +
			      flowq_packets(q))
		ck_abort_msg("lost without a count");
}

START_TEST(flowq_random_use_matches_model)
{
	static const size_t limits[4] = { 256 * 1024, 70000, 3000, 1 << 20 };
	uint64_t state = test_seed() + (uint64_t)_i * 977, now = 1;
	size_t max_bytes = limits[_i];
	uint32_t max_packets = _i == 1 ? 20 : 1000;
	int step;

	tear_down_queue();
	set_up_queue(max_bytes, max_packets);
	for (step = 0; step < 6000; step++) {
		now += random_below(&state, 1000000);
		if (random_below(&state, 5) < 3)
			random_push(&state, now);
		else
			random_send(&state, now);
		check_limits(max_bytes, max_packets);
		if (random_below(&state, 500) == 0)
			drain(now);
	}
	drain(now);
}
END_TEST

static Suite *flowq_suite(void)
{
	Suite *suite = suite_create("flowq");
	TCase *tc = tcase_create("flowq");

	tcase_add_checked_fixture(tc, set_up, tear_down_queue);
	tcase_add_test(tc, flowq_new_is_empty_and_small);
	tcase_add_test(tc, flowq_without_charge_works);
	tcase_add_test(tc, flowq_one_flow_leaves_in_order);
	tcase_add_test(tc, flowq_neighbours_share_a_vector);
	tcase_add_test(tc, flowq_peek_stops_at_its_limits);
	tcase_add_test(tc, flowq_any_bytes_are_queued);
	tcase_add_test(tc, flowq_full_of_bytes_drops_oldest_of_longest);
	tcase_add_test(tc, flowq_full_of_packets_drops);
	tcase_add_test(tc, flowq_short_flows_survive_a_flood);
	tcase_add_test(tc, flowq_floods_are_cut_to_the_same_length);
	tcase_add_test(tc, flowq_message_over_the_limit_is_dropped);
	tcase_add_test(tc, flowq_super_packets_are_queued_whole);
	tcase_add_test(tc, flowq_sparse_flow_leaves_before_backlog);
	tcase_add_test(tc, flowq_sparse_flow_leaves_before_returned_batch);
	tcase_add_test(tc, flowq_returned_sparse_packet_keeps_its_place);
	tcase_add_loop_test(tc, flowq_flows_get_equal_shares_of_bytes, 0, 2);
	tcase_add_test(tc, flowq_started_message_is_finished_first);
	tcase_add_test(tc, flowq_push_started_goes_first_beyond_the_limits);
	tcase_add_test(tc, flowq_batch_that_is_out_is_not_dropped);
	tcase_add_test(tc, flowq_codel_leaves_short_stays_alone);
	tcase_add_test(tc, flowq_codel_drops_at_the_times_of_its_law);
	tcase_add_test(tc, flowq_codel_never_drops_the_last_of_a_flow);
	tcase_add_test(tc, flowq_codel_does_not_drop_what_is_started);
	tcase_add_test(tc, flowq_memory_stays_bounded_when_survivors_pin_slabs);
	tcase_add_test(tc, flowq_free_gives_back_everything);
	tcase_add_loop_test(tc, flowq_random_use_matches_model, 0, 4);
	suite_add_tcase(suite, tc);
	return suite;
}

int main(void)
{
	SRunner *runner = srunner_create(flowq_suite());
	int n_failed;

	srunner_run_all(runner, CK_ENV);
	n_failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return n_failed == 0 ? 0 : 1;
}
