/* SPDX-License-Identifier: MIT */
/* Tests of common/options: a table with one option of each kind. */
#include "common/options.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct config {
	bool help, route;
	uint32_t port, address, colour;
	unsigned int verbose;
	char server[OPTIONS_TEXT_LEN], tun[OPTIONS_TEXT_LEN];
	struct option_list listen;
	struct option_network network, bounded;
	struct option_networks routes;
	struct option_ipv4s dns;
	char search[OPTIONS_TEXT_LEN];
};

#define AT(name) offsetof(struct config, name)

enum { SEARCH_ROW = 12 };

static const struct option_def table[] = {
	{ 'p', "port", "N", "TCP port [2002]", &option_u32, AT(port),
	  1, 65535, 0 },
	{ 'l', "listen", "ADDRESS", "listen on this address; repeatable "
	  "[every address, IPv4 and IPv6, each on a socket of its own]",
	  &option_list, AT(listen), 0, 0, 0 },
	{ 0, "network", "CIDR", "the tunnel's network", &option_network,
	  AT(network), 0, 0, 0 },
	{ 0, "bounded", "CIDR", "a network", &option_network,
	  AT(bounded), 8, 30, 0 },
	{ 'a', "address", "ADDRESS", "ask for it", &option_ipv4,
	  AT(address), 0, 0, 0 },
	{ 's', "server", "HOST", "the server", &option_text, AT(server),
	  0, 0, 0 },
	{ 0, "tun", "NAME", "interface", &option_interface, AT(tun),
	  0, 0, 0 },
	{ 0, "no-route", NULL, "add no route", &option_clear, AT(route),
	  0, 0, 0 },
	{ 'v', "verbose", NULL, "say more", &option_count, AT(verbose),
	  0, 0, 0 },
	{ 'h', "help", NULL, "this text", &option_flag, AT(help), 0, 0,
	  OPTION_COMMAND },
	{ 0, "routes", "CIDR", "networks", &option_networks, AT(routes),
	  1, 32, 0 },
	{ 0, "dns", "ADDRESS", "servers", &option_ipv4s, AT(dns), 0, 0, 0 },
	[SEARCH_ROW] =
	{ 0, "search", "DOMAIN", "domain", &option_domain, AT(search),
	  1, 200, 0 },
	{ 0, "colour", "red|green|blue", "which", &option_choice, AT(colour),
	  0, 0, 0 },
	{ 0, "a-rather-long-option-name", "ARGUMENT", "long", &option_text,
	  AT(server), 0, 0, 0 },
};

enum { N_TABLE = sizeof(table) / sizeof(table[0]), MAX_WORDS = 80 };

static char error[OPTIONS_ERROR_LEN];
static struct config config;
static char *words[MAX_WORDS];

/* Parse a command line given as one string. */
static int parse(const char *line)
{
	static char copy[1024];
	char *word, *rest;
	int n = 0;

	snprintf(copy, sizeof(copy), "prog %s", line);
	for (word = strtok_r(copy, " ", &rest); word;
	     word = strtok_r(NULL, " ", &rest))
		words[n++] = word;
	words[n] = NULL;
	memset(&config, 0, sizeof(config));
	config.route = true;
	error[0] = '\0';
	return options_parse(table, N_TABLE, n, words, &config, error);
}

static void check_refused(const char *line, const char *expected)
{
	ck_assert_int_eq(parse(line), -1);
	ck_assert_str_eq(error, expected);
}

START_TEST(options_every_kind_is_stored)
{
	ck_assert_int_eq(parse("-p 80 --listen ::1 -l 127.0.0.1 --network "
			       "10.1.0.0/16 -a 10.0.0.7 --server=h.example "
			       "--tun vpn%d --no-route -vv --help"), 17);
	ck_assert_uint_eq(config.port, 80);
	ck_assert_uint_eq(config.listen.n, 2);
	ck_assert_str_eq(config.listen.text[0], "::1");
	ck_assert_str_eq(config.listen.text[1], "127.0.0.1");
	ck_assert_uint_eq(config.network.address, 0x0a010000);
	ck_assert_uint_eq(config.network.prefix_len, 16);
	ck_assert_uint_eq(config.address, 0x0a000007);
	ck_assert_str_eq(config.server, "h.example");
	ck_assert_str_eq(config.tun, "vpn%d");
	ck_assert_uint_eq(config.verbose, 2);
	ck_assert(config.help);
	ck_assert(!config.route);
}
END_TEST

