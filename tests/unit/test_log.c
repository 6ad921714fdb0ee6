/* SPDX-License-Identifier: MIT */
/* Tests of common/log: stderr is a pipe that the test reads. */
#include "common/log.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log_line.h"

enum {
	OUTPUT_LEN = 256 * 1024,
	RING_LINES = 1024,	/* of common/log.c */
	LINE_LEN = LOG_LINE_LEN,
	THREADS = 4,
	THREAD_LINES = 100,
};

static char output[OUTPUT_LEN];
static int saved_stderr, reader;

static void redirect(void)
{
	int ends[2];

	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	reader = ends[0];
	saved_stderr = dup(STDERR_FILENO);
	ck_assert_int_eq(dup2(ends[1], STDERR_FILENO), STDERR_FILENO);
	close(ends[1]);
	unsetenv("JOURNAL_STREAM");
	log_init("prog", LOG_LEVEL_INFO);
}

static void restore(void)
{
	dup2(saved_stderr, STDERR_FILENO);
	close(saved_stderr);
	close(reader);
}

/* What was logged and not read before; the last writer's end is closed. */
static const char *read_all(void)
{
	size_t len = 0;
	ssize_t n;

	dup2(saved_stderr, STDERR_FILENO);
	while ((n = read(reader, output + len, OUTPUT_LEN - 1 - len)) > 0)
		len += (size_t)n;
	output[len] = '\0';
	return output;
}

static unsigned int count_lines(const char *text)
{
	unsigned int n = 0;

	for (; *text; text++)
		n += *text == '\n';
	return n;
}

/* What stands in JSON between the time and the end of the line. */
static const char *after_time(const char *line)
{
	static const char begin[] = "{\"time\":\"2";
	const char *rest;

	ck_assert_msg(!strncmp(line, begin, sizeof(begin) - 1), "%s", line);
	rest = strstr(line, "Z\",");
	ck_assert_ptr_nonnull(rest);
	/* {"time":"2026-11-21T00:36:39.123 */
	ck_assert_int_eq(rest - line, 32);
	return rest + 3;
}

/* Fill the pipe, so that it takes no line until it is read empty. */
static size_t stall(void)
{
	static const char zeros[4096];
	int flags = fcntl(STDERR_FILENO, F_GETFL);
	size_t len = 0;
	ssize_t n;

	fcntl(STDERR_FILENO, F_SETFL, flags | O_NONBLOCK);
	while ((n = write(STDERR_FILENO, zeros, sizeof(zeros))) > 0)
		len += (size_t)n;
	fcntl(STDERR_FILENO, F_SETFL, flags);
	return len;
}

START_TEST(log_levels_have_a_word_only_where_it_matters)
{
	log_error("e%d", 1);
	log_warning("w");
	log_notice("n");
	log_info("i");
	log_debug("hidden");
	log_set_level(LOG_LEVEL_DEBUG);
	log_debug("d");
	ck_assert_str_eq(read_all(),
			 "prog: error: e1\nprog: warning: w\nprog: n\n"
			 "prog: i\nprog: d\n");
}
END_TEST

START_TEST(log_json_is_one_object_a_line)
{
	log_set_format(LOG_JSON);
	log_warning("a \"b\" \\ c\n\x1b%s", "\xc3\xa4");
	log_set_format(LOG_TEXT);
	log_info("text again");
	read_all();
	ck_assert_str_eq(after_time(output), "\"level\":\"warning\","
			 "\"program\":\"prog\",\"message\":\"a \\\"b\\\" "
			 "\\\\ c\\\\x0a\\\\x1b\\\\xc3\\\\xa4\"}\n"
			 "prog: text again\n");
}
END_TEST

