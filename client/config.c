/* SPDX-License-Identifier: MIT */
/* The settings of cli: its command line and a file. */
#include "client/config.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "client/servers.h"
#include "client/words.h"
#include "common/sock.h"
#include "proto/session.h"

enum {
	DEFAULT_PORT = 2002,
	/* A server closes after 60 s of silence unless it is told otherwise;
	 * an hour is for those that are. */
	KEEPALIVE_MAX_S = 3600,
	HOOK_TIMEOUT_S = 30,
	HOOK_TIMEOUT_MAX_S = 3600,
};

/* As it is written; what -s means is known only when all is read. */
struct command_line {
	struct cli_config config;
	char path[OPTIONS_TEXT_LEN];	/* -c */
	struct option_list servers;	/* -s */
	uint32_t address;		/* -a */
};

#define MEMBER(name) offsetof(struct command_line, name)

static option_reader read_host_address;
static option_writer write_host_address;
static const struct option_type host_address = {
	read_host_address, write_host_address,
};

static const struct option_def table[] = {
	{ 'c', "config", "FILE", "configuration file, its keys are these "
	  "options [none]",
	  &option_text, MEMBER(path), 0, 0, OPTION_COMMAND },
	{ 0, "test-config", NULL, "say whether the configuration is good, and "
	  "exit", &option_flag, MEMBER(config.test), 0, 0, OPTION_COMMAND },
	{ 0, "print-default-config", NULL, "print a configuration file with "
	  "every key, and exit", &option_flag, MEMBER(config.print_default),
	  0, 0, OPTION_COMMAND | OPTION_ALONE },
	{ 's', "server", "HOST[:PORT]", "name or address of the server; "
	  "repeatable: several are tried in random order; beside a HOST "
	  "argument it is the static address, like -a",
	  &servers_option, MEMBER(servers), 0, 0, 0 },
	{ 'a', "address", "ADDRESS", "ask for this static address [any free "
	  "one]", &host_address, MEMBER(address), 0, 0, 0 },
	{ 'p', "port", "N", "TCP port of servers given without one [2002]",
	  &option_u32, MEMBER(config.port), 1, 65535, 0 },
	{ 0, "tun", "NAME", "name of the interface [tun%d: the kernel picks]",
	  &option_interface, MEMBER(config.tun), 0, 0, 0 },
	{ 0, "keepalive", "SECONDS", "silence before a keepalive is sent [what "
	  "the server says, else 15]", &option_u32,
	  MEMBER(config.keepalive_s), 1, KEEPALIVE_MAX_S, 0 },
	{ 0, "congestion", "NAME", "congestion control of the connection; "
	  "\"kernel\": as the system has it [" SOCK_CONGESTION "]",
	  &option_text, MEMBER(config.congestion), 0, 0, 0 },
	{ 0, "default-route", NULL, "send all traffic through the tunnel, but "
	  "for the connection to the server; implies --reject-outside",
	  &option_flag, MEMBER(config.default_route), 0, 0, 0 },
	{ 0, "route", "NETWORK", "send this network's traffic through the "
	  "tunnel, repeatable", &option_networks,
	  MEMBER(config.own_routes), 1, 32, 0 },
	{ 0, "no-routes", NULL, "set the address alone: no route to the "
	  "server's network or to what it pushes", &option_clear,
	  MEMBER(config.routes), 0, 0, 0 },
	{ 0, "dns", "ADDRESS", "ask this DNS server instead of those that the "
	  "server pushes, repeatable", &option_ipv4s,
	  MEMBER(config.own_dns), 0, 0, 0 },
	{ 0, "no-dns", NULL, "do not change which DNS servers and search "
	  "domain this host has", &option_clear, MEMBER(config.dns), 0, 0, 0 },
	{ 0, "reject-outside", NULL, "drop packets for the tunnel's address "
	  "that arrive on another interface (with nft)", &option_flag,
	  MEMBER(config.reject_outside), 0, 0, 0 },
	{ 0, "up", "COMMAND", "run this when the interface has its address, "
	  "and again when something of it changes; without a shell [none]",
	  &words_command, MEMBER(config.up), 0, 0, 0 },
	{ 0, "down", "COMMAND", "run this at the end, before the interface "
	  "goes; without a shell [none]",
	  &words_command, MEMBER(config.down), 0, 0, 0 },
	{ 't', "template", "COMMAND", "run this once, when the interface has "
	  "its address; %s in it is the interface's name, %% a percent sign; "
	  "without a shell [none]",
	  &words_template, MEMBER(config.template), 0, 0, 0 },
	{ 0, "hook-timeout", "SECONDS", "kill one of these commands when it "
	  "has not ended after this long [30]", &option_u32,
	  MEMBER(config.hook_timeout_s), 1, HOOK_TIMEOUT_MAX_S, 0 },
	{ 0, "control", "PATH", "socket at which cli status asks; \"none\": "
	  "nowhere [/run/simplevpn/cli-INTERFACE.sock]",
	  &option_text, MEMBER(config.control), 0, 0, 0 },
	{ 0, "log-format", "text|json", "how log lines are written [text]",
	  &option_choice, MEMBER(config.log_format), 0, 0, 0 },
	{ 'v', "verbose", NULL, "say more", &option_count,
	  MEMBER(config.verbose), 0, 0, 0 },
	{ 'q', "quiet", NULL, "say only what is wrong", &option_flag,
	  MEMBER(config.quiet), 0, 0, 0 },
	{ 'h', "help", NULL, "print this help and exit", &option_flag,
	  MEMBER(config.help), 0, 0, OPTION_COMMAND | OPTION_ALONE },
	{ 'V', "version", NULL, "print the version and exit", &option_flag,
	  MEMBER(config.version), 0, 0,
	  OPTION_COMMAND | OPTION_ALONE },
};

