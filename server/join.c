/* SPDX-License-Identifier: MIT */
/*
 * The address exchange.
 *
 * Theory of operation: the order is what makes it safe.  Taking: the pool
 * first, so that two requests can never both win; then the reply; then the
 * route table, so that no data can go out before the reply.  Leaving: the
 * route table first, so that nobody finds the endpoint any more; then the
 * egress; the pool last, so that the address has no second holder while
 * anything of the first is left.
 */
#include "server/join.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "common/clock.h"
#include "proto/msg.h"
#include "server/addrpool.h"
#include "server/config.h"
#include "server/endpoint.h"
#include "server/push.h"
#include "server/route.h"
#include "server/server.h"

enum {
	GRANTED_FLAGS = MSG_FLAG_OPTIONS | MSG_FLAG_SEGMENTS,
	PROBE_SLACK_S = 5,
	TAKE_OVER_MS = 2000,	/* for the old holder to leave */
	SETTLE_MS = 100,
};

void join_address_text(uint32_t address, char text[JOIN_TEXT_LEN])
{
	snprintf(text, JOIN_TEXT_LEN, "%u.%u.%u.%u", address >> 24,
		 address >> 16 & 0xff, address >> 8 & 0xff, address & 0xff);
}

static enum msg_error error_of(enum addrpool_result result)
{
	switch (result) {
	case ADDRPOOL_OK:
		return MSG_ERROR_NONE;
	case ADDRPOOL_TAKEN:
		return MSG_ERROR_ADDRESS_TAKEN;
	case ADDRPOOL_NOT_ALLOWED:
		return MSG_ERROR_ADDRESS_NOT_ALLOWED;
	case ADDRPOOL_EMPTY:
		return MSG_ERROR_POOL_EMPTY;
	case ADDRPOOL_FULL:
		break;
	}
	return MSG_ERROR_SERVER_FULL;
}

/* Its connection is closed already; its thread has yet to notice. */
static bool is_leaving(const struct endpoint *holder)
{
	struct tcp_info info;
	socklen_t len = sizeof(info);

	return getsockopt(holder->egress.fd, IPPROTO_TCP, TCP_INFO, &info,
			  &len) == 0 && info.tcpi_state != TCP_ESTABLISHED;
}

/* Longer than a live client is silent, as it was told now. */
static uint32_t probe_ms(const struct server *server, bool capable)
{
	uint32_t keepalive_s = capable ?
		push_keepalive_s(server->live.idle_timeout_s) :
		PUSH_KEEPALIVE_S;

	return (PROBE_SLACK_S + keepalive_s) * 1000;
}

/*
 * Silent for longer than a live client ever is, and its own host asks.  What it
 * was told at first may have changed with a reload, or not have reached it yet.
 */
static bool is_dead(const struct server *server, const struct endpoint *holder,
		    const struct endpoint *asking)
{
	uint64_t silent_ms = probe_ms(server, holder->flags != 0);

	if (silent_ms < holder->probe_ms)
		silent_ms = holder->probe_ms;
	return memcmp(holder->peer, asking->peer, sizeof(holder->peer)) == 0 &&
	       clock_now_ms() > holder->heard_ms + silent_ms;
}

/*
 * Whether the holder of the address makes way for the client that asks.  It
 * leaves by itself; the address is free when it has.
 */
static bool take_over(const struct server *server,
		      const struct endpoint *asking, uint32_t address)
{
	struct endpoint *holder = route_get(server->routes, address);
	bool leaves;

	if (!holder)	/* not listed yet, or on its last instructions */
		return addrpool_wait(server->pool, address, SETTLE_MS);
	leaves = is_leaving(holder);
	if (!leaves && is_dead(server, holder, asking)) {
		holder->shut(holder, CLOSE_TAKEN_OVER);
		leaves = true;
	}
	endpoint_put(holder);
	return leaves && addrpool_wait(server->pool, address, TAKE_OVER_MS);
}

static enum addrpool_result take(const struct server *server,
				 const struct endpoint *endpoint,
				 uint32_t held, uint32_t wanted)
{
	enum addrpool_result (*pool_take)(struct addrpool *, uint32_t) =
		held != 0 ? addrpool_take_instead : addrpool_take;
	enum addrpool_result result = pool_take(server->pool, wanted);

	if (result == ADDRPOOL_TAKEN && take_over(server, endpoint, wanted))
		result = pool_take(server->pool, wanted);
	return result;
}

/* The address that the request gets: the one held, or one from the pool. */
static enum msg_error choose(const struct server *server,
			     const struct endpoint *endpoint, uint32_t held,
			     uint32_t wanted, uint32_t *address)
{
	*address = wanted;
	if (held != 0 && (wanted == 0 || wanted == held)) {
		*address = held;
		return MSG_ERROR_NONE;
	}
	if (wanted != 0)
		return error_of(take(server, endpoint, held, wanted));
	return error_of(addrpool_take_any(server->pool, address));
}

/* Returns the version of what is pushed. */
static uint32_t fill_options(const struct server *server, enum msg_error error,
			     struct msg_options *options)
{
	const struct server_config *config = server->config;

