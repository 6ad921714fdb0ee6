/* SPDX-License-Identifier: MIT */
/* Hooks: what is run when, with which environment, and what goes wrong. */
#include "client/hooks.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/facts.h"
#include "common/log.h"

static char path[] = "/tmp/test-hooks-XXXXXX";
static char command[OPTIONS_TEXT_LEN];
static struct facts facts;
static char record[8192];

static void make_record(void)
{
	int fd = mkstemp(path);

	ck_assert_int_ge(fd, 0);
	close(fd);
	log_init("test", LOG_LEVEL_ERROR);
	memset(&facts, 0, sizeof(facts));
	strcpy(facts.interface, "tun7");
	strcpy(facts.server, "vpn.example.org");
	strcpy(facts.peer, "192.0.2.1:2002");
	facts.address = 0x0a000007;
	facts.prefix_len = 16;
	facts.mtu = 1400;
	facts.gateway = 0x0a000001;
	facts.n_routes = 2;
	facts.routes[0] = (struct msg_route){ 0x0a010000, 16 };
	facts.routes[1] = (struct msg_route){ 0xc0a80000, 24 };
	facts.n_dns = 1;
	facts.dns[0] = 0x0a000001;
	strcpy(facts.search, "corp.example");
}

static void remove_record(void)
{
	unlink(path);
	strcpy(path, "/tmp/test-hooks-XXXXXX");
}

static const char *read_record(void)
{
	FILE *file = fopen(path, "r");
	size_t len;

	ck_assert_ptr_nonnull(file);
	len = fread(record, 1, sizeof(record) - 1, file);
	record[len] = '\0';
	fclose(file);
	return record;
}

/* A command that notes a word and some of its environment. */
static const char *note(const char *what)
{
	snprintf(command, sizeof(command), "sh -c 'echo %s >>%s'", what, path);
	return command;
}

static struct hooks *start(const char *up, const char *down,
			   const char *template)
{
	const struct hooks_config config = { up, down, template, 30 };
	struct hooks *h = hooks_new(&config);

	ck_assert_ptr_nonnull(h);
	return h;
}

/* Until the record has the text; the test's own time limit is the bound. */
static void wait_for(const char *text)
{
	while (!strstr(read_record(), text))
		usleep(1000);
}

START_TEST(hooks_environment_says_everything)
{
	static const char *const lines[] = {
		"SIMPLEVPN_REASON=up\n", "SIMPLEVPN_INTERFACE=tun7\n",
		"SIMPLEVPN_ADDRESS=10.0.0.7\n", "SIMPLEVPN_PREFIX_LENGTH=16\n",
		"SIMPLEVPN_MTU=1400\n", "SIMPLEVPN_SERVER=vpn.example.org\n",
		"SIMPLEVPN_SERVER_ADDRESS=192.0.2.1:2002\n",
		"SIMPLEVPN_GATEWAY=10.0.0.1\n",
		"SIMPLEVPN_ROUTES=10.1.0.0/16 192.168.0.0/24\n",
		"SIMPLEVPN_DNS=10.0.0.1\n", "SIMPLEVPN_SEARCH=corp.example\n",
		"SIMPLEVPN_REASON=down\n",
	};
	struct hooks *h;
	size_t i;

	snprintf(command, sizeof(command), "sh -c 'env >>%s'", path);
	h = start(command, command, "");
	hooks_tell(h, &facts);
	wait_for("SIMPLEVPN_REASON=up\n");
	hooks_finish(h);
	read_record();
	for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		ck_assert_msg(strstr(record, lines[i]) != NULL, "no %s in %s",
			      lines[i], record);
}
END_TEST

START_TEST(hooks_run_in_order_and_only_for_a_change)
{
	char template[OPTIONS_TEXT_LEN];
	struct hooks *h;

	snprintf(template, sizeof(template), "sh -c 'echo template %%s >>%s'",
		 path);
	h = start(note("$SIMPLEVPN_REASON $SIMPLEVPN_MTU"), command, template);
	hooks_tell(h, &facts);
	wait_for("up 1400\n");
	hooks_tell(h, &facts);
	facts.mtu = 1300;
	hooks_tell(h, &facts);
	wait_for("change 1300\n");
	hooks_finish(h);
	ck_assert_str_eq(read_record(), "template tun7\nup 1400\n"
			 "change 1300\ndown 1300\n");
}
END_TEST

