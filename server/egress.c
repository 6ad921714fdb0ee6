/* SPDX-License-Identifier: MIT */
/* The way out to one client; egress.h has the theory of operation. */
#include "server/egress.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/clock.h"
#include "common/flowq.h"
#include "proto/frame.h"
#include "proto/ippkt.h"
#include "server/drain.h"
#include "server/endpoint.h"

enum {
	DRAIN_IOV = 256,
	DRAIN_BYTES = 128 * 1024,	/* of one send */
	DRAIN_ROUNDS = 4,		/* sends before the next one's turn */
	QUEUE_LINGER_MS = 1000,		/* an empty queue is kept this long */
};

void egress_init(struct egress *e, struct endpoint *owner, struct drain *drain,
		 const struct egress_limits *limits, int fd)
{
	memset(e, 0, sizeof(*e));
	pthread_mutex_init(&e->lock, NULL);
	pthread_cond_init(&e->changed, NULL);
	e->owner = owner;
	e->drain = drain;
	e->limits = limits;
	e->fd = fd;
}

void egress_fini(struct egress *e)
{
	flowq_free(e->queue);
	free(e->control);
	pthread_cond_destroy(&e->changed);
	pthread_mutex_destroy(&e->lock);
}

static void count_drop(struct egress *e, enum drop_reason reason, uint64_t n)
{
	counter_add(&e->owner->stats.drops[reason], n);
}

static void count_sent(struct egress *e, uint64_t packets, uint64_t bytes)
{
	counter_add(&e->owner->stats.tx_packets, packets);
	counter_add(&e->owner->stats.tx_bytes, bytes);
}

static bool queue_is_empty(const struct egress *e)
{
	return !e->queue || flowq_empty(e->queue);
}

static bool congested(const struct egress *e)
{
	return e->armed || e->held || !queue_is_empty(e);
}

static void announce_locked(struct egress *e)
{
	if (e->n_waiting > 0)
		pthread_cond_broadcast(&e->changed);
}

/* The stream cannot go on: wake the client's thread, which closes. */
static void break_locked(struct egress *e)
{
	e->closed = true;
	announce_locked(e);
	shutdown(e->fd, SHUT_RDWR);
}

