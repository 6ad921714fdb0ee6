/* SPDX-License-Identifier: MIT */
/*
 * The life of the client.
 *
 * Theory of operation: one attempt is connect, join, move packets, until the
 * connection ends.  Every end has a sentence for people and an event for
 * reconnect.c, which says how long to wait and which address to ask for next.
 * The TUN interface with its address and routes stands over all attempts, so
 * that connections through the tunnel outlive the server's restart.  Only a
 * signal, the loss of the interface, or an interface that cannot be configured
 * end the program.
 */
#include "client/client.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "client/config.h"
#include "client/counters.h"
#include "client/end.h"
#include "client/facts.h"
#include "client/hooks.h"
#include "client/link.h"
#include "client/netup.h"
#include "client/pump.h"
#include "client/pushed.h"
#include "client/reconnect.h"
#include "client/servers.h"
#include "client/settings.h"
#include "client/signals.h"
#include "client/status.h"
#include "common/clock.h"
#include "common/exit.h"
#include "common/log.h"
#include "common/notify.h"
#include "common/tun.h"
#include "proto/session.h"

enum {
	PATH_LEN = 200,
	EXIT_NOT_YET = -1,
	/* What a person who changes the server's file does not reach. */
	MAX_CHANGES = 20,
	CHANGES_MS = 10000,
};

struct client {
	const struct cli_config *config;
	struct counters counters;
	struct notify notify;
	struct signals signals;
	struct tun tun;
	struct netup netup;
	struct pump *pump;
	struct link link;
	struct session session;
	struct reconnect reconnect;
	struct hooks *hooks;
	struct status *status;
	/* How the last attempt ended. */
	struct end end;
	/* Changes of options that were applied, since then. */
	struct msg_options told;	/* of which the interface was made */
	unsigned int n_changes;
	uint64_t changes_since_ms;
};

static uint32_t random_number(void)
{
	uint32_t random;

	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) < 0)
		random = (uint32_t)clock_now_ns();
	return random;
}

/* Tell reconnect.c of an event; for an end, the wait in milliseconds. */
static uint64_t tell_reconnect(struct client *c, enum reconnect_event event,
			       uint32_t retry_ms)
{
	struct reconnect_input input = {
		.event = event,
		.address = c->session.address,
		.server_capable = c->session.server_capable,
		.retry_ms = retry_ms,
		.random = random_number(),
		.now_ms = clock_now_ms(),
	};

	return reconnect_next(&c->reconnect, &input);
}

/* The server to try next, or the one we are at, as the user wrote it. */
static const char *server_text(const struct client *c)
{
	return c->config->servers.text[c->reconnect.server];
}

/* ---- the interface ---- */

static int no_permission(const char *what)
{
	char path[PATH_LEN];
	ssize_t len;

	len = readlink("/proc/self/exe", path, sizeof(path) - 1);
	path[len < 0 ? 0 : len] = '\0';
	log_error("no permission to %s: run cli as root, or once: setcap "
		  "cap_net_admin+ep %s", what, len > 0 ? path : "cli");
	return EXIT_PERMISSION;
}

static int open_tun(struct client *c)
{
	const char *missing;
	int error;

	error = tun_open(&c->tun, c->config->tun);
	switch (-error) {
	case 0:
		break;
	case EPERM:
	case EACCES:
		return no_permission("create a TUN interface");
	case ENOENT:
	case ENODEV:
		log_error("this kernel has no TUN interfaces (/dev/net/tun); "
			  "try: modprobe tun");
		return EXIT_ERROR;
	case EBUSY:
		log_error("interface %s is in use by another program",
			  c->config->tun);
		return EXIT_ERROR;
	default:
		log_error("cannot create TUN interface %s: %s",
			  c->config->tun, strerror(-error));
		return EXIT_ERROR;
	}
	missing = tun_missing_offloads(&c->tun);
	log_debug("interface %s created, offloads missing: %s", c->tun.name,
		  missing != NULL ? missing : "none");
	return EXIT_NOT_YET;
}

