/* SPDX-License-Identifier: MIT */
/*
 * Tests of server/join: what each request gets for an answer, to the byte.
 * The rules are those of docs/protocol.md, sections 3, 7 and 9.
 */
#include "server/join.h"

#include <check.h>
#include <pthread.h>
#include <string.h>

#include "common/clock.h"
#include "proto/wire.h"
#include "server/addrpool.h"
#include "server/config.h"
#include "server/drain.h"
#include "server/push.h"
#include "server/route.h"
#include "server/server.h"
#include "tests/unit/proto_test.h"
#include "tests/unit/server_test.h"

enum {
	NETWORK = 0x0a000000,
	SERVER = 0x0a000001,
	N_CLIENTS = 3,
	MAX_REPLY = 200,
};

static const struct egress_limits limits = {
	.queue_bytes = 64 * 1024,
	.queue_packets = 1024,
	.stall_ms = 3600 * 1000,
	.memory = UINT64_MAX,
};

static struct server_config config;
static struct server server;
static struct end clients[N_CLIENTS];
static struct join join;

static void make_hub(uint8_t prefix_len, uint32_t max_held)
{
	int i;

	config.network.address = NETWORK;
	config.network.prefix_len = prefix_len;
	config.mtu = 1500;
	config.idle_timeout_s = 60;
	server.live.idle_timeout_s = 60;
	server.config = &config;
	server.network = NETWORK;
	server.netmask = 0xffffffffU << (32 - prefix_len);
	server.address = SERVER;
	server.limits = limits;
	server.pool = addrpool_new(NETWORK, prefix_len, SERVER);
	server.routes = route_new(NETWORK, prefix_len);
	server.drain = drain_new(&limits);
	server.push = push_new(&config);
	ck_assert_ptr_nonnull(server.push);
	ck_assert_ptr_nonnull(server.pool);
	addrpool_set_max_held(server.pool, max_held);
	ck_assert_ptr_nonnull(server.routes);
	ck_assert_ptr_nonnull(server.drain);
	for (i = 0; i < N_CLIENTS; i++) {
		end_init(&clients[i], server.drain, &limits, 0);
		clients[i].endpoint.heard_ms = clock_now_ms();
	}
}

static void set_up(void)
{
	make_hub(16, UINT32_MAX);
}

static void tear_down(void)
{
	int i;

	for (i = 0; i < N_CLIENTS; i++)
		join_leave(&server, &clients[i].endpoint);
	ck_assert_uint_eq(addrpool_held(server.pool), 0);
	ends_fini(clients, N_CLIENTS, server.drain);
	push_free(server.push);
	route_free(server.routes);
	addrpool_free(server.pool);
}

/* Another hub than the usual one. */
static void remake_hub(uint8_t prefix_len, uint32_t max_held)
{
	tear_down();
	make_hub(prefix_len, max_held);
}

static bool ask(int client, const char *request)
{
	uint8_t message[FRAME_CONTROL_LEN];

	ck_assert_uint_eq(from_hex(request, message, sizeof(message)),
			  sizeof(message));
	return join_answer(&join, &server, &clients[client].endpoint, message);
}

/* The client has been sent exactly this. */
static void check_reply(int client, const char *reply)
{
	uint8_t expected[MAX_REPLY], got[MAX_REPLY];
	size_t len = from_hex(reply, expected, sizeof(expected));

	ck_assert_uint_eq(end_readable(&clients[client]), len);
	end_read(&clients[client], got, len);
	ck_assert_mem_eq(got, expected, len);
}

static void check_holds(int client, uint32_t address)
{
	struct endpoint *e = route_get(server.routes, address);

	ck_assert_ptr_eq(e, &clients[client].endpoint);
	endpoint_put(e);
	ck_assert_uint_eq(clients[client].endpoint.address, address);
}

