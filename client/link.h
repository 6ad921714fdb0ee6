/* SPDX-License-Identifier: MIT */
/*
 * The TCP connection to the server: open it, by any address of the server's
 * name that answers, and close it.  Main thread only.
 */
#ifndef CLIENT_LINK_H
#define CLIENT_LINK_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "client/outside.h"
#include "client/signals.h"
#include "common/options.h"
#include "common/sock.h"

enum {
	/* Bytes in the kernel that are not sent yet; above it the socket is
	 * not writable.  What waits there can no longer be overtaken, so it
	 * is small: a millisecond at 1 Gbit/s. */
	LINK_NOTSENT_LOWAT = 128 * 1024,
	/* Sent, and not acknowledged for so long: the server is gone. */
	LINK_USER_TIMEOUT_MS = 20000,
	LINK_RESOLVE_MS = 30000,
	/* The same, when it may be that only the tunnel has an answer. */
	LINK_RESOLVE_AGAIN_MS = 3000,
	LINK_ATTEMPT_MS = 5000,		/* for each address of the name */
	LINK_MAX_KNOWN = 8,
};

/* Where a server was reached. */
struct link_known {
	char host[OPTIONS_TEXT_LEN];
	struct sockaddr_storage address;
};

struct link {
	int fd;				/* -1: closed */
	const char *congestion;		/* sock.h; set before link_open() */
	uint32_t mark;			/* SO_MARK, 0: none; set before, too */
	struct outside outside;		/* filled in before link_open() */
	unsigned int n_known;
	struct link_known known[LINK_MAX_KNOWN];
	struct sockaddr_storage peer;
	char text[SOCK_TEXT_LEN];	/* the peer, for people */
};

enum link_result {
	LINK_OPEN,
	LINK_FAILED,			/* why has a sentence */
	LINK_STOPPED,			/* SIGINT or SIGTERM came */
};

/*
 * Resolve the name anew and connect.  A name that was reached before and cannot
 * be resolved now is asked for past the tunnel, and if that fails too, taken to
 * have its last address still.  Blocks, within the limits above.
 */
enum link_result link_open(struct link *link, const char *host, uint16_t port,
			   struct signals *signals, char *why,
			   size_t why_size);
void link_close(struct link *link);

#endif
