/* SPDX-License-Identifier: MIT */
/*
 * A base client for tests: it speaks the wire protocol byte by byte, as a
 * script says, and checks every byte that comes back.
 *
 *	raw HOST PORT 'join dynamic; keepalive; expect-nothing 100'
 *	raw HOST PORT -
 *
 * Theory of operation: with a script, commands are divided by ';' or line
 * ends, run in order, and the first that fails ends the program with 1.  With
 * "-" they are read from stdin, one a line, and each is answered on stdout by
 * "ok", after the lines that it prints itself, or by "failed: ..."; so that a
 * shell script can lead several clients step by step.  The connection is made
 * by the first command that needs one.  Nothing is shared with the code under
 * test: lengths and checksums are computed here again, in the plainest way.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
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
	CONTROL_LEN = 20,
	BASE_MAX = 1500,	/* a base client takes no longer packet */
	DEFAULT_MS = 5000,	/* for what must come; times WAIT_SCALE */
	HOUR_MS = 3600000,
	MAX_WORDS = 16,
	MAX_CROWD = 4096,
	CUT_RANDOM = -1,
};

struct raw {
	const char *host, *port;
	int fd;			/* -1: not connected */
	int rcvbuf;		/* bytes; 0: the kernel's choice */
	int cut;		/* bytes a send; 0: all at once; CUT_RANDOM */
	int scale;
	bool ended;		/* the stream is at its end */
	uint32_t address;	/* ours, host byte order; 0 until joined */
	uint32_t random;
	uint8_t header[12];	/* of requests and keepalives */
	size_t len;		/* of what was received and not looked at */
	uint8_t buf[1 << 16];
	int n_crowd;
	int crowd[MAX_CROWD];
	char error[512];
};

/* One command: its name, how many words may follow, what it does. */
struct command {
	const char *name;
	int min, max;
	bool (*run)(struct raw *raw, int n, char **word);
	const char *help;
};

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

__attribute__((format(printf, 2, 3)))
static bool wrong(struct raw *raw, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(raw->error, sizeof(raw->error), format, args);
	va_end(args);
	return false;
}

static uint32_t next_random(struct raw *raw)
{
	/* Numerical Recipes' constants: quality does not matter here. */
	raw->random = raw->random * 1664525 + 1013904223;
	return raw->random >> 8;
}

static const char *hex(const uint8_t *bytes, size_t len)
{
	static char text[2 * 64 + 4];
	size_t i;

	for (i = 0; i < len && i < 64; i++)
		sprintf(text + 2 * i, "%02x", bytes[i]);
	text[2 * i] = '\0';
	if (i < len)
		strcat(text, "...");
	return text;
}

static const char *dotted(uint32_t address)
{
	struct in_addr in = { .s_addr = htonl(address) };
	static char text[INET_ADDRSTRLEN];

	return inet_ntop(AF_INET, &in, text, sizeof(text));
}

/* An address as text; "me" is the one that the server gave us. */
static bool parse_address(struct raw *raw, const char *text, uint32_t *address)
{
	struct in_addr in;

	if (strcmp(text, "me") == 0) {
		if (raw->address == 0)
			return wrong(raw, "no address yet");
		*address = raw->address;
		return true;
	}
	if (inet_pton(AF_INET, text, &in) != 1)
		return wrong(raw, "'%s' is no address", text);
	*address = ntohl(in.s_addr);
	return true;
}

static bool parse_number(struct raw *raw, const char *text, long min, long max,
			 long *number)
{
	char *end;

	errno = 0;
	*number = strtol(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0' || *number < min ||
	    *number > max)
		return wrong(raw, "'%s' is no number from %ld to %ld", text,
			     min, max);
	return true;
}

static bool parse_hex(struct raw *raw, int n, char **word, uint8_t *out,
		      size_t max, size_t *len)
{
	unsigned int byte;
	const char *p;
	int i;

	*len = 0;
	for (i = 0; i < n; i++)
		for (p = word[i]; *p != '\0'; p += 2) {
			if (*len == max || strlen(p) < 2 ||
			    sscanf(p, "%2x", &byte) != 1)
				return wrong(raw, "'%s' is no hex", word[i]);
			out[(*len)++] = (uint8_t)byte;
		}
	return true;
}

