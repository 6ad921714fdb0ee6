/* SPDX-License-Identifier: MIT */
/* cli's status, asked for at its control socket. */
#include "client/status.h"

#include <check.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "client/counters.h"
#include "client/facts.h"
#include "common/clock.h"
#include "common/control.h"
#include "common/exit.h"
#include "common/log.h"

static char directory[32], path[64], error[CONTROL_ERROR_LEN];
static struct option_list servers = { .n = 1, .text = { "vpn.example" } };
static struct counters counters;
static struct status *status;
static struct facts facts;
static char *text;

static void set_up(void)
{
	sigset_t mask;

	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR2);
	pthread_sigmask(SIG_BLOCK, &mask, NULL);
	log_init("test", LOG_LEVEL_ERROR);
	strcpy(directory, "/tmp/test_status.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/sock", directory);
	memset(&facts, 0, sizeof(facts));
	strcpy(facts.server, "vpn.example");
	strcpy(facts.peer, "192.0.2.1:2002");
	facts.address = 0x0a000007;
	facts.prefix_len = 16;
	facts.mtu = 1400;
	status = status_new("tun7", &servers);
	ck_assert_ptr_nonnull(status);
	ck_assert(status_serve(status, path));
}

static void tear_down(void)
{
	status_free(status);
	ck_assert_int_ne(access(path, F_OK), 0);
	rmdir(directory);
	free(text);
	text = NULL;
}

static void *ask(void *request)
{
	size_t len;
	FILE *out = open_memstream(&text, &len);
	int code = control_ask(path, request, out, error);

	fclose(out);
	return code == EXIT_OK ? text : NULL;
}

/* Ask while this thread samples, as the main thread of cli does. */
static const char *answer(const char *request)
{
	const struct timespec slice = { .tv_nsec = 10000000 };
	sigset_t mask;
	pthread_t asker;
	void *result;

	free(text);
	text = NULL;
	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR2);
	ck_assert_int_eq(pthread_create(&asker, NULL, ask,
					(void *)(uintptr_t)request), 0);
	while (pthread_tryjoin_np(asker, &result) != 0)
		if (sigtimedwait(&mask, NULL, &slice) == SIGUSR2)
			status_sample(status, &counters, -1);
	ck_assert_ptr_nonnull(result);
	return result;
}

static void expect(const char *request, const char *part)
{
	const char *got = answer(request);

	ck_assert_msg(strstr(got, part) != NULL, "'%s' lacks '%s'", got, part);
}

START_TEST(status_counters_are_those_of_the_moment)
{
	counters.rx_packets = 1;
	status_connected(status, &facts);
	expect("status", "received    0 B in 1 packet\n");
	counters.rx_packets = 1234;
	counters.drops[DROP_STALE] = 5;
	expect("status", "in 1,234 packets\n");
	expect("status", "dropped     5: stale 5\n");
	expect("status json", "\"rx_packets\":1234,");
	expect("status json", "\"stale\":5,");
}
END_TEST

START_TEST(status_every_state_is_shown)
{
	expect("status", "tun7: not connected for 0 s\n");
	status_connecting(status, "vpn.example");
	expect("status", "next try    vpn.example, going on now\n");
	expect("status json", "\"state\":\"connecting\"");
	expect("status json", "\"address\":null,");
	status_connected(status, &facts);
	expect("status", "tun7: connected for 0 s\n");
	expect("status", "server      vpn.example (192.0.2.1:2002)\n");
	expect("status", "address     10.0.0.7/16, mtu 1400\n");
	expect("status json", "\"next_try_ms\":null,");
	facts.dns[facts.n_dns++] = 0x0a000001;
	status_connected(status, &facts);
	expect("status", "DNS         10.0.0.1\n");
	facts.dns_unused = true;
	status_connected(status, &facts);
	expect("status", "DNS         10.0.0.1; not used: --no-dns\n");
	status_waiting(status, "it rains", "b.example",
		       clock_now_ms() + 3600000);
	expect("status", "not connected for 0 s: it rains\n");
	expect("status", "next try    b.example, in 3599.");
	expect("status json", "\"why\":\"it rains\",");
	expect("status json", "\"peer\":null,");
}
END_TEST

START_TEST(status_what_a_server_says_moves_no_cursor)
{
	status_waiting(status, "no\x1b[2J\n\xff\x7f.", "b", clock_now_ms());
	expect("status", ": no?[2J???.\n");
	ck_assert_ptr_null(strchr(text, '\x1b'));
	expect("status json", "\"why\":\"no?[2J???.\",");
}
END_TEST

START_TEST(status_busy_main_thread_delays_and_no_more)
{
	uint64_t start_ms = clock_now_ms();

	status_connected(status, &facts);
	ck_assert_ptr_nonnull(ask((char []){ "status" }));
	ck_assert_ptr_nonnull(strstr(text, "tun7: connected"));
	ck_assert_uint_ge(clock_now_ms() - start_ms, 900);
}
END_TEST

START_TEST(status_unknown_request_is_refused)
{
	ck_assert_ptr_null(ask((char []){ "stop" }));
	ck_assert_ptr_nonnull(strstr(error, "unknown request"));
}
END_TEST

START_TEST(status_place_that_cannot_be_had_is_an_error)
{
	struct status *second = status_new("tun8", &servers);

	log_init("test", (enum log_level)0);
	ck_assert(!status_serve(second, path));
	ck_assert(status_serve(second, "none"));
	status_free(second);
	status_free(NULL);
}
END_TEST

static Suite *status_suite(void)
{
	Suite *suite = suite_create("status");
	TCase *tcase = tcase_create("status");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, status_counters_are_those_of_the_moment);
	tcase_add_test(tcase, status_every_state_is_shown);
	tcase_add_test(tcase, status_what_a_server_says_moves_no_cursor);
	tcase_add_test(tcase, status_busy_main_thread_delays_and_no_more);
	tcase_add_test(tcase, status_unknown_request_is_refused);
	tcase_add_test(tcase, status_place_that_cannot_be_had_is_an_error);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	SRunner *runner = srunner_create(status_suite());
	int failed;

	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
