/* SPDX-License-Identifier: MIT */
/*
 * Connections that no server wants.
 *
 *	hostile silent ADDRESS PORT N	connect N times, say nothing
 *	hostile trickle ADDRESS PORT N	connect N times, a byte a second each
 *	hostile garbage ADDRESS PORT N	N connections of random bytes, up to
 *					CROWD at once, closed in random ways
 *	hostile packets ADDRESS PORT N	one client that joins and sends N
 *					packets of which none is right
 *
 * With --sources BASE N, connection i comes from address BASE + i % N; they
 * have to be local ones.  silent and trickle print "connected" when all are
 * made, then hold them until the server has closed all or stdin ends, and
 * print how many it closed.  Output is key=value.  Environment: SEED.
 *
 * A connection that the server refuses or resets is no failure here.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tests/tools/packet.h"

enum {
	MAX_CONNECTIONS = 19000,
	CROWD = 100,
	GARBAGE_MAX = 4000,	/* bytes of one connection */
	GARBAGE_STEP = 700,	/* of one send */
	PATIENCE_MS = 200,	/* for the server to close */
	REQUEST_LEN = 20,
	REPLY_S = 10,
	TICK_MS = 50,
	SECOND_MS = 1000,
	BATCH = 64,		/* packets */
	PACKET_LEN = 100,
	N_KINDS = 6,
};

struct hostile {
	struct sockaddr_in server;
	uint32_t first_source;	/* host byte order; 0: the kernel's choice */
	uint32_t n_sources;
	uint64_t random;
	unsigned int n;
	int fds[MAX_CONNECTIONS];	/* -1: closed */
	unsigned int left[MAX_CONNECTIONS];	/* garbage to send, bytes */
	uint64_t sent_ms[MAX_CONNECTIONS];	/* the last of it */
};

static const uint8_t request[REQUEST_LEN] = { 0x45, 0x14, [6] = 0x40 };

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

