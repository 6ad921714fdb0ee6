/* SPDX-License-Identifier: MIT */
/*
 * Tests of common/privilege.  libcheck runs each in a process of its own, so
 * what it gives up is gone for that test alone.
 */
#include "common/privilege.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define NET_ADMIN "0000000000001000"
#define NONE "0000000000000000"

/* The value of a line of this process's status, white space made single. */
static const char *status(const char *key)
{
	static char value[1000];
	char line[1000], *from, *word;
	FILE *file = fopen("/proc/thread-self/status", "r");

	ck_assert_ptr_nonnull(file);
	value[0] = '\0';
	while (fgets(line, sizeof(line), file)) {
		from = strchr(line, ':');
		if (!from || strncmp(line, key, strlen(key)) != 0 ||
		    from != line + strlen(key))
			continue;
		for (word = strtok(from + 1, " \t\n"); word;
		     word = strtok(NULL, " \t\n")) {
			if (value[0])
				strcat(value, " ");
			strcat(value, word);
		}
	}
	fclose(file);
	return value;
}

static void become(const char *name, bool keep)
{
	struct privilege_user user;

	ck_assert_int_eq(privilege_find(name, &user), 0);
	ck_assert_int_eq(privilege_drop(&user, keep), 0);
}

START_TEST(privilege_nobody_has_nothing_left)
{
	const gid_t extra[] = { 0, 4, 27 };
	char ids[100];
	struct privilege_user user;

	ck_assert_int_eq(setgroups(3, extra), 0);
	ck_assert_int_eq(privilege_find("nobody", &user), 0);
	become("nobody", false);
	snprintf(ids, sizeof(ids), "%d %d %d %d", user.uid, user.uid, user.uid,
		 user.uid);
	ck_assert_str_eq(status("Uid"), ids);
	snprintf(ids, sizeof(ids), "%d %d %d %d", user.gid, user.gid, user.gid,
		 user.gid);
	ck_assert_str_eq(status("Gid"), ids);
	snprintf(ids, sizeof(ids), "%d", user.gid);
	ck_assert_str_eq(status("Groups"), ids);
	ck_assert_str_eq(status("CapInh"), NONE);
	ck_assert_str_eq(status("CapPrm"), NONE);
	ck_assert_str_eq(status("CapEff"), NONE);
	ck_assert_str_eq(status("CapBnd"), NONE);
	ck_assert_str_eq(status("CapAmb"), NONE);
	ck_assert_str_eq(status("NoNewPrivs"), "1");
	ck_assert_int_eq(setuid(0), -1);
	ck_assert_int_eq(open("/etc/shadow", O_RDONLY), -1);
}
END_TEST

START_TEST(privilege_net_admin_is_kept_and_inherited)
{
	become("nobody", true);
	ck_assert_str_eq(status("CapPrm"), NET_ADMIN);
	ck_assert_str_eq(status("CapEff"), NET_ADMIN);
	ck_assert_str_eq(status("CapAmb"), NET_ADMIN);
	ck_assert_str_eq(status("CapBnd"), NONE);
	ck_assert_int_eq(system("grep -q 'CapEff.*" NET_ADMIN
				"' /proc/self/status"), 0);
}
END_TEST

START_TEST(privilege_root_stays_root_without_capabilities)
{
	become("root", false);
	ck_assert_int_eq(getuid(), 0);
	ck_assert_str_eq(status("CapPrm"), NONE);
	ck_assert_str_eq(status("CapBnd"), NONE);
	ck_assert_str_eq(status("NoNewPrivs"), "1");
	/* Nor does a program that is run get them back. */
	ck_assert_int_eq(system("grep -q 'CapEff.*" NONE
				"' /proc/self/status"), 0);
}
END_TEST

START_TEST(privilege_root_with_net_admin_hands_on_that_alone)
{
	become("root", true);
	ck_assert_int_eq(system("grep -q 'CapEff.*" NET_ADMIN
				"' /proc/self/status"), 0);
}
END_TEST

START_TEST(privilege_others_cannot_change_user)
{
	struct privilege_user user;
	const char *name = "nobody";

	become(name, false);
	ck_assert_int_eq(privilege_find("root", &user), -EPERM);
	ck_assert_int_eq(privilege_find("", &user), 0);
	ck_assert_int_eq(user.uid, getuid());
	ck_assert_int_eq(privilege_find(name, &user), 0);
	ck_assert_int_eq(privilege_drop(&user, true), 0);
	ck_assert_str_eq(status("CapPrm"), NONE);
}
END_TEST

START_TEST(privilege_unknown_user_is_an_error)
{
	struct privilege_user user;

	ck_assert_int_eq(privilege_find("no-such-user", &user), -ENOENT);
}
END_TEST

static Suite *privilege_suite(void)
{
	Suite *suite = suite_create("privilege");
	TCase *tc = tcase_create("privilege");

	tcase_add_test(tc, privilege_nobody_has_nothing_left);
	tcase_add_test(tc, privilege_net_admin_is_kept_and_inherited);
	tcase_add_test(tc, privilege_root_stays_root_without_capabilities);
	tcase_add_test(tc, privilege_root_with_net_admin_hands_on_that_alone);
	tcase_add_test(tc, privilege_others_cannot_change_user);
	tcase_add_test(tc, privilege_unknown_user_is_an_error);
	suite_add_tcase(suite, tc);
	return suite;
}

int main(void)
{
	SRunner *runner;
	int failed;

	if (geteuid() != 0) {
		puts("SKIP: needs root, to give it up");
		return 77;
	}
	runner = srunner_create(privilege_suite());
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
