/* SPDX-License-Identifier: MIT */
/*
 * The data path: packets from the TUN interface to the server and back.
 *
 * Theory of operation: one thread, one poll(2) over socket, TUN and signals.
 *
 * Up: packets are read from the TUN only when the socket will take them soon.
 * "Soon" is a credit in bytes: the socket is writable when less than half of
 * LINK_NOTSENT_LOWAT is unsent (tcp(7)), so after POLLOUT as much again may be
 * sent before the next look.  What one turn reads leaves in one sendmsg(2), and
 * no timer is involved.  A batch that the socket took in part is finished
 * before anything else is read or said: a packet once started is the only thing
 * that may follow in the stream.  Control messages go in front of a batch,
 * never into one.
 *
 * A connection that takes nothing for PATIENCE_MS is the bottleneck, and then
 * the TUN's own queue, first in first out and up to 500 super-packets long, is
 * no place to wait.  From then on all that the TUN has is read at once into the
 * backlog, which is fair between flows, and leaves from there until that is
 * empty.  It costs a copy, so it is not the way of a fast connection.
 *
 * A packet with a segment size or a partial checksum goes to a server that
 * agreed to it as it is, with a prefix in the headroom of the read; for any
 * other server it is made plain first.
 *
 * Down: one large receive, whole messages decoded in place, joined where they
 * belong to one flow, and written to the TUN; the rest of a message that is
 * not whole moves to the front of the buffer.
 *
 * The buffers are part of struct pump, and pages that are never used cost
 * nothing.
 */
#include "client/pump.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "client/backlog.h"
#include "client/link.h"
#include "common/clock.h"
#include "common/coalesce.h"
#include "common/segment.h"
#include "proto/frame.h"
#include "proto/ippkt.h"

enum {
	/* Reads and bytes of one batch: enough to make system calls rare,
	 * little enough to keep the first packet from waiting for the last. */
	UP_READS = 64,
	UP_BYTES = LINK_NOTSENT_LOWAT,
	UP_AREA = UP_BYTES + TUN_READ_MAX,
	/* A super-packet made plain: 64 KB, and a header for each segment.
	 * The least segment of Linux (TCP_MIN_MSS) makes half of it. */
	SEGMENTS_MAX = 512 * 1024,
	CREDIT = LINK_NOTSENT_LOWAT / 2,
	PATIENCE_MS = 2,
	DOWN_BYTES = 256 * 1024,
	/* More than any transmit queue holds: a bound, no aim. */
	STALE_MAX = 20000,
};

static_assert(DOWN_BYTES > 2 * FRAME_MAX_LEN,
	      "what is left over leaves room for a large receive");

/* What is on its way to the socket. */
struct batch {
	struct iovec iov[UP_READS + 1];	/* control messages first */
	int next, n;			/* iov[next..n) is not sent yet */
	size_t sent;			/* of iov[next] */
	/* What each counts for: none for control messages. */
	uint32_t n_packets[UP_READS + 1], n_bytes[UP_READS + 1];
};

struct pump {
	struct tun *tun;
	struct signals *signals;
	struct counters *counters;
	struct session *session;
	struct coalesce *coalesce;
	int fd;
	uint32_t mtu;
	uint64_t now_ms;		/* of this turn of the loop */
	int error;
	enum frame_error frame_error;

	size_t credit;			/* 0: wait until it is writable */
	uint64_t blocked_ms;		/* since when it is 0 */
	struct backlog *backlog;
	bool queueing;			/* all goes through the backlog */
	struct batch batch;
	uint8_t control[sizeof(((struct session *)0)->out)];
	size_t up_used;
	size_t segments_used;

	size_t down_start, down_end;	/* received, not decoded yet */
	size_t n_packets;
	struct packet packets[COALESCE_MAX_PACKETS];

	uint8_t down[DOWN_BYTES];
	uint8_t up[UP_AREA];
	uint8_t segments[UP_BYTES + SEGMENTS_MAX];
	uint8_t down_segments[SEGMENTS_MAX];
};

struct pump *pump_new(struct tun *tun, struct signals *signals,
		      struct counters *counters)
{
	struct pump *p;

