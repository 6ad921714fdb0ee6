/* SPDX-License-Identifier: MIT */
/*
 * What the server is doing, copied out of it.
 *
 * Theory of operation: under the registry's lock only references to the
 * clients are taken, together with what is theirs in memory.  Their locks are
 * taken, and their sockets asked for TCP_INFO, afterwards: a reference keeps
 * the descriptor open.  Meanwhile clients come and go, and the array is of
 * those that were there at the beginning.
 */
#include "server/view.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "common/clock.h"
#include "common/version.h"
#include "server/addrpool.h"
#include "server/client.h"
#include "server/config.h"
#include "server/drain.h"
#include "server/gateway.h"
#include "server/server.h"

enum { SPARE = 64 };	/* clients that may come between count and walk */

/* The array as it is filled. */
struct gathering {
	struct server_view *view;
	struct endpoint **endpoints;	/* a reference each */
	size_t room;
	uint64_t now_ms, now_unix_ms;
};

uint64_t view_drops(const struct view_counters *counters)
{
	uint64_t sum = 0;
	int i;

	for (i = 0; i < DROP_N_REASONS; i++)
		sum += counters->drops[i];
	return sum;
}

const char *view_drop_name(int i)
{
	return drop_reason_name((enum drop_reason)i);
}

const char *view_leave_name(int i)
{
	return close_reason_name((enum close_reason)i);
}

const char *view_verdict_name(int i)
{
	return admission_verdict_name((enum admission_verdict)i);
}

const char *client_state_name(enum client_state state)
{
	static const char *const names[CLIENT_N_STATES] = {
		[CLIENT_JOINED] = "joined",
		[CLIENT_SETTLING] = "settling",
		[CLIENT_CONGESTED] = "congested",
		[CLIENT_LEAVING] = "leaving",
	};

	return names[state];
}

static void copy_counters(struct view_counters *to, const struct stats *from)
{
	int i;

	to->rx_packets = counter_get(&from->rx_packets);
	to->rx_bytes = counter_get(&from->rx_bytes);
	to->tx_packets = counter_get(&from->tx_packets);
	to->tx_bytes = counter_get(&from->tx_bytes);
	for (i = 0; i < DROP_N_REASONS; i++)
		to->drops[i] = counter_get(&from->drops[i]);
}

static void add_counters(struct view_counters *to,
			 const struct view_counters *from)
{
	int i;

	to->rx_packets += from->rx_packets;
	to->rx_bytes += from->rx_bytes;
	to->tx_packets += from->tx_packets;
	to->tx_bytes += from->tx_bytes;
	for (i = 0; i < DROP_N_REASONS; i++)
		to->drops[i] += from->drops[i];
}

static uint64_t since(uint64_t now_ms, uint64_t then_ms)
{
	return now_ms > then_ms ? now_ms - then_ms : 0;
}

/* In milliseconds, so that a client's start is the same second each time. */
static uint64_t unix_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Under the registry's lock. */
static void gather(struct client *client, void *arg)
{
	struct gathering *g = arg;
	struct endpoint *e = client_endpoint(client);
	uint32_t address = atomic_load_explicit(&e->address,
						memory_order_relaxed);
	struct client_view *v;

	if (address == 0 || g->view->n_clients == g->room)
		return;
	g->endpoints[g->view->n_clients] = endpoint_get(e);
	v = &g->view->client[g->view->n_clients++];
	v->address = address;
	v->age_ms = since(g->now_ms, client_accepted_ms(client));
	v->since_unix_s = (g->now_unix_ms - v->age_ms) / 1000;
	v->heard_ms = since(g->now_ms, atomic_load_explicit(&e->heard_ms,
						memory_order_relaxed));
	v->flags = atomic_load_explicit(&e->flags, memory_order_relaxed);
	v->mtu = (uint16_t)atomic_load_explicit(&e->mtu, memory_order_relaxed);
	snprintf(v->peer, sizeof(v->peer), "%s", client_peer(client));
	copy_counters(&v->counters, &e->stats);
}

