/* SPDX-License-Identifier: MIT */
/* Tests of client/pushed: what a server may not do to a client's host. */
#include "client/pushed.h"

#include <arpa/inet.h>
#include <check.h>
#include <stdlib.h>
#include <string.h>

static const char *route(const char *network, uint8_t prefix_len)
{
	struct msg_route r = { ntohl(inet_addr(network)), prefix_len };

	return pushed_route_problem(&r);
}

static const char *dns(const char *address)
{
	return pushed_host_problem(ntohl(inet_addr(address)));
}

START_TEST(pushed_routes_of_networks_are_good)
{
	ck_assert_ptr_null(route("10.0.0.0", 8));
	ck_assert_ptr_null(route("192.168.7.0", 24));
	ck_assert_ptr_null(route("198.51.100.9", 32));
	ck_assert_ptr_null(route("169.253.0.0", 16));
	ck_assert_ptr_null(route("223.0.0.0", 8));
}
END_TEST

START_TEST(pushed_default_route_is_refused)
{
	ck_assert_ptr_nonnull(strstr(route("0.0.0.0", 0), "--default-route"));
}
END_TEST

START_TEST(pushed_parts_of_the_internet_are_refused)
{
	ck_assert_ptr_nonnull(route("128.0.0.0", 1));
	ck_assert_ptr_nonnull(route("64.0.0.0", 2));
	ck_assert_ptr_nonnull(route("8.0.0.0", 7));
}
END_TEST

START_TEST(pushed_routes_of_the_host_itself_are_refused)
{
	ck_assert_ptr_nonnull(route("127.0.0.0", 8));
	ck_assert_ptr_nonnull(route("127.0.0.1", 32));
	ck_assert_ptr_nonnull(route("0.0.0.0", 8));
}
END_TEST

START_TEST(pushed_multicast_routes_are_refused)
{
	ck_assert_ptr_nonnull(route("224.0.0.0", 8));
	ck_assert_ptr_nonnull(route("239.1.2.0", 24));
	ck_assert_ptr_nonnull(route("255.255.255.255", 32));
}
END_TEST

/* 169.254.169.254 is where cloud hosts ask for their secrets. */
START_TEST(pushed_link_local_routes_are_refused)
{
	ck_assert_ptr_nonnull(route("169.254.169.254", 32));
	ck_assert_ptr_nonnull(route("169.254.0.0", 16));
	ck_assert_ptr_nonnull(route("169.0.0.0", 8));
}
END_TEST

START_TEST(pushed_dns_of_hosts_is_good)
{
	ck_assert_ptr_null(dns("10.0.0.1"));
	ck_assert_ptr_null(dns("223.5.5.5"));
}
END_TEST

START_TEST(pushed_dns_that_is_no_other_host_is_refused)
{
	ck_assert_ptr_nonnull(dns("0.0.0.0"));
	ck_assert_ptr_nonnull(dns("127.0.0.53"));
	ck_assert_ptr_nonnull(dns("224.0.0.251"));
	ck_assert_ptr_nonnull(dns("255.255.255.255"));
}
END_TEST

START_TEST(pushed_search_domains_are_names_only)
{
	static const char *const bad[] = {
		"", ".", "a..b", ".a", "a.", "a b", "a\nnameserver 6.6.6.6",
		"a;reboot", "$(id)", "`id`", "-x", "a.-b", "~.", "a/b", "a\tb",
		"a\"b", "a'b", "\xc3\xa4", "*",
	};
	char longest[MSG_MAX_TEXT + 1];
	size_t i;

	ck_assert(pushed_search_is_good("example.org"));
	ck_assert(pushed_search_is_good("lan"));
	ck_assert(pushed_search_is_good("a-1.XN--P1AI"));
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(!pushed_search_is_good(bad[i]), "%s", bad[i]);
	memset(longest, 'a', MSG_MAX_TEXT);
	longest[MSG_MAX_TEXT] = '\0';
	ck_assert(!pushed_search_is_good(longest));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("pushed");
	TCase *tcase = tcase_create("pushed");
	SRunner *runner;
	int failed;

	tcase_add_test(tcase, pushed_routes_of_networks_are_good);
	tcase_add_test(tcase, pushed_default_route_is_refused);
	tcase_add_test(tcase, pushed_parts_of_the_internet_are_refused);
	tcase_add_test(tcase, pushed_routes_of_the_host_itself_are_refused);
	tcase_add_test(tcase, pushed_multicast_routes_are_refused);
	tcase_add_test(tcase, pushed_link_local_routes_are_refused);
	tcase_add_test(tcase, pushed_dns_of_hosts_is_good);
	tcase_add_test(tcase, pushed_dns_that_is_no_other_host_is_refused);
	tcase_add_test(tcase, pushed_search_domains_are_names_only);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