/* --- the connection --- */

static int dial(struct raw *raw)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	struct addrinfo *list;
	int fd, error;

	error = getaddrinfo(raw->host, raw->port, &hints, &list);
	if (error != 0) {
		wrong(raw, "%s: %s", raw->host, gai_strerror(error));
		return -1;
	}
	fd = socket(list->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && raw->rcvbuf != 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &raw->rcvbuf,
			   sizeof(raw->rcvbuf));
	if (fd < 0 || connect(fd, list->ai_addr, list->ai_addrlen) < 0) {
		wrong(raw, "connect: %s", strerror(errno));
		if (fd >= 0)
			close(fd);
		fd = -1;
	}
	freeaddrinfo(list);
	return fd;
}

static bool connected(struct raw *raw)
{
	if (raw->fd < 0) {
		raw->fd = dial(raw);
		raw->ended = false;
		raw->len = 0;
		raw->address = 0;
	}
	return raw->fd >= 0;
}

static size_t piece_len(struct raw *raw, size_t len)
{
	size_t piece = len;

	if (raw->cut == CUT_RANDOM)
		piece = 1 + next_random(raw) % 40;
	else if (raw->cut != 0)
		piece = (size_t)raw->cut;
	return piece < len ? piece : len;
}

static bool send_all(struct raw *raw, const uint8_t *bytes, size_t len)
{
	ssize_t n;

	if (!connected(raw))
		return false;
	while (len > 0) {
		n = send(raw->fd, bytes, piece_len(raw, len), MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return wrong(raw, "send: %s", strerror(errno));
		bytes += n;
		len -= (size_t)n;
	}
	return true;
}

/* More bytes into buf: 1 when some came, 0 at the deadline, -1 at the end. */
static int receive(struct raw *raw, uint64_t deadline_ms)
{
	struct pollfd poll_fd = { .fd = raw->fd, .events = POLLIN };
	uint64_t now = now_ms();
	ssize_t n;

	if (raw->len == sizeof(raw->buf))
		return 1;
	if (poll(&poll_fd, 1, now < deadline_ms ?
		 (int)(deadline_ms - now) : 0) <= 0)
		return 0;
	n = recv(raw->fd, raw->buf + raw->len, sizeof(raw->buf) - raw->len, 0);
	raw->ended = n <= 0;
	if (raw->ended)
		return -1;
	raw->len += (size_t)n;
	return 1;
}

static bool wait_bytes(struct raw *raw, size_t len, uint64_t deadline_ms)
{
	int got = 1;

	if (!connected(raw))
		return false;
	while (raw->len < len && got > 0)
		got = receive(raw, deadline_ms);
	if (raw->len >= len)
		return true;
	return wrong(raw, "%s after %zu of %zu bytes: %s",
		     got < 0 ? "end of stream" : "nothing more", raw->len, len,
		     hex(raw->buf, raw->len));
}

static void consume(struct raw *raw, size_t len)
{
	raw->len -= len;
	memmove(raw->buf, raw->buf + len, raw->len);
}

static uint64_t deadline(struct raw *raw, int n, char **word, int i)
{
	long ms = DEFAULT_MS;

	if (i < n)
		ms = strtol(word[i], NULL, 10);
	return now_ms() + (uint64_t)ms * (uint64_t)raw->scale;
}

/*
 * Wait for one whole message at the start of buf, as a base client sees it:
 * that IPv6, or anything longer than it can take, comes is an error of the
 * server.
 */
static bool wait_message(struct raw *raw, uint64_t deadline_ms, size_t *len)
{
	const uint8_t *p = raw->buf;

	if (!wait_bytes(raw, CONTROL_LEN, deadline_ms))
		return false;
	*len = CONTROL_LEN;
	if (packet_get32(p + 12) == 0 || packet_is_keepalive(p))
		return true;
	*len = packet_get16(p + 2);
	if (p[0] >> 4 != 4 || *len < CONTROL_LEN || *len > BASE_MAX)
		return wrong(raw, "not for a base client: %s",
			     hex(p, raw->len));
	return wait_bytes(raw, *len, deadline_ms);
}

typedef void packet_writer(uint8_t *packet, size_t len, uint32_t source,
			   uint32_t destination, bool df);

static bool send_packet(struct raw *raw, int n, char **word,
			packet_writer *write_packet)
{
	uint8_t packet[65535];
	uint32_t source, destination;
	long len;

	if (!parse_address(raw, word[1], &source) ||
	    !parse_address(raw, word[2], &destination) ||
	    !parse_number(raw, word[3], 28, sizeof(packet), &len))
		return false;
	write_packet(packet, (size_t)len, source, destination,
		     n > 4 && strcmp(word[4], "df") == 0);
	return send_all(raw, packet, (size_t)len);
}

/* --- commands --- */

static void write_control(struct raw *raw, uint8_t out[CONTROL_LEN],
			  uint32_t source, uint32_t destination)
{
	memcpy(out, raw->header, sizeof(raw->header));
	packet_put32(out + 12, source);
	packet_put32(out + 16, destination);
}

static bool request(struct raw *raw, const char *text, uint8_t out[CONTROL_LEN])
{
	uint32_t wanted = 0;

	if (strcmp(text, "dynamic") != 0 && !parse_address(raw, text, &wanted))
		return false;
	write_control(raw, out, wanted, 0);
	return send_all(raw, out, CONTROL_LEN);
}

static bool run_request(struct raw *raw, int n, char **word)
{
	uint8_t out[CONTROL_LEN];

	(void)n;
	return request(raw, word[1], out);
}

/*
 * An existing client takes the reply with one read() of 20 bytes: the reply
 * is the request with the address in it, and nothing may follow it.
 */
static bool run_join(struct raw *raw, int n, char **word)
{
	uint8_t out[CONTROL_LEN];
	uint32_t wanted, address;

	if (!request(raw, word[1], out) ||
	    !wait_bytes(raw, CONTROL_LEN, deadline(raw, n, word, 2)))
		return false;
	wanted = packet_get32(out + 12);
	address = packet_get32(raw->buf + 16);
	packet_put32(out + 12, 0);
	packet_put32(out + 16, wanted != 0 ? wanted : address);
	if (memcmp(raw->buf, out, CONTROL_LEN) != 0 || address == 0)
		return wrong(raw, "reply %s", hex(raw->buf, raw->len));
	if (raw->len != CONTROL_LEN)
		return wrong(raw, "glued to the reply: %s",
			     hex(raw->buf, raw->len));
	raw->address = address;
	consume(raw, CONTROL_LEN);
	printf("address %s\n", dotted(address));
	return true;
}

static bool run_expect_eof(struct raw *raw, int n, char **word)
{
	uint64_t until = deadline(raw, n, word, 1);
	int got = 0;

	if (!connected(raw))
		return false;
	if (raw->len == 0)
		got = receive(raw, until);
	if (got >= 0)
		return wrong(raw, "still open: %s", raw->len > 0 ?
			     hex(raw->buf, raw->len) : "no bytes came");
	close(raw->fd);
	raw->fd = -1;
	return true;
}

static bool run_refused(struct raw *raw, int n, char **word)
{
	uint8_t out[CONTROL_LEN];

	return request(raw, word[1], out) &&
	       run_expect_eof(raw, n - 1, word + 1);
}

static bool expect_bytes(struct raw *raw, const uint8_t *bytes, size_t len,
			 uint64_t deadline_ms)
{
	if (!wait_bytes(raw, len, deadline_ms))
		return false;
	if (memcmp(raw->buf, bytes, len) != 0)
		return wrong(raw, "got %s", hex(raw->buf, raw->len));
	consume(raw, len);
	return true;
}

static bool run_keepalive(struct raw *raw, int n, char **word)
{
	uint8_t out[CONTROL_LEN];

	write_control(raw, out, UINT32_MAX, UINT32_MAX);
	return send_all(raw, out, CONTROL_LEN) &&
	       expect_bytes(raw, out, CONTROL_LEN, deadline(raw, n, word, 1));
}

static bool run_send(struct raw *raw, int n, char **word)
{
	uint8_t bytes[2048];
	size_t len;

	return parse_hex(raw, n - 1, word + 1, bytes, sizeof(bytes), &len) &&
	       send_all(raw, bytes, len);
}

static bool run_expect(struct raw *raw, int n, char **word)
{
	uint8_t bytes[2048];
	size_t len;

	return parse_hex(raw, n - 1, word + 1, bytes, sizeof(bytes), &len) &&
	       expect_bytes(raw, bytes, len, deadline(raw, 0, word, 0));
}

static bool run_expect_nothing(struct raw *raw, int n, char **word)
{
	long ms;

	(void)n;
	if (!parse_number(raw, word[1], 0, 60000, &ms) || !connected(raw))
		return false;
	if (raw->len == 0 && receive(raw, now_ms() + (uint64_t)ms) == 0)
		return true;
	return wrong(raw, "%s", raw->len > 0 ? hex(raw->buf, raw->len) :
		     "end of stream");
}

static bool run_header(struct raw *raw, int n, char **word)
{
	size_t i, len;

	if (strcmp(word[1], "random") == 0) {
		for (i = 0; i < sizeof(raw->header); i++)
			raw->header[i] = (uint8_t)next_random(raw);
		return true;
	}
	if (!parse_hex(raw, n - 1, word + 1, raw->header, sizeof(raw->header),
		       &len) || len != sizeof(raw->header))
		return wrong(raw, "a header has 12 bytes here");
	return true;
}

static bool run_cut(struct raw *raw, int n, char **word)
{
	int one = 1;
	long len;

	(void)n;
	/* Without this the kernel may glue the pieces together again. */
	if (!connected(raw) || setsockopt(raw->fd, IPPROTO_TCP, TCP_NODELAY,
					  &one, sizeof(one)) < 0)
		return false;
	if (strcmp(word[1], "random") == 0) {
		raw->cut = CUT_RANDOM;
		return true;
	}
	if (!parse_number(raw, word[1], 0, 65535, &len))
		return false;
	raw->cut = (int)len;
	return true;
}

static bool run_udp(struct raw *raw, int n, char **word)
{
	return send_packet(raw, n, word, packet_write_udp);
}

static bool run_ping(struct raw *raw, int n, char **word)
{
	return send_packet(raw, n, word, packet_write_echo);
}

static bool run_flood(struct raw *raw, int n, char **word)
{
	uint8_t packet[BASE_MAX];
	uint32_t destination;
	long count, len;

	(void)n;
	if (!parse_address(raw, word[1], &destination) ||
	    !parse_number(raw, word[2], 1, 10000000, &count) ||
	    !parse_number(raw, word[3], 28, sizeof(packet), &len))
		return false;
	packet_write_udp(packet, (size_t)len, raw->address, destination, false);
	while (count-- > 0)
		if (!send_all(raw, packet, (size_t)len))
			return false;
	return true;
}

/*
 * An IPv6 packet to ff02::2, such as a base client's TUN gives it: from a
 * link-local address, or from ::, where bytes 12 to 19 are zero.
 */
static bool run_ipv6(struct raw *raw, int n, char **word)
{
	uint8_t packet[2048] = { 0x60 };
	long len;

	if (!parse_number(raw, word[1], 0, sizeof(packet) - 40, &len))
		return false;
	packet_put16(packet + 4, (uint32_t)len);
	packet[6] = 58;
	packet[7] = 255;
	if (n == 2) {
		packet_put16(packet + 8, 0xfe80);
		packet_put32(packet + 16, 0x12345678);
		packet_put32(packet + 20, 0x9abcdef0);
	}
	packet_put16(packet + 24, 0xff02);
	packet[39] = 2;
	packet_fill(packet, 40, (size_t)len + 40);
	return send_all(raw, packet, (size_t)len + 40);
}

static bool ip_is_sound(struct raw *raw, size_t len)
{
	if (len < 28 || packet_checksum(raw->buf, 20, 0) != 0)
		return wrong(raw, "no sound packet: %s", hex(raw->buf, len));
	return true;
}

static bool run_expect_udp(struct raw *raw, int n, char **word)
{
	uint8_t packet[BASE_MAX];
	uint32_t source, destination;
	size_t got;
	long len;

	if (!parse_address(raw, word[1], &source) ||
	    !parse_address(raw, word[2], &destination) ||
	    !parse_number(raw, word[3], 28, sizeof(packet), &len) ||
	    !wait_message(raw, deadline(raw, n, word, 4), &got))
		return false;
	packet_write_udp(packet, (size_t)len, source, destination, false);
	/* The network may count the TTL down and set DF; payload is exact. */
	if (got != (size_t)len || !ip_is_sound(raw, got) ||
	    memcmp(raw->buf + 12, packet + 12, got - 12) != 0)
		return wrong(raw, "got %s", hex(raw->buf, raw->len));
	consume(raw, got);
	return true;
}

static bool run_expect_icmp(struct raw *raw, int n, char **word)
{
	const uint8_t *icmp = raw->buf + 20;
	long type, code;
	size_t len;

	if (!parse_number(raw, word[1], 0, 255, &type) ||
	    !parse_number(raw, word[2], 0, 255, &code) ||
	    !wait_message(raw, deadline(raw, n, word, 3), &len) ||
	    !ip_is_sound(raw, len))
		return false;
	if (raw->buf[0] != 0x45 || raw->buf[9] != PACKET_ICMP ||
	    packet_get32(raw->buf + 16) != raw->address || icmp[0] != type ||
	    icmp[1] != code || packet_checksum(icmp, len - 20, 0) != 0)
		return wrong(raw, "got %s", hex(raw->buf, raw->len));
	printf("icmp %ld %ld from %s", type, code,
	       dotted(packet_get32(raw->buf + 12)));
	if (type == 3 && code == 4)
		printf(" mtu %u", packet_get16(icmp + 6));
	printf("\n");
	consume(raw, len);
	return true;
}

static bool run_expect_pong(struct raw *raw, int n, char **word)
{
	uint32_t source;
	size_t len;

	if (!parse_address(raw, word[1], &source) ||
	    !wait_message(raw, deadline(raw, n, word, 2), &len) ||
	    !ip_is_sound(raw, len))
		return false;
	if (raw->buf[9] != PACKET_ICMP ||
	    packet_get32(raw->buf + 12) != source ||
	    raw->buf[20] != PACKET_ECHO_REPLY ||
	    packet_get16(raw->buf + 24) != PACKET_ECHO_ID ||
	    packet_checksum(raw->buf + 20, len - 20, 0) != 0)
		return wrong(raw, "got %s", hex(raw->buf, raw->len));
	consume(raw, len);
	return true;
}

static bool answer_echo(struct raw *raw, size_t len)
{
	uint8_t *packet = raw->buf;
	uint32_t source = packet_get32(packet + 12);

	packet_put32(packet + 12, packet_get32(packet + 16));
	packet_put32(packet + 16, source);
	packet[20] = PACKET_ECHO_REPLY;
	packet_put16(packet + 22, 0);
	packet_put16(packet + 22, packet_checksum(packet + 20, len - 20, 0));
	return send_all(raw, packet, len);
}

/* Answer echo requests until the stream ends; other messages are skipped. */
static bool run_answer(struct raw *raw, int n, char **word)
{
	size_t len;

	(void)n, (void)word;
	for (;;) {
		if (!wait_message(raw, now_ms() + HOUR_MS, &len))
			return raw->ended && raw->len == 0;
		if (len >= 28 && raw->buf[9] == PACKET_ICMP &&
		    raw->buf[20] == PACKET_ECHO_REQUEST &&
		    !answer_echo(raw, len))
			return false;
		consume(raw, len);
	}
}

static bool run_hold(struct raw *raw, int n, char **word)
{
	(void)n, (void)word;
	if (!connected(raw))
		return false;
	while (receive(raw, now_ms() + HOUR_MS) >= 0)
		raw->len = 0;
	return true;
}

static bool run_stall(struct raw *raw, int n, char **word)
{
	(void)n, (void)word;
	if (!connected(raw))
		return false;
	for (;;)
		pause();
}

static bool run_say(struct raw *raw, int n, char **word)
{
	int i;

	(void)raw;
	for (i = 1; i < n; i++)
		printf("%s%s", word[i], i + 1 < n ? " " : "\n");
	return true;
}

static bool run_rcvbuf(struct raw *raw, int n, char **word)
{
	long bytes;

	(void)n;
	if (!parse_number(raw, word[1], 1, 1 << 30, &bytes))
		return false;
	raw->rcvbuf = (int)bytes;
	return true;
}

static bool run_connect(struct raw *raw, int n, char **word)
{
	(void)n, (void)word;
	return connected(raw);
}

static bool run_close(struct raw *raw, int n, char **word)
{
	(void)n, (void)word;
	if (raw->fd >= 0)
		close(raw->fd);
	raw->fd = -1;
	return true;
}

/* End with a reset instead of an orderly end of stream. */
static bool run_reset(struct raw *raw, int n, char **word)
{
	struct linger linger = { .l_onoff = 1 };

	if (raw->fd >= 0)
		setsockopt(raw->fd, SOL_SOCKET, SO_LINGER, &linger,
			   sizeof(linger));
	return run_close(raw, n, word);
}

/* As after a power cut: the kernel forgets the connection in silence. */
static bool run_vanish(struct raw *raw, int n, char **word)
{
	int on = 1;

	if (raw->fd >= 0 && setsockopt(raw->fd, IPPROTO_TCP, TCP_REPAIR, &on,
				       sizeof(on)) < 0)
		return wrong(raw, "TCP_REPAIR: %s", strerror(errno));
	return run_close(raw, n, word);
}

static bool run_disperse(struct raw *raw, int n, char **word)
{
	(void)n, (void)word;
	while (raw->n_crowd > 0)
		close(raw->crowd[--raw->n_crowd]);
	return true;
}

/* Connect many times and ask for an address each time; wait for no reply. */
static bool run_crowd(struct raw *raw, int n, char **word)
{
	uint8_t out[CONTROL_LEN];
	long count;
	int fd;

	(void)n;
	if (!parse_number(raw, word[1], 1, MAX_CROWD - raw->n_crowd, &count))
		return false;
	write_control(raw, out, 0, 0);
	while (count-- > 0) {
		fd = dial(raw);
		if (fd < 0)
			return false;
		raw->crowd[raw->n_crowd++] = fd;
		send(fd, out, sizeof(out), MSG_NOSIGNAL);
	}
	return true;
}

/* Prints what the crowd got so far: addresses, closed connections, nothing. */
static bool run_count_crowd(struct raw *raw, int n, char **word)
{
	int i, joined = 0, closed = 0, waiting = 0;
	uint8_t byte;
	ssize_t got;

	(void)n, (void)word;
	for (i = 0; i < raw->n_crowd; i++) {
		got = recv(raw->crowd[i], &byte, 1, MSG_PEEK | MSG_DONTWAIT);
		if (got > 0)
			joined++;
		else if (got < 0 && errno == EAGAIN)
			waiting++;
		else
			closed++;
	}
	printf("joined %d closed %d waiting %d\n", joined, closed, waiting);
	return true;
}

static const struct command commands[] = {
	{ "connect", 0, 0, run_connect, "connect now" },
	{ "close", 0, 0, run_close, "close; the next command connects anew" },
	{ "reset", 0, 0, run_reset, "close with a reset" },
	{ "vanish", 0, 0, run_vanish, "close without a word to the server" },
	{ "rcvbuf", 1, 1, run_rcvbuf, "BYTES: receive buffer from then on" },
	{ "header", 1, 6, run_header,
	  "HEX|random: bytes 0-11 of requests and keepalives" },
	{ "cut", 1, 1, run_cut, "N|random: send in pieces; 0: whole" },
	{ "join", 1, 2, run_join, "dynamic|ADDR [MS]: request, exact reply" },
	{ "request", 1, 1, run_request, "dynamic|ADDR: request alone" },
	{ "refused", 1, 2, run_refused, "ADDR [MS]: request, end of stream" },
	{ "keepalive", 0, 1, run_keepalive, "[MS]: keepalive, exact echo" },
	{ "send", 1, 15, run_send, "HEX..." },
	{ "udp", 3, 4, run_udp, "SRC DST LEN [df]: send a UDP packet" },
	{ "ping", 3, 4, run_ping, "SRC DST LEN [df]: send an echo request" },
	{ "ipv6", 1, 2, run_ipv6, "LEN [unspecified]: send an IPv6 packet" },
	{ "flood", 3, 3, run_flood, "DST COUNT LEN: many UDP packets" },
	{ "expect", 1, 15, run_expect, "HEX...: these bytes come next" },
	{ "expect-eof", 0, 1, run_expect_eof, "[MS]: the stream ends" },
	{ "expect-nothing", 1, 1, run_expect_nothing, "MS: no byte, no end" },
	{ "expect-udp", 3, 4, run_expect_udp, "SRC DST LEN [MS]" },
	{ "expect-pong", 1, 2, run_expect_pong, "SRC [MS]: an echo reply" },
	{ "expect-icmp", 2, 3, run_expect_icmp, "TYPE CODE [MS]" },
	{ "answer", 0, 0, run_answer, "echo requests until the stream ends" },
	{ "hold", 0, 0, run_hold, "read and forget until the stream ends" },
	{ "stall", 0, 0, run_stall, "never read again" },
	{ "crowd", 1, 1, run_crowd, "N: so many further joins at once" },
	{ "count-crowd", 0, 0, run_count_crowd, "print what they got" },
	{ "disperse", 0, 0, run_disperse, "close them all" },
	{ "say", 1, 15, run_say, "WORD...: print" },
};

enum { N_COMMANDS = sizeof(commands) / sizeof(commands[0]) };

static bool run_line(struct raw *raw, char *line)
{
	char *word[MAX_WORDS], *at;
	int i, n = 0;

	raw->error[0] = '\0';
	for (at = strtok(line, " \t\n"); at != NULL && n < MAX_WORDS;
	     at = strtok(NULL, " \t\n"))
		word[n++] = at;
	if (n == 0 || word[0][0] == '#')
		return true;
	for (i = 0; i < N_COMMANDS; i++)
		if (strcmp(commands[i].name, word[0]) == 0)
			break;
	if (i == N_COMMANDS || n - 1 < commands[i].min ||
	    n - 1 > commands[i].max)
		return wrong(raw, "no such command, or wrong words after it");
	return commands[i].run(raw, n, word);
}

static bool run_script(struct raw *raw, char *script)
{
	char *save, *line, shown[160];

	for (line = strtok_r(script, ";\n", &save); line != NULL;
	     line = strtok_r(NULL, ";\n", &save)) {
		line += strspn(line, " \t");
		snprintf(shown, sizeof(shown), "%s", line);
		if (!run_line(raw, line)) {
			fprintf(stderr, "raw: '%s': %s\n", shown, raw->error);
			return false;
		}
	}
	return true;
}

static void run_stdin(struct raw *raw)
{
	char line[4096];

	while (fgets(line, sizeof(line), stdin) != NULL) {
		if (run_line(raw, line))
			printf("ok\n");
		else
			printf("failed: %s\n", raw->error);
	}
}

static int usage(void)
{
	int i;

	fprintf(stderr, "usage: raw HOST PORT SCRIPT|-\n");
	for (i = 0; i < N_COMMANDS; i++)
		fprintf(stderr, "  %-15s %s\n", commands[i].name,
			commands[i].help);
	return 2;
}

int main(int argc, char **argv)
{
	static struct raw raw = {
		.fd = -1, .scale = 1, .random = 1,
		.header = { 0x45, 0x14, 0, 0, 0, 0, 0, 0, 0x40, 0, 0, 0 },
	};
	const char *scale = getenv("WAIT_SCALE"), *seed = getenv("SEED");

	if (argc != 4)
		return usage();
	setvbuf(stdout, NULL, _IOLBF, 0);
	raw.host = argv[1];
	raw.port = argv[2];
	if (scale != NULL && atoi(scale) > 0)
		raw.scale = atoi(scale);
	if (seed != NULL)
		raw.random = (uint32_t)strtoul(seed, NULL, 10);
	if (strcmp(argv[3], "-") == 0)
		run_stdin(&raw);
	else if (!run_script(&raw, argv[3]))
		return 1;
	return 0;
}