static void collect_facts(const struct client *c, struct facts *facts)
{
	const struct msg_options *options = &c->session.options;
	const struct netup_settings *now = &c->netup.now;

	memset(facts, 0, sizeof(*facts));
	snprintf(facts->interface, sizeof(facts->interface), "%s",
		 c->tun.name);
	snprintf(facts->server, sizeof(facts->server), "%s", server_text(c));
	snprintf(facts->peer, sizeof(facts->peer), "%s", c->link.text);
	facts->address = now->address;
	facts->prefix_len = now->prefix_len;
	facts->mtu = now->mtu;
	if (options->has_server)
		facts->gateway = options->server;
	facts->default_route = c->config->default_route;
	facts->n_routes = now->n_routes;
	_Static_assert(sizeof(facts->routes) == sizeof(now->routes), "room");
	memcpy(facts->routes, now->routes,
	       now->n_routes * sizeof(now->routes[0]));
	facts->n_dns = now->dns.n;
	memcpy(facts->dns, now->dns.servers, sizeof(facts->dns));
	memcpy(facts->search, now->dns.search, sizeof(facts->search));
	facts->dns_unused = !c->config->dns;
}

/* Make the interface what the session says; EXIT_NOT_YET: it is. */
static int set_up_interface(struct client *c)
{
	struct netup_settings settings;
	struct facts facts;
	int error;

	c->told = c->session.options;
	settings_from(c->config, &c->session, &settings);
	error = netup_apply(&c->netup, &settings, &c->link.peer);
	if (error == -EPERM || error == -EACCES)
		return no_permission("configure the interface");
	if (error != 0)
		return EXIT_ERROR;
	pump_set_mtu(c->pump, settings.mtu);
	collect_facts(c, &facts);
	hooks_tell(c->hooks, &facts);
	status_connected(c->status, &facts);
	return EXIT_NOT_YET;
}

/* ---- what happens in a connection ---- */

/* The server chose an address that none may have: it is not tried for it. */
static bool is_address_good(struct client *c)
{
	const char *problem = pushed_host_problem(c->session.address);
	char text[FACTS_ADDRESS_LEN];

	if (problem == NULL)
		return true;
	facts_address_text(c->session.address, text);
	end_set(&c->end, RECONNECT_REFUSED, "the server gave the address %s: "
		"%s", text, problem);
	return false;
}

/* Each may run programs, so a server that has no end of them is left. */
static bool is_too_much(struct client *c)
{
	uint64_t now_ms = clock_now_ms();

	if (now_ms - c->changes_since_ms >= CHANGES_MS) {
		c->changes_since_ms = now_ms;
		c->n_changes = 0;
	}
	if (++c->n_changes <= MAX_CHANGES)
		return false;
	end_set(&c->end, RECONNECT_LOST, "the server changes its options too "
		"often (%d times in %d s)", MAX_CHANGES + 1, CHANGES_MS / 1000);
	return true;
}

/* The service is there from the first address on. */
static void tell_joined(const struct client *c)
{
	char text[FACTS_ADDRESS_LEN];

	facts_address_text(c->session.address, text);
	notify_ready(&c->notify, "connected to %s as %s", c->link.text, text);
}

static int on_assigned(struct client *c, bool *over)
{
	const struct msg_options *options = &c->session.options;
	int code;

	*over = !is_address_good(c);
	if (*over)
		return EXIT_NOT_YET;
	if (c->session.server_capable)
		log_debug("the server pushes options: keepalive %u s, idle "
			  "timeout %u s, %u routes; super-packets: %s",
			  options->keepalive_s, options->idle_timeout_s,
			  options->n_routes,
			  c->session.rules.segments ? "yes" : "no");
	else
		log_debug("the server knows only the base protocol");
	if (c->config->address != 0 && c->config->address != c->session.address)
		log_warning("the server gave another address than the one that "
			    "was asked for");
	code = set_up_interface(c);
	if (code != EXIT_NOT_YET)
		return code;
	if (!c->reconnect.joined && c->counters.joins++ > 0) {
		c->counters.reconnects++;
		pump_discard_stale(c->pump);
	}
	tell_reconnect(c, RECONNECT_JOINED, 0);
	tell_joined(c);
	return EXIT_NOT_YET;
}

