/* SPDX-License-Identifier: MIT */
/*
 * Floods of small numbered UDP packets: how many a second arrive, and whether
 * one is altered, repeated or out of order.
 *
 * The receiver ends FLOOD_QUIET_MS after the last packet, so it is started
 * first and needs no word from the sender; the sender prints how many it sent.
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

enum {
	SEQUENCE_LEN = 8,
	MAX_PAYLOAD = 1472,
	MAX_BATCH = 64,
	RECEIVE_BUFFER = 16 << 20,	/* the reader is not the limit */
	FIRST_WAIT_S = 15,
	FLOOD_QUIET_MS = 700,
	CLOCK_EVERY = 64,		/* packets between looks at the clock */
};

struct batch {
	struct mmsghdr messages[MAX_BATCH];
	struct iovec iov[MAX_BATCH];
	uint8_t payload[MAX_BATCH][MAX_PAYLOAD + 1];
};

struct totals {
	uint64_t packets, corrupt, late, next;
	uint64_t first_ns, last_ns;
};

static void init_batch(struct batch *batch, size_t payload_len)
{
	unsigned int i;

	memset(batch, 0, sizeof(*batch));
	for (i = 0; i < MAX_BATCH; i++) {
		memcpy(batch->payload[i] + SEQUENCE_LEN, perf_pattern(),
		       MAX_PAYLOAD - SEQUENCE_LEN);
		batch->iov[i].iov_base = batch->payload[i];
		batch->iov[i].iov_len = payload_len;
		batch->messages[i].msg_hdr.msg_iov = &batch->iov[i];
		batch->messages[i].msg_hdr.msg_iovlen = 1;
	}
}

/* A full queue on the way costs packets, not the flood. */
static unsigned int send_batch(int fd, struct batch *batch, unsigned int n)
{
	int sent;

	if (n == 1)
		sent = send(fd, batch->payload[0], batch->iov[0].iov_len, 0) < 0
			? -1 : 1;
	else
		sent = sendmmsg(fd, batch->messages, n, 0);
	if (sent < 0 && errno != ENOBUFS && errno != EAGAIN &&
	    errno != ECONNREFUSED)
		perf_die(errno, "send");
	return sent < 0 ? 0 : (unsigned int)sent;
}

static void flood(int fd, struct batch *batch, unsigned int n, double seconds)
{
	uint64_t start_ns = clock_now_ns(), now_ns = start_ns, sequence = 0;
	uint64_t end_ns = start_ns + (uint64_t)(seconds * 1e9), number;
	unsigned int i, since = 0;

	while (now_ns < end_ns) {
		for (i = 0; i < n; i++) {
			number = sequence + i;
			memcpy(batch->payload[i], &number, sizeof(number));
		}
		i = send_batch(fd, batch, n);
		sequence += i;
		since += i ? i : 1;
		if (since >= CLOCK_EVERY) {
			since = 0;
			now_ns = clock_now_ns();
		}
	}
	printf("sent=%llu\n", (unsigned long long)sequence);
	printf("sent_per_s=%.0f\n",
	       (double)sequence * 1e9 / (double)(now_ns - start_ns));
}

static void check_packet(struct totals *totals, const uint8_t *payload,
			 size_t len, size_t payload_len)
{
	uint64_t sequence;

	memcpy(&sequence, payload, sizeof(sequence));
	if (len != payload_len ||
	    memcmp(payload + SEQUENCE_LEN, perf_pattern(),
		   payload_len - SEQUENCE_LEN)) {
		totals->corrupt++;
		return;
	}
	totals->packets++;
	if (sequence < totals->next)
		totals->late++;
	else
		totals->next = sequence + 1;
}

static void receive_all(int fd, struct batch *batch, size_t payload_len,
			struct totals *totals)
{
	struct timeval wait = { .tv_sec = FIRST_WAIT_S };
	struct timeval quiet = { .tv_usec = FLOOD_QUIET_MS * 1000 };
	int i, n;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	while ((n = recvmmsg(fd, batch->messages, MAX_BATCH, MSG_WAITFORONE,
			     NULL)) > 0) {
		totals->last_ns = clock_now_ns();
		if (!totals->first_ns) {
			totals->first_ns = totals->last_ns;
			setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &quiet,
				   sizeof(quiet));
		}
		for (i = 0; i < n; i++)
			check_packet(totals, batch->payload[i],
				     batch->messages[i].msg_len, payload_len);
	}
}

static void print_totals(const struct totals *totals)
{
	double seconds = (double)(totals->last_ns - totals->first_ns) / 1e9;

	printf("received=%llu\n", (unsigned long long)totals->packets);
	printf("received_per_s=%.0f\n",
	       seconds > 0 ? (double)totals->packets / seconds : 0);
	printf("corrupt=%llu\n", (unsigned long long)totals->corrupt);
	/* One behind a later one: out of order, or come twice. */
	printf("late=%llu\n", (unsigned long long)totals->late);
}

static void receive(int fd, struct batch *batch, size_t payload_len)
{
	struct totals totals = { 0 };
	int size = RECEIVE_BUFFER;

	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	init_batch(batch, MAX_PAYLOAD + 1);
	receive_all(fd, batch, payload_len, &totals);
	print_totals(&totals);
}

static void __attribute__((noreturn)) wrong(void)
{
	fprintf(stderr,
		"usage: udpflood receive ADDRESS PORT BYTES\n"
		"       udpflood send ADDRESS PORT BYTES SECONDS [BATCH]\n"
		"BYTES is the length of the IP packets, 36 to 1500; with a\n"
		"BATCH above 1 they leave by sendmmsg, so many at a time.\n");
	exit(2);
}

int main(int argc, char **argv)
{
	static struct batch batch;
	struct sockaddr_in address;
	size_t payload_len;
	uint64_t n = 1;
	bool sends;
	int fd;

	sends = argc > 1 && !strcmp(argv[1], "send");
	if (argc < 5 || (!sends && strcmp(argv[1], "receive")) ||
	    (sends ? argc < 6 || argc > 7 : argc > 5))
		wrong();
	address = perf_address(argv[2], argv[3]);
	payload_len = perf_number("length", argv[4], 36, 1500) - 28;
	fd = sends ? perf_udp_connected(&address) : perf_udp_bound(&address);
	init_batch(&batch, payload_len);
	if (argc == 7)
		n = perf_number("batch", argv[6], 1, MAX_BATCH);
	if (sends)
		flood(fd, &batch, (unsigned int)n,
		      (double)perf_number("seconds", argv[5], 1, 60));
	else
		receive(fd, &batch, payload_len);
	return 0;
}
