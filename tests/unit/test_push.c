/* SPDX-License-Identifier: MIT */
/* Tests of server/push: what clients are told, and that the newest wins. */
#include "server/push.h"

#include <check.h>
#include <pthread.h>
#include <string.h>

#include "proto/session.h"
#include "proto/wire.h"
#include "server/config.h"
#include "server/drain.h"
#include "server/endpoint.h"
#include "tests/unit/proto_test.h"
#include "tests/unit/server_test.h"

enum { N_ENDS = 2, ADDRESS = 0x0a000007, ROUNDS = 300 };

/* A pushed message up to the routes. */
#define PUSHED(total_len) "4514 " total_len " 7653 0000 4001 0001" \
			  "00000000 00000000" TIMES
#define TIMES "0402 000f 0502 003c"

static const struct egress_limits limits = {
	.queue_bytes = 64 * 1024,
	.queue_packets = 1024,
	.stall_ms = 3600 * 1000,
	.memory = UINT64_MAX,
};

static struct server_config config;
static struct push *push;
static struct drain *drain;
static struct end ends[N_ENDS];

static void set_up(void)
{
	int i;

	memset(&config, 0, sizeof(config));
	config.idle_timeout_s = 60;
	push = push_new(&config);
	drain = drain_new(&limits);
	ck_assert(push && drain);
	for (i = 0; i < N_ENDS; i++) {
		end_init(&ends[i], drain, &limits, i == 0 ? 0 : 1);
		ends[i].endpoint.address = ADDRESS;
		ends[i].endpoint.flags = MSG_FLAG_OPTIONS;
	}
}

static void tear_down(void)
{
	ends_fini(ends, N_ENDS, drain);
	push_free(push);
}

static void set_route(uint32_t network, uint8_t prefix_len)
{
	config.push_routes.n = 1;
	config.push_routes.network[0].address = network;
	config.push_routes.network[0].prefix_len = prefix_len;
}

static void check_told(struct end *end, const char *hex)
{
	uint8_t expected[FRAME_MAX_REPLY], got[FRAME_MAX_REPLY];
	size_t len = from_hex(hex, expected, sizeof(expected));

	ck_assert_uint_eq(end_readable(end), len);
	end_read(end, got, len);
	ck_assert_mem_eq(got, expected, len);
}

START_TEST(push_all_that_is_set_goes_into_replies)
{
	struct msg_options options = { .has_mtu = true, .mtu = 1400 };

	set_route(0xc6336400, 24);
	config.push_dns.n = 1;
	config.push_dns.address[0] = 0x0a000001;
	strcpy(config.push_search, "example.org");
	ck_assert(push_set(push, &config));
	push_fill(push, &options);
	ck_assert_uint_eq(options.n_routes, 1);
	ck_assert_uint_eq(options.routes[0].network, 0xc6336400);
	ck_assert_uint_eq(options.routes[0].prefix_len, 24);
	ck_assert_uint_eq(options.n_dns, 1);
	ck_assert_uint_eq(options.dns[0], 0x0a000001);
	ck_assert_str_eq(options.search, "example.org");
	ck_assert(options.has_mtu && options.mtu == 1400);
	ck_assert(!options.no_routes && !options.no_dns && !options.no_search);
}
END_TEST

START_TEST(push_the_same_again_is_no_change)
{
	ck_assert(!push_set(push, &config));
	set_route(0xc6336400, 24);
	ck_assert(push_set(push, &config));
	ck_assert(!push_set(push, &config));
	set_route(0xc6336400, 25);
	ck_assert(push_set(push, &config));
}
END_TEST

START_TEST(push_change_is_told_with_what_is_withdrawn)
{
	set_route(0xc6336400, 24);
	push_set(push, &config);
	push_follow(push, &ends[0].endpoint, 0);
	check_told(&ends[0], PUSHED("0027") "0605 18 c6336400 0c02 0708");
	config.push_routes.n = 0;
	push_set(push, &config);
	push_follow(push, &ends[0].endpoint, 0);
	check_told(&ends[0], PUSHED("0021") "0c03 060708");
}
END_TEST

START_TEST(push_what_a_reply_had_is_not_told_again)
{
	struct msg_options options = { 0 };
	uint32_t version = push_fill(push, &options);

	push_follow(push, &ends[0].endpoint, version);
	ck_assert_uint_eq(end_readable(&ends[0]), 0);
	set_route(0xc6336400, 24);	/* between the reply and the listing */
	push_set(push, &config);
	push_follow(push, &ends[0].endpoint, version);
	check_told(&ends[0], PUSHED("0027") "0605 18 c6336400 0c02 0708");
}
END_TEST

START_TEST(push_base_client_and_one_without_address_are_told_nothing)
{
	struct msg_options options = { .has_retry = true };

	ends[0].endpoint.flags = 0;
	push_follow(push, &ends[0].endpoint, 0);
	ck_assert(!push_tell(&ends[0].endpoint, &options));
	ends[0].endpoint.flags = MSG_FLAG_OPTIONS;
	ends[0].endpoint.address = 0;
	ck_assert(!push_tell(&ends[0].endpoint, &options));
	ck_assert_uint_eq(end_readable(&ends[0]), 0);
}
END_TEST

