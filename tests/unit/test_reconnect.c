/* SPDX-License-Identifier: MIT */
/* When cli tries again, and which address it asks for. */
#include <check.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "client/reconnect.h"

enum { HAD = 0x0a000005, STATIC = 0x0a000007 };

static uint64_t step(struct reconnect *r, enum reconnect_event event,
		     uint32_t random, uint64_t now_ms)
{
	const struct reconnect_input input = {
		.event = event,
		.address = HAD,
		.random = random,
		.now_ms = now_ms,
	};

	return reconnect_next(r, &input);
}

static void join(struct reconnect *r, bool capable, uint64_t now_ms)
{
	const struct reconnect_input input = {
		.event = RECONNECT_JOINED,
		.address = HAD,
		.server_capable = capable,
		.now_ms = now_ms,
	};

	ck_assert_uint_eq(reconnect_next(r, &input), 0);
}

static void retry_after(struct reconnect *r, uint32_t retry_ms,
			uint64_t now_ms)
{
	const struct reconnect_input input = {
		.event = RECONNECT_RETRY_AFTER,
		.retry_ms = retry_ms,
		.now_ms = now_ms,
	};

	ck_assert_uint_eq(reconnect_next(r, &input), 0);
}

START_TEST(reconnect_failures_double_the_wait_up_to_the_longest)
{
	static const uint32_t halves[] = {
		250, 500, 1000, 2000, 4000, 8000, 15000, 15000, 15000,
	};
	struct reconnect r;
	size_t i;

	reconnect_init(&r, 0, 1, 0);
	for (i = 0; i < sizeof(halves) / sizeof(halves[0]); i++)
		ck_assert_uint_eq(step(&r, RECONNECT_LOST, 0, 0), halves[i]);
}
END_TEST

START_TEST(reconnect_jitter_fills_half_to_whole_and_no_more)
{
	struct reconnect r;
	bool seen[251] = { false };
	uint64_t wait_ms;
	uint32_t i;

	for (i = 0; i < 251; i++) {
		reconnect_init(&r, 0, 1, 0);
		wait_ms = step(&r, RECONNECT_LOST, i, 0);
		ck_assert_uint_ge(wait_ms, RECONNECT_FIRST_MS / 2);
		ck_assert_uint_le(wait_ms, RECONNECT_FIRST_MS);
		seen[wait_ms - 250] = true;
	}
	for (i = 0; i < 251; i++)
		ck_assert(seen[i]);
}
END_TEST

START_TEST(reconnect_any_random_number_stays_within_the_bounds)
{
	const char *text = getenv("SEED");
	unsigned int seed = text != NULL ? (unsigned int)atoi(text) :
					   (unsigned int)time(NULL);
	struct reconnect r;
	uint64_t wait_ms;
	int i;

	printf("seed %u\n", seed);
	srandom(seed);
	reconnect_init(&r, 0, 1, 0);
	for (i = 0; i < 1000; i++) {
		wait_ms = step(&r, RECONNECT_LOST, (uint32_t)random() * 2U, 0);
		ck_assert_uint_ge(wait_ms, RECONNECT_FIRST_MS / 2);
		ck_assert_uint_le(wait_ms, RECONNECT_LONGEST_MS);
	}
}
END_TEST

START_TEST(reconnect_stable_connection_starts_from_the_first_wait)
{
	struct reconnect r;
	int i;

	reconnect_init(&r, 0, 1, 0);
	for (i = 0; i < 5; i++)
		step(&r, RECONNECT_LOST, 0, 0);
	join(&r, true, 1000);
	ck_assert_uint_eq(step(&r, RECONNECT_LOST, 0,
			       1000 + RECONNECT_STABLE_MS), 250);
}
END_TEST

START_TEST(reconnect_short_connection_goes_on_doubling)
{
	struct reconnect r;
	int i;

	reconnect_init(&r, 0, 1, 0);
	for (i = 0; i < 5; i++)
		step(&r, RECONNECT_LOST, 0, 0);
	join(&r, true, 1000);
	ck_assert_uint_eq(step(&r, RECONNECT_LOST, 0,
			       999 + RECONNECT_STABLE_MS), 8000);
}
END_TEST

START_TEST(reconnect_moved_address_is_no_new_connection)
{
	struct reconnect r;

	reconnect_init(&r, 0, 1, 0);
	step(&r, RECONNECT_LOST, 0, 0);
	join(&r, true, 1000);
	join(&r, true, 1000 + RECONNECT_STABLE_MS);
	ck_assert_uint_eq(step(&r, RECONNECT_LOST, 0,
			       1000 + RECONNECT_STABLE_MS), 250);
}
END_TEST

