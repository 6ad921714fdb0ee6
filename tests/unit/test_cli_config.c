/* SPDX-License-Identifier: MIT */
/* The command line of cli: both spellings of a static address, and errors. */
#include <check.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/config.h"

enum { MAX_WORDS = 24 };

static struct cli_config config;
static char error[OPTIONS_ERROR_LEN];

/* Split at blanks and read, as a shell would have done. */
static bool read_line(const char *line)
{
	char copy[OPTIONS_TEXT_LEN * 2];
	char *words[MAX_WORDS + 1];
	char *rest = copy;
	int n = 0;

	snprintf(copy, sizeof(copy), "cli %s", line);
	while (n < MAX_WORDS && (words[n] = strsep(&rest, " ")) != NULL)
		n++;
	words[n] = NULL;
	memset(&config, 0x5a, sizeof(config));
	error[0] = '\0';
	return config_read(&config, n, words, error);
}

static void expect_ok(const char *line)
{
	ck_assert_msg(read_line(line), "%s: %s", line, error);
}

/* One line that holds the word, and a configuration left alone. */
static void expect_error(const char *line, const char *word)
{
	struct cli_config before;

	memset(&before, 0x5a, sizeof(before));
	ck_assert_msg(!read_line(line), "%s was accepted", line);
	ck_assert_msg(strstr(error, word) != NULL, "%s: '%s' lacks '%s'", line,
		      error, word);
	ck_assert(strchr(error, '\n') == NULL);
	ck_assert_int_eq(memcmp(&before, &config, sizeof(config)), 0);
}

START_TEST(config_server_option_gives_dynamic_and_defaults)
{
	expect_ok("-s 192.0.2.1");
	ck_assert_str_eq(config.servers.text[0], "192.0.2.1");
	ck_assert_uint_eq(config.address, 0);
	ck_assert_uint_eq(config.port, 2002);
	ck_assert_str_eq(config.tun, "tun%d");
	ck_assert_uint_eq(config.keepalive_s, 0);
	ck_assert(config.routes);
	ck_assert(!config.quiet && config.verbose == 0);
}
END_TEST

START_TEST(config_server_argument_gives_dynamic)
{
	expect_ok("gateway.example.org");
	ck_assert_str_eq(config.servers.text[0], "gateway.example.org");
	ck_assert_uint_eq(config.address, 0);
}
END_TEST

START_TEST(config_static_spellings_mean_the_same)
{
	static const char *const lines[] = {
		"-s gw.example.org -a 10.0.0.7",
		"--server=gw.example.org --address=10.0.0.7",
		"gw.example.org -s 10.0.0.7",
		"-s 10.0.0.7 gw.example.org",
		"--server 10.0.0.7 gw.example.org",
		"gw.example.org -a 10.0.0.7",
		"gw.example.org -s 10.0.0.7 -a 10.0.0.7",
	};
	size_t i;

	for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		expect_ok(lines[i]);
		ck_assert_str_eq(config.servers.text[0], "gw.example.org");
		ck_assert_uint_eq(config.address, 0x0a000007);
	}
}
END_TEST

START_TEST(config_server_address_as_option_is_no_static_address)
{
	expect_ok("-s 10.0.0.7");
	ck_assert_str_eq(config.servers.text[0], "10.0.0.7");
	ck_assert_uint_eq(config.address, 0);
}
END_TEST

START_TEST(config_every_option_reaches_its_member)
{
	expect_ok("-s h -p 65535 --tun vpn0 --keepalive 20 --no-route -v -v");
	ck_assert_uint_eq(config.port, 65535);
	ck_assert_str_eq(config.tun, "vpn0");
	ck_assert_uint_eq(config.keepalive_s, 20);
	ck_assert(!config.routes);
	ck_assert_uint_eq(config.verbose, 2);
	expect_ok("-q h");
	ck_assert(config.quiet);
}
END_TEST

START_TEST(config_several_servers_stand_in_their_order)
{
	expect_ok("-s a -s b:443 -s [2001:db8::1]:80 -a 10.0.0.7");
	ck_assert_uint_eq(config.servers.n, 3);
	ck_assert_str_eq(config.servers.text[0], "a");
	ck_assert_str_eq(config.servers.text[1], "b:443");
	ck_assert_str_eq(config.servers.text[2], "[2001:db8::1]:80");
	expect_ok("b:443 -s 10.0.0.7");
	ck_assert_uint_eq(config.servers.n, 1);
	ck_assert_str_eq(config.servers.text[0], "b:443");
}
END_TEST

START_TEST(config_bad_servers_are_refused)
{
	expect_error("-s a -s b:0", "[IPV6]:PORT");
	expect_error("-s a:b", "[IPV6]:PORT");
	expect_error("a:70000", "[IPV6]:PORT");
	expect_error("-s [::1", "[IPV6]:PORT");
	expect_error("a -s 10.0.0.7 -s 10.0.0.8", "one only");
}
END_TEST

START_TEST(config_two_static_addresses_that_differ_are_refused)
{
	expect_error("gw -s 10.0.0.7 -a 10.0.0.8", "different addresses");
}
END_TEST

START_TEST(config_argument_with_a_server_option_is_refused)
{
	expect_error("gw -s other.example.org", "static address");
	expect_error("gw -s 10.0.0", "static address");
	expect_error("gw -s 0.0.0.0", "static address");
}
END_TEST

START_TEST(config_address_that_no_host_has_is_refused)
{
	static const char *const addresses[] = {
		"0.0.0.0", "0.1.2.3", "127.0.0.1", "224.0.0.1", "240.0.0.1",
		"255.255.255.255", "10.0.0", "10.0.0.7/16", "10.0.0.256", "x",
	};
	char line[OPTIONS_TEXT_LEN];
	size_t i;

	for (i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
		snprintf(line, sizeof(line), "-s h -a %s", addresses[i]);
		expect_error(line, "address");
	}
}
END_TEST

