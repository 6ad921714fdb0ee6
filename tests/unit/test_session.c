/* SPDX-License-Identifier: MIT */
/* Tests of the client's state machine: bytes and times in, events out. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "proto/session.h"
#include "tests/unit/proto_test.h"

enum {
	T0 = 1000000,			/* ms; any start will do */
	OUR_ADDRESS = 0x0a000002,
};

static const char base_reply[] =
	"4514 0000 0000 0000 4000 0000 00000000 0a000002";
static const char capable_reply[] =	/* keepalive after 5 s, /24 */
	"4514 001b 7653 0000 4001 0003 00000000 0a000002 0402 0005 0101 18";
static const char refusal[] =
	"4514 0019 7653 0000 4001 0001 00000000 00000000 0a03 0001 61";
static const char echo[] = "4514 0000 0000 0000 4000 0000 ffffffff ffffffff";
static const char packet[] =
	"4500 0015 0000 4000 40ff 25e2 0a000007 0a000002 77";
static const char super_packet[] =
	"f001 0004 4500 0015 0000 4000 40ff 25e2 0a000007 0a000002 77";
static const char ipv6[] = "6000 0000 0000 3b40 fe80 0000 0000 0000"
	"0000 0000 0000 0001 fe80 0000 0000 0000 0000 0000 0000 0002";

static struct session session;
static struct session_item item;
static uint8_t buf[4096];

static void start(uint16_t flags, uint16_t keepalive_s)
{
	const struct session_config config = {
		.flags = flags, .keepalive_s = keepalive_s
	};

	session_init(&session, &config);
	session_start(&session, T0);
	session_output_done(&session, T0);
}

/* Receive one message given in hex, all of it. */
static enum session_event receive_at(const char *hex, uint64_t now_ms)
{
	size_t len = from_hex(hex, buf, sizeof(buf)), consumed;
	enum session_event event;

	event = session_receive(&session, buf, len, now_ms, &consumed, &item);
	if (event != SESSION_BROKEN && event != SESSION_NONE)
		ck_assert_uint_eq(consumed, len);
	return event;
}

static enum session_event receive(const char *hex)
{
	return receive_at(hex, T0);
}

static void start_joined(uint16_t flags, const char *reply)
{
	start(flags, 0);
	ck_assert_int_eq(receive(reply), SESSION_ASSIGNED);
}

static void assert_output(const char *hex)
{
	uint8_t expected[2 * FRAME_CONTROL_LEN];
	size_t len, expected_len;
	const uint8_t *out = session_output(&session, &len);

	expected_len = from_hex(hex, expected, sizeof(expected));
	ck_assert_uint_eq(len, expected_len);
	ck_assert_mem_eq(out, expected, len);
}

START_TEST(session_idle_does_nothing)
{
	const struct session_config config = { 0 };

	session_init(&session, &config);
	ck_assert_int_eq(session.state, SESSION_IDLE);
	assert_output("");
	ck_assert(session_next_tick(&session) == UINT64_MAX);
	ck_assert_int_eq(session_tick(&session, UINT64_MAX - 1), SESSION_NONE);
	ck_assert_int_eq(receive(packet), SESSION_NONE);
}
END_TEST

START_TEST(session_start_queues_the_request)
{
	const struct session_config config = { .wanted = 0x0a000007 };

	session_init(&session, &config);
	session_start(&session, T0);
	assert_output("4514000000000000 40000000 0a000007 00000000");
	session_output_done(&session, T0);
	assert_output("");
	ck_assert_int_eq(session.state, SESSION_JOINING);
}
END_TEST

START_TEST(session_base_reply_joins)
{
	start_joined(MSG_FLAG_OPTIONS | MSG_FLAG_SEGMENTS, base_reply);
	ck_assert_int_eq(session.state, SESSION_JOINED);
	ck_assert_uint_eq(session.address, OUR_ADDRESS);
	ck_assert(!session.server_capable);
	ck_assert_uint_eq(session.flags, 0);
	ck_assert(!session.rules.segments);
}
END_TEST