START_TEST(reconnect_retry_after_is_waited_for_with_jitter_on_top)
{
	struct reconnect r;

	reconnect_init(&r, 0, 1, 0);
	join(&r, true, 0);
	retry_after(&r, 5000, 20000);
	ck_assert_uint_eq(step(&r, RECONNECT_LOST, 100, 21000),
			  4000 + 250 + 100);
	/* Once only. */
	ck_assert_uint_eq(step(&r, RECONNECT_LOST, 0, 21000), 500);
}
END_TEST

START_TEST(reconnect_retry_after_in_the_past_changes_nothing)
{
	struct reconnect r;

	reconnect_init(&r, 0, 1, 0);
	retry_after(&r, 5000, 0);
	ck_assert_uint_eq(step(&r, RECONNECT_LOST, 0, 5000), 250);
}
END_TEST

START_TEST(reconnect_retry_after_is_capped)
{
	struct reconnect r;

	reconnect_init(&r, 0, 1, 0);
	retry_after(&r, UINT32_MAX, 0);
	ck_assert_uint_eq(step(&r, RECONNECT_LOST, 0, 0),
			  RECONNECT_RETRY_MAX_MS + 250);
}
END_TEST

START_TEST(reconnect_dynamic_asks_for_its_address_again)
{
	struct reconnect r;

	reconnect_init(&r, 0, 1, 0);
	ck_assert_uint_eq(r.wanted, 0);
	join(&r, true, 0);
	step(&r, RECONNECT_LOST, 0, 0);
	ck_assert_uint_eq(r.wanted, HAD);
	step(&r, RECONNECT_REFUSED, 0, 0);
	ck_assert_uint_eq(r.wanted, HAD);
}
END_TEST

START_TEST(reconnect_dynamic_refused_takes_any_at_once)
{
	struct reconnect r;

	reconnect_init(&r, 0, 1, 0);
	join(&r, true, 0);
	step(&r, RECONNECT_LOST, 0, 0);
	ck_assert_uint_eq(step(&r, RECONNECT_ADDRESS_REFUSED, 0, 0), 0);
	ck_assert_uint_eq(r.wanted, 0);
	/* Refused once more, there is nothing left but to wait. */
	ck_assert_uint_gt(step(&r, RECONNECT_ADDRESS_REFUSED, 0, 0), 0);
}
END_TEST

START_TEST(reconnect_dynamic_refused_with_retry_after_waits)
{
	struct reconnect r;

	reconnect_init(&r, 0, 1, 0);
	join(&r, true, 0);
	step(&r, RECONNECT_LOST, 0, 0);
	retry_after(&r, 3000, 0);
	ck_assert_uint_ge(step(&r, RECONNECT_ADDRESS_REFUSED, 0, 0), 3000);
	ck_assert_uint_eq(r.wanted, 0);
}
END_TEST

START_TEST(reconnect_base_server_silent_close_is_a_refusal)
{
	struct reconnect r;

	reconnect_init(&r, 0, 1, 0);
	join(&r, false, 0);
	step(&r, RECONNECT_LOST, 0, 0);
	ck_assert_uint_eq(step(&r, RECONNECT_NO_REPLY, 0, 0), 0);
	ck_assert_uint_eq(r.wanted, 0);
	ck_assert_uint_gt(step(&r, RECONNECT_NO_REPLY, 0, 0), 0);
}
END_TEST

START_TEST(reconnect_capable_server_silent_close_keeps_the_wish)
{
	struct reconnect r;
	int i;

	reconnect_init(&r, 0, 1, 0);
	join(&r, true, 0);
	step(&r, RECONNECT_LOST, 0, 0);
	for (i = 1; i < RECONNECT_SILENT_CLOSES; i++) {
		ck_assert_uint_gt(step(&r, RECONNECT_NO_REPLY, 0, 0), 0);
		ck_assert_uint_eq(r.wanted, HAD);
	}
	ck_assert_uint_eq(step(&r, RECONNECT_NO_REPLY, 0, 0), 0);
	ck_assert_uint_eq(r.wanted, 0);
}
END_TEST