START_TEST(options_other_words_go_to_the_end)
{
	int first = parse("gateway -s 10.0.0.7 extra");

	ck_assert_int_eq(first, 3);
	ck_assert_str_eq(words[first], "gateway");
	ck_assert_str_eq(words[first + 1], "extra");
	ck_assert_str_eq(config.server, "10.0.0.7");
}
END_TEST

START_TEST(options_double_dash_ends_them)
{
	int first = parse("-v -- -v");

	ck_assert_str_eq(words[first], "-v");
	ck_assert_uint_eq(config.verbose, 1);
}
END_TEST

START_TEST(options_abbreviation_is_understood)
{
	ck_assert_int_eq(parse("--verb --po 5"), 4);
	ck_assert_uint_eq(config.verbose, 1);
	ck_assert_uint_eq(config.port, 5);
}
END_TEST

START_TEST(options_wrong_usage_is_explained)
{
	check_refused("--nonsense", "unknown option \"--nonsense\"");
	check_refused("--nonsense=3 -v", "unknown option \"--nonsense=3\"");
	check_refused("-x", "unknown option \"-x\"");
	check_refused("-vx", "unknown option \"-x\"");
	check_refused("--ne=1 --n", "option --network: \"1\" found, allowed: "
		      "a network such as 10.0.0.0/16");
	check_refused("--n", "option \"--n\" is ambiguous");
	check_refused("--port", "option --port needs a value: N");
	check_refused("-l", "option --listen needs a value: ADDRESS");
	check_refused("--help=yes", "option --help takes no value");
}
END_TEST

START_TEST(options_wrong_value_leaves_configuration)
{
	check_refused("-v -p 0 -h", "option --port: \"0\" found, allowed: "
		      "a number from 1 to 65535");
	ck_assert_uint_eq(config.port, 0);
	ck_assert_uint_eq(config.verbose, 1);
	ck_assert(!config.help);
}
END_TEST

START_TEST(options_endless_value_fits_the_error)
{
	char line[900] = "-p ";

	memset(line + 3, '9', sizeof(line) - 4);
	ck_assert_int_eq(parse(line), -1);
	ck_assert_uint_lt(strlen(error), OPTIONS_ERROR_LEN);
	ck_assert_ptr_nonnull(strstr(error, "1 to 65535"));
	memset(line, '-', 3);
	ck_assert_int_eq(parse(line), -1);
	ck_assert_uint_lt(strlen(error), OPTIONS_ERROR_LEN);
}
END_TEST

START_TEST(options_full_list_is_refused)
{
	char line[200] = "";
	int i;

	for (i = 0; i < OPTIONS_MAX_LIST; i++)
		strcat(line, "-l a ");
	ck_assert_int_gt(parse(line), 0);
	ck_assert_uint_eq(config.listen.n, OPTIONS_MAX_LIST);
	strcat(line, "-l b");
	check_refused(line, "option --listen: \"b\" found, allowed: "
		      "at most 16 of this option");
}
END_TEST

