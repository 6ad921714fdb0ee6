/* SPDX-License-Identifier: MIT */
/* Tests of common/control: a server and askers, some of them hostile. */
#include "common/control.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/exit.h"

enum { BIG = 3 << 20, MEGABYTE = 1 << 20, BOUND_MS = 20000, NOBODY = 65534 };

static char directory[64], path[96], error[CONTROL_ERROR_LEN];
static struct control *control;

static int handle(const char *request, FILE *out, void *arg)
{
	long i, n;

	ck_assert_ptr_eq(arg, directory);
	if (sscanf(request, "big %ld", &n) == 1) {
		for (i = 0; i < n; i++)
			fputc('x', out);
		return EXIT_OK;
	}
	fprintf(out, "%s\n", request);
	return strncmp(request, "fail", 4) == 0 ? EXIT_USAGE : EXIT_OK;
}

static int open_control(void)
{
	return control_open(&control, path, handle, directory, error);
}

static void set_up(void)
{
	strcpy(directory, "/tmp/test_control.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/run/srv.sock", directory);
	ck_assert_int_eq(open_control(), 0);
	ck_assert_int_eq(control_start(control), 0);
}

static void remove_directory(void)
{
	char run[96];

	snprintf(run, sizeof(run), "%s/run", directory);
	rmdir(run);
	ck_assert_int_eq(rmdir(directory), 0);
}

static void tear_down(void)
{
	control_stop(control);
	control_close(control);
	control = NULL;
	ck_assert_int_eq(access(path, F_OK), -1);
	remove_directory();
}

static int dial(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_ge(fd, 0);
	strcpy(address.sun_path, path);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&address,
				 sizeof(address)), 0);
	return fd;
}

/* The answer's length; its first bytes in text. */
static size_t ask(const char *request, int *code, char *text, size_t size)
{
	char *answer = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&answer, &len);

	error[0] = '\0';
	*code = control_ask(path, request, out, error);
	fclose(out);
	snprintf(text, size, "%s", answer);
	free(answer);
	return len;
}

static void assert_answers(void)
{
	char text[32];
	int code;

	ask("hello", &code, text, sizeof(text));
	ck_assert_msg(code == EXIT_OK, "%s", error);
	ck_assert_str_eq(text, "hello\n");
}

/* Until the server has closed; bytes that came before are thrown away. */
static void wait_closed(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char bytes[4096];

	do {
		ck_assert_int_eq(poll(&p, 1, BOUND_MS), 1);
	} while (recv(fd, bytes, sizeof(bytes), 0) > 0);
	close(fd);
}

START_TEST(control_request_is_answered)
{
	char text[32];
	int code;

	assert_answers();
	ck_assert_uint_eq(ask("fail twice", &code, text, sizeof(text)), 0);
	ck_assert_int_eq(code, EXIT_USAGE);
	ck_assert_str_eq(error, "fail twice");
}
END_TEST

START_TEST(control_large_answer_arrives_whole)
{
	char request[32], text[8];
	int code;

	snprintf(request, sizeof(request), "big %d", BIG);
	ck_assert_uint_eq(ask(request, &code, text, sizeof(text)), BIG);
	ck_assert_int_eq(code, EXIT_OK);
}
END_TEST

START_TEST(control_socket_and_directory_are_not_for_all)
{
	struct stat st;
	char run[96];

	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_int_eq(st.st_mode & 07777, 0660);
	snprintf(run, sizeof(run), "%s/run", directory);
	ck_assert_int_eq(stat(run, &st), 0);
	ck_assert_int_eq(st.st_mode & 07777, 0750);
}
END_TEST

START_TEST(control_reader_that_hangs_blocks_nobody)
{
	static const char request[] = "big 1000000\n";
	int fds[2 * CONTROL_MAX_PEERS], i;

	for (i = 0; i < 2 * CONTROL_MAX_PEERS; i++) {
		fds[i] = dial();
		send(fds[i], request, strlen(request), MSG_NOSIGNAL);
		if (i % 4 == 0)
			assert_answers();
	}
	assert_answers();
	for (i = 0; i < 2 * CONTROL_MAX_PEERS; i++)
		close(fds[i]);
}
END_TEST

START_TEST(control_peer_without_a_request_is_dropped)
{
	int fd = dial();

	wait_closed(fd);
	fd = dial();
	send(fd, "half", 4, 0);
	assert_answers();
	wait_closed(fd);
}
END_TEST

