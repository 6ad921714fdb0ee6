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

#include "common/exit.h"
#include "common/log.h"
#include "common/version.h"
#include "server/accept.h"
#include "server/addrpool.h"
#include "server/admission.h"
#include "server/client.h"
#include "server/config.h"
#include "server/drain.h"
#include "server/gateway.h"
#include "server/join.h"
#include "server/registry.h"
#include "server/reload.h"
#include "server/route.h"
#include "server/server.h"

/* Everything that start() makes and stop() undoes. */
struct program {
	struct server server;
	struct server_config config;
	struct acceptor *acceptor;
	struct reload *reload;
	int argc;
	char **argv;
	sigset_t signals;
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
	/* A huge page behind each client's few touched pages would cost 2 MiB
	 * a client (Documentation/admin-guide/mm/transhuge.rst). */
	prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
}

/* Before the first thread, so that all inherit it: main alone sees signals. */
static void block_signals(sigset_t *signals)
{
	sigemptyset(signals);
	sigaddset(signals, SIGINT);
	sigaddset(signals, SIGTERM);
	sigaddset(signals, SIGUSR1);
	sigaddset(signals, SIGHUP);
	pthread_sigmask(SIG_BLOCK, signals, NULL);
	signal(SIGPIPE, SIG_IGN);
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

/* The parts without a thread.  EXIT_OK or an exit code, after logging why. */
static int open_parts(struct program *p)
{
	struct server *server = &p->server;
	uint8_t prefix_len = p->config.network.prefix_len;
	int error;

	server->pool = addrpool_new(server->network, prefix_len,
				    server->address);
	server->routes = route_new(server->network, prefix_len);
	server->registry = registry_new();
	server->admission = open_admission();
	if (!server->pool || !server->routes || !server->registry ||
	    !server->admission) {
		log_error("out of memory");
		return EXIT_ERROR;
	}
	if (!p->config.no_tun) {
		error = gateway_open(server);
		if (error)
			return error == -EPERM || error == -EACCES ?
				EXIT_PERMISSION : EXIT_ERROR;
	}
	p->acceptor = accept_open(server);
	if (!p->acceptor)
		return EXIT_ERROR;
	p->reload = reload_new(server, p->acceptor, &p->config, p->argc,
			       p->argv);
	if (!p->reload) {
		log_error("out of memory");
		return EXIT_ERROR;
	}
	return EXIT_OK;
}

static void close_parts(struct program *p)
{
	reload_free(p->reload);
	accept_close(p->acceptor);
	gateway_close(p->server.gateway);
	admission_free(p->server.admission);
	registry_free(p->server.registry);
	route_free(p->server.routes);
	addrpool_free(p->server.pool);
}

static void log_ready(const struct program *p)
{
	char address[JOIN_TEXT_LEN];

	join_address_text(p->server.address, address);
	if (p->server.gateway)
		log_notice("simplevpn %s: port %u, %s/%u on %s",
			   SIMPLEVPN_VERSION, p->config.port, address,
			   p->config.network.prefix_len,
			   gateway_name(p->server.gateway));
	else
		log_notice("simplevpn %s: port %u, network of %s/%u, no TUN",
			   SIMPLEVPN_VERSION, p->config.port, address,
			   p->config.network.prefix_len);
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
	error = accept_start(p->acceptor);
	if (error)
		goto err_gateway;
	return 0;

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
	accept_stop(p->acceptor);
	if (p->server.gateway)
		gateway_stop(p->server.gateway);
	close_clients(p->server.registry);
	drain_free(p->server.drain);
	log_notice("ended");
	log_stop_writer();
}

static void log_client(struct client *client, void *arg)
{
	(void)arg;
	client_log(client);
}

/* Sums first: with thousands of clients, later lines may find the log full. */
static void log_statistics(const struct server *server)
{
	struct stats total = { 0 };

	if (server->gateway)
		stats_add(&total, &gateway_endpoint(server->gateway)->stats);
	registry_total(server->registry, &total);
	stats_log("total", &total);
	log_notice("clients=%u addresses_held=%u addresses_free=%u "
		   "queue_bytes=%llu", registry_count(server->registry),
		   addrpool_held(server->pool),
		   addrpool_size(server->pool) - addrpool_held(server->pool),
		   (unsigned long long)drain_queue_memory(server->drain));
	if (server->gateway)
		stats_log("gateway",
			  &gateway_endpoint(server->gateway)->stats);
	registry_visit(server->registry, log_client, NULL);
}

/* Until a signal says to end. */
static void wait_for_end(const struct program *p)
{
	char report[RELOAD_REPORT_LEN];
	siginfo_t info;
	int signal_number;

	for (;;) {
		signal_number = sigwaitinfo(&p->signals, &info);
		if (signal_number == SIGUSR1) {
			log_statistics(&p->server);
		} else if (signal_number == SIGHUP) {
			reload_run(p->reload, report);
		} else if (signal_number > 0) {
			log_notice("SIG%s: ending",
				   sigabbrev_np(signal_number));
			return;
		}
	}
}

static int run(struct program *p)
{
	int error, code;

	raise_limits();
	block_signals(&p->signals);
	p->server.config = &p->config;
	set_up_addresses(&p->server);
	code = open_parts(p);
	if (code == EXIT_OK) {
		error = start_threads(p);
		if (error) {
			log_error("cannot start: %s", strerror(-error));
			code = EXIT_ERROR;
		} else {
			log_ready(p);
			wait_for_end(p);
			stop_threads(p);
			if (p->server.gateway &&
			    gateway_failed(p->server.gateway))
				code = EXIT_ERROR;
		}
	}
	close_parts(p);
	return code;
}

int main(int argc, char **argv)
{
	char error[OPTIONS_ERROR_LEN];
	static struct program program;

	if (!config_read(&program.config, argc, argv, error)) {
		fprintf(stderr, "srv: %s (srv --help lists the options)\n",
			error);
		return EXIT_USAGE;
	}
	if (program.config.help) {
		config_print_help(stdout);
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
	program.argc = argc;
	program.argv = argv;
	return run(&program);
}
