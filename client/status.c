/* SPDX-License-Identifier: MIT */
/*
 * What cli is doing.
 *
 * Theory of operation: at events the main thread copies what they say into
 * struct view, under the lock.  Counters and the state of the connection are
 * its own; who asks sends the process SIGUSR2, which the main thread finds in
 * its signalfd like any other signal, and waits until it has copied them, too.
 * A main thread that is busy for longer than that delays an answer, which then
 * has the figures of the last one.
 */
#include "client/status.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "client/commands.h"
#include "client/status_print.h"
#include "common/clock.h"
#include "common/control.h"
#include "common/exit.h"
#include "common/log.h"

enum { SAMPLE_WAIT_MS = 1000 };

/* [I] set once  [l] under lock */
struct status {
	struct control *control;	/* main thread; NULL: nobody can ask */
	pthread_mutex_t lock;
	pthread_cond_t sampled;
	uint64_t n_samples;		/* [l] */
	struct status_view view;	/* [l] its servers and interface [I] */
};

struct status *status_new(const char *interface,
			  const struct option_list *servers)
{
	struct status *s = calloc(1, sizeof(*s));
	pthread_condattr_t attributes;

	if (!s)
		return NULL;
	pthread_mutex_init(&s->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&s->sampled, &attributes);
	pthread_condattr_destroy(&attributes);
	s->view.interface = interface;
	s->view.servers = servers;
	s->view.since_ms = clock_now_ms();
	return s;
}

/* "Not connected" lasts from the end of a connection to the next one. */
static void set_state_locked(struct status *s, enum status_state state)
{
	bool was = s->view.state == STATUS_CONNECTED;

	if (was != (state == STATUS_CONNECTED))
		s->view.since_ms = clock_now_ms();
	s->view.state = state;
}

/* A server may have said it, and it is going to somebody's terminal. */
static void copy_printable(char *out, size_t size, const char *text)
{
	size_t i;

	for (i = 0; i < size - 1 && text[i]; i++)
		out[i] = text[i] < ' ' || text[i] > '~' ? '?' : text[i];
	out[i] = '\0';
}

static void set_server_locked(struct status *s, const char *server)
{
	snprintf(s->view.server, sizeof(s->view.server), "%s", server);
}

void status_connecting(struct status *s, const char *server)
{
	pthread_mutex_lock(&s->lock);
	set_state_locked(s, STATUS_CONNECTING);
	set_server_locked(s, server);
	pthread_mutex_unlock(&s->lock);
}

void status_connected(struct status *s, const struct facts *facts)
{
	pthread_mutex_lock(&s->lock);
	set_state_locked(s, STATUS_CONNECTED);
	set_server_locked(s, facts->server);
	s->view.facts = *facts;
	s->view.why[0] = '\0';
	pthread_mutex_unlock(&s->lock);
}

void status_waiting(struct status *s, const char *why, const char *server,
		    uint64_t next_ms)
{
	pthread_mutex_lock(&s->lock);
	set_state_locked(s, STATUS_WAITING);
	set_server_locked(s, server);
	copy_printable(s->view.why, sizeof(s->view.why), why);
	s->view.next_ms = next_ms;
	pthread_mutex_unlock(&s->lock);
}

void status_sample(struct status *s, const struct counters *counters, int fd)
{
	struct tcp_info info = { 0 };
	socklen_t len = sizeof(info);

	if (fd >= 0)
		getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len);
	pthread_mutex_lock(&s->lock);
	s->view.counters = *counters;
	s->view.rtt_us = info.tcpi_rtt;
	s->view.n_resent = info.tcpi_total_retrans;
	s->n_samples++;
	pthread_cond_broadcast(&s->sampled);
	pthread_mutex_unlock(&s->lock);
}

static struct timespec deadline_in(unsigned int ms)
{
	uint64_t ns = clock_now_ns() + ms * 1000000ULL;

	return (struct timespec){
		.tv_sec = (time_t)(ns / 1000000000),
		.tv_nsec = (long)(ns % 1000000000),
	};
}

static void copy_view(struct status *s, struct status_view *view)
{
	struct timespec deadline = deadline_in(SAMPLE_WAIT_MS);
	uint64_t before;
	int error = 0;

	pthread_mutex_lock(&s->lock);
	before = s->n_samples;
	kill(getpid(), SIGUSR2);
	while (s->n_samples == before && !error)
		error = pthread_cond_timedwait(&s->sampled, &s->lock,
					       &deadline);
	*view = s->view;
	pthread_mutex_unlock(&s->lock);
}

/*
 * Answer "status" or "status json"; control.h.  The control thread; waits for
 * the main thread to sample, for a second at most.
 */
static int answer(const char *request, FILE *out, void *arg)
{
	bool json = !strcmp(request, "status json");
	struct status *s = arg;
	struct status_view view;

	if (!json && strcmp(request, "status") != 0) {
		fputs("unknown request; a client takes: status, status json\n",
		      out);
		return EXIT_USAGE;
	}
	copy_view(s, &view);
	view.now_ms = clock_now_ms();
	view.now_unix_s = time(NULL);
	if (json)
		status_print_json(&view, out);
	else
		status_print(&view, out);
	return EXIT_OK;
}

static int open_control(struct status *s, const char *path,
			char error[CONTROL_ERROR_LEN])
{
	int result = control_open(&s->control, path, answer, s, error);

	if (result != 0) {
		s->control = NULL;
		return result;
	}
	result = control_start(s->control);
	if (result != 0) {
		snprintf(error, CONTROL_ERROR_LEN, "no thread for %s: %s",
			 path, strerror(-result));
		control_close(s->control);
		s->control = NULL;
	}
	return result;
}

bool status_serve(struct status *s, const char *path)
{
	char error[CONTROL_ERROR_LEN], usual[OPTIONS_TEXT_LEN];

	if (!strcmp(path, "none"))
		return true;
	commands_socket_path(s->view.interface, usual, sizeof(usual));
	if (open_control(s, *path ? path : usual, error) == 0)
		return true;
	if (*path) {
		log_error("%s", error);
		return false;
	}
	log_warning("%s; cli status will not show this client", error);
	return true;
}

void status_free(struct status *s)
{
	if (!s)
		return;
	if (s->control) {
		control_stop(s->control);
		control_close(s->control);
	}
	pthread_cond_destroy(&s->sampled);
	pthread_mutex_destroy(&s->lock);
	free(s);
}