START_TEST(reconnect_static_refused_waits_and_never_changes)
{
	static const enum reconnect_event events[] = {
		RECONNECT_ADDRESS_REFUSED, RECONNECT_NO_REPLY, RECONNECT_LOST,
		RECONNECT_REFUSED,
	};
	struct reconnect r;
	int i;

	reconnect_init(&r, STATIC, 1, 0);
	for (i = 0; i < 12; i++) {
		ck_assert_uint_eq(r.wanted, STATIC);
		ck_assert_uint_gt(step(&r, events[i % 4], 0, 0), 0);
		if (i == 5)
			join(&r, false, 0);
	}
}
END_TEST

/* The random number that makes the choice of the n-th one that is left. */
static uint32_t pick(uint32_t n)
{
	return n << 16;
}

START_TEST(reconnect_servers_each_have_one_attempt_before_the_wait)
{
	struct reconnect r;

	reconnect_init(&r, 0, 3, pick(1));
	ck_assert_uint_eq(r.server, 1);
	ck_assert_uint_eq(step(&r, RECONNECT_LOST, pick(1), 0), 0);
	ck_assert_uint_eq(r.server, 2);
	ck_assert_uint_eq(step(&r, RECONNECT_REFUSED, pick(1), 0), 0);
	ck_assert_uint_eq(r.server, 0);
	ck_assert_uint_ge(step(&r, RECONNECT_LOST, pick(1), 0), 250);
	ck_assert_uint_eq(r.server, 1);
	ck_assert_uint_eq(step(&r, RECONNECT_LOST, 0, 0), 0);
	ck_assert_uint_eq(step(&r, RECONNECT_LOST, 0, 0), 0);
	ck_assert_uint_eq(step(&r, RECONNECT_LOST, 0, 0), 500);
}
END_TEST

START_TEST(reconnect_first_server_is_any)
{
	bool seen[RECONNECT_MAX_SERVERS] = { false };
	struct reconnect r;
	uint32_t i;

	for (i = 0; i < RECONNECT_MAX_SERVERS; i++) {
		reconnect_init(&r, 0, RECONNECT_MAX_SERVERS, pick(i));
		seen[r.server] = true;
	}
	for (i = 0; i < RECONNECT_MAX_SERVERS; i++)
		ck_assert(seen[i]);
}
END_TEST

START_TEST(reconnect_lost_server_is_left_for_another_at_once)
{
	struct reconnect r;

	reconnect_init(&r, 0, 2, 0);
	join(&r, true, 0);
	ck_assert_uint_eq(step(&r, RECONNECT_LOST, 0, RECONNECT_STABLE_MS), 0);
	ck_assert_uint_eq(r.server, 1);
	ck_assert_uint_eq(r.wanted, HAD);
	/* The lost one had its attempt: the round is over. */
	ck_assert_uint_eq(step(&r, RECONNECT_LOST, 0, RECONNECT_STABLE_MS),
			  250);
}
END_TEST

START_TEST(reconnect_servers_that_lose_us_at_once_are_waited_for)
{
	struct reconnect r;

	reconnect_init(&r, 0, 2, 0);
	join(&r, true, 0);
	ck_assert_uint_eq(step(&r, RECONNECT_LOST, 0, 10), 0);
	join(&r, true, 20);
	ck_assert_uint_eq(step(&r, RECONNECT_LOST, 0, 30), 250);
	join(&r, true, 300);
	ck_assert_uint_eq(step(&r, RECONNECT_LOST, 0, 310), 0);
	join(&r, true, 320);
	ck_assert_uint_eq(step(&r, RECONNECT_LOST, 0, 330), 500);
}
END_TEST

START_TEST(reconnect_address_refused_by_one_is_asked_of_the_others)
{
	struct reconnect r;

	reconnect_init(&r, 0, 2, 0);
	join(&r, true, 0);
	step(&r, RECONNECT_LOST, 0, RECONNECT_STABLE_MS);
	ck_assert_uint_eq(r.server, 1);
	/* Only now that the round is over, any address will do. */
	ck_assert_uint_eq(step(&r, RECONNECT_ADDRESS_REFUSED, 0,
			       RECONNECT_STABLE_MS), 0);
	ck_assert_uint_eq(r.wanted, 0);

	reconnect_init(&r, 0, 2, 0);
	join(&r, true, 0);
	step(&r, RECONNECT_ADDRESS_REFUSED, 0, 0);
	ck_assert_uint_eq(r.server, 1);
	ck_assert_uint_eq(r.wanted, HAD);
	join(&r, true, 0);
	ck_assert_uint_eq(r.wanted, HAD);
}
END_TEST

