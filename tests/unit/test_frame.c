/* SPDX-License-Identifier: MIT */
/*
 * Tests of the stream decoder: against a decision written a second time, byte
 * by byte, and with every stream cut in every way.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "proto/frame.h"
#include "tests/unit/proto_test.h"

enum {
	STREAM_SIZE = 1 << 19,
	SHORT_STREAM = 700,	/* bytes; is cut at every place */
	MAX_MESSAGES = 4096,
};

struct stream {
	uint8_t bytes[STREAM_SIZE];
	size_t len;
	struct frame frames[MAX_MESSAGES];
	size_t n;
};

static struct stream sent, got;

/* ---- a naive decision, from the text of docs/protocol.md alone ---- */

static bool all(const uint8_t *p, size_t n, uint8_t value)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (p[i] != value)
			return false;
	return true;
}

static struct frame naive_bad(enum frame_error error)
{
	struct frame f = { .kind = FRAME_BAD, .error = error };

	return f;
}

static struct frame naive_message(enum frame_kind kind, uint32_t message_len,
				  size_t len)
{
	struct frame f = { .kind = kind, .len = message_len };

	if (len < message_len)
		f.kind = FRAME_MORE;
	return f;
}

static struct frame naive_prefixed(const uint8_t *b, size_t len)
{
	const int header_len = b[4] % 16 * 4;
	struct frame f = { .kind = FRAME_MORE, .len = 24 };

	if (len < 24)
		return f;
	if (b[0] != 0xf0 || b[1] != 1 || b[4] / 16 != 4 || header_len < 20 ||
	    b[6] * 256 + b[7] < header_len)
		return naive_bad(FRAME_BAD_SEGMENT);
	f = naive_message(FRAME_IPV4, 4 + b[6] * 256U + b[7], len);
	if (f.kind == FRAME_IPV4) {
		f.packet_offset = 4;
		f.segment_size = (uint16_t)(b[2] * 256 + b[3]);
		f.checksum_partial = true;
	}
	return f;
}

static struct frame naive_reply(const struct frame_rules *r, const uint8_t *b,
				size_t len)
{
	const uint32_t total = b[2] * 256U + b[3];

	if (!r->capable || b[4] != 'v' || b[5] != 'S')
		return naive_message(FRAME_REPLY, 20, len);
	if (total < 20)
		return naive_bad(FRAME_BAD_TOTAL_LENGTH);
	if (total > 1500)
		return naive_bad(FRAME_TOO_LONG);
	return naive_message(FRAME_REPLY, total, len);
}

static struct frame naive_data(const struct frame_rules *r, const uint8_t *b,
			       size_t len)
{
	const uint32_t total = b[2] * 256U + b[3];
	const uint32_t header_len = b[0] % 16 * 4U;

	if (b[0] / 16 != 4)
		return naive_bad(FRAME_BAD_VERSION);
	if (header_len < 20)
		return naive_bad(FRAME_BAD_HEADER_LENGTH);
	if (total < header_len)
		return naive_bad(FRAME_BAD_TOTAL_LENGTH);
	if (total > r->max_packet)
		return naive_bad(FRAME_TOO_LONG);
	return naive_message(FRAME_IPV4, total, len);
}

static struct frame naive_next(const struct frame_rules *r, const uint8_t *b,
			       size_t len)
{
	const int version = len > 0 ? b[0] / 16 : 0;

	if (len < 20)
		return naive_message(FRAME_MORE, 20, len);
	if (r->joined && r->segments && version == 15)
		return naive_prefixed(b, len);
	if (all(b + 12, 8, 255))
		return naive_message(FRAME_KEEPALIVE, 20, len);
	if (r->joined && version == 6)
		return naive_message(FRAME_IPV6, 40 + b[4] * 256U + b[5], len);
	if (r->from_server && all(b + 12, 4, 0))
		return naive_reply(r, b, len);
	if (!r->from_server && all(b + 16, 4, 0))
		return naive_message(FRAME_REQUEST, 20, len);
	if (version == 6)
		return naive_message(FRAME_IPV6, 40 + b[4] * 256U + b[5], len);
	return naive_data(r, b, len);
}

