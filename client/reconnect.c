/* SPDX-License-Identifier: MIT */
/*
 * When to try again, which server, and which address to ask it for.
 *
 * Theory of operation: attempts come in rounds.  In a round each server has
 * one attempt, in random order and without a wait between them; a connection
 * that was stable ends as the first attempt of a new round.  After a round the
 * client waits, and each round doubles the upper bound of the wait, from half
 * a second to half a minute; the wait itself is drawn evenly from the bound's
 * upper half, so that clients which lost the same server do not come back
 * together.
 *
 * A dynamic client asks every server for the address that it had.  Only when a
 * round is over, and one of the servers refused just that address, it goes
 * round again at once and takes any.  As the wish is given up with that, no
 * more than one round in a row is made at once.
 *
 * A server may ask to be left alone for a while.  It is passed over until
 * then, and if that goes for all of them, the earliest is waited for.
 */
#include "client/reconnect.h"

#include <assert.h>
#include <string.h>

static struct reconnect_server *current(struct reconnect *r)
{
	return &r->servers[r->server];
}

/* Of those that are not tried in this round and may be asked, one. */
static bool choose(struct reconnect *r, uint32_t random, uint64_t now_ms)
{
	unsigned int fit[RECONNECT_MAX_SERVERS], n_fit = 0, i;

	for (i = 0; i < r->n_servers; i++)
		if (!r->servers[i].tried &&
		    r->servers[i].not_before_ms <= now_ms)
			fit[n_fit++] = i;
	if (n_fit == 0)
		return false;
	r->server = fit[(random >> 16) % n_fit];
	return true;
}

static void begin_round(struct reconnect *r)
{
	unsigned int i;

	r->refused = false;
	for (i = 0; i < r->n_servers; i++)
		r->servers[i].tried = false;
}

void reconnect_init(struct reconnect *r, uint32_t static_address,
		    unsigned int n_servers, uint32_t random)
{
	assert(n_servers >= 1 && n_servers <= RECONNECT_MAX_SERVERS);
	memset(r, 0, sizeof(*r));
	r->fixed = static_address != 0;
	r->wanted = static_address;
	r->bound_ms = RECONNECT_FIRST_MS;
	r->n_servers = n_servers;
	choose(r, random, 0);
}

static void note_joined(struct reconnect *r,
			const struct reconnect_input *input)
{
	if (!r->joined)
		r->joined_ms = input->now_ms;
	r->joined = true;
	r->refused = false;
	current(r)->capable = input->server_capable;
	current(r)->n_silent = 0;
	current(r)->not_before_ms = 0;
	if (!r->fixed)
		r->wanted = input->address;
}

static void note_retry_after(struct reconnect *r,
			     const struct reconnect_input *input)
{
	uint32_t retry_ms = input->retry_ms;

	if (retry_ms > RECONNECT_RETRY_MAX_MS)
		retry_ms = RECONNECT_RETRY_MAX_MS;
	current(r)->not_before_ms = input->now_ms + retry_ms;
}

/* Whether this end means that the address we asked for is not to be had. */
static bool is_address_refusal(struct reconnect_server *server,
			       enum reconnect_event event)
{
	if (event != RECONNECT_NO_REPLY) {
		server->n_silent = 0;
		return event == RECONNECT_ADDRESS_REFUSED;
	}
	server->n_silent++;
	return !server->capable ||
	       server->n_silent >= RECONNECT_SILENT_CLOSES;
}

/* How long until the first of the servers may be asked, and any of those. */
static uint64_t wait_for_server(struct reconnect *r, uint32_t random,
				uint64_t now_ms)
{
	uint64_t first_ms = UINT64_MAX;
	unsigned int i;

	for (i = 0; i < r->n_servers; i++)
		if (r->servers[i].not_before_ms < first_ms)
			first_ms = r->servers[i].not_before_ms;
	if (first_ms < now_ms)
		first_ms = now_ms;
	choose(r, random, first_ms);
	current(r)->not_before_ms = 0;
	return first_ms - now_ms;
}

static uint64_t back_off(struct reconnect *r, uint32_t random, uint64_t now_ms)
{
	uint32_t half = r->bound_ms / 2;
	uint64_t wait_ms = half + random % (r->bound_ms - half + 1);

	r->bound_ms *= 2;
	if (r->bound_ms > RECONNECT_LONGEST_MS)
		r->bound_ms = RECONNECT_LONGEST_MS;
	return wait_ms + wait_for_server(r, random, now_ms);
}

static uint64_t next_attempt(struct reconnect *r,
			     const struct reconnect_input *input)
{
	bool refused;

	current(r)->tried = true;
	if (!r->fixed && r->wanted != 0 &&
	    is_address_refusal(current(r), input->event))
		r->refused = true;
	if (choose(r, input->random, input->now_ms))
		return 0;
	refused = r->refused;
	begin_round(r);
	if (refused) {
		r->wanted = 0;
		if (choose(r, input->random, input->now_ms))
			return 0;
	}
	return back_off(r, input->random, input->now_ms);
}

uint64_t reconnect_next(struct reconnect *r,
			const struct reconnect_input *input)
{
	if (input->event == RECONNECT_JOINED) {
		note_joined(r, input);
		return 0;
	}
	if (input->event == RECONNECT_RETRY_AFTER) {
		note_retry_after(r, input);
		return 0;
	}
	if (r->joined && input->now_ms - r->joined_ms >= RECONNECT_STABLE_MS) {
		r->bound_ms = RECONNECT_FIRST_MS;
		begin_round(r);
	}
	r->joined = false;
	return next_attempt(r, input);
}
