/* SPDX-License-Identifier: MIT */
/*
 * The server's own TUN: the endpoint behind which the gateway host and
 * everything beyond it lie.
 */
#ifndef SERVER_GATEWAY_H
#define SERVER_GATEWAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "proto/packet.h"

struct coalesce;
struct endpoint;
struct gateway;
struct server;

/*
 * Open the TUN, give it the server's address and bring it up.  Main thread,
 * before any other.  0 or -errno; -EPERM and -EACCES: not allowed to.  What
 * failed is logged.
 */
int gateway_open(struct server *server);

/* Start, or stop and join, the thread that reads the TUN.  0 or -errno. */
int gateway_start(struct gateway *g);
void gateway_stop(struct gateway *g);

/* Close the TUN: interface, address and routes go.  NULL is fine. */
void gateway_close(struct gateway *g);

/* Whether the thread ended because the TUN is gone; it sent SIGTERM then. */
bool gateway_failed(const struct gateway *g);

struct endpoint *gateway_endpoint(struct gateway *g);
const char *gateway_name(const struct gateway *g);

/*
 * Write messages, as they stand in a client's stream, to the TUN: at most
 * EGRESS_MAX_IOV vectors of one or more messages each.  The bytes are changed
 * in place.  *coalesce is the calling thread's, made when first needed.  Any
 * thread; the kernel takes the packets at once or they are dropped.
 */
void gateway_send(struct gateway *g, struct coalesce **coalesce,
		  const struct iovec *iov, int n);

/* Write one ordinary packet.  Any thread. */
void gateway_write(struct gateway *g, const struct packet *packet);

#endif
