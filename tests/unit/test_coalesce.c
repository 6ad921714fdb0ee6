/* SPDX-License-Identifier: MIT */
/*
 * Tests of common/coalesce: what is joined, what is not, and that everything
 * comes apart again into the bytes that went in.
 */
#include "common/coalesce.h"

#include <check.h>
#include <time.h>

#include "tests/unit/packets.h"

static uint8_t *bytes;		/* of the batch; one packet after the other */
static size_t n_bytes;
static struct packet batch[COALESCE_MAX_PACKETS];
static size_t n;
static struct coalesce *c;

static void set_up(void)
{
	bytes = malloc(COALESCE_MAX_PACKETS * 2048);
	n_bytes = 0;
	n = 0;
	c = coalesce_new(true, true);
	ck_assert_ptr_nonnull(c);
}

static void tear_down(void)
{
	coalesce_free(c);
	free(bytes);
}

/* Put a packet into the batch; returns its bytes. */
static uint8_t *add(const struct spec *spec)
{
	uint8_t *data = bytes + n_bytes;
	uint32_t len = spec_write(spec, data);

	batch[n++] = (struct packet){ data, len, 0, false };
	n_bytes += len;
	return data;
}

/* The same, and the spec becomes that of the packet that follows on it. */
static uint8_t *add_next(struct spec *spec)
{
	uint8_t *data = add(spec);

	spec->id++;
	spec->fill++;
	if (spec->protocol == TCP)
		spec->sequence += spec->payload_len;
	return data;
}

/* How many writes the batch takes; all of it must come apart again. */
static size_t n_writes(void)
{
	size_t n_items;

	ck_assert(round_trip(c, batch, n, &n_items));
	n = 0;
	n_bytes = 0;
	return n_items;
}

START_TEST(coalesce_empty_batch_gives_nothing)
{
	ck_assert_uint_eq(n_writes(), 0);
}
END_TEST

START_TEST(coalesce_consecutive_tcp_becomes_one_super_packet)
{
	struct spec spec = spec_tcp(1000);
	struct coalesce_item *items;
	uint8_t *first = add_next(&spec), expected[52];

	add_next(&spec);
	spec.payload_len = 500;
	spec.flags = ACK | PSH;
	add_next(&spec);
	memcpy(expected, first, 52);
	put16(expected + 2, 52 + 2500);
	naive_ip_checksum(expected);
	expected[33] = ACK | PSH;
	naive_partial(expected, 52 + 2500);

	ck_assert_uint_eq(coalesce_run(c, batch, n, &items), 1);
	ck_assert_ptr_eq(items[0].packet.data, first);
	ck_assert_uint_eq(items[0].packet.len, 52 + 2500);
	ck_assert_uint_eq(items[0].packet.segment_size, 1000);
	ck_assert(items[0].packet.checksum_partial);
	ck_assert_uint_eq(items[0].n_packets, 3);
	ck_assert_int_eq(items[0].n_iov, 4);
	ck_assert_mem_eq(first, expected, 52);
	/* Payloads are where they were. */
	ck_assert_ptr_eq(items[0].iov[1].iov_base, first);
	ck_assert_uint_eq(items[0].iov[1].iov_len, 1052);
	ck_assert_ptr_eq(items[0].iov[2].iov_base, batch[1].data + 52);
	ck_assert_uint_eq(items[0].iov[2].iov_len, 1000);
	ck_assert_uint_eq(items[0].iov[3].iov_len, 500);
}
END_TEST

START_TEST(coalesce_udp_becomes_one_super_packet)
{
	struct spec spec = spec_udp(1000);
	struct coalesce_item *items;
	uint8_t *first = add_next(&spec);

	add_next(&spec);
	ck_assert_uint_eq(coalesce_run(c, batch, n, &items), 1);
	ck_assert_uint_eq(items[0].packet.len, 28 + 2000);
	ck_assert_uint_eq(items[0].packet.segment_size, 1000);
	ck_assert_uint_eq(get16(first + 24), 2008);
	ck_assert_uint_eq(get16(first + 26), naive_pseudo(first, 2008));
}
END_TEST

