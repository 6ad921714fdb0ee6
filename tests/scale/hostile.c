/* SPDX-License-Identifier: MIT */
/*
 * Strangers and bad clients for a soak: a number of connections that do one
 * kind of harm each, for a while, and then another kind.
 *
 *	hostile ADDRESS PORT COUNT SECONDS [SEED]
 *
 * Theory of operation: one thread; a turn each TURN_MS gives every connection
 * the chance to do its harm, never waiting for any.  A connection whose time
 * is over, or that the server has closed, is replaced by one of another kind
 * from another source address.  Nothing is checked here: the honest clients
 * beside it do that.  At the end, or on SIGTERM, it prints one line of
 * key=value words.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "tests/tools/packet.h"

enum {
	TURN_MS = 20,
	MAX_HOSTILE = 4096,
	CONTROL_LEN = 20,
	BURST = 50,		/* messages a turn */
	BURST_LEN = 1400,
	MIN_LIFE_MS = 500,
	MAX_LIFE_MS = 8000,
	TRICKLE_MS = 1000,
	SOURCES = 200,
	NETWORK = 0x0a000000,
};

enum harm {
	HARM_RANDOM,		/* bytes that are no message */
	HARM_SILENT,		/* connects and says nothing */
	HARM_TRICKLE,		/* a request, one byte a second */
	HARM_KEEPALIVES,	/* joins, floods them, reads nothing */
	HARM_REQUESTS,		/* the same with requests */
	HARM_SPOOFED,		/* sends in the name of others */
	HARM_DEAF,		/* sends to itself and reads nothing */
	HARM_N
};

static const char *const harm_names[HARM_N] = {
	"random", "silent", "trickle", "keepalives", "requests", "spoofed",
	"deaf",
};

struct hostile {
	int fd;			/* -1: none */
	enum harm harm;
	uint64_t end_ms, next_ms;
	uint32_t address;	/* 0: not joined, or not yet known */
	unsigned int sent;	/* of HARM_TRICKLE */
};

static struct {
	struct sockaddr_in server;
	uint64_t random, now_ms;
	unsigned int n;
	struct hostile all[MAX_HOSTILE];
	uint64_t connects[HARM_N], closed[HARM_N], bytes, failed;
} crowd;

static volatile sig_atomic_t ended;

static void end(int number)
{
	(void)number;
	ended = 1;
}

static uint32_t next_random(uint32_t n)
{
	crowd.random ^= crowd.random << 13;
	crowd.random ^= crowd.random >> 7;
	crowd.random ^= crowd.random << 17;
	return (uint32_t)(crowd.random >> 32) % n;
}

static void write_control(uint8_t *out, uint32_t source, uint32_t destination)
{
	memset(out, 0, CONTROL_LEN);
	out[0] = 0x45;
	packet_put32(out + 12, source);
	packet_put32(out + 16, destination);
}

/* Whatever part of it the socket takes. */
static void say(struct hostile *h, const uint8_t *data, size_t len)
{
	ssize_t n = send(h->fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n > 0)
		crowd.bytes += (uint64_t)n;
	else if (n < 0 && errno != EAGAIN)
		h->end_ms = 0;
}

static void start(struct hostile *h)
{
	struct sockaddr_in source = { .sin_family = AF_INET };
	uint8_t request[CONTROL_LEN];
	int small = 1, one = 1;

	memset(h, 0, sizeof(*h));
	h->harm = (enum harm)next_random(HARM_N);
	h->end_ms = crowd.now_ms + MIN_LIFE_MS + next_random(MAX_LIFE_MS);
	h->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (h->fd < 0)
		return;
	source.sin_addr.s_addr = htonl(0x7f420001U + next_random(SOURCES));
	setsockopt(h->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one,
		   sizeof(one));
	if (h->harm == HARM_DEAF)
		setsockopt(h->fd, SOL_SOCKET, SO_RCVBUF, &small,
			   sizeof(small));
	if (bind(h->fd, (struct sockaddr *)&source, sizeof(source)) < 0 ||
	    connect(h->fd, (struct sockaddr *)&crowd.server,
		    sizeof(crowd.server)) < 0) {
		crowd.failed++;
		close(h->fd);
		h->fd = -1;
		return;
	}
	crowd.connects[h->harm]++;
	if (h->harm < HARM_KEEPALIVES)
		return;
	write_control(request, 0, 0);
	say(h, request, sizeof(request));
}

static void be_random(struct hostile *h)
{
	uint8_t bytes[BURST_LEN];
	size_t i;

	for (i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)next_random(256);
	say(h, bytes, 1 + next_random(sizeof(bytes)));
}

