/* SPDX-License-Identifier: MIT */
/* What is in force while cli is connected: for hooks and for the status. */
#ifndef CLIENT_FACTS_H
#define CLIENT_FACTS_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/options.h"
#include "common/sock.h"
#include "proto/msg.h"

enum {
	FACTS_MAX_ROUTES = MSG_MAX_ROUTES + OPTIONS_MAX_NETWORKS,
	FACTS_ADDRESS_LEN = 16,
	FACTS_LIST_LEN = 2048,
};

/* Addresses in host byte order. */
struct facts {
	char interface[IFNAMSIZ];
	char server[OPTIONS_TEXT_LEN];	/* as the user wrote it */
	char peer[SOCK_TEXT_LEN];	/* and its address and port */
	uint32_t address;		/* ours in the tunnel */
	uint32_t gateway;		/* the server's there; 0: not told */
	uint32_t mtu;			/* bytes */
	uint8_t prefix_len;
	bool default_route;	/* as if 0.0.0.0/0 were one of the routes */
	unsigned int n_routes;
	struct msg_route routes[FACTS_MAX_ROUTES];
	unsigned int n_dns;
	uint32_t dns[MSG_MAX_DNS];
	char search[MSG_MAX_TEXT + 1];	/* a domain name; "": none */
	bool dns_unused;		/* the user does not want these */
};

void facts_address_text(uint32_t address, char text[FACTS_ADDRESS_LEN]);

bool facts_equal(const struct facts *a, const struct facts *b);

/* "0.0.0.0/0 10.2.0.0/16", cut where it does not fit. */
void facts_routes_text(const struct facts *facts, const char *separator,
		       char text[FACTS_LIST_LEN]);
void facts_dns_text(const struct facts *facts, const char *separator,
		    char text[FACTS_LIST_LEN]);

#endif
