/* SPDX-License-Identifier: MIT */
/*
 * One client: its connection, its thread and its address.
 *
 * Theory of operation: the thread blocks in recv() with a timeout, which is
 * the next of its deadlines; there is no other timer.  What it reads lies in
 * one large buffer and is forwarded from there.  An idle client costs its
 * stack, this struct and the one page of the buffer that keepalives touch:
 * pages that a burst has touched go back to the kernel after a second of
 * silence.  To end it from outside, client_shut() shuts the socket down, which
 * wakes recv().
 */
#include "server/client.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/sockios.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/sock.h"
#include "proto/frame.h"
#include "proto/msg.h"
#include "server/admission.h"
#include "server/config.h"
#include "server/forward.h"
#include "server/join.h"
#include "server/push.h"
#include "server/registry.h"
#include "server/server.h"

enum {
	BUFFER_SIZE = 192 * 1024,	/* three quarters of a client queue */
	QUIET_PAGE = 4096,	/* of the buffer, kept by idle clients */
	JOIN_DEADLINE_MS = 10000,
	SETTLE_MS = 100,
	SHRINK_MS = 1000,
	FLUSH_READS = 64,	/* what a client may still be sending */
	LINGER_MS = 1000,	/* for a refused client to read why */
	NOTSENT_LOWAT = 128 * 1024,
	USER_TIMEOUT_MS = 15000,
	ECHO_BURST = 20,
	ECHO_INTERVAL_MS = 100,	/* a token */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	STACK_SIZE = 1024 * 1024,
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
	STACK_SIZE = 1024 * 1024,
#else
	STACK_SIZE = 64 * 1024,
#endif
#else
	STACK_SIZE = 64 * 1024,
#endif
};

/* [I] immutable, [a] atomic, [r] the client's own thread, [L] registry lock */
struct client {
	struct endpoint endpoint;
	const struct server *server;	/* [I] */
	int fd;				/* [I] */
	struct admission_source *source;	/* [I] */
	char peer[SOCK_TEXT_LEN];	/* [I] */
	uint64_t accepted_ms;		/* [I] */
	pthread_t thread;		/* [I] */
	_Atomic int close_reason;	/* [a] enum close_reason */
	struct client_link link;	/* [L] */
	struct frame_rules rules;	/* [r] and so all below */
	struct forward forward;
	uint8_t *buffer;
	size_t have;			/* bytes in it not yet consumed */
	bool settling;
	bool swollen;			/* more than QUIET_PAGE was touched */
	uint64_t settled_ms;
	uint64_t echo_refill_ms;
	uint32_t echo_tokens;
	uint32_t timeout_ms;		/* that SO_RCVTIMEO has; 0: none yet */
};

void client_shut(struct client *c, enum close_reason reason)
{
	int none = CLOSE_NONE;

	atomic_compare_exchange_strong(&c->close_reason, &none, (int)reason);
	shutdown(c->fd, SHUT_RDWR);
}

static struct client *client_of(struct endpoint *e)
{
	return (struct client *)((char *)e - offsetof(struct client, endpoint));
}

void client_end(struct client *c)
{
	int none = CLOSE_NONE;

	atomic_compare_exchange_strong(&c->close_reason, &none,
				       CLOSE_SHUTDOWN);
	egress_end(&c->endpoint.egress);
	shutdown(c->fd, SHUT_RD);
}

static void shut_endpoint(struct endpoint *e, enum close_reason reason)
{
	client_shut(client_of(e), reason);
}

static uint32_t client_address(const struct client *c)
{
	return atomic_load_explicit(&c->endpoint.address,
				    memory_order_relaxed);
}

static uint64_t heard_ms(const struct client *c)
{
	return atomic_load_explicit(&c->endpoint.heard_ms,
				    memory_order_relaxed);
}

/* Have recv() return after this long without data. */
static void set_timeout(struct client *c, uint64_t ms)
{
	struct timeval tv;

	if (ms < 1)
		ms = 1;
	if (ms == c->timeout_ms)
		return;
	c->timeout_ms = (uint32_t)ms;
	tv.tv_sec = (time_t)(ms / 1000);
	tv.tv_usec = (suseconds_t)(ms % 1000 * 1000);
	setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
}

/* Data may follow the reply now. */
static void settle(struct client *c)
{
	c->settling = false;
	egress_release(&c->endpoint.egress);
}

/* Give back to the kernel what a burst has touched. */
static void shrink(struct client *c)
{
	size_t keep = (c->have + QUIET_PAGE) & ~(size_t)(QUIET_PAGE - 1);

	forward_idle(&c->forward);
	madvise(c->buffer + keep, BUFFER_SIZE - keep + forward_batch_size(),
		MADV_DONTNEED);
	c->swollen = false;
}

