/* SPDX-License-Identifier: MIT */
/* Limits before trust: strangers in total and by source, rate, penalties. */
#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "server/admission.h"

static const uint64_t seed[2] = { 1, 2 };

static struct sockaddr_storage ipv4(uint32_t address)
{
	struct sockaddr_storage s;
	struct sockaddr_in *in = (void *)&s;

	memset(&s, 0, sizeof(s));
	in->sin_family = AF_INET;
	in->sin_addr.s_addr = htonl(address);
	return s;
}

static struct sockaddr_storage ipv6(const char *text)
{
	struct sockaddr_storage s;
	struct sockaddr_in6 *in = (void *)&s;

	memset(&s, 0, sizeof(s));
	in->sin6_family = AF_INET6;
	ck_assert_int_eq(inet_pton(AF_INET6, text, &in->sin6_addr), 1);
	return s;
}

/* Limits that never bind; each test tightens the one it is about. */
static struct admission_limits loose(void)
{
	struct admission_limits limits = {
		.max_pending = 1000000,
		.max_pending_source = 1000000,
		.penalty_ms = 2000,
		.penalty_threshold_ms = 10000,
		.penalty_max_ms = 60000,
	};

	return limits;
}

static struct admission *new_admission(const struct admission_limits *limits)
{
	struct admission *a = admission_new(seed);

	ck_assert_ptr_nonnull(a);
	admission_set_limits(a, limits);
	return a;
}

static enum admission_verdict ask(struct admission *a,
				  struct sockaddr_storage peer, uint64_t now_ms,
				  struct admission_source **source)
{
	return admission_accept(a, &peer, now_ms, 0, source);
}

START_TEST(admission_total_is_never_exceeded)
{
	struct admission_limits limits = loose();
	struct admission_source *source;
	struct admission *a;
	uint32_t i, accepted = 0;

	limits.max_pending = 100;
	a = new_admission(&limits);
	for (i = 0; i < 10000; i++) {
		struct sockaddr_storage peer = ipv4(i);

		accepted += admission_accept(a, &peer, 0, i * 2654435761U,
					     &source) == ADMISSION_OK;
		ck_assert_uint_le(admission_pending(a), 100);
	}
	ck_assert_uint_eq(accepted, admission_pending(a));
	ck_assert_uint_eq(accepted, 100);
	admission_free(a);
}
END_TEST

START_TEST(admission_instead_has_a_bound_too)
{
	struct admission_limits limits = loose();
	struct sockaddr_storage peer = ipv4(1);
	struct admission_source *source, *last = NULL;
	uint32_t accepted = 0;
	struct admission *a;

	limits.max_pending = 10;
	a = new_admission(&limits);
	while (accepted < 10000 &&
	       admission_accept_instead(a, &peer, 0, &source) ==
	       ADMISSION_OK) {
		last = source;
		accepted++;
	}
	ck_assert_uint_ge(accepted, 10);
	ck_assert_uint_le(accepted, 10 + 256);
	ck_assert_uint_eq(admission_pending(a), accepted);
	while (accepted-- > 0)
		admission_left(a, last, false, false, 0);
	ck_assert_uint_eq(admission_pending(a), 0);
	admission_free(a);
}
END_TEST

START_TEST(admission_early_drop_rises_from_half_of_the_limit)
{
	struct admission_limits limits = loose();
	struct admission_source *source;
	struct sockaddr_storage peer = ipv4(1);
	struct admission *a;
	int i;

	limits.max_pending = 100;
	a = new_admission(&limits);
	/* The unluckiest number there is: refused as soon as chance may. */
	for (i = 0; i < 51; i++)
		ck_assert_int_eq(admission_accept(a, &peer, 0, 0, &source),
				 ADMISSION_OK);
	ck_assert_int_eq(admission_accept(a, &peer, 0, 0, &source),
			 ADMISSION_TOO_MANY);
	/* The luckiest one gets in up to the limit. */
	for (; i < 100; i++)
		ck_assert_int_eq(admission_accept(a, &peer, 0, 49, &source),
				 ADMISSION_OK);
	ck_assert_int_eq(admission_accept(a, &peer, 0, 49, &source),
			 ADMISSION_TOO_MANY);
	admission_free(a);
}
END_TEST

