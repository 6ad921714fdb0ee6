/* SPDX-License-Identifier: MIT */
/*
 * TCP sockets of the tunnel: listen, connect, options, and addresses as text.
 */
#ifndef COMMON_SOCK_H
#define COMMON_SOCK_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

enum { SOCK_TEXT_LEN = 64 };	/* "[ipv6%scope]:port" and its NUL */

/*
 * Listening sockets for one address (NULL: every address, IPv4 and IPv6 on
 * their own sockets; IPv6 is skipped where the host has none) and port.
 * Non-blocking, close-on-exec.  Stores at most max descriptors; returns their
 * number or -errno with a sentence in error.  May block in name resolution
 * only if address is a name.
 */
int sock_listen(const char *address, uint16_t port, int *fds, int max,
		char *error, size_t error_size);

/*
 * The options of every tunnel connection: TCP_NODELAY, TCP_NOTSENT_LOWAT,
 * TCP_USER_TIMEOUT; close-on-exec is the caller's.  0 or -errno.
 */
int sock_tune(int fd, uint32_t notsent_lowat, uint32_t user_timeout_ms);

/*
 * Which congestion control the tunnel's connections use unless told otherwise.
 * A pacing one such as bbr holds back what the tunnel's own queues and the
 * flows inside them regulate already (docs/benchmarks.md has the figures).
 */
#define SOCK_CONGESTION "cubic"
/* The word that leaves the choice to the kernel. */
#define SOCK_CONGESTION_KERNEL "kernel"

/*
 * Use this congestion control (tcp(7), TCP_CONGESTION) on the socket, and, if
 * it listens, on all that it accepts.  0 or -errno: -ENOENT, the kernel has
 * none of that name; -EPERM, it takes CAP_NET_ADMIN.
 */
int sock_congestion(int fd, const char *name);

/* The IPv6 address of a peer; of an IPv4 one the mapped form (RFC 4291). */
void sock_ipv6(const struct sockaddr_storage *address, uint8_t out[16]);

/* "192.0.2.1:2002" or "[2001:db8::1]:2002"; a mapped IPv4 address as IPv4. */
void sock_text(const struct sockaddr_storage *address,
	       char text[SOCK_TEXT_LEN]);

#endif
