/* SPDX-License-Identifier: MIT */
/*
 * Round trips of small UDP packets, one at a time: the echo server, and the
 * client that measures and prints the median and the 99th percentile.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "common/clock.h"
#include "tests/perf/perf.h"

enum {
	PAYLOAD_LEN = 56,	/* as ping has */
	ANSWER_TIMEOUT_S = 1,
	MAX_COUNT = 100000,
};

struct trips {
	uint32_t *us_x10;	/* tenths of microseconds */
	size_t n;
	uint64_t lost, corrupt;
};

static void echo(int fd)
{
	uint8_t packet[2048];
	struct sockaddr_in from;
	socklen_t from_len;
	ssize_t len;

	for (;;) {
		from_len = sizeof(from);
		len = recvfrom(fd, packet, sizeof(packet), 0,
			       (struct sockaddr *)&from, &from_len);
		if (len < 0 && errno != ECONNREFUSED && errno != EINTR)
			perf_die(errno, "receive");
		if (len > 0)
			sendto(fd, packet, (size_t)len, MSG_NOSIGNAL,
			       (struct sockaddr *)&from, from_len);
	}
}

/* False: nothing came in time. */
static bool read_answer(int fd, uint64_t number, struct trips *trips)
{
	uint8_t packet[PAYLOAD_LEN + 1];
	uint64_t answered;
	ssize_t len;

	while ((len = recv(fd, packet, sizeof(packet), 0)) >= 0) {
		memcpy(&answered, packet, sizeof(answered));
		if (len == PAYLOAD_LEN && answered < number)
			continue;	/* one given up before */
		if (len != PAYLOAD_LEN || answered != number ||
		    memcmp(packet + 8, perf_pattern(), PAYLOAD_LEN - 8))
			trips->corrupt++;
		return true;
	}
	return false;
}

static void trip(int fd, uint64_t number, struct trips *trips)
{
	uint8_t packet[PAYLOAD_LEN];
	uint64_t start_ns;

	memcpy(packet, &number, sizeof(number));
	memcpy(packet + sizeof(number), perf_pattern(), PAYLOAD_LEN - 8);
	start_ns = clock_now_ns();
	if (send(fd, packet, sizeof(packet), 0) < 0 ||
	    !read_answer(fd, number, trips)) {
		trips->lost++;
		return;
	}
	trips->us_x10[trips->n++] = (uint32_t)((clock_now_ns() - start_ns) /
					       100);
}

static double us(struct trips *trips, unsigned int per_mille)
{
	return perf_quantile(trips->us_x10, trips->n, per_mille) / 10.0;
}

/* count round trips, or as many as there is time for. */
static void measure(int fd, size_t count, uint64_t pause_us, double seconds)
{
	struct timeval timeout = { .tv_sec = ANSWER_TIMEOUT_S };
	uint64_t end_ns = clock_now_ns() + (uint64_t)(seconds * 1e9);
	struct trips trips = { 0 };
	uint64_t number;

	trips.us_x10 = calloc(count, sizeof(*trips.us_x10));
	if (!trips.us_x10)
		perf_die(ENOMEM, "samples");
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	for (number = 1; number <= count && clock_now_ns() < end_ns; number++) {
		trip(fd, number, &trips);
		perf_sleep_until(clock_now_ns() + pause_us * 1000);
	}
	printf("n=%zu\n", trips.n);
	printf("p50_us=%.1f\n", us(&trips, 500));
	printf("p99_us=%.1f\n", us(&trips, 990));
	printf("max_us=%.1f\n", us(&trips, 1000));
	printf("lost=%llu\n", (unsigned long long)trips.lost);
	printf("corrupt=%llu\n", (unsigned long long)trips.corrupt);
	free(trips.us_x10);
}

static void __attribute__((noreturn)) wrong(void)
{
	fprintf(stderr,
		"usage: rtt echo ADDRESS PORT\n"
		"       rtt measure ADDRESS PORT COUNT PAUSE_US SECONDS\n"
		"COUNT round trips, a pause after each, SECONDS at most.\n");
	exit(2);
}

int main(int argc, char **argv)
{
	struct sockaddr_in address;
	bool echoes;
	int fd;

	echoes = argc == 4 && !strcmp(argv[1], "echo");
	if (!echoes && !(argc == 7 && !strcmp(argv[1], "measure")))
		wrong();
	address = perf_address(argv[2], argv[3]);
	fd = echoes ? perf_udp_bound(&address) : perf_udp_connected(&address);
	if (echoes)
		echo(fd);
	measure(fd, perf_number("count", argv[4], 1, MAX_COUNT),
		perf_number("pause", argv[5], 0, 1000000),
		(double)perf_number("seconds", argv[6], 1, 600));
	return 0;
}