static void check_free(uint32_t address)
{
	ck_assert_ptr_null(route_get(server.routes, address));
	ck_assert_int_eq(addrpool_take(server.pool, address), ADDRPOOL_OK);
	addrpool_release(server.pool, address);
}

#define START "4514 0000 0000 0000 4000 0000 "
#define DYNAMIC START "00000000 00000000"
#define STATIC_7 START "0a000007 00000000"
#define STATIC_8 START "0a000008 00000000"
#define CAPABLE_START "4514 0000 5356 0000 4001 0003 "
#define CAPABLE CAPABLE_START "00000000 00000000"
#define CAPABLE_7 CAPABLE_START "0a000007 00000000"
/* /16, server 10.0.0.1, MTU 1500, keepalive 15 s, idle timeout 60 s */
#define OPTIONS "010110 02040a000001 030205dc 0402000f 0502003c"

/* ---- Base clients ---- */

START_TEST(join_dynamic_gets_the_first_free_address)
{
	ck_assert(ask(0, DYNAMIC));
	check_reply(0, START "00000000 0a000002");
	check_holds(0, 0x0a000002);
	ck_assert(join.moved && join.held && !join.capable);
	ck_assert_str_eq(join.text, "10.0.0.2");
	ck_assert(ask(1, DYNAMIC));
	check_reply(1, START "00000000 0a000003");
}
END_TEST

START_TEST(join_static_gets_what_it_wants)
{
	ck_assert(ask(0, STATIC_7));
	check_reply(0, START "00000000 0a000007");
	check_holds(0, 0x0a000007);
}
END_TEST

START_TEST(join_reply_keeps_the_bytes_of_the_request)
{
	ck_assert(ask(0, "ffee ddcc bbaa 9988 7766 5544 0a000007 00000000"));
	check_reply(0, "ffee ddcc bbaa 9988 7766 5544 00000000 0a000007");
}
END_TEST

START_TEST(join_static_that_is_taken_gets_no_reply)
{
	ck_assert(ask(0, STATIC_7));
	ck_assert(!ask(1, STATIC_7));
	ck_assert_str_eq(join.reason, "the address is in use");
	check_reply(1, "");
	check_holds(0, 0x0a000007);
	ck_assert_uint_eq(clients[1].endpoint.address, 0);
}
END_TEST

START_TEST(join_address_not_to_be_had_is_refused)
{
	static const char *const wanted[] = {
		"0a000000", "0a000001", "0a00ffff", "0a010000", "09ffffff",
		"c0a80001", "7f000001", "ffffffff", "00000001",
	};
	char request[] = START "xxxxxxxx 00000000";
	size_t i;

	for (i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		memcpy(request + strlen(START), wanted[i], 8);
		ck_assert(!ask(0, request));
		check_reply(0, "");
	}
	ck_assert_uint_eq(addrpool_held(server.pool), 0);
}
END_TEST

START_TEST(join_with_no_address_free_is_refused)
{
	remake_hub(30, UINT32_MAX);
	ck_assert(ask(0, DYNAMIC));
	ck_assert(!ask(1, DYNAMIC));
	ck_assert_str_eq(join.reason, "no address is free");
	join_leave(&server, &clients[0].endpoint);
	ck_assert(ask(2, DYNAMIC));
	check_holds(2, 0x0a000002);
}
END_TEST

START_TEST(join_over_the_limit_of_clients_is_refused)
{
	remake_hub(16, 1);
	ck_assert(ask(0, DYNAMIC));
	ck_assert(!ask(1, DYNAMIC));
	ck_assert_str_eq(join.reason, "the server is full");
	ck_assert(!ask(1, STATIC_7));
}
END_TEST

START_TEST(join_base_client_takes_1500_bytes_whatever_the_mtu)
{
	config.mtu = 9000;
	ck_assert(ask(0, DYNAMIC));
	ck_assert_uint_eq(clients[0].endpoint.mtu, 1500);
	ck_assert(!clients[0].endpoint.takes_segments);
	ck_assert(ask(1, CAPABLE));
	ck_assert_uint_eq(clients[1].endpoint.mtu, 9000);
}
END_TEST