enum { TABLE_LEN = sizeof(table) / sizeof(table[0]) };

/*
 * An address that one host can have.  0.0.0.0 and 255.255.255.255 would even
 * be read as other messages by a server.
 */
static bool read_host_address(const struct option_def *def, const char *text,
			      void *config, char error[OPTIONS_ERROR_LEN])
{
	const struct option_def here = { .name = def->name, .offset = 0 };
	uint32_t address, net;

	if (!option_ipv4.read(&here, text, &address, error))
		return false;
	net = address >> 24;
	if (net == 0 || net == 127 || net >= 224) {
		snprintf(error, OPTIONS_ERROR_LEN,
			 "the IPv4 address of a host, such as 10.0.0.7");
		return false;
	}
	memcpy((char *)config + def->offset, &address, sizeof(address));
	return true;
}

static bool write_host_address(const struct option_def *def, const void *config,
			       unsigned int i, char *text, size_t size)
{
	return option_ipv4.write(def, config, i, text, size);
}

/* The server is the argument, so -s is the static address. */
static bool take_argument(struct command_line *line, const char *argument,
			  char error[OPTIONS_ERROR_LEN])
{
	static const struct option_def here = { .name = "server" };
	char allowed[OPTIONS_ERROR_LEN];
	struct option_list given = line->servers;
	uint32_t address = 0;

	line->servers.n = 0;
	if (!servers_option.read(&here, argument, &line->servers, allowed)) {
		snprintf(error, OPTIONS_ERROR_LEN, "\"%.60s\" is no name of a "
			 "server; allowed: %.90s", argument, allowed);
		return false;
	}
	if (given.n == 0)
		return true;
	if (given.n > 1) {
		snprintf(error, OPTIONS_ERROR_LEN, "with the server as an "
			 "argument, -s is the static address, and there is one "
			 "only; give several servers with -s alone");
		return false;
	}
	if (!read_host_address(&here, given.text[0], &address, allowed)) {
		snprintf(error, OPTIONS_ERROR_LEN,
			 "-s %.40s: with the server as an argument, -s is the "
			 "static address: %.90s", given.text[0], allowed);
		return false;
	}
	if (line->address != 0 && line->address != address) {
		snprintf(error, OPTIONS_ERROR_LEN,
			 "-s and -a ask for two different addresses");
		return false;
	}
	line->address = address;
	return true;
}

