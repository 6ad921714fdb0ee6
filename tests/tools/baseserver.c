/* SPDX-License-Identifier: MIT */
/*
 * A server for tests that knows only the base protocol: what clients in the
 * field were written against.
 *
 *	baseserver PORT
 *	baseserver PORT OPTIONS [FIRST]
 *
 * Theory of operation: one thread, one poll().  The reply to a request is the
 * request itself with the address in it, every other byte unchanged, whatever
 * they say; a static request for a taken address ends the connection without
 * a reply; a keepalive is echoed; a packet goes to the client that holds its
 * destination, or nowhere.  It has no TUN.  Sockets are blocking for sends: a
 * test moves little data.  Nothing is shared with the code under test.
 *
 * With OPTIONS, in hex (protocol.md, section 9), it is a capable server that
 * says whatever they say, and each line of hex on its standard input is sent
 * to all clients as options of their own.  FIRST is the first address that it
 * gives, whatever it is.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/tools/packet.h"

enum {
	CONTROL_LEN = 20,
	MAX_CLIENTS = 32,
	NETWORK = 0x0a000000,	/* 10.0.0.0/16, as base clients believe */
	FIRST = 2,		/* 10.0.0.1 is the server's own */
	MAX_OPTIONS = 1000,
};

struct client {
	int fd;			/* -1: free */
	uint32_t address;	/* 0: none yet */
	size_t len;
	uint8_t buf[1 << 17];
};

static struct client clients[MAX_CLIENTS];

static uint8_t options[MAX_OPTIONS];
static size_t options_len;
static bool capable;
static uint32_t first = NETWORK + FIRST;

static struct client *holder(uint32_t address)
{
	int i;

	for (i = 0; i < MAX_CLIENTS; i++)
		if (clients[i].fd >= 0 && clients[i].address == address)
			return &clients[i];
	return NULL;
}

static void send_all(struct client *client, const uint8_t *bytes, size_t len)
{
	ssize_t n;

	while (len > 0) {
		n = send(client->fd, bytes, len, MSG_NOSIGNAL);
		if (n < 0)
			return;
		bytes += n;
		len -= (size_t)n;
	}
}

static void drop(struct client *client, const char *why)
{
	printf("baseserver: client closed: %s\n", why);
	close(client->fd);
	client->fd = -1;
}

static size_t read_hex(const char *text, uint8_t *out)
{
	size_t n = 0;
	unsigned int byte;

	while (n < MAX_OPTIONS && sscanf(text + 2 * n, "%2x", &byte) == 1)
		out[n++] = (uint8_t)byte;
	return n;
}

static void send_options(struct client *client, const uint8_t *bytes,
			 size_t len, uint32_t address)
{
	uint8_t message[CONTROL_LEN + MAX_OPTIONS] = { 0x45 };

	packet_put16(message + 2, (uint32_t)(CONTROL_LEN + len));
	packet_put16(message + 4, 0x7653);
	message[9] = 1;
	message[11] = 1;
	packet_put32(message + 16, address);
	memcpy(message + CONTROL_LEN, bytes, len);
	send_all(client, message, CONTROL_LEN + len);
}

/* Returns false at the end of the input. */
static bool push_line(void)
{
	uint8_t bytes[MAX_OPTIONS];
	char line[2 * MAX_OPTIONS + 2];
	size_t len;
	int i;

	if (fgets(line, sizeof(line), stdin) == NULL)
		return false;
	len = read_hex(line, bytes);
	for (i = 0; i < MAX_CLIENTS; i++)
		if (clients[i].fd >= 0 && clients[i].address != 0)
			send_options(&clients[i], bytes, len, 0);
	return true;
}

static bool answer_request(struct client *client, uint8_t *message)
{
	uint32_t wanted = packet_get32(message + 12), address = wanted;
	struct client *other;

	if (wanted == 0 && client->address != 0)
		address = client->address;
	else if (wanted == 0)
		for (address = first; holder(address) != NULL;)
			address++;
	other = holder(address);
	if (other != NULL && other != client) {
		drop(client, "address already in use");
		return false;
	}
	client->address = address;
	packet_put32(message + 12, 0);
	packet_put32(message + 16, address);
	if (capable)
		send_options(client, options, options_len, address);
	else
		send_all(client, message, CONTROL_LEN);
	printf("baseserver: joined 10.0.%u.%u\n", address >> 8 & 255,
	       address & 255);
	return true;
}

