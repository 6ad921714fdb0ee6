/* SPDX-License-Identifier: MIT */
/*
 * What the server tells its capable clients and may change.
 *
 * Theory of operation: what is pushed has a version.  A message always holds
 * all of it, so that it can be sent twice and only the last one counts.  Two
 * threads may tell one client at a time: its own, as it joins, and the one that
 * announces a change.  Either looks at the version again after it has sent, and
 * sends again if another one has come meanwhile; so the last message that a
 * client gets is the newest, without a lock that would be held while sending.
 * A client that client_announce_push() does not find yet looks for itself as
 * soon as it could (push_follow).  One whose control buffer is full is marked,
 * and its own thread makes up for it with the next sign of life
 * (push_catch_up).
 */
#include "server/push.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "proto/msg.h"
#include "server/config.h"
#include "server/endpoint.h"

_Static_assert((int)OPTIONS_MAX_NETWORKS <= (int)MSG_MAX_ROUTES &&
	       (int)OPTIONS_MAX_IPV4S <= (int)MSG_MAX_DNS,
	       "what can be set can be sent");

enum { KEEPALIVES_PER_TIMEOUT = 4 };

/* [p] under lock, which is a leaf */
struct push {
	pthread_mutex_t lock;
	uint32_t version;		/* [p] never 0 */
	struct msg_options options;	/* [p] */
};

uint16_t push_keepalive_s(uint32_t idle_timeout_s)
{
	uint32_t s = idle_timeout_s / KEEPALIVES_PER_TIMEOUT;

	return (uint16_t)(s < 1 ? 1 : s > PUSH_KEEPALIVE_S ?
			  PUSH_KEEPALIVE_S : s);
}

static void options_of(const struct server_config *config,
		       struct msg_options *options)
{
	const struct option_networks *routes = &config->push_routes;
	const struct option_ipv4s *dns = &config->push_dns;
	unsigned int i;

	memset(options, 0, sizeof(*options));
	options->has_idle_timeout = true;
	options->idle_timeout_s = (uint16_t)config->idle_timeout_s;
	options->has_keepalive = true;
	options->keepalive_s = push_keepalive_s(config->idle_timeout_s);
	for (i = 0; i < routes->n; i++) {
		options->routes[i].network = routes->network[i].address;
		options->routes[i].prefix_len = routes->network[i].prefix_len;
	}
	options->n_routes = routes->n;
	for (i = 0; i < dns->n; i++)
		options->dns[i] = dns->address[i];
	options->n_dns = dns->n;
	memcpy(options->search, config->push_search,
	       strnlen(config->push_search, sizeof(options->search) - 1));
}

/* Of what options_of() fills in; the keepalive follows from the timeout. */
static bool is_same(const struct msg_options *a, const struct msg_options *b)
{
	unsigned int i;

	if (a->idle_timeout_s != b->idle_timeout_s ||
	    a->n_routes != b->n_routes || a->n_dns != b->n_dns ||
	    memcmp(a->dns, b->dns, sizeof(a->dns)) != 0 ||
	    strcmp(a->search, b->search) != 0)
		return false;
	for (i = 0; i < a->n_routes; i++)
		if (a->routes[i].network != b->routes[i].network ||
		    a->routes[i].prefix_len != b->routes[i].prefix_len)
			return false;
	return true;
}

struct push *push_new(const struct server_config *config)
{
	struct push *push = calloc(1, sizeof(*push));

	if (!push)
		return NULL;
	pthread_mutex_init(&push->lock, NULL);
	push->version = 1;
	options_of(config, &push->options);
	return push;
}

void push_free(struct push *push)
{
	if (!push)
		return;
	pthread_mutex_destroy(&push->lock);
	free(push);
}

bool push_set(struct push *push, const struct server_config *config)
{
	struct msg_options options;
	bool changed;

	options_of(config, &options);
	pthread_mutex_lock(&push->lock);
	changed = !is_same(&options, &push->options);
	if (changed) {
		push->options = options;
		if (++push->version == 0)
			push->version = 1;
	}
	pthread_mutex_unlock(&push->lock);
	return changed;
}

uint32_t push_fill(struct push *push, struct msg_options *options)
{
	uint32_t version;

	pthread_mutex_lock(&push->lock);
	options->has_idle_timeout = true;
	options->idle_timeout_s = push->options.idle_timeout_s;
	options->has_keepalive = true;
	options->keepalive_s = push->options.keepalive_s;
	options->n_routes = push->options.n_routes;
	memcpy(options->routes, push->options.routes, sizeof(options->routes));
	options->n_dns = push->options.n_dns;
	memcpy(options->dns, push->options.dns, sizeof(options->dns));
	memcpy(options->search, push->options.search, sizeof(options->search));
	version = push->version;
	pthread_mutex_unlock(&push->lock);
	return version;
}

bool push_tell(struct endpoint *endpoint, const struct msg_options *options)
{
	uint8_t request[FRAME_CONTROL_LEN], out[FRAME_MAX_REPLY];
	uint16_t flags = atomic_load(&endpoint->flags);
	size_t len;

	if (!(flags & MSG_FLAG_OPTIONS) ||
	    atomic_load(&endpoint->address) == 0)
		return false;
	msg_write_request(request, 0, flags);
	len = msg_write_capable_reply(out, sizeof(out), request, 0, flags,
				      options);
	return egress_control(&endpoint->egress, out, len, false);
}

/* What was told before and is not any more, the client is to forget. */
static bool tell_all(struct push *push, struct endpoint *endpoint,
		     uint32_t *version)
{
	struct msg_options options = { 0 };

	*version = push_fill(push, &options);
	options.no_routes = options.n_routes == 0;
	options.no_dns = options.n_dns == 0;
	options.no_search = options.search[0] == '\0';
	return push_tell(endpoint, &options);
}

static uint32_t newest(struct push *push)
{
	uint32_t version;

	pthread_mutex_lock(&push->lock);
	version = push->version;
	pthread_mutex_unlock(&push->lock);
	return version;
}

void push_follow(struct push *push, struct endpoint *endpoint,
		 uint32_t version)
{
	while (version != newest(push))
		if (!tell_all(push, endpoint, &version)) {
			atomic_store(&endpoint->push_owed, true);
			return;
		}
}

void push_catch_up(struct push *push, struct endpoint *endpoint)
{
	if (!atomic_load_explicit(&endpoint->push_owed, memory_order_relaxed))
		return;
	atomic_store(&endpoint->push_owed, false);
	push_follow(push, endpoint, 0);
}
