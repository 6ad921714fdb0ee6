/* SPDX-License-Identifier: MIT */
/* Servers as people write them: host and port, and what is none. */
#include "client/servers.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static struct server_name name;

static void expect(const char *text, const char *host, unsigned int port)
{
	ck_assert_msg(servers_read(text, 2002, &name), "%s", text);
	ck_assert_str_eq(name.host, host);
	ck_assert_uint_eq(name.port, port);
}

START_TEST(servers_every_spelling_is_read)
{
	expect("vpn.example.org", "vpn.example.org", 2002);
	expect("vpn.example.org:443", "vpn.example.org", 443);
	expect("192.0.2.1:1", "192.0.2.1", 1);
	expect("2001:db8::1", "2001:db8::1", 2002);
	expect("fe80::1%eth0", "fe80::1%eth0", 2002);
	expect("[2001:db8::1]", "2001:db8::1", 2002);
	expect("[2001:db8::1]:65535", "2001:db8::1", 65535);
	expect("::1", "::1", 2002);
}
END_TEST

START_TEST(servers_everything_else_is_refused)
{
	static const char *const texts[] = {
		"", ":", ":80", "a:", "a:0", "a:65536", "a:8x", "a: 8", "a b",
		"[", "[]", "[]:1", "[::1", "[::1]x", "[::1]:", "[::1]:0",
		"[a]", "::1]:80", "a/b", "a\nb", "a\x7f", "u@a", "'a'",
	};
	size_t i;

	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		ck_assert_msg(!servers_read(texts[i], 2002, &name), "%s",
			      texts[i]);
}
END_TEST

START_TEST(servers_too_long_is_refused)
{
	char text[OPTIONS_TEXT_LEN + 1];

	memset(text, 'a', sizeof(text));
	text[OPTIONS_TEXT_LEN] = '\0';
	ck_assert(!servers_read(text, 2002, &name));
	text[OPTIONS_TEXT_LEN - 1] = '\0';
	expect(text, text, 2002);
}
END_TEST

static Suite *servers_suite(void)
{
	Suite *suite = suite_create("servers");
	TCase *tcase = tcase_create("servers");

	tcase_add_test(tcase, servers_every_spelling_is_read);
	tcase_add_test(tcase, servers_everything_else_is_refused);
	tcase_add_test(tcase, servers_too_long_is_refused);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	SRunner *runner = srunner_create(servers_suite());
	int failed;

	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
