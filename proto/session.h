/* SPDX-License-Identifier: MIT */
/*
 * The client's side of one connection as a state machine without I/O: bytes
 * and the time go in; bytes to send, packets and events come out.  The caller
 * owns the socket, the buffers and the clock.  A device can use it as it is,
 * and so does cli.
 *
 * One thread at a time; nothing here blocks or allocates.  Times are
 * milliseconds of any clock that never goes back.
 */
#ifndef PROTO_SESSION_H
#define PROTO_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/frame.h"
#include "proto/msg.h"
#include "proto/packet.h"

enum {
	SESSION_KEEPALIVE_S = 15,	/* silence before the first keepalive */
	SESSION_PROBE_MS = 1000,	/* between unanswered keepalives */
	SESSION_PROBES = 15,		/* unanswered ones before giving up */
	SESSION_JOIN_MS = 10000,	/* from connect to the reply */
};

/*
 * SESSION_IDLE     not connected: session_start() only
 * SESSION_JOINING  request to be sent or sent, no reply yet: no data may be
 *                  sent; data that comes is skipped
 * SESSION_JOINED   address known, data flows both ways
 * SESSION_CLOSED   the connection is to be closed: session_start() only
 */
enum session_state {
	SESSION_IDLE,
	SESSION_JOINING,
	SESSION_JOINED,
	SESSION_CLOSED,
};

enum session_event {
	SESSION_NONE,		/* no whole message in the bytes given */
	SESSION_PACKET,		/* item.packet is for the tunnel interface */
	SESSION_SKIPPED,	/* something that this client does not take */
	SESSION_ALIVE,		/* keepalive echoed */
	SESSION_ASSIGNED,	/* reply: session.address and session.options
				 * are new */
	SESSION_OPTIONS,	/* pushed options: item.options; session.options
				 * has them too now */
	SESSION_REFUSED,	/* item.options has the reason; closed */
	SESSION_BROKEN,		/* the stream cannot be decoded; closed */
	SESSION_TIMED_OUT,	/* no reply to the request, or to keepalives;
				 * closed */
};

struct session_config {
	uint32_t wanted;	/* address to ask for; 0: dynamic */
	uint16_t flags;		/* enum msg_flag to offer; 0: base client */
	uint16_t keepalive_s;	/* 0: the server's word, else the default */
};

struct session_item {
	struct packet packet;		/* SESSION_PACKET */
	const struct msg_options *options;	/* until the next call */
	enum frame_error error;		/* SESSION_BROKEN */
};

/* All members are the session's own; read address, options, state freely. */
struct session {
	struct session_config config;
	enum session_state state;
	struct frame_rules rules;
	uint32_t address;		/* 0 until joined */
	uint16_t flags;			/* granted by the server */
	bool server_capable;
	struct msg_options options;	/* in force: of the last reply, and
					 * what was pushed since */
	struct msg_options pushed;
	uint64_t keepalive_ms;
	uint64_t join_deadline_ms;
	uint64_t sent_ms;		/* last time that we sent anything */
	uint64_t received_ms;
	unsigned int n_probes;		/* keepalives without an answer */
	uint64_t probe_ms;		/* when the last one was queued */
	uint8_t out[2 * FRAME_CONTROL_LEN];
	size_t out_len;
};

/* A new session with nothing sent; state SESSION_IDLE. */
void session_init(struct session *s, const struct session_config *config);

/* A connection is there: queues the request.  From any state. */
void session_start(struct session *s, uint64_t now_ms);

/*
 * Decode the first message of buf[0..len), bytes that came from the server and
 * were not consumed before.  *consumed bytes are done with (0 for
 * SESSION_NONE and SESSION_BROKEN).  item.packet points into buf.  Call again
 * with the rest until it returns SESSION_NONE.  A call with any bytes counts as
 * a sign of life, so call only after something was received.
 */
enum session_event session_receive(struct session *s, uint8_t *buf, size_t len,
				   uint64_t now_ms, size_t *consumed,
				   struct session_item *item);

/*
 * The time has come to be now_ms: queues a keepalive where one is due.
 * Returns SESSION_NONE or SESSION_TIMED_OUT.
 */
enum session_event session_tick(struct session *s, uint64_t now_ms);

/* When session_tick() wants to be called next; UINT64_MAX: never. */
uint64_t session_next_tick(const struct session *s);

/*
 * Control bytes to be sent before any further data; *len may be 0.  The caller
 * sends all of it, at a boundary between packets, then says so.
 */
const uint8_t *session_output(const struct session *s, size_t *len);
void session_output_done(struct session *s, uint64_t now_ms);

/* The caller has sent data: the keepalive can wait. */
static inline void session_sent(struct session *s, uint64_t now_ms)
{
	s->sent_ms = now_ms;
}

#endif
