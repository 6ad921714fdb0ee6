/* SPDX-License-Identifier: MIT */
/* Tests of the status page: with no client, with many, and with a search. */
#include "server/status_page.h"

#include <arpa/inet.h>
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "server/join.h"
#include "server/view.h"

enum { MANY = 15000, LARGEST_PAGE = 160 * 1024 };

static struct client_view clients[MANY];
static struct server_view view;
static struct status_query query;
static char *page;
static size_t len;

/* What the page wants of parts that this test has no use for. */
void join_address_text(uint32_t address, char text[JOIN_TEXT_LEN])
{
	struct in_addr in = { htonl(address) };

	inet_ntop(AF_INET, &in, text, JOIN_TEXT_LEN);
}

uint64_t view_drops(const struct view_counters *counters)
{
	return counters->drops[DROP_TOO_BIG];
}

static void set_up(void)
{
	uint32_t i;

	view = (struct server_view){ .version = "0", .port = 2002,
				     .client = clients, .prefix_len = 16 };
	query = (struct status_query){ .page = 1 };
	memset(clients, 0, sizeof(clients));
	for (i = 0; i < MANY; i++) {
		clients[i].address = 0x0a000002 + i;
		strcpy(clients[i].peer, "192.0.2.1:4711");
		clients[i].counters.rx_bytes = i;
	}
}

static void tear_down(void)
{
	free(page);
	page = NULL;
}

static void show(size_t n_clients)
{
	FILE *out = open_memstream(&page, &len);

	ck_assert_ptr_nonnull(out);
	view.n_clients = n_clients;
	view.clients = (uint32_t)n_clients;
	status_page_write(out, &view, NULL, 0, &query);
	fclose(out);
}

static void check_has(const char *part)
{
	ck_assert_msg(strstr(page, part) != NULL, "no %s", part);
}

static void check_lacks(const char *part)
{
	ck_assert_msg(strstr(page, part) == NULL, "there is %s", part);
}

START_TEST(status_page_without_clients_says_so)
{
	show(0);
	check_has("Nobody is connected.");
	check_lacks("client-table");
	check_has("<title>simplevpn: 0 clients</title>");
}
END_TEST

START_TEST(status_page_of_15000_clients_shows_those_with_most_traffic)
{
	show(MANY);
	check_has("1 to 200 of 15,000 clients, most traffic first.");
	check_has("<th scope=\"row\">10.0.58.153</th>");	/* the last */
	check_lacks("<th scope=\"row\">10.0.0.2</th>");
	check_has("page 1 of 75");
	check_has("<a href=\"?q=&amp;page=2\">next</a>");
	check_lacks("previous");
	ck_assert_uint_lt(len, LARGEST_PAGE);
}
END_TEST

START_TEST(status_page_after_the_last_is_the_last)
{
	query.page = UINT32_MAX;
	show(401);
	check_has("401 to 401 of 401 clients");
	check_has("<th scope=\"row\">10.0.0.2</th>");
	check_has(">previous</a>");
	check_lacks(">next</a>");
}
END_TEST

START_TEST(status_page_search_finds_addresses_and_peers)
{
	strcpy(clients[7].peer, "[2001:db8::7]:1");
	strcpy(query.search, "db8::7");
	show(MANY);
	check_has("1 of 15,000 clients");
	check_has("<th scope=\"row\">10.0.0.9</th>");
	strcpy(query.search, "10.0.0.8");
	free(page);
	show(100);
	check_has("11 of 100 clients");		/* .8 and .80 to .89 */
}
END_TEST

START_TEST(status_page_escapes_what_was_searched_for)
{
	strcpy(query.search, "\"><script>x</script>");
	show(3);
	check_lacks("<script>x");
	check_has("value=\"&quot;&gt;&lt;script&gt;x");
	check_has("None of 3 clients");
}
END_TEST

START_TEST(status_page_escapes_peer_and_interface)
{
	strcpy(clients[0].peer, "[fe80::1%<img>]:1");
	view.tun = "<i>";
	show(1);
	check_lacks("<img>");
	check_lacks("<i>");
	check_has("[fe80::1%&lt;img&gt;]:1");
}
END_TEST

static Suite *status_page_suite(void)
{
	Suite *suite = suite_create("status_page");
	TCase *tc = tcase_create("status_page");

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, status_page_without_clients_says_so);
	tcase_add_test(tc,
		status_page_of_15000_clients_shows_those_with_most_traffic);
	tcase_add_test(tc, status_page_after_the_last_is_the_last);
	tcase_add_test(tc, status_page_search_finds_addresses_and_peers);
	tcase_add_test(tc, status_page_escapes_what_was_searched_for);
	tcase_add_test(tc, status_page_escapes_peer_and_interface);
	suite_add_tcase(suite, tc);
	return suite;
}

int main(void)
{
	SRunner *runner = srunner_create(status_page_suite());
	int failed;

	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
