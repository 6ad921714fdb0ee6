/* SPDX-License-Identifier: MIT */
/*
 * Numbered and hashed packets, to prove that nothing in between alters,
 * repeats or reorders any.
 *
 *	hashed hub ADDRESS PORT [option]...	base clients of a hub
 *	hashed send ADDRESS PORT [option]...	UDP, over whatever leads there
 *	hashed receive PORT [option]...		the other end of that
 *
 * Theory of operation: a record is the flow's number, the sequence number in
 * the flow, a hash and random bytes.  The hash covers all of them and the
 * addresses that the packet should have, so a packet handed to the wrong
 * client is found as well.  In the hub each client has a thread that sends its
 * flows in turn to the clients behind it in a ring, and one that receives; a
 * flow's state belongs to its one receiver.  The run ends when enough has
 * arrived, the time is over or SIGINT comes; then the senders stop, and the
 * receivers once nothing has come for QUIET_MS.  Loss is counted but is no
 * failure: a hub may drop whole packets.  Output is key=value; the exit status
 * is 1 if a packet was altered, repeated or reordered, or if a stream ended or
 * made no sense.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
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
	HEADERS = 28,		/* IPv4 and UDP */
	AT_FLOW = 0,		/* in a record */
	AT_SEQUENCE = 4,
	AT_HASH = 12,
	RECORD_MIN = 20,
	PACKET_MIN = HEADERS + RECORD_MIN,
	PACKET_MAX = 1500,
	REQUEST_LEN = 20,
	MAX_CLIENTS = 64,
	MAX_FLOWS = MAX_CLIENTS * (MAX_CLIENTS - 1),
	BLOCK = 1 << 20,	/* random bytes that records are cut from */
	BATCH = 64 * 1024,	/* bytes of one send */
	IN_SIZE = 256 * 1024,
	QUIET_MS = 500,
	FIRST_MS = 10000,	/* for the first packet to come, UDP */
	TICK_MS = 20,
	REPLY_S = 10,
	WINDOW = 64,
	ICMP = 1,
};

struct options {
	struct sockaddr_in server;
	unsigned int n_clients, n_flows;	/* flows of each client */
	uint64_t bytes;		/* end when so many have arrived */
	unsigned int seconds;	/* or after this time */
	unsigned int rate;	/* packets a second and sender; 0: any */
	unsigned int min, max;	/* bytes of a packet */
	uint64_t seed;
};

struct counts {
	uint64_t packets, bytes;	/* good ones, each once */
	uint64_t lost;		/* gaps; the end of a run is the caller's */
	uint64_t corrupt, duplicate, reordered;
	uint64_t foreign;	/* sound packets that are not ours, ICMP */
};

/* Of one flow, at its receiver. */
struct flow {
	uint64_t expected;
	uint64_t seen;		/* bit i: expected - 1 - i has come */
};

struct client {
	struct run *run;
	unsigned int number;
	int fd;
	uint32_t address;
	pthread_t sender, receiver;
	uint64_t random;	/* sender */
	uint64_t sent[MAX_CLIENTS];	/* sender; by flow */
	struct counts counts;	/* receiver */
	_Atomic uint64_t arrived;	/* bytes, for the main thread */
	_Atomic bool over;	/* its stream ended or made no sense */
	uint8_t *in;		/* receiver */
};

struct run {
	struct options options;
	struct client clients[MAX_CLIENTS];
	struct flow flows[MAX_FLOWS];
	uint8_t block[BLOCK + PACKET_MAX];
	_Atomic bool stop, drain;
};

static volatile sig_atomic_t interrupted;	/* SIGINT: end the run */

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

