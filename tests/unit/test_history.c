/* SPDX-License-Identifier: MIT */
/* Tests of server/history: what the ring keeps, and the rates. */
#include "server/history.h"

#include <check.h>

static struct history history;
static struct history_rate rates[HISTORY_SAMPLES];

static void set_up(void)
{
	history = (struct history){ 0 };
}

static void add(uint64_t time_ms, uint64_t in_bytes)
{
	struct history_sample sample = { .time_ms = time_ms };

	sample.count[HISTORY_IN_BYTES] = in_bytes;
	sample.count[HISTORY_DROPS] = in_bytes / 10;
	history_add(&history, &sample);
}

START_TEST(history_needs_two_samples_for_a_rate)
{
	ck_assert_uint_eq(history_rates(&history, rates), 0);
	add(1000, 5);
	ck_assert_uint_eq(history_rates(&history, rates), 0);
	add(3000, 105);
	ck_assert_uint_eq(history_rates(&history, rates), 1);
	ck_assert_double_eq(rates[0].rate[HISTORY_IN_BYTES], 50);
	ck_assert_double_eq(rates[0].rate[HISTORY_DROPS], 5);
	ck_assert_double_eq(rates[0].rate[HISTORY_OUT_BYTES], 0);
	ck_assert_uint_eq(rates[0].time_ms, 3000);
}
END_TEST

START_TEST(history_late_samples_have_the_mean_rate)
{
	add(1000, 0);
	add(11000, 1000);
	ck_assert_uint_eq(history_rates(&history, rates), 1);
	ck_assert_double_eq(rates[0].rate[HISTORY_IN_BYTES], 100);
}
END_TEST

START_TEST(history_full_ring_forgets_the_oldest)
{
	uint64_t i, n = 2 * HISTORY_SAMPLES + 7;

	for (i = 0; i < n; i++)
		add(1000 * (i + 1), i * i);
	ck_assert_uint_eq(history_rates(&history, rates), HISTORY_SAMPLES - 1);
	for (i = 0; i < HISTORY_SAMPLES - 1; i++) {
		uint64_t k = n - HISTORY_SAMPLES + 1 + i;

		ck_assert_uint_eq(rates[i].time_ms, 1000 * (k + 1));
		ck_assert_double_eq(rates[i].rate[HISTORY_IN_BYTES],
				    (double)(2 * k - 1));
	}
}
END_TEST

START_TEST(history_counter_that_falls_is_no_rate)
{
	add(1000, 500);
	add(2000, 100);
	ck_assert_uint_eq(history_rates(&history, rates), 1);
	ck_assert_double_eq(rates[0].rate[HISTORY_IN_BYTES], 0);
}
END_TEST

START_TEST(history_sample_at_the_same_time_is_left_out)
{
	add(1000, 0);
	add(1000, 100);
	add(999, 100);
	ck_assert_uint_eq(history_rates(&history, rates), 0);
	add(2000, 100);
	ck_assert_uint_eq(history_rates(&history, rates), 1);
	ck_assert_double_eq(rates[0].rate[HISTORY_IN_BYTES], 100);
}
END_TEST

static Suite *history_suite(void)
{
	Suite *suite = suite_create("history");
	TCase *tc = tcase_create("history");

	tcase_add_checked_fixture(tc, set_up, NULL);
	tcase_add_test(tc, history_needs_two_samples_for_a_rate);
	tcase_add_test(tc, history_late_samples_have_the_mean_rate);
	tcase_add_test(tc, history_full_ring_forgets_the_oldest);
	tcase_add_test(tc, history_counter_that_falls_is_no_rate);
	tcase_add_test(tc, history_sample_at_the_same_time_is_left_out);
	suite_add_tcase(suite, tc);
	return suite;
}

int main(void)
{
	SRunner *runner = srunner_create(history_suite());
	int failed;

	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