/* Ways in which a second packet differs from one that would be joined. */
enum difference {
	SAME, TOS, TTL, NO_DF, RESERVED, ID, ID_BACK, SOURCE, DESTINATION,
	SOURCE_PORT, DESTINATION_PORT, LONGER, FRAGMENT, IP_OPTIONS, NO_PAYLOAD,
	N_IP_DIFFERENCES,
	GAP = N_IP_DIFFERENCES, OVERLAP, ACKNOWLEDGEMENT, WINDOW, URGENT,
	OPTION_LENGTH, NO_ACK, WITH_SYN, WITH_RST, WITH_URG, WITH_ECE, WITH_CWR,
	FEW_BYTES, N_DIFFERENCES
};

static void differ(struct spec *s, enum difference difference)
{
	switch (difference) {
	case TOS: s->tos ^= 4; break;
	case TTL: s->ttl--; break;
	case NO_DF: s->fragment ^= DF; break;
	case RESERVED: s->fragment ^= 0x8000; break;
	case ID: s->id++; break;
	case ID_BACK: s->id -= 2; break;
	case SOURCE: s->source++; break;
	case DESTINATION: s->destination++; break;
	case SOURCE_PORT: s->source_port++; break;
	case DESTINATION_PORT: s->destination_port++; break;
	case LONGER: s->payload_len++; break;
	case FRAGMENT: s->fragment |= MF; break;
	case IP_OPTIONS: s->ip_options = 4; break;
	case NO_PAYLOAD: s->payload_len = 0; break;
	case GAP: s->sequence++; break;
	case OVERLAP: s->sequence--; break;
	case ACKNOWLEDGEMENT: s->acknowledgement++; break;
	case WINDOW: s->window++; break;
	case URGENT: s->urgent++; break;
	case OPTION_LENGTH: s->tcp_options += 4; break;
	case NO_ACK: s->flags = PSH; break;
	case WITH_SYN: s->flags |= SYN; break;
	case WITH_RST: s->flags |= RST; break;
	case WITH_URG: s->flags |= URG; break;
	case WITH_ECE: s->flags |= ECE; break;
	case WITH_CWR: s->flags |= CWR; break;
	case FEW_BYTES: s->payload_len = 7; break;
	case SAME: case N_DIFFERENCES: break;
	}
}

START_TEST(coalesce_tcp_that_differs_is_not_joined)
{
	struct spec spec = spec_tcp(1000);

	add_next(&spec);
	differ(&spec, (enum difference)_i);
	add_next(&spec);
	ck_assert_uint_eq(n_writes(), _i == SAME ? 1 : 2);
}
END_TEST

START_TEST(coalesce_udp_that_differs_is_not_joined)
{
	struct spec spec = spec_udp(1000);

	add_next(&spec);
	differ(&spec, (enum difference)_i);
	add_next(&spec);
	ck_assert_uint_eq(n_writes(), _i == SAME ? 1 : 2);
}
END_TEST

START_TEST(coalesce_packet_that_differs_is_not_joined_to)
{
	struct spec first = spec_tcp(1000), spec = first;

	first.fragment = spec.fragment = 0;
	differ(&first, (enum difference)_i);
	add(&first);
	spec.id++;
	spec.sequence += 1000;
	add(&spec);
	ck_assert_uint_eq(n_writes(), _i == SAME ? 1 : 2);
}
END_TEST

/* Every bit of the whole packet counts for something. */
START_TEST(coalesce_flipped_bit_is_never_lost)
{
	struct spec spec;
	size_t bit, n_bits = (20 + 32 + 16) * 8;
	size_t which;

	for (which = 0; which < 2; which++) {
		for (bit = 0; bit < n_bits; bit++) {
			spec = spec_tcp(16);
			add_next(&spec);
			add_next(&spec);
			batch[which].data[bit / 8] ^=
				(uint8_t)(1 << bit % 8);
			ck_assert_uint_eq(n_writes(), 2);
		}
	}
}
END_TEST

