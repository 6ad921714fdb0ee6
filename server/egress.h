/* SPDX-License-Identifier: MIT */
/*
 * The way out to one client: its socket, what waits for the socket to take
 * more, and the lock of both.
 *
 * Theory of operation: any thread that has packets for the client sends them
 * itself, without blocking, under the egress lock.  What the socket does not
 * take is copied to a bounded flow queue, and the drain thread (drain.h) sends
 * from there when the socket is writable; meanwhile everything else queues
 * behind it.  A message once started is finished or the connection is closed:
 * its rest stands at the very front.  Replies, echoes and pushed
 * options go through a small buffer of their own, at the next boundary between
 * messages.  So one client that does not read costs the others one failed
 * system call, and the server its queue.
 *
 * While held, nothing but control messages leaves: a base client's read of the
 * reply must find that and nothing else (docs/protocol.md).
 */
#ifndef SERVER_EGRESS_H
#define SERVER_EGRESS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "common/flowq.h"

struct drain;
struct endpoint;

enum {
	EGRESS_MAX_IOV = 1024,		/* IOV_MAX of Linux */
	EGRESS_CONTROL_MAX = 2048,	/* unsent control messages, bytes */
};

/* Limits that all egresses share.  A reload may change each by itself; a queue
 * keeps the size that it was made with. */
struct egress_limits {
	_Atomic uint32_t queue_bytes;
	_Atomic uint32_t queue_packets;
	_Atomic uint32_t stall_ms;	/* queued data, no progress: closed */
	_Atomic uint32_t wait_ms;	/* of one batch in egress_wait(); 0:
					 * never */
	_Atomic uint32_t patience_ms;	/* no progress for so long: not waited
					 * for */
	_Atomic uint64_t memory;	/* that all queues may take together,
					 * bytes */
};

/* [I] immutable, [q] under lock, [d] under the drain's lock */
struct egress {
	pthread_mutex_t lock;
	pthread_cond_t changed;		/* [q] something left, or closed */
	uint32_t n_waiting;		/* [q] threads that wait for that */
	struct endpoint *owner;		/* [I] */
	struct drain *drain;		/* [I] */
	const struct egress_limits *limits;	/* [I] */
	int fd;				/* [I] */
	bool closed;			/* [q] */
	bool ending;			/* [q] nothing waits any more */
	bool held;			/* [q] */
	bool armed;			/* [q] the drain waits for the socket */
	bool watched;			/* [q] on the drain's list */
	uint16_t control_sent;		/* [q] of control[], bytes */
	uint16_t control_len;		/* [q] */
	uint8_t *control;		/* [q] NULL until needed */
	struct flowq *queue;		/* [q] NULL unless congested lately */
	struct flowq_drops counted;	/* [q] of queue, already in the stats */
	uint64_t progress_ms;		/* [q] last time that bytes left, or
					 * that the queue was empty */
	struct egress *next_watched, **previous_watched;	/* [d] */
};

void egress_init(struct egress *e, struct endpoint *owner, struct drain *drain,
		 const struct egress_limits *limits, int fd);
/* The last reference is gone; the descriptor stays the caller's to close. */
void egress_fini(struct egress *e);

/*
 * Send whole messages: iov[0..n) of 1 to EGRESS_MAX_IOV vectors, each one or
 * more messages back to back, packets in all.  Never blocks; what can be
 * neither sent nor queued is dropped and counted.  The bytes are the caller's
 * again on return.  Any thread.
 */
void egress_send(struct egress *e, const struct iovec *iov, int n,
		 uint32_t packets);

/*
 * Wait a moment for a client that reads, but not as fast as it is sent to:
 * while its queue is more than a quarter full, until *deadline_ms, and not at
 * all if it has taken nothing for limits.patience_ms.  The caller's own sender
 * is slowed down instead of losing packets.  *deadline_ms of 0 is set to
 * limits.wait_ms from now when there is reason to wait.  A client's own
 * thread.
 */
void egress_wait(struct egress *e, uint64_t *deadline_ms);

/* Wait until all that is queued has left, or deadline_ms.  A client's own
 * thread, as it leaves. */
void egress_flush(struct egress *e, uint64_t deadline_ms);

/* No control message is waited for any more.  Any thread, idempotent. */
void egress_end(struct egress *e);

/*
 * Send a control message of at most EGRESS_CONTROL_MAX bytes to a client that
 * asked for it.  If earlier ones have not been taken yet: with wait, blocks
 * until they are, or the connection is closed or about to end; without,
 * returns false.  False also if there is no memory.  To wait, the client's own
 * thread; without, any.
 */
bool egress_control(struct egress *e, const uint8_t *message, size_t len,
		    bool wait);

/* Let nothing but control messages out until egress_release().  Before any
 * data was sent; the client's own thread. */
void egress_hold(struct egress *e);
void egress_release(struct egress *e);

/* Nothing leaves any more; the queue is freed.  Idempotent, any thread. */
void egress_shut(struct egress *e);

enum egress_state {
	EGRESS_IDLE,		/* nothing queued */
	EGRESS_WAITING,		/* the socket is full */
	EGRESS_STALLED,		/* for longer than limits.stall_ms */
	EGRESS_SHUT,
};

/* For the drain thread alone: send what the socket takes. */
void egress_drain(struct egress *e);
/* For the drain thread alone: how it stands; frees a queue idle for 1 s. */
enum egress_state egress_check(struct egress *e, uint64_t now_ms);

struct egress_status {
	uint64_t queue_bytes;
	uint64_t progress_ms;	/* last time that bytes left; clock_now_ms() */
	uint32_t queue_packets;
	bool held, congested, closed;
};

/* How it stands.  Any thread. */
void egress_look(struct egress *e, struct egress_status *status);

/* Bytes queued now, and since when the client has taken none of them (0: none
 * are queued).  Any thread. */
size_t egress_queued(struct egress *e, uint64_t *since_ms);

#endif
