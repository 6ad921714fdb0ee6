/* SPDX-License-Identifier: MIT */
/*
 * What the server tells its capable clients and may change while they are
 * connected: routes, DNS servers, a search domain, and how long they may be
 * silent.
 */
#ifndef SERVER_PUSH_H
#define SERVER_PUSH_H

#include <stdbool.h>
#include <stdint.h>

struct endpoint;
struct msg_options;
struct push;
struct server_config;

enum { PUSH_KEEPALIVE_S = 15 };	/* of base clients; others' at most */

/* How often clients are told to send keepalives, seconds. */
uint16_t push_keepalive_s(uint32_t idle_timeout_s);

/* What config has to push.  NULL: out of memory. */
struct push *push_new(const struct server_config *config);
/* No client is left.  NULL is fine. */
void push_free(struct push *push);

/*
 * From now on push what config says; it is not needed afterwards.  Whether
 * that is something else than before: client_announce_push() tells the clients.
 * Any thread, does not block.
 */
bool push_set(struct push *push, const struct server_config *config);

/*
 * Add what is pushed to the options of a reply.  Returns its version, which
 * push_follow() wants to know.  Any thread, does not block.
 */
uint32_t push_fill(struct push *push, struct msg_options *options);

/*
 * Tell a joined capable client what is pushed, unless it was told this version
 * (0: none) and there is no newer one.  Any thread, does not block.
 */
void push_follow(struct push *push, struct endpoint *endpoint,
		 uint32_t version);

/* Make up for a push_follow() that failed as the client did not read.  The
 * client's own thread, when something came from the client. */
void push_catch_up(struct push *push, struct endpoint *endpoint);

/*
 * Send options alone to a joined capable client.  False: it takes none, does
 * not read, or is leaving.  Any thread, does not block.
 */
bool push_tell(struct endpoint *endpoint, const struct msg_options *options);

#endif