/* The next deadline, as the timeout of recv(). */
static void set_next_timeout(struct client *c, uint64_t now_ms)
{
	uint64_t idle_ms = c->server->live.idle_timeout_s * 1000ULL;
	uint64_t since_ms;

	if (!c->rules.joined) {
		since_ms = now_ms - c->accepted_ms;
		set_timeout(c, since_ms < JOIN_DEADLINE_MS ?
			    JOIN_DEADLINE_MS - since_ms : 1);
	} else if (c->settling) {
		set_timeout(c, SETTLE_MS);
	} else if (c->swollen) {
		set_timeout(c, SHRINK_MS < idle_ms ? SHRINK_MS : idle_ms);
	} else {
		since_ms = now_ms - heard_ms(c);
		set_timeout(c, since_ms < idle_ms ? idle_ms - since_ms : 1);
	}
}

/* Nothing came for as long as was set.  CLOSE_NONE: wait on. */
static enum close_reason timed_out(struct client *c, uint64_t now_ms)
{
	uint64_t idle_ms = c->server->live.idle_timeout_s * 1000ULL;
	int unsent = 0;

	if (!c->rules.joined)
		return now_ms - c->accepted_ms >= JOIN_DEADLINE_MS ?
			CLOSE_NOT_JOINED : CLOSE_NONE;
	if (now_ms - heard_ms(c) >= idle_ms)
		return CLOSE_IDLE;
	if (c->settling && now_ms - c->settled_ms >= SETTLE_MS &&
	    ioctl(c->fd, SIOCOUTQ, &unsent) == 0 && unsent == 0)
		settle(c);
	else if (!c->settling && c->swollen)
		shrink(c);
	return CLOSE_NONE;
}

/* The keepalive's own bytes go back, unaltered. */
static void echo(struct client *c, const uint8_t *message, uint64_t now_ms)
{
	uint64_t earned = (now_ms - c->echo_refill_ms) / ECHO_INTERVAL_MS;

	if (!c->rules.joined) {
		forward_count_drop(&c->forward, DROP_NOT_JOINED);
		return;
	}
	if (earned > 0) {
		c->echo_refill_ms = now_ms;
		c->echo_tokens = earned >= ECHO_BURST - c->echo_tokens ?
			ECHO_BURST : c->echo_tokens + (uint32_t)earned;
	}
	if (c->echo_tokens == 0 ||
	    !egress_control(&c->endpoint.egress, message, FRAME_CONTROL_LEN,
			    false)) {
		forward_count_drop(&c->forward, DROP_ECHO_LIMIT);
		return;
	}
	c->echo_tokens--;
}

static void log_join(const struct client *c, const struct join *join)
{
	const struct log_field fields[] = {
		{ "address", join->text, 0 },
		{ "peer", c->peer, 0 },
		{ "protocol", join->capable ? "extended" : "base", 0 },
	};

	log_event(LOG_LEVEL_INFO, "join", fields,
		  sizeof(fields) / sizeof(fields[0]), "%s joined from %s%s",
		  join->text, c->peer,
		  join->capable ? "" : ", base protocol");
}

/* Answer a request.  False: the client is refused. */
static bool answer_request(struct client *c, const uint8_t *message,
			   uint64_t now_ms)
{
	static struct log_limit moves, refusals;
	bool first = !c->rules.joined;
	struct join join;

	forward_flush(&c->forward);	/* its packets had the old address */
	if (!join_answer(&join, c->server, &c->endpoint, message)) {
		log_limited(&refusals, LOG_LEVEL_INFO, "%s refused: %s",
			    c->peer, join.reason);
		return false;
	}
	if (!first) {
		if (join.moved)
			log_limited(&moves, LOG_LEVEL_INFO, "%s has %s now",
				    c->peer, join.text);
		return true;
	}
	admission_joined(c->server->admission, c->source);
	registry_joined(c->server->registry, c);
	c->rules.joined = true;
	c->rules.segments = (join.flags & MSG_FLAG_SEGMENTS) != 0;
	c->rules.max_packet = FRAME_MAX_PACKET;
	c->settling = join.held;
	c->settled_ms = now_ms;
	log_join(c, &join);
	return true;
}

static void forward_frame(struct client *c, uint8_t *message,
			  const struct frame *frame)
{
	struct packet packet = {
		.data = message + frame->packet_offset,
		.len = frame->len - frame->packet_offset,
		.segment_size = frame->segment_size,
		.checksum_partial = frame->checksum_partial,
	};

	if (!c->rules.joined)
		forward_count_drop(&c->forward, DROP_NOT_JOINED);
	else
		forward_packet(&c->forward, &packet);
}

