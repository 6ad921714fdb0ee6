/* SPDX-License-Identifier: MIT */
/* Tests of server/config: defaults, options, and what is refused. */
#include "server/config.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_ARGS = 24 };

static struct server_config config;
static char error[OPTIONS_ERROR_LEN];

/* Parse a command line given as one string. */
static bool parse(const char *line)
{
	static char words[1024];
	char *argv[MAX_ARGS + 1] = { "srv" }, *word;
	int argc = 1;

	strcpy(words, line);
	for (word = strtok(words, " "); word; word = strtok(NULL, " ")) {
		ck_assert_int_lt(argc, MAX_ARGS);
		argv[argc++] = word;
	}
	error[0] = '\0';
	return config_read(&config, argc, argv, error);
}

static void check_refused(const char *line, const char *part)
{
	ck_assert_msg(!parse(line), "\"%s\" was taken", line);
	ck_assert_msg(strstr(error, part), "\"%s\" does not say \"%s\"", error,
		      part);
	ck_assert_ptr_null(strchr(error, '\n'));
}

START_TEST(config_without_options_has_the_defaults)
{
	ck_assert(parse(""));
	ck_assert_uint_eq(config.port, 2002);
	ck_assert_uint_eq(config.listen.n, 0);
	ck_assert_uint_eq(config.network.address, 0x0a000000);
	ck_assert_uint_eq(config.network.prefix_len, 16);
	ck_assert_str_eq(config.tun, "tun%d");
	ck_assert(!config.no_tun);
	ck_assert_uint_eq(config.mtu, 1500);
	ck_assert_uint_eq(config.idle_timeout_s, 60);
	ck_assert_uint_eq(config.max_clients, 0);
	ck_assert_uint_eq(config.verbose, 0);
	ck_assert(!config.quiet && !config.help && !config.version);
}
END_TEST

START_TEST(config_long_options_are_read)
{
	ck_assert(parse("--port 4000 --listen 192.0.2.1 --listen ::1 "
			"--network 192.168.8.0/24 --tun vpn0 --mtu 9000 "
			"--idle-timeout 300 --max-clients 7 --verbose"));
	ck_assert_uint_eq(config.port, 4000);
	ck_assert_uint_eq(config.listen.n, 2);
	ck_assert_str_eq(config.listen.text[0], "192.0.2.1");
	ck_assert_str_eq(config.listen.text[1], "::1");
	ck_assert_uint_eq(config.network.address, 0xc0a80800);
	ck_assert_uint_eq(config.network.prefix_len, 24);
	ck_assert_str_eq(config.tun, "vpn0");
	ck_assert_uint_eq(config.mtu, 9000);
	ck_assert_uint_eq(config.idle_timeout_s, 300);
	ck_assert_uint_eq(config.max_clients, 7);
	ck_assert_uint_eq(config.verbose, 1);
}
END_TEST

START_TEST(config_short_options_are_read)
{
	ck_assert(parse("-p 4000 -l 192.0.2.1 -q"));
	ck_assert_uint_eq(config.port, 4000);
	ck_assert_str_eq(config.listen.text[0], "192.0.2.1");
	ck_assert(config.quiet);
	ck_assert(parse("-vv --no-tun"));
	ck_assert_uint_eq(config.verbose, 2);
	ck_assert(config.no_tun);
	ck_assert(!config.quiet);
}
END_TEST

START_TEST(config_help_and_version_are_not_held_up)
{
	ck_assert(parse("-h surplus"));
	ck_assert(config.help);
	ck_assert(parse("--version -v -q"));
	ck_assert(config.version);
}
END_TEST

START_TEST(config_numbers_have_their_bounds)
{
	ck_assert(parse("-p 1 --mtu 576 --idle-timeout 2 --max-clients 1"));
	ck_assert(parse("-p 65535 --mtu 65535 --idle-timeout 65535"));
	check_refused("-p 0", "port");
	check_refused("-p 65536", "65535");
	check_refused("-p 20x", "port");
	check_refused("--mtu 575", "mtu");
	check_refused("--mtu 65536", "mtu");
	check_refused("--idle-timeout 1", "idle-timeout");
	check_refused("--idle-timeout 65536", "idle-timeout");
	check_refused("--max-clients x", "max-clients");
	ck_assert(parse("--max-clients 0"));
	check_refused("--max-clients 4294967296", "max-clients");
}
END_TEST

START_TEST(config_pushes_are_read)
{
	ck_assert(parse("--push-route 198.51.100.0/24 --push-route 10.0.0.0/8 "
			"--push-dns 10.0.0.1 --push-dns 192.0.2.53 "
			"--push-search example.org"));
	ck_assert_uint_eq(config.push_routes.n, 2);
	ck_assert_uint_eq(config.push_routes.network[1].address, 0x0a000000);
	ck_assert_uint_eq(config.push_routes.network[1].prefix_len, 8);
	ck_assert_uint_eq(config.push_dns.n, 2);
	ck_assert_uint_eq(config.push_dns.address[1], 0xc0000235);
	ck_assert_str_eq(config.push_search, "example.org");
}
END_TEST

START_TEST(config_pushes_that_clients_cannot_use_are_refused)
{
	check_refused("--push-route 0.0.0.0/0", "push-route");
	check_refused("--push-route 0.0.0.0/0", "from 1 to 32");
	check_refused("--push-route 0.0.0.0/1", "0.0.0.0");
	check_refused("--push-route 127.0.0.0/8", "without hosts");
	check_refused("--push-route 224.0.0.0/4", "without hosts");
	check_refused("--push-route 198.51.100.1/24", "198.51.100.0/24");
	check_refused("--push-route 10.0.0.0/16", "tunnel's network");
	check_refused("--push-route 10.0.3.0/24", "10.0.3.0");
	ck_assert(parse("--push-route 10.0.3.0/24 --network 10.1.0.0/16"));
	check_refused("--push-dns 127.0.0.53", "push-dns");
	check_refused("--push-dns 0.0.0.0", "host");
	check_refused("--push-dns 224.0.0.251", "host");
	check_refused("--push-dns example.org", "IPv4 address");
	check_refused("--push-search -x.org", "domain");
}
END_TEST

