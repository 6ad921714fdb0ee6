/* SPDX-License-Identifier: MIT */
/* The server's settings, and the file and command line that set them. */
#ifndef SERVER_CONFIG_H
#define SERVER_CONFIG_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "common/log.h"
#include "common/options.h"

#define CONFIG_DEFAULT_CONTROL "/run/simplevpn/srv.sock"
#define CONFIG_NO_CONTROL "none"
#define CONFIG_DEFAULT_PATH "/etc/simplevpn/srv.conf"

struct server_config {
	char path[OPTIONS_TEXT_LEN];	/* the file that was read; "": none */
	uint32_t port;
	struct option_list listen;	/* addresses; none: every one */
	struct option_network network;
	char tun[OPTIONS_TEXT_LEN];
	bool no_tun;
	uint32_t mtu;			/* bytes */
	uint32_t idle_timeout_s;
	uint32_t max_clients;		/* 0: as many as there are addresses */
	uint32_t max_clients_per_source;	/* 0: any number */
	uint32_t max_pending;		/* connections without an address */
	uint32_t max_pending_per_source;
	uint32_t client_queue_kib;	/* of one client, KiB */
	uint32_t client_queue_packets;
	uint32_t queue_memory_mib;	/* of all clients, MiB */
	uint32_t stall_timeout_s;
	uint32_t flush_timeout_s;
	char control[OPTIONS_TEXT_LEN];	/* path of the socket */
	char congestion[OPTIONS_TEXT_LEN];
	char user[OPTIONS_TEXT_LEN];	/* "": the default one, if it exists */
	char nat[OPTIONS_TEXT_LEN];	/* the uplink; "": none */
	struct option_networks push_routes;	/* what clients are told */
	struct option_ipv4s push_dns;
	char push_search[OPTIONS_TEXT_LEN];	/* "": none */
	struct option_address metrics;	/* port 0: none */
	uint32_t connect_rate;		/* a second and source; 0: any */
	uint32_t log_format;		/* enum log_format */
	unsigned int verbose;
	bool quiet;
	bool help, version, test, print_default;
};

/*
 * Defaults, then the file, then the command line.  False: error is one clear
 * line, config undefined.  Blocks for the file.  Main thread.
 */
bool config_read(struct server_config *config, int argc, char **argv,
		 char error[OPTIONS_ERROR_LEN]);

enum log_level config_log_level(const struct server_config *config);

/* Call visit for every option that differs between the two. */
void config_visit_changes(const struct server_config *before,
			  const struct server_config *after,
			  void (*visit)(const struct option_def *def,
					void *arg), void *arg);

/* A configuration file with every key and its default. */
void config_print_default(FILE *to);

void config_print_help(FILE *to);

#endif