/* The session has merged them into those in force. */
static int on_options(struct client *c, bool *over)
{
	const struct msg_options *pushed = &c->session.pushed;

	if (pushed->has_retry) {
		log_info("the server will be gone for a moment");
		tell_reconnect(c, RECONNECT_RETRY_AFTER, pushed->retry_ms);
	}
	if (settings_same(&c->session.options, &c->told))
		return EXIT_NOT_YET;
	*over = is_too_much(c);
	return *over ? EXIT_NOT_YET : set_up_interface(c);
}

/* Handle one event; *over says that the connection ended. */
static int handle(struct client *c, enum pump_event event, bool *over)
{
	*over = event != PUMP_ASSIGNED && event != PUMP_OPTIONS;
	switch (event) {
	case PUMP_NONE:
		break;
	case PUMP_ASSIGNED:
		return on_assigned(c, over);
	case PUMP_OPTIONS:
		return on_options(c, over);
	case PUMP_REFUSED:
		end_refused(&c->end, &c->session);
		if (c->session.pushed.has_retry)
			tell_reconnect(c, RECONNECT_RETRY_AFTER,
				       c->session.pushed.retry_ms);
		break;
	case PUMP_BROKEN:
		end_set(&c->end, RECONNECT_LOST, "connection lost: %s",
			frame_error_name(pump_frame_error(c->pump)));
		break;
	case PUMP_TIMED_OUT:
		end_timed_out(&c->end, &c->session);
		break;
	case PUMP_CLOSED:
		end_closed(&c->end, &c->session);
		break;
	case PUMP_FAILED:
		end_set(&c->end, RECONNECT_LOST, "connection lost: %s",
			strerror(pump_errno(c->pump)));
		break;
	case PUMP_STOPPED:
		return EXIT_OK;
	case PUMP_TUN_GONE:
		log_error("interface %s is gone: %s", c->tun.name,
			  strerror(pump_errno(c->pump)));
		return EXIT_ERROR;
	}
	return EXIT_NOT_YET;
}

/* ---- attempts ---- */

static int move_packets(struct client *c)
{
	const struct session_config wish = {
		.wanted = c->reconnect.wanted,
		.flags = MSG_FLAG_OPTIONS | MSG_FLAG_SEGMENTS,
		.keepalive_s = (uint16_t)c->config->keepalive_s,
	};
	int code = EXIT_NOT_YET;
	bool over = false;

	session_init(&c->session, &wish);
	session_start(&c->session, clock_now_ms());
	pump_start(c->pump, c->link.fd, &c->session);
	/* A server with an event in every read does not make us deaf. */
	while (!over && code == EXIT_NOT_YET) {
		code = handle(c, pump_run(c->pump), &over);
		if (code == EXIT_NOT_YET && signals_stop(&c->signals))
			code = EXIT_OK;
	}
	pump_end(c->pump);
	return code;
}

/*
 * A client that is refused time and again says so in one line a time, without
 * the news that the server could be reached.
 */
static enum log_level connected_level(const struct client *c)
{
	enum reconnect_event last = c->end.event;

	return last == RECONNECT_ADDRESS_REFUSED ||
	       last == RECONNECT_REFUSED || last == RECONNECT_NO_REPLY ?
	       LOG_LEVEL_DEBUG : LOG_LEVEL_INFO;
}

/* With the name where it is one, since its address may be any of several. */
static void log_connected(const struct client *c, const char *host)
{
	if (strstr(c->link.text, host))
		log_at(connected_level(c), "connected to %s", c->link.text);
	else
		log_at(connected_level(c), "connected to %s, %s",
		       server_text(c), c->link.text);
}

