/* SPDX-License-Identifier: MIT */
/*
 * The address exchange: what a request gets for an answer, and the undoing of
 * it when the client leaves.  The rules are in docs/protocol.md.
 *
 * The client's own thread; blocks only while earlier replies are unread.
 */
#ifndef SERVER_JOIN_H
#define SERVER_JOIN_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/frame.h"

struct endpoint;
struct server;

enum {
	JOIN_BASE_MTU = 1500,	/* what a base client can take, bytes */
	JOIN_TEXT_LEN = 16,	/* "255.255.255.255" */
};

struct join {
	bool capable;
	bool moved;		/* the address is new to this client */
	bool held;		/* egress_release() when the reply was read */
	uint16_t flags;		/* granted */
	uint32_t pushed;	/* version, as of push_fill() */
	char text[JOIN_TEXT_LEN];	/* the address */
	const char *reason;	/* of a refusal, for people */
};

/*
 * Answer the request in message.  True: the reply is on its way and the
 * endpoint holds the address.  False: refused; a capable client was told why,
 * and the connection is to be closed.
 */
bool join_answer(struct join *join, const struct server *server,
		 struct endpoint *endpoint,
		 const uint8_t message[FRAME_CONTROL_LEN]);

/*
 * Tell a capable client that the server ends, and to come back no sooner than
 * after retry_ms.  False: it is a base client, or does not read.  Any thread;
 * does not block.
 */
bool join_send_away(struct endpoint *endpoint, uint32_t retry_ms);

/* Off the route table, egress shut, address released.  Idempotent. */
void join_leave(const struct server *server, struct endpoint *endpoint);

void join_address_text(uint32_t address, char text[JOIN_TEXT_LEN]);

#endif