START_TEST(options_lists_of_networks_and_addresses_have_none_twice)
{
	char line[1000] = "", one[40];
	int i;

	ck_assert_int_gt(parse("--routes 10.0.0.0/8 --routes 10.0.0.0/9 "
			       "--dns 10.0.0.1 --dns 10.0.0.2"), 0);
	ck_assert_uint_eq(config.routes.n, 2);
	ck_assert_uint_eq(config.routes.network[1].prefix_len, 9);
	ck_assert_uint_eq(config.dns.n, 2);
	ck_assert_uint_eq(config.dns.address[1], 0x0a000002);
	check_refused("--routes 10.0.0.0/8 --routes 10.0.0.0/8",
		      "option --routes: \"10.0.0.0/8\" found, allowed: "
		      "each of them once");
	check_refused("--dns 10.0.0.1 --dns 10.0.0.1", "option --dns: "
		      "\"10.0.0.1\" found, allowed: each of them once");
	check_refused("--dns 1.1.1.1 --dns 1.1.1.2 --dns 1.1.1.3 "
		      "--dns 1.1.1.4 --dns 1.1.1.5", "option --dns: "
		      "\"1.1.1.5\" found, allowed: at most 4 of this option");
	for (i = 0; i <= OPTIONS_MAX_NETWORKS; i++) {
		snprintf(one, sizeof(one), "--routes 10.%d.0.0/16 ", i);
		ck_assert_int_eq(parse(line) < 0, 0);
		strcat(line, one);
	}
	check_refused(line, "option --routes: \"10.32.0.0/16\" found, "
		      "allowed: at most 32 of this option");
}
END_TEST

START_TEST(option_read_domain_takes_names_alone)
{
	static const char *const wrong[] = {
		"", ".", "a.", ".a", "a..b", "-a", "a-", "a.-b", "a b", "a/b",
		"a_b", "a\nb", "a;b", "$(a)", "\303\244",
		("a23456789012345678901234567890123456789012345678901234567890"
		"1234"),
	};
	char long_name[210];
	size_t i;

	ck_assert_int_gt(parse("--search example.org"), 0);
	ck_assert_str_eq(config.search, "example.org");
	ck_assert_int_gt(parse("--search x--y.1a"), 0);
	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		ck_assert_msg(!option_domain.read(&table[SEARCH_ROW], wrong[i],
						  &config, error),
			      "\"%s\" was taken", wrong[i]);
	ck_assert_str_eq(config.search, "x--y.1a");
	for (i = 0; i < sizeof(long_name); i++)
		long_name[i] = i % 2 ? '.' : 'a';
	long_name[201] = '\0';
	ck_assert(!option_domain.read(&table[SEARCH_ROW], long_name, &config,
				      error));
	long_name[199] = '\0';
	ck_assert(option_domain.read(&table[SEARCH_ROW], long_name, &config,
				     error));
}
END_TEST

START_TEST(option_number_takes_digits_alone)
{
	static const char *const wrong[] = {
		"", " 1", "1 ", "+1", "-1", "0x10", "1.0", "1e3", "11",
		"9223372036854775808", "99999999999999999999",
	};
	int64_t value = 77;
	size_t i;

	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		ck_assert_msg(!option_number(wrong[i], 0, 10, &value),
			      "\"%s\" was taken", wrong[i]);
	ck_assert_int_eq(value, 77);
	ck_assert(!option_number("9223372036854775808", 0, INT64_MAX, &value));
	ck_assert(option_number("9223372036854775807", 0, INT64_MAX, &value));
	ck_assert_int_eq(value, INT64_MAX);
	ck_assert(option_number("10", 10, 10, &value));
	ck_assert_int_eq(value, 10);
}
END_TEST

START_TEST(option_read_ipv4_wants_a_dotted_quad)
{
	ck_assert_int_eq(parse("-a 255.255.255.255"), 3);
	ck_assert_uint_eq(config.address, 0xffffffff);
	ck_assert_int_eq(parse("-a 10.1"), -1);
	ck_assert_int_eq(parse("-a 10.0.0.256"), -1);
	ck_assert_int_eq(parse("-a 10.0.0.1/8"), -1);
	check_refused("-a ::1", "option --address: \"::1\" found, allowed: "
		      "an IPv4 address such as 10.0.0.7");
}
END_TEST

START_TEST(option_read_network_wants_host_bits_zero)
{
	check_refused("--network 10.0.3.1/16",
		      "option --network: \"10.0.3.1/16\" found, allowed: "
		      "a network, host bits 0, as in 10.0.0.0/16");
	ck_assert_int_eq(parse("--network 0.0.0.0/0"), 3);
	ck_assert_int_eq(parse("--network 1.0.0.0/0"), -1);
	ck_assert_int_eq(parse("--network 10.0.0.7/32"), 3);
	ck_assert_uint_eq(config.network.prefix_len, 32);
	ck_assert_int_eq(parse("--network 10.0.0.0/33"), -1);
	ck_assert_int_eq(parse("--network 10.0.0.0/"), -1);
	ck_assert_int_eq(parse("--network 10.0.0.0"), -1);
	ck_assert_int_eq(parse("--network /16"), -1);
	ck_assert_int_eq(parse("--network 100000000.0.0.0000/16"), -1);
}
END_TEST