/* Handle one message at p of at most len bytes: its length, 0: more needed. */
static size_t handle(struct client *client, uint8_t *p, size_t len)
{
	struct client *other;
	size_t need;

	if (len < CONTROL_LEN)
		return 0;
	if (p[0] >> 4 == 6)	/* a test that sees this line fails */
		printf("baseserver: IPv6 came\n");
	if (packet_is_keepalive(p)) {
		send_all(client, p, CONTROL_LEN);
		return CONTROL_LEN;
	}
	if (packet_get32(p + 16) == 0)
		return answer_request(client, p) ? CONTROL_LEN : 0;
	need = (size_t)p[2] << 8 | p[3];
	if (p[0] >> 4 == 6)
		need = ((size_t)p[4] << 8 | p[5]) + 40;
	else if (p[0] >> 4 != 4 || need < CONTROL_LEN) {
		drop(client, "not the base protocol");
		return 0;
	}
	if (len < need)
		return 0;
	other = p[0] >> 4 == 4 ? holder(packet_get32(p + 16)) : NULL;
	if (other != NULL && other->address != 0)
		send_all(other, p, need);
	return need;
}

static void receive(struct client *client)
{
	size_t done = 0, step;
	ssize_t n;

	n = recv(client->fd, client->buf + client->len,
		 sizeof(client->buf) - client->len, 0);
	if (n <= 0) {
		drop(client, n == 0 ? "end of stream" : strerror(errno));
		return;
	}
	client->len += (size_t)n;
	do {
		step = handle(client, client->buf + done, client->len - done);
		done += step;
	} while (step > 0);
	if (client->fd < 0)
		return;
	client->len -= done;
	memmove(client->buf, client->buf + done, client->len);
}

static void accept_client(int listener)
{
	int i, fd = accept(listener, NULL, NULL);

	for (i = 0; fd >= 0 && i < MAX_CLIENTS; i++)
		if (clients[i].fd < 0) {
			clients[i].fd = fd;
			clients[i].address = 0;
			clients[i].len = 0;
			return;
		}
	if (fd >= 0)
		close(fd);
}

static int listen_on(uint16_t port)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_port = htons(port) };
	int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one,
				 sizeof(one)) < 0 ||
	    bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(fd, 16) < 0) {
		perror("baseserver");
		exit(1);
	}
	return fd;
}

int main(int argc, char **argv)
{
	struct pollfd fds[MAX_CLIENTS + 2];
	int i;

	if (argc < 2 || argc > 4) {
		fprintf(stderr, "usage: baseserver PORT [OPTIONS [FIRST]]\n");
		return 2;
	}
	capable = argc >= 3;
	if (capable)
		options_len = read_hex(argv[2], options);
	if (argc == 4)
		first = ntohl(inet_addr(argv[3]));
	setvbuf(stdout, NULL, _IOLBF, 0);
	setvbuf(stdin, NULL, _IONBF, 0);
	fds[MAX_CLIENTS + 1].fd = capable ? 0 : -1;
	fds[MAX_CLIENTS].fd = listen_on((uint16_t)atoi(argv[1]));
	for (i = 0; i < MAX_CLIENTS; i++)
		clients[i].fd = -1;
	for (;;) {
		for (i = 0; i <= MAX_CLIENTS + 1; i++) {
			fds[i].events = POLLIN;
			if (i < MAX_CLIENTS)
				fds[i].fd = clients[i].fd;
		}
		if (poll(fds, MAX_CLIENTS + 2, -1) < 0)
			return 1;
		for (i = 0; i < MAX_CLIENTS; i++)
			if (fds[i].revents != 0 && clients[i].fd >= 0)
				receive(&clients[i]);
		if (fds[MAX_CLIENTS].revents != 0)
			accept_client(fds[MAX_CLIENTS].fd);
		if (fds[MAX_CLIENTS + 1].revents != 0 && !push_line())
			fds[MAX_CLIENTS + 1].fd = -1;
	}
}