START_TEST(reconnect_static_address_taken_is_asked_of_the_others)
{
	struct reconnect r;

	reconnect_init(&r, STATIC, 2, 0);
	ck_assert_uint_eq(step(&r, RECONNECT_ADDRESS_REFUSED, 0, 0), 0);
	ck_assert_uint_eq(r.server, 1);
	ck_assert_uint_eq(r.wanted, STATIC);
	ck_assert_uint_eq(step(&r, RECONNECT_ADDRESS_REFUSED, 0, 0), 250);
	ck_assert_uint_eq(r.wanted, STATIC);
}
END_TEST

START_TEST(reconnect_server_that_asks_for_time_is_passed_over)
{
	struct reconnect r;

	reconnect_init(&r, 0, 2, 0);
	join(&r, true, 0);
	retry_after(&r, 60000, 20000);
	ck_assert_uint_eq(step(&r, RECONNECT_LOST, 0, 20000), 0);
	ck_assert_uint_eq(r.server, 1);
	ck_assert_uint_eq(step(&r, RECONNECT_LOST, 0, 20000), 250);
	ck_assert_uint_eq(r.server, 1);
	ck_assert_uint_eq(step(&r, RECONNECT_LOST, 0, 20250), 500);
	ck_assert_uint_eq(r.server, 1);
	/* Its time has come. */
	ck_assert_uint_eq(step(&r, RECONNECT_LOST, 0, 80000), 0);
	ck_assert_uint_eq(r.server, 0);
}
END_TEST

START_TEST(reconnect_servers_that_all_ask_for_time_get_the_least)
{
	struct reconnect r;

	reconnect_init(&r, 0, 2, 0);
	retry_after(&r, 60000, 0);
	ck_assert_uint_eq(step(&r, RECONNECT_LOST, 0, 0), 0);
	retry_after(&r, 5000, 0);
	ck_assert_uint_eq(step(&r, RECONNECT_LOST, 0, 0), 5000 + 250);
	ck_assert_uint_eq(r.server, 1);
}
END_TEST

static Suite *reconnect_suite(void)
{
	Suite *suite = suite_create("reconnect");
	TCase *tcase = tcase_create("reconnect");

	tcase_add_test(tcase,
		       reconnect_failures_double_the_wait_up_to_the_longest);
	tcase_add_test(tcase, reconnect_jitter_fills_half_to_whole_and_no_more);
	tcase_add_test(tcase,
		       reconnect_any_random_number_stays_within_the_bounds);
	tcase_add_test(tcase,
		       reconnect_stable_connection_starts_from_the_first_wait);
	tcase_add_test(tcase, reconnect_short_connection_goes_on_doubling);
	tcase_add_test(tcase, reconnect_moved_address_is_no_new_connection);
	tcase_add_test(tcase,
		       reconnect_retry_after_is_waited_for_with_jitter_on_top);
	tcase_add_test(tcase,
		       reconnect_retry_after_in_the_past_changes_nothing);
	tcase_add_test(tcase, reconnect_retry_after_is_capped);
	tcase_add_test(tcase, reconnect_dynamic_asks_for_its_address_again);
	tcase_add_test(tcase, reconnect_dynamic_refused_takes_any_at_once);
	tcase_add_test(tcase, reconnect_dynamic_refused_with_retry_after_waits);
	tcase_add_test(tcase, reconnect_base_server_silent_close_is_a_refusal);
	tcase_add_test(tcase,
		       reconnect_capable_server_silent_close_keeps_the_wish);
	tcase_add_test(tcase, reconnect_static_refused_waits_and_never_changes);
	tcase_add_test(tcase,
		       reconnect_servers_each_have_one_attempt_before_the_wait);
	tcase_add_test(tcase, reconnect_first_server_is_any);
	tcase_add_test(tcase,
		       reconnect_lost_server_is_left_for_another_at_once);
	tcase_add_test(tcase,
		       reconnect_servers_that_lose_us_at_once_are_waited_for);
	tcase_add_test(tcase,
		       reconnect_address_refused_by_one_is_asked_of_the_others);
	tcase_add_test(tcase,
		       reconnect_static_address_taken_is_asked_of_the_others);
	tcase_add_test(tcase,
		       reconnect_server_that_asks_for_time_is_passed_over);
	tcase_add_test(tcase,
		       reconnect_servers_that_all_ask_for_time_get_the_least);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	SRunner *runner = srunner_create(reconnect_suite());
	int failed;

	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