/* One connection from beginning to end; EXIT_NOT_YET: try again. */
static int attempt(struct client *c)
{
	struct server_name server;
	bool known;
	int code;

	known = servers_read(server_text(c), (uint16_t)c->config->port,
			     &server);
	assert(known);
	(void)known;
	status_connecting(c->status, server_text(c));
	c->link.congestion = c->config->congestion;
	c->link.mark = c->config->default_route ? FULLTUNNEL_MARK : 0;
	switch (link_open(&c->link, server.host, server.port, &c->signals,
			  c->end.why, sizeof(c->end.why))) {
	case LINK_STOPPED:
		return EXIT_OK;
	case LINK_FAILED:
		c->end.event = RECONNECT_LOST;
		return EXIT_NOT_YET;
	case LINK_OPEN:
		break;
	}
	log_connected(c, server.host);
	code = move_packets(c);
	link_close(&c->link);
	return code;
}

static int attempt_for_ever(struct client *c)
{
	struct reconnect before;
	uint64_t wait_ms;
	int code;

	for (;;) {
		code = attempt(c);
		if (code != EXIT_NOT_YET)
			return code;
		before = c->reconnect;
		wait_ms = tell_reconnect(c, c->end.event, 0);
		end_log(&c->end, wait_ms, &before, &c->reconnect,
			server_text(c));
		status_waiting(c->status, c->end.why, server_text(c),
			       clock_now_ms() + wait_ms);
		if (wait_ms == 0)
			continue;
		notify_status(&c->notify, "not connected: %s", c->end.why);
		if (signals_wait(&c->signals, -1, 0, clock_now_ms() + wait_ms)
		    == SIGNALS_STOP)
			return EXIT_OK;
	}
}

static void sample(void *arg)
{
	struct client *c = arg;

	status_sample(c->status, &c->counters, c->link.fd);
}

static int run_with_tun(struct client *c)
{
	const struct hooks_config hooks = {
		.up = c->config->up,
		.down = c->config->down,
		.template = c->config->template,
		.limit_s = c->config->hook_timeout_s,
	};
	int code = EXIT_ERROR;
	int error;

	error = netup_init(&c->netup, &c->tun);
	if (error != 0) {
		log_error("cannot open rtnetlink: %s", strerror(-error));
		return EXIT_ERROR;
	}
	outside_remember(&c->link.outside);
	c->pump = pump_new(&c->tun, &c->signals, &c->counters);
	c->hooks = hooks_new(&hooks);
	c->status = status_new(c->tun.name, &c->config->servers);
	if (c->pump == NULL || c->hooks == NULL || c->status == NULL) {
		log_error("out of memory");
		goto out;
	}
	c->signals.sample = sample;
	c->signals.sample_arg = c;
	if (status_serve(c->status, c->config->control))
		code = attempt_for_ever(c);
out:
	hooks_finish(c->hooks);
	status_free(c->status);
	pump_free(c->pump);
	netup_fini(&c->netup);
	return code;
}

int client_run(const struct cli_config *config)
{
	struct client *c;
	int code, error;

	c = calloc(1, sizeof(*c));
	if (c == NULL) {
		log_error("out of memory");
		return EXIT_ERROR;
	}
	c->config = config;
	c->link.fd = -1;
	reconnect_init(&c->reconnect, config->address, config->servers.n,
		       random_number());
	if (!notify_init(&c->notify))
		log_warning("$NOTIFY_SOCKET: cannot tell the service manager "
			    "anything: %s", strerror(errno));
	error = signals_init(&c->signals, &c->counters, &c->notify);
	if (error == 0)
		error = log_start_writer();
	if (error != 0) {
		log_error("cannot start: %s", strerror(-error));
		code = EXIT_ERROR;
		goto out;
	}
	notify_start_watchdog(&c->notify);
	code = open_tun(c);
	if (code == EXIT_NOT_YET) {
		code = run_with_tun(c);
		notify_stopping(&c->notify);
		tun_close(&c->tun);
	}
	log_stop_writer();
out:
	signals_fini(&c->signals);
	notify_fini(&c->notify);
	free(c);
	return code;
}
