/* SPDX-License-Identifier: MIT */
/*
 * What the server is doing, copied out of it at one moment: for status,
 * metrics and whoever else wants to show it.  Plain integers; nothing in a view
 * changes any more.
 *
 * Any thread may make one while the server runs; it takes the registry's lock
 * for as long as it takes to go round all clients in memory.
 */
#ifndef SERVER_VIEW_H
#define SERVER_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/sock.h"
#include "server/admission.h"
#include "server/registry.h"
#include "server/stats.h"

struct server;

struct view_counters {
	uint64_t rx_packets, rx_bytes;	/* that came from there */
	uint64_t tx_packets, tx_bytes;	/* that left for there */
	uint64_t drops[DROP_N_REASONS];
};

enum client_state {
	CLIENT_JOINED,		/* its socket takes what it is sent */
	CLIENT_SETTLING,	/* a base client that was just sent its reply */
	CLIENT_CONGESTED,	/* its socket is full: packets queue */
	CLIENT_LEAVING,
	CLIENT_N_STATES
};

struct client_view {
	uint32_t address;	/* in the tunnel, host byte order */
	uint16_t flags;		/* granted, enum msg_flag; 0: a base client */
	uint16_t mtu;		/* longest packet that it takes, bytes */
	enum client_state state;
	char peer[SOCK_TEXT_LEN];	/* "192.0.2.1:4711" */
	uint64_t since_unix_s;	/* when it connected */
	uint64_t age_ms;	/* how long ago that is */
	uint64_t heard_ms;	/* how long ago something came last */
	uint64_t queue_bytes;	/* that wait for it */
	uint32_t queue_packets;
	uint32_t stuck_ms;	/* it has taken none of them for so long */
	bool has_tcp;		/* the two below are known */
	uint32_t rtt_us;	/* as its connection's TCP has it, smoothed */
	uint32_t retransmits;	/* segments, since it connected */
	struct view_counters counters;
};

struct server_view {
	const char *version;
	uint64_t started_unix_s;
	uint64_t uptime_ms;
	uint16_t port;
	uint32_t network, address;	/* host byte order */
	uint8_t prefix_len;
	const char *tun;	/* NULL: a hub without a TUN; lives as long as
				 * the server */
	uint64_t drain_ms;	/* until it ends; 0: it is not being drained */
	uint32_t clients;	/* with an address */
	uint32_t addresses_held, addresses_free;
	uint64_t queue_bytes;
	struct admission_counts admission;	/* pending, and by verdict */
	struct registry_counts registry;	/* joins, and leaves by
						 * reason */
	struct view_counters total;	/* all clients, live and gone, and the
					 * gateway */
	struct view_counters gateway;
	size_t n_clients;	/* in the array: with an address, by it */
	struct client_view *client;
};

/*
 * NULL: out of memory.  with_clients: the array too, for which each client's
 * socket is asked; 15,000 of them take some tens of milliseconds.
 */
struct server_view *view_new(const struct server *server, bool with_clients);
void view_free(struct server_view *view);

/* Of all the reasons together. */
uint64_t view_drops(const struct view_counters *counters);

/* The names of drops[i], leaves[i] and verdicts[i]. */
const char *view_drop_name(int i);
const char *view_leave_name(int i);
const char *view_verdict_name(int i);

/* "joined", "congested", for machine-readable output. */
const char *client_state_name(enum client_state state);

#endif
