/* SPDX-License-Identifier: MIT */
/*
 * When to try again, which server, and which address to ask it for.  Pure:
 * events, the time and a random number go in; a wait, the number of a server
 * and an address come out.
 */
#ifndef CLIENT_RECONNECT_H
#define CLIENT_RECONNECT_H

#include <stdbool.h>
#include <stdint.h>

enum {
	RECONNECT_FIRST_MS = 500,	/* upper end of the first wait */
	RECONNECT_LONGEST_MS = 30000,	/* of the later ones */
	/* A connection that was joined for so long starts from the first wait
	 * again; a shorter one does not, or two clients that take an address
	 * from each other would do so twice a second. */
	RECONNECT_STABLE_MS = 10000,
	/* What a server may ask for at most. */
	RECONNECT_RETRY_MAX_MS = 3600 * 1000,
	/* A server of which we know that it says why it refuses has to close
	 * so many times without a reply before that counts as a refusal. */
	RECONNECT_SILENT_CLOSES = 3,
	RECONNECT_MAX_SERVERS = 16,
};

/*
 * The first two happen during a connection, the others end an attempt; only
 * these have a wait.
 */
enum reconnect_event {
	RECONNECT_JOINED,	/* address, server_capable */
	RECONNECT_RETRY_AFTER,	/* retry_ms: come back no sooner */
	RECONNECT_LOST,		/* not connected, or no longer */
	RECONNECT_REFUSED,	/* for a reason that is not the address */
	RECONNECT_ADDRESS_REFUSED,
	RECONNECT_NO_REPLY,	/* closed without a reply: how base servers
				 * refuse an address */
};

struct reconnect_input {
	enum reconnect_event event;
	uint32_t address;
	bool server_capable;
	uint32_t retry_ms;
	uint32_t random;	/* any number */
	uint64_t now_ms;
};

struct reconnect_server {
	bool tried;		/* in this round */
	bool capable;		/* when we joined it last */
	unsigned int n_silent;	/* closes without a reply, in a row */
	uint64_t not_before_ms;	/* its wish; 0: none */
};

/* All members are its own; read server and wanted freely. */
struct reconnect {
	unsigned int server;	/* the one to try next, or that we are at */
	uint32_t wanted;	/* address to ask for next; 0: any */
	bool fixed;		/* a static address: never another one */
	bool refused;		/* one of this round refused the address */
	bool joined;
	uint32_t bound_ms;	/* upper end of the next wait */
	uint64_t joined_ms;
	unsigned int n_servers;
	struct reconnect_server servers[RECONNECT_MAX_SERVERS];
};

/*
 * static_address 0: dynamic.  Of n_servers, 1 to RECONNECT_MAX_SERVERS, the
 * random number chooses the first.
 */
void reconnect_init(struct reconnect *r, uint32_t static_address,
		    unsigned int n_servers, uint32_t random);

/* Returns milliseconds to wait before the next attempt; 0: at once. */
uint64_t reconnect_next(struct reconnect *r,
			const struct reconnect_input *input);

#endif