/* ---- The reply stands alone ---- */

static void send_data(int client)
{
	uint8_t packet[28] = { 0x45, 0, 0, 28 };
	struct iovec iov = { packet, sizeof(packet) };

	egress_send(&clients[client].endpoint.egress, &iov, 1, 1);
}

START_TEST(join_base_client_gets_no_data_with_the_reply)
{
	ck_assert(ask(0, DYNAMIC));
	send_data(0);
	ck_assert_uint_eq(end_readable(&clients[0]), FRAME_CONTROL_LEN);
	check_reply(0, START "00000000 0a000002");
	egress_release(&clients[0].endpoint.egress);
	end_read(&clients[0], (uint8_t[28]){ 0 }, 28);
}
END_TEST

START_TEST(join_capable_client_gets_data_at_once)
{
	ck_assert(ask(0, CAPABLE));
	ck_assert(!join.held);
	send_data(0);
	ck_assert_uint_eq(end_readable(&clients[0]), 0x29 + 28);
}
END_TEST

START_TEST(join_second_reply_does_not_hold_data_back)
{
	ck_assert(ask(0, DYNAMIC));
	egress_release(&clients[0].endpoint.egress);
	ck_assert(ask(0, DYNAMIC));
	ck_assert(!join.held);
	send_data(0);
	ck_assert_uint_eq(end_readable(&clients[0]),
			  2 * FRAME_CONTROL_LEN + 28);
}
END_TEST

/* ---- Second requests ---- */

START_TEST(join_second_dynamic_request_gets_the_same_address)
{
	ck_assert(ask(0, STATIC_7));
	check_reply(0, START "00000000 0a000007");
	ck_assert(ask(0, DYNAMIC));
	check_reply(0, START "00000000 0a000007");
	ck_assert(!join.moved);
	check_holds(0, 0x0a000007);
	ck_assert_uint_eq(addrpool_held(server.pool), 1);
}
END_TEST

START_TEST(join_second_request_for_its_own_address_is_granted)
{
	ck_assert(ask(0, STATIC_7));
	ck_assert(ask(0, STATIC_7));
	ck_assert(!join.moved);
	check_holds(0, 0x0a000007);
	ck_assert_uint_eq(clients[0].endpoint.references, 2);
}
END_TEST

START_TEST(join_second_request_for_another_address_moves)
{
	ck_assert(ask(0, STATIC_7));
	check_reply(0, START "00000000 0a000007");
	ck_assert(ask(0, STATIC_8));
	check_reply(0, START "00000000 0a000008");
	ck_assert(join.moved);
	check_holds(0, 0x0a000008);
	check_free(0x0a000007);
	ck_assert_uint_eq(addrpool_held(server.pool), 1);
	ck_assert_uint_eq(clients[0].endpoint.references, 2);
}
END_TEST

START_TEST(join_moving_is_possible_when_the_server_is_full)
{
	remake_hub(16, 1);
	ck_assert(ask(0, STATIC_7));
	ck_assert(ask(0, STATIC_8));
	check_holds(0, 0x0a000008);
	ck_assert_uint_eq(addrpool_held(server.pool), 1);
}
END_TEST

START_TEST(join_second_request_that_cannot_be_granted_is_refused)
{
	ck_assert(ask(0, STATIC_7));
	ck_assert(ask(1, STATIC_8));
	check_reply(1, START "00000000 0a000008");
	ck_assert(!ask(1, STATIC_7));
	ck_assert(!ask(1, START "0a000001 00000000"));
	check_reply(1, "");
	check_holds(1, 0x0a000008);	/* until it is closed for it */
	join_leave(&server, &clients[1].endpoint);
	check_free(0x0a000008);
}
END_TEST

/* ---- Leaving ---- */

