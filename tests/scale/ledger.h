/* SPDX-License-Identifier: MIT */
/*
 * Who believes to hold which address: a table in a file that all processes of
 * a crowd map, so that an address with two owners is seen whoever they are.
 * Beside it, the list of those that take part in the traffic.
 *
 * Theory of operation: a client claims an address when the server has granted
 * it, and gives it up before it does what makes the server free it (a close, a
 * request for another one).  So a claim that finds a living claim of somebody
 * else is a duplicate, except where the server itself ended the other one's
 * connection and that has not been noticed yet: ledger_claim() only reports
 * it, the caller has to find out.
 *
 * Any thread and process may call; all members are atomic.
 */
#ifndef SCALE_LEDGER_H
#define SCALE_LEDGER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum {
	LEDGER_ADDRESSES = 65536,	/* of a /16 */
	LEDGER_MAX_MEMBERS = 20000,
};

struct ledger {
	_Atomic uint32_t owner[LEDGER_ADDRESSES];	/* 0: nobody */
	_Atomic uint32_t members[LEDGER_MAX_MEMBERS];	/* addresses */
};

/* Map the file at path, which is made if it is not there.  NULL: errno. */
struct ledger *ledger_open(const char *path);

/*
 * owner (1 to 2^31 - 1) holds address from now on.  Returns 0, or the owner
 * whose living claim stood there.
 */
uint32_t ledger_claim(struct ledger *ledger, uint32_t address,
		      uint32_t owner);

/* The server may give it to somebody else from now on. */
void ledger_leave(struct ledger *ledger, uint32_t address, uint32_t owner);
/* It did not: the claim stands again, unless another one was made. */
void ledger_stay(struct ledger *ledger, uint32_t address, uint32_t owner);
/* owner has nothing to do with it any more; no claim of others is touched. */
void ledger_clear(struct ledger *ledger, uint32_t address, uint32_t owner);

bool ledger_holds(struct ledger *ledger, uint32_t address, uint32_t owner);
/* Addresses with a claim. */
uint32_t ledger_count(struct ledger *ledger);

#endif
