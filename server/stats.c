/* SPDX-License-Identifier: MIT */
/* Names of drop reasons, sums of counters, and their lines in the log. */
#include "server/stats.h"

#include <inttypes.h>

#include "common/log.h"

static const char *const drop_names[] = {
	[DROP_NOT_JOINED] = "not_joined",
	[DROP_SPOOFED_SOURCE] = "spoofed_source",
	[DROP_NO_SUCH_CLIENT] = "no_such_client",
	[DROP_NO_GATEWAY] = "no_gateway",
	[DROP_BROADCAST] = "broadcast",
	[DROP_MULTICAST] = "multicast",
	[DROP_TOO_BIG] = "too_big",
	[DROP_IPV6] = "ipv6",
	[DROP_MALFORMED] = "malformed",
	[DROP_TUN_FULL] = "tun_full",
	[DROP_ECHO_LIMIT] = "echo_limit",
	[DROP_QUEUE_FULL] = "queue_full",
	[DROP_QUEUE_STALE] = "queue_stale",
	[DROP_NO_MEMORY] = "no_memory",
	[DROP_MEMORY_LIMIT] = "memory_limit",
	[DROP_CLOSED] = "closed",
};

_Static_assert(sizeof(drop_names) / sizeof(drop_names[0]) == DROP_N_REASONS,
	       "every drop reason has a name");

const char *drop_reason_name(enum drop_reason reason)
{
	return drop_names[reason];
}

void stats_add(struct stats *to, const struct stats *from)
{
	int i;

	counter_add(&to->rx_packets, counter_get(&from->rx_packets));
	counter_add(&to->rx_bytes, counter_get(&from->rx_bytes));
	counter_add(&to->tx_packets, counter_get(&from->tx_packets));
	counter_add(&to->tx_bytes, counter_get(&from->tx_bytes));
	for (i = 0; i < DROP_N_REASONS; i++)
		counter_add(&to->drops[i], counter_get(&from->drops[i]));
}

void stats_log(const char *label, const struct stats *stats)
{
	int i;

	log_notice("%s: rx_packets=%" PRIu64 " rx_bytes=%" PRIu64
		   " tx_packets=%" PRIu64 " tx_bytes=%" PRIu64, label,
		   counter_get(&stats->rx_packets),
		   counter_get(&stats->rx_bytes),
		   counter_get(&stats->tx_packets),
		   counter_get(&stats->tx_bytes));
	for (i = 0; i < DROP_N_REASONS; i++)
		if (counter_get(&stats->drops[i]) > 0)
			log_notice("%s: drop %s=%" PRIu64, label,
				   drop_names[i],
				   counter_get(&stats->drops[i]));
}