START_TEST(admission_source_limit_leaves_others_alone)
{
	struct admission_limits limits = loose();
	struct admission_source *source;
	struct admission *a;
	int i;

	limits.max_pending_source = 3;
	a = new_admission(&limits);
	for (i = 0; i < 3; i++)
		ck_assert_int_eq(ask(a, ipv4(7), 0, &source), ADMISSION_OK);
	ck_assert_int_eq(ask(a, ipv4(7), 0, &source),
			 ADMISSION_TOO_MANY_OF_SOURCE);
	ck_assert_int_eq(ask(a, ipv4(8), 0, &source), ADMISSION_OK);
	admission_free(a);
}
END_TEST

START_TEST(admission_joined_is_no_stranger)
{
	struct admission_limits limits = loose();
	struct admission_source *source;
	struct admission *a;
	int i;

	limits.max_pending_source = 1;
	limits.max_pending = 2;
	a = new_admission(&limits);
	for (i = 0; i < 50; i++) {
		ck_assert_int_eq(ask(a, ipv4(7), 0, &source), ADMISSION_OK);
		admission_joined(a, source);
	}
	ck_assert_uint_eq(admission_pending(a), 0);
	admission_free(a);
}
END_TEST

START_TEST(admission_left_gives_the_place_back)
{
	struct admission_limits limits = loose();
	struct admission_source *source;
	struct admission *a;
	int i;

	limits.max_pending_source = 1;
	limits.max_clients_source = 1;
	a = new_admission(&limits);
	for (i = 0; i < 50; i++) {
		ck_assert_int_eq(ask(a, ipv4(7), 0, &source), ADMISSION_OK);
		if (i % 2)
			admission_joined(a, source);
		admission_left(a, source, i % 2, false, 0);
	}
	ck_assert_uint_eq(admission_pending(a), 0);
	admission_free(a);
}
END_TEST

START_TEST(admission_clients_of_a_source_are_limited)
{
	struct admission_limits limits = loose();
	struct admission_source *source, *refused;
	struct admission *a;
	int i;

	limits.max_clients_source = 2;
	a = new_admission(&limits);
	for (i = 0; i < 2; i++) {
		ck_assert_int_eq(ask(a, ipv4(7), 0, &source), ADMISSION_OK);
		admission_joined(a, source);
	}
	ck_assert_int_eq(ask(a, ipv4(7), 0, &refused),
			 ADMISSION_CLIENTS_OF_SOURCE);
	ck_assert_ptr_null(refused);
	admission_left(a, source, true, false, 0);
	ck_assert_int_eq(ask(a, ipv4(7), 0, &source), ADMISSION_OK);
	admission_free(a);
}
END_TEST

START_TEST(admission_rate_refills_with_time)
{
	struct admission_limits limits = loose();
	struct admission_source *source;
	struct admission *a;
	int i;

	limits.rate_source = 10;
	limits.burst_source = 20;
	a = new_admission(&limits);
	for (i = 0; i < 20; i++)
		ck_assert_int_eq(ask(a, ipv4(7), 5, &source), ADMISSION_OK);
	ck_assert_int_eq(ask(a, ipv4(7), 5, &source), ADMISSION_TOO_FAST);
	ck_assert_int_eq(ask(a, ipv4(7), 104, &source), ADMISSION_TOO_FAST);
	ck_assert_int_eq(ask(a, ipv4(7), 105, &source), ADMISSION_OK);
	ck_assert_int_eq(ask(a, ipv4(7), 105, &source), ADMISSION_TOO_FAST);
	ck_assert_int_eq(ask(a, ipv4(8), 105, &source), ADMISSION_OK);
	admission_free(a);
}
END_TEST

