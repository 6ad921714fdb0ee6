/* SPDX-License-Identifier: MIT */
/*
 * The HTTP server for metrics and the status page.
 *
 * Theory of operation: one thread accepts connections, lets libmicrohttpd serve
 * them, and takes a sample of the counters every other second, all from one
 * poll().  It runs at a lower priority than the threads that move packets, and
 * of their locks takes a client's egress lock alone, for a few reads.  What it
 * costs is bounded: a connection is for one request and has a few seconds in
 * all; when many are open, the one that has taken the longest goes for each
 * that comes, so that connections which say nothing keep nobody out; and
 * however often somebody asks, the clients are looked at no more than twice a
 * second.
 *
 * Nothing is shared with other threads but stop_fd.
 */
#include "server/metrics.h"

#include <errno.h>
#include <microhttpd.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/sock.h"
#include "server/config.h"
#include "server/endpoint.h"
#include "server/gateway.h"
#include "server/history.h"
#include "server/pages.h"
#include "server/registry.h"
#include "server/server.h"

enum {
	MAX_OPEN = 48,			/* connections */
	ACCEPT_BATCH = 8,
	SLOTS = MAX_OPEN + ACCEPT_BATCH,	/* some are about to close */
	DEADLINE_MS = 10000,		/* of a connection; that is also how
					 * long Prometheus waits */
	REQUEST_MEMORY = 16 * 1024,	/* of one connection, bytes */
	PAUSE_MS = 200,			/* when descriptors have run out */
	NICENESS = 10,
	ERROR_LEN = 200,
	LINE_LEN = 200,
};

struct slot {
	int fd;				/* -1: free */
	uint64_t since_ms;
	bool ended;			/* shut; libmicrohttpd will close it */
};

struct metrics {
	const struct server *server;
	int listener;
	int stop_fd;			/* an eventfd */
	pthread_t thread;
	struct MHD_Daemon *http;
	struct slot slots[SLOTS];
	uint64_t pause_end_ms;		/* until then nothing is accepted */
	uint64_t next_sample_ms;
	struct history history;
	struct pages pages;
};

/* --- connections --- */

static struct slot *find_slot(struct metrics *m, int fd)
{
	int i;

	for (i = 0; i < SLOTS; i++)
		if (m->slots[i].fd == fd)
			return &m->slots[i];
	return NULL;
}

/* libmicrohttpd has begun to serve a connection, or is about to close it. */
static void notice_connection(void *arg, struct MHD_Connection *connection,
			      void **context,
			      enum MHD_ConnectionNotificationCode what)
{
	int fd = MHD_get_connection_info(connection,
				MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
	bool begins = what == MHD_CONNECTION_NOTIFY_STARTED;
	struct slot *slot = find_slot(arg, begins ? -1 : fd);

	(void)context;
	if (!slot)	/* its own limit keeps to the number of slots */
		return;
	slot->fd = begins ? fd : -1;
	slot->since_ms = clock_now_ms();
	slot->ended = false;
}

static void end_slot(struct slot *slot)
{
	shutdown(slot->fd, SHUT_RDWR);
	slot->ended = true;
}

/* The longest open, or NULL; *n of them are open. */
static struct slot *oldest_slot(struct metrics *m, int *n)
{
	struct slot *oldest = NULL, *slot;