START_TEST(config_network_has_room_for_clients)
{
	ck_assert(parse("--network 10.0.0.0/8"));
	ck_assert(parse("--network 192.0.2.4/30"));
	check_refused("--network 10.0.0.0/7", "--network");
	check_refused("--network 192.0.2.4/31", "--network");
	check_refused("--network 192.0.2.4/32", "/30");
	check_refused("--network 0.0.0.0/0", "/8");
	check_refused("--network 10.0.0.1/16", "network");
	check_refused("--network 10.0.0.0", "network");
	check_refused("--network ten", "network");
	check_refused("--network 127.0.0.0/8", "--network");
	check_refused("--network 224.0.0.0/16", "--network");
}
END_TEST

START_TEST(config_wrong_usage_is_one_clear_line)
{
	check_refused("surplus", "surplus");
	check_refused("--no-such-option", "no-such-option");
	check_refused("-p", "p");
	check_refused("--tun a/b", "tun");
	check_refused("--tun name-that-is-too-long", "tun");
	check_refused("-v -q", "--quiet");
}
END_TEST

START_TEST(config_help_names_every_option)
{
	static const char *const names[] = {
		"-p", "--port", "-l", "--listen", "--network", "--tun",
		"--no-tun", "--mtu", "--idle-timeout", "--max-clients", "-v",
		"--verbose", "-q", "--quiet", "-h", "--help", "-V",
		"--version", "2002", "10.0.0.0/16", "1500", "60",
	};
	char *text = NULL;
	size_t len, i;
	FILE *to = open_memstream(&text, &len);

	ck_assert_ptr_nonnull(to);
	config_print_help(to);
	fclose(to);
	ck_assert_int_eq(strncmp(text, "usage: srv ", 11), 0);
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		ck_assert_msg(strstr(text, names[i]), "no %s", names[i]);
	free(text);
}
END_TEST

START_TEST(config_control_socket_has_a_path_that_fits)
{
	char line[200] = "--control /";

	ck_assert(parse("--port 2002"));
	ck_assert_str_eq(config.control, "/run/simplevpn/srv.sock");
	memset(line + strlen(line), 'a', 106);
	ck_assert(parse(line));
	strcat(line, "a");
	check_refused(line, "107");
	check_refused("--control", "control");
}
END_TEST

START_TEST(config_metrics_take_an_address_and_a_port)
{
	ck_assert(parse(""));
	ck_assert_uint_eq(config.metrics.port, 0);
	ck_assert(parse("--metrics 192.0.2.1:9100"));
	ck_assert_str_eq(config.metrics.host, "192.0.2.1");
	ck_assert_uint_eq(config.metrics.port, 9100);
	ck_assert(parse("--metrics [2001:db8::1]:65535"));
	ck_assert_str_eq(config.metrics.host, "2001:db8::1");
	ck_assert_uint_eq(config.metrics.port, 65535);
}
END_TEST

START_TEST(config_metrics_port_alone_is_loopback)
{
	ck_assert(parse("--metrics 9100"));
	ck_assert_str_eq(config.metrics.host, "127.0.0.1");
	ck_assert_uint_eq(config.metrics.port, 9100);
}
END_TEST

START_TEST(config_metrics_that_are_no_address_are_refused)
{
	static const char *const bad[] = {
		"0", "65536", "x", "-1", "192.0.2.1", "192.0.2.1:", ":9100",
		"192.0.2.1:0", "192.0.2.1:65536", "192.0.2.1:91x",
		"192.0.2:9100", "localhost:9100", "[]:9100", "[::1]", "::1",
		"[::1]9100", "[192.0.2.1]:9100", "[::1:9100", "*:9100",
		"[0000:0000:0000:0000:0000:0000:0000:0000:0000:0000]:1",
	};
	char line[120];
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(line, sizeof(line), "--metrics %s", bad[i]);
		check_refused(line, "[::1]:9100");
	}
}
END_TEST

static Suite *config_suite(void)
{
	Suite *suite = suite_create("server_config");
	TCase *tc = tcase_create("server_config");

	tcase_add_test(tc, config_without_options_has_the_defaults);
	tcase_add_test(tc, config_long_options_are_read);
	tcase_add_test(tc, config_short_options_are_read);
	tcase_add_test(tc, config_help_and_version_are_not_held_up);
	tcase_add_test(tc, config_numbers_have_their_bounds);
	tcase_add_test(tc, config_pushes_are_read);
	tcase_add_test(tc, config_pushes_that_clients_cannot_use_are_refused);
	tcase_add_test(tc, config_network_has_room_for_clients);
	tcase_add_test(tc, config_wrong_usage_is_one_clear_line);
	tcase_add_test(tc, config_help_names_every_option);
	tcase_add_test(tc, config_control_socket_has_a_path_that_fits);
	tcase_add_test(tc, config_metrics_take_an_address_and_a_port);
	tcase_add_test(tc, config_metrics_port_alone_is_loopback);
	tcase_add_test(tc, config_metrics_that_are_no_address_are_refused);
	suite_add_tcase(suite, tc);
	return suite;
}

int main(void)
{
	SRunner *runner = srunner_create(config_suite());
	int failed;

	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
