/* SPDX-License-Identifier: MIT */
/*
 * The listening sockets and the thread that accepts from them.
 *
 * Theory of operation: the thread waits on the listening sockets, on the
 * registry for client threads to be joined, and on an eventfd for the end.
 * When descriptors run out it gives up a spare one to accept the waiting
 * connection and close it at once, so that the stranger learns of it and the
 * socket does not stay readable; if even that fails it leaves the listening
 * sockets alone for a while.  Clients that are connected are not affected.
 * Connections over the limits of admission.h are closed at once.
 */
#include "server/accept.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/sock.h"
#include "server/admission.h"
#include "server/client.h"
#include "server/config.h"
#include "server/registry.h"
#include "server/server.h"

enum {
	MAX_LISTENERS = 2 * OPTIONS_MAX_LIST,
	FIXED_FDS = 2,		/* the registry's and the stop eventfd */
	ACCEPT_BATCH = 64,	/* connections before others get a look */
	PAUSE_MS = 200,
	REQUEST_MS = 200,	/* a client's request has come by then */
	ERROR_LEN = 200,
};

struct acceptor {
	const struct server *server;	/* [I] */
	int stop_fd;			/* [I] an eventfd */
	pthread_t thread;
	uint64_t random;		/* accept thread only */
	int spare_fd;			/* accept thread only */
	int n_listeners;		/* [I] */
	int listeners[MAX_LISTENERS];	/* [I] */
};

/* False: giving up the spare one has not freed what is missing. */
static bool refuse_one(struct acceptor *a, int listener)
{
	int fd, error;

	close(a->spare_fd);
	fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	error = fd < 0 ? errno : 0;
	if (fd >= 0)
		close(fd);
	a->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	return a->spare_fd >= 0 && (fd >= 0 || error == EAGAIN);
}

/* False: resources are short, leave the sockets alone for a while. */
static bool accept_failed(struct acceptor *a, int listener, int error)
{
	static struct log_limit limit;

	switch (error) {
	case EMFILE:
	case ENFILE:
		admission_count(a->server->admission, ADMISSION_NO_RESOURCES);
		log_limited(&limit, LOG_LEVEL_WARNING,
			    "connection refused: no file descriptor left "
			    "(%s); raise the limit (ulimit -n)",
			    strerror(error));
		if (a->spare_fd < 0)
			return false;
		return refuse_one(a, listener);
	case ENOBUFS:
	case ENOMEM:
		log_limited(&limit, LOG_LEVEL_WARNING,
			    "cannot accept a connection: %s", strerror(error));
		return false;
	default:	/* of that connection, accept(2) "Error handling" */
		return true;
	}
}

/* xorshift64 (Marsaglia 2003); nothing secret depends on it. */
static uint32_t next_random(struct acceptor *a)
{
	a->random ^= a->random << 13;
	a->random ^= a->random >> 7;
	a->random ^= a->random << 17;
	return (uint32_t)(a->random >> 32);
}

/* Serve the connection, or close it. */
static void admit(struct acceptor *a, int fd,
		  const struct sockaddr_storage *peer)
{
	static struct log_limit refused, failed;
	struct admission *admission = a->server->admission;
	uint64_t now_ms = clock_now_ms();
	struct admission_source *source;
	enum admission_verdict verdict;
	char text[SOCK_TEXT_LEN];
	int error;

	verdict = admission_accept(admission, peer, now_ms, next_random(a),
				   &source);
	if (verdict == ADMISSION_TOO_MANY &&
	    registry_crowd_out(a->server->registry, now_ms - REQUEST_MS))
		verdict = admission_accept_instead(admission, peer, now_ms,
						   &source);
	if (verdict != ADMISSION_OK) {
		close(fd);
		sock_text(peer, text);
		log_limited(&refused, LOG_LEVEL_WARNING, "%s refused: %s",
			    text, admission_verdict_text(verdict));
		return;
	}
	error = client_start(a->server, fd, peer, source);
	if (error) {
		admission_count(a->server->admission, ADMISSION_NO_RESOURCES);
		log_limited(&failed, LOG_LEVEL_WARNING,
			    "connection refused: no thread or memory for it: "
			    "%s", strerror(-error));
	}
}

