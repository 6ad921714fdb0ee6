/* SPDX-License-Identifier: MIT */
/*
 * The one thread that sends on for every congested client.
 *
 * Theory of operation: it waits with epoll for the sockets that did not take
 * all that they were given, so congestion costs no descriptor and no thread a
 * client.  An egress is put on its list when its socket is first full, and
 * leaves it a second after its queue ran empty.  Once a second the thread
 * walks the list: queues that stand empty are freed, clients that took nothing
 * for too long are shut.
 *
 * Only the drain thread takes egresses off the list, and others put them on at
 * its head, so the thread walks it without the lock.  While on the list an
 * egress has a reference to its endpoint.
 *
 * Lock order: an egress lock, then the drain's.
 */
#ifndef SERVER_DRAIN_H
#define SERVER_DRAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct drain;
struct egress;
struct egress_limits;
struct endpoint;

/*
 * Start the thread.  It shuts clients that have taken nothing for longer than
 * limits->stall_ms; and those with the oldest queues, while all queues together
 * take more than limits->memory.  NULL: errno says why.
 */
struct drain *drain_new(const struct egress_limits *limits);
/* Ends the thread; no client is left. */
void drain_free(struct drain *drain);

/* The egress lock is held for these three.  False: out of resources. */
bool drain_watch(struct drain *drain, struct egress *e);
void drain_arm(struct drain *drain, struct egress *e);
void drain_unwatch(struct drain *drain, struct egress *e);

/* Account for queue memory; arg is the drain (flowq.h). */
void drain_charge(void *arg, int64_t bytes);
/* Bytes that all queues of the server have now. */
uint64_t drain_queue_memory(const struct drain *drain);

#endif