START_TEST(session_capable_reply_joins_with_options)
{
	start_joined(MSG_FLAG_OPTIONS, capable_reply);
	ck_assert(session.server_capable);
	ck_assert_uint_eq(session.options.prefix_len, 24);
	ck_assert_ptr_eq(item.options, &session.options);
	/* Granted, but we had not offered it. */
	ck_assert_uint_eq(session.flags, MSG_FLAG_OPTIONS);
	ck_assert(!session.rules.segments);
}
END_TEST

START_TEST(session_mark_of_a_capable_server_means_nothing_to_a_base_client)
{
	start(0, 0);
	ck_assert_int_eq(receive("4514 0014 7653 0000 4001 0003 00000000"
				 "0a000002"), SESSION_ASSIGNED);
	ck_assert(!session.server_capable);
	ck_assert_uint_eq(session.flags, 0);
}
END_TEST

START_TEST(session_reply_byte_by_byte_joins_with_the_last)
{
	size_t len = from_hex(capable_reply, buf, sizeof(buf)), i, consumed;

	start(MSG_FLAG_OPTIONS, 0);
	for (i = 0; i < len; i++) {
		ck_assert_int_eq(session_receive(&session, buf, i, T0,
						 &consumed, &item),
				 SESSION_NONE);
		ck_assert_uint_eq(consumed, 0);
	}
	ck_assert_int_eq(receive(capable_reply), SESSION_ASSIGNED);
}
END_TEST

START_TEST(session_before_the_reply_skips_everything_else)
{
	start(MSG_FLAG_OPTIONS, 0);
	ck_assert_int_eq(receive(packet), SESSION_SKIPPED);
	ck_assert_int_eq(receive(echo), SESSION_SKIPPED);
	ck_assert_int_eq(receive("6000 0000 0000 3b40 2001 0db8 1111 1111"
				 "1111 1111 1111 1111 fe80 0000 0000 0000"
				 "0000 0000 0000 0002"), SESSION_SKIPPED);
	ck_assert_int_eq(session.state, SESSION_JOINING);
	ck_assert_int_eq(receive(capable_reply), SESSION_ASSIGNED);
}
END_TEST

START_TEST(session_without_a_reply_times_out)
{
	start(0, 0);
	ck_assert(session_next_tick(&session) == T0 + SESSION_JOIN_MS);
	receive_at(packet, T0 + 5000);	/* no reply, so no more time */
	ck_assert_int_eq(session_tick(&session, T0 + SESSION_JOIN_MS - 1),
			 SESSION_NONE);
	assert_output("");
	ck_assert_int_eq(session_tick(&session, T0 + SESSION_JOIN_MS),
			 SESSION_TIMED_OUT);
	ck_assert_int_eq(session.state, SESSION_CLOSED);
	ck_assert(session_next_tick(&session) == UINT64_MAX);
}
END_TEST

START_TEST(session_refusal_closes_with_its_reason)
{
	start(MSG_FLAG_OPTIONS, 0);
	ck_assert_int_eq(receive(refusal), SESSION_REFUSED);
	ck_assert_uint_eq(item.options->error, MSG_ERROR_ADDRESS_TAKEN);
	ck_assert_str_eq(item.options->error_text, "a");
	ck_assert_int_eq(session.state, SESSION_CLOSED);
	ck_assert_int_eq(receive(packet), SESSION_NONE);
}
END_TEST

START_TEST(session_first_reply_without_address_or_reason_is_a_refusal)
{
	start(MSG_FLAG_OPTIONS, 0);
	ck_assert_int_eq(receive("4514 0014 7653 0000 4001 0001 00000000"
				 "00000000"), SESSION_REFUSED);
	ck_assert(!item.options->has_error);
}
END_TEST

START_TEST(session_pushed_options_come_out_and_set_the_keepalive)
{
	start_joined(MSG_FLAG_OPTIONS, capable_reply);
	ck_assert_int_eq(receive("4514 0018 7653 0000 4001 0001 00000000"
				 "00000000 0402 0007"), SESSION_OPTIONS);
	ck_assert_ptr_eq(item.options, &session.pushed);
	ck_assert(session_next_tick(&session) == T0 + 7000);
	ck_assert_uint_eq(session.options.prefix_len, 24);
	ck_assert_uint_eq(session.address, OUR_ADDRESS);
}
END_TEST

