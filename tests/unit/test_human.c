/* SPDX-License-Identifier: MIT */
/* Tests of common/human: what a person reads, at the borders of the units. */
#include "common/human.h"

#include <check.h>

static char text[HUMAN_LEN];

START_TEST(human_bytes_change_units_without_1024)
{
	ck_assert_str_eq(human_bytes(0, text), "0 B");
	ck_assert_str_eq(human_bytes(1023, text), "1023 B");
	ck_assert_str_eq(human_bytes(1024, text), "1.0 KiB");
	ck_assert_str_eq(human_bytes(1536, text), "1.5 KiB");
	ck_assert_str_eq(human_bytes(1048575, text), "1.0 MiB");
	ck_assert_str_eq(human_bytes(12ULL << 30, text), "12.0 GiB");
	ck_assert_str_eq(human_bytes(UINT64_MAX, text), "16.0 EiB");
}
END_TEST

START_TEST(human_rates_change_units_without_1000)
{
	ck_assert_str_eq(human_bit_rate(0, text), "0 bit/s");
	ck_assert_str_eq(human_bit_rate(999, text), "999 bit/s");
	ck_assert_str_eq(human_bit_rate(999.9, text), "1.0 kbit/s");
	ck_assert_str_eq(human_bit_rate(1500, text), "1.5 kbit/s");
	ck_assert_str_eq(human_bit_rate(999999, text), "1.0 Mbit/s");
	ck_assert_str_eq(human_bit_rate(2.5e9, text), "2.5 Gbit/s");
}
END_TEST

START_TEST(human_counts_are_grouped)
{
	ck_assert_str_eq(human_count(0, text), "0");
	ck_assert_str_eq(human_count(999, text), "999");
	ck_assert_str_eq(human_count(1000, text), "1,000");
	ck_assert_str_eq(human_count(UINT64_MAX, text),
			 "18,446,744,073,709,551,615");
}
END_TEST

START_TEST(human_durations_have_two_units)
{
	ck_assert_str_eq(human_duration(0, text), "0 s");
	ck_assert_str_eq(human_duration(59, text), "59 s");
	ck_assert_str_eq(human_duration(245, text), "4 min 5 s");
	ck_assert_str_eq(human_duration(3600 * 3, text), "3 h 0 min");
	ck_assert_str_eq(human_duration(86400 * 12 + 3600 * 7, text),
			 "12 d 7 h");
}
END_TEST

static Suite *human_suite(void)
{
	Suite *suite = suite_create("human");
	TCase *tc = tcase_create("human");

	tcase_add_test(tc, human_bytes_change_units_without_1024);
	tcase_add_test(tc, human_rates_change_units_without_1000);
	tcase_add_test(tc, human_counts_are_grouped);
	tcase_add_test(tc, human_durations_have_two_units);
	suite_add_tcase(suite, tc);
	return suite;
}

int main(void)
{
	SRunner *runner = srunner_create(human_suite());
	int failed;

	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