START_TEST(join_leave_frees_the_address_once)
{
	ck_assert(ask(0, STATIC_7));
	join_leave(&server, &clients[0].endpoint);
	check_free(0x0a000007);
	ck_assert_uint_eq(clients[0].endpoint.references, 1);
	ck_assert(ask(1, STATIC_7));
	join_leave(&server, &clients[0].endpoint);
	check_holds(1, 0x0a000007);
	ck_assert_uint_eq(addrpool_held(server.pool), 1);
}
END_TEST

START_TEST(join_left_address_rests)
{
	ck_assert(ask(0, DYNAMIC));
	join_leave(&server, &clients[0].endpoint);
	ck_assert(ask(1, DYNAMIC));
	check_reply(1, START "00000000 0a000003");
}
END_TEST

/* ---- Capable clients ---- */

START_TEST(join_capable_reply_has_the_options)
{
	ck_assert(ask(0, CAPABLE));
	check_reply(0, "4514 0029 7653 0000 4001 0003 00000000 0a000002 "
		    OPTIONS);
	ck_assert(join.capable);
	ck_assert_uint_eq(join.flags, 3);
	ck_assert(clients[0].endpoint.takes_segments);
	ck_assert_uint_eq(clients[0].endpoint.mtu, 1500);
}
END_TEST

START_TEST(join_capable_static_reply_has_the_address)
{
	ck_assert(ask(0, CAPABLE_7));
	check_reply(0, "4514 0029 7653 0000 4001 0003 00000000 0a000007 "
		    OPTIONS);
}
END_TEST

START_TEST(join_only_known_flags_are_granted)
{
	ck_assert(ask(0, "4514 0000 5356 0000 4007 ffff 00000000 00000000"));
	check_reply(0, "4514 0029 7653 0000 4001 0003 00000000 0a000002 "
		    OPTIONS);
	ck_assert(ask(1, "4514 0000 5356 0000 4001 0001 00000000 00000000"));
	check_reply(1, "4514 0029 7653 0000 4001 0001 00000000 0a000003 "
		    OPTIONS);
	ck_assert(!clients[1].endpoint.takes_segments);
}
END_TEST

START_TEST(join_without_the_options_flag_is_a_base_client)
{
	ck_assert(ask(0, "4514 0000 5356 0000 4001 0002 00000000 00000000"));
	check_reply(0, "4514 0000 5356 0000 4001 0002 00000000 0a000002");
	ck_assert(join.held && !join.capable);
}
END_TEST

START_TEST(join_capable_reply_has_what_is_pushed)
{
	struct server_config pushes = config;

	pushes.push_routes.n = 1;
	pushes.push_routes.network[0].address = 0xc6336400;
	pushes.push_routes.network[0].prefix_len = 24;
	pushes.push_dns.n = 1;
	pushes.push_dns.address[0] = SERVER;
	strcpy(pushes.push_search, "lan");
	ck_assert(push_set(server.push, &pushes));
	ck_assert(ask(0, CAPABLE));
	check_reply(0, "4514 003b 7653 0000 4001 0003 00000000 0a000002 "
		    OPTIONS "0605 18 c6336400 0704 0a000001 0803 6c616e");
	ck_assert_uint_eq(clients[0].endpoint.flags, 3);
	ck_assert(ask(1, DYNAMIC));
	check_reply(1, "4514 0000 0000 0000 4000 0000 00000000 0a000003");
	ck_assert_uint_eq(clients[1].endpoint.flags, 0);
}
END_TEST

START_TEST(join_options_follow_the_configuration)
{
	remake_hub(24, UINT32_MAX);
	config.mtu = 9000;
	config.idle_timeout_s = 20;
	push_set(server.push, &config);
	ck_assert(ask(0, CAPABLE));
	check_reply(0, "4514 0029 7653 0000 4001 0003 00000000 0a000002 "
		    "010118 02040a000001 03022328 04020005 05020014");
}
END_TEST