START_TEST(admission_penalties_add_up_and_expire)
{
	struct admission_limits limits = loose();
	struct admission_source *source;
	struct admission *a;
	int i;

	a = new_admission(&limits);
	for (i = 0; i < 5; i++) {
		ck_assert_int_eq(ask(a, ipv4(7), 1000, &source), ADMISSION_OK);
		admission_left(a, source, false, true, 1000);
	}
	ck_assert_int_eq(ask(a, ipv4(7), 1000, &source), ADMISSION_PENALTY);
	ck_assert_int_eq(ask(a, ipv4(8), 1000, &source), ADMISSION_OK);
	ck_assert_int_eq(ask(a, ipv4(7), 1001, &source), ADMISSION_OK);
	for (i = 0; i < 1000; i++)
		admission_left(a, source, i > 0, true, 1001);
	/* However many they were: 60 s less the 10 s that are tolerated. */
	ck_assert_int_eq(ask(a, ipv4(7), 1001 + 50000, &source),
			 ADMISSION_PENALTY);
	ck_assert_int_eq(ask(a, ipv4(7), 1001 + 50001, &source), ADMISSION_OK);
	admission_free(a);
}
END_TEST

START_TEST(admission_ipv6_source_is_the_64)
{
	struct admission_limits limits = loose();
	struct admission_source *source;
	struct admission *a;

	limits.max_pending_source = 1;
	a = new_admission(&limits);
	ck_assert_int_eq(ask(a, ipv6("2001:db8::1"), 0, &source),
			 ADMISSION_OK);
	ck_assert_int_eq(ask(a, ipv6("2001:db8::ffff:2"), 0, &source),
			 ADMISSION_TOO_MANY_OF_SOURCE);
	ck_assert_int_eq(ask(a, ipv6("2001:db8:0:1::1"), 0, &source),
			 ADMISSION_OK);
	/* A mapped address is the IPv4 address. */
	ck_assert_int_eq(ask(a, ipv4(0xc0000201), 0, &source), ADMISSION_OK);
	ck_assert_int_eq(ask(a, ipv6("::ffff:192.0.2.1"), 0, &source),
			 ADMISSION_TOO_MANY_OF_SOURCE);
	admission_free(a);
}
END_TEST

START_TEST(admission_table_full_of_others_lets_strangers_in)
{
	struct admission_limits limits = loose();
	struct admission_source *source, *first;
	struct admission *a;
	uint32_t i;

	limits.max_pending_source = 1;
	a = new_admission(&limits);
	ck_assert_int_eq(ask(a, ipv4(0), 0, &first), ADMISSION_OK);
	for (i = 1; i < 200000; i++) {
		ck_assert_int_eq(ask(a, ipv4(i), i, &source), ADMISSION_OK);
		if (source && i % 3)
			admission_left(a, source, false, false, i);
	}
	/* A source with a live connection was not forgotten. */
	ck_assert_int_eq(ask(a, ipv4(0), i, &source),
			 ADMISSION_TOO_MANY_OF_SOURCE);
	admission_left(a, first, false, false, i);
	admission_free(a);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("admission");
	TCase *tc = tcase_create("all");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, admission_total_is_never_exceeded);
	tcase_add_test(tc, admission_instead_has_a_bound_too);
	tcase_add_test(tc, admission_early_drop_rises_from_half_of_the_limit);
	tcase_add_test(tc, admission_source_limit_leaves_others_alone);
	tcase_add_test(tc, admission_joined_is_no_stranger);
	tcase_add_test(tc, admission_left_gives_the_place_back);
	tcase_add_test(tc, admission_clients_of_a_source_are_limited);
	tcase_add_test(tc, admission_rate_refills_with_time);
	tcase_add_test(tc, admission_penalties_add_up_and_expire);
	tcase_add_test(tc, admission_ipv6_source_is_the_64);
	tcase_add_test(tc, admission_table_full_of_others_lets_strangers_in);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