START_TEST(coalesce_other_tcp_options_are_not_joined)
{
	struct spec spec = spec_tcp(1000);
	uint8_t *second;

	add_next(&spec);
	second = add_next(&spec);
	second[_i ? 50 : 32] ^= 1;	/* an option, a reserved bit */
	naive_checksums(second, 1052);
	ck_assert_uint_eq(n_writes(), 2);
}
END_TEST

START_TEST(coalesce_wrong_checksum_stands_alone)
{
	struct spec spec = _i < 4 ? spec_tcp(1001) : spec_udp(1001);
	uint32_t transport = _i < 4 ? 36 : 26;
	uint8_t *second;

	add_next(&spec);
	second = add_next(&spec);
	add_next(&spec);
	second[_i % 4 < 2 ? 10 : transport] ^= _i % 2 ? 0x80 : 0x01;
	ck_assert_uint_eq(n_writes(), 3);
}
END_TEST

START_TEST(coalesce_wrong_checksum_of_first_stands_alone)
{
	struct spec spec = spec_tcp(1000);
	uint8_t *first = add_next(&spec);

	add_next(&spec);
	add_next(&spec);
	first[100] ^= 1;
	ck_assert_uint_eq(n_writes(), 2);
}
END_TEST

START_TEST(coalesce_other_zero_of_tcp_checksum_stands_alone)
{
	struct spec spec = spec_tcp(1000);
	uint8_t *second;

	add_next(&spec);
	second = add_next(&spec);
	put16(second + 1050, 0);
	naive_checksums(second, 1052);
	put16(second + 1050, get16(second + 36));
	naive_checksums(second, 1052);
	ck_assert_uint_eq(get16(second + 36), 0);
	ck_assert_uint_eq(n_writes(), 1);

	spec = spec_tcp(1000);
	add_next(&spec);
	second = add_next(&spec);
	put16(second + 1050, 0);
	naive_checksums(second, 1052);
	put16(second + 1050, get16(second + 36));
	put16(second + 36, 0xffff);
	ck_assert_uint_eq(n_writes(), 2);
}
END_TEST

START_TEST(coalesce_other_zero_of_ip_checksum_stands_alone)
{
	struct spec spec = spec_tcp(1000);
	uint8_t data[1052];
	int i;

	/* An address that makes the second header's checksum 0. */
	spec.id++;
	spec.source = 0x0a000000;
	spec_write(&spec, data);
	spec.source += get16(data + 10);
	spec.id--;
	for (i = 0; i < 2; i++) {
		struct spec next = spec;

		add_next(&next);
		ck_assert_uint_eq(get16(add_next(&next) + 10), 0);
		if (i == 1)
			put16(batch[1].data + 10, 0xffff);
		ck_assert_uint_eq(n_writes(), 1 + (size_t)i);
	}
}
END_TEST

START_TEST(coalesce_udp_without_checksum_stands_alone)
{
	struct spec spec = spec_udp(1000);
	uint8_t *second;

	add_next(&spec);
	second = add_next(&spec);
	put16(second + 26, 0);
	ck_assert_uint_eq(n_writes(), 2);
	/* Nor where 0 would pass for a right one. */
	spec = spec_udp(1000);
	add_next(&spec);
	second = add_next(&spec);
	put16(second + 1026, 0);
	naive_checksums(second, 1028);
	put16(second + 1026, get16(second + 26));
	naive_checksums(second, 1028);
	ck_assert_uint_eq(get16(second + 26), 0xffff);
	put16(second + 26, 0);
	ck_assert_uint_eq(n_writes(), 2);
}
END_TEST

START_TEST(coalesce_partial_and_full_checksums_mix)
{
	struct spec spec = _i & 1 ? spec_tcp(1000) : spec_udp(1000);

	add_next(&spec);
	add_next(&spec);
	add_next(&spec);
	naive_partial(batch[_i / 2].data, batch[_i / 2].len);
	batch[_i / 2].checksum_partial = true;
	ck_assert_uint_eq(n_writes(), 1);
}
END_TEST

START_TEST(coalesce_push_and_fin_end_the_super_packet)
{
	struct spec spec = spec_tcp(1000);

	add_next(&spec);
	spec.flags = (uint8_t)_i;
	add_next(&spec);
	spec.flags = ACK;
	add_next(&spec);
	add_next(&spec);
	ck_assert_uint_eq(n_writes(), 2);
	spec.flags = (uint8_t)_i;
	add_next(&spec);
	spec.flags = ACK;
	add_next(&spec);
	ck_assert_uint_eq(n_writes(), 2);
}
END_TEST

