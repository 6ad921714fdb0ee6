/* SPDX-License-Identifier: MIT */
/*
 * Control messages: the address request, the reply to it with or without
 * options, and the keepalive.  Bytes to struct and back, no policy.
 * Addresses are in host byte order throughout (10.0.0.7 is 0x0a000007).
 *
 * Any thread may call; nothing here blocks, allocates or keeps state.
 */
#ifndef PROTO_MSG_H
#define PROTO_MSG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/frame.h"

enum {
	MSG_VERSION = 1,
	MSG_MAX_ROUTES = 32,
	MSG_MAX_DNS = 4,
	MSG_MAX_TEXT = 200,	/* error text, search domain: bytes */
	MSG_MAX_TOKEN = 64,
};

/* Bytes 10-11 of a capable request and its reply: what an end can take. */
enum msg_flag {
	MSG_FLAG_OPTIONS = 1 << 0,	/* options in replies */
	MSG_FLAG_SEGMENTS = 1 << 1,	/* super-packets, partial checksums */
	MSG_FLAG_IPV6 = 1 << 2,		/* IPv6 packets as data */
};

/* Why a server refuses; the value of the error option's first two bytes. */
enum msg_error {
	MSG_ERROR_NONE,
	MSG_ERROR_ADDRESS_TAKEN,
	MSG_ERROR_ADDRESS_NOT_ALLOWED,	/* out of the network, or reserved */
	MSG_ERROR_POOL_EMPTY,
	MSG_ERROR_SERVER_FULL,
	MSG_ERROR_RESTARTING,
	MSG_N_ERRORS
};

struct msg_request {
	uint32_t wanted;	/* 0: any address will do */
	bool capable;
	uint8_t version;
	uint16_t flags;		/* enum msg_flag; 0 unless capable */
};

struct msg_route {
	uint32_t network;
	uint8_t prefix_len;
};

/* Every member is optional; has_* or a count says what is there. */
struct msg_options {
	bool has_prefix_len, has_server, has_mtu, has_keepalive;
	bool has_idle_timeout, has_error, has_retry;
	/* Withdrawn, and no new ones in their place. */
	bool no_routes, no_dns, no_search;
	uint8_t prefix_len;	/* of the tunnel's network, 1 to 32 */
	uint32_t server;	/* the server's own tunnel address */
	uint16_t mtu;		/* bytes, longest packet the tunnel takes */
	uint16_t keepalive_s;	/* seconds of silence before a keepalive */
	uint16_t idle_timeout_s;	/* silence, then the server closes */
	uint32_t retry_ms;	/* come back no sooner than this */
	uint16_t error;		/* enum msg_error, or one of a later version */
	unsigned int n_routes;
	struct msg_route routes[MSG_MAX_ROUTES];
	unsigned int n_dns;
	uint32_t dns[MSG_MAX_DNS];
	size_t token_len;
	uint8_t token[MSG_MAX_TOKEN];
	char search[MSG_MAX_TEXT + 1];	/* search domain; "": none */
	char error_text[MSG_MAX_TEXT + 1];
};

struct msg_reply {
	uint32_t address;	/* 0: refused, or options only */
	bool capable;		/* the server knows the extension */
	uint8_t version;
	uint16_t flags;		/* granted */
	struct msg_options options;
};

/* Write a request for an address (0: dynamic); flags 0 makes a base request. */
void msg_write_request(uint8_t out[FRAME_CONTROL_LEN], uint32_t wanted,
		       uint16_t flags);
void msg_read_request(const uint8_t in[FRAME_CONTROL_LEN],
		      struct msg_request *request);

/* The base reply: the request's bytes, source 0, destination the address. */
void msg_write_reply(uint8_t out[FRAME_CONTROL_LEN],
		     const uint8_t request[FRAME_CONTROL_LEN],
		     uint32_t address);

/*
 * The reply to a capable client.  Returns the bytes written, at most size; 0
 * if they do not fit (FRAME_MAX_REPLY always does).
 */
size_t msg_write_capable_reply(uint8_t *out, size_t size,
			       const uint8_t request[FRAME_CONTROL_LEN],
			       uint32_t address, uint16_t flags,
			       const struct msg_options *options);

/*
 * Read a message with source 0 of len bytes.  Returns false, *reply untouched,
 * if its options are malformed.
 */
bool msg_read_reply(const uint8_t *in, size_t len, struct msg_reply *reply);

void msg_write_keepalive(uint8_t out[FRAME_CONTROL_LEN]);

/* A sentence for people, such as "the address is in use". */
const char *msg_error_text(uint16_t error);

#endif
