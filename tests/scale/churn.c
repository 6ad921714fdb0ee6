/* SPDX-License-Identifier: MIT */
/*
 * Addresses change hands as fast as the hub can do it: clients move to another
 * address, ask again, leave with and without a reset, come back for the same
 * address or any, all over the whole network, so that many a wish collides
 * with somebody else's.
 *
 * The ledger is exact here: whatever makes the server free an address is done
 * by the client that holds it, so any conflict is a duplicate (ledger.h).
 */
#include <inttypes.h>
#include <stdio.h>

#include "common/clock.h"
#include "tests/scale/crowd.h"

enum {
	NETWORK = 0x0a000000,
	FIRST_HOST = 2,
	N_HOSTS = 65533,
	BOUND_MS = 1800 * 1000,
	SETTLE_MS = 60000,
};

static uint32_t random_address(struct crowd *crowd)
{
	return NETWORK + FIRST_HOST + crowd_random(crowd, N_HOSTS);
}

/* Leave, and come back at once with a wish. */
static void leave(struct peer *p, bool reset, uint32_t wanted)
{
	peer_close(p, reset);
	p->reconnect.fixed = false;
	p->reconnect.wanted = wanted;
	p->retry_ms = p->crowd->now_ms;
	crowd_schedule(p);
}

static void act(struct peer *p)
{
	struct crowd *crowd = p->crowd;
	uint32_t choice = crowd_random(crowd, 100);

	if (p->state != PEER_JOINED)
		return;
	if (choice < 55)
		peer_ask(p, ASKED_MOVE, random_address(crowd));
	else if (choice < 65)
		peer_ask(p, ASKED_AGAIN, 0);
	else if (choice < 75)
		leave(p, false, 0);
	else if (choice < 85)
		leave(p, true, p->address);
	else if (choice < 92)
		leave(p, true, random_address(crowd));
	else
		leave(p, false, p->address);
}

static void act_soon(struct peer *p)
{
	p->turn_ms = p->crowd->now_ms;
	crowd_schedule(p);
}

/* Refused, or the address could not be had: try again, with any. */
static void come_back(struct peer *p, enum reconnect_event event)
{
	if (event == RECONNECT_LOST)
		return;			/* with cli's own back-off */
	p->reconnect.wanted = 0;
	p->retry_ms = p->crowd->now_ms;
}

bool churn_run(struct crowd *crowd, uint64_t assignments)
{
	static const struct role churn = {
		.joined = act_soon,
		.confirmed = act_soon,
		.gone = come_back,
		.turn = act,
	};
	const struct role *before = crowd->role;
	struct tally start = crowd->tally;
	uint64_t begin_ms = clock_now_ms(), end_ms = begin_ms + BOUND_MS;
	uint32_t i;

	crowd->role = &churn;
	for (i = 0; i < crowd->n; i++)
		act_soon(&crowd->peers[i]);
	while (crowd->tally.assignments - start.assignments < assignments &&
	       clock_now_ms() < end_ms)
		crowd_turn(crowd, 1);
	end_ms = clock_now_ms();
	crowd->role = before;
	while (crowd->n_joined < crowd->n &&
	       crowd->now_ms < end_ms + SETTLE_MS)
		crowd_turn(crowd, 10);
	printf(" ms=%" PRIu64 " assignments=%" PRIu64 " connects=%" PRIu64
	       " refused=%" PRIu64 " lost=%" PRIu64 " conflicts=%" PRIu64
	       " joined=%u", end_ms - begin_ms,
	       crowd->tally.assignments - start.assignments,
	       crowd->tally.connects - start.connects,
	       crowd->tally.refused - start.refused,
	       crowd->tally.lost - start.lost,
	       crowd->tally.conflicts - start.conflicts, crowd->n_joined);
	return crowd->n_joined == crowd->n &&
	       crowd->tally.conflicts == start.conflicts;
}