START_TEST(coalesce_shorter_segment_ends_the_super_packet)
{
	struct spec spec = _i ? spec_tcp(1000) : spec_udp(1000);

	add_next(&spec);
	spec.payload_len = 999;
	add_next(&spec);
	add_next(&spec);
	add_next(&spec);
	ck_assert_uint_eq(n_writes(), 2);
}
END_TEST

START_TEST(coalesce_bare_acknowledgement_is_not_overtaken)
{
	struct spec spec = spec_tcp(1000), bare;

	add_next(&spec);
	add_next(&spec);
	bare = spec;
	bare.payload_len = 0;
	add(&bare);
	add_next(&spec);
	ck_assert_uint_eq(n_writes(), 3);
}
END_TEST

START_TEST(coalesce_fragment_of_the_same_hosts_is_not_overtaken)
{
	struct spec spec = spec_udp(1000), fragment = spec;
	struct coalesce_item *items;
	uint8_t *data;

	fragment.fragment = 100;
	add_next(&spec);
	data = add(&fragment);
	add_next(&spec);
	ck_assert_uint_eq(coalesce_run(c, batch, n, &items), 3);
	ck_assert_ptr_eq(items[1].packet.data, data);
	n = 0;
	/* Another pair's fragment is no reason to stop. */
	fragment.source++;
	add_next(&spec);
	add(&fragment);
	add_next(&spec);
	ck_assert_uint_eq(n_writes(), 2);
}
END_TEST

START_TEST(coalesce_identification_may_stay_with_df)
{
	struct spec spec = _i & 1 ? spec_tcp(1000) : spec_udp(1000);

	spec.fragment = _i & 2 ? DF : 0;
	add_next(&spec);
	spec.id--;
	add_next(&spec);
	spec.id--;
	add_next(&spec);
	ck_assert_uint_eq(n_writes(), _i & 2 ? 1 : 3);
}
END_TEST

START_TEST(coalesce_identification_may_wrap)
{
	struct spec spec = spec_udp(1000);

	spec.fragment = 0;
	spec.id = 0xffff;
	add_next(&spec);
	add_next(&spec);
	ck_assert_uint_eq(n_writes(), 1);
}
END_TEST

START_TEST(coalesce_super_packet_stands_alone_in_order)
{
	struct spec spec = spec_tcp(1400);
	struct coalesce_item *items;

	add_next(&spec);
	add_next(&spec);
	batch[1].segment_size = 700;
	batch[1].checksum_partial = true;
	naive_partial(batch[1].data, batch[1].len);
	add_next(&spec);
	ck_assert_uint_eq(coalesce_run(c, batch, n, &items), 3);
	ck_assert_ptr_eq(items[1].packet.data, batch[1].data);
	ck_assert_uint_eq(items[1].packet.segment_size, 700);
	ck_assert(items[1].packet.checksum_partial);
	ck_assert_uint_eq(items[1].packet.len, batch[1].len);
	ck_assert_uint_eq(n_writes(), 3);
}
END_TEST

START_TEST(coalesce_total_length_stays_within_ipv4)
{
	struct spec spec = spec_tcp(1448);
	int i;

	for (i = 0; i < 90; i++)
		add_next(&spec);
	ck_assert_uint_eq(n_writes(), 2);	/* 45 x 1448 + 52 = 65212 */
	spec = spec_udp(1965);		/* 33 x 1965 + 28 would be 64873 */
	for (i = 0; i < 34; i++)
		add_next(&spec);
	ck_assert_uint_eq(n_writes(), 2);
}
END_TEST

START_TEST(coalesce_number_of_parts_is_bounded)
{
	struct spec spec = spec_tcp(100);
	int i;

	for (i = 0; i < 2 * COALESCE_MAX_PARTS + 1; i++)
		add_next(&spec);
	ck_assert_uint_eq(n_writes(), 3);
}
END_TEST

