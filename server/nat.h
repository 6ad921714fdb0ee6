/* SPDX-License-Identifier: MIT */
/*
 * Making clients reach what this host reaches: forwarding, masquerading, and a
 * few rules beside it, in an nftables table of our own.
 *
 * Main thread.  Blocks while nft runs.  It needs CAP_NET_ADMIN, which nft has
 * to inherit: root's, or an ambient one (common/privilege.h).
 */
#ifndef SERVER_NAT_H
#define SERVER_NAT_H

#include <stdint.h>

struct nat;

struct nat_settings {
	const char *uplink;	/* the interface towards the world */
	const char *tun;	/* the server's own, which is there already */
	uint32_t network;	/* the tunnel's, host byte order */
	uint8_t prefix_len;
	uint16_t port;		/* that clients connect to */
};

/*
 * Set up the rules and turn forwarding on; remove what servers that were
 * killed have left behind.  0 and *nat, or -errno after saying why; -EPERM and
 * -EACCES: not allowed to.
 */
int nat_open(struct nat **nat, const struct nat_settings *settings);

/*
 * Remove the rules; turn forwarding off if a server turned it on and none that
 * is left needs it.  Says what could not be undone.  NULL is fine.
 */
void nat_close(struct nat *nat);

/*
 * For a server without NAT on this TUN: what one with it that was killed has
 * left is removed, if there is any.
 */
void nat_clean(const char *tun);

#endif