__attribute__((noreturn, format(printf, 1, 2)))
static void die(const char *format, ...)
{
	va_list args;

	fputs("hashed: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputs("\n", stderr);
	exit(1);
}

/* --- records --- */

/* xorshift64 (Marsaglia 2003) */
static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static uint64_t mix(uint64_t hash, uint64_t word)
{
	hash = (hash ^ word) * 0x9e3779b97f4a7c15U;
	return hash ^ hash >> 32;
}

static uint64_t get64(const uint8_t *p)
{
	uint64_t word;

	memcpy(&word, p, sizeof(word));
	return word;
}

/* Over a record without its hash; where: the addresses that belong to it. */
static uint64_t hash_record(const uint8_t *record, size_t len, uint64_t where)
{
	uint64_t hash = mix(where, len), rest = 0;
	const uint8_t *p = record + RECORD_MIN;

	hash = mix(hash, get64(record));
	hash = mix(hash, packet_get32(record + 8));
	for (len -= RECORD_MIN; len >= 8; len -= 8, p += 8)
		hash = mix(hash, get64(p));
	memcpy(&rest, p, len);
	return mix(hash, rest);
}

static void write_record(uint8_t *out, size_t len, uint32_t flow,
			 uint64_t sequence, uint64_t where,
			 const uint8_t *filling)
{
	uint64_t hash;

	packet_put32(out + AT_FLOW, flow);
	memcpy(out + AT_SEQUENCE, &sequence, sizeof(sequence));
	memcpy(out + RECORD_MIN, filling, len - RECORD_MIN);
	hash = hash_record(out, len, where);
	memcpy(out + AT_HASH, &hash, sizeof(hash));
}

static void note_sequence(struct flow *flow, uint64_t sequence,
			  struct counts *counts)
{
	uint64_t gap, age;

	if (sequence >= flow->expected) {
		gap = sequence - flow->expected;
		counts->lost += gap;
		flow->seen = gap < WINDOW - 1 ?
			     flow->seen << (gap + 1) | 1 : 1;
		flow->expected = sequence + 1;
		counts->packets++;
		return;
	}
	age = flow->expected - 1 - sequence;
	if (age < WINDOW && (flow->seen >> age & 1) != 0) {
		counts->duplicate++;
		return;
	}
	counts->reordered++;
	counts->packets++;
	if (age < WINDOW) {
		flow->seen |= UINT64_C(1) << age;
		counts->lost--;
	}
}

/* Check one record that came as part of len bytes. */
static void check_record(struct flow *flows, uint32_t n_flows,
			 const uint8_t *record, size_t len, uint64_t where,
			 struct counts *counts)
{
	uint32_t flow;

	if (len < RECORD_MIN) {
		counts->corrupt++;
		return;
	}
	flow = packet_get32(record + AT_FLOW);
	if (flow >= n_flows ||
	    hash_record(record, len, where) != get64(record + AT_HASH)) {
		counts->corrupt++;
		return;
	}
	counts->bytes += len;
	note_sequence(&flows[flow], get64(record + AT_SEQUENCE), counts);
}

static void make_block(struct run *run)
{
	uint64_t random = run->options.seed * 0x9e3779b97f4a7c15U | 1;
	uint64_t word;
	size_t i;

	for (i = 0; i + sizeof(word) <= sizeof(run->block); i += sizeof(word)) {
		word = next_random(&random);
		memcpy(run->block + i, &word, sizeof(word));
	}
}

static size_t random_len(const struct options *options, uint64_t random)
{
	return options->min + random % (options->max - options->min + 1);
}

/* --- a sender's pace --- */

struct pace {
	unsigned int rate;
	uint64_t start_ms, sent;
};

static struct pace pace_new(unsigned int rate)
{
	return (struct pace){ .rate = rate, .start_ms = now_ms() };
}

/* Packets that may go at once. */
static uint64_t pace_wait(struct pace *pace, uint64_t most)
{
	uint64_t due, ms;

	if (pace->rate == 0)
		return most;
	for (;;) {
		ms = now_ms() - pace->start_ms;
		due = ms * pace->rate / 1000;
		if (due > pace->sent)
			break;
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	}
	due -= pace->sent;
	due = due < most ? due : most;
	pace->sent += due;
	return due;
}

/* --- clients of a hub --- */

static void set_timeout(int fd, int option, time_t seconds, long ms)
{
	struct timeval timeout = { .tv_sec = seconds, .tv_usec = ms * 1000 };

	setsockopt(fd, SOL_SOCKET, option, &timeout, sizeof(timeout));
}

/* A dynamic request, as existing clients send it, and its reply. */
static void join(struct client *c, const struct sockaddr_in *server)
{
	static const uint8_t request[REQUEST_LEN] = {
		0x45, 0x14, [6] = 0x40,
	};
	uint8_t reply[REQUEST_LEN];
	int on = 1;

	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0 || connect(c->fd, (const struct sockaddr *)server,
				 sizeof(*server)) < 0)
		die("connect: %s", strerror(errno));
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	set_timeout(c->fd, SO_RCVTIMEO, REPLY_S, 0);
	if (send(c->fd, request, sizeof(request), MSG_NOSIGNAL) !=
	    REQUEST_LEN || recv(c->fd, reply, sizeof(reply), MSG_WAITALL) !=
	    REQUEST_LEN || packet_get32(reply + 12) != 0)
		die("client %u got no address", c->number);
	c->address = packet_get32(reply + 16);
	set_timeout(c->fd, SO_RCVTIMEO, 0, QUIET_MS);
}

