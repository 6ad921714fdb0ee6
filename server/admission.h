/* SPDX-License-Identifier: MIT */
/*
 * Limits before trust: which connections are accepted at all.
 *
 * Theory of operation: until a connection has an address it is a stranger, and
 * strangers are bounded: in total, per source, and by a rate per source.  As
 * the total nears its limit, connections are refused at random with a rising
 * chance, so that a flood does not shut everybody else out at a fixed point; or
 * rather, the accept thread then drops the oldest stranger instead, who has
 * had time enough for a request (accept.c).
 * A source whose connections end without a request, or with bytes that are no
 * message, collects penalties; above a threshold it is refused until they have
 * expired.  None of this ever touches a client that has its address.
 *
 * A source is the address, or the /64 of an IPv6 address.  Sources are kept in
 * a table of fixed size; one that finds no room is let in, subject to the
 * total alone: forgetting an offender is better than refusing a stranger for
 * what others did.
 *
 * Any thread may call; a mutex inside is held for a few instructions.  Time is
 * that of clock_now_ms().
 */
#ifndef SERVER_ADMISSION_H
#define SERVER_ADMISSION_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

struct admission;
struct admission_source;

struct admission_limits {
	uint32_t max_pending;		/* strangers in all */
	uint32_t max_pending_source;	/* of one source */
	uint32_t rate_source;	/* connections a second of one; 0: any */
	uint32_t burst_source;
	uint32_t max_clients_source;	/* strangers and clients; 0: any */
	uint32_t penalty_ms;		/* for each offence; 0: none */
	uint32_t penalty_threshold_ms;	/* refused from here on */
	uint32_t penalty_max_ms;
};

enum admission_verdict {
	ADMISSION_OK,
	ADMISSION_TOO_MANY,		/* strangers in all */
	ADMISSION_TOO_MANY_OF_SOURCE,
	ADMISSION_TOO_FAST,
	ADMISSION_PENALTY,
	ADMISSION_CLIENTS_OF_SOURCE,
	ADMISSION_NO_RESOURCES,	/* no descriptor, thread or memory for it */
	ADMISSION_N_VERDICTS
};

/* It lets nobody in before it has limits.  NULL: out of memory. */
struct admission *admission_new(const uint64_t seed[2]);
void admission_free(struct admission *a);

/* From now on; who is in stays. */
void admission_set_limits(struct admission *a,
			  const struct admission_limits *limits);

/*
 * A connection from peer has come.  With ADMISSION_OK it counts as a stranger
 * and *source is set, maybe to NULL; both are given back by admission_left().
 * random: any 32 bits.
 */
enum admission_verdict admission_accept(struct admission *a,
					const struct sockaddr_storage *peer,
					uint64_t now_ms, uint32_t random,
					struct admission_source **source);

/*
 * The same, after ADMISSION_TOO_MANY: an older stranger was shut to make room,
 * and will have left in a moment.  Not without any bound on such moments.
 */
enum admission_verdict
admission_accept_instead(struct admission *a,
			 const struct sockaddr_storage *peer, uint64_t now_ms,
			 struct admission_source **source);

/* It has got its address and is no stranger any more. */
void admission_joined(struct admission *a, struct admission_source *source);

/* It is gone; offence: it never joined, by its own fault. */
void admission_left(struct admission *a, struct admission_source *source,
		    bool had_joined, bool offence, uint64_t now_ms);

/* "too many connections without an address", for the log. */
const char *admission_verdict_text(enum admission_verdict verdict);

/* "pending_of_source", for machine-readable output. */
const char *admission_verdict_name(enum admission_verdict verdict);

/* Count a connection that went wrong after, or before, admission_accept(). */
void admission_count(struct admission *a, enum admission_verdict verdict);

struct admission_counts {
	uint32_t pending;	/* strangers now */
	uint64_t verdicts[ADMISSION_N_VERDICTS];	/* since the start */
};

uint32_t admission_pending(struct admission *a);
void admission_counts(struct admission *a, struct admission_counts *counts);

#endif
