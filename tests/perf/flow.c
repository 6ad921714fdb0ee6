/* SPDX-License-Identifier: MIT */
/*
 * The numbered packets of the load generator.
 *
 * Theory of operation: the receiver shares two cores with the hub that is
 * measured, so the usual packet (the next one of its flow) costs three
 * compares of headers and one of the sequence number; anything else goes
 * through odd_packet().  The pattern is compared for one packet in
 * FLOW_SAMPLE, which at a million packets a second leaves no fault of any
 * regularity unseen.  A flow remembers which of the last 64 sequence numbers
 * came, to tell a late packet from a repeated one; one that comes later than
 * that counts as reordered, and stays counted as lost.
 */
#include "tests/perf/flow.h"

#include <arpa/inet.h>
#include <stdbool.h>

#include "tests/perf/perf.h"

enum {
	IPV4_LEN = 20,
	WINDOW = 64,
	GAP_MAX = 1 << 30,	/* more than a run loses: an altered one */
};

static void put16(uint8_t *out, uint16_t value)
{
	value = htons(value);
	memcpy(out, &value, sizeof(value));
}

static void put32(uint8_t *out, uint32_t value)
{
	value = htonl(value);
	memcpy(out, &value, sizeof(value));
}

static uint16_t get16(const uint8_t *in)
{
	uint16_t value;

	memcpy(&value, in, sizeof(value));
	return ntohs(value);
}

/* Flows differ in where their pattern begins, so that mixed ones show. */
static const uint8_t *pattern_of(const uint8_t *packet)
{
	return perf_pattern() + packet[FLOW_AT_SENDER + 1] +
	       packet[FLOW_AT_DESTINATION + 1] * 3U;
}

static uint16_t header_checksum(const uint8_t *header)
{
	uint32_t sum = 0;
	unsigned int i;

	for (i = 0; i < IPV4_LEN; i += 2)
		sum += get16(header + i);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

void flow_write(uint8_t *out, uint32_t len, uint32_t source,
		uint32_t destination, uint16_t sender_number,
		uint16_t destination_number)
{
	memset(out, 0, FLOW_MIN_LEN);
	out[0] = 0x45;
	put16(out + 2, (uint16_t)len);
	out[6] = 0x40;			/* do not fragment */
	out[8] = 64;			/* time to live */
	out[9] = 17;			/* UDP */
	put32(out + 12, source);
	put32(out + 16, destination);
	put16(out + 10, header_checksum(out));
	put16(out + 20, 4000);
	put16(out + 22, 4001);
	put16(out + 24, (uint16_t)(len - IPV4_LEN));
	put16(out + FLOW_AT_SENDER, sender_number);
	put16(out + FLOW_AT_DESTINATION, destination_number);
	memcpy(out + FLOW_MIN_LEN, pattern_of(out), len - FLOW_MIN_LEN);
}

void flow_init(struct flow *flow, const uint8_t *packet)
{
	*flow = (struct flow){ 0 };
	memcpy(flow->header, packet, sizeof(flow->header));
}

/* A sequence number that is not the expected one. */
static void note_sequence(struct flow *flow, uint64_t sequence,
			  struct flow_counts *counts)
{
	uint64_t gap, age;

	if (sequence >= flow->expected) {
		gap = sequence - flow->expected;
		if (gap > GAP_MAX) {
			counts->corrupt++;
			return;
		}
		counts->lost += gap;
		flow->seen = gap < WINDOW - 1 ?
			     flow->seen << (gap + 1) | 1 : 1;
		flow->expected = sequence + 1;
		counts->packets++;
		return;
	}
	age = flow->expected - 1 - sequence;
	if (age < WINDOW && flow->seen >> age & 1) {
		counts->duplicate++;
		return;
	}
	counts->reordered++;
	counts->packets++;
	if (age < WINDOW) {
		flow->seen |= UINT64_C(1) << age;
		counts->lost--;
	}
}

static struct flow *find_flow(const struct flow_check *check,
			      const uint8_t *packet)
{
	uint16_t sender = get16(packet + FLOW_AT_SENDER);
	struct flow *flow;

	if (sender >= check->n_flows)
		return NULL;
	flow = &check->flows[sender];
	if (memcmp(packet, flow->header, sizeof(flow->header)))
		return NULL;
	return flow;
}

/* Returns the bytes to go on by, 0 if they have not all come, or SIZE_MAX. */
static size_t odd_packet(struct flow_check *check, const uint8_t *packet,
			 size_t len)
{
	struct flow *flow = find_flow(check, packet);
	uint64_t sequence;
	size_t total;

	if (flow) {
		memcpy(&sequence, packet + FLOW_AT_SEQUENCE, sizeof(sequence));
		note_sequence(flow, sequence, &check->counts);
		return check->packet_len;
	}
	total = get16(packet + 2);
	if ((packet[0] & 0xf0) != 0x40 || total < IPV4_LEN) {
		check->counts.corrupt++;
		return SIZE_MAX;
	}
	if (total > len)
		return 0;
	if (total == check->packet_len)
		check->counts.corrupt++;
	else
		check->counts.foreign++;
	return total;
}

static bool pattern_is_good(const uint8_t *packet, uint32_t len)
{
	return !memcmp(packet + FLOW_MIN_LEN, pattern_of(packet),
		       len - FLOW_MIN_LEN);
}

/* The flow whose next packet this is, or NULL. */
static inline struct flow *next_of_flow(const struct flow_check *check,
					const uint8_t *packet)
{
	struct flow *flow = find_flow(check, packet);

	if (!flow || memcmp(packet + FLOW_AT_SEQUENCE, &flow->expected,
			    sizeof(flow->expected)))
		return NULL;
	return flow;
}

size_t flow_check(struct flow_check *check, const uint8_t *buf, size_t len)
{
	const uint32_t packet_len = check->packet_len;
	struct flow *flow;
	size_t at = 0, step;

	while (len - at >= packet_len) {
		if (check->until_sample-- == 0) {
			check->until_sample = FLOW_SAMPLE - 1;
			if (find_flow(check, buf + at) &&
			    !pattern_is_good(buf + at, packet_len))
				check->counts.corrupt++;
		}
		flow = next_of_flow(check, buf + at);
		if (flow) {
			flow->expected++;
			flow->seen = flow->seen << 1 | 1;
			check->counts.packets++;
			at += packet_len;
			continue;
		}
		step = odd_packet(check, buf + at, len - at);
		if (step == SIZE_MAX)
			return SIZE_MAX;
		if (!step)
			break;
		at += step;
	}
	return at;
}
