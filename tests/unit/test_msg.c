/* SPDX-License-Identifier: MIT */
/* Tests of the control messages: to the byte, back and forth, and malformed. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "proto/msg.h"
#include "tests/unit/proto_test.h"

static void assert_bytes(const uint8_t *bytes, size_t len, const char *hex)
{
	uint8_t expected[FRAME_MAX_REPLY];

	ck_assert_uint_eq(from_hex(hex, expected, sizeof(expected)), len);
	ck_assert_mem_eq(bytes, expected, len);
}

START_TEST(msg_base_messages_are_those_of_existing_clients)
{
	uint8_t out[FRAME_CONTROL_LEN];

	msg_write_request(out, 0, 0);
	assert_bytes(out, 20, "4514000000000000 40000000 00000000 00000000");
	msg_write_request(out, 0x0a000007, 0);
	assert_bytes(out, 20, "4514000000000000 40000000 0a000007 00000000");
	msg_write_keepalive(out);
	assert_bytes(out, 20, "4514000000000000 40000000 ffffffff ffffffff");
}
END_TEST

START_TEST(msg_capable_request_is_marked_and_read_back)
{
	uint8_t out[FRAME_CONTROL_LEN];
	struct msg_request request;

	msg_write_request(out, 0x0a000007,
			  MSG_FLAG_OPTIONS | MSG_FLAG_SEGMENTS);
	assert_bytes(out, 20, "4514000053560000 40010003 0a000007 00000000");
	msg_read_request(out, &request);
	ck_assert(request.capable);
	ck_assert_uint_eq(request.wanted, 0x0a000007);
	ck_assert_uint_eq(request.version, 1);
	ck_assert_uint_eq(request.flags, 3);
}
END_TEST

START_TEST(msg_request_is_capable_only_with_mark_version_and_flag)
{
	static const char *const base[] = {
		"4514 0000 5357 0000 4001 0001 00000000 00000000",
		"4514 0000 5256 0000 4001 0001 00000000 00000000",
		"4514 0000 5356 0000 4000 0001 00000000 00000000",
		"4514 0000 5356 0000 4001 0002 00000000 00000000",
		"ffff ffff ffff ffff ffff ffff 00000000 00000000",
	};
	struct msg_request request;
	uint8_t in[FRAME_CONTROL_LEN];

	from_hex(base[_i], in, sizeof(in));
	msg_read_request(in, &request);
	ck_assert(!request.capable);
	ck_assert_uint_eq(request.flags, 0);
	ck_assert_uint_eq(request.version, 0);
}
END_TEST

START_TEST(msg_base_reply_keeps_every_other_byte)
{
	uint8_t request[FRAME_CONTROL_LEN], out[FRAME_CONTROL_LEN];
	uint64_t seed = random_seed("msg_base_reply");

	random_fill(&seed, request, sizeof(request));
	msg_write_reply(out, request, 0x0a000102);
	ck_assert_mem_eq(out, request, 12);
	assert_bytes(out + 12, 8, "00000000 0a000102");
	msg_write_reply(request, request, 0x0a000102);	/* in place */
	ck_assert_mem_eq(out, request, sizeof(out));
}
END_TEST

START_TEST(msg_base_reply_reads_as_not_capable)
{
	/* The second is a base client's own identification, echoed. */
	static const char *const replies[] = {
		"4514 0000 5356 0000 4001 0003 00000000 0a000002",
		"4514 0000 7653 0000 4001 0003 00000000 0a000002",
	};
	struct msg_reply reply;
	uint8_t in[FRAME_CONTROL_LEN];

	from_hex(replies[_i], in, sizeof(in));
	ck_assert(msg_read_reply(in, sizeof(in), &reply));
	ck_assert(!reply.capable);
	ck_assert_uint_eq(reply.address, 0x0a000002);
	ck_assert_uint_eq(reply.flags, 0);
}
END_TEST

