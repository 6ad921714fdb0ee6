/* SPDX-License-Identifier: MIT */
/*
 * A name server for tests: it knows one name.
 *
 *	nameserver NAME ADDRESS HERE
 *
 * It answers every question on UDP port 53 of HERE for an IPv4 address of that
 * name, all others with "no such name".  Nothing is shared with the code under
 * test.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "tests/tools/packet.h"

enum { HEADER_LEN = 12, MAX_LEN = 512, RECORD_LEN = 16 };

/* The question's name with dots; its end, 0: malformed. */
static size_t read_name(const uint8_t *in, size_t len, char name[MAX_LEN])
{
	size_t at = HEADER_LEN, n = 0;

	while (at < len && in[at] != 0) {
		if (at + 1 + in[at] > len)
			return 0;
		if (n > 0)
			name[n++] = '.';
		memcpy(name + n, in + at + 1, in[at]);
		n += in[at];
		at += 1u + in[at];
	}
	name[n] = '\0';
	return at + 5 <= len ? at + 1 : 0;
}

static size_t answer(uint8_t *message, size_t end, int known, uint32_t address)
{
	uint8_t *record = message + end + 4;

	message[2] |= 0x80;
	message[3] = known >= 0 ? 0x80 : 0x83;
	memset(message + 6, 0, 6);
	if (known <= 0)
		return end + 4;
	message[7] = 1;
	packet_put16(record, 0xc000 | HEADER_LEN);
	packet_put16(record + 2, 1);
	packet_put16(record + 4, 1);
	packet_put32(record + 6, 0);
	packet_put16(record + 10, 4);
	packet_put32(record + 12, address);
	return end + 4 + RECORD_LEN;
}

int main(int argc, char **argv)
{
	struct sockaddr_in here = { .sin_family = AF_INET,
				    .sin_port = htons(53) }, from;
	uint8_t message[MAX_LEN + RECORD_LEN];
	int known, fd = socket(AF_INET, SOCK_DGRAM, 0);
	socklen_t from_len;
	char name[MAX_LEN];
	size_t end;
	ssize_t n;

	if (argc == 4)
		here.sin_addr.s_addr = inet_addr(argv[3]);
	if (argc != 4 ||
	    bind(fd, (struct sockaddr *)&here, sizeof(here)) < 0) {
		perror("nameserver NAME ADDRESS HERE");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (;;) {
		from_len = sizeof(from);
		n = recvfrom(fd, message, MAX_LEN, 0, (struct sockaddr *)&from,
			     &from_len);
		end = n > HEADER_LEN ? read_name(message, (size_t)n, name) : 0;
		if (end == 0)
			continue;
		printf("asked for %s by %s\n", name, inet_ntoa(from.sin_addr));
		known = strcasecmp(name, argv[1]) != 0 ? -1 :
			packet_get16(message + end) == 1;
		n = (ssize_t)answer(message, end, known,
				    ntohl(inet_addr(argv[2])));
		sendto(fd, message, (size_t)n, 0, (struct sockaddr *)&from,
		       from_len);
	}
}