static uint64_t where_of(uint32_t source, uint32_t destination)
{
	return (uint64_t)source << 32 | destination;
}

/* Write the next packet of the client's flow k; returns its length. */
static size_t write_packet(struct client *c, unsigned int k, uint8_t *out)
{
	const struct run *run = c->run;
	unsigned int to = (c->number + 1 + k) % run->options.n_clients;
	uint32_t destination = run->clients[to].address;
	uint64_t random = next_random(&c->random);
	size_t len = random_len(&run->options, random);

	memset(out, 0, HEADERS);
	out[0] = 0x45;
	packet_put16(out + 2, (uint32_t)len);
	out[8] = 64;
	out[9] = PACKET_UDP;
	packet_put32(out + 12, c->address);
	packet_put32(out + 16, destination);
	packet_put16(out + 10, packet_checksum(out, 20, 0));
	packet_put16(out + 20, 1000 + k);
	packet_put16(out + 22, 1000 + k);
	packet_put16(out + 24, (uint32_t)len - 20);
	write_record(out + HEADERS, len - HEADERS,
		     c->number * run->options.n_flows + k, c->sent[k]++,
		     where_of(c->address, destination),
		     run->block + (random >> 32) % BLOCK);
	return len;
}

static bool send_all(struct client *c, const uint8_t *bytes, size_t len)
{
	ssize_t n;

	while (len > 0) {
		n = send(c->fd, bytes, len, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		bytes += n;
		len -= (size_t)n;
	}
	return true;
}

static void *run_sender(void *argument)
{
	struct client *c = argument;
	const struct options *options = &c->run->options;
	struct pace pace = pace_new(options->rate);
	uint8_t batch[BATCH];
	unsigned int k = 0;
	uint64_t n;
	size_t len;

	while (!c->run->stop && !c->over) {
		len = 0;
		for (n = pace_wait(&pace, BATCH / PACKET_MAX); n > 0; n--) {
			len += write_packet(c, k, batch + len);
			k = (k + 1) % options->n_flows;
		}
		if (!send_all(c, batch, len))
			c->over = true;
	}
	return NULL;
}

/* Check the whole packets in bytes.  How much they are; SIZE_MAX: nonsense. */
static size_t check_stream(struct client *c, const uint8_t *bytes, size_t left)
{
	const struct options *options = &c->run->options;
	size_t used = 0, len;
	const uint8_t *p;

	for (; left - used >= HEADERS; used += len) {
		p = bytes + used;
		len = packet_get16(p + 2);
		if (p[0] != 0x45 || len < HEADERS || len > PACKET_MAX) {
			c->counts.corrupt++;
			return SIZE_MAX;
		}
		if (len > left - used)
			break;
		if (p[9] == ICMP && packet_get32(p + 16) == c->address)
			c->counts.foreign++;
		else
			check_record(c->run->flows, options->n_clients *
				     options->n_flows, p + HEADERS,
				     len - HEADERS,
				     where_of(packet_get32(p + 12),
					      c->address), &c->counts);
	}
	return used;
}

static void *run_receiver(void *argument)
{
	struct client *c = argument;
	size_t have = 0, used;
	ssize_t n;

	for (;;) {
		n = recv(c->fd, c->in + have, IN_SIZE - have, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			if (c->run->drain)
				return NULL;
			continue;
		}
		if (n <= 0)
			break;
		have += (size_t)n;
		used = check_stream(c, c->in, have);
		if (used == SIZE_MAX)
			break;
		have -= used;
		memmove(c->in, c->in + used, have);
		c->arrived = c->counts.bytes;
	}
	c->over = true;
	return NULL;
}

static void interrupt(int number)
{
	(void)number;
	interrupted = 1;
}

static void start_clients(struct run *run)
{
	const struct options *options = &run->options;
	struct client *c;
	unsigned int i;

	for (i = 0; i < options->n_clients; i++) {
		c = &run->clients[i];
		c->run = run;
		c->number = i;
		c->random = (options->seed + i + 1) * 0x9e3779b97f4a7c15U | 1;
		c->in = malloc(IN_SIZE);
		if (!c->in)
			die("out of memory");
		join(c, &options->server);
	}
	for (i = 0; i < options->n_clients; i++) {
		c = &run->clients[i];
		if (pthread_create(&c->receiver, NULL, run_receiver, c) != 0 ||
		    pthread_create(&c->sender, NULL, run_sender, c) != 0)
			die("no thread");
	}
}

static void wait_for_end(struct run *run)
{
	const struct options *options = &run->options;
	uint64_t end_ms = now_ms() + options->seconds * UINT64_C(1000);
	bool over = false;
	uint64_t arrived;
	unsigned int i;

	do {
		poll(NULL, 0, TICK_MS);
		for (i = 0, arrived = 0; i < options->n_clients; i++) {
			arrived += run->clients[i].arrived;
			over |= run->clients[i].over;
		}
	} while (arrived < options->bytes && now_ms() < end_ms && !over &&
		 !interrupted);
}

static void end_clients(struct run *run)
{
	unsigned int i, n = run->options.n_clients;

	run->stop = true;
	for (i = 0; i < n; i++)
		pthread_join(run->clients[i].sender, NULL);
	run->drain = true;
	for (i = 0; i < n; i++)
		pthread_join(run->clients[i].receiver, NULL);
}

static bool print_counts(const struct counts *counts, uint64_t ms)
{
	printf("seconds=%.3f\nreceived=%llu\nbytes=%llu\nlost=%llu\n",
	       (double)ms / 1000, (unsigned long long)counts->packets,
	       (unsigned long long)counts->bytes,
	       (unsigned long long)counts->lost);
	printf("corrupt=%llu\nduplicate=%llu\nreordered=%llu\nforeign=%llu\n",
	       (unsigned long long)counts->corrupt,
	       (unsigned long long)counts->duplicate,
	       (unsigned long long)counts->reordered,
	       (unsigned long long)counts->foreign);
	return counts->packets > 0 && counts->corrupt == 0 &&
	       counts->duplicate == 0 && counts->reordered == 0;
}

static bool print_hub(struct run *run, uint64_t ms)
{
	unsigned int i, k, over = 0, n_flows = run->options.n_flows;
	struct counts sum = { 0 };
	const struct client *c;
	uint64_t sent = 0;

	for (i = 0; i < run->options.n_clients; i++) {
		c = &run->clients[i];
		sum.packets += c->counts.packets;
		sum.bytes += c->counts.bytes;
		sum.corrupt += c->counts.corrupt;
		sum.duplicate += c->counts.duplicate;
		sum.reordered += c->counts.reordered;
		sum.foreign += c->counts.foreign;
		over += c->over;
		for (k = 0; k < n_flows; k++)
			sent += c->sent[k];
	}
	sum.lost = sent - sum.packets;
	printf("sent=%llu\nended=%u\n", (unsigned long long)sent, over);
	return print_counts(&sum, ms) && over == 0;
}

static bool run_hub(struct run *run)
{
	uint64_t start_ms;

	signal(SIGINT, interrupt);
	start_clients(run);
	start_ms = now_ms();
	wait_for_end(run);
	start_ms = now_ms() - start_ms;
	end_clients(run);
	return print_hub(run, start_ms);
}

/* --- UDP --- */

static bool run_send(struct run *run)
{
	const struct options *options = &run->options;
	struct client *c = &run->clients[0];
	struct pace pace = pace_new(options->rate);
	uint8_t record[PACKET_MAX];
	uint64_t n, bytes = 0, random;
	size_t len;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (const struct sockaddr *)&options->server,
			      sizeof(options->server)) < 0)
		die("connect: %s", strerror(errno));
	c->random = options->seed * 0x9e3779b97f4a7c15U | 1;
	while (bytes < options->bytes) {
		for (n = pace_wait(&pace, 16); n > 0; n--) {
			random = next_random(&c->random);
			len = random_len(options, random) - HEADERS;
			write_record(record, len, 0, c->sent[0], 0,
				     run->block + (random >> 32) % BLOCK);
			if (send(fd, record, len, 0) < 0 && errno != ENOBUFS)
				die("send: %s", strerror(errno));
			c->sent[0]++;
			bytes += len;
		}
	}
	printf("sent=%llu\n", (unsigned long long)c->sent[0]);
	return true;
}