__attribute__((noreturn))
static void die(const char *what)
{
	fprintf(stderr, "hostile: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* xorshift64 (Marsaglia 2003) */
static uint64_t next_random(struct hostile *h)
{
	h->random ^= h->random << 13;
	h->random ^= h->random >> 7;
	h->random ^= h->random << 17;
	return h->random >> 11;
}

/* -1: the server did not take it. */
static int dial(const struct hostile *h, unsigned int i)
{
	struct sockaddr_in source = { .sin_family = AF_INET };
	int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		die("socket");
	if (h->n_sources > 0) {
		source.sin_addr.s_addr =
			htonl(h->first_source + i % h->n_sources);
		setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on,
			   sizeof(on));
		if (bind(fd, (struct sockaddr *)&source, sizeof(source)) < 0)
			die("bind");
	}
	if (connect(fd, (const struct sockaddr *)&h->server,
		    sizeof(h->server)) < 0) {
		close(fd);
		return -1;
	}
	fcntl(fd, F_SETFL, O_NONBLOCK);
	return fd;
}

static void drop(struct hostile *h, unsigned int i)
{
	close(h->fds[i]);
	h->fds[i] = -1;
}

/* --- silent and trickle --- */

/* Close what the server has closed; returns how many are still open. */
static unsigned int sweep(struct hostile *h)
{
	unsigned int i, open = 0;
	uint8_t byte;
	ssize_t n;

	for (i = 0; i < h->n; i++) {
		if (h->fds[i] < 0)
			continue;
		n = recv(h->fds[i], &byte, 1, 0);
		if (n == 0 || (n < 0 && errno != EAGAIN))
			drop(h, i);
		else
			open++;
	}
	return open;
}

/* One byte of a request on each connection, and no more than the request. */
static void trickle(struct hostile *h, unsigned int *at)
{
	unsigned int i;

	if (*at == REQUEST_LEN - 1)
		return;
	for (i = 0; i < h->n; i++)
		if (h->fds[i] >= 0)
			send(h->fds[i], request + *at, 1, MSG_NOSIGNAL);
	(*at)++;
}

static void hold(struct hostile *h, bool slowly)
{
	struct pollfd input = { .fd = STDIN_FILENO, .events = POLLIN };
	uint64_t start_ms = now_ms(), next_ms = start_ms + SECOND_MS;
	unsigned int i, refused = 0, open, at = 0;

	for (i = 0; i < h->n; i++) {
		h->fds[i] = dial(h, i);
		refused += h->fds[i] < 0;
	}
	printf("seconds=%.3f\nrefused=%u\nopen=%u\nconnected\n",
	       (double)(now_ms() - start_ms) / 1000, refused, sweep(h));
	fflush(stdout);
	do {
		if (poll(&input, 1, TICK_MS) > 0)
			break;
		if (now_ms() < next_ms)
			continue;
		next_ms += SECOND_MS;
		if (slowly)
			trickle(h, &at);
	} while (sweep(h) > 0);
	open = sweep(h);
	printf("closed=%u\nleft_open=%u\nheld_seconds=%.3f\n", h->n - open,
	       open, (double)(now_ms() - start_ms) / 1000);
}

/* --- garbage --- */

/*
 * Random bytes.  Every other connection begins like a client, so that its
 * bytes are not all seen by the first check.
 */
static void send_garbage(struct hostile *h, unsigned int i, bool first)
{
	uint8_t bytes[GARBAGE_STEP];
	size_t len, at;

	len = 1 + next_random(h) % GARBAGE_STEP;
	if (len > h->left[i])
		len = h->left[i];
	for (at = 0; at < len; at++)
		bytes[at] = (uint8_t)next_random(h);
	if (first && i % 2 == 1 && len >= REQUEST_LEN)
		memcpy(bytes, request, REQUEST_LEN);
	else if (first && i % 4 == 0)
		bytes[0] = 0x45;
	if (send(h->fds[i], bytes, len, MSG_NOSIGNAL) < 0 && errno != EAGAIN)
		h->left[i] = 0;
	else
		h->left[i] -= (unsigned int)len;
	h->sent_ms[i] = now_ms();
}

/* Some wait for the server to close, some just close, some reset. */
static bool finish_garbage(struct hostile *h, unsigned int i)
{
	struct linger reset = { .l_onoff = 1 };
	uint8_t bytes[GARBAGE_STEP];
	ssize_t n;

	switch (i % 3) {
	case 0:
		n = recv(h->fds[i], bytes, sizeof(bytes), 0);
		if ((n > 0 || (n < 0 && errno == EAGAIN)) &&
		    now_ms() < h->sent_ms[i] + PATIENCE_MS)
			return false;
		break;
	case 1:
		setsockopt(h->fds[i], SOL_SOCKET, SO_LINGER, &reset,
			   sizeof(reset));
		break;
	default:
		break;
	}
	drop(h, i);
	return true;
}

static void garbage(struct hostile *h)
{
	unsigned int next = 0, oldest = 0, ended = 0, refused = 0, i;
	uint64_t start_ms = now_ms();

	while (ended + refused < h->n) {
		for (; next < h->n && next - oldest < CROWD; next++) {
			h->left[next] = (unsigned int)(1 + next_random(h) %
						       GARBAGE_MAX);
			h->fds[next] = dial(h, next);
			if (h->fds[next] >= 0)
				send_garbage(h, next, true);
			else
				refused++;
		}
		for (i = oldest; i < next; i++) {
			if (h->fds[i] < 0)
				continue;
			if (h->left[i] > 0)
				send_garbage(h, i, false);
			else
				ended += finish_garbage(h, i);
		}
		while (oldest < next && h->fds[oldest] < 0)
			oldest++;
		poll(NULL, 0, 1);
	}
	printf("connections=%u\nrefused=%u\nseconds=%.3f\n", h->n, refused,
	       (double)(now_ms() - start_ms) / 1000);
}

/* --- packets --- */

static uint32_t join(int fd)
{
	struct pollfd pollfd = { .fd = fd, .events = POLLIN };
	uint8_t reply[REQUEST_LEN];

	if (send(fd, request, sizeof(request), MSG_NOSIGNAL) != REQUEST_LEN ||
	    poll(&pollfd, 1, REPLY_S * SECOND_MS) != 1 ||
	    recv(fd, reply, sizeof(reply), 0) != REQUEST_LEN)
		die("no address");
	return packet_get32(reply + 16);
}

/* A packet that is to be dropped, of one kind after the other. */
static size_t write_bad(uint8_t *out, uint64_t i, uint32_t own)
{
	uint32_t network = own & 0xffff0000;
	uint32_t source = own, destination = network | 1;

	switch (i % N_KINDS) {
	case 0:
		source = network | (own + 1 + (uint32_t)(i % 250));
		break;
	case 1:
		destination = network | 0xffff;
		break;
	case 2:
		destination = 0xe0000001;	/* 224.0.0.1 */
		break;
	case 3:
		destination = 0xffffffff;
		break;
	case 4:
		source = 0x7f000001;
		break;
	default:
		memset(out, 0, PACKET_LEN);
		out[0] = 0x60;
		packet_put16(out + 4, PACKET_LEN - 40);
		out[8] = 0xfe;
		out[9] = 0x80;
		return PACKET_LEN;
	}
	packet_write_udp(out, PACKET_LEN, source, destination, false);
	return PACKET_LEN;
}

static void packets(struct hostile *h, uint64_t n)
{
	static uint8_t batch[BATCH * PACKET_LEN];
	int fd = dial(h, 0);
	uint64_t i, sent = 0;
	uint32_t own;
	size_t len;

	if (fd < 0)
		die("connect");
	own = join(fd);
	fcntl(fd, F_SETFL, 0);
	while (sent < n) {
		len = 0;
		for (i = 0; i < BATCH && sent < n; i++)
			len += write_bad(batch + len, sent++, own);
		if (send(fd, batch, len, MSG_NOSIGNAL) != (ssize_t)len)
			die("send");
	}
	printf("sent=%llu\n", (unsigned long long)sent);
	close(fd);
}

/* --- the command line --- */

__attribute__((noreturn))
static void usage(void)
{
	fprintf(stderr, "usage: hostile silent|trickle|garbage|packets "
		"ADDRESS PORT N [--sources BASE N]\n");
	exit(2);
}

static uint32_t address_of(const char *text)
{
	struct in_addr address;

	if (inet_pton(AF_INET, text, &address) != 1)
		usage();
	return ntohl(address.s_addr);
}

static uint64_t number_of(const char *text, uint64_t most)
{
	char *end;
	uint64_t n = strtoull(text, &end, 10);

	if (end == text || *end || n < 1 || n > most)
		usage();
	return n;
}

int main(int argc, char **argv)
{
	const char *seed = getenv("SEED");
	static struct hostile h;
	const char *what;

	if (argc != 5 && (argc != 8 || strcmp(argv[5], "--sources") != 0))
		usage();
	what = argv[1];
	h.random = (seed ? strtoull(seed, NULL, 10) : 1) * 0x9e3779b97f4a7c15U
		   | 1;
	h.server.sin_family = AF_INET;
	h.server.sin_addr.s_addr = htonl(address_of(argv[2]));
	h.server.sin_port = htons((uint16_t)number_of(argv[3], 65535));
	if (argc == 8) {
		h.first_source = address_of(argv[6]);
		h.n_sources = (uint32_t)number_of(argv[7], 1 << 24);
	}
	printf("seed=%s\n", seed ? seed : "1");
	if (strcmp(what, "packets") == 0) {
		packets(&h, number_of(argv[4], UINT32_MAX));
		return 0;
	}
	h.n = (unsigned int)number_of(argv[4], MAX_CONNECTIONS);
	if (strcmp(what, "silent") == 0)
		hold(&h, false);
	else if (strcmp(what, "trickle") == 0)
		hold(&h, true);
	else if (strcmp(what, "garbage") == 0)
		garbage(&h);
	else
		usage();
	return 0;
}
