/* SPDX-License-Identifier: MIT */
/*
 * The set of live clients, and those whose thread has ended and waits to be
 * joined.  A thread never joins or frees itself: it announces its end here and
 * the accept thread (at shutdown: the main thread) reaps it.
 *
 * Any thread may call unless a function says otherwise.
 */
#ifndef SERVER_REGISTRY_H
#define SERVER_REGISTRY_H

#include <stdbool.h>
#include <stdint.h>

#include "server/close_reason.h"
#include "server/stats.h"

struct client;
struct registry;

/* NULL: errno says why. */
struct registry *registry_new(void);
/* No client is left. */
void registry_free(struct registry *r);

/* A stranger: it has no address yet. */
void registry_add(struct registry *r, struct client *client);
/* It has its address. */
void registry_joined(struct registry *r, struct client *client);
/* Undo registry_add() for a client whose thread was never started. */
void registry_remove(struct registry *r, struct client *client);
/* The client's own thread, as its last act: why, and whether it had joined. */
void registry_finish(struct registry *r, struct client *client, bool joined,
		     enum close_reason reason);

/* Readable while there is somebody to reap: for poll(). */
int registry_fd(const struct registry *r);
/* Join the threads that ended and drop their clients.  One thread at a time. */
void registry_reap(struct registry *r);

/*
 * Shut the stranger that has been here for longest, if it came before before_ms
 * of clock_now_ms().  False: there is none.
 */
bool registry_crowd_out(struct registry *r, uint64_t before_ms);

/* Clients that were added and are not yet reaped. */
uint32_t registry_count(struct registry *r);

/*
 * Call visit for every live client under the registry's lock: it must not
 * block or lock anything but leaves.
 */
void registry_visit(struct registry *r,
		    void (*visit)(struct client *client, void *arg),
		    void *arg);

/* How many came and went since the start. */
struct registry_counts {
	uint64_t joins;
	uint64_t leaves[CLOSE_N_REASONS];	/* of clients with an address */
	uint64_t strangers[CLOSE_N_REASONS];	/* gone without ever having
						 * had one */
};

void registry_counts(struct registry *r, struct registry_counts *counts);

/* Add the counters of all clients, live and gone, to *total. */
void registry_total(struct registry *r, struct stats *total);

#endif