static bool run_receive(struct run *run)
{
	uint64_t end_ms = now_ms() + run->options.seconds * UINT64_C(1000);
	int size = 8 << 20, fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct counts counts = { 0 };
	uint8_t record[PACKET_MAX];
	uint64_t start_ms = 0;
	ssize_t n;

	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	set_timeout(fd, SO_RCVTIMEO, FIRST_MS / 1000, 0);
	if (fd < 0 || bind(fd, (const struct sockaddr *)&run->options.server,
			   sizeof(run->options.server)) < 0)
		die("bind: %s", strerror(errno));
	while (now_ms() < end_ms) {
		n = recv(fd, record, sizeof(record), 0);
		if (n < 0)
			break;
		if (start_ms == 0) {
			start_ms = now_ms();
			set_timeout(fd, SO_RCVTIMEO, 0, QUIET_MS);
		}
		check_record(run->flows, 1, record, (size_t)n, 0, &counts);
	}
	return print_counts(&counts, now_ms() - start_ms);
}

/* --- the command line --- */

static const char usage[] =
"usage: hashed hub ADDRESS PORT [option]...\n"
"       hashed send ADDRESS PORT [option]...\n"
"       hashed receive PORT [option]...\n"
"  --clients N    of the hub (4)\n"
"  --flows N      of each client, each to another one (3)\n"
"  --bytes N      end when so many have arrived; K, M, G (100M)\n"
"  --seconds N    or after this time (60)\n"
"  --rate N       packets a second and sender; 0: any (0)\n"
"  --min N        bytes of the shortest packet (48)\n"
"  --max N        of the longest (1500)\n"
"Environment: SEED.\n";