START_TEST(push_granted_flags_stand_in_what_is_told)
{
	ends[0].endpoint.flags = MSG_FLAG_OPTIONS | MSG_FLAG_SEGMENTS;
	push_follow(push, &ends[0].endpoint, 0);
	check_told(&ends[0], "4514 0021 7653 0000 4001 0003"
		   "00000000 00000000" TIMES "0c03 060708");
}
END_TEST

/* A client that goes by the old interval would be closed as idle. */
START_TEST(push_shorter_idle_timeout_is_told)
{
	config.idle_timeout_s = 10;
	ck_assert(push_set(push, &config));
	push_follow(push, &ends[0].endpoint, 0);
	check_told(&ends[0], "4514 0021 7653 0000 4001 0001 00000000 00000000"
		   "0402 0002 0502 000a 0c03 060708");
	ck_assert_uint_eq(push_keepalive_s(2), 1);
	ck_assert_uint_eq(push_keepalive_s(65535), 15);
}
END_TEST

/* Whether the drain has more for the end. */
static bool is_pending(struct end *end)
{
	struct egress *e = &end->endpoint.egress;
	bool pending;

	pthread_mutex_lock(&e->lock);
	pending = e->control_len > 0;
	pthread_mutex_unlock(&e->lock);
	return pending || end_readable(end) > 0;
}

/* Read all that the end is told; what a session makes of it. */
static void read_all(struct end *end, struct session *session)
{
	const struct session_config wish = { .flags = MSG_FLAG_OPTIONS };
	struct session_item item;
	uint8_t buf[64 * 1024];
	size_t have = 0, consumed;
	ssize_t n;

	session_init(session, &wish);
	session_start(session, 0);
	have = from_hex("4514 0014 7653 0000 4001 0001 00000000 0a000007",
			buf, sizeof(buf));
	do {
		while (session_receive(session, buf, have, 0, &consumed,
				       &item) != SESSION_NONE) {
			memmove(buf, buf + consumed, have - consumed);
			have -= consumed;
		}
		n = recv(end->theirs, buf + have, sizeof(buf) - have,
			 MSG_DONTWAIT);
		have += n > 0 ? (size_t)n : 0;
	} while (n > 0 || is_pending(end));
}

START_TEST(push_client_that_did_not_read_is_told_later)
{
	struct end *end = &ends[1];	/* its socket buffer is small */
	struct session session;
	uint32_t i;

	for (i = 0; !end->endpoint.push_owed && i < 10000; i++) {
		set_route(0xc6330000 + (i << 8), 24);
		push_set(push, &config);
		push_follow(push, &end->endpoint, 0);
	}
	ck_assert(end->endpoint.push_owed);
	push_catch_up(push, &end->endpoint);
	ck_assert(end->endpoint.push_owed);	/* still no room */
	read_all(end, &session);
	push_catch_up(push, &end->endpoint);
	ck_assert(!end->endpoint.push_owed);
	read_all(end, &session);
	ck_assert_uint_eq(session.options.n_routes, 1);
	ck_assert_uint_eq(session.options.routes[0].network,
			  config.push_routes.network[0].address);
	push_catch_up(push, &end->endpoint);
	ck_assert_uint_eq(end_readable(end), 0);
}
END_TEST

static void *change(void *arg)
{
	uint32_t i;

	(void)arg;
	for (i = 1; i <= ROUNDS; i++) {
		set_route(i << 8, 24);
		push_set(push, &config);
		push_follow(push, &ends[0].endpoint, 0);
	}
	return NULL;
}

/* As by a client that sends request after request while routes change. */
START_TEST(push_newest_is_told_last_whoever_tells)
{
	struct msg_options options = { 0 };
	struct session session;
	pthread_t thread;
	uint32_t version;
	int i;

	ck_assert_int_eq(pthread_create(&thread, NULL, change, NULL), 0);
	for (i = 0; i < ROUNDS; i++) {
		version = push_fill(push, &options);
		options.no_routes = options.n_routes == 0;
		push_tell(&ends[0].endpoint, &options);
		push_follow(push, &ends[0].endpoint, version);
	}
	pthread_join(thread, NULL);
	read_all(&ends[0], &session);
	if (ends[0].endpoint.push_owed) {
		push_catch_up(push, &ends[0].endpoint);
		read_all(&ends[0], &session);
	}
	ck_assert_uint_eq(session.options.routes[0].network, ROUNDS << 8);
}
END_TEST

static Suite *push_suite(void)
{
	Suite *suite = suite_create("push");
	TCase *tc = tcase_create("push");

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, push_all_that_is_set_goes_into_replies);
	tcase_add_test(tc, push_the_same_again_is_no_change);
	tcase_add_test(tc, push_change_is_told_with_what_is_withdrawn);
	tcase_add_test(tc, push_what_a_reply_had_is_not_told_again);
	tcase_add_test(tc,
		push_base_client_and_one_without_address_are_told_nothing);
	tcase_add_test(tc, push_granted_flags_stand_in_what_is_told);
	tcase_add_test(tc, push_shorter_idle_timeout_is_told);
	tcase_add_test(tc, push_client_that_did_not_read_is_told_later);
	tcase_add_test(tc, push_newest_is_told_last_whoever_tells);
	suite_add_tcase(suite, tc);
	return suite;
}

int main(void)
{
	SRunner *runner = srunner_create(push_suite());
	int n_failed;

	srunner_run_all(runner, CK_ENV);
	n_failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return n_failed ? 1 : 0;
}
