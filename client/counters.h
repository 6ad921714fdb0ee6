/* SPDX-License-Identifier: MIT */
/*
 * What cli counts, and the lines it prints on SIGUSR1.  "tx" is from the TUN
 * interface to the server, "rx" the other way.  Main thread only, but for the
 * names.
 */
#ifndef CLIENT_COUNTERS_H
#define CLIENT_COUNTERS_H

#include <stdint.h>

/* Why a packet did not go on; names for people in counters.c. */
enum drop_reason {
	DROP_NOT_IPV4,		/* the TUN gave IPv6 or something else */
	DROP_INVALID,		/* the TUN gave a malformed packet */
	DROP_SOURCE,		/* its source is not our address */
	DROP_DESTINATION,	/* 0.0.0.0: the stream would read a request */
	DROP_TOO_BIG,		/* over the tunnel's MTU */
	DROP_STALE,		/* waited in the TUN while not connected */
	DROP_CONNECTION_LOST,	/* in a batch that was not sent whole */
	DROP_RX_SKIPPED,	/* from the server, of a kind we do not take */
	DROP_RX_INVALID,	/* a super-packet that is none */
	DROP_QUEUE_FULL,	/* the connection takes too little */
	DROP_QUEUE_STALE,	/* the same, for too long (CoDel) */
	DROP_TUN_READ,		/* the kernel did not give it */
	DROP_TUN_WRITE,		/* the kernel did not take it */
	DROP_N_REASONS
};

struct counters {
	uint64_t rx_packets, rx_bytes;
	uint64_t tx_packets, tx_bytes;
	uint64_t joins;		/* replies that gave us an address */
	uint64_t reconnects;	/* connections after the first that joined */
	uint64_t drops[DROP_N_REASONS];
};

const char *counters_drop_name(int reason);

void counters_log(const struct counters *counters);

#endif
