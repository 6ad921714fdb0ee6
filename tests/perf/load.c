/* SPDX-License-Identifier: MIT */
/*
 * The load generator for a hub: base clients that send numbered packets to
 * each other as fast as the hub takes them, and check all that arrives.
 *
 * Theory of operation: one process holds every client.  Each sender has a
 * thread and a train of packets, made in advance, whose destinations follow
 * each other in turn; per lap of the train only the sequence numbers are
 * written anew, and the train leaves in pieces of 256 KiB.  Receiving threads
 * share the destinations among them, each with a buffer of 256 KiB.  Rates are
 * those of what arrived between the end of the warm-up and the end of the run;
 * loss and damage are counted over everything sent, after the senders have
 * stopped and nothing has come for QUIET_MS.
 *
 * With --relay the same streams go through a TCP relay instead of a hub: the
 * sender connects to the relay, which connects to the sink here.  Nobody joins
 * and there is one sender and one destination.
 *
 * A stalled destination joins like the others, with the smallest receive
 * buffer, and never reads.  What is sent to it, or by a paced sender, is no
 * part of the result.
 *
 * Base clients are dropped after 60 s of silence, and receivers here are
 * silent: hence MAX_SECONDS.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "tests/perf/flow.h"
#include "tests/perf/perf.h"

enum {
	MAX_SENDERS = 128,
	MAX_DESTINATIONS = 4096,
	MAX_IDLE = 19000,
	MAX_RECEIVERS = 16,
	MAX_SECONDS = 40,
	IDLE_PER_ADDRESS = 4000,	/* of 28,000 ports an address has */
	JOIN_BATCH = 128,
	JOIN_TIMEOUT_S = 10,
	QUIET_MS = 300,
	SEND_TIMEOUT_S = 5,
	PACED_RATE = 20000,	/* packets/s of all paced senders together */
	REQUEST_LEN = 20,
	SETTLE_NS = 500 * 1000 * 1000,
};

struct options {
	struct sockaddr_in server;
	struct sockaddr_in sink;	/* port 0: a hub, no relay */
	unsigned int n_senders, n_destinations, n_receivers;
	unsigned int n_idle, n_stalled;
	uint32_t packet_len;
	double seconds;
	bool pairs;		/* sender i sends to destination i only */
	unsigned int paced;	/* pairs: so many of the last are paced */
	pid_t pid;		/* whose processor time is measured; 0: none */
};

struct client {
	int fd;
	uint32_t address;	/* host byte order */
};

/* One destination; belongs to its receiver's thread while that runs. */
struct destination {
	struct client client;
	struct flow_check check;
	struct flow *flows;	/* n_senders of them */
	size_t tail_len;
	uint8_t tail[FLOW_MAX_LEN];
	bool paced;		/* its packets are no part of the result */
	bool over;		/* stream ended or makes no sense */
};

struct sender {
	struct load *load;
	struct client client;
	pthread_t thread;
	unsigned int number;
	unsigned int first, n;	/* its destinations */
	uint8_t *train;
	size_t train_packets, train_len;
	uint64_t laps;		/* read after the thread has ended */
	bool is_paced;
	bool blocked;		/* the server took nothing for SEND_TIMEOUT_S */
};

struct receiver {
	struct load *load;
	pthread_t thread;
	int epoll;
	uint8_t *buf;		/* room for a tail, then PERF_IO_LEN */
	_Atomic uint64_t bytes;	/* good and bad, for the rate */
};

struct load {
	struct options options;
	struct sender *senders;
	struct destination *destinations;
	struct receiver *receivers;
	struct client *idle, *stalled;
	atomic_bool stop;	/* senders */
	atomic_bool drain;	/* receivers: end when nothing comes */
};

static void *xcalloc(size_t n, size_t size)
{
	void *memory = calloc(n ? n : 1, size);

	if (!memory)
		perf_die(ENOMEM, "%zu objects of %zu bytes", n, size);
	return memory;
}

static void set_timeout(int fd, int option, time_t seconds, long ms)
{
	struct timeval timeout = { .tv_sec = seconds, .tv_usec = ms * 1000 };

	if (setsockopt(fd, SOL_SOCKET, option, &timeout, sizeof(timeout)) < 0)
		perf_die(errno, "socket timeout");
}

