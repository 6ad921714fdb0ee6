/* SPDX-License-Identifier: MIT */
/*
 * How a connection, or the attempt to make one, ended: a sentence for people
 * and an event for reconnect.h.  Main thread only.
 */
#ifndef CLIENT_END_H
#define CLIENT_END_H

#include <stdint.h>

#include "client/reconnect.h"
#include "client/status.h"
#include "proto/session.h"

struct end {
	enum reconnect_event event;
	char why[STATUS_WHY_LEN];
};

__attribute__((format(printf, 3, 4)))
void end_set(struct end *end, enum reconnect_event event, const char *format,
	     ...);

/* The server said no; its words are in session->pushed. */
void end_refused(struct end *end, const struct session *session);

void end_closed(struct end *end, const struct session *session);
void end_timed_out(struct end *end, const struct session *session);

/*
 * Say why there is no connection, and what comes next: the wait, or 0, and
 * what has changed between before and now; server: the next, as text.
 */
void end_log(const struct end *end, uint64_t wait_ms,
	     const struct reconnect *before, const struct reconnect *now,
	     const char *server);

#endif
