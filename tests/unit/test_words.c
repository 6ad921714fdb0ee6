/* SPDX-License-Identifier: MIT */
/* Commands split into words, and what cannot be split. */
#include "client/words.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static char error[OPTIONS_ERROR_LEN];
static struct words words;

/* The words as they come out, with | between them. */
static void expect(const char *command, const char *interface,
		   const char *joined)
{
	char text[WORDS_TEXT_LEN * 2] = "";
	int i;

	ck_assert_msg(words_split(command, interface, &words, error), "%s: %s",
		      command, error);
	for (i = 0; words.word[i]; i++) {
		strcat(text, words.word[i]);
		strcat(text, "|");
	}
	ck_assert_str_eq(text, joined);
}

static void expect_error(const char *command, const char *interface,
			 const char *part)
{
	error[0] = '\0';
	ck_assert_msg(!words_split(command, interface, &words, error), "%s",
		      command);
	ck_assert_msg(strstr(error, part) != NULL, "%s: '%s' lacks '%s'",
		      command, error, part);
}

START_TEST(words_quotes_and_backslashes_group)
{
	expect("a", NULL, "a|");
	expect("  a\tb  c ", NULL, "a|b|c|");
	expect("a 'b c' \"d e\"", NULL, "a|b c|d e|");
	expect("a'b c'\"d e\"f", NULL, "ab cd ef|");
	expect("a '' \"\"", NULL, "a|||");
	expect("a\\ b \\' \\\"", NULL, "a b|'|\"|");
	expect("a \"\\\"\\\\\" '\\'", NULL, "a|\"\\|\\|");
	expect("a $x `y` * ; > %s", NULL, "a|$x|`y`|*|;|>|%s|");
}
END_TEST

START_TEST(words_interface_takes_its_place_and_makes_no_word)
{
	expect("ip route add 10.1.0.0/16 dev %s", "tun0",
	       "ip|route|add|10.1.0.0/16|dev|tun0|");
	expect("a x%sy '%s' %%s 100%%", "t u", "a|xt uy|t u|%s|100%|");
}
END_TEST

START_TEST(words_what_cannot_be_split_is_refused)
{
	expect_error("", NULL, "a command");
	expect_error(" \t", NULL, "a command");
	expect_error("''", NULL, "a command");
	expect_error("a 'b", NULL, "every ' is closed");
	expect_error("a \"b\\\"", NULL, "every \" is closed");
	expect_error("a \\", NULL, "end with a backslash");
	expect_error("a \"\\", NULL, "end with a backslash");
	expect_error("a %d", "tun0", "%s for the interface");
	expect_error("a %", "tun0", "%s for the interface");
	expect_error("a '%", "tun0", "%s for the interface");
}
END_TEST

START_TEST(words_limits_hold)
{
	char command[3 * WORDS_MAX] = "", text[WORDS_TEXT_LEN + 1];
	int i;

	for (i = 0; i < WORDS_MAX; i++)
		strcat(command, "a ");
	ck_assert(words_split(command, NULL, &words, error));
	strcat(command, "a");
	expect_error(command, NULL, "32 words");
	memset(text, 'a', sizeof(text));
	text[WORDS_TEXT_LEN] = '\0';
	expect_error(text, NULL, "characters");
	text[WORDS_TEXT_LEN - 1] = '\0';
	ck_assert(words_split(text, NULL, &words, error));
}
END_TEST

static Suite *words_suite(void)
{
	Suite *suite = suite_create("words");
	TCase *tcase = tcase_create("words");

	tcase_add_test(tcase, words_quotes_and_backslashes_group);
	tcase_add_test(tcase,
		       words_interface_takes_its_place_and_makes_no_word);
	tcase_add_test(tcase, words_what_cannot_be_split_is_refused);
	tcase_add_test(tcase, words_limits_hold);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	SRunner *runner = srunner_create(words_suite());
	int failed;

	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