/* From 127.0.0.(1 + n): one address alone has too few ports for all clients. */
static void bind_source(int fd, const struct sockaddr_in *server,
			unsigned int n)
{
	struct sockaddr_in source = { .sin_family = AF_INET };
	int on = 1;

	if (ntohl(server->sin_addr.s_addr) >> 24 != 127)
		return;
	source.sin_addr.s_addr = htonl(INADDR_LOOPBACK + n);
	setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&source, sizeof(source)) < 0)
		perf_die(errno, "bind");
}

static int connect_tcp(const struct sockaddr_in *server, unsigned int source,
		       bool tiny)
{
	int smallest = 1, on = 1;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		perf_die(errno, "socket");
	if (tiny)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &smallest,
			   sizeof(smallest));
	bind_source(fd, server, source);
	if (connect(fd, (const struct sockaddr *)server, sizeof(*server)) < 0)
		perf_die(errno, "connect to port %u", ntohs(server->sin_port));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return fd;
}

/* A dynamic request, as base clients send it. */
static void send_request(int fd)
{
	static const uint8_t request[REQUEST_LEN] = {
		0x45, 0x14, [6] = 0x40,
	};

	if (send(fd, request, sizeof(request), MSG_NOSIGNAL) !=
	    (ssize_t)sizeof(request))
		perf_die(errno, "request");
}

static uint32_t read_reply(int fd)
{
	uint8_t reply[REQUEST_LEN];
	uint32_t source, address;
	ssize_t len;

	set_timeout(fd, SO_RCVTIMEO, JOIN_TIMEOUT_S, 0);
	len = recv(fd, reply, sizeof(reply), MSG_WAITALL);
	if (len != (ssize_t)sizeof(reply))
		perf_die(len < 0 ? errno : 0, "no reply to a request");
	memcpy(&source, reply + 12, sizeof(source));
	memcpy(&address, reply + 16, sizeof(address));
	if (source || !address)
		perf_die(0, "the reply makes no sense");
	return ntohl(address);
}

static void join_batch(const struct load *load, struct client *clients,
		       unsigned int n, unsigned int source, bool tiny)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		clients[i].fd = connect_tcp(&load->options.server, source,
					    tiny);
		send_request(clients[i].fd);
	}
	for (i = 0; i < n; i++)
		clients[i].address = read_reply(clients[i].fd);
}

static void join_many(const struct load *load, struct client *clients,
		      unsigned int n, bool tiny)
{
	unsigned int i, batch;

	for (i = 0; i < n; i += batch) {
		batch = n - i < JOIN_BATCH ? n - i : JOIN_BATCH;
		join_batch(load, clients + i, batch, 1 + i / IDLE_PER_ADDRESS,
			   tiny);
	}
}

/* Through a relay nobody joins: both ends just connect. */
static void connect_relay(struct load *load)
{
	struct client *out = &load->senders[0].client;
	struct client *in = &load->destinations[0].client;
	int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&load->options.sink,
		 sizeof(load->options.sink)) < 0 || listen(fd, 1) < 0)
		perf_die(errno, "sink");
	out->fd = connect_tcp(&load->options.server, 0, false);
	out->address = 0x0a000002;
	set_timeout(fd, SO_RCVTIMEO, JOIN_TIMEOUT_S, 0);
	in->fd = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
	if (in->fd < 0)
		perf_die(errno, "the relay did not connect");
	in->address = 0x0a000003;
	close(fd);
}

static void connect_all(struct load *load)
{
	const struct options *options = &load->options;
	unsigned int i;

	if (options->sink.sin_port) {
		connect_relay(load);
		return;
	}
	join_many(load, load->idle, options->n_idle, false);
	join_many(load, load->stalled, options->n_stalled, true);
	for (i = 0; i < options->n_senders; i++)
		join_many(load, &load->senders[i].client, 1, false);
	for (i = 0; i < options->n_destinations; i++)
		join_many(load, &load->destinations[i].client, 1, false);
	/* The hub holds data back from a base client that has only just been
	 * sent its reply; that is not what is measured here. */
	perf_sleep_until(clock_now_ns() + SETTLE_NS);
}

/*
 * Whom packet number i of a sender's train goes to.  In pairs, the last
 * destinations are the stalled ones.
 */
