/* SPDX-License-Identifier: MIT */
/*
 * The name servers of the tunnel, told to whatever this host asks for names:
 * systemd-resolved, resolvconf(8), or /etc/resolv.conf.  Main thread only;
 * calls block while those programs run, seconds at most.
 */
#ifndef CLIENT_DNS_H
#define CLIENT_DNS_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "client/dnsfile.h"
#include "proto/msg.h"

/* All zero: none. */
struct dns_settings {
	uint32_t n;
	uint32_t servers[MSG_MAX_DNS];	/* host byte order */
	char search[MSG_MAX_TEXT + 1];	/* "": none */
	bool all_names;		/* no name is asked for elsewhere */
};

enum dns_way { DNS_NONE, DNS_RESOLVED, DNS_RESOLVCONF, DNS_FILE };

struct dns {
	enum dns_way way;	/* in use */
	char interface[IF_NAMESIZE];
	struct dns_settings now;
	struct dnsfile file;
};

void dns_init(struct dns *d, const char *interface);

/* Make them what settings say; a warning says what was not possible. */
void dns_apply(struct dns *d, const struct dns_settings *settings);

/* As before the first dns_apply(). */
void dns_remove(struct dns *d);

/* Remove what killed clients left, and say so; before the first apply. */
void dns_clean(struct dns *d);

#endif
