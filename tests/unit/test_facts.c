/* SPDX-License-Identifier: MIT */
/* What is in force, as text and compared. */
#include "client/facts.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static struct facts facts;

static void set_up(void)
{
	memset(&facts, 0, sizeof(facts));
}

START_TEST(facts_lists_have_their_separator_between)
{
	char text[FACTS_LIST_LEN];

	facts_routes_text(&facts, ", ", text);
	ck_assert_str_eq(text, "");
	facts.n_routes = 2;
	facts.routes[0] = (struct msg_route){ 0x0a010000, 16 };
	facts.routes[1] = (struct msg_route){ 0xc0a80000, 24 };
	facts_routes_text(&facts, ", ", text);
	ck_assert_str_eq(text, "10.1.0.0/16, 192.168.0.0/24");
	facts.default_route = true;
	facts_routes_text(&facts, " ", text);
	ck_assert_str_eq(text, "0.0.0.0/0 10.1.0.0/16 192.168.0.0/24");
	facts.n_dns = 2;
	facts.dns[0] = 0x0a000001;
	facts.dns[1] = 0xfffffffe;
	facts_dns_text(&facts, " ", text);
	ck_assert_str_eq(text, "10.0.0.1 255.255.255.254");
}
END_TEST

START_TEST(facts_any_difference_is_one)
{
	struct facts other = facts;

	ck_assert(facts_equal(&facts, &other));
	/* What is not in use does not count. */
	other.routes[0].network = 1;
	other.dns[0] = 1;
	ck_assert(facts_equal(&facts, &other));
#define DIFFERS(change) do { \
		other = facts; \
		change; \
		ck_assert(!facts_equal(&facts, &other)); \
	} while (0)
	DIFFERS(strcpy(other.interface, "x"));
	DIFFERS(strcpy(other.server, "x"));
	DIFFERS(strcpy(other.peer, "x"));
	DIFFERS(strcpy(other.search, "x"));
	DIFFERS(other.address++);
	DIFFERS(other.gateway++);
	DIFFERS(other.mtu++);
	DIFFERS(other.prefix_len++);
	DIFFERS(other.default_route = true);
	DIFFERS(other.n_routes++);
	DIFFERS(other.n_dns++);
	facts.n_routes = facts.n_dns = 1;
	DIFFERS(other.routes[0].network++);
	DIFFERS(other.routes[0].prefix_len++);
	DIFFERS(other.dns[0]++);
}
END_TEST

START_TEST(facts_longest_list_fits)
{
	char text[FACTS_LIST_LEN];
	unsigned int i;

	facts.n_routes = FACTS_MAX_ROUTES;
	for (i = 0; i < FACTS_MAX_ROUTES; i++)
		facts.routes[i] = (struct msg_route){ 0xffffffff, 32 };
	facts_routes_text(&facts, "\",\"", text);
	ck_assert_uint_eq(strlen(text), FACTS_MAX_ROUTES * 21 - 3);
}
END_TEST

static Suite *facts_suite(void)
{
	Suite *suite = suite_create("facts");
	TCase *tcase = tcase_create("facts");

	tcase_add_checked_fixture(tcase, set_up, NULL);
	tcase_add_test(tcase, facts_lists_have_their_separator_between);
	tcase_add_test(tcase, facts_any_difference_is_one);
	tcase_add_test(tcase, facts_longest_list_fits);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	SRunner *runner = srunner_create(facts_suite());
	int failed;

	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
