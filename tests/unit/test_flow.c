/* SPDX-License-Identifier: MIT */
/*
 * The benchmark's judge of packets, against faults made on purpose: a hub that
 * loses, repeats, reorders or alters packets must not look like a good one.
 */
#include <check.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/perf/flow.h"

enum { LEN = 64, N_FLOWS = 2, MAX_PACKETS = 256 };

static struct flow flows[N_FLOWS];
static struct flow_check check;
static uint8_t stream[MAX_PACKETS * LEN];
static size_t stream_len;

static void write_packet(uint8_t *out, uint16_t sender, uint64_t sequence)
{
	flow_write(out, LEN, 0x0a000002U + sender, 0x0a000009, sender, 5);
	flow_set_sequence(out, sequence);
}

static void set_up(void)
{
	uint8_t packet[LEN];
	unsigned int i;

	for (i = 0; i < N_FLOWS; i++) {
		write_packet(packet, (uint16_t)i, 0);
		flow_init(&flows[i], packet);
	}
	check = (struct flow_check){
		.packet_len = LEN, .n_flows = N_FLOWS, .flows = flows,
	};
	stream_len = 0;
}

static uint8_t *append(uint16_t sender, uint64_t sequence)
{
	uint8_t *packet = stream + stream_len;

	write_packet(packet, sender, sequence);
	stream_len += LEN;
	return packet;
}

static void append_range(uint64_t from, uint64_t to)
{
	while (from < to)
		append(0, from++);
}

static void expect_all_read(void)
{
	ck_assert_uint_eq(flow_check(&check, stream, stream_len), stream_len);
}

START_TEST(flow_in_order_is_good)
{
	append_range(0, 40);
	append(1, 0);
	append(1, 1);
	expect_all_read();
	ck_assert_uint_eq(check.counts.packets, 42);
	ck_assert_uint_eq(check.counts.lost, 0);
	ck_assert_uint_eq(check.counts.corrupt, 0);
	ck_assert_uint_eq(check.counts.reordered, 0);
	ck_assert_uint_eq(check.counts.duplicate, 0);
}
END_TEST

START_TEST(flow_gap_is_lost)
{
	append_range(0, 3);
	append_range(7, 9);
	expect_all_read();
	ck_assert_uint_eq(check.counts.packets, 5);
	ck_assert_uint_eq(check.counts.lost, 4);
}
END_TEST

START_TEST(flow_late_packet_is_reordered_not_lost)
{
	append(0, 0);
	append(0, 2);
	append(0, 1);
	append(0, 3);
	expect_all_read();
	ck_assert_uint_eq(check.counts.packets, 4);
	ck_assert_uint_eq(check.counts.lost, 0);
	ck_assert_uint_eq(check.counts.reordered, 1);
	ck_assert_uint_eq(check.counts.duplicate, 0);
}
END_TEST

START_TEST(flow_repeated_packet_is_duplicate)
{
	append_range(0, 5);
	append(0, 2);
	append(0, 4);
	expect_all_read();
	ck_assert_uint_eq(check.counts.packets, 5);
	ck_assert_uint_eq(check.counts.duplicate, 2);
	ck_assert_uint_eq(check.counts.reordered, 0);
}
END_TEST

START_TEST(flow_after_long_gap_knows_late_from_repeated)
{
	append(0, 0);
	append(0, 63);
	append(0, 0);
	append(0, 1);
	append(0, 1);
	expect_all_read();
	ck_assert_uint_eq(check.counts.lost, 61);
	ck_assert_uint_eq(check.counts.duplicate, 2);
	ck_assert_uint_eq(check.counts.reordered, 1);
}
END_TEST

START_TEST(flow_altered_header_is_corrupt)
{
	append_range(0, 3);
	append(0, 3)[8]--;		/* time to live */
	append(0, 4)[19] ^= 1;		/* another destination */
	append(7, 0);			/* a sender there is none of */
	expect_all_read();
	ck_assert_uint_eq(check.counts.packets, 3);
	ck_assert_uint_eq(check.counts.corrupt, 3);
}
END_TEST

START_TEST(flow_absurd_sequence_is_corrupt_not_lost)
{
	append(0, 0);
	append(0, UINT64_C(1) << 40);
	append(0, 1);
	expect_all_read();
	ck_assert_uint_eq(check.counts.packets, 2);
	ck_assert_uint_eq(check.counts.lost, 0);
	ck_assert_uint_eq(check.counts.corrupt, 1);
}
END_TEST

START_TEST(flow_altered_payload_is_seen_by_sample)
{
	uint64_t i;

	for (i = 0; i < 2 * FLOW_SAMPLE; i++)
		append(0, i)[LEN - 1] ^= 0x80;
	expect_all_read();
	ck_assert_uint_eq(check.counts.corrupt, 2);
}
END_TEST