/* Take all whole messages out of the buffer.  CLOSE_NONE: go on. */
static enum close_reason consume(struct client *c, uint64_t now_ms)
{
	static struct log_limit limit;
	uint8_t *next = c->buffer;
	size_t left = c->have;
	struct frame frame;

	while (frame_next(&c->rules, next, left, &frame) != FRAME_MORE) {
		switch (frame.kind) {
		case FRAME_IPV4:
			forward_frame(c, next, &frame);
			break;
		case FRAME_KEEPALIVE:
			echo(c, next, now_ms);
			break;
		case FRAME_REQUEST:
			if (!answer_request(c, next, now_ms))
				return CLOSE_REFUSED;
			break;
		case FRAME_IPV6:
			forward_count_drop(&c->forward, DROP_IPV6);
			break;
		default:
			forward_flush(&c->forward);
			log_limited(&limit, LOG_LEVEL_INFO,
				    "%s sent what is not a message: %s",
				    c->peer, frame_error_name(frame.error));
			return CLOSE_PROTOCOL;
		}
		next += frame.len;
		left -= frame.len;
	}
	forward_flush(&c->forward);
	memmove(c->buffer, next, left);
	c->have = left;
	return CLOSE_NONE;
}

/* Receive and forward until there is a reason to end. */
static enum close_reason serve(struct client *c)
{
	enum close_reason reason = CLOSE_NONE;
	uint64_t now_ms = c->accepted_ms;
	ssize_t n;

	while (reason == CLOSE_NONE && c->close_reason == CLOSE_NONE) {
		set_next_timeout(c, now_ms);
		n = recv(c->fd, c->buffer + c->have, BUFFER_SIZE - c->have, 0);
		now_ms = clock_now_ms();
		if (n > 0) {
			atomic_store_explicit(&c->endpoint.heard_ms, now_ms,
					      memory_order_relaxed);
			c->have += (size_t)n;
			if (c->settling)
				settle(c);
			if (c->have > FRAME_CONTROL_LEN)
				c->swollen = true;
			reason = consume(c, now_ms);
			push_catch_up(c->server->push, &c->endpoint);
			if (reason == CLOSE_NONE && !c->rules.joined &&
			    now_ms - c->accepted_ms >= JOIN_DEADLINE_MS)
				reason = CLOSE_NOT_JOINED;
		} else if (n == 0) {
			reason = CLOSE_BY_PEER;
		} else if (errno == EAGAIN) {
			reason = timed_out(c, now_ms);
		} else if (errno != EINTR) {
			reason = CLOSE_CONNECTION_LOST;
		}
	}
	return reason;
}

/* Let a refused client read the reason before the end of the stream. */
static void linger(struct client *c)
{
	uint64_t end_ms = clock_now_ms() + LINGER_MS, now_ms;

	shutdown(c->fd, SHUT_WR);
	while ((now_ms = clock_now_ms()) < end_ms) {
		set_timeout(c, end_ms - now_ms);
		if (recv(c->fd, c->buffer, BUFFER_SIZE, 0) <= 0)
			break;
	}
}

/* The server ends: let the client have what waits for it. */
static void flush(struct client *c)
{
	uint64_t timeout_ms = c->server->live.flush_timeout_s * 1000ULL;
	int i;

	egress_flush(&c->endpoint.egress, clock_now_ms() + timeout_ms);
	/* Unread bytes would turn the close into a reset, and that would take
	 * from the peer what it has not read yet (RFC 2525, 2.17). */
	for (i = 0; i < FLUSH_READS; i++)
		if (recv(c->fd, c->buffer, BUFFER_SIZE, MSG_DONTWAIT) <= 0)
			break;
}

static void log_leave(const struct client *c, enum close_reason reason,
		      uint32_t address)
{
	static struct log_limit limit;
	uint64_t duration_s = (clock_now_ms() - c->accepted_ms) / 1000;
	uint64_t received = counter_get(&c->endpoint.stats.rx_bytes);
	uint64_t sent = counter_get(&c->endpoint.stats.tx_bytes);
	char text[JOIN_TEXT_LEN];
	const struct log_field fields[] = {
		{ "address", text, 0 },
		{ "peer", c->peer, 0 },
		{ "reason", close_reason_text(reason), 0 },
		{ "duration_s", NULL, duration_s },
		{ "received_bytes", NULL, received },
		{ "sent_bytes", NULL, sent },
	};

	if (address == 0) {
		log_limited(&limit, LOG_LEVEL_INFO,
			    "%s closed without an address: %s", c->peer,
			    close_reason_text(reason));
		return;
	}
	join_address_text(address, text);
	log_event(LOG_LEVEL_INFO, "leave", fields,
		  sizeof(fields) / sizeof(fields[0]),
		  "%s left, %s: %s, after %" PRIu64 " s, received %" PRIu64
		  " bytes, sent %" PRIu64, text, c->peer,
		  close_reason_text(reason), duration_s, received, sent);
}

