/* SPDX-License-Identifier: MIT */
/*
 * Time that never goes back: CLOCK_BOOTTIME, so that a suspended machine's
 * sleep counts (clock_gettime(2)).  Any thread; does not block.
 */
#ifndef COMMON_CLOCK_H
#define COMMON_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline uint64_t clock_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

static inline uint64_t clock_now_ms(void)
{
	return clock_now_ns() / 1000000U;
}

/* The time ms from now, for pthread_cond_clockwait(3) with CLOCK_MONOTONIC. */
static inline struct timespec clock_deadline(uint64_t ms)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_sec += (time_t)(ms / 1000);
	t.tv_nsec += (long)(ms % 1000 * 1000000U);
	if (t.tv_nsec >= 1000000000) {
		t.tv_sec++;
		t.tv_nsec -= 1000000000;
	}
	return t;
}

#endif