START_TEST(option_read_network_bounds_the_prefix)
{
	ck_assert_int_eq(parse("--bounded 10.0.0.0/8"), 3);
	ck_assert_int_eq(parse("--bounded 10.0.0.0/30"), 3);
	ck_assert_int_eq(parse("--bounded 10.0.0.0/31"), -1);
	check_refused("--bounded 0.0.0.0/7",
		      "option --bounded: \"0.0.0.0/7\" found, allowed: "
		      "a network such as 10.0.0.0/16, its prefix length "
		      "from 8 to 30");
}
END_TEST

static bool is_taken(const char *name)
{
	char allowed[OPTIONS_ERROR_LEN];

	return option_interface.read(&table[6], name, &config, allowed);
}

START_TEST(option_read_interface_takes_what_the_kernel_takes)
{
	ck_assert(is_taken("tun0"));
	ck_assert(is_taken("tun%d"));
	ck_assert(is_taken("fifteen-letters"));
	ck_assert_str_eq(config.tun, "fifteen-letters");
	ck_assert(!is_taken(""));
	ck_assert(!is_taken("sixteen--letters"));
	ck_assert(!is_taken("a/b"));
	ck_assert(!is_taken("a b"));
	ck_assert(!is_taken("a\tb"));
	ck_assert(!is_taken("a:b"));
	ck_assert(!is_taken("."));
	ck_assert(!is_taken(".."));
	ck_assert(!is_taken("tun%"));
	ck_assert(!is_taken("tun%s"));
	ck_assert(!is_taken("t%d%d"));
	ck_assert_str_eq(config.tun, "fifteen-letters");
}
END_TEST

START_TEST(option_read_text_has_a_limit)
{
	char text[OPTIONS_TEXT_LEN + 1], allowed[OPTIONS_ERROR_LEN];

	memset(text, 'x', sizeof(text));
	text[OPTIONS_TEXT_LEN] = '\0';
	ck_assert(!option_text.read(&table[5], text, &config, allowed));
	ck_assert(!option_list.read(&table[1], text, &config, allowed));
	ck_assert_str_eq(allowed, "1 to 255 characters");
	ck_assert(!option_text.read(&table[5], "", &config, allowed));
	text[OPTIONS_TEXT_LEN - 1] = '\0';
	ck_assert(option_text.read(&table[5], text, &config, allowed));
	ck_assert_str_eq(config.server, text);
}
END_TEST

/* Read a file of this text into a fresh configuration. */
static bool read_file(const char *text, size_t len)
{
	char path[] = "/tmp/test_options.XXXXXX";
	char *name;
	int fd = mkstemp(path);
	bool good;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, len), (ssize_t)len);
	close(fd);
	memset(&config, 0, sizeof(config));
	config.route = true;
	error[0] = '\0';
	good = options_read_file(table, N_TABLE, path, &config, error);
	unlink(path);
	/* What remains is independent of the file's name. */
	name = strstr(error, path);
	if (name)
		memmove(name, name + strlen(path),
			strlen(name + strlen(path)) + 1);
	return good;
}

static void check_file_refused(const char *text, const char *expected)
{
	ck_assert(!read_file(text, strlen(text)));
	ck_assert_str_eq(error, expected);
}

