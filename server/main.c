/* SPDX-License-Identifier: MIT */
/*
 * The server program: options, start, signals, and the stop in exact reverse.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <time.h>

#include "common/clock.h"
#include "common/exit.h"
#include "common/log.h"
#include "common/notify.h"
#include "common/privilege.h"
#include "common/version.h"
#include "server/accept.h"
#include "server/account.h"
#include "server/addrpool.h"
#include "server/admission.h"
#include "server/client.h"
#include "server/commands.h"
#include "server/config.h"
#include "server/drain.h"
#include "server/dump.h"
#include "server/gateway.h"
#include "server/join.h"
#include "server/metrics.h"
#include "server/nat.h"
#include "server/operator.h"
#include "server/push.h"
#include "server/registry.h"
#include "server/reload.h"
#include "server/route.h"
#include "server/server.h"

enum {
	DESCRIPTION_LEN = 120,
	RETRY_MIN_MS = 1000,	/* for clients that are sent away */
};

/* Everything that start() makes and stop() undoes. */
struct program {
	struct server server;
	struct server_config config;
	struct acceptor *acceptor;
	struct metrics *metrics;	/* NULL: not asked for */
	struct reload *reload;
	int argc;
	char **argv;
	struct nat *nat;		/* NULL: without */
	struct privilege_user user;	/* to run as */
	struct notify notify;
	struct operator *operator;	/* NULL: no control socket */
	int signal_fd;
	bool draining;			/* the accept thread has ended */
};

/* A thread and a descriptor a client: allow as many as the system lets us. */
static void raise_limits(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 &&
	    limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
	/* Root's threads are not counted, those of --user would be. */
	limit.rlim_cur = limit.rlim_max = RLIM_INFINITY;
	setrlimit(RLIMIT_NPROC, &limit);
	/* A huge page behind each client's few touched pages would cost 2 MiB
	 * a client (Documentation/admin-guide/mm/transhuge.rst). */
	prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
}

/*
 * Before the first thread, so that all inherit it: main alone sees signals.
 * EXIT_OK or EXIT_ERROR.
 */
static int block_signals(struct program *p)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGUSR1);
	sigaddset(&signals, SIGHUP);
	sigaddset(&signals, SIGALRM);	/* notify_start_watchdog() */
	pthread_sigmask(SIG_BLOCK, &signals, NULL);
	signal(SIGPIPE, SIG_IGN);
	p->signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	if (p->signal_fd >= 0)
		return EXIT_OK;
	log_error("signalfd: %s", strerror(errno));
	return EXIT_ERROR;
}

static void set_up_addresses(struct server *server)
{
	const struct option_network *network = &server->config->network;

	server->netmask = 0xffffffffU << (32 - network->prefix_len);
	server->network = network->address & server->netmask;
	server->address = server->network + 1;
}

static struct admission *open_admission(void)
{
	uint64_t seed[2] = { 0, 0 };

	/* Early at boot there may be no entropy: a guessable hash then. */
	if (getrandom(seed, sizeof(seed), GRND_NONBLOCK) < 0)
		log_debug("getrandom: %s", strerror(errno));
	return admission_new(seed);
}

/* The TUN, and the way to it.  EXIT_OK or an exit code, after logging why. */
static int open_gateway(struct program *p)
{
	struct server *server = &p->server;
	struct nat_settings nat = {
		.uplink = p->config.nat,
		.network = server->network,
		.prefix_len = p->config.network.prefix_len,
		.port = (uint16_t)p->config.port,
	};
	int error = gateway_open(server);

	if (!error) {
		nat.tun = gateway_name(server->gateway);
		if (nat.uplink[0])
			error = nat_open(&p->nat, &nat);
		else
			nat_clean(nat.tun);
	}
	if (error)
		return error == -EPERM || error == -EACCES ?
			EXIT_PERMISSION : EXIT_ERROR;
	return EXIT_OK;
}

/* The parts without a thread.  EXIT_OK or an exit code, after logging why. */
static int open_parts(struct program *p)
{
	struct server *server = &p->server;
	uint8_t prefix_len = p->config.network.prefix_len;
	int code;

	server->pool = addrpool_new(server->network, prefix_len,
				    server->address);
	server->routes = route_new(server->network, prefix_len);
	server->registry = registry_new();
	server->admission = open_admission();
	server->push = push_new(&p->config);
	if (!server->pool || !server->routes || !server->registry ||
	    !server->admission || !server->push) {
		log_error("out of memory");
		return EXIT_ERROR;
	}
	if (!p->config.no_tun) {
		code = open_gateway(p);
		if (code != EXIT_OK)
			return code;
	}
	p->acceptor = accept_open(server);
	if (!p->acceptor)
		return EXIT_ERROR;
	if (p->config.metrics.port) {
		p->metrics = metrics_open(server);
		if (!p->metrics)
			return EXIT_ERROR;
	}
	p->reload = reload_new(server, p->acceptor, &p->config, p->argc,
			       p->argv);
	if (!p->reload) {
		log_error("out of memory");
		return EXIT_ERROR;
	}
	code = operator_open(&p->operator, server, p->reload);
	operator_give(p->operator, p->user.uid);
	return code;
}

