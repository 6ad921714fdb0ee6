/* SPDX-License-Identifier: MIT */
/*
 * The last minutes in samples: a ring of the server's counters, and the rates
 * between them.  One thread at a time; nothing blocks.
 */
#ifndef SERVER_HISTORY_H
#define SERVER_HISTORY_H

#include <stddef.h>
#include <stdint.h>

enum {
	HISTORY_INTERVAL_MS = 2000,
	HISTORY_SAMPLES = 301,		/* ten minutes, both ends */
};

/* What is plotted; each is a counter that only grows. */
enum history_series {
	HISTORY_IN_BYTES,	/* from clients */
	HISTORY_OUT_BYTES,	/* to clients */
	HISTORY_IN_PACKETS,
	HISTORY_OUT_PACKETS,
	HISTORY_DROPS,
	HISTORY_N_SERIES
};

struct history_sample {
	uint64_t time_ms;	/* clock_now_ms() */
	uint64_t count[HISTORY_N_SERIES];
};

struct history {		/* zero-initialised */
	size_t n;		/* samples, at most HISTORY_SAMPLES */
	size_t next;		/* where the next one goes */
	struct history_sample ring[HISTORY_SAMPLES];
};

/* The mean between two samples, a second. */
struct history_rate {
	uint64_t time_ms;	/* of the later sample */
	double rate[HISTORY_N_SERIES];
};

/* Add a sample; the oldest goes.  One not later than the last is left out. */
void history_add(struct history *h, const struct history_sample *sample);

/* All rates, the oldest first; returns how many, 0 before two samples. */
size_t history_rates(const struct history *h,
		     struct history_rate rates[HISTORY_SAMPLES]);

#endif
