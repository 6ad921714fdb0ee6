/* SPDX-License-Identifier: MIT */
/*
 * Tests of common/segment against a model that makes each segment on its own
 * and sums its checksums byte by byte.
 */
#include "common/segment.h"

#include <check.h>
#include <time.h>

#include "tests/unit/packets.h"

/* What a network card makes of a super-packet, as plainly as can be. */
static size_t naive_segments(const uint8_t *super, uint32_t len,
			     uint32_t each, uint8_t *out)
{
	uint32_t ip_len = (super[0] & 15U) * 4;
	bool tcp = super[9] == TCP;
	uint32_t header = ip_len + (tcp ? (super[ip_len + 12] >> 4) * 4U : 8);
	uint32_t payload = len - header, at = 0, n = 0;
	uint32_t sequence = get16(super + ip_len + 4) << 16 |
			    get16(super + ip_len + 6);
	uint8_t *p = out;

	do {
		uint32_t part = payload - at < each ?
				payload - at : each;

		memcpy(p, super, header);
		memcpy(p + header, super + header + at, part);
		put16(p + 2, header + part);
		put16(p + 4, (get16(super + 4) + n) & 0xffff);
		if (tcp) {
			put32(p + ip_len + 4, sequence + at);
			if (n > 0)
				p[ip_len + 13] &= 0xff - CWR;
			if (at + part < payload)
				p[ip_len + 13] &= 0xff - FIN - PSH;
		} else {
			put16(p + ip_len + 4, header - ip_len + part);
		}
		naive_checksums(p, header + part);
		p += header + part;
		at += part;
		n++;
	} while (at < payload);
	return (size_t)(p - out);
}

/* Make the packet of the spec and see that it is cut as the model cuts it. */
static void check_against_model(const struct spec *spec, uint32_t each)
{
	static uint8_t expected[16 * 1024 * 1024];
	uint8_t *data = malloc(MAX_PACKET);
	uint32_t len = spec_write(spec, data);
	struct packet packet = { data, len, (uint16_t)each, true };
	size_t size = naive_segments(data, len, each, expected);
	size_t at, n = 0, longest = 0;
	uint8_t *out;

	naive_partial(data, len);
	for (at = 0; at < size; at += get16(expected + at + 2), n++) {
		if (get16(expected + at + 2) > longest)
			longest = get16(expected + at + 2);
	}
	ck_assert(segment_check(&packet));
	ck_assert_uint_eq(segment_count(&packet), n);
	ck_assert_uint_eq(segment_max_len(&packet), longest);
	ck_assert_uint_eq(segment_size(&packet), size);
	out = malloc(size);	/* exactly, for the address sanitizer */
	ck_assert_uint_eq(segment_write(&packet, out), size);
	ck_assert_mem_eq(out, expected, size);
	free(out);
	free(data);
}

static bool check_spec(const struct spec *spec, uint32_t each, bool partial)
{
	static uint8_t data[MAX_PACKET];
	struct packet packet = { data, 0, (uint16_t)each, partial };

	packet.len = spec_write(spec, data);
	return segment_check(&packet);
}

START_TEST(segment_check_ordinary_takes_any_valid_packet)
{
	struct spec spec = spec_udp(100);

	ck_assert(check_spec(&spec, 0, false));
	spec.fragment = MF | 7;
	spec.protocol = 47;
	ck_assert(check_spec(&spec, 0, false));
}
END_TEST

START_TEST(segment_check_invalid_header_is_refused)
{
	uint8_t data[200];
	struct spec spec = spec_tcp(100);
	struct packet packet = { data, spec_write(&spec, data), 0, true };

	ck_assert(segment_check(&packet));
	packet.len--;
	ck_assert(!segment_check(&packet));
	packet.len = 0;
	ck_assert(!segment_check(&packet));
	packet.len = spec_write(&spec, data);
	data[0] = 0x44;
	ck_assert(!segment_check(&packet));
	data[0] = 0x65;
	ck_assert(!segment_check(&packet));
}
END_TEST

START_TEST(segment_check_fragment_is_refused)
{
	struct spec spec = spec_udp(100);

	ck_assert(check_spec(&spec, 50, true));
	spec.fragment = MF;
	ck_assert(!check_spec(&spec, 0, true));
	ck_assert(!check_spec(&spec, 50, true));
	spec.fragment = 1;
	ck_assert(!check_spec(&spec, 0, true));
	spec.fragment = DF | 0x1000;
	ck_assert(!check_spec(&spec, 50, true));
}
END_TEST

START_TEST(segment_check_other_protocol_is_refused)
{
	struct spec spec = spec_udp(100);

	spec.protocol = 1;
	ck_assert(!check_spec(&spec, 0, true));
	ck_assert(!check_spec(&spec, 50, true));
}
END_TEST