static bool same(const struct frame *a, const struct frame *b)
{
	return a->kind == b->kind && a->error == b->error && a->len == b->len &&
	       a->packet_offset == b->packet_offset &&
	       a->segment_size == b->segment_size &&
	       a->checksum_partial == b->checksum_partial;
}

static void compare_with_naive(const struct frame_rules *rules,
			       const uint8_t *buf, size_t len)
{
	struct frame naive = naive_next(rules, buf, len);
	struct frame frame;
	enum frame_kind kind;

	memset(&frame, 0xa5, sizeof(frame));
	kind = frame_next(rules, buf, len, &frame);
	if (kind == frame.kind && same(&frame, &naive))
		return;
	ck_abort_msg("byte 0 %02x, total length %u, %zu bytes: kind %d error "
		     "%d len %u, expected %d %d %u", buf[0],
		     buf[2] * 256U + buf[3], len, (int)frame.kind,
		     (int)frame.error, frame.len, (int)naive.kind,
		     (int)naive.error, naive.len);
}

/* ---- streams ---- */

static struct frame_rules random_rules(uint64_t *seed)
{
	struct frame_rules rules = {
		.from_server = random_below(seed, 2) != 0,
		.joined = random_below(seed, 2) != 0,
		.capable = random_below(seed, 2) != 0,
		.segments = random_below(seed, 2) != 0,
		.max_packet = FRAME_MAX_PACKET,
	};

	if (random_below(seed, 3) == 0)
		rules.max_packet = 1500;
	return rules;
}

static void put_u16(uint8_t *p, uint32_t value)
{
	p[0] = (uint8_t)(value / 256);
	p[1] = (uint8_t)value;
}

/* Append one message of the given kind, filled at random. */
static void add_message(struct stream *s, const struct frame_rules *rules,
			enum frame_kind kind, uint32_t len, uint64_t *seed)
{
	uint8_t *b = s->bytes + s->len;
	struct frame *f = &s->frames[s->n++];

	memset(f, 0, sizeof(*f));
	random_fill(seed, b, len);
	b[12] = b[16] = 10;
	b[0] = 0x45;
	switch (kind) {
	case FRAME_KEEPALIVE:
		memset(b + 12, 255, 8);
		break;
	case FRAME_REQUEST:
		memset(b + 16, 0, 4);
		break;
	case FRAME_REPLY:
		memset(b + 12, 0, 4);
		memcpy(b + 4, rules->capable ? "vS" : "SV", 2);
		put_u16(b + 2, len);
		break;
	case FRAME_IPV6:
		b[0] = 0x6f;
		put_u16(b + 4, len - 40);
		if (random_below(seed, 2) == 0)	/* as fe80::1 has them */
			memset(b + 12, 0, 8);
		break;
	default:
		put_u16(b + 2, len);
		break;
	}
	f->kind = kind;
	f->len = len;
	s->len += len;
}

static void add_super_packet(struct stream *s, uint32_t len, uint64_t *seed)
{
	uint8_t *b = s->bytes + s->len;
	struct frame *f = &s->frames[s->n++];

	memset(f, 0, sizeof(*f));
	random_fill(seed, b, 4 + len);
	f->kind = FRAME_IPV4;
	f->len = 4 + len;
	f->packet_offset = 4;
	f->segment_size = (uint16_t)random_below(seed, 2000);
	f->checksum_partial = true;
	frame_write_prefix(b, f->segment_size, true);
	b[4] = 0x45;
	put_u16(b + 6, len);
	s->len += 4 + len;
}

