/* SPDX-License-Identifier: MIT */
/* Tests of client/dnsfile, on files in a directory of each test's own. */
#include "client/dnsfile.h"

#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_LEN = 64 };

static char directory[] = "/tmp/dnsfile.XXXXXX";
static char path[PATH_LEN], kept[PATH_LEN];
static struct dnsfile d;

static void write_file(const char *name, const char *text)
{
	FILE *file = fopen(name, "w");

	ck_assert_ptr_nonnull(file);
	fputs(text, file);
	fclose(file);
}

static bool holds(const char *name, const char *text)
{
	char found[1024];
	FILE *file = fopen(name, "r");

	if (!file)
		return false;
	found[fread(found, 1, sizeof(found) - 1, file)] = '\0';
	fclose(file);
	return strstr(found, text) != NULL;
}

static bool exists(const char *name)
{
	return access(name, F_OK) == 0;
}

static void set_up(void)
{
	ck_assert_ptr_nonnull(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/resolv.conf", directory);
	snprintf(kept, sizeof(kept), "%s/kept", directory);
	dnsfile_init(&d, path, kept);
	write_file(path, "nameserver 192.0.2.1\n");
}

static void tear_down(void)
{
	if (d.fd >= 0)
		close(d.fd);
	unlink(path);
	unlink(kept);
	rmdir(directory);
}

START_TEST(dnsfile_is_replaced_changed_and_put_back)
{
	ck_assert_int_eq(dnsfile_set(&d, "nameserver 10.0.0.53\n"), 0);
	ck_assert(holds(path, "\nnameserver 10.0.0.53\n"));
	ck_assert(holds(kept, "nameserver 192.0.2.1\n"));
	ck_assert_int_eq(dnsfile_set(&d, "search x\n"), 0);
	ck_assert(holds(path, "\nsearch x\n"));
	ck_assert(!holds(path, "10.0.0.53"));
	ck_assert_int_eq(dnsfile_restore(&d), 1);
	ck_assert(holds(path, "nameserver 192.0.2.1\n"));
	ck_assert(!holds(path, "#"));
	ck_assert(!exists(kept));
	ck_assert_int_eq(dnsfile_restore(&d), 0);
}
END_TEST

START_TEST(dnsfile_that_was_not_there_goes_again)
{
	unlink(path);
	ck_assert_int_eq(dnsfile_set(&d, "nameserver 10.0.0.53\n"), 0);
	ck_assert(exists(path));
	ck_assert_int_eq(dnsfile_restore(&d), 1);
	ck_assert(!exists(path));
}
END_TEST

START_TEST(dnsfile_of_somebody_else_is_left_alone)
{
	ck_assert_int_eq(dnsfile_set(&d, "nameserver 10.0.0.53\n"), 0);
	write_file(path, "nameserver 192.0.2.9\n");
	ck_assert_int_eq(dnsfile_restore(&d), 0);
	ck_assert(holds(path, "nameserver 192.0.2.9\n"));
	ck_assert(!exists(kept));
}
END_TEST

/* A lease is renewed, then the tunnel is set up again. */
START_TEST(dnsfile_of_somebody_else_comes_back_when_taken_again)
{
	ck_assert_int_eq(dnsfile_set(&d, "nameserver 10.0.0.53\n"), 0);
	write_file(path, "nameserver 192.0.2.9\n");
	ck_assert_int_eq(dnsfile_set(&d, "nameserver 10.0.0.53\n"), 0);
	ck_assert(holds(path, "nameserver 10.0.0.53\n"));
	ck_assert_int_eq(dnsfile_restore(&d), 1);
	ck_assert(holds(path, "nameserver 192.0.2.9\n"));
}
END_TEST

START_TEST(dnsfile_that_cannot_be_written_is_as_before)
{
	const struct rlimit small = { 40, RLIM_INFINITY };
	const struct rlimit large = { RLIM_INFINITY, RLIM_INFINITY };

	signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
	ck_assert_int_eq(dnsfile_set(&d, "nameserver 10.0.0.53\n"), -EFBIG);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &large), 0);
	ck_assert(holds(path, "nameserver 192.0.2.1\n"));
	ck_assert(!holds(path, "#"));
	ck_assert(!exists(kept));
}
END_TEST