START_TEST(segment_check_cut_transport_header_is_refused)
{
	uint8_t data[80];
	struct spec spec = spec_tcp(0);
	struct packet packet = { data, 0, 100, true };
	uint32_t len;

	spec.tcp_options = 40;
	spec_write(&spec, data);
	for (len = 20; len < 80; len++) {
		put16(data + 2, len);
		packet.len = len;
		ck_assert(!segment_check(&packet));
	}
	put16(data + 2, 80);
	packet.len = 80;
	ck_assert(segment_check(&packet));
	data[20 + 12] = 0x40;	/* 16 bytes of header */
	ck_assert(!segment_check(&packet));
}
END_TEST

START_TEST(segment_check_udp_length_that_lies_is_refused)
{
	uint8_t data[100];
	struct spec spec = spec_udp(50);
	struct packet packet = { data, spec_write(&spec, data), 20, true };

	put16(data + 24, 57);
	ck_assert(!segment_check(&packet));
	put16(data + 24, 59);
	ck_assert(!segment_check(&packet));
	put16(data + 24, 58);
	ck_assert(segment_check(&packet));
	put16(data + 2, 27);
	put16(data + 24, 7);
	packet.len = 27;
	ck_assert(!segment_check(&packet));
}
END_TEST

START_TEST(segment_check_segment_size_needs_partial_checksum)
{
	struct spec spec = spec_tcp(100);

	ck_assert(!check_spec(&spec, 50, false));
	ck_assert(check_spec(&spec, 50, true));
}
END_TEST

START_TEST(segment_check_tiny_segments_are_refused)
{
	struct spec tcp = spec_tcp(1000), udp = spec_udp(128);

	ck_assert(!check_spec(&tcp, 7, true));
	ck_assert(check_spec(&tcp, 8, true));
	ck_assert(check_spec(&udp, 1, true));
	udp.payload_len = 129;
	ck_assert(!check_spec(&udp, 1, true));
	ck_assert(check_spec(&udp, 2, true));
}
END_TEST

START_TEST(segment_tcp_flags_go_where_they_belong)
{
	struct spec spec = spec_tcp(2500);

	spec.flags = (uint8_t)_i;
	spec.urgent = 9;
	check_against_model(&spec, 1000);
}
END_TEST

START_TEST(segment_sizes_around_the_payload_match_model)
{
	static const uint32_t sizes[] = {
		8, 9, 99, 100, 101, 199, 200, 201, 1448, 65535
	};
	struct spec tcp = spec_tcp((uint32_t)_i), udp = spec_udp((uint32_t)_i);
	size_t i;

	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		check_against_model(&tcp, sizes[i]);
		check_against_model(&udp, sizes[i]);
	}
}
END_TEST

START_TEST(segment_options_are_copied_to_each)
{
	struct spec spec = spec_tcp(5001);

	for (spec.ip_options = 0; spec.ip_options <= 40; spec.ip_options += 4) {
		spec.tcp_options = (uint8_t)(40 - spec.ip_options);
		spec.protocol = TCP;
		check_against_model(&spec, 1400);
		spec.protocol = UDP;
		check_against_model(&spec, 1400);
	}
}
END_TEST

START_TEST(segment_longest_packet_matches_model)
{
	struct spec tcp = spec_tcp(MAX_PACKET - 52);
	struct spec udp = spec_udp(MAX_PACKET - 28);

	check_against_model(&tcp, 1448);
	check_against_model(&tcp, 8);
	check_against_model(&udp, 1472);
	check_against_model(&udp, MAX_PACKET);
}
END_TEST

START_TEST(segment_identification_wraps_and_ignores_df)
{
	struct spec spec = spec_tcp(10000);

	spec.id = 0xfffe;
	check_against_model(&spec, 1000);
	spec.fragment = 0;
	check_against_model(&spec, 1000);
	spec.fragment = 0x8000;
	check_against_model(&spec, 1000);
}
END_TEST

/*
 * Make the last two bytes of a segment's payload such that its checksum comes
 * out as 0, which UDP must send as 0xffff, and TCP as it is.
 */
static void check_zero_checksum(uint8_t protocol, uint32_t expected)
{
	uint8_t data[200], out[400];
	struct spec spec = spec_tcp(40);
	struct packet packet = { data, 0, 20, true };
	uint32_t field = protocol == TCP ? 16 : 6, header, sum;

	spec.protocol = protocol;
	spec.tcp_options = 0;
	packet.len = spec_write(&spec, data);
	header = packet.len - 40;
	put16(data + header + 18, 0);
	naive_segments(data, packet.len, 20, out);
	put16(out + 20 + field, 0);
	sum = naive_sum(out + 20, header, naive_pseudo(out, header));
	put16(data + header + 18, 0xffff - sum);
	segment_write(&packet, out);
	ck_assert_uint_eq(get16(out + 20 + field), expected);
	/* The same for a packet that is not cut. */
	packet = (struct packet){ out, header + 20, 0, true };
	put16(out + 20 + field, 0x1234);
	segment_finish_checksum(&packet);
	ck_assert_uint_eq(get16(out + 20 + field), expected);
	ck_assert(!packet.checksum_partial);
}

