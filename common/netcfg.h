/* SPDX-License-Identifier: MIT */
/*
 * Interface, address and route configuration over rtnetlink(7).
 *
 * One thread at a time for one struct netcfg.  Calls block for the kernel's
 * answer, which comes at once.  Addresses are in host byte order.  All return
 * 0 or -errno as the kernel gave it.
 */
#ifndef COMMON_NETCFG_H
#define COMMON_NETCFG_H

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

#endif