static const struct client *destination_client(const struct load *load,
					       unsigned int i)
{
	if (i < load->options.n_destinations)
		return &load->destinations[i].client;
	return &load->stalled[i - load->options.n_destinations];
}

static void make_train(struct load *load, struct sender *sender)
{
	uint32_t len = load->options.packet_len;
	size_t i, rounds = PERF_IO_LEN / len / sender->n + 1;
	unsigned int to;

	sender->train_packets = rounds * sender->n;
	sender->train_len = sender->train_packets * len;
	sender->train = xcalloc(sender->train_packets, len);
	for (i = 0; i < sender->train_packets; i++) {
		to = sender->first + (unsigned int)(i % sender->n);
		flow_write(sender->train + i * len, len,
			   sender->client.address,
			   destination_client(load, to)->address,
			   (uint16_t)sender->number, (uint16_t)to);
	}
}

static bool is_paced(const struct options *options, unsigned int number)
{
	return options->pairs && number + options->paced >= options->n_senders;
}

static void make_senders(struct load *load)
{
	const struct options *options = &load->options;
	struct sender *sender;
	unsigned int i;

	for (i = 0; i < options->n_senders; i++) {
		sender = &load->senders[i];
		sender->load = load;
		sender->number = i;
		sender->first = options->pairs ? i : 0;
		sender->n = options->pairs ? 1 : options->n_destinations;
		sender->is_paced = is_paced(options, i);
		make_train(load, sender);
		set_timeout(sender->client.fd, SO_SNDTIMEO, SEND_TIMEOUT_S, 0);
	}
}

/* Each sender's flow is expected with the header that its train carries. */
static void make_destinations(struct load *load)
{
	const struct options *options = &load->options;
	uint8_t packet[FLOW_MAX_LEN];
	struct destination *destination;
	unsigned int i, j;

	for (i = 0; i < options->n_destinations; i++) {
		destination = &load->destinations[i];
		destination->paced = is_paced(options, i);
		destination->flows = xcalloc(options->n_senders,
					     sizeof(struct flow));
		for (j = 0; j < options->n_senders; j++) {
			flow_write(packet, options->packet_len,
				   load->senders[j].client.address,
				   destination->client.address, (uint16_t)j,
				   (uint16_t)i);
			flow_init(&destination->flows[j], packet);
		}
		destination->check = (struct flow_check){
			.packet_len = options->packet_len,
			.n_flows = options->n_senders,
			.flows = destination->flows,
		};
	}
}

static bool send_all(struct sender *sender, const uint8_t *buf, size_t len)
{
	size_t piece;
	ssize_t sent;

	while (len) {
		piece = len < PERF_IO_LEN ? len : PERF_IO_LEN;
		sent = send(sender->client.fd, buf, piece, MSG_NOSIGNAL);
		if (sent < 0 && errno == EINTR)
			continue;
		if (sent <= 0) {
			sender->blocked = true;
			return false;
		}
		buf += sent;
		len -= (size_t)sent;
	}
	return true;
}

static void number_train(struct sender *sender)
{
	size_t len = sender->load->options.packet_len;
	size_t rounds = sender->train_packets / sender->n, i;
	uint64_t sequence = sender->laps * rounds;
	uint8_t *packet = sender->train;
	unsigned int to;

	for (i = 0; i < rounds; i++, sequence++)
		for (to = 0; to < sender->n; to++, packet += len)
			flow_set_sequence(packet, sequence);
}

static void *sender_main(void *argument)
{
	struct sender *sender = argument;
	uint64_t turn_ns = sender->train_packets * UINT64_C(1000000000) /
			   PACED_RATE;
	uint64_t lap_ns = turn_ns * sender->load->options.paced;
	uint64_t next = clock_now_ns();

	if (sender->is_paced)		/* one after the other */
		perf_sleep_until(next += turn_ns * sender->number);
	while (!atomic_load_explicit(&sender->load->stop,
				     memory_order_relaxed)) {
		number_train(sender);
		if (!send_all(sender, sender->train, sender->train_len))
			break;
		sender->laps++;
		if (sender->is_paced)
			perf_sleep_until(next += lap_ns);
	}
	return NULL;
}

