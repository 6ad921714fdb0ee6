/* SPDX-License-Identifier: MIT */
/*
 * The TUN interface's MTU, address and routes: applied as the server says,
 * changed in place when it says something else, and rolled back in reverse
 * order.  Main thread only.
 */
#ifndef CLIENT_NETUP_H
#define CLIENT_NETUP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "common/tun.h"
#include "proto/msg.h"

struct netcfg;

struct netup_settings {
	uint32_t address;	/* 0: none */
	uint8_t prefix_len;
	uint32_t mtu;
	unsigned int n_routes;
	struct msg_route routes[MSG_MAX_ROUTES];
};

/* What is in force; all members are its own. */
struct netup {
	struct netcfg *nc;
	const struct tun *tun;
	struct netup_settings now;	/* only what was added by us */
};

/* The TUN is open and stays so until netup_fini().  0 or -errno. */
int netup_init(struct netup *n, const struct tun *tun);

/*
 * Make the interface be what settings say.  A route that exists already, or
 * that would lead the connection to the server into the tunnel, is left out
 * with a warning.  0, or -errno where the interface or its address could not be
 * set.
 */
int netup_apply(struct netup *n, const struct netup_settings *settings,
		const struct sockaddr_storage *server);

/* Take everything back; accepts one that netup_init() failed on. */
void netup_fini(struct netup *n);

#endif
