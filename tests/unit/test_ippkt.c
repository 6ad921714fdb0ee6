/* SPDX-License-Identifier: MIT */
/* Tests of IPv4 header checks, checksums and the ICMP messages. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "proto/ippkt.h"
#include "tests/unit/proto_test.h"

enum { PING_LEN = 32 };

/* From docs/protocol.md: 10.0.0.2 pings 10.0.0.7. */
static const char ping_hex[] = "4500 0020 1234 4000 4001 14a1 0a000002 0a000007"
			       "0800 f3f7 0001 0001 01020304";

/* RFC 1071 as it reads: 16 bits at a time, big-endian, carry at once. */
static uint16_t naive_sum(const uint8_t *data, size_t len)
{
	uint32_t sum = 0;
	size_t i;

	for (i = 0; i < len; i++) {
		sum += i % 2 == 0 ? data[i] * 256U : data[i];
		if (sum > 0xffff)
			sum -= 0xffff;
	}
	return (uint16_t)sum;
}

static void make_ping(uint8_t packet[PING_LEN])
{
	ck_assert_uint_eq(from_hex(ping_hex, packet, PING_LEN), PING_LEN);
}

/* Make the checksums right again after a test has changed the packet. */
static void repair(uint8_t *packet, size_t len)
{
	size_t header_len = packet[0] % 16 * 4U;
	uint16_t sum;

	memset(packet + 10, 0, 2);
	sum = (uint16_t)~naive_sum(packet, header_len);
	packet[10] = (uint8_t)(sum >> 8);
	packet[11] = (uint8_t)sum;
	memset(packet + header_len + 2, 0, 2);
	sum = (uint16_t)~naive_sum(packet + header_len, len - header_len);
	packet[header_len + 2] = (uint8_t)(sum >> 8);
	packet[header_len + 3] = (uint8_t)sum;
}

START_TEST(ippkt_sum_of_any_length_agrees_with_naive)
{
	uint64_t seed = random_seed("ippkt_sum");
	uint8_t data[320];
	size_t offset, len;

	random_fill(&seed, data, sizeof(data));
	for (offset = 0; offset < 8; offset++)
		for (len = 0; len <= 300; len++)
			if (ippkt_fold(ippkt_sum(data + offset, len, 0)) !=
			    naive_sum(data + offset, len))
				ck_abort_msg("offset %zu, %zu bytes", offset,
					     len);
}
END_TEST

START_TEST(ippkt_sum_in_even_pieces_agrees_with_whole)
{
	uint64_t seed = random_seed("ippkt_sum_in_pieces"), sum;
	uint8_t data[1500];
	size_t at, n, round;

	for (round = 0; round < 500; round++) {
		random_fill(&seed, data, sizeof(data));
		sum = 0;
		for (at = 0; at < sizeof(data); at += n) {
			n = 2 * random_below(&seed, 100);
			if (n > sizeof(data) - at)
				n = sizeof(data) - at;
			sum = ippkt_sum(data + at, n, sum);
		}
		ck_assert_uint_eq(ippkt_fold(sum),
				  naive_sum(data, sizeof(data)));
	}
}
END_TEST

START_TEST(ippkt_sum_of_all_ones_loses_no_carry)
{
	static uint8_t data[65535];

	memset(data, 0xff, sizeof(data));
	ck_assert_uint_eq(ippkt_fold(ippkt_sum(data, 65534, 0)), 0xffff);
	ck_assert_uint_eq(ippkt_fold(ippkt_sum(data, 65535, 0)), 0xff00);
	ck_assert_uint_eq(ippkt_fold(UINT64_MAX), 0xffff);
	ck_assert_uint_eq(ippkt_fold(0x1ffff), 1);
	ck_assert_uint_eq(ippkt_fold(0), 0);
}
END_TEST

START_TEST(ippkt_pseudo_sum_is_the_sum_of_the_pseudo_header)
{
	uint8_t pseudo[12] = { 192, 168, 255, 254, 10, 1, 2, 3, 0, 17, 0x12,
			       0x34 };
	uint8_t packet[20] = { 0x45, [9] = 17 };

	memcpy(packet + 12, pseudo, 8);
	ck_assert_uint_eq(ippkt_fold(ippkt_pseudo_sum(packet, 0x1234)),
			  naive_sum(pseudo, sizeof(pseudo)));
}
END_TEST

START_TEST(ippkt_header_checksum_covers_options_and_no_payload)
{
	uint8_t packet[64];
	uint64_t seed = random_seed("ippkt_header_checksum");

	random_fill(&seed, packet, sizeof(packet));
	packet[0] = 0x4f;
	ippkt_set_header_checksum(packet);
	ck_assert_uint_eq(naive_sum(packet, 60), 0xffff);
	packet[0] = 0x45;
	ippkt_set_header_checksum(packet);
	ck_assert_uint_eq(naive_sum(packet, 20), 0xffff);
}
END_TEST

