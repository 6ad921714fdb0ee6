/* SPDX-License-Identifier: MIT */
/*
 * The settings that may change while the server runs.
 *
 * Theory of operation: a new configuration is read and checked as a whole
 * before any of it counts.  Then each live setting goes to the part that it
 * belongs to, which takes it with its own lock or as one atomic value; no
 * client is touched.  Settings that are not live are compared with those of
 * the start, and named for as long as they differ.
 */
#include "server/reload.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/log.h"
#include "server/accept.h"
#include "server/addrpool.h"
#include "server/admission.h"
#include "server/client.h"
#include "server/config.h"
#include "server/push.h"
#include "server/server.h"

enum {
	WAIT_MS = 5,			/* egress_wait(); docs/design.md */
	PATIENCE_MS = 50,
	CONNECT_BURST = 10,		/* times the rate */
	PENALTY_MS = 2000,		/* for one that was no client's */
	PENALTY_THRESHOLD_MS = 10000,
	PENALTY_MAX_MS = 60000,
};

struct reload {
	pthread_mutex_t lock;		/* one reload at a time */
	struct server *server;		/* [I] */
	struct acceptor *acceptor;	/* [I] */
	int argc;			/* [I] */
	char **argv;			/* [I] */
	struct server_config now, next;	/* [lock] */
};

/* The names of options, one after the other. */
struct names {
	char *text;
	size_t len, size;
	unsigned int wanted;	/* OPTION_LIVE or 0 */
};

static void set_limits(struct egress_limits *limits,
		       const struct server_config *config)
{
	limits->queue_bytes = config->client_queue_kib * 1024;
	limits->queue_packets = config->client_queue_packets;
	limits->memory = (uint64_t)config->queue_memory_mib << 20;
	limits->stall_ms = config->stall_timeout_s * 1000;
	limits->wait_ms = WAIT_MS;
	limits->patience_ms = PATIENCE_MS;
}

static void set_admission(struct admission *admission,
			  const struct server_config *config)
{
	const struct admission_limits limits = {
		.max_pending = config->max_pending,
		.max_pending_source = config->max_pending_per_source,
		.rate_source = config->connect_rate,
		.burst_source = CONNECT_BURST * config->connect_rate,
		.max_clients_source = config->max_clients_per_source,
		.penalty_ms = PENALTY_MS,
		.penalty_threshold_ms = PENALTY_THRESHOLD_MS,
		.penalty_max_ms = PENALTY_MAX_MS,
	};

	admission_set_limits(admission, &limits);
}

static void apply(const struct reload *r, const struct server_config *config)
{
	struct server *server = r->server;
	uint32_t max = config->max_clients;

	server->live.idle_timeout_s = config->idle_timeout_s;
	server->live.flush_timeout_s = config->flush_timeout_s;
	set_limits(&server->limits, config);
	set_admission(server->admission, config);
	addrpool_set_max_held(server->pool, max ? max : UINT32_MAX);
	if (push_set(server->push, config))
		client_announce_push(server);
	accept_set_congestion(r->acceptor, config->congestion);
	log_set_level(config_log_level(config));
	log_set_format((enum log_format)config->log_format);
}

struct reload *reload_new(struct server *server, struct acceptor *acceptor,
			  const struct server_config *config, int argc,
			  char **argv)
{
	struct reload *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	pthread_mutex_init(&r->lock, NULL);
	r->server = server;
	r->acceptor = acceptor;
	r->argc = argc;
	r->argv = argv;
	r->now = *config;
	apply(r, config);
	return r;
}

void reload_free(struct reload *r)
{
	if (!r)
		return;
	pthread_mutex_destroy(&r->lock);
	free(r);
}

static void add_name(const struct option_def *def, void *arg)
{
	struct names *names = arg;
	int len;

	if ((def->flags & OPTION_LIVE) != names->wanted)
		return;
	len = snprintf(names->text + names->len, names->size - names->len,
		       "%s%s", names->len ? ", " : "", def->name);
	if (len > 0 && (size_t)len < names->size - names->len)
		names->len += (size_t)len;
}

static void compare(const struct server_config *before,
		    const struct server_config *after, unsigned int wanted,
		    char *text, size_t size)
{
	struct names names = { .text = text, .size = size, .wanted = wanted };

	text[0] = '\0';
	config_visit_changes(before, after, add_name, &names);
}

static void describe(const struct reload *r, char report[RELOAD_REPORT_LEN])
{
	char live[RELOAD_REPORT_LEN / 3], rest[RELOAD_REPORT_LEN / 3];

	compare(&r->now, &r->next, OPTION_LIVE, live, sizeof(live));
	compare(r->server->config, &r->next, 0, rest, sizeof(rest));
	snprintf(report, RELOAD_REPORT_LEN, "configuration reloaded%s%s%s%s",
		 live[0] ? ", changed: " : ", nothing changed", live,
		 rest[0] ? "; these need a restart: " : "", rest);
	log_at(rest[0] ? LOG_LEVEL_WARNING : LOG_LEVEL_NOTICE, "%s", report);
}

/*
 * A pipe, as of a shell's <(...), gave all it had at the start: to open it
 * again would wait for a writer, and the server with it.
 */
static bool is_readable_again(const char *path, char error[OPTIONS_ERROR_LEN])
{
	struct stat there;

	if (!path[0] || stat(path, &there) < 0 || S_ISREG(there.st_mode))
		return true;	/* or reading it says what is wrong */
	snprintf(error, OPTIONS_ERROR_LEN, "%.80s is not a regular file, which "
		 "alone can be read again", path);
	return false;
}

int reload_run(struct reload *r, char report[RELOAD_REPORT_LEN])
{
	char error[OPTIONS_ERROR_LEN];
	bool good;

	pthread_mutex_lock(&r->lock);
	good = is_readable_again(r->now.path, error) &&
	       config_read(&r->next, r->argc, r->argv, error);
	if (good) {
		describe(r, report);
		apply(r, &r->next);
		r->now = r->next;
	} else {
		snprintf(report, RELOAD_REPORT_LEN,
			 "configuration not reloaded, all stays as it was: %s",
			 error);
		log_error("%s", report);
	}
	pthread_mutex_unlock(&r->lock);
	return good ? 0 : -EINVAL;
}