	p = calloc(1, sizeof(*p));
	if (p == NULL)
		return NULL;
	p->coalesce = coalesce_new(tun->offload_tcp, tun->offload_udp);
	p->backlog = backlog_new(counters);
	if (p->coalesce == NULL || p->backlog == NULL) {
		pump_free(p);
		return NULL;
	}
	p->tun = tun;
	p->signals = signals;
	p->counters = counters;
	p->fd = -1;
	return p;
}

void pump_free(struct pump *p)
{
	if (p == NULL)
		return;
	coalesce_free(p->coalesce);
	backlog_free(p->backlog);
	free(p);
}

static void batch_reset(struct pump *p)
{
	p->batch.next = 0;
	p->batch.n = 0;
	p->batch.sent = 0;
	p->up_used = 0;
	p->segments_used = 0;
}

void pump_start(struct pump *p, int fd, struct session *session)
{
	p->fd = fd;
	p->session = session;
	p->error = 0;
	p->frame_error = FRAME_OK;
	p->credit = CREDIT;
	p->down_start = 0;
	p->down_end = 0;
	p->n_packets = 0;
	batch_reset(p);
}

void pump_end(struct pump *p)
{
	uint64_t *lost = &p->counters->drops[DROP_CONNECTION_LOST];
	int i;

	for (i = p->batch.next; i < p->batch.n; i++)
		*lost += p->batch.n_packets[i];
	*lost += backlog_clear(p->backlog);
	p->queueing = false;
	batch_reset(p);
	p->fd = -1;
	p->session = NULL;
}

void pump_set_mtu(struct pump *p, uint32_t mtu)
{
	p->mtu = mtu;
}

int pump_errno(const struct pump *p)
{
	return p->error;
}

enum frame_error pump_frame_error(const struct pump *p)
{
	return p->frame_error;
}

void pump_discard_stale(struct pump *p)
{
	struct packet packet;
	int i, result;

	for (i = 0; i < STALE_MAX; i++) {
		result = tun_read(p->tun, p->up, &packet);
		if (result == 1)
			p->counters->drops[DROP_STALE]++;
		else if (result != -EBADMSG)
			return;
	}
}

static bool is_plain(const struct packet *packet)
{
	return packet->segment_size == 0 && !packet->checksum_partial;
}

/* ---- up: TUN to server ---- */

/* Whether a packet of the TUN may be sent; else *reason says why not. */
static bool may_send(const struct pump *p, const struct packet *packet,
		     enum drop_reason *reason)
{
	if (packet->len == 0 || packet->data[0] >> 4 != 4)
		*reason = DROP_NOT_IPV4;
	else if (!ippkt_valid(packet->data, packet->len) ||
		 (!is_plain(packet) && !segment_check(packet)))
		*reason = DROP_INVALID;
	else if (ippkt_source(packet->data) != p->session->address)
		*reason = DROP_SOURCE;
	else if (ippkt_destination(packet->data) == 0)
		*reason = DROP_DESTINATION;
	else if (segment_max_len(packet) > p->mtu)
		*reason = DROP_TOO_BIG;
	else
		return true;
	return false;
}

static void batch_add(struct pump *p, uint8_t *data, size_t len,
		      uint32_t n_packets, size_t n_bytes)
{
	int i = p->batch.n++;

	p->batch.iov[i].iov_base = data;
	p->batch.iov[i].iov_len = len;
	p->batch.n_packets[i] = n_packets;
	p->batch.n_bytes[i] = (uint32_t)n_bytes;
}

/* Put one packet, at its place in the up area, into the batch. */
static bool batch_packet(struct pump *p, struct packet *packet)
{
	uint32_t n_packets = segment_count(packet);
	size_t size = packet->len;
	uint8_t *out;

	if (is_plain(packet)) {
		batch_add(p, packet->data, size, n_packets, size);
	} else if (p->session->rules.segments) {
		out = packet->data - FRAME_SEGMENT_PREFIX_LEN;
		frame_write_prefix(out, packet->segment_size,
				   packet->checksum_partial);
		batch_add(p, out, size + FRAME_SEGMENT_PREFIX_LEN, n_packets,
			  size);
	} else if (packet->segment_size == 0) {
		segment_finish_checksum(packet);
		batch_add(p, packet->data, size, n_packets, size);
	} else {
		size = segment_size(packet);
		if (size > SEGMENTS_MAX)
			return false;
		out = p->segments + p->segments_used;
		p->segments_used += segment_write(packet, out);
		batch_add(p, out, size, n_packets, size);
	}
	return true;
}