START_TEST(hooks_never_up_means_no_down)
{
	hooks_finish(start(note("up"), note("down"), ""));
	ck_assert_str_eq(read_record(), "");
	hooks_finish(NULL);
}
END_TEST

START_TEST(hooks_telling_waits_for_no_command)
{
	char go[OPTIONS_TEXT_LEN];
	struct hooks *h;

	/* It ends only when the record says so, which is after the calls. */
	snprintf(command, sizeof(command), "sh -c 'echo $SIMPLEVPN_MTU >>%s; "
		 "until grep -q go %s; do sleep 0.01; done'", path, path);
	h = start(command, "", "");
	hooks_tell(h, &facts);
	wait_for("1400\n");
	facts.mtu = 1300;
	hooks_tell(h, &facts);
	facts.mtu = 1200;
	hooks_tell(h, &facts);
	snprintf(go, sizeof(go), "echo go >>%s", path);
	ck_assert_int_eq(system(go), 0);
	wait_for("1200\n");
	hooks_finish(h);
	ck_assert_ptr_null(strstr(read_record(), "1300"));
}
END_TEST

/* What the log says of an "up" that notes the same. */
static void check_logged(const char *up, const char *expected)
{
	int ends[2], saved = dup(STDERR_FILENO);
	static char text[16384], noted[OPTIONS_TEXT_LEN];
	struct hooks *h;
	size_t len = 0;
	ssize_t n;

	ck_assert_int_eq(pipe(ends), 0);
	dup2(ends[1], STDERR_FILENO);
	close(ends[1]);
	log_init("test", LOG_LEVEL_INFO);
	memcpy(noted, up, strlen(up) + 1);
	h = start(noted, note("down"), "");
	hooks_tell(h, &facts);
	wait_for("up\n");
	hooks_finish(h);
	dup2(saved, STDERR_FILENO);
	close(saved);
	while ((n = read(ends[0], text + len, sizeof(text) - 1 - len)) > 0)
		len += (size_t)n;
	text[len] = '\0';
	close(ends[0]);
	ck_assert_msg(strstr(text, expected) != NULL, "'%s' lacks '%s'", text,
		      expected);
	ck_assert_ptr_nonnull(strstr(read_record(), "down\n"));
}

START_TEST(hooks_output_is_logged_escaped)
{
	snprintf(command, sizeof(command),
		 "sh -c 'printf \"a\\033[2Jb\\nc\\n\"; echo up >>%s'", path);
	check_logged(command,
		     "test: up: a\\x1b[2Jb\ntest: up: c\n");
}
END_TEST

START_TEST(hooks_output_is_bounded)
{
	snprintf(command, sizeof(command),
		 "sh -c 'yes | head -c 1000000; echo up >>%s'", path);
	check_logged(command, "is not shown)\n");
}
END_TEST

START_TEST(hooks_failure_is_a_warning)
{
	snprintf(command, sizeof(command),
		 "sh -c 'echo up >>%s; echo no; exit 3'", path);
	check_logged(command, "test: warning: up: no\n"
		     "test: warning: up: sh failed, exit code 3\n");
}
END_TEST

START_TEST(hooks_end_by_a_signal_is_a_warning)
{
	snprintf(command, sizeof(command),
		 "sh -c 'echo up >>%s; kill -KILL $$'", path);
	check_logged(command, "sh was ended by signal 9\n");
}
END_TEST

static Suite *hooks_suite(void)
{
	Suite *suite = suite_create("hooks");
	TCase *tcase = tcase_create("hooks");

	tcase_add_checked_fixture(tcase, make_record, remove_record);
	tcase_add_test(tcase, hooks_environment_says_everything);
	tcase_add_test(tcase, hooks_run_in_order_and_only_for_a_change);
	tcase_add_test(tcase, hooks_never_up_means_no_down);
	tcase_add_test(tcase, hooks_telling_waits_for_no_command);
	tcase_add_test(tcase, hooks_output_is_logged_escaped);
	tcase_add_test(tcase, hooks_output_is_bounded);
	tcase_add_test(tcase, hooks_failure_is_a_warning);
	tcase_add_test(tcase, hooks_end_by_a_signal_is_a_warning);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	SRunner *runner = srunner_create(hooks_suite());
	int failed;

	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