/* A joined stream of at least min_len bytes with a bit of everything. */
static void build_stream(struct stream *s, const struct frame_rules *rules,
			 size_t min_len, uint32_t longest, uint64_t *seed)
{
	uint32_t extra;

	s->len = 0;
	s->n = 0;
	while (s->len < min_len) {
		extra = random_below(seed, longest);
		switch (random_below(seed, 6)) {
		case 0:
			add_message(s, rules, FRAME_KEEPALIVE, 20, seed);
			break;
		case 1:
			if (!rules->from_server)
				add_message(s, rules, FRAME_REQUEST, 20, seed);
			else
				add_message(s, rules, FRAME_REPLY, 20 +
					    (rules->capable ? extra % 1400 :
							      0), seed);
			break;
		case 2:
			add_message(s, rules, FRAME_IPV6, 40 + extra, seed);
			break;
		case 3:
			if (rules->segments)
				add_super_packet(s, 20 + extra, seed);
			break;
		default:
			add_message(s, rules, FRAME_IPV4, 20 + extra, seed);
		}
	}
}

/* A receiver that has the bytes of in[0..available) and has consumed *at. */
static void decode_available(struct stream *out,
			     const struct frame_rules *rules,
			     const struct stream *in, size_t *at,
			     size_t available)
{
	struct frame frame;

	while (frame_next(rules, in->bytes + *at, available - *at, &frame) !=
	       FRAME_MORE) {
		if (frame.kind == FRAME_BAD || out->n == MAX_MESSAGES)
			ck_abort_msg("bad message at byte %zu", *at);
		out->frames[out->n++] = frame;
		*at += frame.len;
	}
	if (frame.len <= available - *at)
		ck_abort_msg("wants %u bytes and has %zu", frame.len,
			     available - *at);
}

static void check_same_messages(const char *how, size_t cut)
{
	size_t i;

	if (got.n != sent.n)
		ck_abort_msg("%s %zu: %zu messages of %zu", how, cut, got.n,
			     sent.n);
	for (i = 0; i < sent.n; i++)
		if (!same(&got.frames[i], &sent.frames[i]))
			ck_abort_msg("%s %zu: message %zu differs", how, cut,
				     i);
}

/* Both directions, with and without capable and segments. */
static struct frame_rules joined_rules(int i)
{
	struct frame_rules rules = {
		.from_server = i & 1, .joined = true, .capable = i & 2,
		.segments = i & 4, .max_packet = FRAME_MAX_PACKET,
	};

	return rules;
}

START_TEST(frame_stream_cut_anywhere_gives_same_messages)
{
	uint64_t seed = random_seed("frame_stream_cut_anywhere") +
			(uint64_t)_i;
	struct frame_rules rules = joined_rules(_i);
	size_t cut, at;

	build_stream(&sent, &rules, SHORT_STREAM, 100, &seed);
	for (cut = 0; cut <= sent.len; cut++) {
		at = 0;
		got.n = 0;
		decode_available(&got, &rules, &sent, &at, cut);
		decode_available(&got, &rules, &sent, &at, sent.len);
		check_same_messages("cut at", cut);
	}
}
END_TEST

START_TEST(frame_stream_byte_by_byte_gives_same_messages)
{
	uint64_t seed = random_seed("frame_stream_byte_by_byte") +
			(uint64_t)_i;
	struct frame_rules rules = joined_rules(_i);
	size_t available, at = 0;

	build_stream(&sent, &rules, 100000, 3000, &seed);
	got.n = 0;
	for (available = 0; available <= sent.len; available++)
		decode_available(&got, &rules, &sent, &at, available);
	check_same_messages("byte by byte", 0);
}
END_TEST

START_TEST(frame_stream_in_random_pieces_gives_same_messages)
{
	uint64_t seed = random_seed("frame_stream_in_random_pieces") +
			(uint64_t)_i;
	struct frame_rules rules = joined_rules(_i);
	size_t available, at, round;

	for (round = 0; round < 20; round++) {
		build_stream(&sent, &rules, 200000, 65000, &seed);
		got.n = 0;
		at = 0;
		for (available = 0; available < sent.len;) {
			available += random_below(&seed, 5000);
			if (available > sent.len)
				available = sent.len;
			decode_available(&got, &rules, &sent, &at, available);
		}
		check_same_messages("round", round);
	}
}
END_TEST