static void close_parts(struct program *p)
{
	operator_close(p->operator);
	reload_free(p->reload);
	metrics_close(p->metrics);
	accept_close(p->acceptor);
	nat_close(p->nat);
	gateway_close(p->server.gateway);
	push_free(p->server.push);
	admission_free(p->server.admission);
	registry_free(p->server.registry);
	route_free(p->server.routes);
	addrpool_free(p->server.pool);
}

/* What it serves, in one line. */
static void describe(const struct program *p, char text[DESCRIPTION_LEN])
{
	char address[JOIN_TEXT_LEN];

	join_address_text(p->server.address, address);
	if (p->server.gateway)
		snprintf(text, DESCRIPTION_LEN, "port %u, %s/%u on %s",
			 p->config.port, address,
			 p->config.network.prefix_len,
			 gateway_name(p->server.gateway));
	else
		snprintf(text, DESCRIPTION_LEN,
			 "port %u, network of %s/%u, no TUN", p->config.port,
			 address, p->config.network.prefix_len);
}

static void tell_ready(const struct program *p)
{
	char text[DESCRIPTION_LEN];

	describe(p, text);
	log_notice("simplevpn %s: %s", SIMPLEVPN_VERSION, text);
	notify_ready(&p->notify, "%s", text);
	notify_start_watchdog(&p->notify);
}

/* The service manager wants to know that this thread lives. */
static void tell_alive(const struct program *p)
{
	char text[DESCRIPTION_LEN];

	describe(p, text);
	notify_alive(&p->notify);
	notify_status(&p->notify, "%s%s; clients: %u",
		      p->draining ? "draining: " : "", text,
		      registry_count(p->server.registry));
}

/* The threads.  0 or -errno, then none runs. */
static int start_threads(struct program *p)
{
	struct server *server = &p->server;
	int error = log_start_writer();

	if (error)
		return error;
	server->drain = drain_new(&server->limits);
	if (!server->drain) {
		error = -errno;
		goto err_log;
	}
	error = server->gateway ? gateway_start(server->gateway) : 0;
	if (error)
		goto err_drain;
	error = p->metrics ? metrics_start(p->metrics) : 0;
	if (error)
		goto err_gateway;
	error = operator_start(p->operator);
	if (error)
		goto err_metrics;
	error = accept_start(p->acceptor);
	if (error)
		goto err_operator;
	return 0;

err_operator:
	operator_stop(p->operator);
err_metrics:
	if (p->metrics)
		metrics_stop(p->metrics);
err_gateway:
	if (server->gateway)
		gateway_stop(server->gateway);
err_drain:
	drain_free(server->drain);
err_log:
	log_stop_writer();
	return error;
}

static void end_client(struct client *client, void *arg)
{
	(void)arg;
	client_end(client);
}

static void close_clients(struct registry *registry)
{
	struct pollfd fd = { .fd = registry_fd(registry), .events = POLLIN };

	registry_visit(registry, end_client, NULL);
	while (registry_count(registry) > 0) {
		poll(&fd, 1, -1);
		registry_reap(registry);
	}
}

static void stop_threads(struct program *p)
{
	if (!p->draining)
		accept_stop(p->acceptor);
	operator_stop(p->operator);
	if (p->metrics)
		metrics_stop(p->metrics);
	if (p->server.gateway)
		gateway_stop(p->server.gateway);
	close_clients(p->server.registry);
	drain_free(p->server.drain);
	log_notice("ended");
	log_stop_writer();
}

/* False: it says to end. */
static bool handle_signal(const struct program *p)
{
	char report[RELOAD_REPORT_LEN];
	struct signalfd_siginfo info;

	if (read(p->signal_fd, &info, sizeof(info)) != sizeof(info))
		return true;
	switch (info.ssi_signo) {
	case SIGUSR1:
		dump_log(&p->server);
		return true;
	case SIGHUP:
		notify_reloading(&p->notify);
		reload_run(p->reload, report);
		notify_ready(&p->notify, "%s", report);
		return true;
	case SIGALRM:
		tell_alive(p);
		return true;
	default:
		log_notice("SIG%s: ending", sigabbrev_np((int)info.ssi_signo));
		return false;
	}
}