START_TEST(msg_capable_reply_has_the_bytes_of_the_protocol)
{
	struct msg_options options = {
		.has_prefix_len = true, .prefix_len = 16,
		.has_server = true, .server = 0x0a000001,
		.has_mtu = true, .mtu = 1500,
	};
	uint8_t request[FRAME_CONTROL_LEN], out[FRAME_MAX_REPLY];
	size_t len;

	from_hex("4514 0000 5356 0000 4002 0007 0a000009 00000000", request,
		 sizeof(request));
	len = msg_write_capable_reply(out, sizeof(out), request, 0x0a000009,
				      MSG_FLAG_OPTIONS, &options);
	assert_bytes(out, len, "4514 0021 7653 0000 4001 0001 00000000"
		     "0a000009 010110 02040a000001 030205dc");
}
END_TEST

/* Bit i of which: has the i-th option. */
static void random_options(struct msg_options *o, uint32_t which,
			   uint64_t *seed)
{
	unsigned int i;

	memset(o, 0, sizeof(*o));
	o->has_prefix_len = which & 1;
	o->prefix_len = which & 1 ? (uint8_t)(1 + random_below(seed, 32)) : 0;
	o->has_server = which & 2;
	o->server = which & 2 ? random_u32(seed) : 0;
	o->has_mtu = which & 4;
	o->mtu = which & 4 ? (uint16_t)(68 + random_below(seed, 65468)) : 0;
	o->has_keepalive = which & 8;
	o->keepalive_s = which & 8 ? (uint16_t)random_u32(seed) : 0;
	o->has_idle_timeout = which & 16;
	o->idle_timeout_s = which & 16 ? (uint16_t)random_u32(seed) : 0;
	o->has_retry = which & 32;
	o->retry_ms = which & 32 ? random_u32(seed) : 0;
	o->n_routes = which & 64 ? random_below(seed, MSG_MAX_ROUTES + 1) : 0;
	for (i = 0; i < o->n_routes; i++) {
		o->routes[i].prefix_len = (uint8_t)random_below(seed, 33);
		if (o->routes[i].prefix_len > 0)
			o->routes[i].network = random_u32(seed) &
				~0U << (32 - o->routes[i].prefix_len);
	}
	o->n_dns = which & 128 ? random_below(seed, MSG_MAX_DNS + 1) : 0;
	for (i = 0; i < o->n_dns; i++)
		o->dns[i] = random_u32(seed);
	if (which & 256)
		memset(o->search, 'a', 1 + random_below(seed, MSG_MAX_TEXT));
	o->token_len = which & 512 ? random_below(seed, MSG_MAX_TOKEN + 1) : 0;
	random_fill(seed, o->token, o->token_len);
	o->has_error = which & 1024;
	o->no_routes = which & 2048 && o->n_routes == 0;
	o->no_dns = which & 4096 && o->n_dns == 0;
	o->no_search = which & 8192 && o->search[0] == '\0';
	if (which & 1024) {
		o->error = (uint16_t)random_u32(seed);
		memset(o->error_text, ' ',
		       random_below(seed, MSG_MAX_TEXT + 1));
	}
}

/* Not by memcmp(): there is padding. */
static bool same_options(const struct msg_options *a,
			 const struct msg_options *b)
{
	unsigned int i;

	if (a->n_routes != b->n_routes || a->n_dns != b->n_dns ||
	    a->token_len != b->token_len)
		return false;
	for (i = 0; i < a->n_routes; i++)
		if (a->routes[i].network != b->routes[i].network ||
		    a->routes[i].prefix_len != b->routes[i].prefix_len)
			return false;
	return a->has_prefix_len == b->has_prefix_len &&
	       a->has_server == b->has_server && a->has_mtu == b->has_mtu &&
	       a->has_keepalive == b->has_keepalive &&
	       a->has_idle_timeout == b->has_idle_timeout &&
	       a->no_routes == b->no_routes && a->no_dns == b->no_dns &&
	       a->no_search == b->no_search &&
	       a->has_error == b->has_error && a->has_retry == b->has_retry &&
	       a->prefix_len == b->prefix_len && a->server == b->server &&
	       a->mtu == b->mtu && a->keepalive_s == b->keepalive_s &&
	       a->idle_timeout_s == b->idle_timeout_s &&
	       a->retry_ms == b->retry_ms && a->error == b->error &&
	       memcmp(a->dns, b->dns, a->n_dns * sizeof(a->dns[0])) == 0 &&
	       memcmp(a->token, b->token, a->token_len) == 0 &&
	       strcmp(a->search, b->search) == 0 &&
	       strcmp(a->error_text, b->error_text) == 0;
}