START_TEST(ippkt_valid_agrees_with_every_rule)
{
	uint8_t packet[64] = { 0 };
	unsigned int first, total, len;
	bool valid;

	for (first = 0; first < 256; first++)
		for (total = 0; total <= 64; total++)
			for (len = 0; len <= 64; len++) {
				packet[0] = (uint8_t)first;
				packet[3] = (uint8_t)total;
				valid = first / 16 == 4 && first % 16 >= 5 &&
					len >= 20 && total == len &&
					first % 16 * 4 <= total;
				if (ippkt_valid(packet, len) != valid)
					ck_abort_msg("%02x %u %u", first,
						     total, len);
			}
}
END_TEST

START_TEST(ippkt_fields_are_read_from_their_places)
{
	uint8_t packet[PING_LEN];

	make_ping(packet);
	ck_assert_uint_eq(ippkt_header_len(packet), 20);
	ck_assert_uint_eq(ippkt_total_len(packet), 32);
	ck_assert_uint_eq(ippkt_fragment(packet), IPPKT_FLAG_DF);
	ck_assert_uint_eq(ippkt_source(packet), 0x0a000002);
	ck_assert_uint_eq(ippkt_destination(packet), 0x0a000007);
}
END_TEST

START_TEST(ippkt_echo_request_becomes_reply_with_good_checksums)
{
	uint8_t packet[PING_LEN], request[PING_LEN];

	make_ping(packet);
	make_ping(request);
	ck_assert(ippkt_make_echo_reply(packet, PING_LEN));
	ck_assert_uint_eq(ippkt_source(packet), 0x0a000007);
	ck_assert_uint_eq(ippkt_destination(packet), 0x0a000002);
	ck_assert_uint_eq(packet[20], 0);
	ck_assert_uint_eq(naive_sum(packet, 20), 0xffff);
	ck_assert_uint_eq(naive_sum(packet + 20, 12), 0xffff);
	ck_assert_mem_eq(packet + 24, request + 24, 8);
}
END_TEST

START_TEST(ippkt_echo_request_with_ip_options_keeps_them)
{
	uint8_t packet[PING_LEN + 4], ping[PING_LEN];

	make_ping(ping);
	memcpy(packet, ping, 20);
	memcpy(packet + 20, "\1\1\1", 4);
	memcpy(packet + 24, ping + 20, 12);
	packet[0] = 0x46;
	packet[3] = sizeof(packet);
	repair(packet, sizeof(packet));
	ck_assert(ippkt_make_echo_reply(packet, sizeof(packet)));
	ck_assert_uint_eq(packet[24], 0);
	ck_assert_uint_eq(naive_sum(packet, 24), 0xffff);
	ck_assert_uint_eq(naive_sum(packet + 24, 12), 0xffff);
}
END_TEST

/* Changes that make the ping no valid echo request from host to host. */
static const struct {
	size_t at;
	uint8_t value;
	bool repaired;		/* checksums made right afterwards */
} no_request[] = {
	{ 9, IPPKT_UDP, true },
	{ 6, 0x20, true },	/* more fragments */
	{ 7, 1, true },		/* a later fragment */
	{ 20, 0, true },	/* a reply */
	{ 20, 13, true },	/* a timestamp request */
	{ 21, 1, true },	/* echo with a code */
	{ 12, 224, true },	/* from multicast */
	{ 12, 0, true },
	{ 16, 239, true },	/* to multicast */
	{ 16, 255, true },
	{ 16, 127, true },
	{ 8, 63, false },	/* bad header checksum */
	{ 31, 5, false },	/* bad ICMP checksum */
	{ 0, 0x47, true },	/* no room for the ICMP header */
	{ 0, 0x65, false },
	{ 3, 31, true },
};

START_TEST(ippkt_anything_else_gets_no_echo_reply)
{
	uint8_t packet[PING_LEN], before[PING_LEN];

	make_ping(packet);
	packet[no_request[_i].at] = no_request[_i].value;
	if (no_request[_i].repaired)
		repair(packet, PING_LEN);
	memcpy(before, packet, PING_LEN);
	ck_assert(!ippkt_make_echo_reply(packet, PING_LEN));
	ck_assert_mem_eq(packet, before, PING_LEN);
}
END_TEST

START_TEST(ippkt_icmp_error_quotes_the_offender)
{
	uint8_t out[IPPKT_ICMP_ERROR_MAX], offender[PING_LEN];
	size_t len;

	make_ping(offender);
	len = ippkt_write_icmp_error(out, IPPKT_HOST_UNREACHABLE, 0x0a000001,
				     1500, offender, PING_LEN);
	ck_assert_uint_eq(len, 28 + PING_LEN);
	ck_assert(ippkt_valid(out, len));
	ck_assert_uint_eq(ippkt_source(out), 0x0a000001);
	ck_assert_uint_eq(ippkt_destination(out), 0x0a000002);
	ck_assert_uint_eq(out[9], IPPKT_ICMP);
	ck_assert_uint_eq(out[20], 3);
	ck_assert_uint_eq(out[21], 1);
	ck_assert_uint_eq(load_be32(out + 24), 0);
	ck_assert_uint_eq(naive_sum(out, 20), 0xffff);
	ck_assert_uint_eq(naive_sum(out + 20, len - 20), 0xffff);
	ck_assert_mem_eq(out + 28, offender, PING_LEN);
}
END_TEST

