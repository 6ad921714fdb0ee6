/* SPDX-License-Identifier: MIT */
/*
 * The floor under any tunnel's round trip: packets copied between TUN
 * interfaces, one at a time, with nothing done to them.
 *
 * "direct" opens a TUN in each of two network namespaces and copies from one to
 * the other and back in one process: two TUN crossings and nothing else.
 * "link" opens one TUN where it runs and copies between it and a UDP socket
 * connected to the other end's: two of them make a tunnel that goes through
 * whatever lies between, which is plain forwarding here.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/perf/perf.h"

enum { PACKET_MAX = 65536 };

static int open_tun(const char *name)
{
	struct ifreq request = { .ifr_flags = IFF_TUN | IFF_NO_PI };
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		perf_die(errno, "/dev/net/tun");
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	if (ioctl(fd, TUNSETIFF, &request) < 0)
		perf_die(errno, "interface %s", name);
	return fd;
}

/* The namespace is one of ip-netns(8). */
static void enter_namespace(const char *name)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "/run/netns/%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNET) < 0)
		perf_die(errno, "namespace %s", name);
	close(fd);
}

static int open_link(const char *local, const char *remote, const char *port)
{
	struct sockaddr_in here = perf_address(local, port);
	struct sockaddr_in there = perf_address(remote, port);
	int fd = perf_udp_bound(&here);

	if (connect(fd, (struct sockaddr *)&there, sizeof(there)) < 0)
		perf_die(errno, "link");
	return fd;
}

/* What cannot be written is lost, as on any link. */
static void copy_packet(int from, int to)
{
	static uint8_t packet[PACKET_MAX];
	ssize_t len = read(from, packet, sizeof(packet));

	if (len > 0 && write(to, packet, (size_t)len) < 0 && errno == EBADF)
		perf_die(errno, "write");
}

static void copy_both_ways(int a, int b)
{
	struct pollfd fds[2] = {
		{ .fd = a, .events = POLLIN }, { .fd = b, .events = POLLIN },
	};

	for (;;) {
		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			perf_die(errno, "poll");
		if (fds[0].revents)
			copy_packet(a, b);
		if (fds[1].revents)
			copy_packet(b, a);
	}
}

static void __attribute__((noreturn)) wrong(void)
{
	fprintf(stderr,
		"usage: tunfloor direct TUN NAMESPACE NAMESPACE\n"
		"       tunfloor link TUN LOCAL REMOTE PORT\n");
	exit(2);
}

int main(int argc, char **argv)
{
	int a, b;

	if (argc == 5 && !strcmp(argv[1], "direct")) {
		enter_namespace(argv[3]);
		a = open_tun(argv[2]);
		enter_namespace(argv[4]);
		b = open_tun(argv[2]);
	} else if (argc == 6 && !strcmp(argv[1], "link")) {
		a = open_tun(argv[2]);
		b = open_link(argv[3], argv[4], argv[5]);
	} else {
		wrong();
	}
	copy_both_ways(a, b);
}
