/* SPDX-License-Identifier: MIT */
/* Tests of server/plot: where its axis ends, and where its points lie. */
#include "server/plot.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static const struct plot plot = {
	"bits", "Bits a second", 8, human_bit_rate, 1000,
	{ { "in", HISTORY_IN_BYTES }, { "out", HISTORY_OUT_BYTES } },
};
static struct history_rate rates[HISTORY_SAMPLES];

/* The caller frees it. */
static char *draw(size_t n)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	ck_assert_ptr_nonnull(out);
	plot_write(out, &plot, rates, n);
	fclose(out);
	return text;
}

static void check_drawn(size_t n, const char *expected)
{
	char *text = draw(n);

	ck_assert_msg(strstr(text, expected) != NULL, "no %s in %s", expected,
		      text);
	free(text);
}

START_TEST(plot_axis_ends_at_a_round_number)
{
	ck_assert_double_eq(plot_axis_end(0, 1000), 1000);
	ck_assert_double_eq(plot_axis_end(1000, 1000), 1000);
	ck_assert_double_eq(plot_axis_end(1001, 1000), 2000);
	ck_assert_double_eq(plot_axis_end(2001, 1000), 5000);
	ck_assert_double_eq(plot_axis_end(5001, 1000), 10000);
	ck_assert_double_eq(plot_axis_end(3.1e10, 1000), 5e10);
}
END_TEST

START_TEST(plot_without_rates_has_lines_without_points)
{
	check_drawn(0, "<polyline class=\"line line-0\" points=\"\"/>");
	check_drawn(0, "in: 0 bit/s now, at most 0 bit/s in 10 minutes.");
}
END_TEST

START_TEST(plot_points_are_at_their_time_and_height)
{
	rates[0].time_ms = 1000000;
	rates[0].rate[HISTORY_IN_BYTES] = 125;	/* the axis' end, in bits */
	rates[1].time_ms = 1060000;
	rates[1].rate[HISTORY_IN_BYTES] = 0;
	check_drawn(2, "points=\"432.0,18.0 480.0,150.0 \"");
	check_drawn(2, "in: 0 bit/s now, at most 1.0 kbit/s in 10 minutes.");
}
END_TEST

START_TEST(plot_points_before_its_beginning_are_left_out)
{
	rates[0].time_ms = 1000000;
	rates[1].time_ms = 1600001;
	check_drawn(2, "line-0\" points=\"480.0,150.0 \"");
}
END_TEST

static Suite *plot_suite(void)
{
	Suite *suite = suite_create("plot");
	TCase *tc = tcase_create("plot");

	tcase_add_test(tc, plot_axis_ends_at_a_round_number);
	tcase_add_test(tc, plot_without_rates_has_lines_without_points);
	tcase_add_test(tc, plot_points_are_at_their_time_and_height);
	tcase_add_test(tc, plot_points_before_its_beginning_are_left_out);
	suite_add_tcase(suite, tc);
	return suite;
}

int main(void)
{
	SRunner *runner = srunner_create(plot_suite());
	int failed;

	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