START_TEST(dnsfile_of_a_living_client_is_busy)
{
	struct dnsfile other;

	dnsfile_init(&other, path, kept);
	ck_assert_int_eq(dnsfile_set(&d, "nameserver 10.0.0.53\n"), 0);
	ck_assert_int_eq(dnsfile_set(&other, "nameserver 10.0.0.54\n"), -EBUSY);
	ck_assert_int_eq(dnsfile_restore(&other), 0);
	ck_assert(holds(path, "10.0.0.53"));
	ck_assert_int_eq(dnsfile_restore(&d), 1);
	ck_assert_int_eq(dnsfile_set(&other, "nameserver 10.0.0.54\n"), 0);
	ck_assert_int_eq(dnsfile_restore(&other), 1);
}
END_TEST

/* Closing the copy is all that a kill does. */
START_TEST(dnsfile_of_a_killed_client_is_put_back)
{
	ck_assert_int_eq(dnsfile_set(&d, "nameserver 10.0.0.53\n"), 0);
	close(d.fd);
	d.fd = -1;
	ck_assert_int_eq(dnsfile_restore(&d), 1);
	ck_assert(holds(path, "nameserver 192.0.2.1\n"));
	ck_assert_int_eq(dnsfile_set(&d, "nameserver 10.0.0.53\n"), 0);
	close(d.fd);
	d.fd = -1;
	ck_assert_int_eq(dnsfile_set(&d, "nameserver 10.0.0.54\n"), 0);
	ck_assert(holds(kept, "nameserver 192.0.2.1\n"));
	ck_assert_int_eq(dnsfile_restore(&d), 1);
}
END_TEST

START_TEST(dnsfile_keeps_mode_and_link)
{
	char target[PATH_LEN];
	struct stat status;

	snprintf(target, sizeof(target), "%s/target", directory);
	ck_assert_int_eq(rename(path, target), 0);
	ck_assert_int_eq(chmod(target, 0600), 0);
	ck_assert_int_eq(symlink("target", path), 0);
	ck_assert_int_eq(dnsfile_set(&d, "nameserver 10.0.0.53\n"), 0);
	ck_assert_int_eq(dnsfile_restore(&d), 1);
	ck_assert_int_eq(lstat(path, &status), 0);
	ck_assert(S_ISLNK(status.st_mode));
	ck_assert_int_eq(stat(path, &status), 0);
	ck_assert_int_eq(status.st_mode & 07777, 0600);
	ck_assert(holds(target, "nameserver 192.0.2.1\n"));
	unlink(target);
}
END_TEST

/* Nobody makes cli write elsewhere by a link that lies in wait. */
START_TEST(dnsfile_copy_is_not_a_link)
{
	char target[PATH_LEN];

	snprintf(target, sizeof(target), "%s/target", directory);
	write_file(target, "precious");
	ck_assert_int_eq(symlink("target", kept), 0);
	ck_assert_int_eq(dnsfile_set(&d, "nameserver 10.0.0.53\n"), -ELOOP);
	ck_assert(holds(target, "precious"));
	ck_assert(holds(path, "nameserver 192.0.2.1\n"));
	unlink(target);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("dnsfile");
	TCase *tcase = tcase_create("dnsfile");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, dnsfile_is_replaced_changed_and_put_back);
	tcase_add_test(tcase, dnsfile_that_was_not_there_goes_again);
	tcase_add_test(tcase, dnsfile_of_somebody_else_is_left_alone);
	tcase_add_test(tcase,
		       dnsfile_of_somebody_else_comes_back_when_taken_again);
	tcase_add_test(tcase, dnsfile_that_cannot_be_written_is_as_before);
	tcase_add_test(tcase, dnsfile_of_a_living_client_is_busy);
	tcase_add_test(tcase, dnsfile_of_a_killed_client_is_put_back);
	tcase_add_test(tcase, dnsfile_keeps_mode_and_link);
	tcase_add_test(tcase, dnsfile_copy_is_not_a_link);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