START_TEST(frame_every_header_agrees_with_naive_decision)
{
	struct frame_rules rules = joined_rules(_i);
	uint8_t buf[24] = { [12] = 10, [16] = 10, [20] = 0x45, [23] = 20 };
	unsigned int first;
	uint32_t total;

	rules.max_packet = _i & 1 ? 1500 : 65535;
	for (first = 0; first < 256; first++) {
		buf[0] = (uint8_t)first;
		for (total = 0; total < 65536; total++) {
			put_u16(buf + 2, total);
			compare_with_naive(&rules, buf, sizeof(buf));
		}
	}
}
END_TEST

static void set_random_addresses(uint8_t *buf, uint64_t *seed)
{
	static const uint8_t values[] = { 0, 255, 10 };
	uint32_t i;

	for (i = 0; i < 2; i++)
		memset(buf + 12 + 4 * i, values[random_below(seed, 3)], 4);
	if (random_below(seed, 4) == 0)	/* nearly one of these */
		buf[12 + random_below(seed, 8)] ^=
			(uint8_t)(1U << random_below(seed, 8));
}

START_TEST(frame_random_header_agrees_with_naive_decision)
{
	static const uint8_t firsts[] = { 0x45, 0x4f, 0x44, 0x60, 0xf0, 0xf1 };
	uint64_t seed = random_seed("frame_random_header");
	struct frame_rules rules;
	uint8_t buf[100];
	uint32_t i;

	for (i = 0; i < 300000; i++) {
		rules = random_rules(&seed);
		random_fill(&seed, buf, 28);
		if (random_below(&seed, 4) != 0)
			buf[0] = firsts[random_below(&seed, 6)];
		if (random_below(&seed, 2) == 0)
			buf[1] = (uint8_t)random_below(&seed, 3);
		if (random_below(&seed, 2) == 0)
			buf[2] = 0;
		if (random_below(&seed, 2) == 0)
			memcpy(buf + 4, "vS", 2);
		if (random_below(&seed, 2) == 0)
			buf[4] = 0x45;
		if (random_below(&seed, 2) == 0)
			buf[6] = 0;
		set_random_addresses(buf, &seed);
		compare_with_naive(&rules, buf,
				   random_below(&seed, sizeof(buf) + 1));
	}
}
END_TEST

START_TEST(frame_request_with_anything_in_free_fields_is_request)
{
	struct frame_rules rules = { .max_packet = 1500 };
	uint8_t buf[20] = { 0 };
	struct frame frame;
	unsigned int i, value;

	for (i = 0; i < 16; i++) {
		for (value = 0; value < 256; value++) {
			buf[i] = (uint8_t)value;
			if (frame_next(&rules, buf, sizeof(buf), &frame) !=
			    FRAME_REQUEST || frame.len != 20)
				ck_abort_msg("byte %u is %u", i, value);
		}
		buf[i] = 0x6b;
	}
}
END_TEST

/* Their first bytes say that a packet of 1500 bytes begins here. */
START_TEST(frame_control_that_looks_like_a_packet_is_control)
{
	struct frame_rules rules = { .joined = true, .max_packet = 1500 };
	uint8_t buf[20] = { 0x45, 0, 0x05, 0xdc, [12] = 10, 0, 0, 7 };
	struct frame frame;

	ck_assert_int_eq(frame_next(&rules, buf, sizeof(buf), &frame),
			 FRAME_REQUEST);
	ck_assert_uint_eq(frame.len, 20);
	memset(buf + 12, 0xff, 8);
	ck_assert_int_eq(frame_next(&rules, buf, sizeof(buf), &frame),
			 FRAME_KEEPALIVE);
	ck_assert_uint_eq(frame.len, 20);
}
END_TEST

