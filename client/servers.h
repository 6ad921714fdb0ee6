/* SPDX-License-Identifier: MIT */
/* A server as people write it: HOST, HOST:PORT, IPV6 or [IPV6]:PORT. */
#ifndef CLIENT_SERVERS_H
#define CLIENT_SERVERS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/options.h"

struct server_name {
	char host[OPTIONS_TEXT_LEN];	/* a name, or an address in numbers */
	uint16_t port;
};

/* What is allowed, for an error message. */
#define SERVERS_ALLOWED "HOST, HOST:PORT, IPV6 or [IPV6]:PORT"

/* False: it is none of these, *out is undefined.  Any thread. */
bool servers_read(const char *text, uint16_t default_port,
		  struct server_name *out);

/*
 * A repeatable option [struct option_list] whose texts servers_read() takes.
 */
extern const struct option_type servers_option;

#endif