	*n = 0;
	for (slot = m->slots; slot < m->slots + SLOTS; slot++) {
		if (slot->fd < 0 || slot->ended)
			continue;
		++*n;
		if (!oldest || slot->since_ms < oldest->since_ms)
			oldest = slot;
	}
	return oldest;
}

/* Leaves at most n open, none of them for too long. */
static void end_overdue(struct metrics *m, int most, uint64_t now_ms)
{
	struct slot *slot;
	int n;

	while ((slot = oldest_slot(m, &n)) != NULL &&
	       (n > most || now_ms - slot->since_ms >= DEADLINE_MS))
		end_slot(slot);
}

static void accept_some(struct metrics *m, uint64_t now_ms)
{
	struct sockaddr_storage peer;
	socklen_t len;
	int i, fd;

	end_overdue(m, MAX_OPEN - ACCEPT_BATCH, now_ms);
	MHD_run(m->http);	/* which closes them */
	for (i = 0; i < ACCEPT_BATCH; i++) {
		len = sizeof(peer);
		fd = accept4(m->listener, (struct sockaddr *)&peer, &len,
			     SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd < 0) {
			if (errno == EMFILE || errno == ENFILE ||
			    errno == ENOBUFS || errno == ENOMEM)
				m->pause_end_ms = now_ms + PAUSE_MS;
			return;
		}
		MHD_add_connection(m->http, fd, (struct sockaddr *)&peer, len);
	}
}

/* --- the thread --- */

static void take_sample(struct metrics *m, uint64_t now_ms)
{
	struct history_sample sample = { .time_ms = now_ms };
	struct stats total = { 0 };
	int i;

	registry_total(m->server->registry, &total);
	sample.count[HISTORY_IN_BYTES] = counter_get(&total.rx_bytes);
	sample.count[HISTORY_OUT_BYTES] = counter_get(&total.tx_bytes);
	sample.count[HISTORY_IN_PACKETS] = counter_get(&total.rx_packets);
	sample.count[HISTORY_OUT_PACKETS] = counter_get(&total.tx_packets);
	if (m->server->gateway)
		stats_add(&total,
			  &gateway_endpoint(m->server->gateway)->stats);
	for (i = 0; i < DROP_N_REASONS; i++)
		sample.count[HISTORY_DROPS] += counter_get(&total.drops[i]);
	history_add(&m->history, &sample);
	m->next_sample_ms = now_ms + HISTORY_INTERVAL_MS;
	pages_forget(&m->pages, now_ms);
}

static int next_timeout(struct metrics *m, uint64_t now_ms)
{
	uint64_t timeout_ms = m->next_sample_ms - now_ms;
	MHD_UNSIGNED_LONG_LONG http_ms;

	if (MHD_get_timeout(m->http, &http_ms) == MHD_YES &&
	    http_ms < timeout_ms)
		timeout_ms = http_ms;
	if (m->pause_end_ms > now_ms && timeout_ms > PAUSE_MS)
		timeout_ms = PAUSE_MS;
	return (int)timeout_ms;
}

static void *metrics_main(void *arg)
{
	struct metrics *m = arg;
	struct pollfd fds[] = {
		{ .fd = m->stop_fd, .events = POLLIN },
		{ .events = POLLIN },
		{ .events = POLLIN },
	};
	uint64_t now_ms;

	/* Of this thread alone (setpriority(2), "C library/kernel"). */
	setpriority(PRIO_PROCESS, 0, NICENESS);
	fds[1].fd = MHD_get_daemon_info(m->http,
					MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
	for (;;) {
		now_ms = clock_now_ms();
		if (now_ms >= m->next_sample_ms)
			take_sample(m, now_ms);
		end_overdue(m, SLOTS, now_ms);
		fds[2].fd = now_ms >= m->pause_end_ms ? m->listener : -1;
		if (poll(fds, 3, next_timeout(m, now_ms)) < 0)
			continue;
		if (fds[0].revents)
			return NULL;
		if (fds[2].revents)
			accept_some(m, clock_now_ms());
		MHD_run(m->http);
	}
}

/* --- start and end --- */

static enum MHD_Result handle(void *arg, struct MHD_Connection *connection,
			      const char *path, const char *method,
			      const char *version, const char *body,
			      size_t *body_size, void **state)
{
	struct metrics *m = arg;

	(void)version;
	(void)body;
	(void)body_size;
	(void)state;
	return pages_answer(&m->pages, connection, path, method);
}

__attribute__((format(printf, 2, 0)))
static void log_http(void *arg, const char *format, va_list args)
{
	static struct log_limit limit;
	char line[LINE_LEN];

	(void)arg;
	vsnprintf(line, sizeof(line), format, args);
	line[strcspn(line, "\n")] = '\0';
	log_limited(&limit, LOG_LEVEL_DEBUG, "metrics: %s", line);
}

struct metrics *metrics_open(const struct server *server)
{
	const struct option_address *address = &server->config->metrics;
	struct metrics *m = calloc(1, sizeof(*m));
	char error[ERROR_LEN];
	int i;

	if (!m) {
		log_error("out of memory");
		return NULL;
	}
	m->server = server;
	m->pages.server = server;
	m->pages.history = &m->history;
	for (i = 0; i < SLOTS; i++)
		m->slots[i].fd = -1;
	m->listener = m->stop_fd = -1;
	if (sock_listen(address->host, address->port, &m->listener, 1, error,
			sizeof(error)) < 0) {
		log_error("--metrics: %s", error);
		goto err;
	}
	m->stop_fd = eventfd(0, EFD_CLOEXEC);
	if (m->stop_fd < 0) {
		log_error("eventfd: %s", strerror(errno));
		goto err;
	}
	return m;

err:
	metrics_close(m);
	return NULL;
}

int metrics_start(struct metrics *m)
{
	const struct option_address *address = &m->server->config->metrics;
	int error;

	m->http = MHD_start_daemon(
		MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_USE_ERROR_LOG,
		0, NULL, NULL, handle, m,
		MHD_OPTION_EXTERNAL_LOGGER, log_http, NULL,
		MHD_OPTION_CONNECTION_LIMIT, (unsigned int)SLOTS,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)REQUEST_MEMORY,
		MHD_OPTION_NOTIFY_CONNECTION, notice_connection, m,
		MHD_OPTION_END);
	if (!m->http)
		return -ENOMEM;
	error = pthread_create(&m->thread, NULL, metrics_main, m);
	if (error) {
		MHD_stop_daemon(m->http);
		return -error;
	}
	log_notice(strchr(address->host, ':') ?
		   "metrics and status page at http://[%s]:%u/" :
		   "metrics and status page at http://%s:%u/", address->host,
		   address->port);
	return 0;
}

void metrics_stop(struct metrics *m)
{
	eventfd_write(m->stop_fd, 1);
	pthread_join(m->thread, NULL);
	MHD_stop_daemon(m->http);
	pages_forget(&m->pages, UINT64_MAX);
}

void metrics_close(struct metrics *m)
{
	if (!m)
		return;
	if (m->listener >= 0)
		close(m->listener);
	if (m->stop_fd >= 0)
		close(m->stop_fd);
	free(m);
}