/* Read what the TUN has, up to one batch.  0 or -errno: it is gone. */
static int batch_fill(struct pump *p)
{
	enum drop_reason reason;
	struct packet packet;
	int i, result;

	for (i = 0; i < UP_READS; i++) {
		if (p->up_used >= UP_BYTES || p->segments_used >= UP_BYTES)
			break;
		result = tun_read(p->tun, p->up + p->up_used, &packet);
		if (result == 0)
			break;
		if (result == -EBADMSG || result == -ENOMEM ||
		    result == -ENOBUFS) {
			p->counters->drops[DROP_TUN_READ]++;
			continue;
		}
		if (result < 0)
			return result;
		if (!may_send(p, &packet, &reason)) {
			p->counters->drops[reason]++;
			continue;
		}
		if (!batch_packet(p, &packet)) {
			p->counters->drops[DROP_TOO_BIG]++;
			continue;
		}
		p->up_used += TUN_HEADROOM + packet.len;
	}
	return 0;
}

/* The socket took bytes of the batch. */
static void batch_advance(struct pump *p, size_t bytes)
{
	struct batch *batch = &p->batch;
	size_t left;

	while (batch->next < batch->n) {
		left = batch->iov[batch->next].iov_len - batch->sent;
		if (bytes < left) {
			batch->sent += bytes;
			return;
		}
		p->counters->tx_packets += batch->n_packets[batch->next];
		p->counters->tx_bytes += batch->n_bytes[batch->next];
		bytes -= left;
		batch->sent = 0;
		batch->next++;
	}
	batch_reset(p);
}

/* The socket took bytes, and less than it could have had. */
static void spend(struct pump *p, size_t bytes, bool left)
{
	if (bytes > 0)
		session_sent(p->session, p->now_ms);
	if (left || bytes >= p->credit) {
		p->credit = 0;
		p->blocked_ms = p->now_ms;
	} else {
		p->credit -= bytes;
	}
}

