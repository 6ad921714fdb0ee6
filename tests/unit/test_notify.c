/* SPDX-License-Identifier: MIT */
/* Tests of common/notify, with a service manager's socket in the same place. */
#include "common/notify.h"

#include <check.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

enum { BOUND_MS = 20000 };

static struct notify notify;
static int manager = -1;
static char name[100];

/* A socket of that name; '@' begins an abstract one. */
static void open_manager(const char *format)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	socklen_t len;

	snprintf(name, sizeof(name), format, (int)getpid());
	len = (socklen_t)(sizeof(sa_family_t) + strlen(name) +
			  (name[0] == '/'));
	memcpy(address.sun_path, name, strlen(name));
	if (name[0] == '@')
		address.sun_path[0] = '\0';
	manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	ck_assert_int_ge(manager, 0);
	ck_assert_int_eq(bind(manager, (struct sockaddr *)&address, len), 0);
	setenv("NOTIFY_SOCKET", name, 1);
}

static void tear_down(void)
{
	notify_fini(&notify);
	if (manager >= 0)
		close(manager);
	manager = -1;
	if (name[0] == '/')
		unlink(name);
	name[0] = '\0';
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
}

static const char *received(void)
{
	static char text[2000];
	struct pollfd fd = { .fd = manager, .events = POLLIN };
	ssize_t n;

	if (poll(&fd, 1, 0) == 0)
		return "nothing";
	n = recv(manager, text, sizeof(text) - 1, 0);
	text[n < 0 ? 0 : n] = '\0';
	return text;
}

START_TEST(notify_without_a_manager_is_silent)
{
	unsetenv("NOTIFY_SOCKET");
	ck_assert(notify_init(&notify));
	ck_assert_int_eq(notify.fd, -1);
	notify_ready(&notify, "here");
	notify_stopping(&notify);
}
END_TEST

START_TEST(notify_path_and_abstract_socket_get_each_state)
{
	open_manager(_i ? "@simplevpn-test-%d" : "/tmp/simplevpn-test-%d");
	ck_assert(notify_init(&notify));
	ck_assert_ptr_null(getenv("NOTIFY_SOCKET"));
	notify_ready(&notify, "port %d", 2002);
	ck_assert_str_eq(received(), "READY=1\nSTATUS=port 2002");
	notify_status(&notify, "clients: %d", 3);
	ck_assert_str_eq(received(), "STATUS=clients: 3");
	notify_alive(&notify);
	ck_assert_str_eq(received(), "WATCHDOG=1");
	notify_reloading(&notify);
	ck_assert_int_eq(strncmp(received(), "RELOADING=1\nMONOTONIC_USEC=",
				 27), 0);
	notify_stopping(&notify);
	ck_assert_str_eq(received(), "STOPPING=1");
	ck_assert_str_eq(received(), "nothing");
}
END_TEST

/* What a peer says may end up in a status. */
START_TEST(notify_status_is_one_line)
{
	open_manager("@simplevpn-test-%d");
	ck_assert(notify_init(&notify));
	notify_status(&notify, "lost: %s", "x\nREADY=1\n");
	ck_assert_str_eq(received(), "STATUS=lost: x READY=1 ");
}
END_TEST

START_TEST(notify_bad_socket_is_reported_and_harmless)
{
	static const char *const names[] = {
		"", "x", "@", "/", "vsock:2:1", "/nowhere/at/all",
		("/tmp/longer-than-a-socket-name-can-be-longer-than-a-socket-"
		 "name-can-be-longer-than-a-socket-name-can-be-longer-than-it"),
	};

	setenv("NOTIFY_SOCKET", names[_i], 1);
	ck_assert(!notify_init(&notify));
	ck_assert_int_ne(errno, 0);
	ck_assert_int_eq(notify.fd, -1);
	notify_ready(&notify, "here");
}
END_TEST

START_TEST(notify_manager_that_does_not_read_blocks_nobody)
{
	int i;

	open_manager("@simplevpn-test-%d");
	ck_assert(notify_init(&notify));
	for (i = 0; i < 100000; i++)
		notify_alive(&notify);
	ck_assert_str_eq(received(), "WATCHDOG=1");
}
END_TEST

/* Whether SIGALRM is due; it comes at half of the manager's bound. */
static bool watchdog_runs(const char *usec, const char *pid)
{
	struct itimerval none = { 0 }, timer;

	open_manager("@simplevpn-test-%d");
	setenv("WATCHDOG_USEC", usec, 1);
	if (pid)
		setenv("WATCHDOG_PID", pid, 1);
	ck_assert(notify_init(&notify));
	notify_start_watchdog(&notify);
	setitimer(ITIMER_REAL, &none, &timer);
	tear_down();
	return timer.it_interval.tv_sec == 15;
}

START_TEST(notify_watchdog_is_for_this_process_alone)
{
	char own[20];

	snprintf(own, sizeof(own), "%d", (int)getpid());
	ck_assert(watchdog_runs("30000000", NULL));
	ck_assert(watchdog_runs("30000000", own));
	ck_assert(!watchdog_runs("30000000", "1"));
	ck_assert(!watchdog_runs("30000000", "me"));
	ck_assert(!watchdog_runs("0", NULL));
	ck_assert(!watchdog_runs("soon", NULL));
}
END_TEST

START_TEST(notify_watchdog_alarm_comes)
{
	struct timespec bound = { .tv_sec = BOUND_MS / 1000 };
	sigset_t alarm_set;

	sigemptyset(&alarm_set);
	sigaddset(&alarm_set, SIGALRM);
	sigprocmask(SIG_BLOCK, &alarm_set, NULL);
	open_manager("@simplevpn-test-%d");
	setenv("WATCHDOG_USEC", "20000", 1);
	ck_assert(notify_init(&notify));
	notify_start_watchdog(&notify);
	ck_assert_int_eq(sigtimedwait(&alarm_set, NULL, &bound), SIGALRM);
	ck_assert_int_eq(sigtimedwait(&alarm_set, NULL, &bound), SIGALRM);
}
END_TEST

static Suite *notify_suite(void)
{
	Suite *suite = suite_create("notify");
	TCase *tc = tcase_create("notify");

	tcase_add_checked_fixture(tc, NULL, tear_down);
	tcase_add_test(tc, notify_without_a_manager_is_silent);
	tcase_add_loop_test(tc, notify_path_and_abstract_socket_get_each_state,
			    0, 2);
	tcase_add_test(tc, notify_status_is_one_line);
	tcase_add_loop_test(tc, notify_bad_socket_is_reported_and_harmless, 0,
			    7);
	tcase_add_test(tc, notify_manager_that_does_not_read_blocks_nobody);
	tcase_add_test(tc, notify_watchdog_is_for_this_process_alone);
	tcase_add_test(tc, notify_watchdog_alarm_comes);
	suite_add_tcase(suite, tc);
	return suite;
}

int main(void)
{
	SRunner *runner = srunner_create(notify_suite());
	int failed;

	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