/* A capable client comes back by itself, and a stranger may try anew. */
static void send_away(struct client *client, void *arg)
{
	struct endpoint *endpoint = client_endpoint(client);
	const uint32_t *retry_ms = arg;

	if (atomic_load_explicit(&endpoint->address,
				 memory_order_relaxed) == 0 ||
	    join_send_away(endpoint, *retry_ms))
		client_end(client);
}

static uint64_t drain_left_ms(const struct program *p)
{
	uint64_t now_ms = clock_now_ms();
	uint64_t until_ms = p->server.live.drain_until_ms;

	return until_ms > now_ms ? until_ms - now_ms : 0;
}

/* A second time only the deadline is a new one. */
static void start_draining(struct program *p)
{
	uint32_t retry_ms = (uint32_t)drain_left_ms(p);

	operator_acknowledge(p->operator);
	log_notice("draining: accepting nobody, ending in %u s at the latest",
		   (retry_ms + 999) / 1000);
	notify_status(&p->notify, "draining");
	if (p->draining)
		return;
	p->draining = true;
	accept_stop(p->acceptor);
	accept_shut(p->acceptor);
	if (retry_ms < RETRY_MIN_MS)
		retry_ms = RETRY_MIN_MS;
	registry_visit(p->server.registry, send_away, &retry_ms);
}

/* What the accept thread does otherwise.  False: drained. */
static bool go_on_draining(struct program *p)
{
	registry_reap(p->server.registry);
	if (registry_count(p->server.registry) == 0) {
		log_notice("drained: ending");
		return false;
	}
	if (drain_left_ms(p) > 0)
		return true;
	log_notice("the time for draining is over: ending with clients "
		   "connected");
	return false;
}

/* Until a signal says to end, or the server is drained. */
static void wait_for_end(struct program *p)
{
	struct pollfd fds[] = {
		{ .fd = p->signal_fd, .events = POLLIN },
		{ .fd = operator_fd(p->operator), .events = POLLIN },
		{ .fd = -1, .events = POLLIN },	/* poll() passes over it */
	};
	bool on = true;

	while (on) {
		if (poll(fds, 3, p->draining ? (int)drain_left_ms(p) : -1) < 0)
			continue;
		if (fds[1].revents) {
			start_draining(p);
			fds[2].fd = registry_fd(p->server.registry);
		}
		if (fds[0].revents)
			on = handle_signal(p);
		if (on && p->draining)
			on = go_on_draining(p);
	}
}

static int run(struct program *p)
{
	int error, code;

	raise_limits();
	code = block_signals(p);
	if (code != EXIT_OK)
		return code;
	p->server.config = &p->config;
	p->server.started_ms = clock_now_ms();
	p->server.started_unix_s = (uint64_t)time(NULL);
	set_up_addresses(&p->server);
	if (!notify_init(&p->notify))
		log_warning("$NOTIFY_SOCKET: cannot tell the service manager "
			    "anything: %s", strerror(errno));
	code = account_find(&p->config, &p->user);
	if (code == EXIT_OK)
		code = open_parts(p);
	if (code == EXIT_OK)
		code = account_enter(&p->config, &p->user,
				     p->nat != NULL);
	if (code == EXIT_OK) {
		error = start_threads(p);
		if (error) {
			log_error("cannot start: %s", strerror(-error));
			code = EXIT_ERROR;
		} else {
			tell_ready(p);
			wait_for_end(p);
			notify_stopping(&p->notify);
			stop_threads(p);
			if (p->server.gateway &&
			    gateway_failed(p->server.gateway))
				code = EXIT_ERROR;
		}
	}
	close_parts(p);
	notify_fini(&p->notify);
	return code;
}

int main(int argc, char **argv)
{
	char error[OPTIONS_ERROR_LEN];
	static struct program program;

	if (argc > 1 && argv[1][0] != '-')
		return commands_run(argc - 1, argv + 1);
	if (!config_read(&program.config, argc, argv, error)) {
		fprintf(stderr, "srv: %s (srv --help lists the options)\n",
			error);
		return EXIT_USAGE;
	}
	if (program.config.help) {
		config_print_help(stdout);
		commands_print_help(stdout);
		return EXIT_OK;
	}
	if (program.config.version) {
		puts("srv (simplevpn) " SIMPLEVPN_VERSION);
		return EXIT_OK;
	}
	if (program.config.print_default) {
		config_print_default(stdout);
		return EXIT_OK;
	}
	if (program.config.test) {
		printf("srv: the configuration is good (%s)\n",
		       program.config.path[0] ? program.config.path :
		       "no file, options only");
		return EXIT_OK;
	}
	log_init("srv", config_log_level(&program.config));
	log_set_format((enum log_format)program.config.log_format);
	program.argc = argc;
	program.argv = argv;
	return run(&program);
}
