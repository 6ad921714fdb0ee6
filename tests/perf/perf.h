/* SPDX-License-Identifier: MIT */
/*
 * What the measuring programs share: options, ends, time of processes and
 * percentiles.  They are tools of one shot: a failure ends the program with a
 * line on stderr and exit status 1, wrong usage with 2.
 */
#ifndef PERF_PERF_H
#define PERF_PERF_H

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { PERF_IO_LEN = 256 * 1024 };	/* bytes of one bulk read or write */

/* Print what happened, with errno's text if errnum is not 0, and exit 1. */
void perf_die(int errnum, const char *format, ...)
	__attribute__((noreturn, format(printf, 2, 3)));

/* A decimal number between low and high, or exit 2. */
uint64_t perf_number(const char *what, const char *text, uint64_t low,
		     uint64_t high);

/* An IPv4 address and port, or exit 2. */
struct sockaddr_in perf_address(const char *address, const char *port);

/* A UDP socket bound to an address, or connected to it. */
int perf_udp_bound(const struct sockaddr_in *address);
int perf_udp_connected(const struct sockaddr_in *address);

/* Seconds of processor time, user and system, of all threads; 0: no such pid */
double perf_cpu_seconds(pid_t pid);

/* Sort samples and return the one at per mille of their number; 0 of none. */
uint32_t perf_quantile(uint32_t *samples, size_t n, unsigned int per_mille);

/* Sleep until the time of clock_now_ns(). */
void perf_sleep_until(uint64_t until_ns);

/* The bytes that payloads are made of: at least 4 KiB, always the same. */
const uint8_t *perf_pattern(void);

#endif
