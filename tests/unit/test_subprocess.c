/* SPDX-License-Identifier: MIT */
/* Tests of common/subprocess, with the programs that every Linux has. */
#include "common/subprocess.h"

#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/clock.h"

enum { BOUND_MS = 20000, LARGE = 1 << 20 };

static char output[1024];

static int run(const char *const *argv, const char *const *environment,
	       const char *input, uint32_t timeout_ms)
{
	struct subprocess what = {
		.argv = argv, .environment = environment, .input = input,
		.timeout_ms = timeout_ms,
	};

	return subprocess_run(&what, output, sizeof(output));
}

#define RUN(environment, input, ...) \
	run((const char *const[]){ __VA_ARGS__, NULL }, environment, input, \
	    BOUND_MS)

static bool is_running(int pid)
{
	char path[64], state = 'Z';
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	file = fopen(path, "r");
	if (!file)
		return false;
	if (fscanf(file, "%*d (%*[^)]) %c", &state) != 1)
		state = 'Z';
	fclose(file);
	return state != 'Z';
}

START_TEST(subprocess_output_and_exit_code_come_back)
{
	ck_assert_int_eq(RUN(NULL, NULL, "sh", "-c",
			     "echo out; echo error >&2; exit 3"), 3);
	ck_assert_str_eq(output, "out\nerror\n");
	ck_assert_int_eq(RUN(NULL, NULL, "true"), 0);
	ck_assert_str_eq(output, "");
	ck_assert_int_eq(RUN(NULL, NULL, "sh", "-c", "kill -9 $$"),
			 128 + SIGKILL);
}
END_TEST

START_TEST(subprocess_arguments_are_not_for_a_shell)
{
	ck_assert_int_eq(RUN(NULL, NULL, "printf", "%s", "; $(id) `id` '\""),
			 0);
	ck_assert_str_eq(output, "; $(id) `id` '\"");
}
END_TEST

START_TEST(subprocess_environment_is_what_is_given_and_the_path)
{
	const char *const environment[] = { "IFACE=tun0", NULL };

	setenv("LD_SECRET", "1", 1);
	ck_assert_int_eq(RUN(environment, NULL, "env"), 0);
	ck_assert_ptr_nonnull(strstr(output, "IFACE=tun0\n"));
	ck_assert_ptr_nonnull(strstr(output, "PATH=/usr/local/sbin:"));
	ck_assert_ptr_null(strstr(output, "LD_SECRET"));
}
END_TEST

/* Whoever starts us does not choose the programs that we run. */
START_TEST(subprocess_is_looked_up_in_the_systems_path_alone)
{
	char folder[] = "/tmp/test_subprocess_XXXXXX", program[64];
	FILE *file;

	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(program, sizeof(program), "%s/true", folder);
	file = fopen(program, "w");
	ck_assert_ptr_nonnull(file);
	fputs("#!/bin/sh\nexit 7\n", file);
	fclose(file);
	chmod(program, 0755);
	setenv("PATH", folder, 1);
	ck_assert_int_eq(RUN(NULL, NULL, "true"), 0);
	ck_assert_int_eq(RUN(NULL, NULL, program), 7);
	unlink(program);
	rmdir(folder);
}
END_TEST

START_TEST(subprocess_has_three_descriptors_and_no_blocked_signal)
{
	unsigned long long ignored;
	sigset_t blocked;

	sigfillset(&blocked);
	sigprocmask(SIG_BLOCK, &blocked, NULL);
	signal(SIGPIPE, SIG_IGN);
	ck_assert_int_eq(RUN(NULL, NULL, "sh", "-c",
			     "ls /proc/$$/fd; grep -E 'SigBlk|SigIgn' "
			     "/proc/self/status"), 0);
	ck_assert_ptr_nonnull(strstr(output, "0\n1\n2\nSigBlk:\t"
				     "0000000000000000\nSigIgn:\t"));
	/* A thread library keeps two signals above 31 to itself. */
	ignored = strtoull(strstr(output, "SigIgn:") + 7, NULL, 16);
	ck_assert_uint_eq(ignored & INT32_MAX, 0);
}
END_TEST

/* A terminal's Ctrl-C goes to our group, and not to what cleans up for us. */
START_TEST(subprocess_is_not_of_our_process_group)
{
	ck_assert_int_eq(RUN(NULL, NULL, "sh", "-c",
			     "cut -d' ' -f5 /proc/$$/stat"), 0);
	ck_assert_int_gt(atoi(output), 1);
	ck_assert_int_ne(atoi(output), getpgrp());
}
END_TEST

