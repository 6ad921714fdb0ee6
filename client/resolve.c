/* SPDX-License-Identifier: MIT */
/*
 * Name resolution that does not block.
 *
 * Theory of operation: a request is counted: one reference for the caller, one
 * for the thread.  The thread fills in the result, then writes to the eventfd,
 * then drops its reference; the caller looks at the result only after it read
 * the eventfd.  So a caller that has waited long enough just drops its own
 * reference, and the thread frees the request whenever getaddrinfo(3) returns.
 * The thread is detached: nothing waits for it, not even the end of cli.
 */
#include "client/resolve.h"

#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PORT_TEXT_LEN = 6 };

struct resolve {
	_Atomic unsigned int n_references;
	int event_fd;
	int result;
	struct addrinfo *list;
	char port[PORT_TEXT_LEN];
	char host[];
};

static void look_up(struct resolve *r, int flags)
{
	const struct addrinfo hints = {
		.ai_family = AF_UNSPEC,
		.ai_socktype = SOCK_STREAM,
		.ai_flags = AI_NUMERICSERV | flags,
	};

	r->result = getaddrinfo(r->host, r->port, &hints, &r->list);
	if (r->result != 0)
		r->list = NULL;
}

static void announce(const struct resolve *r)
{
	static const uint64_t one = 1;

	/* The first write to an eventfd cannot block or be short. */
	while (write(r->event_fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

static void *resolve_main(void *arg)
{
	struct resolve *r = arg;

	look_up(r, 0);
	announce(r);
	resolve_put(r);
	return NULL;
}

static int start_thread(struct resolve *r)
{
	pthread_attr_t attributes;
	pthread_t thread;
	int error;

	error = pthread_attr_init(&attributes);
	if (error != 0)
		return error;
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	atomic_fetch_add(&r->n_references, 1);
	error = pthread_create(&thread, &attributes, resolve_main, r);
	if (error != 0)
		atomic_fetch_sub(&r->n_references, 1);
	pthread_attr_destroy(&attributes);
	return error;
}

struct resolve *resolve_start(const char *host, uint16_t port)
{
	size_t size = strlen(host) + 1;
	struct resolve *r;
	int error;

	r = calloc(1, sizeof(*r) + size);
	if (r == NULL)
		return NULL;
	atomic_init(&r->n_references, 1);
	memcpy(r->host, host, size);
	snprintf(r->port, sizeof(r->port), "%u", port);
	r->event_fd = eventfd(0, EFD_CLOEXEC);
	if (r->event_fd < 0) {
		error = errno;
		goto fail;
	}
	look_up(r, AI_NUMERICHOST);
	if (r->result == 0) {
		announce(r);
		return r;
	}
	error = start_thread(r);
	if (error == 0)
		return r;
fail:
	resolve_put(r);
	errno = error;
	return NULL;
}

int resolve_fd(const struct resolve *r)
{
	return r->event_fd;
}

int resolve_result(struct resolve *r, const struct addrinfo **list)
{
	uint64_t count;

	/* Orders this thread behind the one that filled in the result. */
	while (read(r->event_fd, &count, sizeof(count)) < 0 && errno == EINTR)
		;
	*list = r->list;
	return r->result;
}

void resolve_put(struct resolve *r)
{
	if (r == NULL || atomic_fetch_sub(&r->n_references, 1) != 1)
		return;
	if (r->event_fd >= 0)
		close(r->event_fd);
	if (r->list != NULL)
		freeaddrinfo(r->list);
	free(r);
}
