/* SPDX-License-Identifier: MIT */
/* Tests of client/dnsmsg: answers good, wrong, cut short and made up. */
#include "client/dnsmsg.h"

#include <check.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { ID = 0x1234 };

static uint8_t query[DNSMSG_MAX_QUERY], answer[DNSMSG_MAX_ANSWER];
static size_t query_len, answer_len;
static uint32_t address;

static void ask(const char *name)
{
	query_len = dnsmsg_write_query(query, ID, name);
	ck_assert_uint_gt(query_len, 0);
	memcpy(answer, query, query_len);
	answer[2] |= 0x80;
	answer_len = query_len;
	address = 0;
}

/* One more record, its name a pointer to the question's. */
static void add_record(uint8_t type, const void *data, uint8_t len)
{
	const uint8_t head[] = { 0xc0, 12, 0, type, 0, 1, 0, 0, 0, 60, 0, len };

	memcpy(answer + answer_len, head, sizeof(head));
	memcpy(answer + answer_len + sizeof(head), data, len);
	answer_len += sizeof(head) + len;
	answer[7]++;
}

/* In memory of just that size, for the sanitizer to watch. */
static bool read_cut(size_t len)
{
	uint8_t *exact = malloc(len + (len == 0));
	bool good;

	memcpy(exact, answer, len);
	good = dnsmsg_read_answer(exact, len, query, query_len, &address);
	free(exact);
	return good;
}

START_TEST(dnsmsg_query_is_as_the_rfc_has_it)
{
	static const uint8_t want[] = {
		0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0,
		3, 'h', 'u', 'b', 2, 'a', 'b', 0, 0, 1, 0, 1,
	};

	ask("hub.ab");
	ck_assert_uint_eq(query_len, sizeof(want));
	ck_assert_mem_eq(query, want, sizeof(want));
	ask("hub.ab.");
	ck_assert_uint_eq(query_len, sizeof(want));
}
END_TEST

START_TEST(dnsmsg_query_of_no_name_is_refused)
{
	char text[300];

	ck_assert_uint_eq(dnsmsg_write_query(query, ID, ""), 0);
	ck_assert_uint_eq(dnsmsg_write_query(query, ID, "."), 0);
	ck_assert_uint_eq(dnsmsg_write_query(query, ID, "a..b"), 0);
	memset(text, 'a', sizeof(text));
	text[64] = '\0';
	ck_assert_uint_eq(dnsmsg_write_query(query, ID, text), 0);
	text[63] = '\0';
	ck_assert_uint_gt(dnsmsg_write_query(query, ID, text), 0);
	memset(text, 'a', sizeof(text));
	text[63] = text[127] = text[191] = '.';
	text[254] = '\0';
	ck_assert_uint_eq(dnsmsg_write_query(query, ID, text), 0);
	text[253] = '\0';
	ck_assert_uint_eq(dnsmsg_write_query(query, ID, text),
			  DNSMSG_MAX_QUERY);
}
END_TEST

START_TEST(dnsmsg_first_address_behind_an_alias_is_read)
{
	ask("hub.example");
	add_record(5, "\3abc\300\20", 6);
	add_record(1, "\300\0\2\7", 4);
	add_record(1, "\300\0\2\10", 4);
	ck_assert(read_cut(answer_len));
	ck_assert_uint_eq(address, 0xc0000207);
}
END_TEST

START_TEST(dnsmsg_answer_cut_anywhere_is_refused)
{
	size_t len;

	ask("hub.example");
	add_record(5, "\3abc\300\20", 6);
	add_record(1, "\300\0\2\7", 4);
	for (len = 0; len < answer_len; len++)
		ck_assert(!read_cut(len));
	ck_assert_uint_eq(address, 0);
}
END_TEST

START_TEST(dnsmsg_answer_to_another_question_is_refused)
{
	static const size_t changed[] = { 0, 1, 2, 3, 5, 13, 24 };
	size_t i;

	for (i = 0; i < sizeof(changed) / sizeof(changed[0]); i++) {
		ask("hub.example");
		add_record(1, "\300\0\2\7", 4);
		answer[changed[i]] ^= changed[i] == 2 ? 0x80 : 0x02;
		ck_assert_msg(!read_cut(answer_len), "byte %zu", changed[i]);
	}
}
END_TEST

START_TEST(dnsmsg_answer_without_an_address_is_none)
{
	ask("hub.example");
	ck_assert(!read_cut(answer_len));
	add_record(28, "0123456789abcdef", 16);
	ck_assert(!read_cut(answer_len));
	add_record(1, "\300\0\2", 3);
	ck_assert(!read_cut(answer_len));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("dnsmsg");
	TCase *tcase = tcase_create("dnsmsg");
	SRunner *runner;
	int failed;

	tcase_add_test(tcase, dnsmsg_query_is_as_the_rfc_has_it);
	tcase_add_test(tcase, dnsmsg_query_of_no_name_is_refused);
	tcase_add_test(tcase, dnsmsg_first_address_behind_an_alias_is_read);
	tcase_add_test(tcase, dnsmsg_answer_cut_anywhere_is_refused);
	tcase_add_test(tcase, dnsmsg_answer_to_another_question_is_refused);
	tcase_add_test(tcase, dnsmsg_answer_without_an_address_is_none);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