START_TEST(msg_options_written_are_read_back)
{
	uint64_t seed = random_seed("msg_options_written");
	uint8_t request[FRAME_CONTROL_LEN] = { 0 }, out[FRAME_MAX_REPLY];
	struct msg_options options;
	struct msg_reply reply;
	size_t round, len;

	for (round = 0; round < 5000; round++) {
		random_options(&options, random_u32(&seed), &seed);
		len = msg_write_capable_reply(out, sizeof(out), request,
					      0x0a000002, 5, &options);
		if (len < 20 || !msg_read_reply(out, len, &reply))
			ck_abort_msg("round %zu: not read", round);
		if (!reply.capable || reply.flags != 5 ||
		    reply.address != 0x0a000002 ||
		    !same_options(&reply.options, &options))
			ck_abort_msg("round %zu: differs", round);
	}
}
END_TEST

START_TEST(msg_fullest_options_fit_and_need_their_room)
{
	uint64_t seed = 1;
	uint8_t request[FRAME_CONTROL_LEN] = { 0 }, out[FRAME_MAX_REPLY];
	struct msg_options options;
	size_t len, size;

	random_options(&options, UINT32_MAX, &seed);
	options.n_routes = MSG_MAX_ROUTES;
	options.n_dns = MSG_MAX_DNS;
	options.token_len = MSG_MAX_TOKEN;
	memset(options.search, 'a', MSG_MAX_TEXT);
	memset(options.error_text, 'b', MSG_MAX_TEXT);
	len = msg_write_capable_reply(out, sizeof(out), request, 1, 1,
				      &options);
	ck_assert_uint_eq(len, 20 + 3 + 6 + 4 + 4 + 4 + 162 + 18 + 202 + 66 +
			  204 + 6);
	for (size = 0; size < len; size++)
		if (msg_write_capable_reply(out, size, request, 1, 1,
					    &options) != 0)
			ck_abort_msg("%zu bytes were enough", size);
	ck_assert_uint_eq(msg_write_capable_reply(out, len, request, 1, 1,
						  &options), len);
}
END_TEST

/* A capable reply around these options. */
static size_t wrap(const char *options_hex, uint8_t *out, size_t size)
{
	size_t len = 20;

	from_hex("4514 0000 7653 0000 4001 0001 00000000 0a000002", out, 20);
	len += from_hex(options_hex, out + 20, size - 20);
	out[2] = (uint8_t)(len / 256);
	out[3] = (uint8_t)len;
	return len;
}

