/* SPDX-License-Identifier: MIT */
/*
 * What the tests of server/ share: endpoints whose socket has its other end in
 * the test's hand.
 */
#ifndef TESTS_UNIT_SERVER_TEST_H
#define TESTS_UNIT_SERVER_TEST_H

#include <check.h>
#include <semaphore.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "server/drain.h"
#include "server/endpoint.h"

enum { PATIENCE_S = 10 };	/* a test that waits longer has failed */

struct end {
	struct endpoint endpoint;	/* first: a pointer to it is one here */
	int ours, theirs;
	_Atomic uint32_t n_released;
	sem_t released;
	_Atomic int shut_reason;	/* the last one */
	sem_t shut_called;
};

static inline void end_released(struct endpoint *e)
{
	struct end *end = (struct end *)(void *)e;

	atomic_fetch_add(&end->n_released, 1);
	sem_post(&end->released);
}

static inline void end_shut(struct endpoint *e, enum close_reason reason)
{
	struct end *end = (struct end *)(void *)e;

	atomic_store(&end->shut_reason, (int)reason);
	sem_post(&end->shut_called);
}

static inline void wait_on(sem_t *sem)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += PATIENCE_S;
	ck_assert_int_eq(sem_timedwait(sem, &until), 0);
}

/* send_buffer 0: as the kernel has it; else bytes, raised to its minimum. */
static inline void end_init(struct end *end, struct drain *drain,
			    const struct egress_limits *limits,
			    int send_buffer)
{
	struct timeval patience = { .tv_sec = PATIENCE_S };
	int fds[2];

	memset(end, 0, sizeof(*end));
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	end->ours = fds[0];
	end->theirs = fds[1];
	if (send_buffer > 0)
		setsockopt(end->ours, SOL_SOCKET, SO_SNDBUF, &send_buffer,
			   sizeof(send_buffer));
	setsockopt(end->theirs, SOL_SOCKET, SO_RCVTIMEO, &patience,
		   sizeof(patience));
	sem_init(&end->released, 0, 0);
	sem_init(&end->shut_called, 0, 0);
	end->endpoint.references = 1;
	end->endpoint.release = end_released;
	end->endpoint.shut = end_shut;
	end->endpoint.mtu = 1500;
	egress_init(&end->endpoint.egress, &end->endpoint, drain, limits,
		    end->ours);
}

/* All ends of the drain, and the drain: nothing may hold them any more. */
static inline void ends_fini(struct end *ends, int n, struct drain *drain)
{
	int i;

	for (i = 0; i < n; i++)
		egress_shut(&ends[i].endpoint.egress);
	drain_free(drain);
	for (i = 0; i < n; i++) {
		ck_assert_uint_eq(ends[i].n_released, 0);
		endpoint_put(&ends[i].endpoint);
		ck_assert_uint_eq(ends[i].n_released, 1);
		egress_fini(&ends[i].endpoint.egress);
		close(ends[i].ours);
		if (ends[i].theirs >= 0)
			close(ends[i].theirs);
		sem_destroy(&ends[i].released);
		sem_destroy(&ends[i].shut_called);
	}
}

static inline uint64_t end_drops(const struct end *end,
				 enum drop_reason reason)
{
	return counter_get(&end->endpoint.stats.drops[reason]);
}

static inline uint64_t end_all_drops(const struct end *end)
{
	uint64_t n = 0;
	int i;

	for (i = 0; i < DROP_N_REASONS; i++)
		n += end_drops(end, (enum drop_reason)i);
	return n;
}

static inline size_t end_queued(struct end *end)
{
	uint64_t since_ms;

	return egress_queued(&end->endpoint.egress, &since_ms);
}

/* Bytes that the other end could read at once. */
static inline size_t end_readable(const struct end *end)
{
	int n = 0;

	ck_assert_int_eq(ioctl(end->theirs, FIONREAD, &n), 0);
	return (size_t)n;
}

/* Read exactly len bytes, however long they take to come. */
static inline void end_read(const struct end *end, uint8_t *out, size_t len)
{
	ssize_t n;

	for (; len > 0; out += n, len -= (size_t)n) {
		n = recv(end->theirs, out, len, 0);
		ck_assert_msg(n > 0, "%zu bytes did not come", len);
	}
}

#endif