START_TEST(ippkt_icmp_error_about_size_tells_the_mtu_and_stays_short)
{
	uint8_t out[IPPKT_ICMP_ERROR_MAX];
	uint8_t offender[9000] = { 0x45, 0, 9000 / 256, 9000 % 256, [9] = 17 };
	size_t len;

	store_be32(offender + 12, 0x0a000002);
	store_be32(offender + 16, 0x0a000007);
	offender[21] = 77;
	len = ippkt_write_icmp_error(out, IPPKT_FRAGMENTATION_NEEDED,
				     0x0a000001, 1400, offender,
				     sizeof(offender));
	ck_assert_uint_eq(len, IPPKT_ICMP_ERROR_MAX);
	ck_assert(ippkt_valid(out, len));
	ck_assert_uint_eq(out[21], 4);
	ck_assert_uint_eq(load_be16(out + 24), 0);
	ck_assert_uint_eq(load_be16(out + 26), 1400);
	ck_assert_uint_eq(naive_sum(out + 20, len - 20), 0xffff);
	ck_assert_mem_eq(out + 28, offender, IPPKT_ICMP_ERROR_MAX - 28);
}
END_TEST

/* RFC 1812 4.3.2.7; all but the last rows forbid an error. */
static const struct {
	size_t at;
	uint8_t value;
	bool allowed;
} offenders[] = {
	{ 20, 3, false },	/* ICMP errors */
	{ 20, 4, false },
	{ 20, 5, false },
	{ 20, 11, false },
	{ 20, 12, false },
	{ 7, 1, false },	/* a later fragment */
	{ 6, 0x1f, false },
	{ 12, 0, false },	/* from no host */
	{ 12, 127, false },
	{ 12, 224, false },
	{ 12, 255, false },
	{ 16, 0, false },	/* to no host */
	{ 16, 127, false },
	{ 16, 224, false },
	{ 16, 240, false },
	{ 16, 255, false },
	{ 0, 0x48, false },	/* ICMP without a type */
	{ 20, 0, true },
	{ 20, 13, true },
	{ 6, 0x20, true },	/* the first fragment */
	{ 12, 223, true },
	{ 9, 6, true },
};

START_TEST(ippkt_icmp_error_is_sent_where_the_rfc_allows)
{
	uint8_t out[IPPKT_ICMP_ERROR_MAX], offender[PING_LEN];
	size_t len;

	make_ping(offender);
	offender[offenders[_i].at] = offenders[_i].value;
	len = ippkt_write_icmp_error(out, IPPKT_HOST_UNREACHABLE, 0x0a000001,
				     0, offender, PING_LEN);
	ck_assert_int_eq(len != 0, offenders[_i].allowed);
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_add_test(tcase, ippkt_sum_of_any_length_agrees_with_naive);
	tcase_add_test(tcase, ippkt_sum_in_even_pieces_agrees_with_whole);
	tcase_add_test(tcase, ippkt_sum_of_all_ones_loses_no_carry);
	tcase_add_test(tcase,
		ippkt_pseudo_sum_is_the_sum_of_the_pseudo_header);
	tcase_add_test(tcase,
		ippkt_header_checksum_covers_options_and_no_payload);
	tcase_add_test(tcase, ippkt_valid_agrees_with_every_rule);
	tcase_add_test(tcase, ippkt_fields_are_read_from_their_places);
	tcase_add_test(tcase,
		ippkt_echo_request_becomes_reply_with_good_checksums);
	tcase_add_test(tcase, ippkt_echo_request_with_ip_options_keeps_them);
	tcase_add_loop_test(tcase, ippkt_anything_else_gets_no_echo_reply, 0,
			    sizeof(no_request) / sizeof(no_request[0]));
	tcase_add_test(tcase, ippkt_icmp_error_quotes_the_offender);
	tcase_add_test(tcase,
		ippkt_icmp_error_about_size_tells_the_mtu_and_stays_short);
	tcase_add_loop_test(tcase,
			    ippkt_icmp_error_is_sent_where_the_rfc_allows, 0,
			    sizeof(offenders) / sizeof(offenders[0]));
}

int main(void)
{
	Suite *suite = suite_create("ippkt");
	TCase *tcase = tcase_create("ippkt");
	SRunner *runner = srunner_create(suite);
	int failed;

	add_tests(tcase);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
