/* SPDX-License-Identifier: MIT */
/*
 * A TCP stream that is checked word by word: what iperf3 does not look at.
 * Behind checksum offloads TCP's own checksum no longer proves anything about
 * what a tunnel did with the bytes, so the bytes themselves are compared.
 *
 * The stream is the 64-bit numbers 0, 1, 2, ... times an odd constant, so that
 * every byte of a word changes from one to the next.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "common/clock.h"
#include "tests/perf/perf.h"

/* 2^64 over the golden ratio */
#define WORD_FACTOR UINT64_C(0x9e3779b97f4a7c15)

enum {
	WORD_LEN = 8,
	WORDS = PERF_IO_LEN / WORD_LEN,
	STALL_TIMEOUT_S = 10,
};

static void set_timeouts(int fd)
{
	struct timeval timeout = { .tv_sec = STALL_TIMEOUT_S };

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
}

static bool send_all(int fd, const uint8_t *buf, size_t len)
{
	ssize_t sent;

	while (len) {
		sent = send(fd, buf, len, MSG_NOSIGNAL);
		if (sent <= 0)
			return false;
		buf += sent;
		len -= (size_t)sent;
	}
	return true;
}

static void send_stream(int fd, double seconds)
{
	uint64_t end_ns = clock_now_ns() + (uint64_t)(seconds * 1e9);
	static uint64_t words[WORDS];
	uint64_t word = 0, bytes = 0;
	unsigned int i;
	uint8_t end;

	while (clock_now_ns() < end_ns) {
		for (i = 0; i < WORDS; i++)
			words[i] = word++ * WORD_FACTOR;
		if (!send_all(fd, (const uint8_t *)words, sizeof(words)))
			perf_die(errno, "send");
		bytes += sizeof(words);
	}
	shutdown(fd, SHUT_WR);
	/* Its close says that all was read. */
	if (recv(fd, &end, 1, 0) < 0)
		perf_die(errno, "end of stream");
	printf("sent_bytes=%llu\n", (unsigned long long)bytes);
}

/* Returns how many of n whole words are not the ones from number on. */
static uint64_t wrong_words(const uint8_t *buf, size_t n, uint64_t number)
{
	uint64_t word, wrong = 0;
	size_t i;

	for (i = 0; i < n; i++, number++) {
		memcpy(&word, buf + i * WORD_LEN, WORD_LEN);
		wrong += word != number * WORD_FACTOR;
	}
	return wrong;
}

static bool receive_stream(int fd)
{
	static uint8_t buf[PERF_IO_LEN + WORD_LEN];
	uint64_t bytes = 0, wrong = 0, number = 0, start_ns = clock_now_ns();
	size_t kept = 0, n;
	ssize_t len;

	while ((len = recv(fd, buf + kept, PERF_IO_LEN, 0)) > 0) {
		bytes += (uint64_t)len;
		kept += (size_t)len;
		n = kept / WORD_LEN;
		wrong += wrong_words(buf, n, number);
		number += n;
		kept -= n * WORD_LEN;
		memmove(buf, buf + n * WORD_LEN, kept);
	}
	printf("received_bytes=%llu\n", (unsigned long long)bytes);
	printf("corrupt_words=%llu\n", (unsigned long long)wrong);
	printf("bits_per_s=%.0f\n", (double)bytes * 8e9 /
	       (double)(clock_now_ns() - start_ns));
	if (len < 0)
		fprintf(stderr, "stream: receive: %s\n", strerror(errno));
	return len == 0 && !wrong;
}

static int accept_one(const struct sockaddr_in *address)
{
	int on = 1, fd, listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC,
					  0);

	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	set_timeouts(listener);
	if (bind(listener, (const struct sockaddr *)address,
		 sizeof(*address)) < 0 || listen(listener, 1) < 0)
		perf_die(errno, "listen");
	fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	if (fd < 0)
		perf_die(errno, "nobody connected");
	close(listener);
	return fd;
}

static int connect_to(const struct sockaddr_in *address)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	set_timeouts(fd);
	if (connect(fd, (const struct sockaddr *)address,
		    sizeof(*address)) < 0)
		perf_die(errno, "connect");
	return fd;
}

static void __attribute__((noreturn)) wrong_usage(void)
{
	fprintf(stderr, "usage: stream receive ADDRESS PORT\n"
		"       stream send ADDRESS PORT SECONDS\n");
	exit(2);
}

int main(int argc, char **argv)
{
	struct sockaddr_in address;
	int fd;

	if (!(argc == 4 && !strcmp(argv[1], "receive")) &&
	    !(argc == 5 && !strcmp(argv[1], "send")))
		wrong_usage();
	address = perf_address(argv[2], argv[3]);
	if (argc == 4) {
		fd = accept_one(&address);
		set_timeouts(fd);
		return receive_stream(fd) ? 0 : 1;
	}
	fd = connect_to(&address);
	send_stream(fd, (double)perf_number("seconds", argv[4], 1, 60));
	return 0;
}
