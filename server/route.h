/* SPDX-License-Identifier: MIT */
/*
 * From an address of the tunnel's network to the endpoint that holds it.
 *
 * Any thread may call.  Locks are striped over the addresses and held for a
 * few instructions; the data path looks a destination up once per batch, not
 * per packet.  Addresses are in host byte order.
 */
#ifndef SERVER_ROUTE_H
#define SERVER_ROUTE_H

#include <stdint.h>

struct endpoint;
struct route_table;

/* NULL: out of memory. */
struct route_table *route_new(uint32_t network, uint8_t prefix_len);
/* Every address was removed before. */
void route_free(struct route_table *table);

/* List e under address, an address of the network; takes a reference. */
void route_add(struct route_table *table, uint32_t address,
	       struct endpoint *e);

/*
 * Take e out, if it is e that is listed there: the late clean-up of an old
 * connection never removes its successor.
 */
void route_remove(struct route_table *table, uint32_t address,
		  const struct endpoint *e);

/* A reference for the caller to endpoint_put(), or NULL. */
struct endpoint *route_get(struct route_table *table, uint32_t address);

#endif