START_TEST(log_event_has_its_fields_in_json_alone)
{
	static const struct log_field fields[] = {
		{ "peer", "[::1]:5 \"x\"", 0 },
		{ "bytes", NULL, UINT64_MAX },
	};

	log_event(LOG_LEVEL_INFO, "leave", fields, 2, "%s left", "it");
	log_event(LOG_LEVEL_DEBUG, "leave", fields, 2, "hidden");
	log_set_format(LOG_JSON);
	log_event(LOG_LEVEL_INFO, "leave", fields, 2, "%s left", "it");
	read_all();
	ck_assert_int_eq(strncmp(output, "prog: it left\n{", 15), 0);
	ck_assert_str_eq(after_time(output + 14), "\"level\":\"info\","
			 "\"program\":\"prog\",\"event\":\"leave\","
			 "\"peer\":\"[::1]:5 \\\"x\\\"\","
			 "\"bytes\":18446744073709551615,"
			 "\"message\":\"it left\"}\n");
}
END_TEST

START_TEST(log_json_too_long_is_cut_and_still_whole)
{
	char text[LINE_LEN * 2];
	struct log_field field = { "text", text, 0 };
	size_t len;

	memset(text, '"', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	log_set_format(LOG_JSON);
	log_info("%s", text);
	log_event(LOG_LEVEL_INFO, "x", &field, 1, "%s", text);
	read_all();
	ck_assert_uint_eq(count_lines(output), 2);
	len = strcspn(output, "\n");
	ck_assert_uint_lt(len, LINE_LEN);
	ck_assert_int_eq(strncmp(output + len - 7, "\\\"...\"}", 7), 0);
	/* A field is there as a whole or not at all. */
	ck_assert_ptr_null(strstr(output, "\"text\""));
	ck_assert_ptr_nonnull(strstr(output, "\"event\":\"x\",\"message\""));
}
END_TEST

START_TEST(log_json_says_how_many_were_suppressed)
{
	struct log_limit limit = { 0 };

	limit.n_suppressed = 3;
	log_set_format(LOG_JSON);
	log_limited(&limit, LOG_LEVEL_INFO, "x");
	read_all();
	ck_assert_str_eq(after_time(output), "\"level\":\"info\","
			 "\"program\":\"prog\",\"suppressed\":3,"
			 "\"message\":\"x\"}\n");
}
END_TEST

START_TEST(log_hidden_level_writes_nothing)
{
	struct log_limit limit = { 0 };

	log_set_level(LOG_LEVEL_WARNING);
	log_info("hidden");
	log_limited(&limit, LOG_LEVEL_NOTICE, "hidden");
	ck_assert_str_eq(read_all(), "");
	ck_assert_uint_eq(limit.n_logged, 0);
}
END_TEST

START_TEST(log_unprintable_bytes_are_escaped)
{
	log_info("%s", "a\n\x1b[2J\x7f\xc3\xa4\\~");
	ck_assert_str_eq(read_all(),
			 "prog: a\\x0a\\x1b[2J\\x7f\\xc3\\xa4\\~\n");
}
END_TEST

START_TEST(log_long_line_is_cut_with_dots)
{
	char text[2000];
	size_t len;

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	log_info("%s", text);
	len = strlen(read_all());
	ck_assert_uint_le(len, LINE_LEN);
	ck_assert_uint_gt(len, LINE_LEN / 2);
	ck_assert_str_eq(output + len - 5, "x...\n");
	ck_assert_uint_eq(count_lines(output), 1);
}
END_TEST

START_TEST(log_long_escapes_stay_within_a_line)
{
	char text[2000];
	size_t len;

	memset(text, '\n', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	log_info("%s", text);
	len = strlen(read_all());
	ck_assert_uint_le(len, LINE_LEN);
	ck_assert_str_eq(output + len - 8, "\\x0a...\n");
}
END_TEST

START_TEST(log_errno_is_kept)
{
	struct log_limit limit = { 0 };

	close(STDERR_FILENO);
	errno = ENOTTY;
	log_info("x");
	ck_assert_int_eq(errno, ENOTTY);
	log_limited(&limit, LOG_LEVEL_INFO, "x");
	ck_assert_int_eq(errno, ENOTTY);
}
END_TEST

static void set_journal(unsigned long inode_offset)
{
	struct stat st;
	char text[64];

	ck_assert_int_eq(fstat(STDERR_FILENO, &st), 0);
	snprintf(text, sizeof(text), "%lu:%lu", (unsigned long)st.st_dev,
		 (unsigned long)st.st_ino + inode_offset);
	setenv("JOURNAL_STREAM", text, 1);
	log_init("prog", LOG_LEVEL_INFO);
}

START_TEST(log_journal_gets_the_priority)
{
	set_journal(0);
	log_warning("w");
	log_info("i");
	ck_assert_str_eq(read_all(), "<4>w\n<6>i\n");
}
END_TEST

START_TEST(log_journal_of_another_stream_is_not_ours)
{
	set_journal(1);
	log_warning("w");
	ck_assert_str_eq(read_all(), "prog: warning: w\n");
}
END_TEST

START_TEST(log_limited_says_how_many_were_suppressed)
{
	struct log_limit limit = { 0 };
	int i;

	for (i = 0; i < LOG_LIMIT_LINES + 3; i++)
		log_limited(&limit, LOG_LEVEL_INFO, "x");
	limit.window_ms = clock_now_ms() - LOG_LIMIT_WINDOW_MS;
	log_limited(&limit, LOG_LEVEL_INFO, "y");
	log_limited(&limit, LOG_LEVEL_INFO, "z");
	ck_assert_str_eq(read_all(),
			 "prog: x\nprog: x\nprog: x\nprog: x\nprog: x\n"
			 "prog: y (3 similar lines suppressed)\nprog: z\n");
}
END_TEST

START_TEST(log_limited_sites_do_not_share_a_limit)
{
	struct log_limit first = { 0 }, second = { 0 };
	int i;

	for (i = 0; i < LOG_LIMIT_LINES + 1; i++)
		log_limited(&first, LOG_LEVEL_INFO, "x");
	log_limited(&second, LOG_LEVEL_INFO, "y");
	ck_assert_uint_eq(count_lines(read_all()), LOG_LIMIT_LINES + 1);
}
END_TEST

START_TEST(log_writer_stop_drains_in_order)
{
	char expected[64], *line = output;
	int i;

	ck_assert_int_eq(log_start_writer(), 0);
	ck_assert_int_eq(log_start_writer(), -EBUSY);
	for (i = 0; i < RING_LINES / 2; i++)
		log_info("line %d", i);
	log_stop_writer();
	log_stop_writer();
	log_info("after");
	read_all();
	for (i = 0; i < RING_LINES / 2; i++) {
		snprintf(expected, sizeof(expected), "prog: line %d\n", i);
		ck_assert_int_eq(strncmp(line, expected, strlen(expected)), 0);
		line += strlen(expected);
	}
	ck_assert_str_eq(line, "prog: after\n");
}
END_TEST

/* Often enough for the ring to wrap. */
START_TEST(log_writer_can_start_again)
{
	int i, n = 0;

	while (n < 5 * RING_LINES / 2) {
		ck_assert_int_eq(log_start_writer(), 0);
		for (i = 0; i < RING_LINES / 2; i++)
			log_info("%d", n++);
		log_stop_writer();
	}
	ck_assert_uint_eq(count_lines(read_all()), (unsigned int)n);
	ck_assert_ptr_nonnull(strstr(output, "\nprog: 1024\nprog: 1025\n"));
}
END_TEST

/* read_all() of a pipe that is still written to. */
static void *read_until_closed(void *unused)
{
	size_t len = 0;
	ssize_t n;

	(void)unused;
	while ((n = read(reader, output + len, OUTPUT_LEN - 1 - len)) > 0)
		len += (size_t)n;
	output[len] = '\0';
	return NULL;
}

START_TEST(log_writer_full_ring_counts_the_lost)
{
	size_t junk = stall();
	pthread_t thread;
	int i;

	ck_assert_int_eq(log_start_writer(), 0);
	for (i = 0; i < RING_LINES + 7; i++)
		log_info("line");
	ck_assert_int_eq(pthread_create(&thread, NULL, read_until_closed,
					NULL), 0);
	log_stop_writer();
	dup2(saved_stderr, STDERR_FILENO);
	pthread_join(thread, NULL);
	ck_assert_uint_eq(count_lines(output + junk), RING_LINES + 1);
	ck_assert_ptr_nonnull(strstr(output + junk,
				     "\nprog: warning: 7 log lines lost\n"));
}
END_TEST

START_TEST(log_writer_stop_gives_up_a_stalled_stream)
{
	size_t junk = stall();
	uint64_t begin_ms;

	ck_assert_int_eq(log_start_writer(), 0);
	log_info("lost");
	begin_ms = clock_now_ms();
	log_stop_writer();
	log_info("lost");
	log_info("lost");
	ck_assert_uint_le(clock_now_ms() - begin_ms, 1500);
	/* When the stream takes lines again, they come. */
	ck_assert_int_eq(read(reader, output, OUTPUT_LEN), (ssize_t)junk);
	log_info("back");
	ck_assert_str_eq(read_all(), "prog: back\n");
}
END_TEST

static void *log_many(void *name)
{
	int i;

	for (i = 0; i < THREAD_LINES; i++)
		log_info("%s %d", (const char *)name, i);
	return NULL;
}

START_TEST(log_writer_many_threads_keep_lines_whole)
{
	static char names[THREADS][2] = { "0", "1", "2", "3" };
	int next[THREADS] = { 0 }, i, name, number;
	pthread_t threads[THREADS];
	char *line, *rest;

	ck_assert_int_eq(log_start_writer(), 0);
	for (i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, log_many,
						names[i]), 0);
	for (i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	log_stop_writer();
	read_all();
	for (line = strtok_r(output, "\n", &rest); line;
	     line = strtok_r(NULL, "\n", &rest)) {
		ck_assert_int_eq(sscanf(line, "prog: %d %d", &name, &number),
				 2);
		ck_assert_int_eq(number, next[name]++);
	}
	for (i = 0; i < THREADS; i++)
		ck_assert_int_eq(next[i], THREAD_LINES);
}
END_TEST

/* What is opened next must not get the lines. */
START_TEST(log_closed_standard_streams_are_filled)
{
	int fd;

	close(STDIN_FILENO);
	close(STDERR_FILENO);
	log_init("prog", LOG_LEVEL_INFO);
	fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	ck_assert_int_gt(fd, STDERR_FILENO);
	close(fd);
	ck_assert_int_ge(fcntl(STDIN_FILENO, F_GETFD), 0);
	ck_assert_int_ge(fcntl(STDERR_FILENO, F_GETFD), 0);
}
END_TEST

static Suite *log_suite(void)
{
	Suite *suite = suite_create("log");
	TCase *tcase = tcase_create("log");

	tcase_add_checked_fixture(tcase, redirect, restore);
	tcase_add_test(tcase, log_levels_have_a_word_only_where_it_matters);
	tcase_add_test(tcase, log_json_is_one_object_a_line);
	tcase_add_test(tcase, log_event_has_its_fields_in_json_alone);
	tcase_add_test(tcase, log_json_too_long_is_cut_and_still_whole);
	tcase_add_test(tcase, log_json_says_how_many_were_suppressed);
	tcase_add_test(tcase, log_hidden_level_writes_nothing);
	tcase_add_test(tcase, log_unprintable_bytes_are_escaped);
	tcase_add_test(tcase, log_long_line_is_cut_with_dots);
	tcase_add_test(tcase, log_long_escapes_stay_within_a_line);
	tcase_add_test(tcase, log_errno_is_kept);
	tcase_add_test(tcase, log_journal_gets_the_priority);
	tcase_add_test(tcase, log_journal_of_another_stream_is_not_ours);
	tcase_add_test(tcase, log_limited_says_how_many_were_suppressed);
	tcase_add_test(tcase, log_limited_sites_do_not_share_a_limit);
	tcase_add_test(tcase, log_closed_standard_streams_are_filled);
	tcase_add_test(tcase, log_writer_stop_drains_in_order);
	tcase_add_test(tcase, log_writer_can_start_again);
	tcase_add_test(tcase, log_writer_full_ring_counts_the_lost);
	tcase_add_test(tcase, log_writer_stop_gives_up_a_stalled_stream);
	tcase_add_test(tcase, log_writer_many_threads_keep_lines_whole);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	SRunner *runner = srunner_create(log_suite());
	int n_failed;

	srunner_run_all(runner, CK_ENV);
	n_failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return n_failed ? 1 : 0;
}
