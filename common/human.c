/* SPDX-License-Identifier: MIT */
/* Amounts as a person reads them: bytes, rates, counts, durations. */
#include "common/human.h"

#include <inttypes.h>
#include <stdio.h>

enum { GROUP_LEN = 3 };

char *human_bytes(uint64_t bytes, char text[HUMAN_LEN])
{
	static const char *const units[] = { "KiB", "MiB", "GiB", "TiB",
					     "PiB", "EiB" };
	double value = (double)bytes / 1024;
	int i = 0;

	if (bytes < 1024) {
		snprintf(text, HUMAN_LEN, "%" PRIu64 " B", bytes);
		return text;
	}
	/* 1023.95 would be printed as 1024.0. */
	for (; value >= 1023.95 && i < 5; i++)
		value /= 1024;
	snprintf(text, HUMAN_LEN, "%.1f %s", value, units[i]);
	return text;
}

char *human_bit_rate(double rate, char text[HUMAN_LEN])
{
	static const char *const units[] = { "kbit/s", "Mbit/s", "Gbit/s",
					     "Tbit/s" };
	double value = rate / 1000;
	int i = 0;

	if (rate < 999.5) {
		snprintf(text, HUMAN_LEN, "%.0f bit/s", rate);
		return text;
	}
	for (; value >= 999.95 && i < 3; i++)
		value /= 1000;
	snprintf(text, HUMAN_LEN, "%.1f %s", value, units[i]);
	return text;
}

char *human_count(uint64_t n, char text[HUMAN_LEN])
{
	char digits[HUMAN_LEN];
	int len = snprintf(digits, sizeof(digits), "%" PRIu64, n);
	int i, at = 0;

	for (i = 0; i < len; i++) {
		if (i > 0 && (len - i) % GROUP_LEN == 0)
			text[at++] = ',';
		text[at++] = digits[i];
	}
	text[at] = '\0';
	return text;
}

char *human_duration(uint64_t seconds, char text[HUMAN_LEN])
{
	uint64_t minutes = seconds / 60, hours = minutes / 60;

	if (minutes == 0)
		snprintf(text, HUMAN_LEN, "%" PRIu64 " s", seconds);
	else if (hours == 0)
		snprintf(text, HUMAN_LEN, "%" PRIu64 " min %" PRIu64 " s",
			 minutes, seconds % 60);
	else if (hours < 24)
		snprintf(text, HUMAN_LEN, "%" PRIu64 " h %" PRIu64 " min",
			 hours, minutes % 60);
	else
		snprintf(text, HUMAN_LEN, "%" PRIu64 " d %" PRIu64 " h",
			 hours / 24, hours % 24);
	return text;
}