/* Bytes taken by the socket; 0: none now; -1: the connection is broken. */
static ssize_t send_some(const struct egress *e, const struct iovec *iov,
			 int n)
{
	struct msghdr message = {
		.msg_iov = (struct iovec *)iov,
		.msg_iovlen = (size_t)n,
	};
	ssize_t sent = sendmsg(e->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (sent >= 0)
		return sent;
	return errno == EAGAIN || errno == EINTR || errno == ENOBUFS ||
	       errno == ENOMEM ? 0 : -1;
}

/* Have the drain send on when the socket can take more. */
static void arm_locked(struct egress *e)
{
	if (e->armed || e->closed)
		return;
	e->progress_ms = clock_now_ms();
	if (!e->watched && !drain_watch(e->drain, e)) {
		break_locked(e);
		return;
	}
	e->watched = true;
	e->armed = true;
	drain_arm(e->drain, e);
}

static bool make_queue_locked(struct egress *e)
{
	if (e->queue)
		return true;
	e->queue = flowq_new(e->limits->queue_bytes, e->limits->queue_packets,
			     drain_charge, e->drain);
	memset(&e->counted, 0, sizeof(e->counted));
	return e->queue != NULL;
}

/* Move what the queue has dropped since to the owner's counters. */
static void count_queue_drops_locked(struct egress *e)
{
	const struct flowq_drops *drops = flowq_drops(e->queue);

	count_drop(e, DROP_QUEUE_FULL, drops->full - e->counted.full);
	count_drop(e, DROP_QUEUE_STALE, drops->stale - e->counted.stale);
	count_drop(e, DROP_NO_MEMORY, drops->no_memory - e->counted.no_memory);
	e->counted = *drops;
}

/* Queue the whole messages in data[0..len); returns how many they are. */
static uint32_t queue_messages_locked(struct egress *e, const uint8_t *data,
				      size_t len, uint64_t now_ns)
{
	uint32_t ip_offset, message, n = 0;

	for (; len > 0; data += message, len -= message, n++) {
		message = frame_message_len(data, &ip_offset);
		flowq_push(e->queue, data, message, ip_offset, now_ns);
	}
	return n;
}

/*
 * The first sent bytes of data[0..len), whole messages, are gone: the rest of
 * the message that the cut went through stands first, then the others queue.
 * Returns how many are not finished, or -1 if the rest could not be kept.
 */
static int64_t queue_cut_locked(struct egress *e, const uint8_t *data,
				size_t len, size_t sent, uint64_t now_ns)
{
	size_t offset = 0;
	uint32_t ip_offset;

	while (offset < sent)
		offset += frame_message_len(data + offset, &ip_offset);
	if (offset == sent)
		return queue_messages_locked(e, data + offset, len - offset,
					     now_ns);
	if (!flowq_push_started(e->queue, data + sent,
				(uint32_t)(offset - sent)))
		return -1;
	return 1 + (int64_t)queue_messages_locked(e, data + offset,
						  len - offset, now_ns);
}

/* Queue all but the first sent bytes of iov, and count both parts. */
static void queue_rest_locked(struct egress *e, const struct iovec *iov, int n,
			      uint32_t packets, size_t sent)
{
	uint64_t now_ns = clock_now_ns();
	uint32_t n_queued = 0;
	size_t skip = sent;
	int64_t queued;
	int i;

	if (drain_queue_memory(e->drain) > e->limits->memory && sent == 0) {
		count_drop(e, DROP_MEMORY_LIMIT, packets);
		return;
	}
	if (!make_queue_locked(e)) {
		count_drop(e, DROP_NO_MEMORY, packets);
		if (sent > 0)
			break_locked(e);
		return;
	}
	for (i = 0; i < n; i++) {
		if (skip >= iov[i].iov_len) {
			skip -= iov[i].iov_len;
			continue;
		}
		queued = queue_cut_locked(e, iov[i].iov_base, iov[i].iov_len,
					  skip, now_ns);
		if (queued < 0) {
			break_locked(e);
			return;
		}
		n_queued += (uint32_t)queued;
		skip = 0;
	}
	count_queue_drops_locked(e);
	count_sent(e, packets - n_queued, sent);
	if (!e->held)
		arm_locked(e);
}

void egress_send(struct egress *e, const struct iovec *iov, int n,
		 uint32_t packets)
{
	size_t total = 0;
	ssize_t sent = 0;
	int i;

	for (i = 0; i < n; i++)
		total += iov[i].iov_len;
	pthread_mutex_lock(&e->lock);
	if (!e->closed && !congested(e))
		sent = send_some(e, iov, n);
	if (e->closed || sent < 0)
		count_drop(e, DROP_CLOSED, packets);
	else if ((size_t)sent == total)
		count_sent(e, packets, total);
	else
		queue_rest_locked(e, iov, n, packets, (size_t)sent);
	pthread_mutex_unlock(&e->lock);
}

/* Send what is left in the control buffer.  True: it is empty now. */
static bool send_control_locked(struct egress *e)
{
	struct iovec iov;
	ssize_t sent;

	if (e->control_len == 0)
		return true;
	iov.iov_base = e->control + e->control_sent;
	iov.iov_len = (size_t)(e->control_len - e->control_sent);
	sent = send_some(e, &iov, 1);
	if (sent < 0) {
		break_locked(e);
		return false;
	}
	if (sent > 0)
		e->progress_ms = clock_now_ms();
	e->control_sent = (uint16_t)(e->control_sent + sent);
	if (e->control_sent < e->control_len)
		return false;
	e->control_sent = e->control_len = 0;
	free(e->control);	/* most clients need it once */
	e->control = NULL;
	announce_locked(e);
	return true;
}

static bool append_control_locked(struct egress *e, const uint8_t *message,
				  size_t len)
{
	if (!e->control)
		e->control = malloc(EGRESS_CONTROL_MAX);
	if (!e->control || len > (size_t)EGRESS_CONTROL_MAX - e->control_len)
		return false;
	memcpy(e->control + e->control_len, message, len);
	e->control_len = (uint16_t)(e->control_len + len);
	return true;
}

bool egress_control(struct egress *e, const uint8_t *message, size_t len,
		    bool wait)
{
	bool taken = false;

	pthread_mutex_lock(&e->lock);
	while (!e->closed) {
		taken = append_control_locked(e, message, len);
		if (taken || !wait || !e->control || e->ending)
			break;
		e->n_waiting++;
		pthread_cond_wait(&e->changed, &e->lock);
		e->n_waiting--;
	}
	if (taken && !e->armed) {
		/* Not armed: the socket stands at a boundary. */
		if (!send_control_locked(e))
			arm_locked(e);
	}
	pthread_mutex_unlock(&e->lock);
	return taken;
}

void egress_hold(struct egress *e)
{
	pthread_mutex_lock(&e->lock);
	e->held = true;
	pthread_mutex_unlock(&e->lock);
}

void egress_release(struct egress *e)
{
	pthread_mutex_lock(&e->lock);
	if (e->held) {
		e->held = false;
		if (!queue_is_empty(e))
			arm_locked(e);
	}
	pthread_mutex_unlock(&e->lock);
}

void egress_shut(struct egress *e)
{
	pthread_mutex_lock(&e->lock);
	e->closed = true;
	if (e->queue)
		count_drop(e, DROP_CLOSED, flowq_packets(e->queue));
	flowq_free(e->queue);
	e->queue = NULL;
	announce_locked(e);
	pthread_mutex_unlock(&e->lock);
}

static bool is_drained(const struct egress *e)
{
	return e->closed || (e->control_len == 0 && queue_is_empty(e));
}

/* So little is queued that what a client reads at once fits as well. */
static bool has_room(const struct egress *e)
{
	return e->closed || !e->queue ||
	       flowq_bytes(e->queue) <= e->limits->queue_bytes / 4;
}

/* Wait for a condition of the egress, or until ms from now are over. */
static void wait_locked(struct egress *e, bool (*done)(const struct egress *e),
			uint64_t ms)
{
	struct timespec deadline = clock_deadline(ms);
	int error = 0;

	e->n_waiting++;
	while (!done(e) && error == 0)
		error = pthread_cond_clockwait(&e->changed, &e->lock,
					       CLOCK_MONOTONIC, &deadline);
	e->n_waiting--;
}

void egress_wait(struct egress *e, uint64_t *deadline_ms)
{
	uint32_t wait_ms = e->limits->wait_ms;
	uint64_t now_ms;

	pthread_mutex_lock(&e->lock);
	if (!has_room(e) && e->armed) {
		now_ms = clock_now_ms();
		if (*deadline_ms == 0)
			*deadline_ms = now_ms + wait_ms;
		if (now_ms < *deadline_ms && now_ms < e->progress_ms +
					      e->limits->patience_ms)
			wait_locked(e, has_room, *deadline_ms - now_ms);
	}
	pthread_mutex_unlock(&e->lock);
}

void egress_end(struct egress *e)
{
	pthread_mutex_lock(&e->lock);
	e->ending = true;
	announce_locked(e);
	pthread_mutex_unlock(&e->lock);
}

void egress_flush(struct egress *e, uint64_t deadline_ms)
{
	uint64_t now_ms = clock_now_ms();

	pthread_mutex_lock(&e->lock);
	if (now_ms < deadline_ms && e->armed)
		wait_locked(e, is_drained, deadline_ms - now_ms);
	pthread_mutex_unlock(&e->lock);
}

/* One send from the queue.  True: the socket may take more. */
static bool send_queued_locked(struct egress *e, int max_iov)
{
	struct iovec iov[DRAIN_IOV];
	size_t total = 0;
	uint32_t before;
	ssize_t sent;
	int i, n;

	/* At the end nothing is too old to be had (CoDel looks at the time). */
	n = flowq_peek(e->queue, iov, max_iov, DRAIN_BYTES,
		       e->ending ? 0 : clock_now_ns());
	count_queue_drops_locked(e);
	if (n == 0)
		return false;
	for (i = 0; i < n; i++)
		total += iov[i].iov_len;
	before = flowq_packets(e->queue);
	sent = send_some(e, iov, n);
	flowq_sent(e->queue, sent > 0 ? (size_t)sent : 0);
	if (sent < 0) {
		break_locked(e);
		return false;
	}
	if (sent > 0)
		e->progress_ms = clock_now_ms();
	count_sent(e, before - flowq_packets(e->queue), (uint64_t)sent);
	announce_locked(e);
	return (size_t)sent == total;
}

void egress_drain(struct egress *e)
{
	bool more = true;
	int round;

	pthread_mutex_lock(&e->lock);
	e->armed = false;
	for (round = 0; more && round < DRAIN_ROUNDS && !e->closed; round++) {
		if (e->queue && flowq_has_started(e->queue) &&
		    e->control_len > 0)
			more = send_queued_locked(e, 1);
		else if (!send_control_locked(e) || e->held ||
			 queue_is_empty(e))
			more = false;
		else
			more = send_queued_locked(e, DRAIN_IOV);
	}
	if (!e->closed && (e->control_len > 0 ||
			   (!e->held && !queue_is_empty(e)))) {
		e->armed = true;
		drain_arm(e->drain, e);
	}
	pthread_mutex_unlock(&e->lock);
}

enum egress_state egress_check(struct egress *e, uint64_t now_ms)
{
	enum egress_state state = EGRESS_IDLE;
	uint64_t since_ms;

	pthread_mutex_lock(&e->lock);
	since_ms = now_ms > e->progress_ms ? now_ms - e->progress_ms : 0;
	if (e->closed)
		state = EGRESS_SHUT;
	else if (e->armed && since_ms >= e->limits->stall_ms)
		state = EGRESS_STALLED;
	else if (e->armed || !queue_is_empty(e) || since_ms < QUEUE_LINGER_MS)
		state = EGRESS_WAITING;
	if (state == EGRESS_SHUT || state == EGRESS_IDLE) {
		flowq_free(e->queue);
		e->queue = NULL;
		e->watched = false;
		drain_unwatch(e->drain, e);
	}
	pthread_mutex_unlock(&e->lock);
	return state;
}

void egress_look(struct egress *e, struct egress_status *status)
{
	pthread_mutex_lock(&e->lock);
	status->queue_bytes = e->queue ? flowq_bytes(e->queue) : 0;
	status->queue_packets = e->queue ? flowq_packets(e->queue) : 0;
	status->progress_ms = e->progress_ms;
	status->held = e->held;
	status->congested = e->armed;
	status->closed = e->closed;
	pthread_mutex_unlock(&e->lock);
}

size_t egress_queued(struct egress *e, uint64_t *since_ms)
{
	struct egress_status status;

	egress_look(e, &status);
	*since_ms = status.queue_bytes > 0 ? status.progress_ms : 0;
	return status.queue_bytes;
}