/* Accept what waits, within bounds.  False as accept_failed(). */
static bool accept_some(struct acceptor *a, int listener)
{
	struct sockaddr_storage peer;
	socklen_t len;
	int i, fd;

	for (i = 0; i < ACCEPT_BATCH; i++) {
		len = sizeof(peer);
		fd = accept4(listener, (struct sockaddr *)&peer, &len,
			     SOCK_CLOEXEC);
		if (fd < 0 && errno == EAGAIN)
			return true;
		if (fd < 0) {
			if (!accept_failed(a, listener, errno))
				return false;
			continue;
		}
		admit(a, fd, &peer);
	}
	return true;
}

static void *accept_main(void *arg)
{
	struct pollfd fds[FIXED_FDS + MAX_LISTENERS];
	struct acceptor *a = arg;
	bool able = true;
	int i, n;

	fds[0] = (struct pollfd){ .fd = a->stop_fd, .events = POLLIN };
	fds[1].fd = registry_fd(a->server->registry);
	fds[1].events = POLLIN;
	for (i = 0; i < a->n_listeners; i++) {
		fds[FIXED_FDS + i].fd = a->listeners[i];
		fds[FIXED_FDS + i].events = POLLIN;
	}
	for (;;) {
		n = FIXED_FDS + (able ? a->n_listeners : 0);
		if (poll(fds, (nfds_t)n, able ? -1 : PAUSE_MS) < 0)
			continue;
		if (fds[0].revents)
			return NULL;
		if (fds[1].revents)
			registry_reap(a->server->registry);
		if (a->spare_fd < 0)
			a->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
		able = true;
		for (i = FIXED_FDS; able && i < n; i++)
			if (fds[i].revents)
				able = accept_some(a, fds[i].fd);
	}
}

static bool listen_on(struct acceptor *a, const char *address)
{
	char error[ERROR_LEN];
	int n = sock_listen(address, (uint16_t)a->server->config->port,
			    a->listeners + a->n_listeners,
			    MAX_LISTENERS - a->n_listeners, error,
			    sizeof(error));

	if (n < 0) {
		log_error("%s", error);
		return false;
	}
	a->n_listeners += n;
	return true;
}

static bool listen_on_all(struct acceptor *a)
{
	const struct option_list *list = &a->server->config->listen;
	unsigned int i;

	if (list->n == 0)
		return listen_on(a, NULL);
	for (i = 0; i < list->n; i++)
		if (!listen_on(a, list->text[i]))
			return false;
	return true;
}

struct acceptor *accept_open(const struct server *server)
{
	struct acceptor *a = calloc(1, sizeof(*a));

	if (!a) {
		log_error("out of memory");
		return NULL;
	}
	a->server = server;
	a->random = clock_now_ns() | 1;
	a->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	a->stop_fd = eventfd(0, EFD_CLOEXEC);
	if (a->stop_fd < 0) {
		log_error("eventfd: %s", strerror(errno));
		accept_close(a);
		return NULL;
	}
	if (!listen_on_all(a)) {
		accept_close(a);
		return NULL;
	}
	return a;
}

/* Not to get it is no reason not to serve. */
static void set_congestion(int listener, const char *name)
{
	int error = sock_congestion(listener, name);

	if (error)
		log_warning("congestion control %s is not to be had (%s): "
			    "using the kernel's default", name,
			    strerror(-error));
}

void accept_set_congestion(const struct acceptor *a, const char *name)
{
	int i;

	for (i = 0; i < a->n_listeners; i++)
		set_congestion(a->listeners[i], name);
}

int accept_start(struct acceptor *a)
{
	return -pthread_create(&a->thread, NULL, accept_main, a);
}

void accept_stop(struct acceptor *a)
{
	eventfd_write(a->stop_fd, 1);
	pthread_join(a->thread, NULL);
}

void accept_shut(const struct acceptor *a)
{
	int i;

	for (i = 0; i < a->n_listeners; i++)
		shutdown(a->listeners[i], SHUT_RDWR);
}

void accept_close(struct acceptor *a)
{
	int i;

	if (!a)
		return;
	for (i = 0; i < a->n_listeners; i++)
		close(a->listeners[i]);
	if (a->spare_fd >= 0)
		close(a->spare_fd);
	if (a->stop_fd >= 0)
		close(a->stop_fd);
	free(a);
}
