/* SPDX-License-Identifier: MIT */
/* The one thread that sends on for every congested client. */
#include "server/drain.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/clock.h"
#include "server/endpoint.h"

enum {
	MAX_EVENTS = 64,
	SCAN_MS = 1000,
};

struct drain {
	int epoll_fd;			/* [I] */
	int stop_fd;			/* [I] an eventfd */
	pthread_t thread;		/* [I] */
	const struct egress_limits *limits;	/* [I] */
	_Atomic int64_t memory;
	pthread_mutex_t lock;
	struct egress *watched;		/* [lock] head of the list */
};

static void list_remove(struct drain *drain, struct egress *e)
{
	pthread_mutex_lock(&drain->lock);
	*e->previous_watched = e->next_watched;
	if (e->next_watched)
		e->next_watched->previous_watched = e->previous_watched;
	pthread_mutex_unlock(&drain->lock);
}

bool drain_watch(struct drain *drain, struct egress *e)
{
	struct epoll_event event = {
		.events = EPOLLONESHOT,
		.data.ptr = e,
	};

	if (epoll_ctl(drain->epoll_fd, EPOLL_CTL_ADD, e->fd, &event) < 0)
		return false;
	endpoint_get(e->owner);
	pthread_mutex_lock(&drain->lock);
	e->next_watched = drain->watched;
	e->previous_watched = &drain->watched;
	if (e->next_watched)
		e->next_watched->previous_watched = &e->next_watched;
	drain->watched = e;
	pthread_mutex_unlock(&drain->lock);
	return true;
}

void drain_arm(struct drain *drain, struct egress *e)
{
	struct epoll_event event = {
		.events = EPOLLOUT | EPOLLONESHOT,
		.data.ptr = e,
	};

	epoll_ctl(drain->epoll_fd, EPOLL_CTL_MOD, e->fd, &event);
}

void drain_unwatch(struct drain *drain, struct egress *e)
{
	epoll_ctl(drain->epoll_fd, EPOLL_CTL_DEL, e->fd, NULL);
	list_remove(drain, e);
}

void drain_charge(void *arg, int64_t bytes)
{
	struct drain *drain = arg;

	atomic_fetch_add_explicit(&drain->memory, bytes, memory_order_relaxed);
}

uint64_t drain_queue_memory(const struct drain *drain)
{
	int64_t bytes = atomic_load_explicit(&drain->memory,
					     memory_order_relaxed);

	return bytes > 0 ? (uint64_t)bytes : 0;
}

static void scan(struct drain *drain, uint64_t now_ms)
{
	struct egress *e, *next;

	pthread_mutex_lock(&drain->lock);
	e = drain->watched;
	pthread_mutex_unlock(&drain->lock);
	for (; e; e = next) {
		next = e->next_watched;
		switch (egress_check(e, now_ms)) {
		case EGRESS_WAITING:
			break;
		case EGRESS_STALLED:
			e->owner->shut(e->owner, CLOSE_STALLED);
			break;
		case EGRESS_IDLE:
		case EGRESS_SHUT:
			endpoint_put(e->owner);
			break;
		}
	}
}

/* The client with the oldest queue; *bytes is how much that holds. */
static struct egress *find_worst(struct egress *first, size_t *bytes)
{
	struct egress *worst = NULL, *e;
	uint64_t since_ms, oldest_ms = UINT64_MAX;
	size_t queued;

	for (e = first; e; e = e->next_watched) {
		queued = egress_queued(e, &since_ms);
		if (queued == 0 || since_ms >= oldest_ms)
			continue;
		worst = e;
		oldest_ms = since_ms;
		*bytes = queued;
	}
	return worst;
}

/* Give up the worst clients until the queues are well below the limit. */
static void evict(struct drain *drain)
{
	uint64_t limit = drain->limits->memory;
	uint64_t target = limit - limit / 8;
	uint64_t memory = drain_queue_memory(drain);
	struct egress *first, *worst;
	size_t bytes = 0;

	if (memory <= limit)
		return;
	pthread_mutex_lock(&drain->lock);
	first = drain->watched;
	pthread_mutex_unlock(&drain->lock);
	while (memory > target) {
		worst = find_worst(first, &bytes);
		if (!worst)
			return;
		worst->owner->shut(worst->owner, CLOSE_EVICTED);
		egress_shut(worst);
		memory -= bytes < memory ? bytes : memory;
	}
}

static void *drain_main(void *arg)
{
	struct epoll_event events[MAX_EVENTS];
	struct drain *drain = arg;
	uint64_t scan_ms = clock_now_ms() + SCAN_MS;
	uint64_t now_ms;
	int i, n;

	for (;;) {
		n = epoll_wait(drain->epoll_fd, events, MAX_EVENTS, SCAN_MS);
		for (i = 0; i < n; i++) {
			if (!events[i].data.ptr)
				return NULL;
			egress_drain(events[i].data.ptr);
		}
		now_ms = clock_now_ms();
		if (now_ms >= scan_ms) {
			evict(drain);
			scan(drain, now_ms);
			scan_ms = now_ms + SCAN_MS;
		}
	}
}

struct drain *drain_new(const struct egress_limits *limits)
{
	struct epoll_event stop = { .events = EPOLLIN, .data.ptr = NULL };
	struct drain *drain = calloc(1, sizeof(*drain));
	int error;

	if (!drain)
		return NULL;
	pthread_mutex_init(&drain->lock, NULL);
	drain->limits = limits;
	drain->stop_fd = eventfd(0, EFD_CLOEXEC);
	if (drain->stop_fd < 0)
		goto err_free;
	drain->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (drain->epoll_fd < 0)
		goto err_stop_fd;
	if (epoll_ctl(drain->epoll_fd, EPOLL_CTL_ADD, drain->stop_fd,
		      &stop) < 0)
		goto err_epoll_fd;
	error = pthread_create(&drain->thread, NULL, drain_main, drain);
	if (error) {
		errno = error;
		goto err_epoll_fd;
	}
	return drain;

err_epoll_fd:
	close(drain->epoll_fd);
err_stop_fd:
	close(drain->stop_fd);
err_free:
	pthread_mutex_destroy(&drain->lock);
	free(drain);
	return NULL;
}

void drain_free(struct drain *drain)
{
	struct egress *e, *next;

	if (!drain)
		return;
	eventfd_write(drain->stop_fd, 1);
	pthread_join(drain->thread, NULL);
	for (e = drain->watched; e; e = next) {
		next = e->next_watched;
		endpoint_put(e->owner);
	}
	close(drain->epoll_fd);
	close(drain->stop_fd);
	pthread_mutex_destroy(&drain->lock);
	free(drain);
}
