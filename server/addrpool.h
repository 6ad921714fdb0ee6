/* SPDX-License-Identifier: MIT */
/*
 * Which addresses of the tunnel's network are held.  A dynamic address is the
 * one that has been unused the longest, so that a freed address rests before
 * somebody else gets it.  The network's, the broadcast's and the server's own
 * address are never given.  Taking and releasing are O(1).
 *
 * Any thread may call; a mutex inside is held for a few instructions.  Nothing
 * but addrpool_wait() blocks.
 * Addresses are in host byte order.
 */
#ifndef SERVER_ADDRPOOL_H
#define SERVER_ADDRPOOL_H

#include <stdbool.h>
#include <stdint.h>

struct addrpool;

enum addrpool_result {
	ADDRPOOL_OK,
	ADDRPOOL_TAKEN,
	ADDRPOOL_NOT_ALLOWED,	/* out of the network, or reserved */
	ADDRPOOL_EMPTY,
	ADDRPOOL_FULL,		/* max_held addresses are held */
};

enum {
	ADDRPOOL_MIN_PREFIX = 8,
	ADDRPOOL_MAX_PREFIX = 30,
};

/*
 * A pool for network/prefix_len (ADDRPOOL_MIN_PREFIX to _MAX_PREFIX), of which
 * server is reserved.  NULL: no memory.
 */
struct addrpool *addrpool_new(uint32_t network, uint8_t prefix_len,
			      uint32_t server);
void addrpool_free(struct addrpool *pool);

enum addrpool_result addrpool_take_any(struct addrpool *pool,
				       uint32_t *address);
enum addrpool_result addrpool_take(struct addrpool *pool, uint32_t address);

/* Take a second address in place of one held: max_held does not stand in the
 * way.  The caller releases the old one afterwards. */
enum addrpool_result addrpool_take_instead(struct addrpool *pool,
					   uint32_t address);

/* address is held; it goes to the end of the line. */
void addrpool_release(struct addrpool *pool, uint32_t address);

/* Wait until address is not held, for timeout_ms at most.  True: it is free. */
bool addrpool_wait(struct addrpool *pool, uint32_t address,
		   uint32_t timeout_ms);

/* At most so many are held at once, from now on; those beyond it stay so. */
void addrpool_set_max_held(struct addrpool *pool, uint32_t max_held);

uint32_t addrpool_held(struct addrpool *pool);
/* Addresses that can be held in all. */
uint32_t addrpool_size(const struct addrpool *pool);

#endif
