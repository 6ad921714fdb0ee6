/* SPDX-License-Identifier: MIT */
/*
 * A whole client for a small device: joins, keeps alive, answers ping.
 *
 *	device HOST [PORT [ADDRESS]]
 *
 * It needs one TCP socket, a clock and 1500 bytes, and nothing else of this
 * project.  docs/protocol.md explains all of it.
 */
#define _POSIX_C_SOURCE 200809L
#include <arpa/inet.h>
#include <netdb.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CONTROL_LEN = 20, MAX_PROBES = 15,
       QUIET_MS = 15000, PROBE_MS = 1000, JOIN_MS = 10000 };

static const uint32_t ones = 0xffffffff;	/* 255.255.255.255 */
static uint32_t own;		/* our address; 0 until we have joined */
static int64_t sent_ms;		/* when we last sent something */

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * (int64_t)1000 + now.tv_nsec / 1000000;
}

static void die(const char *why)
{
	fprintf(stderr, "device: %s\n", why);
	exit(1);
}

static unsigned int get16(const uint8_t *p)
{
	return (unsigned int)p[0] << 8 | p[1];
}

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)get16(p) << 16 | get16(p + 2);
}

static int connect_to(const char *host, const char *port)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *list, *a;
	int fd = -1;

	if (getaddrinfo(host, port, &hints, &list) != 0)
		die("no such host or port");
	for (a = list; a != NULL; a = a->ai_next) {
		fd = socket(a->ai_family, a->ai_socktype, a->ai_protocol);
		if (fd >= 0 && connect(fd, a->ai_addr, a->ai_addrlen) == 0)
			break;
		close(fd);
	}
	if (a == NULL)
		die("cannot connect");
	freeaddrinfo(list);
	return fd;
}

/* TCP may take less than we give it, so send until all of it is gone. */
static void send_all(int fd, const uint8_t *data, size_t len)
{
	ssize_t n;

	for (; len > 0; data += n, len -= (size_t)n) {
		n = send(fd, data, len, MSG_NOSIGNAL);
		if (n <= 0)
			die("connection lost while sending");
	}
	sent_ms = now_ms();
}

/* The address request and the keepalive are empty IPv4 headers. */
static void send_control(int fd, uint32_t source, uint32_t destination)
{
	uint32_t words[5] = { htonl(0x45140000), 0, htonl(0x40000000),
			      htonl(source), htonl(destination) };

	send_all(fd, (const uint8_t *)words, sizeof(words));
}

/* An IPv4 packet for us.  Put your own protocol here; ping is answered. */
static void handle_packet(int fd, uint8_t *packet, size_t len)
{
	uint8_t *icmp = packet + (packet[0] & 15) * 4, source[4];
	uint32_t sum;

	if (packet[9] != 1 || (get16(packet + 6) & 0x3fff) != 0 ||
	    len < (packet[0] & 15) * 4U + 8 || icmp[0] != 8)
		return;		/* not ICMP, or a fragment, or no request */
	/* Swapped addresses leave the header's checksum as it is; a type that
	 * falls from 8 to 0 lets the other one rise by as much. */
	memcpy(source, packet + 12, 4);
	memcpy(packet + 12, packet + 16, 4);
	memcpy(packet + 16, source, 4);
	icmp[0] = 0;
	sum = get16(icmp + 2) + 0x0800U;
	sum += sum >> 16;
	icmp[2] = (uint8_t)(sum >> 8);
	icmp[3] = (uint8_t)sum;
	send_all(fd, packet, len);
}

/* Which message is it?  Given 20 bytes, its length; 0: none that can be. */
enum kind { KEEPALIVE, REPLY, IPV4, IPV6 };

static size_t recognise(const uint8_t *m, enum kind *kind)
{
	*kind = KEEPALIVE;
	if (get32(m + 12) == ones && get32(m + 16) == ones)
		return CONTROL_LEN;
	*kind = IPV6;		/* before REPLY: bytes 12-19 may be zero */
	if (own != 0 && m[0] >> 4 == 6)
		return 40 + get16(m + 4);
	*kind = REPLY;
	if (get32(m + 12) == 0)
		return CONTROL_LEN;
	*kind = IPV4;
	if (m[0] < 0x45 || m[0] > 0x4f || get16(m + 2) < (m[0] & 15) * 4U)
		return 0;
	return get16(m + 2);
}

static void handle_message(int fd, enum kind kind, uint8_t *m, size_t len)
{
	if (kind == REPLY && get32(m + 16) != 0) {
		own = get32(m + 16);
		printf("joined as %d.%d.%d.%d\n", m[16], m[17], m[18], m[19]);
	} else if (kind == IPV4 && own != 0 && get32(m + 16) == own) {
		handle_packet(fd, m, len);
	}			/* the others did their duty by coming */
}

/*
 * Read, but never past the end of the message that we are in: first 20 bytes,
 * then as many as those ask for.  Of a message longer than the buffer the
 * rest overwrites itself, so we know where the next one begins.
 */
static void receive(int fd)
{
	static uint8_t buf[1500];
	static size_t have, len = CONTROL_LEN;
	static enum kind kind;
	size_t room, at = have;
	ssize_t n;

	if (at >= sizeof(buf))
		at = CONTROL_LEN;
	room = sizeof(buf) - at;
	n = recv(fd, buf + at, len - have < room ? len - have : room, 0);
	if (n <= 0)
		die(own == 0 ? "closed without a reply: address in use?" :
			       "server closed the connection");
	if (have < CONTROL_LEN && have + (size_t)n == CONTROL_LEN) {
		len = recognise(buf, &kind);
		if (len == 0)
			die("what came is no message");
	}
	have += (size_t)n;
	if (have < len)
		return;
	if (len <= sizeof(buf) && have >= CONTROL_LEN)
		handle_message(fd, kind, buf, len);
	have = 0;
	len = CONTROL_LEN;
}

int main(int argc, char **argv)
{
	uint8_t wish[4] = { 0 };	/* 0.0.0.0: any address will do */
	int64_t wait_ms;
	struct pollfd p;
	int probes = 0;

	if (argc < 2 || argc > 4 ||
	    (argc == 4 && inet_pton(AF_INET, argv[3], wish) != 1)) {
		fprintf(stderr, "usage: device HOST [PORT [ADDRESS]]\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	p.fd = connect_to(argv[1], argc > 2 ? argv[2] : "2002");
	p.events = POLLIN;
	send_control(p.fd, get32(wish), 0);

	for (;;) {
		/* After silence a keepalive, then one a second until
		 * anything at all comes back. */
		wait_ms = own == 0 ? JOIN_MS : probes > 0 ? PROBE_MS : QUIET_MS;
		wait_ms -= now_ms() - sent_ms;
		if (poll(&p, 1, wait_ms > 0 ? (int)wait_ms : 0) > 0) {
			receive(p.fd);
			probes = 0;
		} else if (own == 0 || probes == MAX_PROBES) {
			die("server does not answer");
		} else {
			send_control(p.fd, ones, ones);
			probes++;
		}
	}
}
