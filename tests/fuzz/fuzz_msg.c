/* SPDX-License-Identifier: MIT */
/*
 * Fuzzes the readers of control messages: what is read keeps the limits of
 * its struct, and written and read again it is the same.
 *
 * Input: the options of a capable reply, behind the first 20 bytes.
 */
#include <stdlib.h>
#include <string.h>

#include "proto/msg.h"
#include "proto/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool right)
{
	if (!right)
		abort();
}

static void check_text(const char *text)
{
	size_t i;

	check(memchr(text, '\0', MSG_MAX_TEXT + 1) != NULL);
	for (i = 0; text[i] != '\0'; i++)
		check(text[i] >= 0x20 && text[i] < 0x7f);
}

static void check_limits(const struct msg_options *o)
{
	unsigned int i;

	check(!o->has_prefix_len || (o->prefix_len >= 1 &&
				     o->prefix_len <= 32));
	check(!o->has_mtu || o->mtu >= 68);
	check(o->n_routes <= MSG_MAX_ROUTES);
	for (i = 0; i < o->n_routes; i++)
		check(o->routes[i].prefix_len <= 32);
	check(o->n_dns <= MSG_MAX_DNS);
	check(o->token_len <= MSG_MAX_TOKEN);
	check(!o->no_routes || o->n_routes == 0);
	check(!o->no_dns || o->n_dns == 0);
	check_text(o->search);
	check_text(o->error_text);
}

static void fuzz_request(const uint8_t *data)
{
	uint8_t in[FRAME_CONTROL_LEN], out[FRAME_CONTROL_LEN];
	struct msg_request request, again;

	memcpy(in, data, sizeof(in));
	msg_read_request(in, &request);
	check(request.capable == (request.flags != 0));
	if (!request.capable)
		return;
	msg_write_request(out, request.wanted, request.flags);
	msg_read_request(out, &again);
	check(again.capable && again.wanted == request.wanted &&
	      again.flags == request.flags);
}

/* Written and read again, it must come to the same bytes. */
static void check_round_trip(const uint8_t *head, const struct msg_reply *reply)
{
	uint8_t first[FRAME_MAX_REPLY], second[FRAME_MAX_REPLY];
	struct msg_reply again;
	size_t len;

	len = msg_write_capable_reply(first, sizeof(first), head,
				      reply->address, reply->flags,
				      &reply->options);
	check(len >= FRAME_CONTROL_LEN);
	check(msg_read_reply(first, len, &again) && again.capable);
	check(again.address == reply->address && again.flags == reply->flags);
	check(msg_write_capable_reply(second, sizeof(second), head,
				      again.address, again.flags,
				      &again.options) == len);
	check(memcmp(first, second, len) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct msg_reply untouched;
	struct msg_reply reply;
	uint8_t *copy;

	if (size < FRAME_CONTROL_LEN || size > FRAME_MAX_REPLY)
		return 0;
	fuzz_request(data);

	copy = malloc(size);	/* of just that size, to see reads beyond it */
	check(copy != NULL);
	memcpy(copy, data, size);
	store_be16(copy + 2, (uint16_t)size);
	memcpy(copy + 4, "vS", 2);
	memset(&reply, 0, sizeof(reply));
	if (msg_read_reply(copy, size, &reply)) {
		check(reply.capable);
		check_limits(&reply.options);
		check_round_trip(copy, &reply);
	} else {
		check(memcmp(&reply, &untouched, sizeof(reply)) == 0);
	}
	free(copy);
	return 0;
}