/* Options pushed to the joined session; total_len in hex, as on the wire. */
static void push(const char *total_len, const char *options)
{
	char message[400];

	snprintf(message, sizeof(message), "4514 %s 7653 0000 4001 0001"
		 "00000000 00000000 %s", total_len, options);
	ck_assert_int_eq(receive(message), SESSION_OPTIONS);
}

START_TEST(session_pushed_options_replace_and_withdraw_type_by_type)
{
	const struct msg_options *o = &session.options;

	start_joined(MSG_FLAG_OPTIONS, capable_reply);
	push("002b", "0302 05dc 0605 08 0b000000 0704 01010101 0801 61"
	     "0901 07");
	ck_assert_uint_eq(o->mtu, 1500);
	ck_assert_uint_eq(o->n_routes, 1);
	ck_assert_uint_eq(o->n_dns, 1);
	ck_assert_str_eq(o->search, "a");
	push("0028", "0302 0578 060a 180c000000 180d000000 0c02 0708");
	ck_assert_uint_eq(o->mtu, 1400);
	ck_assert_uint_eq(o->prefix_len, 24);
	ck_assert_uint_eq(o->n_routes, 2);
	ck_assert_uint_eq(o->routes[0].network, 0x0c000000);
	ck_assert_uint_eq(o->n_dns, 0);
	ck_assert_str_eq(o->search, "");
	ck_assert_uint_eq(o->token_len, 1);
	push("0031", "0c01 06 0704 02020202 0801 62 0402 0009 0502 0064"
	     "0204 0a000001 0901 08");
	ck_assert_uint_eq(o->n_routes, 0);
	ck_assert_uint_eq(o->dns[0], 0x02020202);
	ck_assert_str_eq(o->search, "b");
	ck_assert_uint_eq(o->token[0], 8);
	ck_assert(o->has_keepalive && o->keepalive_s == 9);
	ck_assert(o->has_idle_timeout && o->idle_timeout_s == 100);
	ck_assert(o->has_server && o->server == 0x0a000001);
}
END_TEST

START_TEST(session_pushed_error_ends_the_session)
{
	start_joined(MSG_FLAG_OPTIONS, capable_reply);
	ck_assert_int_eq(receive(refusal), SESSION_REFUSED);
	ck_assert_int_eq(session.state, SESSION_CLOSED);
}
END_TEST

START_TEST(session_further_reply_changes_the_address)
{
	start_joined(MSG_FLAG_OPTIONS, capable_reply);
	ck_assert_int_eq(receive("4514 0014 7653 0000 4001 0001 00000000"
				 "0a000009"), SESSION_ASSIGNED);
	ck_assert_uint_eq(session.address, 0x0a000009);
	ck_assert_int_eq(session.state, SESSION_JOINED);
}
END_TEST

START_TEST(session_malformed_options_break_it)
{
	start(MSG_FLAG_OPTIONS, 0);
	ck_assert_int_eq(receive("4514 0017 7653 0000 4001 0001 00000000"
				 "0a000002 0102 18"), SESSION_BROKEN);
	ck_assert_int_eq(item.error, FRAME_BAD_OPTIONS);
	ck_assert_int_eq(session.state, SESSION_CLOSED);
}
END_TEST

START_TEST(session_garbage_breaks_it_and_consumes_nothing)
{
	size_t consumed = 1;

	start_joined(0, base_reply);
	memset(buf, 0x77, sizeof(buf));
	ck_assert_int_eq(session_receive(&session, buf, 100, T0, &consumed,
					 &item), SESSION_BROKEN);
	ck_assert_uint_eq(consumed, 0);
	ck_assert_int_eq(item.error, FRAME_BAD_VERSION);
	ck_assert_int_eq(session.state, SESSION_CLOSED);
}
END_TEST

START_TEST(session_packet_points_into_the_buffer)
{
	start_joined(0, base_reply);
	ck_assert_int_eq(receive(packet), SESSION_PACKET);
	ck_assert_ptr_eq(item.packet.data, buf);
	ck_assert_uint_eq(item.packet.len, 21);
	ck_assert_uint_eq(item.packet.segment_size, 0);
	ck_assert(!item.packet.checksum_partial);
}
END_TEST