/* Returns false when the stream is over. */
static bool receive(struct receiver *receiver, struct destination *destination)
{
	uint8_t *data = receiver->buf + FLOW_MAX_LEN - destination->tail_len;
	size_t len = destination->tail_len, used;
	ssize_t got;

	got = recv(destination->client.fd, receiver->buf + FLOW_MAX_LEN,
		   PERF_IO_LEN, 0);
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	if (got <= 0)
		return false;
	if (!destination->paced)
		atomic_fetch_add_explicit(&receiver->bytes, (uint64_t)got,
					  memory_order_relaxed);
	memcpy(data, destination->tail, len);
	len += (size_t)got;
	used = flow_check(&destination->check, data, len);
	if (used == SIZE_MAX || len - used > sizeof(destination->tail))
		return false;
	destination->tail_len = len - used;
	memcpy(destination->tail, data + used, destination->tail_len);
	return true;
}

static void *receiver_main(void *argument)
{
	struct receiver *receiver = argument;
	struct destination *destination;
	struct epoll_event events[64];
	int i, n;

	for (;;) {
		n = epoll_wait(receiver->epoll, events, 64, QUIET_MS);
		if (n == 0 && atomic_load(&receiver->load->drain))
			break;
		for (i = 0; i < n; i++) {
			destination = events[i].data.ptr;
			if (receive(receiver, destination))
				continue;
			destination->over = true;
			epoll_ctl(receiver->epoll, EPOLL_CTL_DEL,
				  destination->client.fd, NULL);
		}
	}
	return NULL;
}

static void make_receivers(struct load *load)
{
	struct epoll_event event = { .events = EPOLLIN };
	struct receiver *receiver;
	unsigned int i;

	for (i = 0; i < load->options.n_receivers; i++) {
		receiver = &load->receivers[i];
		receiver->load = load;
		receiver->buf = xcalloc(1, FLOW_MAX_LEN + PERF_IO_LEN);
		receiver->epoll = epoll_create1(EPOLL_CLOEXEC);
		if (receiver->epoll < 0)
			perf_die(errno, "epoll");
	}
	for (i = 0; i < load->options.n_destinations; i++) {
		receiver = &load->receivers[i % load->options.n_receivers];
		event.data.ptr = &load->destinations[i];
		if (epoll_ctl(receiver->epoll, EPOLL_CTL_ADD,
			      load->destinations[i].client.fd, &event) < 0)
			perf_die(errno, "epoll");
	}
}

static void start_threads(struct load *load)
{
	unsigned int i;
	int error = 0;

	for (i = 0; i < load->options.n_receivers && !error; i++)
		error = pthread_create(&load->receivers[i].thread, NULL,
				       receiver_main, &load->receivers[i]);
	for (i = 0; i < load->options.n_senders && !error; i++)
		error = pthread_create(&load->senders[i].thread, NULL,
				       sender_main, &load->senders[i]);
	if (error)
		perf_die(error, "thread");
}

static void end_threads(struct load *load)
{
	unsigned int i;

	atomic_store(&load->stop, true);
	for (i = 0; i < load->options.n_senders; i++)
		pthread_join(load->senders[i].thread, NULL);
	atomic_store(&load->drain, true);
	for (i = 0; i < load->options.n_receivers; i++)
		pthread_join(load->receivers[i].thread, NULL);
}

/* What is there to be compared at the two ends of the measured time. */
struct sample {
	uint64_t now_ns;
	uint64_t bytes;
	double server_cpu_s;
	double own_cpu_s;
};

static struct sample take_sample(const struct load *load)
{
	struct sample sample = { 0 };
	unsigned int i;

	for (i = 0; i < load->options.n_receivers; i++)
		sample.bytes += atomic_load(&load->receivers[i].bytes);
	sample.now_ns = clock_now_ns();
	if (load->options.pid)
		sample.server_cpu_s = perf_cpu_seconds(load->options.pid);
	sample.own_cpu_s = perf_cpu_seconds(getpid());
	return sample;
}

static void add_counts(struct flow_counts *sum,
		       const struct flow_counts *counts)
{
	sum->packets += counts->packets;
	sum->lost += counts->lost;
	sum->corrupt += counts->corrupt;
	sum->reordered += counts->reordered;
	sum->duplicate += counts->duplicate;
	sum->foreign += counts->foreign;
}

/* Packets of a sender to one destination. */
static uint64_t packets_sent(const struct sender *sender)
{
	return sender->laps * (sender->train_packets / sender->n);
}

