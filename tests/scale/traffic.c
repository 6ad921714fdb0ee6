/* SPDX-License-Identifier: MIT */
/*
 * The first clients of every process send to each other, as fast as the hub
 * takes it, in a ring: number g of all to number g + 1, and with a fan of more
 * than one to others in turn.
 */
#include <inttypes.h>
#include <stdio.h>
#include <sys/socket.h>

#include "common/clock.h"
#include "tests/scale/crowd.h"

enum {
	TRAIN_LEN = 32 * 1024,
	SEND_BUFFER = 128 * 1024,	/* a thousand of them fit the memory */
	WARM_UP_MS = 1000,
	QUIET_MS = 500,
	DRAIN_MS = 10000,
};

struct traffic {
	uint32_t processes;
	uint32_t n;		/* senders of this process */
	uint32_t total, fan, len;
};

static struct traffic traffic;

static uint32_t number_of(const struct peer *p)
{
	return p->number * traffic.processes + p->crowd->process;
}

bool traffic_enlist(struct crowd *crowd, uint32_t n, uint32_t processes)
{
	int size = SEND_BUFFER;
	struct peer *p;
	uint32_t i;

	traffic.n = 0;
	traffic.processes = processes;
	if (n > crowd->n || processes < 1 ||
	    n * processes > LEDGER_MAX_MEMBERS)
		return false;
	for (i = 0; i < n; i++) {
		p = &crowd->peers[i];
		if (p->state != PEER_JOINED)
			return false;
		setsockopt(p->fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
		crowd->ledger->members[number_of(p)] = p->address;
	}
	traffic.n = n;
	printf(" enlisted=%u", n);
	return true;
}

static uint32_t next_destination(const struct peer *p, uint32_t turn)
{
	uint32_t step = turn % traffic.fan * (traffic.total / traffic.fan);

	return p->crowd->ledger->members[(number_of(p) + 1 + step) %
					 traffic.total];
}

static void send_train(struct peer *p)
{
	static uint8_t train[TRAIN_LEN];
	uint32_t turn = 0;
	size_t len = 0;

	if (p->state != PEER_JOINED || !peer_can_send(p))
		return;
	while (len + traffic.len <= TRAIN_LEN) {
		peer_stamp(p, train + len, traffic.len,
			   next_destination(p, turn++));
		len += traffic.len;
	}
	peer_send(p, train, len);
}

static void send_until(struct crowd *crowd, uint64_t end_ms)
{
	uint32_t i;

	while (crowd->now_ms < end_ms) {
		for (i = 0; i < traffic.n; i++)
			send_train(&crowd->peers[i]);
		crowd_turn(crowd, 1);
	}
}

/* What is still under way, until nothing has come for a while. */
static void drain(struct crowd *crowd)
{
	uint64_t end_ms = crowd->now_ms + DRAIN_MS;
	uint64_t before, since_ms = crowd->now_ms;

	while (crowd->now_ms < end_ms &&
	       crowd->now_ms < since_ms + QUIET_MS) {
		before = crowd->tally.good_packets;
		crowd_turn(crowd, 10);
		if (crowd->tally.good_packets != before)
			since_ms = crowd->now_ms;
	}
}

bool traffic_run(struct crowd *crowd, uint32_t seconds, uint32_t len,
		 uint32_t total, uint32_t fan)
{
	struct tally start = crowd->tally, warm, end;
	uint64_t begin_ms, end_ms;

	if (len < STAMP_MIN_LEN || len > STAMP_MAX_LEN || total < 2 ||
	    fan < 1 || fan > total / 2)
		return false;
	traffic.len = len;
	traffic.total = total;
	traffic.fan = fan;
	crowd->now_ms = clock_now_ms();
	send_until(crowd, crowd->now_ms + WARM_UP_MS);
	begin_ms = clock_now_ms();
	warm = crowd->tally;
	send_until(crowd, begin_ms + seconds * 1000ULL);
	end_ms = clock_now_ms();
	end = crowd->tally;
	drain(crowd);
	printf(" ms=%" PRIu64 " packets=%" PRIu64 " bytes=%" PRIu64
	       " all_sent=%" PRIu64 " all_good=%" PRIu64, end_ms - begin_ms,
	       end.good_packets - warm.good_packets,
	       end.good_bytes - warm.good_bytes,
	       crowd->tally.sent_packets - start.sent_packets,
	       crowd->tally.good_packets - start.good_packets);
	return crowd->n_joined == crowd->n;
}
