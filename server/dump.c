/* SPDX-License-Identifier: MIT */
/* The counters in the log. */
#include "server/dump.h"

#include "common/log.h"
#include "server/addrpool.h"
#include "server/client.h"
#include "server/drain.h"
#include "server/endpoint.h"
#include "server/gateway.h"
#include "server/registry.h"
#include "server/server.h"

static void log_client(struct client *client, void *arg)
{
	(void)arg;
	client_log(client);
}

/* Sums first: with thousands of clients, later lines may find the log full. */
void dump_log(const struct server *server)
{
	struct stats total = { 0 };

	if (server->gateway)
		stats_add(&total, &gateway_endpoint(server->gateway)->stats);
	registry_total(server->registry, &total);
	stats_log("total", &total);
	log_notice("clients=%u addresses_held=%u addresses_free=%u "
		   "queue_bytes=%llu", registry_count(server->registry),
		   addrpool_held(server->pool),
		   addrpool_size(server->pool) - addrpool_held(server->pool),
		   (unsigned long long)drain_queue_memory(server->drain));
	if (server->gateway)
		stats_log("gateway",
			  &gateway_endpoint(server->gateway)->stats);
	registry_visit(server->registry, log_client, NULL);
}
