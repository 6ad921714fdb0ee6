/* SPDX-License-Identifier: MIT */
/*
 * A name server asked past the tunnel.
 *
 * Theory of operation: getaddrinfo(3) opens its own sockets, which cannot carry
 * our mark, and asks the servers of the tunnel while that stands.  So cli notes
 * the servers that there were before, and asks them itself: one question, one
 * answer, over a connected socket with the mark, with a random identification.
 * It is the second choice: /etc/hosts and the rest are getaddrinfo's.
 */
#include "client/outside.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client/dnsfile.h"
#include "client/dnsmsg.h"
#include "common/clock.h"

enum { DNS_PORT = 53, LINE_LEN = 256 };

/* systemd-resolved's list of what it asks itself. */
#define RESOLVED_UPLINKS "/run/systemd/resolve/resolv.conf"

static void read_servers(struct outside *o, const char *path)
{
	FILE *file = fopen(path, "re");
	char line[LINE_LEN], text[INET_ADDRSTRLEN];
	struct in_addr address;

	if (file == NULL)
		return;
	while (o->n < OUTSIDE_MAX_SERVERS && fgets(line, sizeof(line), file))
		if (sscanf(line, " nameserver %15s", text) == 1 &&
		    inet_pton(AF_INET, text, &address) == 1)
			o->servers[o->n++] = ntohl(address.s_addr);
	fclose(file);
}

void outside_remember(struct outside *o)
{
	o->n = 0;
	read_servers(o, DNSFILE_PATH);
	/* Its stub on 127.0.0.53 would ask through the tunnel. */
	if (o->n == 1 && o->servers[0] == 0x7f000035) {
		o->n = 0;
		read_servers(o, RESOLVED_UPLINKS);
	}
}

static int open_socket(uint32_t server, uint32_t mark)
{
	const struct sockaddr_in to = {
		.sin_family = AF_INET,
		.sin_port = htons(DNS_PORT),
		.sin_addr.s_addr = htonl(server),
	};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -1;
	if ((mark == 0 || setsockopt(fd, SOL_SOCKET, SO_MARK, &mark,
				     sizeof(mark)) == 0) &&
	    connect(fd, (const struct sockaddr *)&to, sizeof(to)) == 0)
		return fd;
	close(fd);
	return -1;
}

/* Until the answer is there, or the time is over; *stop: a signal came. */
static bool wait_answer(int fd, const uint8_t *query, size_t len,
			struct signals *signals, uint32_t *address, bool *stop)
{
	uint64_t deadline = clock_now_ms() + OUTSIDE_WAIT_MS;
	uint8_t answer[DNSMSG_MAX_ANSWER];
	enum signals_wait waited;
	ssize_t n;

	for (;;) {
		waited = signals_wait(signals, fd, POLLIN, deadline);
		*stop = waited == SIGNALS_STOP;
		if (waited != SIGNALS_READY)
			return false;
		n = recv(fd, answer, sizeof(answer), 0);
		if (n < 0)
			return false;	/* nobody listens there */
		if (dnsmsg_read_answer(answer, (size_t)n, query, len, address))
			return true;
		/* The right one says no: it will not say more. */
		if (n >= 4 && memcmp(answer, query, 2) == 0)
			return false;
	}
}

bool outside_ask(const struct outside *o, const char *host, uint32_t mark,
		 struct signals *signals, uint32_t *address)
{
	uint8_t query[DNSMSG_MAX_QUERY];
	bool found = false, stop = false;
	unsigned int i;
	uint16_t id = 0;
	size_t len;
	int fd;

	for (i = 0; i < o->n && !found && !stop; i++) {
		if (getrandom(&id, sizeof(id), GRND_NONBLOCK) < 0)
			id = (uint16_t)clock_now_ns();
		len = dnsmsg_write_query(query, id, host);
		if (len == 0)
			return false;
		fd = open_socket(o->servers[i], mark);
		if (fd < 0)
			continue;
		if (send(fd, query, len, MSG_NOSIGNAL) == (ssize_t)len)
			found = wait_answer(fd, query, len, signals, address,
					    &stop);
		close(fd);
	}
	return found;
}