static void be_slow(struct hostile *h)
{
	uint8_t request[CONTROL_LEN];

	if (crowd.now_ms < h->next_ms)
		return;
	h->next_ms = crowd.now_ms + TRICKLE_MS;
	write_control(request, 0, 0);
	say(h, request + h->sent++ % CONTROL_LEN, 1);
}

static void flood(struct hostile *h, uint32_t source, uint32_t destination)
{
	uint8_t messages[BURST * CONTROL_LEN];
	int i;

	for (i = 0; i < BURST; i++)
		write_control(messages + (size_t)i * CONTROL_LEN, source,
			      destination);
	say(h, messages, sizeof(messages));
}

static void send_packets(struct hostile *h, bool spoofed)
{
	static uint8_t packets[BURST * BURST_LEN];
	uint32_t source = h->address, destination = h->address;
	int i;

	for (i = 0; i < BURST; i++) {
		if (spoofed) {
			do
				source = NETWORK + next_random(65536);
			while (source == h->address);
			destination = NETWORK + 2 + next_random(512);
		}
		packet_write_udp(packets + (size_t)i * BURST_LEN, BURST_LEN,
				 source, destination, false);
	}
	say(h, packets, sizeof(packets));
}

/* The address of the reply.  False: none yet. */
static bool learn_address(struct hostile *h)
{
	uint8_t reply[CONTROL_LEN];

	if (h->address != 0)
		return true;
	if (recv(h->fd, reply, sizeof(reply), MSG_DONTWAIT) !=
	    (ssize_t)sizeof(reply))
		return false;
	h->address = packet_get32(reply + 16);
	return true;
}

static void do_harm(struct hostile *h)
{
	switch (h->harm) {
	case HARM_RANDOM:
		be_random(h);
		break;
	case HARM_SILENT:
		break;
	case HARM_TRICKLE:
		be_slow(h);
		break;
	case HARM_KEEPALIVES:
		flood(h, UINT32_MAX, UINT32_MAX);
		break;
	case HARM_REQUESTS:
		flood(h, 0, 0);
		break;
	case HARM_SPOOFED:
	case HARM_DEAF:
		if (learn_address(h))
			send_packets(h, h->harm == HARM_SPOOFED);
		break;
	case HARM_N:
		break;
	}
}

/* A message that was cut off makes the next one garbage: so much the better. */
static void turn(struct hostile *h)
{
	uint8_t byte;

	if (h->fd < 0) {
		start(h);
		return;
	}
	if (crowd.now_ms < h->end_ms)
		do_harm(h);
	if (recv(h->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0 ||
	    crowd.now_ms >= h->end_ms) {
		crowd.closed[h->harm] += crowd.now_ms < h->end_ms ||
					 h->end_ms == 0;
		close(h->fd);
		h->fd = -1;
	}
}

static void run(uint64_t end_ms)
{
	const struct timespec pause = { .tv_nsec = TURN_MS * 1000000L };
	unsigned int i;

	while (!ended && (crowd.now_ms = clock_now_ms()) < end_ms) {
		for (i = 0; i < crowd.n; i++)
			turn(&crowd.all[i]);
		nanosleep(&pause, NULL);
	}
	for (i = 0; i < crowd.n; i++)
		if (crowd.all[i].fd >= 0)
			close(crowd.all[i].fd);
}

int main(int argc, char **argv)
{
	unsigned long seconds, i;

	if (argc < 5) {
		fprintf(stderr, "usage: hostile ADDRESS PORT COUNT SECONDS "
			"[SEED]\n");
		return 2;
	}
	crowd.server.sin_family = AF_INET;
	crowd.server.sin_port = htons((uint16_t)strtoul(argv[2], NULL, 10));
	crowd.n = (unsigned int)strtoul(argv[3], NULL, 10);
	seconds = strtoul(argv[4], NULL, 10);
	crowd.random = argc > 5 ? strtoull(argv[5], NULL, 10) + 1 : 1;
	crowd.random *= 0x9e3779b97f4a7c15U;
	if (inet_pton(AF_INET, argv[1], &crowd.server.sin_addr) != 1 ||
	    crowd.n > MAX_HOSTILE)
		return 2;
	for (i = 0; i < crowd.n; i++)
		crowd.all[i].fd = -1;
	signal(SIGTERM, end);
	run(clock_now_ms() + seconds * 1000);
	printf("hostile bytes=%llu failed=%llu",
	       (unsigned long long)crowd.bytes,
	       (unsigned long long)crowd.failed);
	for (i = 0; i < HARM_N; i++)
		printf(" %s=%llu closed_%s=%llu", harm_names[i],
		       (unsigned long long)crowd.connects[i], harm_names[i],
		       (unsigned long long)crowd.closed[i]);
	printf(" ok\n");
	return 0;
}