/* Adds what never came at the end of the run; returns how many were sent. */
static uint64_t count_all(const struct load *load, struct flow_counts *counts)
{
	const struct destination *destination;
	const struct sender *sender;
	uint64_t sent = 0, expected;
	unsigned int i, j;

	for (i = 0; i < load->options.n_destinations; i++) {
		destination = &load->destinations[i];
		if (destination->paced)
			continue;
		add_counts(counts, &destination->check.counts);
		for (j = 0; j < load->options.n_senders; j++) {
			sender = &load->senders[j];
			if (i - sender->first >= sender->n)
				continue;
			sent += packets_sent(sender);
			expected = destination->flows[j].expected;
			if (packets_sent(sender) > expected)
				counts->lost += packets_sent(sender) - expected;
		}
	}
	return sent;
}

static unsigned int count_closed(const struct client *clients, unsigned int n)
{
	unsigned int i, closed = 0;
	struct pollfd pollfd;

	for (i = 0; i < n; i++) {
		pollfd = (struct pollfd){ .fd = clients[i].fd };
		if (poll(&pollfd, 1, 0) > 0)
			closed++;
	}
	return closed;
}

static unsigned int count_ended(const struct load *load)
{
	unsigned int i, ended = 0;

	for (i = 0; i < load->options.n_destinations; i++)
		ended += load->destinations[i].over;
	for (i = 0; i < load->options.n_senders; i++)
		ended += load->senders[i].blocked;
	return ended;
}

static bool print_result(const struct load *load, const struct sample *from,
			 const struct sample *to)
{
	const struct options *options = &load->options;
	double seconds = (double)(to->now_ns - from->now_ns) / 1e9;
	double bytes = (double)(to->bytes - from->bytes);
	struct flow_counts counts = { 0 };
	uint64_t sent = count_all(load, &counts);
	unsigned int ended = count_ended(load);

	printf("seconds=%.3f\n", seconds);
	printf("packets_per_s=%.0f\n", bytes / options->packet_len / seconds);
	printf("bits_per_s=%.0f\n", bytes * 8 / seconds);
	printf("sent=%llu\n", (unsigned long long)sent);
	printf("received=%llu\n", (unsigned long long)counts.packets);
	printf("lost=%llu\n", (unsigned long long)counts.lost);
	printf("corrupt=%llu\n", (unsigned long long)counts.corrupt);
	printf("reordered=%llu\n", (unsigned long long)counts.reordered);
	printf("duplicate=%llu\n", (unsigned long long)counts.duplicate);
	printf("foreign=%llu\n", (unsigned long long)counts.foreign);
	printf("ended=%u\n", ended);
	printf("idle_closed=%u\n", count_closed(load->idle, options->n_idle));
	printf("server_cpu_s=%.2f\n", to->server_cpu_s - from->server_cpu_s);
	printf("own_cpu_s=%.2f\n", to->own_cpu_s - from->own_cpu_s);
	return !counts.corrupt && !counts.duplicate && !ended;
}

static const char usage[] =
"usage: load --server ADDRESS:PORT [option]...\n"
"  --senders N       threads that send (1)\n"
"  --destinations N  clients that receive, sent to in turn (1)\n"
"  --receivers N     threads that read for them (1)\n"
"  --idle N          further clients that do nothing (0)\n"
"  --size BYTES      length of a packet, 40 to 1500 (1400)\n"
"  --seconds N       measured time, after a warm-up of a quarter of it (5)\n"
"  --pairs           sender i sends only to destination i\n"
"  --paced N         with --pairs: the last N senders send 20,000 packets/s\n"
"  --stalled N       with --pairs: the last N destinations never read\n"
"  --relay PORT      no hub: the server is a TCP relay to this port of ours\n"
"  --pid PID         process whose CPU seconds are measured\n";

static void __attribute__((noreturn)) wrong(const char *what)
{
	fprintf(stderr, "load: %s\n%s", what, usage);
	exit(2);
}

static struct sockaddr_in server_address(char *text)
{
	char *colon = strchr(text, ':');

	if (!colon)
		wrong("--server wants ADDRESS:PORT");
	*colon = 0;
	return perf_address(text, colon + 1);
}

static unsigned int small_number(const char *what, unsigned int low,
				 unsigned int high)
{
	return (unsigned int)perf_number(what, optarg, low, high);
}