START_TEST(options_file_sets_every_kind)
{
	static const char text[] =
		"# a comment\n\n"
		"port=80\n"
		"\tlisten = ::1   # one\r\n"
		"listen = 127.0.0.1\n"
		"network = 10.1.0.0/16\naddress = 10.0.0.7\n"
		"server = a#b = c\nno-route = yes\nverbose = 2";

	ck_assert_msg(read_file(text, strlen(text)), "%s", error);
	ck_assert_uint_eq(config.port, 80);
	ck_assert_uint_eq(config.listen.n, 2);
	ck_assert_str_eq(config.listen.text[0], "::1");
	ck_assert_str_eq(config.listen.text[1], "127.0.0.1");
	ck_assert_uint_eq(config.network.address, 0x0a010000);
	ck_assert_uint_eq(config.address, 0x0a000007);
	ck_assert_str_eq(config.server, "a#b = c");
	ck_assert(!config.route);
	ck_assert_uint_eq(config.verbose, 2);
}
END_TEST

START_TEST(options_file_error_names_line_and_what_is_allowed)
{
	static const char zero[] = "port = 80\nport = 8\0" "1\n";

	check_file_refused("port = 80\nport = 99999\n", ":2: port: \"99999\" "
			   "found, allowed: a number from 1 to 65535");
	check_file_refused("ports = 80", ":1: unknown key \"ports\"");
	check_file_refused("\n\nhelp = yes", ":3: unknown key \"help\"");
	check_file_refused("port", ":1: \"port\" found, allowed: key = value, "
			   "or a comment after #");
	check_file_refused("no-route = maybe", ":1: no-route: \"maybe\" found, "
			   "allowed: yes or no");
	check_file_refused("server =", ":1: server: \"\" found, allowed: 1 to "
			   "255 characters");
	ck_assert(!read_file(zero, sizeof(zero) - 1));
	ck_assert_str_eq(error, ":2: a zero byte found, allowed: text");
}
END_TEST

START_TEST(options_file_that_is_missing_or_a_directory_is_refused)
{
	ck_assert(!options_read_file(table, N_TABLE, "/nonexistent/file",
				     &config, error));
	ck_assert_str_eq(error, "cannot open /nonexistent/file: No such file "
			 "or directory");
	ck_assert(!options_read_file(table, N_TABLE, "/", &config, error));
	ck_assert_str_eq(error, "/:0: cannot be read: Is a directory");
}
END_TEST

/* What is printed, uncommented, is read back to the same. */
START_TEST(options_file_as_printed_is_read_back)
{
	struct config before;
	char *text = NULL, *p;
	size_t size, i;
	FILE *to;

	ck_assert_int_ge(parse("-p 80 -l ::1 -l 127.0.0.1 --network "
			       "10.1.0.0/16 --bounded 10.0.0.0/8 -a 10.0.0.7 "
			       "-s h.example --tun tun%d --no-route -vv "
			       "--routes 10.0.0.0/8 --routes 10.0.0.0/9 "
			       "--dns 10.0.0.1 --search example.org"), 0);
	before = config;
	to = open_memstream(&text, &size);
	options_print_file(table, N_TABLE, &config, to);
	fclose(to);
	for (p = text; *p; p++)
		if (*p == '#' && p[1] != ' ')
			*p = ' ';
	ck_assert_msg(read_file(text, size), "%s in\n%s", error, text);
	for (i = 0; i < N_TABLE; i++)
		ck_assert(options_equal(&table[i], &before, &config));
	config.listen.n = 1;
	ck_assert(!options_equal(&table[1], &before, &config));
	config.listen.n = 2;
	strcpy(config.listen.text[1], "127.0.0.2");
	ck_assert(!options_equal(&table[1], &before, &config));
	free(text);
}
END_TEST

START_TEST(options_flag_can_be_taken_back)
{
	ck_assert_int_ge(parse("--no-route --no-route=no"), 0);
	ck_assert(config.route);
	check_refused("--no-route=0",
		      "option --no-route: \"0\" found, allowed: "
		      "yes or no");
}
END_TEST

START_TEST(options_print_is_aligned_within_80_columns)
{
	static const struct option_def long_name = {
		0, "a-rather-long-option-name", "ARGUMENT", "long",
		&option_text, 0, 0, 0, 0,
	};
	struct option_def some[3] = { table[0], table[1], long_name };
	size_t size;
	char *text;
	FILE *file;

	file = open_memstream(&text, &size);
	options_print(some, 3, NULL, file);
	fclose(file);
	ck_assert_str_eq(text,
"  -p, --port N          TCP port [2002]\n"
"  -l, --listen ADDRESS  listen on this address; repeatable [every address, "
"IPv4\n"
"                        and IPv6, each on a socket of its own]\n"
"      --a-rather-long-option-name ARGUMENT\n"
"                        long\n");
	free(text);
}
END_TEST