static void leave_admission(const struct client *c, enum close_reason reason)
{
	admission_left(c->server->admission, c->source, c->rules.joined,
		       reason == CLOSE_NOT_JOINED || reason == CLOSE_PROTOCOL,
		       clock_now_ms());
}

static void *client_main(void *arg)
{
	struct client *c = arg;
	enum close_reason reason = serve(c);
	uint32_t address = client_address(c);

	if (c->close_reason == CLOSE_SHUTDOWN)
		flush(c);
	join_leave(c->server, &c->endpoint);
	if (reason == CLOSE_REFUSED)
		linger(c);
	client_shut(c, reason);
	log_leave(c, (enum close_reason)c->close_reason, address);
	forward_idle(&c->forward);
	leave_admission(c, reason);
	registry_finish(c->server->registry, c, c->rules.joined,
			(enum close_reason)c->close_reason);
	return NULL;
}

static void free_client(struct endpoint *e)
{
	struct client *c = client_of(e);

	egress_fini(&e->egress);
	close(c->fd);
	munmap(c->buffer, BUFFER_SIZE + forward_batch_size());
	free(c);
}

static struct client *new_client(const struct server *server, int fd,
				 const struct sockaddr_storage *peer)
{
	size_t size = BUFFER_SIZE + forward_batch_size();
	struct client *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->buffer = mmap(NULL, size, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (c->buffer == MAP_FAILED) {
		free(c);
		return NULL;
	}
	c->server = server;
	c->fd = fd;
	sock_text(peer, c->peer);
	c->accepted_ms = clock_now_ms();
	c->echo_tokens = ECHO_BURST;
	c->rules.max_packet = JOIN_BASE_MTU;
	c->endpoint.references = 1;
	c->endpoint.release = free_client;
	c->endpoint.shut = shut_endpoint;
	c->endpoint.heard_ms = c->accepted_ms;
	sock_ipv6(peer, c->endpoint.peer);
	c->endpoint.mtu = JOIN_BASE_MTU;
	egress_init(&c->endpoint.egress, &c->endpoint, server->drain,
		    &server->limits, fd);
	forward_init(&c->forward, server, &c->endpoint,
		     c->buffer + BUFFER_SIZE);
	return c;
}

static int start_thread(struct client *c)
{
	pthread_attr_t attributes;
	int error = pthread_attr_init(&attributes);

	if (error)
		return -error;
	pthread_attr_setstacksize(&attributes, STACK_SIZE);
	error = pthread_create(&c->thread, &attributes, client_main, c);
	pthread_attr_destroy(&attributes);
	return -error;
}

int client_start(const struct server *server, int fd,
		 const struct sockaddr_storage *peer,
		 struct admission_source *source)
{
	struct client *c = new_client(server, fd, peer);
	int error;

	if (!c) {
		admission_left(server->admission, source, false, false,
			       clock_now_ms());
		close(fd);
		return -ENOMEM;
	}
	c->source = source;
	sock_tune(fd, NOTSENT_LOWAT, USER_TIMEOUT_MS);
	registry_add(server->registry, c);
	error = start_thread(c);
	if (error) {
		registry_remove(server->registry, c);
		leave_admission(c, CLOSE_NONE);
		client_put(c);
	}
	return error;
}

void client_join(struct client *c)
{
	pthread_join(c->thread, NULL);
}

void client_put(struct client *c)
{
	endpoint_put(&c->endpoint);
}

struct endpoint *client_endpoint(struct client *c)
{
	return &c->endpoint;
}

const char *client_peer(const struct client *c)
{
	return c->peer;
}

uint64_t client_accepted_ms(const struct client *c)
{
	return c->accepted_ms;
}

static void announce_push(struct client *c, void *arg)
{
	(void)arg;
	if (client_address(c) != 0 && c->endpoint.flags != 0)
		push_follow(c->server->push, &c->endpoint, 0);
}

void client_announce_push(const struct server *server)
{
	registry_visit(server->registry, announce_push, NULL);
}

struct client_link *client_link(struct client *c)
{
	return &c->link;
}

const struct stats *client_stats(const struct client *c)
{
	return &c->endpoint.stats;
}

void client_log(const struct client *c)
{
	uint32_t address = client_address(c);
	char text[JOIN_TEXT_LEN], label[JOIN_TEXT_LEN + SOCK_TEXT_LEN + 16];

	if (address == 0)
		return;
	join_address_text(address, text);
	snprintf(label, sizeof(label), "client %s %s", text, c->peer);
	stats_log(label, &c->endpoint.stats);
}