START_TEST(session_super_packet_needs_both_sides_to_agree)
{
	start_joined(MSG_FLAG_OPTIONS | MSG_FLAG_SEGMENTS, capable_reply);
	ck_assert_int_eq(receive(super_packet), SESSION_PACKET);
	ck_assert_ptr_eq(item.packet.data, buf + 4);
	ck_assert_uint_eq(item.packet.len, 21);
	ck_assert_uint_eq(item.packet.segment_size, 4);
	ck_assert(item.packet.checksum_partial);

	start_joined(MSG_FLAG_OPTIONS, capable_reply);
	ck_assert_int_eq(receive(super_packet), SESSION_BROKEN);
}
END_TEST

START_TEST(session_ipv6_is_skipped_unless_granted)
{
	start_joined(MSG_FLAG_OPTIONS | MSG_FLAG_IPV6, capable_reply);
	ck_assert_int_eq(receive(ipv6), SESSION_SKIPPED);
	start(MSG_FLAG_OPTIONS | MSG_FLAG_IPV6, 0);
	receive("4514 0014 7653 0000 4001 0005 00000000 0a000002");
	ck_assert_int_eq(receive(ipv6), SESSION_PACKET);
	ck_assert_uint_eq(item.packet.len, 40);
}
END_TEST

START_TEST(session_keepalive_comes_after_silence_of_ours)
{
	start_joined(0, base_reply);
	ck_assert(session_next_tick(&session) == T0 + 15000);
	session_sent(&session, T0 + 10000);	/* data put it off */
	receive_at(packet, T0 + 20000);		/* what we receive does not */
	ck_assert_int_eq(session_tick(&session, T0 + 24999), SESSION_NONE);
	assert_output("");
	ck_assert_int_eq(session_tick(&session, T0 + 25000), SESSION_NONE);
	assert_output(echo);
}
END_TEST

START_TEST(session_unanswered_keepalive_is_repeated_each_second)
{
	uint64_t now = T0 + 15000;
	int i;

	start_joined(0, base_reply);
	for (i = 0; i < SESSION_PROBES; i++, now += 1000) {
		ck_assert(session_next_tick(&session) == now);
		session_tick(&session, now - 1);
		assert_output("");
		ck_assert_int_eq(session_tick(&session, now), SESSION_NONE);
		assert_output(echo);
		session_output_done(&session, now);
	}
	ck_assert_int_eq(session_tick(&session, now - 1), SESSION_NONE);
	ck_assert_int_eq(session_tick(&session, now), SESSION_TIMED_OUT);
	ck_assert_int_eq(session.state, SESSION_CLOSED);
	assert_output("");
}
END_TEST

START_TEST(session_anything_received_answers_the_keepalive)
{
	start_joined(0, base_reply);
	session_tick(&session, T0 + 15000);
	session_output_done(&session, T0 + 15000);
	ck_assert_int_eq(receive_at(_i == 0 ? echo : _i == 1 ? packet : "45",
				    T0 + 15500),
			 _i == 0 ? SESSION_ALIVE : _i == 1 ? SESSION_PACKET :
			 SESSION_NONE);
	ck_assert(session_next_tick(&session) == T0 + 30000);
}
END_TEST

START_TEST(session_blocked_socket_gets_one_keepalive_and_times_out)
{
	int i;

	start_joined(0, base_reply);
	for (i = 0; i < SESSION_PROBES; i++) {
		ck_assert_int_eq(session_tick(&session, T0 + 15000 + 1000 * i),
				 SESSION_NONE);
		assert_output(echo);
	}
	ck_assert_int_eq(session_tick(&session, T0 + 15000 + 1000 * i),
			 SESSION_TIMED_OUT);
}
END_TEST

START_TEST(session_after_long_sleep_sends_one_keepalive)
{
	const uint64_t morning = T0 + 8 * 3600 * 1000;

	start_joined(0, base_reply);
	ck_assert_int_eq(session_tick(&session, morning), SESSION_NONE);
	assert_output(echo);
	session_output_done(&session, morning);
	ck_assert_int_eq(session_tick(&session, morning + 1), SESSION_NONE);
	assert_output("");
	ck_assert(session_next_tick(&session) == morning + 1000);
}
END_TEST