__attribute__((noreturn))
static void wrong(const char *what)
{
	fprintf(stderr, "hashed: %s\n%s", what, usage);
	exit(2);
}

static uint64_t read_number(const char *text, uint64_t low, uint64_t high)
{
	static const char units[] = "KMG";
	const char *unit;
	uint64_t value;
	char *end;

	value = strtoull(text, &end, 10);
	unit = *end ? strchr(units, *end) : NULL;
	if (unit) {
		value *= UINT64_C(1) << 10 * (unit - units + 1);
		end++;
	}
	if (end == text || *end || value < low || value > high)
		wrong("a number is out of range");
	return value;
}

static void set_option(struct options *options, int option)
{
	switch (option) {
	case 'c':
		options->n_clients = (unsigned int)read_number(optarg, 2,
							       MAX_CLIENTS);
		break;
	case 'f':
		options->n_flows = (unsigned int)read_number(optarg, 1,
							     MAX_CLIENTS - 1);
		break;
	case 'b':
		options->bytes = read_number(optarg, 1, UINT64_MAX);
		break;
	case 's':
		options->seconds = (unsigned int)read_number(optarg, 1, 86400);
		break;
	case 'r':
		options->rate = (unsigned int)read_number(optarg, 0, 10000000);
		break;
	case 'm':
		options->min = (unsigned int)read_number(optarg, PACKET_MIN,
							 PACKET_MAX);
		break;
	case 'M':
		options->max = (unsigned int)read_number(optarg, PACKET_MIN,
							 PACKET_MAX);
		break;
	default:
		wrong("wrong option");
	}
}

static void read_options(struct options *options, int argc, char **argv)
{
	static const struct option table[] = {
		{ "clients", required_argument, NULL, 'c' },
		{ "flows", required_argument, NULL, 'f' },
		{ "bytes", required_argument, NULL, 'b' },
		{ "seconds", required_argument, NULL, 's' },
		{ "rate", required_argument, NULL, 'r' },
		{ "min", required_argument, NULL, 'm' },
		{ "max", required_argument, NULL, 'M' },
		{ NULL, 0, NULL, 0 },
	};
	const char *seed = getenv("SEED");
	int option;

	*options = (struct options){
		.n_clients = 4, .n_flows = 3, .bytes = 100 << 20,
		.seconds = 60, .min = PACKET_MIN, .max = PACKET_MAX,
		.seed = seed ? strtoull(seed, NULL, 10) : 1,
	};
	while ((option = getopt_long(argc, argv, "", table, NULL)) != -1)
		set_option(options, option);
	if (options->min > options->max)
		wrong("--min is over --max");
	if (options->n_flows >= options->n_clients)
		wrong("--flows has to be less than --clients");
}

static void read_server(struct sockaddr_in *server, const char *address,
			const char *port)
{
	server->sin_family = AF_INET;
	server->sin_port = htons((uint16_t)read_number(port, 1, 65535));
	if (address && inet_pton(AF_INET, address, &server->sin_addr) != 1)
		wrong("that is no IPv4 address");
}

int main(int argc, char **argv)
{
	static struct run run;
	char **words;
	bool good;
	int n;

	read_options(&run.options, argc, argv);
	words = argv + optind;
	n = argc - optind;
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("seed=%llu\n", (unsigned long long)run.options.seed);
	make_block(&run);
	if (n == 3 && strcmp(words[0], "hub") == 0) {
		read_server(&run.options.server, words[1], words[2]);
		good = run_hub(&run);
	} else if (n == 3 && strcmp(words[0], "send") == 0) {
		read_server(&run.options.server, words[1], words[2]);
		good = run_send(&run);
	} else if (n == 2 && strcmp(words[0], "receive") == 0) {
		read_server(&run.options.server, NULL, words[1]);
		good = run_receive(&run);
	} else {
		wrong("what to do?");
	}
	return good ? 0 : 1;
}
