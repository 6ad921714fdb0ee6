/* SPDX-License-Identifier: MIT */
/*
 * The settings of cli: its command line and a file.  Main thread, before
 * anything else.
 */
#ifndef CLIENT_CONFIG_H
#define CLIENT_CONFIG_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "common/options.h"

struct cli_config {
	struct option_list servers;	/* servers.h; one at least */
	uint32_t port;			/* of those without one of their own */
	uint32_t address;		/* static address; 0: dynamic */
	char tun[OPTIONS_TEXT_LEN];	/* interface name, may hold %d */
	char congestion[OPTIONS_TEXT_LEN];	/* of the connection */
	uint32_t keepalive_s;		/* 0: the server's word */
	bool routes;			/* the network and what is pushed */
	/* Commands as words.h takes them; "": none. */
	char up[OPTIONS_TEXT_LEN], down[OPTIONS_TEXT_LEN];
	char template[OPTIONS_TEXT_LEN];
	uint32_t hook_timeout_s;
	char control[OPTIONS_TEXT_LEN];	/* socket; "": the usual one */
	uint32_t log_format;		/* enum log_format */
	bool dns;			/* tell the host of name servers */
	bool default_route;		/* all traffic */
	bool reject_outside;		/* packets for us from elsewhere */
	struct option_networks own_routes;
	struct option_ipv4s own_dns;	/* instead of what is pushed */
	unsigned int verbose;
	bool quiet, help, version, test, print_default;
};

/*
 * Read the file, if one is named, and the command line.  False: error has one
 * line that says what is wrong.  With help or version nothing else is checked.
 */
bool config_read(struct cli_config *config, int argc, char **argv,
		 char error[OPTIONS_ERROR_LEN]);

/* A configuration file with every key and its default. */
void config_print_default(FILE *to);

void config_print_help(FILE *to);

#endif
