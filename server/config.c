/* SPDX-License-Identifier: MIT */
/* The server's settings and the command line that sets them. */
#include "server/config.h"

#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include "common/control.h"
#include "common/privilege.h"
#include "common/sock.h"
#include "proto/msg.h"
#include "server/addrpool.h"

#define MEMBER(name) offsetof(struct server_config, name)

static const struct option_def table[] = {
	{ 'c', "config", "FILE",
	  "configuration file, its keys are these options "
	  "[" CONFIG_DEFAULT_PATH ", if there is one]",
	  &option_text, MEMBER(path), 0, 0, OPTION_COMMAND },
	{ 't', "test-config", NULL,
	  "say whether the configuration is good, and exit",
	  &option_flag, MEMBER(test), 0, 0, OPTION_COMMAND },
	{ 0, "print-default-config", NULL,
	  "print a configuration file with every key, and exit",
	  &option_flag, MEMBER(print_default), 0, 0,
	  OPTION_COMMAND | OPTION_ALONE },
	{ 0, "user", "NAME",
	  "user to become once everything is open, when started as root "
	  "[" PRIVILEGE_DEFAULT_USER ", if there is one, else root]",
	  &option_text, MEMBER(user), 0, 0, 0 },
	{ 0, "control", "PATH",
	  "socket for srv status and the other commands; \"none\": without "
	  "[" CONFIG_DEFAULT_CONTROL "]",
	  &option_text, MEMBER(control), 0, 0, 0 },
	{ 0, "metrics", "ADDRESS:PORT",
	  "serve metrics for Prometheus and a status page over HTTP there; "
	  "PORT alone: on 127.0.0.1 [off]",
	  &option_address, MEMBER(metrics), 0, 0, 0 },
	{ 0, "log-format", "text|json", "how log lines are written [text]",
	  &option_choice, MEMBER(log_format), 0, 0, OPTION_LIVE },
	{ 'v', "verbose", NULL, "log details",
	  &option_count, MEMBER(verbose), 0, 0, OPTION_LIVE },
	{ 'q', "quiet", NULL, "log warnings and errors only",
	  &option_flag, MEMBER(quiet), 0, 0, OPTION_LIVE },
	{ 'h', "help", NULL, "print this and exit",
	  &option_flag, MEMBER(help), 0, 0, OPTION_COMMAND | OPTION_ALONE },
	{ 'V', "version", NULL, "print the version and exit",
	  &option_flag, MEMBER(version), 0, 0, OPTION_COMMAND | OPTION_ALONE },
	{ 'p', "port", "N", "TCP port to listen on [2002]",
	  &option_u32, MEMBER(port), 1, 65535, 0 },
	{ 'l', "listen", "ADDRESS",
	  "address to listen on, repeatable [every address, IPv4 and IPv6]",
	  &option_list, MEMBER(listen), 0, 0, 0 },
	{ 0, "network", "CIDR",
	  "the tunnel's network; its first host address is the server's own "
	  "[10.0.0.0/16]",
	  &option_network, MEMBER(network), 0, 0, 0 },
	{ 0, "tun", "NAME", "TUN interface to create [tun%d]",
	  &option_interface, MEMBER(tun), 0, 0, 0 },
	{ 0, "no-tun", NULL,
	  "a hub between clients only; needs no privilege",
	  &option_flag, MEMBER(no_tun), 0, 0, 0 },
	{ 0, "mtu", "N", "longest packet in the tunnel, bytes [1500]",
	  &option_u32, MEMBER(mtu), 576, 65535, 0 },
	{ 0, "nat", "INTERFACE",
	  "let clients reach the world through this interface, with its "
	  "address: forwarding and masquerading, by nft",
	  &option_interface, MEMBER(nat), 0, 0, 0 },
	{ 0, "idle-timeout", "SECONDS",
	  "close a client from which nothing came for this long [60]",
	  &option_u32, MEMBER(idle_timeout_s), 2, 65535, OPTION_LIVE },
	{ 0, "max-clients", "N",
	  "clients with an address at once; 0: as many as the network has "
	  "[0]",
	  &option_u32, MEMBER(max_clients), 0, UINT32_MAX, OPTION_LIVE },
	{ 0, "max-clients-per-source", "N",
	  "of them, from one IPv4 address or IPv6 /64; 0: any number [0]",
	  &option_u32, MEMBER(max_clients_per_source), 0, UINT32_MAX,
	  OPTION_LIVE },
	{ 0, "push-route", "CIDR",
	  "tell clients to send packets for this network into the tunnel, "
	  "repeatable",
	  &option_networks, MEMBER(push_routes), 1, 32, OPTION_LIVE },
	{ 0, "push-dns", "ADDRESS",
	  "tell clients to use this DNS server, repeatable",
	  &option_ipv4s, MEMBER(push_dns), 0, 0, OPTION_LIVE },
	{ 0, "push-search", "DOMAIN",
	  "tell clients to complete host names with this domain",
	  &option_domain, MEMBER(push_search), 1, MSG_MAX_TEXT, OPTION_LIVE },
	{ 0, "max-pending", "N",
	  "connections without an address yet, in all [4096]",
	  &option_u32, MEMBER(max_pending), 1, UINT32_MAX, OPTION_LIVE },
	{ 0, "max-pending-per-source", "N",
	  "of them, from one source [1024]",
	  &option_u32, MEMBER(max_pending_per_source), 1, UINT32_MAX,
	  OPTION_LIVE },
	{ 0, "connect-rate", "N",
	  "connections a second from one source, ten times that at once; 0: "
	  "no limit [1000]",
	  &option_u32, MEMBER(connect_rate), 0, 1000000, OPTION_LIVE },
	{ 0, "client-queue", "KIB",
	  "what may wait for one client that reads too slowly, KiB [256]",
	  &option_u32, MEMBER(client_queue_kib), 128, 65536, OPTION_LIVE },
	{ 0, "client-queue-packets", "N", "the same in packets [4096]",
	  &option_u32, MEMBER(client_queue_packets), 16, 1000000, OPTION_LIVE },
	{ 0, "queue-memory", "MIB",
	  "what may wait for all clients together, MiB [512]",
	  &option_u32, MEMBER(queue_memory_mib), 1, 1048576, OPTION_LIVE },
	{ 0, "stall-timeout", "SECONDS",
	  "close a client that takes none of its data for this long [15]",
	  &option_u32, MEMBER(stall_timeout_s), 1, 3600, OPTION_LIVE },
	{ 0, "flush-timeout", "SECONDS",
	  "at the end, time for clients to take what waits for them [3]",
	  &option_u32, MEMBER(flush_timeout_s), 0, 3600, OPTION_LIVE },
	{ 0, "congestion", "NAME",
	  "congestion control of the clients' connections; \"kernel\": as the "
	  "system has it [" SOCK_CONGESTION "]",
	  &option_text, MEMBER(congestion), 0, 0, OPTION_LIVE },
};

