/* SPDX-License-Identifier: MIT */
/*
 * Fuzzes the stream decoder: any bytes, under any rules, give the same
 * messages however they are cut.
 *
 * Input: one byte of rules, one byte that chooses the cuts, then the stream.
 */
#include <stdlib.h>
#include <string.h>

#include "proto/frame.h"

enum { MAX_FRAMES = 4096 };

struct decoded {
	struct frame frames[MAX_FRAMES];
	size_t n;
	size_t at;		/* bytes consumed */
	bool ended;		/* after FRAME_BAD */
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool right)
{
	if (!right)
		abort();
}

/*
 * Decode what is there.  The bytes are copied into memory of just that size,
 * so that a read beyond them is seen.
 */
static void decode(struct decoded *d, const struct frame_rules *rules,
		   const uint8_t *stream, size_t available)
{
	size_t left = available - d->at;
	uint8_t *copy = malloc(left ? left : 1);
	struct frame frame;
	size_t at = 0;

	check(copy != NULL);
	memcpy(copy, stream + d->at, left);
	while (!d->ended && d->n < MAX_FRAMES) {
		memset(&frame, 0, sizeof(frame));
		check(frame_next(rules, copy + at, left - at, &frame) ==
		      frame.kind);
		if (frame.kind == FRAME_MORE) {
			check(frame.len > left - at);
			check(frame.len <= FRAME_MAX_LEN);
			break;
		}
		d->ended = frame.kind == FRAME_BAD;
		check(d->ended == (frame.error != FRAME_OK));
		check(d->ended || (frame.len >= FRAME_CONTROL_LEN &&
				   frame.len <= left - at));
		d->frames[d->n++] = frame;
		at += frame.len;
	}
	d->at += at;
	free(copy);
}

static bool same(const struct frame *a, const struct frame *b)
{
	return a->kind == b->kind && a->error == b->error && a->len == b->len &&
	       a->packet_offset == b->packet_offset &&
	       a->segment_size == b->segment_size &&
	       a->checksum_partial == b->checksum_partial;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct decoded whole, cut;
	struct frame_rules rules;
	size_t available = 0, i;
	uint32_t cuts;

	if (size < 2)
		return 0;
	rules.from_server = data[0] & 1;
	rules.joined = data[0] & 2;
	rules.capable = data[0] & 4;
	rules.segments = data[0] & 8;
	rules.max_packet = data[0] & 16 ? 1500 : FRAME_MAX_PACKET;
	cuts = data[1];
	data += 2;
	size -= 2;

	whole.n = whole.at = cut.n = cut.at = 0;
	whole.ended = cut.ended = false;
	decode(&whole, &rules, data, size);
	while (available < size) {
		cuts = cuts * 1103515245U + 12345U;
		available += 1 + (cuts >> 16) % 64;
		if (available > size)
			available = size;
		decode(&cut, &rules, data, available);
	}
	check(whole.n == cut.n && whole.at == cut.at);
	for (i = 0; i < whole.n; i++)
		check(same(&whole.frames[i], &cut.frames[i]));
	return 0;
}