START_TEST(coalesce_interleaved_flows_are_joined_apart)
{
	struct spec specs[20];
	int i, round;

	for (i = 0; i < 20; i++) {
		specs[i] = i % 2 ? spec_tcp(1000) : spec_udp(1000);
		specs[i].source_port = (uint16_t)(1000 + i / 2);
	}
	for (round = 0; round < 10; round++) {
		for (i = 0; i < 20; i++)
			add_next(&specs[i]);
	}
	ck_assert_uint_eq(n_writes(), 20);
}
END_TEST

START_TEST(coalesce_more_flows_than_slots_keep_their_order)
{
	static struct spec specs[500];
	int i, round;

	for (i = 0; i < 500; i++) {
		specs[i] = spec_tcp(100);
		specs[i].source_port = (uint16_t)i;
	}
	for (round = 0; round < 2; round++) {
		for (i = 0; i < 500; i++)
			add_next(&specs[i]);
	}
	ck_assert_uint_ge(n_writes(), 500);
}
END_TEST

START_TEST(coalesce_next_batch_starts_afresh)
{
	struct spec spec = spec_tcp(1000);

	add_next(&spec);
	ck_assert_uint_eq(n_writes(), 1);
	add_next(&spec);
	add_next(&spec);
	ck_assert_uint_eq(n_writes(), 1);
}
END_TEST

START_TEST(coalesce_protocol_switched_off_is_left_alone)
{
	struct spec tcp = spec_tcp(1000), udp = spec_udp(1000);

	coalesce_free(c);
	c = coalesce_new(_i & 1, _i & 2);
	add_next(&tcp);
	add_next(&udp);
	add_next(&tcp);
	add_next(&udp);
	ck_assert_uint_eq(n_writes(), 4 - (_i & 1) - (_i >> 1));
}
END_TEST

START_TEST(coalesce_what_is_not_ipv4_goes_through)
{
	struct spec spec = spec_tcp(100);
	uint8_t *data = add(&spec);

	data[0] = 0x60;
	data = add(&spec);
	data[0] = 0x44;
	data = add(&spec);
	data[3]++;
	add(&spec);
	batch[3].len = 10;
	spec.protocol = 1;
	add(&spec);
	add(&spec);
	ck_assert_uint_eq(n_writes(), 6);
}
END_TEST

START_TEST(coalesce_full_batch_is_taken)
{
	struct spec spec = spec_udp(0);
	int i;

	for (i = 0; i < COALESCE_MAX_PACKETS; i++)
		add_next(&spec);
	ck_assert_uint_eq(n_writes(), COALESCE_MAX_PACKETS);
}
END_TEST

/* Mostly what a bulk transfer looks like, with everything else in between. */
static void add_random(uint64_t *state, struct spec *spec)
{
	struct spec once;
	uint8_t *data;

	if (next_random(state, 8) == 0)
		spec->payload_len = next_random(state, 1400);
	else if (next_random(state, 4) == 0)
		spec->payload_len = 1400;
	once = *spec;
	if (next_random(state, 8) == 0)
		once.flags |= PSH;
	if (next_random(state, 16) == 0)
		once.flags ^= (uint8_t)(1 << next_random(state, 8));
	if (next_random(state, 12) == 0)
		differ(&once, (enum difference)next_random(state,
							   N_DIFFERENCES));
	data = add_next(&once);
	spec->id++;
	spec->fill++;
	spec->sequence += spec->payload_len;
	if (next_random(state, 16) == 0)
		data[next_random(state, batch[n - 1].len)] ^= 0x10;
	if (next_random(state, 8) == 0 && !(get16(data + 6) & 0x3fff) &&
	    data[0] >> 4 == 4 && get16(data + 2) == batch[n - 1].len)
		batch[n - 1].checksum_partial = true;
	if (next_random(state, 4) == 0 && (spec->fragment & DF))
		spec->id--;
}