enum { N_OPTIONS = sizeof(table) / sizeof(table[0]) };

static const struct option_group groups[] = {
	{ "config", "General options" },
	{ "port", "Network options" },
	{ "idle-timeout", "Client options" },
	{ "max-pending", "Admission options" },
	{ "client-queue", "Queue options" },
	{ NULL, NULL },
};

static bool holds_hosts(uint32_t address)
{
	unsigned int first = address >> 24;

	return first != 0 && first != 127 && first < 224;
}

static bool is_within(const struct option_network *inner,
		      const struct option_network *outer)
{
	return inner->prefix_len >= outer->prefix_len &&
	       (inner->address ^ outer->address) >>
			(32 - outer->prefix_len) == 0;
}

__attribute__((format(printf, 3, 4)))
static bool refuse(char error[OPTIONS_ERROR_LEN], uint32_t address,
		   const char *format, ...)
{
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(error, OPTIONS_ERROR_LEN, format, args);
	va_end(args);
	snprintf(error + len, (size_t)(OPTIONS_ERROR_LEN - len),
		 " (%u.%u.%u.%u)", address >> 24, address >> 16 & 255,
		 address >> 8 & 255, address & 255);
	return false;
}

static bool check_push(const struct server_config *config,
		       char error[OPTIONS_ERROR_LEN])
{
	const struct option_networks *routes = &config->push_routes;
	const struct option_ipv4s *dns = &config->push_dns;
	uint32_t address;
	unsigned int i;

	for (i = 0; i < routes->n; i++) {
		address = routes->network[i].address;
		if (!holds_hosts(address))
			return refuse(error, address, "--push-route: a "
				      "network without hosts");
		if (is_within(&routes->network[i], &config->network))
			return refuse(error, address, "--push-route: within "
				      "the tunnel's network, to which clients "
				      "have a route");
	}
	for (i = 0; i < dns->n; i++)
		if (!holds_hosts(dns->address[i]))
			return refuse(error, dns->address[i], "--push-dns: "
				      "not the address of a host");
	return true;
}

