/* SPDX-License-Identifier: MIT */
/* The counters' names and their lines for people. */
#include "client/counters.h"

#include <assert.h>
#include <inttypes.h>

#include "common/log.h"

static const char *const drop_names[] = {
	[DROP_NOT_IPV4] = "not_ipv4",
	[DROP_INVALID] = "invalid",
	[DROP_SOURCE] = "source",
	[DROP_DESTINATION] = "destination",
	[DROP_TOO_BIG] = "too_big",
	[DROP_STALE] = "stale",
	[DROP_CONNECTION_LOST] = "connection_lost",
	[DROP_RX_SKIPPED] = "rx_skipped",
	[DROP_RX_INVALID] = "rx_invalid",
	[DROP_QUEUE_FULL] = "queue_full",
	[DROP_QUEUE_STALE] = "queue_stale",
	[DROP_TUN_READ] = "tun_read",
	[DROP_TUN_WRITE] = "tun_write",
};

static_assert(sizeof(drop_names) / sizeof(drop_names[0]) == DROP_N_REASONS,
	      "each drop reason has a name");

const char *counters_drop_name(int reason)
{
	return drop_names[reason];
}

void counters_log(const struct counters *counters)
{
	int reason;

	/* Notices: who asks for them sees them with --quiet too. */
	log_notice("total: rx_packets=%" PRIu64 " rx_bytes=%" PRIu64
		   " tx_packets=%" PRIu64 " tx_bytes=%" PRIu64
		   " reconnects=%" PRIu64,
		   counters->rx_packets, counters->rx_bytes,
		   counters->tx_packets, counters->tx_bytes,
		   counters->reconnects);
	for (reason = 0; reason < DROP_N_REASONS; reason++) {
		if (counters->drops[reason] == 0)
			continue;
		log_notice("drop %s=%" PRIu64, drop_names[reason],
			   counters->drops[reason]);
	}
}
