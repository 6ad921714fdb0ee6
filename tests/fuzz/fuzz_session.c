/* SPDX-License-Identifier: MIT */
/*
 * Fuzzes the client's state machine: any bytes at any times keep what its
 * states promise.
 *
 * Input: one byte of configuration, then steps: a byte that tells what
 * happens and how far the clock moves, for received bytes their number, then
 * these bytes.
 */
#include <stdlib.h>
#include <string.h>

#include "proto/session.h"

enum { BUF_SIZE = 70000 };

struct fuzzer {
	struct session session;
	uint64_t now_ms;
	uint8_t buf[BUF_SIZE];	/* received and not consumed */
	size_t len;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool right)
{
	if (!right)
		abort();
}

static void check_packet(const struct fuzzer *f, const struct packet *packet,
			 const uint8_t *from, size_t consumed)
{
	const bool prefixed = packet->data != from;

	check(f->session.state == SESSION_JOINED);
	check(!prefixed || f->session.rules.segments);
	check(packet->data == from + (prefixed ? 4 : 0));
	check(packet->len + (prefixed ? 4 : 0) == consumed);
	check(packet->data[0] >> 4 == 4 ||
	      (f->session.flags & MSG_FLAG_IPV6) != 0);
	check(packet->segment_size == 0 || packet->checksum_partial);
}

static void check_event(const struct fuzzer *f, enum session_event event,
			enum session_state before, size_t consumed, size_t len)
{
	const enum session_state state = f->session.state;

	check(consumed <= len);
	switch (event) {
	case SESSION_NONE:
		check(consumed == 0 && state == before);
		break;
	case SESSION_ASSIGNED:
		check(f->session.address != 0 && state == SESSION_JOINED);
		break;
	case SESSION_REFUSED:
		check(state == SESSION_CLOSED && consumed > 0);
		break;
	case SESSION_BROKEN:
		check(state == SESSION_CLOSED && consumed == 0);
		break;
	case SESSION_TIMED_OUT:
		abort();	/* only a tick gives it */
	default:
		check(consumed > 0 && state == before);
	}
}

static void receive(struct fuzzer *f)
{
	struct session_item item;
	enum session_event event;
	enum session_state before;
	size_t at = 0, consumed;

	do {
		before = f->session.state;
		event = session_receive(&f->session, f->buf + at, f->len - at,
					f->now_ms, &consumed, &item);
		check_event(f, event, before, consumed, f->len - at);
		if (event == SESSION_PACKET)
			check_packet(f, &item.packet, f->buf + at, consumed);
		at += consumed;
	} while (event != SESSION_NONE && event != SESSION_BROKEN);
	memmove(f->buf, f->buf + at, f->len - at);
	f->len -= at;
}

static void tick(struct fuzzer *f)
{
	const uint64_t due_ms = session_next_tick(&f->session);
	const unsigned int probes = f->session.n_probes;
	enum session_event event = session_tick(&f->session, f->now_ms);

	check(event == SESSION_NONE || event == SESSION_TIMED_OUT);
	if (f->now_ms < due_ms)
		check(event == SESSION_NONE && f->session.n_probes == probes);
	/* Never due at once again: the caller's loop would spin. */
	check(session_next_tick(&f->session) > f->now_ms);
}

static void send_output(struct fuzzer *f)
{
	size_t len;
	const uint8_t *out = session_output(&f->session, &len);

	check(len == 0 || len == FRAME_CONTROL_LEN);
	check(len == 0 || out[0] == 0x45);
	if (len > 0)
		session_output_done(&f->session, f->now_ms);
}

static void step(struct fuzzer *f, uint8_t what)
{
	f->now_ms += (uint64_t)(what >> 3) * 250;
	switch (what & 7) {
	case 0:
		session_start(&f->session, f->now_ms);
		f->len = 0;
		break;
	case 1:
		send_output(f);
		break;
	case 2:
		session_sent(&f->session, f->now_ms);
		break;
	default:
		tick(f);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct fuzzer f;
	struct session_config config = { 0 };
	const uint8_t *end = data + size;
	size_t n;

	if (size < 1)
		return 0;
	config.flags = *data & 7;
	config.keepalive_s = *data++ >> 6;
	f.len = 0;
	f.now_ms = 1;
	session_init(&f.session, &config);
	session_start(&f.session, f.now_ms);
	while (end - data >= 2) {
		if ((*data & 7) < 4) {
			step(&f, *data++);
			continue;
		}
		data++;
		n = *data++;
		if (n > (size_t)(end - data))
			n = (size_t)(end - data);
		if (n > BUF_SIZE - f.len)
			break;
		memcpy(f.buf + f.len, data, n);
		f.len += n;
		data += n;
		receive(&f);
	}
	return 0;
}
