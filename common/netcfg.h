/* SPDX-License-Identifier: MIT */
/*
 * Interface, address, route and rule configuration over rtnetlink(7).
 *
 * One thread at a time for one struct netcfg.  Calls block for the kernel's
 * answer, which comes at once.  Addresses are in host byte order.  All return
 * 0 or -errno as the kernel gave it.
 */
#ifndef COMMON_NETCFG_H
#define COMMON_NETCFG_H

#include <stdbool.h>
#include <stdint.h>

struct netcfg;

/* NULL: errno says why.  netcfg_close() accepts NULL. */
struct netcfg *netcfg_open(void);
void netcfg_close(struct netcfg *nc);

/*
 * Bring the interface up with this MTU and transmit queue length (packets; 0
 * leaves it), with no IPv6 address of the kernel's own making.
 */
int netcfg_link_up(struct netcfg *nc, int ifindex, uint32_t mtu,
		   uint32_t tx_queue_len);

/* The address and, with it, the kernel's route to its network. */
int netcfg_address_add(struct netcfg *nc, int ifindex, uint32_t address,
		       uint8_t prefix_len);
int netcfg_address_del(struct netcfg *nc, int ifindex, uint32_t address,
		       uint8_t prefix_len);

/* A route out of the interface. */
int netcfg_route_add(struct netcfg *nc, int ifindex, uint32_t network,
		     uint8_t prefix_len);
int netcfg_route_del(struct netcfg *nc, int ifindex, uint32_t network,
		     uint8_t prefix_len);

/* The default route of a table of its own, out of the interface. */
int netcfg_default_add(struct netcfg *nc, int ifindex, uint32_t table);
int netcfg_default_del(struct netcfg *nc, int ifindex, uint32_t table);

/* What our rules carry in "ip rule" as their protocol: "S". */
enum { NETCFG_PROTOCOL = 0x53 };

/* A rule of ip-rule(8), as far as a tunnel needs them. */
struct netcfg_rule {
	int family;		/* AF_INET or AF_INET6 */
	uint32_t priority;
	uint32_t table;		/* is asked; of an unreachable one, a mark */
	uint32_t not_mark;	/* for packets without it; 0: for all */
	bool specific;		/* the table's default routes do not count */
	bool unreachable;	/* an error instead of a table */
};

int netcfg_rule_add(struct netcfg *nc, const struct netcfg_rule *rule);
int netcfg_rule_del(struct netcfg *nc, const struct netcfg_rule *rule);

/* The rules of our protocol, at most max: their number, or -errno. */
int netcfg_rules(struct netcfg *nc, int family, struct netcfg_rule *rules,
		 unsigned int max);

#endif
