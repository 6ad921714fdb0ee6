/* SPDX-License-Identifier: MIT */
/*
 * Many clients in one process and one thread: the loop that serves them, what
 * they count, and the roles that they can play.
 */
#ifndef SCALE_CROWD_H
#define SCALE_CROWD_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/reconnect.h"
#include "tests/scale/ledger.h"
#include "tests/scale/peer.h"

enum {
	CROWD_MAX = 19000,		/* descriptors: 20,000 a process */
	CROWD_MAX_PROCESSES = 8,
	CROWD_BUFFER = 256 * 1024,
};

/* What has happened since the start; roles add to it. */
struct tally {
	uint64_t assignments;	/* an address new to the connection */
	uint64_t connects, refused, lost, timed_out;
	uint64_t keepalives;	/* echoes that came */
	uint64_t conflicts;	/* claims that met somebody else's */
	uint64_t duplicates;	/* two owners of an address at once: proven */
	uint64_t wrong_address;	/* another one than was asked for */
	uint64_t sent_packets, sent_bytes;
	uint64_t good_packets, good_bytes;
	uint64_t corrupt, disorder, misrouted, foreign, icmp;
	uint64_t broken;	/* streams that could not be decoded */
};

/* Called in the loop; each may be NULL.  A peer's own state is set before. */
struct role {
	/* It has an address, at first or another one. */
	void (*joined)(struct peer *p);
	/* The same address again, by ASKED_AGAIN. */
	void (*confirmed)(struct peer *p);
	/* The connection is gone.  NULL: come back as cli does. */
	void (*gone)(struct peer *p, enum reconnect_event event);
	void (*turn)(struct peer *p);		/* turn_ms has come */
};

struct crowd {
	struct sockaddr_in server;
	uint32_t process;	/* number among those that share the ledger */
	uint32_t sources;	/* local addresses to spread over */
	uint32_t base_percent, static_percent;
	uint32_t narrow_percent;	/* with the smallest receive buffer */
	uint32_t keepalive_s;	/* 0: as the protocol says */
	uint32_t window;	/* first joins under way at a time */
	int epoll;
	uint64_t random;
	uint64_t now_ms;	/* of this turn of the loop */
	struct ledger *ledger;
	const struct role *role;
	uint32_t n;		/* peers made so far */
	uint32_t n_joined, n_joining;	/* joining: connecting too */
	uint32_t next_stream;
	struct tally tally;
	struct peer *peers;	/* CROWD_MAX */
	uint64_t *due_ms;	/* of each peer, for a quick look at all */
	uint8_t *buffer;	/* of the receive that is under way */
};

/* A peer's deadline may have changed. */
void crowd_schedule(struct peer *p);

/* One turn: wait for events, max_ms at most, and serve them. */
void crowd_turn(struct crowd *crowd, uint32_t max_ms);

/* Turns until done() or for ms.  True: done. */
bool crowd_run(struct crowd *crowd, uint64_t ms,
	       bool (*done)(const struct crowd *crowd));

/* xorshift64; a number below n. */
uint32_t crowd_random(struct crowd *crowd, uint32_t n);

/* What the roles' commands do; each prints key=value words, and returns false
 * where something is wrong that the words show. */
bool traffic_enlist(struct crowd *crowd, uint32_t n, uint32_t processes);
bool traffic_run(struct crowd *crowd, uint32_t seconds, uint32_t len,
		 uint32_t total, uint32_t fan);
bool churn_run(struct crowd *crowd, uint64_t assignments);
bool storm_run(struct crowd *crowd, uint32_t seconds, uint32_t mean_ms);

#endif