START_TEST(session_keepalive_interval_is_ours_else_the_servers)
{
	start_joined(MSG_FLAG_OPTIONS, capable_reply);
	ck_assert(session_next_tick(&session) == T0 + 5000);
	start(MSG_FLAG_OPTIONS, 3);
	receive(capable_reply);
	ck_assert(session_next_tick(&session) == T0 + 3000);
	start_joined(MSG_FLAG_OPTIONS, "4514 0018 7653 0000 4001 0003 00000000"
		     "0a000002 0402 0000");
	ck_assert(session_next_tick(&session) == T0 + 15000);
}
END_TEST

START_TEST(session_start_again_forgets_the_old_connection)
{
	start_joined(MSG_FLAG_OPTIONS | MSG_FLAG_SEGMENTS, capable_reply);
	session_tick(&session, T0 + 5000);
	session_start(&session, T0 + 9000);
	ck_assert_int_eq(session.state, SESSION_JOINING);
	ck_assert_uint_eq(session.address, 0);
	ck_assert_uint_eq(session.flags, 0);
	ck_assert_uint_eq(session.n_probes, 0);
	ck_assert(!session.rules.joined);
	ck_assert(!session.rules.segments);
	assert_output("4514000053560000 40010003 00000000 00000000");
	ck_assert(session_next_tick(&session) == T0 + 19000);
}
END_TEST

static void add_join_tests(TCase *tcase)
{
	tcase_add_test(tcase, session_idle_does_nothing);
	tcase_add_test(tcase, session_start_queues_the_request);
	tcase_add_test(tcase, session_base_reply_joins);
	tcase_add_test(tcase, session_capable_reply_joins_with_options);
	tcase_add_test(tcase,
	    session_mark_of_a_capable_server_means_nothing_to_a_base_client);
	tcase_add_test(tcase, session_reply_byte_by_byte_joins_with_the_last);
	tcase_add_test(tcase, session_before_the_reply_skips_everything_else);
	tcase_add_test(tcase, session_without_a_reply_times_out);
	tcase_add_test(tcase, session_refusal_closes_with_its_reason);
	tcase_add_test(tcase,
		session_first_reply_without_address_or_reason_is_a_refusal);
	tcase_add_test(tcase, session_start_again_forgets_the_old_connection);
}

static void add_joined_tests(TCase *tcase)
{
	tcase_add_test(tcase,
		session_pushed_options_come_out_and_set_the_keepalive);
	tcase_add_test(tcase,
		session_pushed_options_replace_and_withdraw_type_by_type);
	tcase_add_test(tcase, session_pushed_error_ends_the_session);
	tcase_add_test(tcase, session_further_reply_changes_the_address);
	tcase_add_test(tcase, session_malformed_options_break_it);
	tcase_add_test(tcase, session_garbage_breaks_it_and_consumes_nothing);
	tcase_add_test(tcase, session_packet_points_into_the_buffer);
	tcase_add_test(tcase, session_super_packet_needs_both_sides_to_agree);
	tcase_add_test(tcase, session_ipv6_is_skipped_unless_granted);
	tcase_add_test(tcase, session_keepalive_comes_after_silence_of_ours);
	tcase_add_test(tcase,
		session_unanswered_keepalive_is_repeated_each_second);
	tcase_add_loop_test(tcase,
		session_anything_received_answers_the_keepalive, 0, 3);
	tcase_add_test(tcase,
		session_blocked_socket_gets_one_keepalive_and_times_out);
	tcase_add_test(tcase, session_after_long_sleep_sends_one_keepalive);
	tcase_add_test(tcase,
		session_keepalive_interval_is_ours_else_the_servers);
}

int main(void)
{
	Suite *suite = suite_create("session");
	TCase *tcase = tcase_create("session");
	SRunner *runner = srunner_create(suite);
	int failed;

	add_join_tests(tcase);
	add_joined_tests(tcase);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
