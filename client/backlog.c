/* SPDX-License-Identifier: MIT */
/* What waits for the connection to the server. */
#include "client/backlog.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "common/clock.h"
#include "common/flowq.h"
#include "proto/frame.h"

enum {
	/* Bounds of memory.  How long packets stand is for CoDel to decide:
	 * at 10 Gbit/s so much is gone in 3 ms. */
	MAX_BYTES = 4 * 1024 * 1024,
	MAX_PACKETS = 8192,
	SEND_IOV = 64,
};

struct backlog {
	struct counters *counters;
	struct flowq *queue;		/* NULL until there is something */
	struct flowq_drops counted;	/* of queue, already in counters */
};

struct backlog *backlog_new(struct counters *counters)
{
	struct backlog *b = calloc(1, sizeof(*b));

	if (b != NULL)
		b->counters = counters;
	return b;
}

void backlog_free(struct backlog *b)
{
	if (b == NULL)
		return;
	flowq_free(b->queue);
	free(b);
}

static void count_drops(struct backlog *b)
{
	const struct flowq_drops *drops = flowq_drops(b->queue);
	uint64_t *counted = b->counters->drops;

	counted[DROP_QUEUE_FULL] += drops->full - b->counted.full +
				    drops->no_memory - b->counted.no_memory;
	counted[DROP_QUEUE_STALE] += drops->stale - b->counted.stale;
	b->counted = *drops;
}

static bool make_queue(struct backlog *b)
{
	if (b->queue == NULL) {
		b->queue = flowq_new(MAX_BYTES, MAX_PACKETS, NULL, NULL);
		b->counted = (struct flowq_drops){ 0 };
	}
	return b->queue != NULL;
}

bool backlog_add(struct backlog *b, const struct iovec *iov, size_t sent)
{
	const uint8_t *data = iov->iov_base;
	uint64_t now_ns = clock_now_ns();
	uint32_t len, ip_offset;
	size_t at;

	if (!make_queue(b)) {
		b->counters->drops[DROP_QUEUE_FULL]++;
		return sent == 0;
	}
	for (at = 0; at < iov->iov_len; at += len) {
		len = frame_message_len(data + at, &ip_offset);
		if (at >= sent)
			flowq_push(b->queue, data + at, len, ip_offset, now_ns);
		else if (at + len <= sent)
			b->counters->tx_packets++;
		else if (!flowq_push_started(b->queue, data + sent,
					     (uint32_t)(at + len - sent)))
			return false;
	}
	count_drops(b);
	return true;
}

ssize_t backlog_send(struct backlog *b, int fd, size_t max, bool *left)
{
	struct iovec iov[SEND_IOV];
	struct msghdr message = { .msg_iov = iov };
	uint32_t before;
	size_t total = 0;
	ssize_t sent;
	int i, n;

	*left = false;
	if (b->queue == NULL)
		return 0;
	n = flowq_peek(b->queue, iov, SEND_IOV, max, clock_now_ns());
	count_drops(b);
	if (n == 0)
		return 0;
	for (i = 0; i < n; i++)
		total += iov[i].iov_len;
	before = flowq_packets(b->queue);
	message.msg_iovlen = (size_t)n;
	sent = sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (sent < 0 && errno != EAGAIN && errno != EWOULDBLOCK &&
	    errno != EINTR)
		return -errno;
	if (sent < 0)
		sent = 0;
	flowq_sent(b->queue, (size_t)sent);
	b->counters->tx_packets += before - flowq_packets(b->queue);
	b->counters->tx_bytes += (size_t)sent;
	*left = (size_t)sent < total;
	return sent;
}

bool backlog_is_empty(const struct backlog *b)
{
	return b->queue == NULL || flowq_empty(b->queue);
}

uint32_t backlog_clear(struct backlog *b)
{
	uint32_t n = b->queue != NULL ? flowq_packets(b->queue) : 0;

	flowq_free(b->queue);
	b->queue = NULL;
	return n;
}