START_TEST(flow_payload_of_another_flow_is_corrupt)
{
	uint8_t *packet = append(0, 0), other[LEN];

	write_packet(other, 1, 0);
	memcpy(packet + FLOW_MIN_LEN, other + FLOW_MIN_LEN,
	       LEN - FLOW_MIN_LEN);
	expect_all_read();
	ck_assert_uint_eq(check.counts.corrupt, 1);
}
END_TEST

START_TEST(flow_other_message_is_foreign_and_skipped)
{
	append(0, 0);
	memset(stream + stream_len, 0, 48);
	stream[stream_len] = 0x45;
	stream[stream_len + 3] = 48;
	stream_len += 48;
	append(0, 1);
	append(0, 2);
	expect_all_read();
	ck_assert_uint_eq(check.counts.packets, 3);
	ck_assert_uint_eq(check.counts.foreign, 1);
	ck_assert_uint_eq(check.counts.corrupt, 0);
}
END_TEST

START_TEST(flow_half_foreign_message_waits_for_its_rest)
{
	memset(stream, 0, 100);
	stream[0] = 0x45;
	stream[3] = 100;
	stream_len = 100;
	append(0, 0);
	ck_assert_uint_eq(flow_check(&check, stream, 80), 0);
	ck_assert_uint_eq(check.counts.foreign, 0);
	expect_all_read();
	ck_assert_uint_eq(check.counts.foreign, 1);
	ck_assert_uint_eq(check.counts.packets, 1);
}
END_TEST

START_TEST(flow_shifted_stream_ends)
{
	append(0, 0)[0] = 0;
	ck_assert_uint_eq(flow_check(&check, stream, stream_len), SIZE_MAX);
	ck_assert_uint_eq(check.counts.corrupt, 1);
}
END_TEST

START_TEST(flow_cut_anywhere_counts_the_same)
{
	size_t cut, used;

	for (cut = 0; cut <= 4 * LEN; cut++) {
		set_up();
		append_range(0, 4);
		used = flow_check(&check, stream, cut);
		ck_assert_uint_le(used, cut);
		used += flow_check(&check, stream + used, stream_len - used);
		ck_assert_uint_eq(used, stream_len);
		ck_assert_uint_eq(check.counts.packets, 4);
		ck_assert_uint_eq(check.counts.lost, 0);
	}
}
END_TEST

static unsigned int seed;

static unsigned int pick(unsigned int n)
{
	seed = seed * 1103515245U + 12345U;
	return (seed >> 16) % n;
}

/* Naive: remember all that came. Nothing here is later than the window. */
START_TEST(flow_random_faults_match_naive_count)
{
	bool came[MAX_PACKETS * 4] = { false };
	uint64_t packets = 0, duplicate = 0, highest = 0, at;
	const char *text = getenv("SEED");
	unsigned int i;

	seed = text ? (unsigned int)strtoul(text, NULL, 10) : 20240917;
	printf("flow: SEED=%u\n", seed);
	append(0, 0);
	came[0] = true;
	packets = 1;
	for (i = 1; i < MAX_PACKETS; i++) {
		at = highest + 1 + pick(3);
		if (pick(4) == 0)
			at = highest - pick(highest < 60 ? (unsigned int)highest
					    + 1 : 60);
		append(0, at);
		packets += !came[at];
		duplicate += came[at];
		came[at] = true;
		highest = at > highest ? at : highest;
	}
	expect_all_read();
	ck_assert_uint_eq(check.counts.packets, packets);
	ck_assert_uint_eq(check.counts.duplicate, duplicate);
	ck_assert_uint_eq(check.counts.lost, highest + 1 - packets);
}
END_TEST

static Suite *flow_suite(void)
{
	Suite *suite = suite_create("flow");
	TCase *tcase = tcase_create("flow");

	tcase_add_checked_fixture(tcase, set_up, NULL);
	tcase_add_test(tcase, flow_in_order_is_good);
	tcase_add_test(tcase, flow_gap_is_lost);
	tcase_add_test(tcase, flow_late_packet_is_reordered_not_lost);
	tcase_add_test(tcase, flow_repeated_packet_is_duplicate);
	tcase_add_test(tcase, flow_after_long_gap_knows_late_from_repeated);
	tcase_add_test(tcase, flow_altered_header_is_corrupt);
	tcase_add_test(tcase, flow_absurd_sequence_is_corrupt_not_lost);
	tcase_add_test(tcase, flow_altered_payload_is_seen_by_sample);
	tcase_add_test(tcase, flow_payload_of_another_flow_is_corrupt);
	tcase_add_test(tcase, flow_other_message_is_foreign_and_skipped);
	tcase_add_test(tcase, flow_half_foreign_message_waits_for_its_rest);
	tcase_add_test(tcase, flow_shifted_stream_ends);
	tcase_add_test(tcase, flow_cut_anywhere_counts_the_same);
	tcase_add_test(tcase, flow_random_faults_match_naive_count);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	SRunner *runner = srunner_create(flow_suite());
	int failed;

	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