START_TEST(config_without_a_server_is_refused)
{
	char *words[] = { (char []){ "cli" }, NULL };

	ck_assert(!config_read(&config, 1, words, error));
	ck_assert_ptr_nonnull(strstr(error, "no server"));
	expect_error("-a 10.0.0.7", "no server");
	expect_error("-v", "no server");
}
END_TEST

START_TEST(config_wrong_words_are_refused)
{
	expect_error("a b", "argument");
	expect_error("-s h -p 0", "port");
	expect_error("-s h -p 65536", "port");
	expect_error("-s h -p 1x", "port");
	expect_error("-s h --keepalive 0", "keepalive");
	expect_error("-s h --keepalive 3601", "keepalive");
	expect_error("-s h --tun a/b", "tun");
	expect_error("-s h --no-such", "no-such");
	expect_error("-s", "server");
	expect_error("-s h -q -v", "-q");
	/* An empty word, as from an empty shell variable in quotes. */
	expect_error("", "name");
	expect_error("-s h ", "name");
}
END_TEST

START_TEST(config_host_too_long_is_refused)
{
	char line[OPTIONS_TEXT_LEN + 1];

	memset(line, 'a', sizeof(line));
	line[OPTIONS_TEXT_LEN] = '\0';
	expect_error(line, "no name of a server");
	line[OPTIONS_TEXT_LEN - 1] = '\0';
	expect_ok(line);
}
END_TEST

START_TEST(config_help_and_version_need_nothing_else)
{
	expect_ok("-h");
	ck_assert(config.help);
	expect_ok("--version");
	ck_assert(config.version);
	expect_ok("-h a b c");
}
END_TEST

START_TEST(config_help_text_fits_a_terminal_and_has_each_option)
{
	static const char *const names[] = {
		"usage: cli", "-s, --server HOST[:PORT]",
		"-a, --address ADDRESS",
		"-p, --port N", "--tun NAME", "--keepalive SECONDS",
		"--no-route", "-v, --verbose", "-q, --quiet", "-h, --help",
		"-V, --version", "Examples:",
	};
	char *text = NULL, *line, *rest;
	size_t size, i;
	FILE *to;

	to = open_memstream(&text, &size);
	ck_assert_ptr_nonnull(to);
	config_print_help(to);
	fclose(to);
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		ck_assert_msg(strstr(text, names[i]) != NULL, "no %s",
			      names[i]);
	rest = text;
	while ((line = strsep(&rest, "\n")) != NULL)
		ck_assert_msg(strlen(line) <= 80, "too wide: %s", line);
	free(text);
}
END_TEST

START_TEST(config_network_options_are_read)
{
	expect_ok("-s h");
	ck_assert(config.dns && !config.default_route &&
		  !config.reject_outside);
	ck_assert_uint_eq(config.own_routes.n + config.own_dns.n, 0);
	expect_ok("-s h --default-route --reject-outside --route 10.6.0.0/16 "
		  "--route=192.0.2.7/32 --dns 10.0.0.53 --no-routes");
	ck_assert(config.default_route && config.reject_outside);
	ck_assert(!config.routes);
	ck_assert_uint_eq(config.own_routes.n, 2);
	ck_assert_uint_eq(config.own_routes.network[1].address, 0xc0000207);
	ck_assert_uint_eq(config.own_routes.network[1].prefix_len, 32);
	ck_assert_uint_eq(config.own_dns.n, 1);
	ck_assert_uint_eq(config.own_dns.address[0], 0x0a000035);
	expect_ok("-s h --no-dns --no-route");
	ck_assert(!config.dns && !config.routes);
}
END_TEST

START_TEST(config_bad_network_options_are_refused)
{
	expect_error("-s h --route 0.0.0.0/0", "prefix length from 1 to 32");
	expect_error("-s h --route 10.0.0.1/16", "10.0.0.0/16");
	expect_error("-s h --dns 0.0.0.0", "--dns");
	expect_error("-s h --dns 224.0.0.1", "--dns: \"224.0.0.1\" found");
	expect_error("-s h --dns 10.0.0.1 --no-dns", "exclude");
}
END_TEST

static Suite *config_suite(void)
{
	Suite *suite = suite_create("cli_config");
	TCase *tcase = tcase_create("cli_config");

	tcase_add_test(tcase, config_server_option_gives_dynamic_and_defaults);
	tcase_add_test(tcase, config_server_argument_gives_dynamic);
	tcase_add_test(tcase, config_static_spellings_mean_the_same);
	tcase_add_test(tcase,
		       config_server_address_as_option_is_no_static_address);
	tcase_add_test(tcase, config_every_option_reaches_its_member);
	tcase_add_test(tcase,
		       config_two_static_addresses_that_differ_are_refused);
	tcase_add_test(tcase,
		       config_argument_with_a_server_option_is_refused);
	tcase_add_test(tcase, config_address_that_no_host_has_is_refused);
	tcase_add_test(tcase, config_without_a_server_is_refused);
	tcase_add_test(tcase, config_wrong_words_are_refused);
	tcase_add_test(tcase, config_host_too_long_is_refused);
	tcase_add_test(tcase, config_help_and_version_need_nothing_else);
	tcase_add_test(tcase,
		       config_help_text_fits_a_terminal_and_has_each_option);
	tcase_add_test(tcase, config_several_servers_stand_in_their_order);
	tcase_add_test(tcase, config_bad_servers_are_refused);
	tcase_add_test(tcase, config_network_options_are_read);
	tcase_add_test(tcase, config_bad_network_options_are_refused);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	SRunner *runner = srunner_create(config_suite());
	int failed;

	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