/* More than a pipe holds, both ways at once, to a reader and to none. */
START_TEST(subprocess_large_input_neither_blocks_nor_is_lost)
{
	char *input = malloc(LARGE + 1);

	ck_assert_ptr_nonnull(input);
	signal(SIGPIPE, SIG_IGN);
	memset(input, 'x', LARGE);
	input[LARGE] = '\0';
	ck_assert_int_eq(RUN(NULL, input, "wc", "-c"), 0);
	ck_assert_str_eq(output, "1048576\n");
	ck_assert_int_eq(RUN(NULL, input, "cat"), 0);
	ck_assert_uint_eq(strlen(output), sizeof(output) - 1);
	ck_assert_int_eq(RUN(NULL, input, "true"), 0);
	free(input);
}
END_TEST

START_TEST(subprocess_that_is_missing_or_late_is_told_apart)
{
	const char *const late[] = { "sleep", "600", NULL };

	ck_assert_int_eq(RUN(NULL, NULL, "no-such-program"), -ENOENT);
	ck_assert_int_eq(run(late, NULL, NULL, 50), -ETIMEDOUT);
}
END_TEST

static bool has_ended(int pid)
{
	char path[32], text[128] = "";
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	file = fopen(path, "r");
	if (!file)
		return true;
	if (!fgets(text, sizeof(text), file))
		text[0] = '\0';
	fclose(file);
	return strstr(text, ") Z ") || !text[0];
}

START_TEST(subprocess_that_is_late_ends_with_all_it_has_started)
{
	const char *const late[] = { "sh", "-c", "sleep 600 & echo $!; wait",
				     NULL };
	uint64_t end_ms = clock_now_ms() + BOUND_MS;
	int pid;

	ck_assert_int_eq(run(late, NULL, NULL, 500), -ETIMEDOUT);
	pid = atoi(output);
	ck_assert_int_gt(pid, 1);
	while (!has_ended(pid) && clock_now_ms() < end_ms)
		;
	ck_assert(has_ended(pid));
}
END_TEST

/* Whoever keeps the output open does not hold us up. */
START_TEST(subprocess_leaves_a_grandchild_alone)
{
	uint64_t start_ms = clock_now_ms();
	int pid;

	ck_assert_int_eq(RUN(NULL, NULL, "sh", "-c", "sleep 600 & echo $!"),
			 0);
	ck_assert(clock_now_ms() - start_ms < BOUND_MS);
	pid = atoi(output);
	ck_assert_int_gt(pid, 1);
	ck_assert_int_eq(kill(pid, SIGKILL), 0);
}
END_TEST

START_TEST(subprocess_ends_although_a_grandchild_writes_on)
{
	ck_assert_int_eq(RUN(NULL, NULL, "sh", "-c",
			     "echo first; yes & exit 3"), 3);
	ck_assert_int_eq(strncmp(output, "first\n", 6), 0);
}
END_TEST

START_TEST(subprocess_that_is_late_takes_its_children_along)
{
	const char *const late[] = { "sh", "-c", "sleep 600 & echo $!; wait",
				     NULL };
	uint64_t deadline_ms;
	int pid;

	ck_assert_int_eq(run(late, NULL, NULL, 500), -ETIMEDOUT);
	pid = atoi(output);
	ck_assert_int_gt(pid, 1);
	deadline_ms = clock_now_ms() + BOUND_MS;
	/* Killed, until init has waited for it. */
	while (is_running(pid) && clock_now_ms() < deadline_ms)
		usleep(10000);
	ck_assert(!is_running(pid));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("subprocess");
	TCase *tcase = tcase_create("subprocess");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, subprocess_output_and_exit_code_come_back);
	tcase_add_test(tcase, subprocess_arguments_are_not_for_a_shell);
	tcase_add_test(tcase,
		       subprocess_environment_is_what_is_given_and_the_path);
	tcase_add_test(tcase,
		subprocess_is_looked_up_in_the_systems_path_alone);
	tcase_add_test(tcase,
		       subprocess_has_three_descriptors_and_no_blocked_signal);
	tcase_add_test(tcase, subprocess_is_not_of_our_process_group);
	tcase_add_test(tcase,
		       subprocess_large_input_neither_blocks_nor_is_lost);
	tcase_add_test(tcase, subprocess_that_is_missing_or_late_is_told_apart);
	tcase_add_test(tcase,
		       subprocess_that_is_late_ends_with_all_it_has_started);
	tcase_add_test(tcase, subprocess_leaves_a_grandchild_alone);
	tcase_add_test(tcase,
		       subprocess_ends_although_a_grandchild_writes_on);
	tcase_add_test(tcase, subprocess_that_is_late_takes_its_children_along);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