/* Send what the socket takes of the batch.  0 or -errno. */
static int batch_send(struct pump *p)
{
	struct batch *batch = &p->batch;
	struct iovec *first = &batch->iov[batch->next];
	const struct iovec whole = *first;
	struct msghdr message = { 0 };
	ssize_t sent;

	first->iov_base = (uint8_t *)first->iov_base + batch->sent;
	first->iov_len -= batch->sent;
	message.msg_iov = first;
	message.msg_iovlen = (size_t)(batch->n - batch->next);
	do {
		sent = sendmsg(p->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
	} while (sent < 0 && errno == EINTR);
	*first = whole;
	if (sent < 0 && errno != EAGAIN && errno != EWOULDBLOCK)
		return -errno;
	if (sent > 0)
		batch_advance(p, (size_t)sent);
	spend(p, sent > 0 ? (size_t)sent : 0, batch->n > 0);
	return 0;
}

/* ---- up, when the connection is slower than the host ---- */

/* Move what is left of the batch to the backlog.  0 or -errno. */
static int queue_batch(struct pump *p)
{
	struct batch *batch = &p->batch;
	bool good = true;
	int i;

	for (i = batch->next; i < batch->n && good; i++)
		good = backlog_add(p->backlog, &batch->iov[i],
				   i == batch->next ? batch->sent : 0);
	batch_reset(p);
	return good ? 0 : -ENOMEM;
}

/* The connection has taken nothing for a while: all waits in the backlog. */
static int begin_queueing(struct pump *p)
{
	p->queueing = true;
	return queue_batch(p);
}

static int send_backlog(struct pump *p)
{
	bool left;
	ssize_t sent = backlog_send(p->backlog, p->fd, p->credit, &left);

	if (sent < 0)
		return (int)sent;
	spend(p, (size_t)sent, left);
	p->queueing = !backlog_is_empty(p->backlog);
	return 0;
}

/* ---- down: server to TUN ---- */

/* A failed write loses a packet; only a lost interface is an end. */
static int write_result(struct pump *p, int result)
{
	if (result == -EBADFD)
		return result;
	if (result != 0)
		p->counters->drops[DROP_TUN_WRITE]++;
	return 0;
}

/* For a kernel that does not take super-packets of this protocol. */
static int write_segments(struct pump *p, const struct packet *packet)
{
	struct packet segment = { 0 };
	struct iovec iov[2];
	size_t offset, size;
	int result = 0;

	size = segment_size(packet);
	if (size > SEGMENTS_MAX)
		return write_result(p, -EMSGSIZE);
	segment_write(packet, p->down_segments);
	for (offset = 0; offset < size && result == 0; offset += segment.len) {
		segment.data = p->down_segments + offset;
		segment.len = ippkt_total_len(segment.data);
		iov[1].iov_base = segment.data;
		iov[1].iov_len = segment.len;
		result = write_result(p, tun_write(p->tun, &segment, iov, 2));
	}
	return result;
}

static bool kernel_takes(const struct pump *p, const struct packet *packet)
{
	if (packet->segment_size == 0)
		return true;
	return packet->data[9] == IPPKT_TCP ? p->tun->offload_tcp :
					      p->tun->offload_udp;
}

/* Write the packets gathered so far.  0 or -errno: the interface is gone. */
static int deliver(struct pump *p)
{
	struct coalesce_item *items, *item;
	size_t n_items;
	int result = 0;

	if (p->n_packets == 0)
		return 0;
	n_items = coalesce_run(p->coalesce, p->packets, p->n_packets, &items);
	p->n_packets = 0;
	for (item = items; item < items + n_items && result == 0; item++) {
		if (kernel_takes(p, &item->packet))
			result = write_result(p, tun_write(p->tun,
							   &item->packet,
							   item->iov,
							   item->n_iov));
		else
			result = write_segments(p, &item->packet);
	}
	return result;
}

/* Take a packet of the server into the batch for the TUN. */
static int take_packet(struct pump *p, const struct packet *packet)
{
	if (!is_plain(packet) && !segment_check(packet)) {
		p->counters->drops[DROP_RX_INVALID]++;
		return 0;
	}
	p->counters->rx_packets += segment_count(packet);
	p->counters->rx_bytes += packet->len;
	p->packets[p->n_packets++] = *packet;
	return p->n_packets < COALESCE_MAX_PACKETS ? 0 : deliver(p);
}

static enum pump_event event_of(enum session_event event)
{
	switch (event) {
	case SESSION_ASSIGNED:
		return PUMP_ASSIGNED;
	case SESSION_OPTIONS:
		return PUMP_OPTIONS;
	case SESSION_REFUSED:
		return PUMP_REFUSED;
	case SESSION_BROKEN:
		return PUMP_BROKEN;
	case SESSION_TIMED_OUT:
		return PUMP_TIMED_OUT;
	case SESSION_NONE:
	case SESSION_PACKET:
	case SESSION_SKIPPED:
	case SESSION_ALIVE:
		break;
	}
	return PUMP_NONE;
}

/* Decode what was received, until there is no more or something happens. */
static enum pump_event decode(struct pump *p)
{
	enum session_event event = SESSION_PACKET;
	enum pump_event happened = PUMP_NONE;
	struct session_item item;
	size_t consumed;
	int result = 0;

	while (event != SESSION_NONE && happened == PUMP_NONE && result == 0) {
		event = session_receive(p->session, p->down + p->down_start,
					p->down_end - p->down_start, p->now_ms,
					&consumed, &item);
		p->down_start += consumed;
		if (event == SESSION_PACKET)
			result = take_packet(p, &item.packet);
		else if (event == SESSION_SKIPPED)
			p->counters->drops[DROP_RX_SKIPPED]++;
		else if (event == SESSION_BROKEN)
			p->frame_error = item.error;
		happened = event_of(event);
	}
	if (result == 0)
		result = deliver(p);
	p->error = -result;
	return result != 0 ? PUMP_TUN_GONE : happened;
}

static enum pump_event receive(struct pump *p)
{
	ssize_t received;

	/* Less than one message, or there would be nothing to wait for. */
	if (p->down_start > 0) {
		p->down_end -= p->down_start;
		memmove(p->down, p->down + p->down_start, p->down_end);
		p->down_start = 0;
	}
	received = recv(p->fd, p->down + p->down_end, DOWN_BYTES - p->down_end,
			MSG_DONTWAIT);
	if (received == 0)
		return PUMP_CLOSED;
	if (received > 0) {
		p->down_end += (size_t)received;
		return decode(p);
	}
	if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)
		return PUMP_NONE;
	p->error = errno;
	return PUMP_FAILED;
}

/* ---- the loop ---- */

