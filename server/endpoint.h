/* SPDX-License-Identifier: MIT */
/*
 * What is attached to the hub: a client, or the gateway (the server's own
 * TUN).  The data path knows only endpoints; which kind one is matters at the
 * moment of the hand-over alone.
 *
 * An endpoint is counted.  Its owner holds one reference, the route table one
 * while it is listed there, the drain one while it watches it; a lookup gives
 * the caller one of its own.  The last endpoint_put() runs release().
 *
 * Members: [I] immutable once published, [a] atomic, [r] written by the
 * endpoint's own reader thread only.
 */
#ifndef SERVER_ENDPOINT_H
#define SERVER_ENDPOINT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "server/close_reason.h"
#include "server/egress.h"
#include "server/stats.h"

struct endpoint {
	_Atomic uint32_t references;		/* [a] */
	void (*release)(struct endpoint *e);	/* [I] */
	/* [I] Ask a client to end; idempotent, any thread, never blocks. */
	void (*shut)(struct endpoint *e, enum close_reason reason);
	uint8_t peer[16];			/* [I] IPv6 or mapped IPv4 */
	_Atomic uint64_t heard_ms;	/* [r] when something came last */
	_Atomic uint32_t probe_ms;	/* [r] a live client is not silent for
					 * longer */
	bool is_gateway;			/* [I] */
	_Atomic uint32_t address;	/* [r] host order; 0: none; any reads */
	_Atomic bool takes_segments;	/* [r] super-packets go out as such */
	_Atomic bool push_owed;		/* [a] push_catch_up() has to do */
	_Atomic uint32_t mtu;		/* [r] longest packet that it takes */
	_Atomic uint16_t flags;		/* [r] granted, enum msg_flag; 0: a base
					 * client */
	struct stats stats;
	struct egress egress;		/* clients only */
};

static inline struct endpoint *endpoint_get(struct endpoint *e)
{
	atomic_fetch_add_explicit(&e->references, 1, memory_order_relaxed);
	return e;
}

/* Any thread; release() may close a descriptor but never waits. */
static inline void endpoint_put(struct endpoint *e)
{
	if (atomic_fetch_sub_explicit(&e->references, 1,
				      memory_order_acq_rel) == 1)
		e->release(e);
}

#endif