START_TEST(options_print_has_titles_where_groups_begin)
{
	static const struct option_group groups[] = {
		{ "port", "One" }, { "listen", "Two" }, { NULL, NULL },
	};
	size_t size;
	char *text;
	FILE *file;

	file = open_memstream(&text, &size);
	options_print(table, 2, groups, file);
	fclose(file);
	ck_assert_ptr_eq(strstr(text, "\nOne:\n  -p, --port N"), text);
	ck_assert_ptr_nonnull(strstr(text, "\n\nTwo:\n  -l, --listen"));
	free(text);
}
END_TEST

START_TEST(options_choice_is_one_of_the_words)
{
	char text[OPTIONS_TEXT_LEN];
	const struct option_def *def = table;

	while (strcmp(def->name, "colour"))
		def++;
	ck_assert_int_ge(parse(""), 0);
	ck_assert_uint_eq(config.colour, 0);
	ck_assert_int_ge(parse("--colour green"), 0);
	ck_assert_uint_eq(config.colour, 1);
	ck_assert(def->type->write(def, &config, 0, text, sizeof(text)));
	ck_assert_str_eq(text, "green");
	ck_assert(!def->type->write(def, &config, 1, text, sizeof(text)));
	ck_assert_int_ge(parse("--colour=blue"), 0);
	ck_assert_uint_eq(config.colour, 2);
	check_refused("--colour gre", "option --colour: \"gre\" found, "
		      "allowed: red|green|blue");
	check_refused("--colour red|green", "option --colour: \"red|green\" "
		      "found, allowed: red|green|blue");
	check_refused("--colour=", "option --colour: \"\" found, allowed: "
		      "red|green|blue");
}
END_TEST

static Suite *options_suite(void)
{
	Suite *suite = suite_create("options");
	TCase *tcase = tcase_create("options");

	tcase_add_test(tcase, options_every_kind_is_stored);
	tcase_add_test(tcase, options_other_words_go_to_the_end);
	tcase_add_test(tcase, options_double_dash_ends_them);
	tcase_add_test(tcase, options_abbreviation_is_understood);
	tcase_add_test(tcase, options_file_sets_every_kind);
	tcase_add_test(tcase,
		       options_file_error_names_line_and_what_is_allowed);
	tcase_add_test(tcase,
		       options_file_that_is_missing_or_a_directory_is_refused);
	tcase_add_test(tcase, options_file_as_printed_is_read_back);
	tcase_add_test(tcase, options_flag_can_be_taken_back);
	tcase_add_test(tcase, options_wrong_usage_is_explained);
	tcase_add_test(tcase, options_wrong_value_leaves_configuration);
	tcase_add_test(tcase, options_endless_value_fits_the_error);
	tcase_add_test(tcase, options_full_list_is_refused);
	tcase_add_test(tcase,
		       options_lists_of_networks_and_addresses_have_none_twice);
	tcase_add_test(tcase, option_read_domain_takes_names_alone);
	tcase_add_test(tcase, option_number_takes_digits_alone);
	tcase_add_test(tcase, option_read_ipv4_wants_a_dotted_quad);
	tcase_add_test(tcase, option_read_network_wants_host_bits_zero);
	tcase_add_test(tcase, option_read_network_bounds_the_prefix);
	tcase_add_test(tcase,
		       option_read_interface_takes_what_the_kernel_takes);
	tcase_add_test(tcase, option_read_text_has_a_limit);
	tcase_add_test(tcase, options_print_is_aligned_within_80_columns);
	tcase_add_test(tcase, options_print_has_titles_where_groups_begin);
	tcase_add_test(tcase, options_choice_is_one_of_the_words);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	SRunner *runner = srunner_create(options_suite());
	int n_failed;

	srunner_run_all(runner, CK_ENV);
	n_failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return n_failed ? 1 : 0;
}