/* Sending failed; what the server said before it closed tells more. */
static enum pump_event last_words(struct pump *p)
{
	int error = p->error;
	enum pump_event event;

	event = receive(p);
	if (event != PUMP_NONE)
		return event;
	p->error = error;
	return PUMP_FAILED;
}

/* Make a batch of what there is to say and to read. */
static int collect_up(struct pump *p, bool tun_readable)
{
	const uint8_t *control;
	size_t len;

	control = session_output(p->session, &len);
	if (len > 0) {
		memcpy(p->control, control, len);
		batch_add(p, p->control, len, 0, 0);
		session_output_done(p->session, p->now_ms);
	}
	return tun_readable && p->session->state == SESSION_JOINED ?
		batch_fill(p) : 0;
}

/* Finish the old batch or send a new one, or have it wait in the backlog. */
static enum pump_event send_up(struct pump *p, bool tun_readable)
{
	int error = 0;

	if (p->credit == 0 && !p->queueing)
		return PUMP_NONE;
	if (p->batch.n == 0) {
		p->error = -collect_up(p, tun_readable);
		if (p->error != 0)
			return PUMP_TUN_GONE;
	}
	if (p->queueing) {
		error = queue_batch(p);
		if (error == 0 && p->credit > 0)
			error = send_backlog(p);
	} else if (p->batch.n > 0) {
		error = batch_send(p);
	}
	p->error = -error;
	return error == 0 ? PUMP_NONE : last_words(p);
}

/* Whether the socket is full and the TUN is not looked at for that. */
static bool is_patient(const struct pump *p)
{
	return p->credit == 0 && !p->queueing &&
	       p->session->state == SESSION_JOINED;
}

static int milliseconds_to_wait(const struct pump *p)
{
	uint64_t next_ms = session_next_tick(p->session);
	uint64_t now_ms = clock_now_ms();

	if (is_patient(p) && next_ms > p->blocked_ms + PATIENCE_MS)
		next_ms = p->blocked_ms + PATIENCE_MS;
	if (next_ms == UINT64_MAX)
		return -1;
	if (next_ms <= now_ms)
		return 0;
	return next_ms - now_ms > INT_MAX ? INT_MAX : (int)(next_ms - now_ms);
}

/* Wait, then do everything once that has become possible. */
static enum pump_event turn(struct pump *p)
{
	const short gone = POLLERR | POLLHUP | POLLNVAL;
	bool want_tun = p->session->state == SESSION_JOINED &&
			(p->credit > 0 || p->queueing);
	struct pollfd fds[3] = {
		{ .fd = p->signals->fd, .events = POLLIN },
		{ .fd = p->fd, .events = POLLIN },
		{ .fd = p->tun->fd, .events = want_tun ? POLLIN : 0 },
	};
	enum pump_event event = PUMP_NONE;

	if (p->credit == 0)
		fds[1].events |= POLLOUT;
	if (poll(fds, 3, milliseconds_to_wait(p)) < 0)
		memset(fds, 0, sizeof(fds));
	p->now_ms = clock_now_ms();
	if (fds[0].revents != 0 && signals_stop(p->signals))
		return PUMP_STOPPED;
	if ((fds[1].revents & (POLLIN | gone)) != 0)
		event = receive(p);
	if (event == PUMP_NONE && (fds[2].revents & gone) != 0) {
		p->error = EBADFD;
		event = PUMP_TUN_GONE;
	}
	if (event == PUMP_NONE)
		event = event_of(session_tick(p->session, p->now_ms));
	if (event != PUMP_NONE)
		return event;
	if ((fds[1].revents & POLLOUT) != 0)
		p->credit = CREDIT;
	else if (is_patient(p) && p->now_ms >= p->blocked_ms + PATIENCE_MS)
		p->error = -begin_queueing(p);
	if (p->error != 0)
		return last_words(p);
	/* After POLLOUT a look at the TUN is cheaper than another poll. */
	return send_up(p, ((fds[1].revents & POLLOUT) |
			   (fds[2].revents & POLLIN)) != 0);
}

enum pump_event pump_run(struct pump *p)
{
	enum pump_event event;

	p->now_ms = clock_now_ms();
	event = p->down_end > p->down_start ? decode(p) : PUMP_NONE;
	if (event == PUMP_NONE)
		event = send_up(p, false);
	while (event == PUMP_NONE)
		event = turn(p);
	return event;
}
