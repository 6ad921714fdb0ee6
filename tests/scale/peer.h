/* SPDX-License-Identifier: MIT */
/*
 * One client of a crowd: its connection, and the protocol by the same state
 * machines that cli uses (proto/session.h, client/reconnect.h).  It has no
 * TUN: packets that come are checked and forgotten.
 *
 * Theory of operation: everything happens in the one thread of the crowd's
 * loop, which calls peer_io() when the socket has something and peer_tick()
 * when due_ms has come.  What the socket does not take at once is kept in out,
 * and nothing but that is sent until it is gone, so messages stay whole.  What
 * a peer does beyond joining, keeping alive and coming back is its role's:
 * the crowd's struct role is told of each event.
 */
#ifndef SCALE_PEER_H
#define SCALE_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/reconnect.h"
#include "proto/session.h"
#include "tests/scale/stamp.h"

struct crowd;

enum peer_state {
	PEER_DOWN,		/* connects at retry_ms */
	PEER_CONNECTING,
	PEER_JOINING,		/* request sent */
	PEER_JOINED,
};

enum { PEER_BEFORE = 16 };

/* What an unanswered request of a joined peer was for. */
enum peer_asked { ASKED_NOTHING, ASKED_AGAIN, ASKED_MOVE };

/* Somebody else was given the same address: does the server stand to it? */
enum peer_suspicion { SUSPICION_NONE, SUSPICION_TO_ASK, SUSPICION_ASKED };

struct peer {
	struct crowd *crowd;
	uint32_t number;	/* within the crowd */
	uint32_t id;		/* in the ledger */
	enum peer_state state;
	int fd;
	bool base;		/* speaks the base protocol alone */
	bool narrow;		/* has the smallest receive buffer */
	bool deaf;		/* reads nothing for the time being */
	bool verified;		/* by the command of that name */
	bool mute;		/* half closed or mid-message: sends no more */
	uint32_t events;	/* that epoll watches for */
	enum peer_asked asked;
	enum peer_suspicion suspicion;
	uint32_t asked_address;	/* of ASKED_MOVE */
	uint32_t address;	/* 0 unless joined */
	struct {
		uint32_t address;
		uint64_t until_ms;	/* packets for it may come till then */
	} before[PEER_BEFORE];		/* what this connection had earlier */
	uint32_t n_before;
	uint64_t retry_ms;
	uint64_t turn_ms;	/* of the role; UINT64_MAX: never */
	uint64_t joined_ms;
	uint64_t lost_ms;	/* in the outage that is watched; 0: not */
	uint32_t before_loss;	/* the address that it had then */
	bool is_back;
	struct session session;
	struct reconnect reconnect;
	uint8_t *out;		/* unsent bytes; NULL: none */
	size_t out_len, out_sent;
	uint8_t *rest;		/* start of a message; NULL: none */
	size_t rest_len;
	uint32_t stream;
	uint64_t sequence;
	struct stamp_memory *memory;	/* NULL until a packet came */
};

void peer_init(struct peer *p, struct crowd *crowd, uint32_t number,
	       uint32_t fixed_address);

/* Begin to connect, now.  From PEER_DOWN alone. */
void peer_connect(struct peer *p);

/* epoll's events for its socket. */
void peer_io(struct peer *p, uint32_t events);
/* due_ms has come. */
void peer_tick(struct peer *p);
/* When peer_tick() is to be called next; UINT64_MAX: never. */
uint64_t peer_due_ms(const struct peer *p);

/*
 * Send whole messages, or bytes that are none.  False: not all that was sent
 * before has left, or the connection is gone; nothing was taken.
 */
bool peer_send(struct peer *p, const uint8_t *data, size_t len);
bool peer_can_send(const struct peer *p);

/* A stamped packet to destination at out. */
void peer_stamp(struct peer *p, uint8_t *out, size_t len,
		uint32_t destination);

/* A joined peer asks again for what it has, or for another address. */
bool peer_ask(struct peer *p, enum peer_asked what, uint32_t address);

/* Whether it reads from its socket. */
void peer_set_deaf(struct peer *p, bool deaf);

/*
 * Close by our own wish, with a reset or an orderly end.  The role is not
 * told; the peer is down and stays so until somebody sets retry_ms.
 */
void peer_close(struct peer *p, bool reset);

#endif
