/* SPDX-License-Identifier: MIT */
/* What the measuring programs share. */
#include "tests/perf/perf.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"

enum { PATTERN_LEN = 4096 };

void perf_die(int errnum, const char *format, ...)
{
	va_list args;

	fprintf(stderr, "%s: ", program_invocation_short_name);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	if (errnum)
		fprintf(stderr, ": %s", strerror(errnum));
	fputc('\n', stderr);
	exit(1);
}

static void wrong_usage(const char *what, const char *text)
{
	fprintf(stderr, "%s: bad %s: %s\n", program_invocation_short_name,
		what, text);
	exit(2);
}

uint64_t perf_number(const char *what, const char *text, uint64_t low,
		     uint64_t high)
{
	unsigned long long number;
	char *end;

	errno = 0;
	number = strtoull(text, &end, 10);
	if (errno || end == text || *end || *text == '-' || number < low ||
	    number > high)
		wrong_usage(what, text);
	return number;
}

struct sockaddr_in perf_address(const char *address, const char *port)
{
	struct sockaddr_in sa = { .sin_family = AF_INET };

	if (inet_pton(AF_INET, address, &sa.sin_addr) != 1)
		wrong_usage("IPv4 address", address);
	sa.sin_port = htons((uint16_t)perf_number("port", port, 1, 65535));
	return sa;
}

static int udp_socket(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		perf_die(errno, "socket");
	return fd;
}

int perf_udp_bound(const struct sockaddr_in *address)
{
	int fd = udp_socket();

	if (bind(fd, (const struct sockaddr *)address, sizeof(*address)) < 0)
		perf_die(errno, "bind");
	return fd;
}

int perf_udp_connected(const struct sockaddr_in *address)
{
	int fd = udp_socket();

	if (connect(fd, (const struct sockaddr *)address,
		    sizeof(*address)) < 0)
		perf_die(errno, "connect");
	return fd;
}

double perf_cpu_seconds(pid_t pid)
{
	unsigned long user = 0, system = 0;
	char path[64], line[1024];
	const char *rest;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	file = fopen(path, "re");
	if (!file)
		return 0;
	/* The name, in parentheses, may hold blanks: count from its end. */
	if (fgets(line, sizeof(line), file) && (rest = strrchr(line, ')')))
		sscanf(rest, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u "
		       "%lu %lu", &user, &system);
	fclose(file);
	return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

static int compare_u32(const void *a, const void *b)
{
	uint32_t x, y;

	memcpy(&x, a, sizeof(x));
	memcpy(&y, b, sizeof(y));
	return (x > y) - (x < y);
}

uint32_t perf_quantile(uint32_t *samples, size_t n, unsigned int per_mille)
{
	size_t at = n * per_mille / 1000;

	if (!n)
		return 0;
	qsort(samples, n, sizeof(*samples), compare_u32);
	return samples[at < n ? at : n - 1];
}

void perf_sleep_until(uint64_t until_ns)
{
	struct timespec until = {
		.tv_sec = (time_t)(until_ns / 1000000000U),
		.tv_nsec = (long)(until_ns % 1000000000U),
	};

	while (clock_nanosleep(CLOCK_BOOTTIME, TIMER_ABSTIME, &until, NULL) ==
	       EINTR)
		;
}

const uint8_t *perf_pattern(void)
{
	static uint8_t pattern[PATTERN_LEN];
	uint32_t state = 2463534242U;
	size_t i;

	if (pattern[0] | pattern[1] | pattern[2])
		return pattern;
	for (i = 0; i < PATTERN_LEN; i++) {	/* xorshift32, Marsaglia */
		state ^= state << 13;
		state ^= state >> 17;
		state ^= state << 5;
		pattern[i] = (uint8_t)(state >> 11);
	}
	return pattern;
}
