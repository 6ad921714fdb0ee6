/* SPDX-License-Identifier: MIT */
/*
 * Random lives: clients send, stall, ask, move, leave and die in every way
 * that a client can, at random moments.
 *
 * Here the server ends connections too, so a conflict in the ledger proves
 * nothing by itself; peer.c asks the server about each.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "common/clock.h"
#include "tests/scale/crowd.h"

enum {
	CONTESTED = 0x0a00c800,		/* 10.0.200.0, the addresses that */
	N_CONTESTED = 64,		/* everybody wants to move to */
	MAX_BURST = 64,
	MAX_PACKET = 1400,
	N_KEEPALIVES = 40,
	TRIES = 8,
	SETTLE_MS = 90000,
};

static uint32_t mean_ms;

static void act_later(struct peer *p)
{
	p->turn_ms = p->crowd->now_ms + crowd_random(p->crowd, 2 * mean_ms) + 1;
	crowd_schedule(p);
}

static uint32_t contested(struct crowd *crowd)
{
	return CONTESTED + crowd_random(crowd, N_CONTESTED);
}

/* Somebody who has an address, or an address that maybe nobody has. */
static uint32_t some_address(struct crowd *crowd)
{
	uint32_t i, address;

	for (i = 0; i < TRIES; i++) {
		address = crowd->peers[crowd_random(crowd, crowd->n)].address;
		if (address != 0)
			return address;
	}
	return contested(crowd);
}

static uint32_t random_len(struct crowd *crowd)
{
	return STAMP_MIN_LEN + crowd_random(crowd, MAX_PACKET - STAMP_MIN_LEN);
}

static void send_burst(struct peer *p)
{
	static uint8_t burst[MAX_BURST * MAX_PACKET];
	uint32_t destination = some_address(p->crowd);
	uint32_t i, n = 1 + crowd_random(p->crowd, MAX_BURST), packet_len;
	size_t len = 0;

	if (!peer_can_send(p))
		return;
	for (i = 0; i < n; i++) {
		if (crowd_random(p->crowd, 4) == 0)
			destination = some_address(p->crowd);
		packet_len = random_len(p->crowd);
		peer_stamp(p, burst + len, packet_len, destination);
		len += packet_len;
	}
	peer_send(p, burst, len);
}

/* In the name of another one: nobody may get it. */
static void send_spoofed(struct peer *p)
{
	uint8_t packet[STAMP_MIN_LEN + 4];
	struct stamp stamp = {
		.source = some_address(p->crowd),
		.destination = some_address(p->crowd),
		.stream = ++p->crowd->next_stream,
	};

	/* Which address it has is not sure while it moves. */
	if (stamp.source == p->address || p->asked != ASKED_NOTHING)
		return;
	stamp_write(packet, sizeof(packet), &stamp);
	packet[STAMP_MIN_LEN] ^= 0xff;	/* "corrupt", if it arrives */
	peer_send(p, packet, sizeof(packet));
}

static void send_keepalives(struct peer *p)
{
	uint8_t flood[N_KEEPALIVES * FRAME_CONTROL_LEN];
	int i;

	for (i = 0; i < N_KEEPALIVES; i++)
		msg_write_keepalive(flood + (size_t)i * FRAME_CONTROL_LEN);
	peer_send(p, flood, sizeof(flood));
}

static void send_garbage(struct peer *p)
{
	uint8_t garbage[64];
	size_t i;

	for (i = 0; i < sizeof(garbage); i++)
		garbage[i] = (uint8_t)crowd_random(p->crowd, 256);
	garbage[0] |= 0x80;
	peer_send(p, garbage, sizeof(garbage));
	p->mute = true;
}

/* Half a packet, and no more of it ever. */
static void send_half(struct peer *p)
{
	uint8_t packet[MAX_PACKET];
	size_t len = random_len(p->crowd);

	if (!peer_can_send(p))
		return;
	peer_stamp(p, packet, len, some_address(p->crowd));
	peer_send(p, packet, 1 + crowd_random(p->crowd, (uint32_t)len - 1));
	p->mute = true;
}

static void come_back_later(struct peer *p)
{
	struct crowd *crowd = p->crowd;

	p->reconnect.fixed = false;
	if (crowd_random(crowd, 4) == 0)
		p->reconnect.wanted = contested(crowd);
	else if (crowd_random(crowd, 3) == 0)
		p->reconnect.wanted = 0;
	p->retry_ms = crowd->now_ms + crowd_random(crowd, mean_ms + 1);
}

static void leave(struct peer *p)
{
	peer_close(p, crowd_random(p->crowd, 2) == 0);
	come_back_later(p);
	crowd_schedule(p);
}

static void half_close(struct peer *p)
{
	/* The server takes that for the end: it may free the address. */
	ledger_leave(p->crowd->ledger, p->address, p->id);
	shutdown(p->fd, SHUT_WR);
	p->mute = true;
}

static void act(struct peer *p)
{
	struct crowd *crowd = p->crowd;
	uint32_t choice = crowd_random(crowd, 100);

	act_later(p);
	if (p->state != PEER_JOINED)
		return;
	if (p->mute)
		leave(p);
	else if (p->deaf && choice < 50)
		peer_set_deaf(p, false);
	else if (choice < 45)
		send_burst(p);
	else if (choice < 55)
		peer_ask(p, ASKED_AGAIN, 0);
	else if (choice < 65)
		peer_ask(p, ASKED_MOVE, contested(crowd));
	else if (choice < 75)
		peer_set_deaf(p, true);
	else if (choice < 77)
		send_spoofed(p);
	else if (choice < 79)
		send_keepalives(p);
	else if (choice < 80)
		send_garbage(p);
	else if (choice < 84)
		send_half(p);
	else if (choice < 88)
		half_close(p);
	else
		leave(p);
}

static void lost(struct peer *p, enum reconnect_event event)
{
	(void)event;
	come_back_later(p);
}

static bool settle(struct crowd *crowd)
{
	uint64_t end_ms = clock_now_ms() + SETTLE_MS;
	struct peer *p;
	uint32_t i;

	for (i = 0; i < crowd->n; i++) {
		p = &crowd->peers[i];
		p->turn_ms = UINT64_MAX;
		if (p->mute && p->state != PEER_DOWN)
			leave(p);
		if (p->deaf)
			peer_set_deaf(p, false);
		crowd_schedule(p);
	}
	while (crowd->n_joined < crowd->n && clock_now_ms() < end_ms)
		crowd_turn(crowd, 10);
	return crowd->n_joined == crowd->n;
}

bool storm_run(struct crowd *crowd, uint32_t seconds, uint32_t mean)
{
	static const struct role storm = { .gone = lost, .turn = act };
	const struct role *before = crowd->role;
	struct tally start = crowd->tally;
	bool settled;
	uint32_t i;

	mean_ms = mean < 1 ? 1 : mean;
	crowd->role = &storm;
	crowd->now_ms = clock_now_ms();
	for (i = 0; i < crowd->n; i++)
		act_later(&crowd->peers[i]);
	crowd_run(crowd, seconds * 1000ULL, NULL);
	crowd->role = before;
	settled = settle(crowd);
	printf(" connects=%" PRIu64 " assignments=%" PRIu64 " good_packets=%"
	       PRIu64 " conflicts=%" PRIu64 " joined=%u",
	       crowd->tally.connects - start.connects,
	       crowd->tally.assignments - start.assignments,
	       crowd->tally.good_packets - start.good_packets,
	       crowd->tally.conflicts - start.conflicts, crowd->n_joined);
	return settled;
}
