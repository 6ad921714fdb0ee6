/* SPDX-License-Identifier: MIT */
/* TCP sockets of the tunnel: listening, tuning, and addresses as text. */
#include "common/sock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Eight groups of four and a NUL: only a mapped address takes more. */
enum { IPV6_TEXT_LEN = 40 };

static void text_ipv4(const struct in_addr *address, uint16_t port,
		      char text[SOCK_TEXT_LEN])
{
	char host[INET_ADDRSTRLEN];

	inet_ntop(AF_INET, address, host, sizeof(host));
	snprintf(text, SOCK_TEXT_LEN, "%s:%u", host, port);
}

static void text_ipv6(const struct sockaddr_in6 *address,
		      char text[SOCK_TEXT_LEN])
{
	char host[IPV6_TEXT_LEN], scope[IFNAMSIZ + 1] = "";
	uint16_t port = ntohs(address->sin6_port);
	struct in_addr mapped;

	if (IN6_IS_ADDR_V4MAPPED(&address->sin6_addr)) {
		memcpy(&mapped, address->sin6_addr.s6_addr + 12,
		       sizeof(mapped));
		text_ipv4(&mapped, port, text);
		return;
	}
	inet_ntop(AF_INET6, &address->sin6_addr, host, sizeof(host));
	/* The interface may be gone by now: then its number has to do. */
	if (address->sin6_scope_id) {
		scope[0] = '%';
		if (!if_indextoname(address->sin6_scope_id, scope + 1))
			snprintf(scope + 1, sizeof(scope) - 1, "%u",
				 address->sin6_scope_id);
	}
	snprintf(text, SOCK_TEXT_LEN, "[%s%s]:%u", host, scope, port);
}

void sock_ipv6(const struct sockaddr_storage *address, uint8_t out[16])
{
	const struct sockaddr_in6 *in6 = (const void *)address;
	const struct sockaddr_in *in = (const void *)address;

	memset(out, 0, 16);
	if (address->ss_family == AF_INET6) {
		memcpy(out, &in6->sin6_addr, 16);
		return;
	}
	out[10] = out[11] = 0xff;
	memcpy(out + 12, &in->sin_addr, 4);
}

void sock_text(const struct sockaddr_storage *address,
	       char text[SOCK_TEXT_LEN])
{
	struct sockaddr_in6 ipv6;
	struct sockaddr_in ipv4;

	switch (address->ss_family) {
	case AF_INET:
		memcpy(&ipv4, address, sizeof(ipv4));
		text_ipv4(&ipv4.sin_addr, ntohs(ipv4.sin_port), text);
		break;
	case AF_INET6:
		memcpy(&ipv6, address, sizeof(ipv6));
		text_ipv6(&ipv6, text);
		break;
	default:
		snprintf(text, SOCK_TEXT_LEN, "unknown address");
	}
}

static int set_int(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof(value)) ?
	       -errno : 0;
}

int sock_congestion(int fd, const char *name)
{
	if (strcmp(name, SOCK_CONGESTION_KERNEL) == 0)
		return 0;
	return setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name,
			  (socklen_t)strlen(name)) < 0 ? -errno : 0;
}

int sock_tune(int fd, uint32_t notsent_lowat, uint32_t user_timeout_ms)
{
	int err;

	err = set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	if (!err)
		err = set_int(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT,
			      (int)notsent_lowat);
	if (!err)
		err = set_int(fd, IPPROTO_TCP, TCP_USER_TIMEOUT,
			      (int)user_timeout_ms);
	return err;
}

/* A listening socket, or -errno. */
static int listen_on(const struct addrinfo *info)
{
	int fd, err;

	fd = socket(info->ai_family,
		    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	/* A restarted server takes its port over from dying connections. */
	err = set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	/* IPv4 has a socket of its own, with addresses of its own kind. */
	if (!err && info->ai_family == AF_INET6)
		err = set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
	if (!err && (bind(fd, info->ai_addr, info->ai_addrlen) ||
		     listen(fd, SOMAXCONN)))
		err = -errno;
	if (err) {
		close(fd);
		return err;
	}
	return fd;
}

/* No IPv6 in the kernel, or none on any interface. */
static bool is_absent_ipv6(const struct addrinfo *info, int err)
{
	return info->ai_family == AF_INET6 &&
	       (err == -EAFNOSUPPORT || err == -EADDRNOTAVAIL);
}

static int resolve(const char *address, uint16_t port, struct addrinfo **list,
		   char *error, size_t error_size)
{
	struct addrinfo hints = {
		.ai_flags = AI_PASSIVE | AI_NUMERICSERV,
		.ai_socktype = SOCK_STREAM,
	};
	int err, system_error;
	char service[8];

	snprintf(service, sizeof(service), "%u", port);
	err = getaddrinfo(address, service, &hints, list);
	if (!err)
		return 0;
	system_error = err == EAI_SYSTEM ? errno : 0;
	snprintf(error, error_size, "cannot listen on \"%s\": %s",
		 address ? address : "*",
		 system_error ? strerror(system_error) : gai_strerror(err));
	if (system_error)
		return -system_error;
	return err == EAI_MEMORY ? -ENOMEM : -EADDRNOTAVAIL;
}

static void describe_failure(const struct addrinfo *info, int err,
			     char *error, size_t error_size)
{
	struct sockaddr_storage address = { 0 };
	char text[SOCK_TEXT_LEN];

	memcpy(&address, info->ai_addr, info->ai_addrlen);
	sock_text(&address, text);
	snprintf(error, error_size, "cannot listen on %s: %s", text,
		 strerror(-err));
}

int sock_listen(const char *address, uint16_t port, int *fds, int max,
		char *error, size_t error_size)
{
	struct addrinfo *list, *info;
	int fd, err, n = 0;

	err = resolve(address, port, &list, error, error_size);
	if (err)
		return err;
	for (info = list; info && n < max; info = info->ai_next) {
		fd = listen_on(info);
		if (fd >= 0) {
			fds[n++] = fd;
			continue;
		}
		err = fd;
		describe_failure(info, err, error, error_size);
		if (!is_absent_ipv6(info, err))
			goto fail;
	}
	/* An error seen on the way matters only if nothing else listens. */
	if (!n)
		goto fail;
	freeaddrinfo(list);
	return n;

fail:
	while (n > 0)
		close(fds[--n]);
	freeaddrinfo(list);
	return err;
}