START_TEST(msg_malformed_options_are_refused_and_change_nothing)
{
	static const char *const malformed[] = {
		"01",			/* type alone */
		"0101",			/* runs past the end */
		"0b04 000003",
		"c8ff 00",		/* also when unknown */
		"0100",			/* prefix length */
		"0102 1010",
		"0101 00",
		"0101 21",
		"0203 0a0000",		/* server */
		"0205 0a00000100",
		"0301 05",		/* MTU */
		"0302 0043",
		"0303 0005dc",
		"0401 0f",		/* keepalive */
		"0503 00003c",		/* idle timeout */
		"0600",			/* routes */
		"0604 180a0000",
		"0606 180a00000000",
		"0605 210a000000",
		"0700",			/* DNS */
		"0703 0a0000",
		"0705 0a00000101",
		"0800",			/* search domain */
		"0803 612062",
		"0802 6100",
		"0801 7f",
		"0900",			/* token */
		"0a00",			/* error */
		"0a01 01",
		"0b03 000001",		/* retry */
		"0c00",			/* withdrawn */
		"0101 10 0101 21",	/* the first is good */
	};
	uint8_t in[FRAME_MAX_REPLY];
	struct msg_reply reply, before;

	memset(&reply, 0xa5, sizeof(reply));
	before = reply;
	ck_assert_int_lt(_i, (int)(sizeof(malformed) / sizeof(*malformed)));
	ck_assert(!msg_read_reply(in, wrap(malformed[_i], in, sizeof(in)),
				  &reply));
	ck_assert_mem_eq(&reply, &before, sizeof(reply));
}
END_TEST

static void read_long_option(uint8_t type, size_t value_len, bool expected)
{
	uint8_t in[FRAME_MAX_REPLY];
	struct msg_reply reply;

	wrap("", in, sizeof(in));
	in[3] = (uint8_t)(22 + value_len);
	in[2] = (uint8_t)((22 + value_len) / 256);
	in[20] = type;
	in[21] = (uint8_t)value_len;
	memset(in + 22, 'a', value_len);
	ck_assert_int_eq(msg_read_reply(in, 22 + value_len, &reply), expected);
}

START_TEST(msg_texts_and_tokens_have_their_limits)
{
	read_long_option(8, MSG_MAX_TEXT, true);
	read_long_option(8, MSG_MAX_TEXT + 1, false);
	read_long_option(9, MSG_MAX_TOKEN, true);
	read_long_option(9, MSG_MAX_TOKEN + 1, false);
	read_long_option(10, 2 + MSG_MAX_TEXT, true);
	read_long_option(10, 2 + MSG_MAX_TEXT + 1, false);
}
END_TEST

static struct msg_reply read_options(const char *hex)
{
	uint8_t in[FRAME_MAX_REPLY];
	struct msg_reply reply;

	ck_assert(msg_read_reply(in, wrap(hex, in, sizeof(in)), &reply));
	return reply;
}

START_TEST(msg_unknown_options_are_skipped)
{
	struct msg_reply reply = read_options("0000 ff03aabbcc 0d0101 0101 18"
					      "0001 07");

	ck_assert(reply.options.has_prefix_len);
	ck_assert_uint_eq(reply.options.prefix_len, 24);
}
END_TEST

START_TEST(msg_repeated_options_last_wins_but_routes_and_dns_add_up)
{
	struct msg_reply reply = read_options(
		"0101 10 0101 18" "0605 08 0b000000" "0605 10 0c010000"
		"0704 01010101" "0708 02020202 03030303" "0801 61 0802 6262"
		"0a05 0001 616161" "0a03 0002 62");
	const struct msg_options *o = &reply.options;

	ck_assert_uint_eq(o->prefix_len, 24);
	ck_assert_uint_eq(o->n_routes, 2);
	ck_assert_uint_eq(o->routes[1].network, 0x0c010000);
	ck_assert_uint_eq(o->n_dns, 3);
	ck_assert_uint_eq(o->dns[2], 0x03030303);
	ck_assert_str_eq(o->search, "bb");
	ck_assert_uint_eq(o->error, 2);
	ck_assert_str_eq(o->error_text, "b");
}
END_TEST

START_TEST(msg_excess_of_routes_and_dns_is_ignored)
{
	char hex[2000] = "";
	struct msg_reply reply;
	int i;

	for (i = 0; i < MSG_MAX_ROUTES + 2; i++)
		strcat(hex, "0605200b000000");
	for (i = 0; i < MSG_MAX_DNS + 1; i++)
		strcat(hex, "070401020304");
	reply = read_options(hex);
	ck_assert_uint_eq(reply.options.n_routes, MSG_MAX_ROUTES);
	ck_assert_uint_eq(reply.options.n_dns, MSG_MAX_DNS);
}
END_TEST