static void set_option(struct options *options, int option)
{
	switch (option) {
	case 'S': options->server = server_address(optarg); break;
	case 'n': options->n_senders =
		  small_number("--senders", 1, MAX_SENDERS); break;
	case 'm': options->n_destinations =
		  small_number("--destinations", 1, MAX_DESTINATIONS); break;
	case 'r': options->n_receivers =
		  small_number("--receivers", 1, MAX_RECEIVERS); break;
	case 'i': options->n_idle =
		  small_number("--idle", 0, MAX_IDLE); break;
	case 's': options->packet_len =
		  small_number("--size", FLOW_MIN_LEN, FLOW_MAX_LEN); break;
	case 't': options->seconds =
		  small_number("--seconds", 1, MAX_SECONDS); break;
	case 'p': options->pairs = true; break;
	case 'c': options->paced =
		  small_number("--paced", 0, MAX_SENDERS); break;
	case 'z': options->n_stalled =
		  small_number("--stalled", 0, MAX_SENDERS); break;
	case 'R': options->sink = perf_address("127.0.0.1", optarg); break;
	case 'P': options->pid =
		  (pid_t)perf_number("--pid", optarg, 1, 1 << 30); break;
	default: wrong("wrong option");
	}
}

static void check_options(struct options *options)
{
	if (!options->server.sin_port)
		wrong("--server is missing");
	if (options->n_stalled && !options->pairs)
		wrong("--stalled needs --pairs");
	if (options->pairs &&
	    (options->n_destinations != options->n_senders ||
	     options->n_stalled >= options->n_senders))
		wrong("--pairs needs as many destinations as senders, "
		      "and one that reads");
	if (options->sink.sin_port &&
	    (options->n_senders != 1 || options->n_destinations != 1 ||
	     options->n_idle || options->n_stalled))
		wrong("--relay takes one sender and one destination");
	options->n_destinations -= options->n_stalled;
}

static void read_options(struct options *options, int argc, char **argv)
{
	static const struct option table[] = {
		{ "server", required_argument, NULL, 'S' },
		{ "senders", required_argument, NULL, 'n' },
		{ "destinations", required_argument, NULL, 'm' },
		{ "receivers", required_argument, NULL, 'r' },
		{ "idle", required_argument, NULL, 'i' },
		{ "size", required_argument, NULL, 's' },
		{ "seconds", required_argument, NULL, 't' },
		{ "pairs", no_argument, NULL, 'p' },
		{ "paced", required_argument, NULL, 'c' },
		{ "stalled", required_argument, NULL, 'z' },
		{ "relay", required_argument, NULL, 'R' },
		{ "pid", required_argument, NULL, 'P' },
		{ NULL, 0, NULL, 0 },
	};
	int option;

	*options = (struct options){
		.n_senders = 1, .n_destinations = 1, .n_receivers = 1,
		.packet_len = 1400, .seconds = 5,
	};
	while ((option = getopt_long(argc, argv, "", table, NULL)) != -1)
		set_option(options, option);
	if (optind < argc)
		wrong("too many arguments");
	check_options(options);
}

static void raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static void make_load(struct load *load)
{
	const struct options *options = &load->options;

	load->senders = xcalloc(options->n_senders, sizeof(*load->senders));
	load->destinations = xcalloc(options->n_destinations,
				     sizeof(*load->destinations));
	load->receivers = xcalloc(options->n_receivers,
				  sizeof(*load->receivers));
	load->idle = xcalloc(options->n_idle, sizeof(*load->idle));
	load->stalled = xcalloc(options->n_stalled, sizeof(*load->stalled));
	connect_all(load);
	make_senders(load);
	make_destinations(load);
	make_receivers(load);
}

int main(int argc, char **argv)
{
	static struct load load;
	struct sample from, to;
	uint64_t start_ns, run_ns;

	read_options(&load.options, argc, argv);
	raise_descriptor_limit();
	make_load(&load);
	start_threads(&load);
	start_ns = clock_now_ns();
	run_ns = (uint64_t)(load.options.seconds * 1e9);
	perf_sleep_until(start_ns + run_ns / 4);
	from = take_sample(&load);
	perf_sleep_until(from.now_ns + run_ns);
	to = take_sample(&load);
	end_threads(&load);
	return print_result(&load, &from, &to) ? 0 : 1;
}