START_TEST(join_keepalive_is_at_least_a_second)
{
	config.idle_timeout_s = 1;
	push_set(server.push, &config);
	ck_assert(ask(0, CAPABLE));
	check_reply(0, "4514 0029 7653 0000 4001 0003 00000000 0a000002 "
		    "010110 02040a000001 030205dc 04020001 05020001");
}
END_TEST

START_TEST(join_capable_refusal_says_why)
{
	ck_assert(ask(0, STATIC_7));
	ck_assert(!ask(1, CAPABLE_7));
	check_reply(1, "4514 002d 7653 0000 4001 0003 00000000 00000000 "
		    "0a17 0001 746865206164647265737320697320696e20757365");
	ck_assert_uint_eq(clients[1].endpoint.address, 0);
}
END_TEST

START_TEST(join_capable_refusals_have_their_codes)
{
	uint8_t reply[MAX_REPLY];
	size_t len;

	ck_assert(!ask(0, CAPABLE_START "0a000001 00000000"));
	len = end_readable(&clients[0]);
	end_read(&clients[0], reply, len);
	ck_assert_uint_eq(load_be16(reply + 22), 2);
	remake_hub(30, UINT32_MAX);
	ck_assert(ask(0, DYNAMIC));
	ck_assert(!ask(1, CAPABLE));
	len = end_readable(&clients[1]);
	end_read(&clients[1], reply, len);
	ck_assert_uint_eq(load_be16(reply + 2), len);
	ck_assert_uint_eq(load_be16(reply + 22), 3);
	remake_hub(16, 1);
	ck_assert(ask(0, DYNAMIC));
	ck_assert(!ask(1, CAPABLE));
	end_read(&clients[1], reply, 24);
	ck_assert_uint_eq(load_be16(reply + 22), 4);
}
END_TEST

/* ---- A host that is back before its old connection was found dead ---- */

struct leaver {
	pthread_t thread;
	int client;
};

/* What the client's own thread does when it is shut. */
static void *leave_when_shut(void *arg)
{
	const struct leaver *l = arg;

	wait_on(&clients[l->client].shut_called);
	join_leave(&server, &clients[l->client].endpoint);
	return NULL;
}

/* As if it had been silent for longer than a live client is. */
static void make_silent(int client)
{
	clients[client].endpoint.heard_ms = 0;
	ck_assert_uint_gt(clients[client].endpoint.probe_ms, 0);
	ck_assert_uint_gt(clock_now_ms(), clients[client].endpoint.probe_ms);
}

START_TEST(join_host_that_is_back_gets_its_address)
{
	struct leaver l = { .client = 0 };

	ck_assert(ask(0, STATIC_7));
	make_silent(0);
	ck_assert_int_eq(pthread_create(&l.thread, NULL, leave_when_shut, &l),
			 0);
	ck_assert(ask(1, STATIC_7));
	pthread_join(l.thread, NULL);
	ck_assert_int_eq(clients[0].shut_reason, CLOSE_TAKEN_OVER);
	check_holds(1, 0x0a000007);
	ck_assert_uint_eq(clients[0].endpoint.references, 1);
}
END_TEST

START_TEST(join_address_of_another_host_is_not_taken_over)
{
	ck_assert(ask(0, STATIC_7));
	make_silent(0);
	clients[1].endpoint.peer[15] = 9;
	ck_assert(!ask(1, STATIC_7));
	ck_assert_int_eq(clients[0].shut_reason, CLOSE_NONE);
	check_holds(0, 0x0a000007);
}
END_TEST

START_TEST(join_address_of_a_live_client_is_not_taken_over)
{
	ck_assert(ask(0, STATIC_7));
	clients[0].endpoint.heard_ms = clock_now_ms();
	ck_assert(!ask(1, STATIC_7));
	ck_assert_int_eq(clients[0].shut_reason, CLOSE_NONE);
	check_holds(0, 0x0a000007);
}
END_TEST

