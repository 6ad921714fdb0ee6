/* SPDX-License-Identifier: MIT */
/*
 * The data path: packets from the TUN interface to the server and back.  It
 * moves packets until something happens that is not a packet, tells its caller
 * what, and goes on when it is called again.  Main thread only.
 */
#ifndef CLIENT_PUMP_H
#define CLIENT_PUMP_H

#include <stdint.h>

#include "client/counters.h"
#include "client/signals.h"
#include "common/tun.h"
#include "proto/session.h"

enum pump_event {
	PUMP_NONE,		/* never returned by pump_run() */
	PUMP_ASSIGNED,		/* session.address and options are new */
	PUMP_OPTIONS,		/* session.pushed is new */
	/* After these the connection is over: */
	PUMP_REFUSED,		/* session.pushed has the reason */
	PUMP_BROKEN,		/* pump_frame_error() says what */
	PUMP_TIMED_OUT,
	PUMP_CLOSED,		/* end of stream */
	PUMP_FAILED,		/* pump_errno() says why */
	PUMP_STOPPED,		/* SIGINT or SIGTERM came */
	PUMP_TUN_GONE,		/* the interface; pump_errno() */
};

struct pump;

/* NULL: out of memory.  The pump keeps the pointers. */
struct pump *pump_new(struct tun *tun, struct signals *signals,
		      struct counters *counters);
void pump_free(struct pump *p);

/* A new connection: fd is its socket, session was started just now. */
void pump_start(struct pump *p, int fd, struct session *session);

/* The connection is over: count what did not get away. */
void pump_end(struct pump *p);

/* Longest packet that may be sent, bytes. */
void pump_set_mtu(struct pump *p, uint32_t mtu);

/* Drop what has waited in the TUN while there was no connection. */
void pump_discard_stale(struct pump *p);

enum pump_event pump_run(struct pump *p);

int pump_errno(const struct pump *p);
enum frame_error pump_frame_error(const struct pump *p);

#endif
