/* SPDX-License-Identifier: MIT */
/*
 * One client: its connection, its thread and its address.
 *
 * States, all in the client's own thread:
 *   joining   connected, no address: data is dropped; a request leads on; the
 *             deadline from accept closes
 *   settling  a base client was just sent its reply: data for it is held back
 *             until it has read that (docs/protocol.md), then joined
 *   joined    data both ways; nothing for the idle timeout closes
 *   leaving   off the route table, address released; waits to be joined
 * Any thread may ask for the end with client_shut().
 */
#ifndef SERVER_CLIENT_H
#define SERVER_CLIENT_H

#include <stdint.h>
#include <sys/socket.h>

#include "server/endpoint.h"

struct admission_source;
struct client;
struct server;

/* For the registry's lists. */
struct client_link {
	struct client *next, **previous;
};

/*
 * Serve a connection that was just admitted, in a thread of its own.  Takes fd
 * and source in any case.  0, or -errno: nothing is left of it.
 */
int client_start(const struct server *server, int fd,
		 const struct sockaddr_storage *peer,
		 struct admission_source *source);

/*
 * Ask the client's thread to end, with a reason; the first one given counts.
 * Idempotent, any thread, never blocks.
 */
void client_shut(struct client *client, enum close_reason reason);

/*
 * Ask it to end once what waits for the client has left, within the flush
 * timeout.  Idempotent, any thread, never blocks.
 */
void client_end(struct client *client);

/*
 * Tell all joined capable clients what is pushed now (push.h).  Any thread
 * that holds no lock; never blocks.
 */
void client_announce_push(const struct server *server);

/* Wait for the thread to end.  registry.c alone. */
void client_join(struct client *client);
void client_put(struct client *client);

struct endpoint *client_endpoint(struct client *client);
const char *client_peer(const struct client *client);	/* "192.0.2.1:4711" */
/* When it connected, of clock_now_ms(). */
uint64_t client_accepted_ms(const struct client *client);
struct client_link *client_link(struct client *client);
const struct stats *client_stats(const struct client *client);
/* Log who it is and its counters. */
void client_log(const struct client *client);

#endif