	memset(options, 0, sizeof(*options));
	if (error != MSG_ERROR_NONE) {
		options->has_error = true;
		options->error = (uint16_t)error;
		snprintf(options->error_text, sizeof(options->error_text),
			 "%s", msg_error_text((uint16_t)error));
		return 0;
	}
	options->has_prefix_len = true;
	options->prefix_len = config->network.prefix_len;
	options->has_server = true;
	options->server = server->address;
	options->has_mtu = true;
	options->mtu = (uint16_t)config->mtu;
	return push_fill(server->push, options);
}

/* False: the client does not read, or there is no memory. */
static bool reply(struct join *join, const struct server *server,
		  struct endpoint *endpoint, const uint8_t *message,
		  uint32_t address, enum msg_error error)
{
	uint8_t out[FRAME_MAX_REPLY];
	struct msg_options options;
	size_t len = FRAME_CONTROL_LEN;

	if (join->capable) {
		join->pushed = fill_options(server, error, &options);
		len = msg_write_capable_reply(out, sizeof(out), message,
					      address, join->flags, &options);
	} else {
		msg_write_reply(out, message, address);
	}
	return egress_control(&endpoint->egress, out, len, true);
}

/* From the address held before, if any, to the new one. */
static void move(const struct server *server, struct endpoint *endpoint,
		 uint32_t address)
{
	uint32_t old = atomic_load_explicit(&endpoint->address,
					    memory_order_relaxed);

	route_add(server->routes, address, endpoint);
	atomic_store_explicit(&endpoint->address, address,
			      memory_order_relaxed);
	if (old == 0)
		return;
	route_remove(server->routes, old, endpoint);
	addrpool_release(server->pool, old);
}

static void set_abilities(const struct server *server,
			  struct endpoint *endpoint,
			  const struct msg_request *request, uint16_t flags)
{
	uint32_t mtu = request->capable ? server->config->mtu : JOIN_BASE_MTU;

	atomic_store_explicit(&endpoint->mtu, mtu, memory_order_relaxed);
	atomic_store_explicit(&endpoint->probe_ms,
			      probe_ms(server, request->capable),
			      memory_order_relaxed);
	atomic_store_explicit(&endpoint->flags, request->capable ? flags : 0,
			      memory_order_relaxed);
	atomic_store_explicit(&endpoint->takes_segments,
			      (flags & MSG_FLAG_SEGMENTS) != 0,
			      memory_order_relaxed);
}

/*
 * The first exchange decides what the connection carries: packets may be on
 * their way when a later request comes.
 */
static uint16_t flags_for(const struct endpoint *endpoint, uint32_t held,
			  const struct msg_request *request)
{
	if (held == 0)
		return request->flags & GRANTED_FLAGS;
	return MSG_FLAG_OPTIONS |
	       (endpoint->takes_segments ? MSG_FLAG_SEGMENTS : 0);
}

bool join_answer(struct join *join, const struct server *server,
		 struct endpoint *endpoint,
		 const uint8_t message[FRAME_CONTROL_LEN])
{
	uint32_t held = atomic_load_explicit(&endpoint->address,
					     memory_order_relaxed);
	struct msg_request request;
	enum msg_error error;
	uint32_t address;

	memset(join, 0, sizeof(*join));
	msg_read_request(message, &request);
	join->capable = request.capable;
	join->flags = flags_for(endpoint, held, &request);
	error = choose(server, endpoint, held, request.wanted, &address);
	if (error != MSG_ERROR_NONE) {
		join->reason = msg_error_text((uint16_t)error);
		if (request.capable)
			reply(join, server, endpoint, message, 0, error);
		return false;
	}
	join->moved = address != held;
	join->held = held == 0 && !request.capable;
	join_address_text(address, join->text);
	if (join->held)
		egress_hold(&endpoint->egress);
	if (held == 0)
		set_abilities(server, endpoint, &request, join->flags);
	if (!reply(join, server, endpoint, message, address,
		   MSG_ERROR_NONE)) {
		if (join->moved)
			addrpool_release(server->pool, address);
		join->reason = "its reply could not be sent";
		return false;
	}
	if (join->moved)
		move(server, endpoint, address);
	if (request.capable)
		push_follow(server->push, endpoint, join->pushed);
	return true;
}

bool join_send_away(struct endpoint *endpoint, uint32_t retry_ms)
{
	struct msg_options options = {
		.has_error = true,
		.error = MSG_ERROR_RESTARTING,
		.has_retry = true,
		.retry_ms = retry_ms,
	};

	snprintf(options.error_text, sizeof(options.error_text), "%s",
		 msg_error_text(MSG_ERROR_RESTARTING));
	return push_tell(endpoint, &options);
}

void join_leave(const struct server *server, struct endpoint *endpoint)
{
	uint32_t address = atomic_load_explicit(&endpoint->address,
						memory_order_relaxed);

	if (address != 0)
		route_remove(server->routes, address, endpoint);
	egress_shut(&endpoint->egress);
	if (address != 0)
		addrpool_release(server->pool, address);
	atomic_store_explicit(&endpoint->address, 0, memory_order_relaxed);
}
