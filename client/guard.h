/* SPDX-License-Identifier: MIT */
/*
 * The client's nftables table: packets for the tunnel's address that arrive
 * elsewhere are dropped, what is forwarded through the tunnel has its MSS
 * clamped, and the replies of a marked connection carry the mark.  Main thread
 * only; each call blocks while nft runs, seconds at most.
 */
#ifndef CLIENT_GUARD_H
#define CLIENT_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct guard_rules {
	uint32_t address;	/* dropped elsewhere; host order, 0: none */
	uint32_t mark;		/* of the connection; 0: none */
};

struct guard {
	int ifindex;		/* 0: no table */
	struct guard_rules now;
};

/* Whether this host forwards packets for others. */
bool guard_forwards(void);

/*
 * Make the table, or change it.  The MSS is clamped in any case.  False: why
 * has a sentence, and nothing was changed.
 */
bool guard_set(struct guard *g, int ifindex, const struct guard_rules *rules,
	       char *why, size_t why_size);
void guard_remove(struct guard *g);

/*
 * Remove the tables of clients that were killed: of an interface that there is
 * not, or of ifindex, which was made just now.  Says so.
 */
void guard_clean(int ifindex);

#endif
