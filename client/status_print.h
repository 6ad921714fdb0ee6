/* SPDX-License-Identifier: MIT */
/* The status of cli as a person reads it, and as JSON.  Any thread. */
#ifndef CLIENT_STATUS_PRINT_H
#define CLIENT_STATUS_PRINT_H

#include <stdint.h>
#include <stdio.h>
#include <time.h>

#include "client/counters.h"
#include "client/facts.h"
#include "client/status.h"

enum status_state {
	STATUS_CONNECTING,
	STATUS_CONNECTED,
	STATUS_WAITING,
};

struct status_view {
	const char *interface;
	const struct option_list *servers;
	enum status_state state;
	uint64_t now_ms, since_ms;	/* clock_now_ms(); since: connected,
					 * or no longer */
	time_t now_unix_s;
	char server[OPTIONS_TEXT_LEN];	/* connected to, or tried next */
	char why[STATUS_WHY_LEN];	/* not connected; "": no attempt has
					 * ended yet */
	uint64_t next_ms;		/* the next try, where waiting */
	struct facts facts;		/* address 0: never connected */
	struct counters counters;
	uint32_t rtt_us;		/* of the connection */
	uint32_t n_resent;		/* segments, in the connection */
};

/* A few lines, the first of which begins with the interface. */
void status_print(const struct status_view *view, FILE *out);

/* One object, in one line. */
void status_print_json(const struct status_view *view, FILE *out);

#endif