START_TEST(coalesce_random_batches_come_apart_again)
{
	uint64_t state = seed_from_environment("coalesce",
					       (uint64_t)time(NULL));
	struct spec specs[12];
	size_t n_packets = 0, n_items = 0, want;
	uint32_t i;
	int round;

	for (i = 0; i < 12; i++) {
		specs[i] = i % 3 ? spec_tcp(1000) : spec_udp(1000);
		specs[i].source_port = (uint16_t)(1000 + i / 2);
	}
	for (round = 0; round < 60; round++) {
		want = next_random(&state, 300);
		while (n < want) {
			i = next_random(&state, 12);
			do
				add_random(&state, &specs[i]);
			while (n < want && next_random(&state, 5) != 0);
		}
		n_packets += n;
		n_items += n_writes();
	}
	/* Else it did not try anything. */
	ck_assert_uint_lt(n_items, n_packets * 3 / 4);
}
END_TEST

static Suite *coalesce_suite(void)
{
	Suite *suite = suite_create("coalesce");
	TCase *tc = tcase_create("coalesce");

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, coalesce_empty_batch_gives_nothing);
	tcase_add_test(tc, coalesce_consecutive_tcp_becomes_one_super_packet);
	tcase_add_test(tc, coalesce_udp_becomes_one_super_packet);
	tcase_add_loop_test(tc, coalesce_tcp_that_differs_is_not_joined,
			    SAME, N_DIFFERENCES);
	tcase_add_loop_test(tc, coalesce_udp_that_differs_is_not_joined,
			    SAME, N_IP_DIFFERENCES);
	tcase_add_loop_test(tc, coalesce_packet_that_differs_is_not_joined_to,
			    SAME, N_DIFFERENCES);
	tcase_add_test(tc, coalesce_flipped_bit_is_never_lost);
	tcase_add_loop_test(tc, coalesce_other_tcp_options_are_not_joined,
			    0, 2);
	tcase_add_loop_test(tc, coalesce_wrong_checksum_stands_alone, 0, 8);
	tcase_add_test(tc, coalesce_wrong_checksum_of_first_stands_alone);
	tcase_add_test(tc, coalesce_other_zero_of_tcp_checksum_stands_alone);
	tcase_add_test(tc, coalesce_other_zero_of_ip_checksum_stands_alone);
	tcase_add_test(tc, coalesce_udp_without_checksum_stands_alone);
	tcase_add_loop_test(tc, coalesce_partial_and_full_checksums_mix, 0, 6);
	tcase_add_loop_test(tc, coalesce_push_and_fin_end_the_super_packet,
			    ACK | PSH, ACK | PSH | FIN);
	tcase_add_loop_test(tc, coalesce_push_and_fin_end_the_super_packet,
			    ACK | FIN, ACK | FIN | 1);
	tcase_add_loop_test(tc, coalesce_shorter_segment_ends_the_super_packet,
			    0, 2);
	tcase_add_test(tc, coalesce_bare_acknowledgement_is_not_overtaken);
	tcase_add_test(tc,
		       coalesce_fragment_of_the_same_hosts_is_not_overtaken);
	tcase_add_loop_test(tc, coalesce_identification_may_stay_with_df, 0, 4);
	tcase_add_test(tc, coalesce_identification_may_wrap);
	tcase_add_test(tc, coalesce_super_packet_stands_alone_in_order);
	tcase_add_test(tc, coalesce_total_length_stays_within_ipv4);
	tcase_add_test(tc, coalesce_number_of_parts_is_bounded);
	tcase_add_test(tc, coalesce_interleaved_flows_are_joined_apart);
	tcase_add_test(tc, coalesce_more_flows_than_slots_keep_their_order);
	tcase_add_test(tc, coalesce_next_batch_starts_afresh);
	tcase_add_loop_test(tc, coalesce_protocol_switched_off_is_left_alone,
			    0, 4);
	tcase_add_test(tc, coalesce_what_is_not_ipv4_goes_through);
	tcase_add_test(tc, coalesce_full_batch_is_taken);
	tcase_add_test(tc, coalesce_random_batches_come_apart_again);
	suite_add_tcase(suite, tc);
	return suite;
}

int main(void)
{
	SRunner *runner = srunner_create(coalesce_suite());
	int n_failed;

	srunner_run_all(runner, CK_ENV);
	n_failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return n_failed == 0 ? 0 : 1;
}