static void look_closely(struct client_view *v, struct endpoint *e,
			 uint64_t now_ms)
{
	struct egress_status status;
	struct tcp_info info;
	socklen_t len = sizeof(info);

	egress_look(&e->egress, &status);
	v->queue_bytes = status.queue_bytes;
	v->queue_packets = status.queue_packets;
	if (status.queue_bytes > 0)
		v->stuck_ms = (uint32_t)since(now_ms, status.progress_ms);
	v->state = status.closed ? CLIENT_LEAVING :
		   status.held ? CLIENT_SETTLING :
		   status.congested ? CLIENT_CONGESTED : CLIENT_JOINED;
	if (getsockopt(e->egress.fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0)
		return;
	v->has_tcp = true;
	v->rtt_us = info.tcpi_rtt;
	v->retransmits = info.tcpi_total_retrans;
}

static int by_address(const void *a, const void *b)
{
	const struct client_view *first = a, *second = b;

	return (first->address > second->address) -
	       (first->address < second->address);
}

/* False: out of memory. */
static bool view_clients(struct server_view *view, const struct server *server)
{
	struct gathering g = {
		.view = view,
		.now_ms = clock_now_ms(),
		.now_unix_ms = unix_now_ms(),
		.room = registry_count(server->registry) + SPARE,
	};
	size_t i;

	view->client = calloc(g.room, sizeof(*view->client));
	g.endpoints = calloc(g.room, sizeof(struct endpoint *));
	if (!view->client || !g.endpoints) {
		free(g.endpoints);
		return false;
	}
	registry_visit(server->registry, gather, &g);
	for (i = 0; i < view->n_clients; i++) {
		look_closely(&view->client[i], g.endpoints[i], g.now_ms);
		endpoint_put(g.endpoints[i]);
	}
	free(g.endpoints);
	qsort(view->client, view->n_clients, sizeof(*view->client), by_address);
	return true;
}

static void view_server(struct server_view *view, const struct server *server)
{
	uint64_t now_ms = clock_now_ms();
	uint64_t drain_until_ms = server->live.drain_until_ms;

	view->version = SIMPLEVPN_VERSION;
	view->uptime_ms = since(now_ms, server->started_ms);
	view->started_unix_s = server->started_unix_s;
	view->port = (uint16_t)server->config->port;
	view->network = server->network;
	view->prefix_len = server->config->network.prefix_len;
	view->address = server->address;
	view->tun = server->gateway ? gateway_name(server->gateway) : NULL;
	if (drain_until_ms != 0)	/* 0 would be "not at all" */
		view->drain_ms = since(drain_until_ms, now_ms) + 1;
	view->addresses_held = addrpool_held(server->pool);
	view->addresses_free = addrpool_size(server->pool) -
			       view->addresses_held;
	view->queue_bytes = drain_queue_memory(server->drain);
}

static uint32_t count_clients(const struct registry_counts *counts)
{
	uint64_t n = counts->joins;
	int i;

	for (i = 0; i < CLOSE_N_REASONS; i++)
		n -= counts->leaves[i];
	return (uint32_t)n;
}

static void view_counts(struct server_view *view, const struct server *server)
{
	struct stats total = { 0 };

	admission_counts(server->admission, &view->admission);
	registry_counts(server->registry, &view->registry);
	view->clients = count_clients(&view->registry);
	registry_total(server->registry, &total);
	copy_counters(&view->total, &total);
	if (!server->gateway)
		return;
	copy_counters(&view->gateway,
		      &gateway_endpoint(server->gateway)->stats);
	add_counters(&view->total, &view->gateway);
}

struct server_view *view_new(const struct server *server, bool with_clients)
{
	struct server_view *view = calloc(1, sizeof(*view));

	if (!view)
		return NULL;
	view_server(view, server);
	view_counts(view, server);
	if (with_clients && !view_clients(view, server)) {
		view_free(view);
		return NULL;
	}
	return view;
}

void view_free(struct server_view *view)
{
	if (!view)
		return;
	free(view->client);
	free(view);
}