START_TEST(segment_zero_checksum_is_sent_as_ones_by_udp_alone)
{
	check_zero_checksum(UDP, 0xffff);
	check_zero_checksum(TCP, 0);
}
END_TEST

START_TEST(segment_partial_checksum_is_completed)
{
	uint8_t data[200], expected[200], out[200];
	struct spec spec = _i ? spec_tcp(101) : spec_udp(101);
	struct packet packet = { data, 0, 0, true };

	spec.ip_options = 8;
	packet.len = spec_write(&spec, data);
	memcpy(expected, data, packet.len);
	naive_partial(data, packet.len);
	ck_assert_mem_ne(data, expected, packet.len);
	ck_assert_uint_eq(segment_size(&packet), packet.len);
	ck_assert_uint_eq(segment_write(&packet, out), packet.len);
	ck_assert_mem_eq(out, expected, packet.len);
	ck_assert(packet.checksum_partial);
	segment_finish_checksum(&packet);
	ck_assert_mem_eq(data, expected, packet.len);
	ck_assert(!packet.checksum_partial);
}
END_TEST

START_TEST(segment_ordinary_packet_is_copied_as_it_is)
{
	uint8_t data[200], out[200];
	struct spec spec = spec_tcp(100);
	struct packet packet = { data, spec_write(&spec, data), 0, false };

	data[36] ^= 1;	/* a wrong checksum stays so */
	ck_assert_uint_eq(segment_count(&packet), 1);
	ck_assert_uint_eq(segment_max_len(&packet), packet.len);
	ck_assert_uint_eq(segment_size(&packet), packet.len);
	ck_assert_uint_eq(segment_write(&packet, out), packet.len);
	ck_assert_mem_eq(out, data, packet.len);
}
END_TEST

START_TEST(segment_random_packets_match_model)
{
	uint64_t state = seed_from_environment("segment",
					       (uint64_t)time(NULL));
	struct spec spec;
	uint32_t size;
	int i;

	for (i = 0; i < 400; i++) {
		spec = spec_tcp(next_random(&state, 9000));
		spec.protocol = next_random(&state, 2) ? TCP : UDP;
		spec.flags = (uint8_t)next_random(&state, 256);
		spec.tos = (uint8_t)next_random(&state, 256);
		spec.id = (uint16_t)next_random(&state, 65536);
		spec.fragment = (uint16_t)(next_random(&state, 4) << 14);
		spec.ip_options = (uint8_t)(next_random(&state, 11) * 4);
		spec.tcp_options = (uint8_t)(next_random(&state, 11) * 4);
		spec.sequence = next_random(&state, UINT32_MAX);
		spec.source = next_random(&state, UINT32_MAX);
		spec.fill = next_random(&state, UINT32_MAX);
		size = 75 + next_random(&state, 2000);
		check_against_model(&spec, size);
	}
}
END_TEST

static Suite *segment_suite(void)
{
	Suite *suite = suite_create("segment");
	TCase *tc = tcase_create("segment");

	tcase_add_test(tc, segment_check_ordinary_takes_any_valid_packet);
	tcase_add_test(tc, segment_check_invalid_header_is_refused);
	tcase_add_test(tc, segment_check_fragment_is_refused);
	tcase_add_test(tc, segment_check_other_protocol_is_refused);
	tcase_add_test(tc, segment_check_cut_transport_header_is_refused);
	tcase_add_test(tc, segment_check_udp_length_that_lies_is_refused);
	tcase_add_test(tc, segment_check_segment_size_needs_partial_checksum);
	tcase_add_test(tc, segment_check_tiny_segments_are_refused);
	tcase_add_loop_test(tc, segment_tcp_flags_go_where_they_belong,
			    0, 256);
	tcase_add_loop_test(tc, segment_sizes_around_the_payload_match_model,
			    195, 205);
	tcase_add_loop_test(tc, segment_sizes_around_the_payload_match_model,
			    0, 3);
	tcase_add_test(tc, segment_options_are_copied_to_each);
	tcase_add_test(tc, segment_longest_packet_matches_model);
	tcase_add_test(tc, segment_identification_wraps_and_ignores_df);
	tcase_add_test(tc, segment_zero_checksum_is_sent_as_ones_by_udp_alone);
	tcase_add_loop_test(tc, segment_partial_checksum_is_completed, 0, 2);
	tcase_add_test(tc, segment_ordinary_packet_is_copied_as_it_is);
	tcase_add_test(tc, segment_random_packets_match_model);
	suite_add_tcase(suite, tc);
	return suite;
}

int main(void)
{
	SRunner *runner = srunner_create(segment_suite());
	int n_failed;

	srunner_run_all(runner, CK_ENV);
	n_failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return n_failed == 0 ? 0 : 1;
}
