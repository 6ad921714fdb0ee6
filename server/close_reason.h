/* SPDX-License-Identifier: MIT */
/* Why a connection ends.  Any thread; nothing here blocks. */
#ifndef SERVER_CLOSE_REASON_H
#define SERVER_CLOSE_REASON_H

enum close_reason {
	CLOSE_NONE,
	CLOSE_BY_PEER,
	CLOSE_CONNECTION_LOST,	/* reset, or unanswered for too long */
	CLOSE_IDLE,		/* nothing came for the idle timeout */
	CLOSE_NOT_JOINED,	/* no request by the join deadline */
	CLOSE_CROWDED_OUT,	/* the same, and others need the place */
	CLOSE_PROTOCOL,		/* the stream cannot be decoded */
	CLOSE_REFUSED,		/* its request could not be granted */
	CLOSE_STALLED,		/* it does not read */
	CLOSE_EVICTED,		/* it reads too slowly, and memory is short */
	CLOSE_TAKEN_OVER,	/* the same host is back for its address */
	CLOSE_KICKED,		/* the operator wanted it */
	CLOSE_SHUTDOWN,
	CLOSE_N_REASONS
};

/* "taken_over" and so on: for machine-readable output. */
const char *close_reason_name(enum close_reason reason);
/* The same for people: "its host has connected again". */
const char *close_reason_text(enum close_reason reason);

#endif
