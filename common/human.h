/* SPDX-License-Identifier: MIT */
/*
 * Amounts as a person reads them.  Each function writes at most HUMAN_LEN bytes
 * with the NUL and returns text.  Any thread; none blocks.
 */
#ifndef COMMON_HUMAN_H
#define COMMON_HUMAN_H

#include <stdint.h>

enum { HUMAN_LEN = 32 };

/* "0 B", "1023 B", "1.5 KiB", "12.0 GiB" */
char *human_bytes(uint64_t bytes, char text[HUMAN_LEN]);

/* "0 bit/s", "999 bit/s", "1.5 kbit/s", "12.0 Gbit/s" */
char *human_bit_rate(double bits_per_second, char text[HUMAN_LEN]);

/* "0", "12,345,678" */
char *human_count(uint64_t n, char text[HUMAN_LEN]);

/* The two largest units: "0 s", "59 s", "4 min 5 s", "3 h 0 min", "12 d 7 h" */
char *human_duration(uint64_t seconds, char text[HUMAN_LEN]);

#endif
