/* SPDX-License-Identifier: MIT */
/* A ring of samples of the server's counters, and the rates between them. */
#include "server/history.h"

void history_add(struct history *h, const struct history_sample *sample)
{
	size_t last = (h->next + HISTORY_SAMPLES - 1) % HISTORY_SAMPLES;

	if (h->n > 0 && sample->time_ms <= h->ring[last].time_ms)
		return;
	h->ring[h->next] = *sample;
	h->next = (h->next + 1) % HISTORY_SAMPLES;
	if (h->n < HISTORY_SAMPLES)
		h->n++;
}

static void set_rate(struct history_rate *rate,
		     const struct history_sample *from,
		     const struct history_sample *to)
{
	double seconds = (double)(to->time_ms - from->time_ms) / 1000;
	int i;

	rate->time_ms = to->time_ms;
	for (i = 0; i < HISTORY_N_SERIES; i++)
		rate->rate[i] = to->count[i] <= from->count[i] ? 0 :
			(double)(to->count[i] - from->count[i]) / seconds;
}

size_t history_rates(const struct history *h,
		     struct history_rate rates[HISTORY_SAMPLES])
{
	size_t at = (h->next + HISTORY_SAMPLES - h->n) % HISTORY_SAMPLES;
	size_t i, after;

	for (i = 0; i + 1 < h->n; i++) {
		after = (at + 1) % HISTORY_SAMPLES;
		set_rate(&rates[i], &h->ring[at], &h->ring[after]);
		at = after;
	}
	return i;
}
