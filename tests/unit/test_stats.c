/* SPDX-License-Identifier: MIT */
/* Tests of server/stats: names, sums, and the lines of the log. */
#include "server/stats.h"

#include <check.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"

START_TEST(stats_drop_reasons_have_names_of_their_own)
{
	const char *name;
	int i, j;

	for (i = 0; i < DROP_N_REASONS; i++) {
		name = drop_reason_name((enum drop_reason)i);
		ck_assert_ptr_nonnull(name);
		ck_assert_uint_eq(strspn(name, "abcdefghijklmnopqrstuvwxyz_"
					 "0123456789"), strlen(name));
		for (j = 0; j < i; j++)
			ck_assert_str_ne(name,
				drop_reason_name((enum drop_reason)j));
	}
	ck_assert_str_eq(drop_reason_name(DROP_SPOOFED_SOURCE),
			 "spoofed_source");
}
END_TEST

START_TEST(stats_add_sums_every_counter)
{
	struct stats from = { 0 }, to = { 0 };
	int i, round;

	counter_add(&from.rx_packets, 1);
	counter_add(&from.rx_bytes, 20);
	counter_add(&from.tx_packets, 300);
	counter_add(&from.tx_bytes, UINT64_C(1) << 40);
	for (i = 0; i < DROP_N_REASONS; i++)
		counter_add(&from.drops[i], (uint64_t)i + 1);
	for (round = 0; round < 2; round++)
		stats_add(&to, &from);
	ck_assert_uint_eq(counter_get(&to.rx_packets), 2);
	ck_assert_uint_eq(counter_get(&to.rx_bytes), 40);
	ck_assert_uint_eq(counter_get(&to.tx_packets), 600);
	ck_assert_uint_eq(counter_get(&to.tx_bytes), UINT64_C(1) << 41);
	for (i = 0; i < DROP_N_REASONS; i++)
		ck_assert_uint_eq(counter_get(&to.drops[i]),
				  2 * ((uint64_t)i + 1));
}
END_TEST

START_TEST(stats_log_leaves_out_drops_of_zero)
{
	struct stats stats = { 0 };
	char text[4096] = "";
	FILE *file = tmpfile();

	ck_assert_ptr_nonnull(file);
	ck_assert_int_ge(dup2(fileno(file), STDERR_FILENO), 0);
	log_init("test", LOG_LEVEL_INFO);
	counter_add(&stats.rx_packets, 7);
	counter_add(&stats.drops[DROP_TOO_BIG], 5);
	stats_log("somebody", &stats);
	rewind(file);
	ck_assert_uint_gt(fread(text, 1, sizeof(text) - 1, file), 0);
	ck_assert_ptr_nonnull(strstr(text, "somebody: rx_packets=7 "
				     "rx_bytes=0 tx_packets=0 tx_bytes=0"));
	ck_assert_ptr_nonnull(strstr(text, "somebody: drop too_big=5"));
	ck_assert_ptr_null(strstr(text, "drop queue_full"));
	fclose(file);
}
END_TEST

static Suite *stats_suite(void)
{
	Suite *suite = suite_create("stats");
	TCase *tc = tcase_create("stats");

	tcase_add_test(tc, stats_drop_reasons_have_names_of_their_own);
	tcase_add_test(tc, stats_add_sums_every_counter);
	tcase_add_test(tc, stats_log_leaves_out_drops_of_zero);
	suite_add_tcase(suite, tc);
	return suite;
}

int main(void)
{
	SRunner *runner = srunner_create(stats_suite());
	int failed;

	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