START_TEST(frame_prefix_before_anything_but_a_packet_is_bad)
{
	struct frame_rules rules = {
		.joined = true, .segments = true, .max_packet = 1500,
	};
	uint8_t buf[4 + 60] = { 0xf0, 1, [7] = 60, [16] = 10, [20] = 10 };
	struct frame frame;
	unsigned int first;

	for (first = 0; first < 256; first++) {
		buf[4] = (uint8_t)first;
		ck_assert_int_eq(frame_next(&rules, buf, sizeof(buf), &frame),
				 first >= 0x45 && first <= 0x4f ? FRAME_IPV4 :
				 FRAME_BAD);
	}
}
END_TEST

START_TEST(frame_real_ipv6_after_join_is_no_control_message)
{
	struct frame_rules rules = { .joined = true, .max_packet = 1500 };
	uint8_t buf[48];
	struct frame frame;

	from_hex("6000000000083aff fe800000000000000000000000000001"
		 "ff020000000000000000000000000002 85007d3600000000",
		 buf, sizeof(buf));
	ck_assert_int_eq(frame_next(&rules, buf, 48, &frame), FRAME_IPV6);
	ck_assert_uint_eq(frame.len, 48);
	rules.from_server = true;
	ck_assert_int_eq(frame_next(&rules, buf, 48, &frame), FRAME_IPV6);
	ck_assert_int_eq(frame_next(&rules, buf, 47, &frame), FRAME_MORE);
	ck_assert_uint_eq(frame.len, 48);
}
END_TEST

START_TEST(frame_longest_messages_fit_the_announced_maximum)
{
	struct frame_rules rules = joined_rules(4);
	uint8_t buf[24] = { 0x60, [4] = 0xff, 0xff, [12] = 10, [16] = 10 };
	struct frame frame;

	frame_next(&rules, buf, sizeof(buf), &frame);
	ck_assert_uint_eq(frame.len, 65575);
	ck_assert_uint_le(frame.len, FRAME_MAX_LEN);
	frame_write_prefix(buf, 1448, true);
	buf[4] = 0x45;
	buf[6] = buf[7] = 0xff;
	frame_next(&rules, buf, sizeof(buf), &frame);
	ck_assert_uint_eq(frame.len, 65539);
	ck_assert_uint_le(frame.len, FRAME_MAX_LEN);
}
END_TEST

START_TEST(frame_every_error_has_a_name)
{
	int i;

	for (i = 0; i < FRAME_N_ERRORS; i++)
		ck_assert_uint_gt(strlen(frame_error_name(i)), 0);
	ck_assert_str_eq(frame_error_name(FRAME_N_ERRORS), "unknown error");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("frame");
	TCase *tcase = tcase_create("frame");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tcase, 120);
	tcase_add_loop_test(tcase,
		frame_stream_cut_anywhere_gives_same_messages, 0, 8);
	tcase_add_loop_test(tcase,
		frame_stream_byte_by_byte_gives_same_messages, 0, 8);
	tcase_add_loop_test(tcase,
		frame_stream_in_random_pieces_gives_same_messages, 0, 8);
	tcase_add_loop_test(tcase,
		frame_every_header_agrees_with_naive_decision, 0, 8);
	tcase_add_test(tcase, frame_random_header_agrees_with_naive_decision);
	tcase_add_test(tcase,
		frame_request_with_anything_in_free_fields_is_request);
	tcase_add_test(tcase,
		       frame_control_that_looks_like_a_packet_is_control);
	tcase_add_test(tcase, frame_prefix_before_anything_but_a_packet_is_bad);
	tcase_add_test(tcase, frame_real_ipv6_after_join_is_no_control_message);
	tcase_add_test(tcase, frame_longest_messages_fit_the_announced_maximum);
	tcase_add_test(tcase, frame_every_error_has_a_name);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
