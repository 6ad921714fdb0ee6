/* SPDX-License-Identifier: MIT */
/*
 * The way to the server's name that does not lead through the tunnel: when the
 * tunnel is dead, so is a name server that is asked through it.  Main thread
 * only.
 */
#ifndef CLIENT_OUTSIDE_H
#define CLIENT_OUTSIDE_H

#include <stdbool.h>
#include <stdint.h>

#include "client/signals.h"

enum {
	OUTSIDE_MAX_SERVERS = 3,	/* as glibc asks */
	OUTSIDE_WAIT_MS = 1500,		/* for each of them */
};

struct outside {
	unsigned int n;
	uint32_t servers[OUTSIDE_MAX_SERVERS];	/* host byte order */
};

/* Note the name servers that the host has without a tunnel; reads a file. */
void outside_remember(struct outside *o);

/*
 * Ask them for the IPv4 address of a host; a mark (SO_MARK) that is not 0 leads
 * the question past the tunnel.  Blocks within the limits above; false: no
 * answer, or a signal to end came.
 */
bool outside_ask(const struct outside *o, const char *host, uint32_t mark,
		 struct signals *signals, uint32_t *address);

#endif
