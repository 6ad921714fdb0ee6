/* SPDX-License-Identifier: MIT */
/*
 * The parts of the server, and who may do what.
 *
 * Threads
 *   main      waits for signals and for draining; starts and stops everything
 *             (main.c)
 *   accept    one; waits on the listening sockets, starts client threads, joins
 *             those that ended (accept.c)
 *   client    one a client; blocks in recv() on its socket alone (client.c),
 *             and hands over what it reads (forward.c)
 *   drain     one; waits in epoll for congested sockets (drain.c)
 *   gateway   one; waits in poll() for the TUN (gateway.c)
 *   control   one; answers the operator (common/control.c, operator.c)
 *   metrics   one, if asked for; waits in poll() for HTTP (metrics.c)
 *   log       one; writes log lines (common/log.c)
 *
 * Lock order, outermost first
 *   The reload's, the registry's, an egress's, the drain's, the log's.  A
 *   stripe of the route table's, the address pool's, the admission's and the
 *   push's are leaves: nothing is locked under them.
 *   No lock is held across a call that blocks, but the reload's, which only
 *   main and control take, across reading a regular file.  The egress lock is
 *   held across non-blocking sends to its own socket, which is what keeps
 *   messages whole; to push options or to send away, that is done for each
 *   client in turn under the registry's, so joins and leaves wait meanwhile.
 */
#ifndef SERVER_SERVER_H
#define SERVER_SERVER_H

#include <stdatomic.h>
#include <stdint.h>

#include "server/egress.h"

struct addrpool;
struct admission;
struct drain;
struct gateway;
struct push;
struct registry;
struct route_table;
struct server_config;

/* What a reload may change while other threads read it, beside the limits. */
struct server_live {
	_Atomic uint32_t idle_timeout_s;
	_Atomic uint32_t flush_timeout_s;
	_Atomic uint64_t drain_until_ms;	/* clock_now_ms(); 0: it is
						 * not being drained */
};

/* All members are immutable once the first thread runs, but live and limits. */
struct server {
	const struct server_config *config;	/* as it was at the start */
	struct server_live live;
	uint64_t started_ms;	/* clock_now_ms() */
	uint64_t started_unix_s;	/* as the clock said then */
	uint32_t network;	/* addresses in host byte order */
	uint32_t netmask;
	uint32_t address;	/* the server's own */
	struct egress_limits limits;
	struct addrpool *pool;
	struct admission *admission;
	struct route_table *routes;
	struct drain *drain;
	struct registry *registry;
	struct push *push;
	struct gateway *gateway;	/* NULL: a hub without a TUN */
};

#endif