START_TEST(control_megabyte_without_a_line_is_refused)
{
	char *bytes = malloc(MEGABYTE), answer[64] = "";
	struct timeval bound = { .tv_sec = BOUND_MS / 1000 };
	int fd = dial();
	size_t sent = 0;
	ssize_t n = 1;

	memset(bytes, 'a', MEGABYTE);
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &bound, sizeof(bound));
	for (; sent < MEGABYTE && n > 0; sent += (size_t)n)
		n = send(fd, bytes + sent, MEGABYTE - sent, MSG_NOSIGNAL);
	free(bytes);
	ck_assert_int_eq(n, -1);
	ck_assert_int_eq(errno, EPIPE);
	ck_assert_int_gt(recv(fd, answer, sizeof(answer) - 1, 0), 0);
	ck_assert_ptr_nonnull(strstr(answer, "error 2 "));
	ck_assert_ptr_nonnull(strstr(answer, "too long"));
	close(fd);
	assert_answers();
}
END_TEST

START_TEST(control_bytes_that_are_no_text_are_refused)
{
	static const char request[] = "he\0llo\n";
	char answer[80] = "";
	int fd = dial();

	send(fd, request, sizeof(request) - 1, 0);
	ck_assert_int_gt(recv(fd, answer, sizeof(answer) - 1, 0), 0);
	ck_assert_ptr_nonnull(strstr(answer, "not a line of text"));
	close(fd);
	assert_answers();
}
END_TEST

START_TEST(control_asker_that_is_killed_costs_nothing)
{
	static const char request[] = "big 1000000\n";
	struct timespec rest = { .tv_nsec = 300000000 };
	struct rusage before, after;
	double used;
	pid_t pid;
	int fd, i;

	for (i = 0; i < 8; i++) {
		pid = fork();
		if (pid == 0) {
			fd = dial();
			if (i % 2 == 0)
				send(fd, request, strlen(request), 0);
			raise(SIGKILL);
		}
		waitpid(pid, NULL, 0);
	}
	assert_answers();
	getrusage(RUSAGE_SELF, &before);
	nanosleep(&rest, NULL);		/* that nothing happens takes time */
	getrusage(RUSAGE_SELF, &after);
	used = (double)(after.ru_utime.tv_sec - before.ru_utime.tv_sec +
			after.ru_stime.tv_sec - before.ru_stime.tv_sec) +
	       (double)(after.ru_utime.tv_usec - before.ru_utime.tv_usec +
			after.ru_stime.tv_usec - before.ru_stime.tv_usec) / 1e6;
	ck_assert_msg(used < 0.1, "%f s of CPU in 0.3 s", used);
}
END_TEST

static void *ask_often(void *arg)
{
	char text[8];
	int i, code;

	(void)arg;
	for (i = 0; i < 20; i++) {
		FILE *out = fmemopen(text, sizeof(text), "w");
		char why[CONTROL_ERROR_LEN];

		code = control_ask(path, "hello", out, why);
		fclose(out);
		ck_assert_msg(code == EXIT_OK, "%s", why);
		ck_assert_str_eq(text, "hello\n");
	}
	return NULL;
}

START_TEST(control_several_are_answered_at_once)
{
	pthread_t threads[8];
	int i;

	for (i = 0; i < 8; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, ask_often,
						NULL), 0);
	for (i = 0; i < 8; i++)
		pthread_join(threads[i], NULL);
}
END_TEST

/* Exit code of asking as nobody, in these groups. */
static int ask_as_nobody(gid_t group)
{
	int code, status;
	pid_t pid = fork();

	if (pid == 0) {
		if (setgroups(1, &group) || setgid(NOBODY) || setuid(NOBODY))
			_exit(99);
		code = control_ask(path, "hello", stdout, error);
		_exit(code == EXIT_ERROR && strstr(error, "permission") ?
		      42 : code);
	}
	waitpid(pid, &status, 0);
	return WEXITSTATUS(status);
}

START_TEST(control_other_user_is_refused_whatever_the_mode)
{
	char run[96];

	if (geteuid() != 0)
		return;
	ck_assert_int_eq(chmod(directory, 0755), 0);
	snprintf(run, sizeof(run), "%s/run", directory);
	ck_assert_int_eq(chmod(run, 0755), 0);
	ck_assert_int_eq(ask_as_nobody(NOBODY), 42);	/* by the mode */
	ck_assert_int_eq(chmod(path, 0666), 0);
	ck_assert_int_eq(ask_as_nobody(NOBODY), 42);	/* by us */
	assert_answers();
}
END_TEST