/* A reload gave it a longer keepalive, which it keeps to. */
START_TEST(join_client_told_to_be_silent_for_longer_is_not_taken_over)
{
	server.live.idle_timeout_s = 4;
	ck_assert(ask(0, CAPABLE_7));
	server.live.idle_timeout_s = 60;
	clients[0].endpoint.heard_ms = clock_now_ms() - 12000;
	ck_assert(!ask(1, CAPABLE_7));
	ck_assert_int_eq(clients[0].shut_reason, CLOSE_NONE);
	check_holds(0, 0x0a000007);
}
END_TEST

START_TEST(join_address_text_is_dotted)
{
	char text[JOIN_TEXT_LEN];

	join_address_text(UINT32_MAX, text);
	ck_assert_str_eq(text, "255.255.255.255");
	join_address_text(0x0a00ff07, text);
	ck_assert_str_eq(text, "10.0.255.7");
}
END_TEST

static void add_base_tests(TCase *tc)
{
	tcase_add_test(tc, join_dynamic_gets_the_first_free_address);
	tcase_add_test(tc, join_static_gets_what_it_wants);
	tcase_add_test(tc, join_reply_keeps_the_bytes_of_the_request);
	tcase_add_test(tc, join_static_that_is_taken_gets_no_reply);
	tcase_add_test(tc, join_address_not_to_be_had_is_refused);
	tcase_add_test(tc, join_with_no_address_free_is_refused);
	tcase_add_test(tc, join_over_the_limit_of_clients_is_refused);
	tcase_add_test(tc, join_base_client_takes_1500_bytes_whatever_the_mtu);
	tcase_add_test(tc, join_base_client_gets_no_data_with_the_reply);
	tcase_add_test(tc, join_capable_client_gets_data_at_once);
	tcase_add_test(tc, join_second_reply_does_not_hold_data_back);
	tcase_add_test(tc, join_second_dynamic_request_gets_the_same_address);
	tcase_add_test(tc, join_second_request_for_its_own_address_is_granted);
	tcase_add_test(tc, join_second_request_for_another_address_moves);
	tcase_add_test(tc, join_moving_is_possible_when_the_server_is_full);
	tcase_add_test(tc,
		       join_second_request_that_cannot_be_granted_is_refused);
	tcase_add_test(tc, join_leave_frees_the_address_once);
	tcase_add_test(tc, join_left_address_rests);
}

static Suite *join_suite(void)
{
	Suite *suite = suite_create("join");
	TCase *tc = tcase_create("join");

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_set_timeout(tc, 2 * PATIENCE_S);
	add_base_tests(tc);
	tcase_add_test(tc, join_capable_reply_has_the_options);
	tcase_add_test(tc, join_capable_static_reply_has_the_address);
	tcase_add_test(tc, join_only_known_flags_are_granted);
	tcase_add_test(tc, join_without_the_options_flag_is_a_base_client);
	tcase_add_test(tc, join_capable_reply_has_what_is_pushed);
	tcase_add_test(tc, join_options_follow_the_configuration);
	tcase_add_test(tc, join_keepalive_is_at_least_a_second);
	tcase_add_test(tc, join_capable_refusal_says_why);
	tcase_add_test(tc, join_capable_refusals_have_their_codes);
	tcase_add_test(tc, join_host_that_is_back_gets_its_address);
	tcase_add_test(tc, join_address_of_another_host_is_not_taken_over);
	tcase_add_test(tc, join_address_of_a_live_client_is_not_taken_over);
	tcase_add_test(tc,
		join_client_told_to_be_silent_for_longer_is_not_taken_over);
	tcase_add_test(tc, join_address_text_is_dotted);
	suite_add_tcase(suite, tc);
	return suite;
}

int main(void)
{
	SRunner *runner = srunner_create(join_suite());
	int failed;

	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
