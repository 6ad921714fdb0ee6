/* SPDX-License-Identifier: MIT */
/*
 * The TUN interface's MTU, address and routes, the name servers and what else
 * belongs to it: applied as the settings say, changed in place when they say
 * something else, and rolled back in reverse order.  Main thread only; calls
 * block for seconds at most, where programs are run.
 */
#ifndef CLIENT_NETUP_H
#define CLIENT_NETUP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "client/dns.h"
#include "client/fulltunnel.h"
#include "client/guard.h"
#include "common/options.h"
#include "common/tun.h"
#include "proto/msg.h"

struct netcfg;

enum { NETUP_MAX_ROUTES = MSG_MAX_ROUTES + OPTIONS_MAX_NETWORKS };

struct netup_settings {
	uint32_t address;	/* 0: none */
	uint8_t prefix_len;
	uint32_t mtu;
	unsigned int n_routes;
	struct msg_route routes[NETUP_MAX_ROUTES];
	bool default_route;	/* everything else, too */
	bool reject_outside;	/* packets for the address from elsewhere */
	bool reject_required;	/* it is an error where that cannot be had */
	bool clamp_mss;		/* of what is forwarded */
	struct dns_settings dns;
	bool set_dns;		/* false: a hook may */
};

/* What is in force; all members are its own. */
struct netup {
	struct netcfg *nc;
	const struct tun *tun;
	struct netup_settings now;	/* only what was added by us */
	struct fulltunnel fulltunnel;
	struct guard guard;
	struct dns dns;
	bool guard_failed;		/* and was warned of */
};

/*
 * The TUN is open and stays so until netup_fini().  Removes what clients that
 * were killed have left on the host.  0 or -errno.
 */
int netup_init(struct netup *n, const struct tun *tun);

/*
 * Make the interface be what settings say.  A route that exists already, or
 * that would lead the connection to the server into the tunnel, is left out
 * with a warning.  0, or -errno, after a line that says what could not be
 * set and why; -EPERM and -EACCES come without one.
 */
int netup_apply(struct netup *n, const struct netup_settings *settings,
		const struct sockaddr_storage *server);

/* Take everything back; accepts one that netup_init() failed on. */
void netup_fini(struct netup *n);

#endif