START_TEST(control_member_of_the_group_may_ask)
{
	struct stat st;
	char run[96];

	if (geteuid() != 0)
		return;
	ck_assert_int_eq(chmod(directory, 0755), 0);
	snprintf(run, sizeof(run), "%s/run", directory);
	ck_assert_int_eq(chmod(run, 0755), 0);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_int_eq(ask_as_nobody(st.st_gid), 0);
}
END_TEST

START_TEST(control_live_socket_is_not_replaced)
{
	struct control *first = control;

	ck_assert_int_eq(open_control(), -EADDRINUSE);
	ck_assert_ptr_nonnull(strstr(error, path));
	ck_assert_ptr_eq(control, first);
	assert_answers();
}
END_TEST

START_TEST(control_stale_socket_is_replaced)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	char stale[] = "/tmp/test_control_stale.XXXXXX";
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	struct control *second;

	close(mkstemp(stale));
	ck_assert_int_eq(control_open(&second, stale, handle, directory,
				      error), -ENOTSOCK);
	ck_assert_int_eq(unlink(stale), 0);
	strcpy(address.sun_path, stale);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address,
			      sizeof(address)), 0);
	close(fd);
	ck_assert_int_eq(control_ask(stale, "x", stdout, error),
			 EXIT_NOT_RUNNING);
	ck_assert_int_eq(control_open(&second, stale, handle, directory,
				      error), 0);
	control_close(second);
	ck_assert_int_eq(access(stale, F_OK), -1);
	ck_assert_int_eq(control_ask(stale, "x", stdout, error),
			 EXIT_NOT_RUNNING);
}
END_TEST

/* The directory's owner may put a link where the socket was. */
START_TEST(control_link_in_its_place_is_not_given_away)
{
	char target[] = "/tmp/test_control_target.XXXXXX";
	struct stat st;

	if (geteuid() != 0)
		return;
	close(mkstemp(target));
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(symlink(target, path), 0);
	control_give(control, NOBODY);
	ck_assert_int_eq(stat(target, &st), 0);
	unlink(target);
	unlink(path);
	ck_assert_uint_eq(st.st_uid, 0);
}
END_TEST

START_TEST(control_socket_is_given_to_its_user)
{
	struct stat st;

	if (geteuid() != 0)
		return;
	control_give(control, NOBODY);
	ck_assert_int_eq(lstat(path, &st), 0);
	ck_assert_uint_eq(st.st_uid, NOBODY);
}
END_TEST

START_TEST(control_path_that_cannot_be_is_said)
{
	struct control *second;
	char text[200];

	memset(text, 'a', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	ck_assert_int_eq(control_open(&second, text, handle, directory, error),
			 -ENAMETOOLONG);
	ck_assert_int_eq(control_open(&second, "/proc/no/such/srv.sock", handle,
				      directory, error), -ENOENT);
	ck_assert_ptr_nonnull(strstr(error, "/proc/no/such"));
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("control");
	Suite *suite = suite_create("control");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, control_request_is_answered);
	tcase_add_test(tcase, control_large_answer_arrives_whole);
	tcase_add_test(tcase, control_socket_and_directory_are_not_for_all);
	tcase_add_test(tcase, control_reader_that_hangs_blocks_nobody);
	tcase_add_test(tcase, control_peer_without_a_request_is_dropped);
	tcase_add_test(tcase, control_megabyte_without_a_line_is_refused);
	tcase_add_test(tcase, control_bytes_that_are_no_text_are_refused);
	tcase_add_test(tcase, control_asker_that_is_killed_costs_nothing);
	tcase_add_test(tcase, control_several_are_answered_at_once);
	tcase_add_test(tcase, control_other_user_is_refused_whatever_the_mode);
	tcase_add_test(tcase, control_member_of_the_group_may_ask);
	tcase_add_test(tcase, control_live_socket_is_not_replaced);
	tcase_add_test(tcase, control_stale_socket_is_replaced);
	tcase_add_test(tcase, control_link_in_its_place_is_not_given_away);
	tcase_add_test(tcase, control_socket_is_given_to_its_user);
	tcase_add_test(tcase, control_path_that_cannot_be_is_said);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
