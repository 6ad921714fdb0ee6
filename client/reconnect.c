/* SPDX-License-Identifier: MIT */
/*
 * When to try again, and which address to ask for then.
 *
 * Theory of operation: each attempt that fails doubles the upper bound of the
 * wait, from half a second to half a minute; the wait itself is drawn evenly
 * from the bound's upper half, so that clients which lost the same server do
 * not come back together.  A dynamic client asks for the address that it had;
 * when that is refused, it tries again at once and takes any.  As the wish is
 * given up with that, no more than one attempt in a row is made at once.
 */
#include "client/reconnect.h"

#include <string.h>

void reconnect_init(struct reconnect *r, uint32_t static_address)
{
	memset(r, 0, sizeof(*r));
	r->fixed = static_address != 0;
	r->wanted = static_address;
	r->bound_ms = RECONNECT_FIRST_MS;
}

static void note_joined(struct reconnect *r,
			const struct reconnect_input *input)
{
	if (!r->joined)
		r->joined_ms = input->now_ms;
	r->joined = true;
	r->server_capable = input->server_capable;
	r->n_silent = 0;
	r->not_before_ms = 0;
	if (!r->fixed)
		r->wanted = input->address;
}

static void note_retry_after(struct reconnect *r,
			     const struct reconnect_input *input)
{
	uint32_t retry_ms = input->retry_ms;

	if (retry_ms > RECONNECT_RETRY_MAX_MS)
		retry_ms = RECONNECT_RETRY_MAX_MS;
	r->not_before_ms = input->now_ms + retry_ms;
}

/* Whether this end means that the address we asked for is not to be had. */
static bool is_address_refusal(struct reconnect *r, enum reconnect_event event)
{
	if (event != RECONNECT_NO_REPLY) {
		r->n_silent = 0;
		return event == RECONNECT_ADDRESS_REFUSED;
	}
	r->n_silent++;
	return !r->server_capable || r->n_silent >= RECONNECT_SILENT_CLOSES;
}

static uint64_t back_off(struct reconnect *r, uint32_t random, uint64_t now_ms)
{
	uint32_t half = r->bound_ms / 2;
	uint64_t wait_ms = half + random % (r->bound_ms - half + 1);

	r->bound_ms *= 2;
	if (r->bound_ms > RECONNECT_LONGEST_MS)
		r->bound_ms = RECONNECT_LONGEST_MS;
	if (r->not_before_ms > now_ms)
		wait_ms += r->not_before_ms - now_ms;
	r->not_before_ms = 0;
	return wait_ms;
}

uint64_t reconnect_next(struct reconnect *r,
			const struct reconnect_input *input)
{
	bool was_joined = r->joined;

	if (input->event == RECONNECT_JOINED) {
		note_joined(r, input);
		return 0;
	}
	if (input->event == RECONNECT_RETRY_AFTER) {
		note_retry_after(r, input);
		return 0;
	}
	r->joined = false;
	if (was_joined && input->now_ms - r->joined_ms >= RECONNECT_STABLE_MS)
		r->bound_ms = RECONNECT_FIRST_MS;
	if (!r->fixed && r->wanted != 0 &&
	    is_address_refusal(r, input->event)) {
		r->wanted = 0;
		if (r->not_before_ms <= input->now_ms)
			return 0;
	}
	return back_off(r, input->random, input->now_ms);
}
