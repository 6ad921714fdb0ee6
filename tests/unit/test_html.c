/* SPDX-License-Identifier: MIT */
/* Tests of server/html: nothing that comes from outside becomes markup. */
#include "server/html.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static char *text;
static size_t len;
static FILE *out;

static void set_up(void)
{
	out = open_memstream(&text, &len);
	ck_assert_ptr_nonnull(out);
}

static void tear_down(void)
{
	fclose(out);
	free(text);
}

static void check_written(const char *expected)
{
	fflush(out);
	ck_assert_str_eq(text, expected);
}

START_TEST(html_markup_is_escaped)
{
	html_escape(out, "<b class=\"x\" id='y'>&amp;</b>");
	check_written("&lt;b class=&quot;x&quot; id=&#39;y&#39;&gt;&amp;amp;"
		      "&lt;/b&gt;");
}
END_TEST

START_TEST(html_control_characters_become_spaces)
{
	html_escape(out, "a\x01\x1b[31m\nb\x7f");
	check_written("a  [31m b\x7f");
}
END_TEST

START_TEST(html_other_text_stays)
{
	html_escape(out, "192.0.2.1:2002 [2001:db8::1]:1 \xc3\xa4");
	check_written("192.0.2.1:2002 [2001:db8::1]:1 \xc3\xa4");
}
END_TEST

START_TEST(html_url_keeps_nothing_with_a_meaning)
{
	url_escape(out, "10.0&page=2#\"<%\xff az-_~");
	check_written("10.0%26page%3D2%23%22%3C%25%FF%20az-_~");
}
END_TEST

START_TEST(html_cells_have_the_value_for_programs)
{
	html_bytes_cell(out, 1536);
	html_count_cell(out, 1234);
	check_written("<td class=\"number\"><data value=\"1536\">1.5 KiB"
		      "</data></td>"
		      "<td class=\"number\"><data value=\"1234\">1,234"
		      "</data></td>");
}
END_TEST

static Suite *html_suite(void)
{
	Suite *suite = suite_create("html");
	TCase *tc = tcase_create("html");

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, html_markup_is_escaped);
	tcase_add_test(tc, html_control_characters_become_spaces);
	tcase_add_test(tc, html_other_text_stays);
	tcase_add_test(tc, html_url_keeps_nothing_with_a_meaning);
	tcase_add_test(tc, html_cells_have_the_value_for_programs);
	suite_add_tcase(suite, tc);
	return suite;
}

int main(void)
{
	SRunner *runner = srunner_create(html_suite());
	int failed;

	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