START_TEST(msg_withdrawn_is_what_the_message_does_not_carry)
{
	struct msg_reply reply = read_options("0c03 06fe07 0605 180b0000 00");

	ck_assert_uint_eq(reply.options.n_routes, 1);
	ck_assert(!reply.options.no_routes && reply.options.no_dns);
	ck_assert(!reply.options.no_search);
	reply = read_options("0801 61 0c01 08");
	ck_assert(!reply.options.no_search);
	reply = read_options("0c01 06 0c01 08");
	ck_assert(reply.options.no_routes && reply.options.no_search);
}
END_TEST

START_TEST(msg_route_loses_its_host_bits)
{
	struct msg_reply reply = read_options("060f 18c0a80107 00ffffffff"
					      "20 01020304");

	ck_assert_uint_eq(reply.options.routes[0].network, 0xc0a80100);
	ck_assert_uint_eq(reply.options.routes[1].network, 0);
	ck_assert_uint_eq(reply.options.routes[2].network, 0x01020304);
}
END_TEST

START_TEST(msg_error_text_is_made_safe)
{
	struct msg_reply reply = read_options("0a08 0003 1b61 00c3 7f7e");

	ck_assert_uint_eq(reply.options.error, 3);
	ck_assert_str_eq(reply.options.error_text, "?a???~");
}
END_TEST

START_TEST(msg_reply_cut_short_is_refused)
{
	uint8_t in[FRAME_CONTROL_LEN] = { 0 };
	struct msg_reply reply;

	ck_assert(!msg_read_reply(in, 19, &reply));
	ck_assert(!msg_read_reply(in, 0, &reply));
}
END_TEST

START_TEST(msg_every_error_has_a_sentence)
{
	uint16_t i;

	for (i = 0; i <= MSG_N_ERRORS; i++)
		ck_assert_uint_gt(strlen(msg_error_text(i)), 5);
	ck_assert_str_eq(msg_error_text(UINT16_MAX), "the server refused");
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_add_test(tcase, msg_base_messages_are_those_of_existing_clients);
	tcase_add_test(tcase, msg_capable_request_is_marked_and_read_back);
	tcase_add_loop_test(tcase,
		msg_request_is_capable_only_with_mark_version_and_flag, 0, 5);
	tcase_add_test(tcase, msg_base_reply_keeps_every_other_byte);
	tcase_add_loop_test(tcase, msg_base_reply_reads_as_not_capable, 0, 2);
	tcase_add_test(tcase, msg_capable_reply_has_the_bytes_of_the_protocol);
	tcase_add_test(tcase, msg_options_written_are_read_back);
	tcase_add_test(tcase, msg_fullest_options_fit_and_need_their_room);
	tcase_add_loop_test(tcase,
		msg_malformed_options_are_refused_and_change_nothing, 0, 32);
	tcase_add_test(tcase, msg_texts_and_tokens_have_their_limits);
	tcase_add_test(tcase, msg_unknown_options_are_skipped);
	tcase_add_test(tcase,
		msg_repeated_options_last_wins_but_routes_and_dns_add_up);
	tcase_add_test(tcase, msg_excess_of_routes_and_dns_is_ignored);
	tcase_add_test(tcase,
		msg_withdrawn_is_what_the_message_does_not_carry);
	tcase_add_test(tcase, msg_route_loses_its_host_bits);
	tcase_add_test(tcase, msg_error_text_is_made_safe);
	tcase_add_test(tcase, msg_reply_cut_short_is_refused);
	tcase_add_test(tcase, msg_every_error_has_a_sentence);
}

int main(void)
{
	Suite *suite = suite_create("msg");
	TCase *tcase = tcase_create("msg");
	SRunner *runner = srunner_create(suite);
	int failed;

	add_tests(tcase);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