static bool check(const struct server_config *config,
		  char error[OPTIONS_ERROR_LEN])
{
	uint8_t prefix_len = config->network.prefix_len;
	unsigned int first = config->network.address >> 24;

	if (prefix_len < ADDRPOOL_MIN_PREFIX ||
	    prefix_len > ADDRPOOL_MAX_PREFIX) {
		snprintf(error, OPTIONS_ERROR_LEN,
			 "--network: /%u is not possible; allowed are /%d to "
			 "/%d", prefix_len, ADDRPOOL_MIN_PREFIX,
			 ADDRPOOL_MAX_PREFIX);
		return false;
	}
	if (first == 0 || first == 127 || first >= 224) {
		snprintf(error, OPTIONS_ERROR_LEN,
			 "--network: %u.0.0.0/8 holds no host addresses",
			 first);
		return false;
	}
	if (config->verbose > 0 && config->quiet) {
		snprintf(error, OPTIONS_ERROR_LEN,
			 "--verbose and --quiet exclude each other");
		return false;
	}
	if (strlen(config->control) >= CONTROL_PATH_LEN) {
		snprintf(error, OPTIONS_ERROR_LEN,
			 "--control: \"%.80s...\" is longer than the %d bytes "
			 "that unix(7) allows", config->control,
			 CONTROL_PATH_LEN - 1);
		return false;
	}
	if (config->nat[0] && config->no_tun) {
		snprintf(error, OPTIONS_ERROR_LEN,
			 "--nat needs the TUN that --no-tun leaves out");
		return false;
	}
	return check_push(config, error);
}

static void set_defaults(struct server_config *config)
{
	memset(config, 0, sizeof(*config));
	config->port = 2002;
	config->network.address = 0x0a000000;
	config->network.prefix_len = 16;
	strcpy(config->control, CONFIG_DEFAULT_CONTROL);
	strcpy(config->congestion, SOCK_CONGESTION);
	strcpy(config->tun, "tun%d");
	config->mtu = 1500;
	config->idle_timeout_s = 60;
	config->max_pending = 4096;
	config->max_pending_per_source = 1024;
	config->connect_rate = 1000;
	config->client_queue_kib = 256;
	config->client_queue_packets = 4096;
	config->queue_memory_mib = 512;
	config->stall_timeout_s = 15;
	config->flush_timeout_s = 3;
}

bool config_read(struct server_config *config, int argc, char **argv,
		 char error[OPTIONS_ERROR_LEN])
{
	static struct server_config scratch;
	int rest;

	set_defaults(config);
	rest = options_load(table, N_OPTIONS, argc, argv, CONFIG_DEFAULT_PATH,
			    MEMBER(path), config, &scratch, sizeof(scratch),
			    error);
	if (rest < 0)
		return false;
	if (config->help || config->version || config->print_default)
		return true;
	if (rest < argc) {
		snprintf(error, OPTIONS_ERROR_LEN,
			 "unexpected argument \"%.80s\"; to ask a running "
			 "server, the command comes first: srv status ...",
			 argv[rest]);
		return false;
	}
	return check(config, error);
}

enum log_level config_log_level(const struct server_config *config)
{
	if (config->quiet)
		return LOG_LEVEL_WARNING;
	return config->verbose ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO;
}

void config_visit_changes(const struct server_config *before,
			  const struct server_config *after,
			  void (*visit)(const struct option_def *def,
					void *arg), void *arg)
{
	size_t i;

	for (i = 0; i < N_OPTIONS; i++)
		if (!(table[i].flags & OPTION_COMMAND) &&
		    !options_equal(&table[i], before, after))
			visit(&table[i], arg);
}

void config_print_default(FILE *to)
{
	static struct server_config config;

	set_defaults(&config);
	fputs("# The configuration of a simplevpn server, srv.conf(5).  Each "
	      "key is also an\n# option of the command line; what stands "
	      "here is the default.\n\n", to);
	options_print_file(table, N_OPTIONS, &config, to);
}

void config_print_help(FILE *to)
{
	fputs("usage: srv [options]\n"
	      "       srv COMMAND ...\n\n"
	      "Run the hub of a simplevpn: accept clients over TCP, give each "
	      "an address,\nand route packets between them and this host.\n",
	      to);
	options_print(table, N_OPTIONS, groups, to);
	fputs("\nIt runs in the foreground until SIGINT or SIGTERM; SIGUSR1 "
	      "logs the counters.\n"
	      "It needs CAP_NET_ADMIN for its TUN: run it as root, which it "
	      "gives up once\nits TUN and sockets are open, or use "
	      "--no-tun.\n"
	      "Exit codes: 0 ended by a signal, 1 failure, 2 wrong usage, "
	      "4 no permission.\n", to);
}