static bool check_dns(const struct cli_config *config,
		      char error[OPTIONS_ERROR_LEN])
{
	static const struct option_def one = { .name = "dns" };
	char text[OPTIONS_TEXT_LEN];
	uint32_t address;
	unsigned int i;

	for (i = 0; i < config->own_dns.n; i++) {
		address = config->own_dns.address[i];
		if (address >> 24 != 0 && address >> 24 < 224)
			continue;
		option_ipv4.write(&one, &address, 0, text, sizeof(text));
		snprintf(error, OPTIONS_ERROR_LEN, "option --dns: \"%.15s\" "
			 "found, allowed: the IPv4 address of a host, such as "
			 "10.0.0.1", text);
		return false;
	}
	if (!config->dns && config->own_dns.n > 0) {
		snprintf(error, OPTIONS_ERROR_LEN,
			 "--dns and --no-dns exclude each other");
		return false;
	}
	return true;
}

static bool check(struct command_line *line, int n_arguments, char **arguments,
		  char error[OPTIONS_ERROR_LEN])
{
	if (line->config.quiet && line->config.verbose > 0) {
		snprintf(error, OPTIONS_ERROR_LEN,
			 "-q and -v exclude each other");
		return false;
	}
	if (!check_dns(&line->config, error))
		return false;
	if (n_arguments > 1) {
		snprintf(error, OPTIONS_ERROR_LEN,
			 "'%.80s' is one argument too many; several servers: "
			 "-s A -s B",
			 arguments[1]);
		return false;
	}
	if (n_arguments == 1)
		return take_argument(line, arguments[0], error);
	if (line->servers.n == 0) {
		snprintf(error, OPTIONS_ERROR_LEN,
			 "no server given (cli -s HOST; --help says more)");
		return false;
	}
	return true;
}

static void set_defaults(struct command_line *line)
{
	memset(line, 0, sizeof(*line));
	line->config.port = DEFAULT_PORT;
	line->config.routes = true;
	line->config.hook_timeout_s = HOOK_TIMEOUT_S;
	line->config.dns = true;
	snprintf(line->config.tun, sizeof(line->config.tun), "tun%%d");
	snprintf(line->config.congestion, sizeof(line->config.congestion),
		 SOCK_CONGESTION);
}

bool config_read(struct cli_config *config, int argc, char **argv,
		 char error[OPTIONS_ERROR_LEN])
{
	static struct command_line line, scratch;
	int first;

	set_defaults(&line);
	first = options_load(table, TABLE_LEN, argc, argv, "", MEMBER(path),
			     &line, &scratch, sizeof(line), error);
	if (first < 0)
		return false;
	if (!line.config.help && !line.config.version &&
	    !line.config.print_default &&
	    !check(&line, argc - first, argv + first, error))
		return false;
	line.config.address = line.address;
	line.config.servers = line.servers;
	*config = line.config;
	return true;
}

void config_print_default(FILE *to)
{
	static struct command_line line;

	set_defaults(&line);
	fputs("# The configuration of a simplevpn client, for cli --config; "
	      "each key is also an\n# option of the command line.  What "
	      "stands here is the default.\n\n", to);
	options_print_file(table, TABLE_LEN, &line, to);
}

void config_print_help(FILE *to)
{
	fputs("usage: cli [options] -s HOST\n"
	      "       cli [options] HOST\n"
	      "       cli status [--json] [-i NAME]\n"
	      "\n"
	      "Join this machine to the virtual network of a simplevpn server "
	      "and stay in it.\n"
	      "\n"
	      "Options:\n", to);
	options_print(table, TABLE_LEN, NULL, to);
	fputs("\n"
	      "Examples:\n"
	      "  cli -s vpn.example.org               any free address\n"
	      "  cli -s vpn.example.org -a 10.0.0.7   a static address\n"
	      "  cli vpn.example.org -s 10.0.0.7      the same\n"
	      "  cli -s a.example.org -s b.example.org:443\n"
	      "                                       whichever answers\n"
	      "\n"
	      "It runs in the foreground until SIGINT, SIGTERM or SIGHUP, "
	      "and reconnects by\nitself.  "
	      "SIGUSR1 prints counters.  It needs CAP_NET_ADMIN: run it "
	      "as root.\n"
	      "Exit codes: 0 ended by a signal, 1 failure, 2 wrong usage, "
	      "4 no permission,\n7 (cli status) no client is running.\n", to);
}
