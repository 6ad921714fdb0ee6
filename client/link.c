/* SPDX-License-Identifier: MIT */
/* The TCP connection to the server. */
#include "client/link.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client/resolve.h"
#include "common/clock.h"
#include "common/log.h"

static enum link_result wait_resolved(struct resolve *request, const char *host,
				      struct signals *signals,
				      uint64_t limit_ms,
				      const struct addrinfo **list, char *why,
				      size_t why_size)
{
	enum signals_wait waited;
	int error;

	waited = signals_wait(signals, resolve_fd(request), POLLIN,
			      clock_now_ms() + limit_ms);
	if (waited == SIGNALS_STOP)
		return LINK_STOPPED;
	if (waited == SIGNALS_TIMEOUT) {
		snprintf(why, why_size, "cannot resolve %s: no answer within "
			 "%u s", host, (unsigned int)(limit_ms / 1000));
		return LINK_FAILED;
	}
	error = resolve_result(request, list);
	if (error == 0)
		return LINK_OPEN;
	snprintf(why, why_size, "cannot resolve %s: %s", host,
		 gai_strerror(error));
	return LINK_FAILED;
}

/* 0, or the reason why the connection did not come to be. */
static int connect_error(int fd)
{
	socklen_t len = sizeof(int);
	int error;

	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		return errno;
	return error;
}

/* Connect fd to the peer; *error says why not. */
static enum link_result connect_within(int fd, const struct link *link,
				       socklen_t len, struct signals *signals,
				       int *error)
{
	*error = 0;
	if (connect(fd, (const struct sockaddr *)&link->peer, len) == 0)
		return LINK_OPEN;
	if (errno != EINPROGRESS) {
		*error = errno;
		return LINK_FAILED;
	}
	switch (signals_wait(signals, fd, POLLOUT,
			     clock_now_ms() + LINK_ATTEMPT_MS)) {
	case SIGNALS_STOP:
		return LINK_STOPPED;
	case SIGNALS_TIMEOUT:
		*error = ETIMEDOUT;
		break;
	case SIGNALS_READY:
		*error = connect_error(fd);
		break;
	}
	return *error == 0 ? LINK_OPEN : LINK_FAILED;
}

/* Not to get it is no reason not to connect. */
static void set_congestion(int fd, const char *name)
{
	int error = sock_congestion(fd, name);

	if (error != 0)
		log_debug("congestion control %s is not to be had (%s): using "
			  "the kernel's default", name, strerror(-error));
}

static enum link_result try_address(struct link *link,
				    const struct addrinfo *address,
				    struct signals *signals, int *error)
{
	enum link_result result = LINK_FAILED;
	int fd;

	memset(&link->peer, 0, sizeof(link->peer));
	memcpy(&link->peer, address->ai_addr, address->ai_addrlen);
	sock_text(&link->peer, link->text);
	fd = socket(address->ai_family,
		    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
	if (fd < 0) {
		*error = errno;
		return LINK_FAILED;
	}
	set_congestion(fd, link->congestion);
	*error = -sock_tune(fd, LINK_NOTSENT_LOWAT, LINK_USER_TIMEOUT_MS);
	if (*error == 0 && link->mark != 0 &&
	    setsockopt(fd, SOL_SOCKET, SO_MARK, &link->mark,
		       sizeof(link->mark)) != 0)
		*error = errno;
	if (*error == 0)
		result = connect_within(fd, link, address->ai_addrlen, signals,
					error);
	if (result == LINK_OPEN)
		link->fd = fd;
	else
		close(fd);
	return result;
}

static enum link_result try_all(struct link *link, const struct addrinfo *list,
				struct signals *signals, char *why,
				size_t why_size)
{
	enum link_result result = LINK_FAILED;
	const struct addrinfo *address;
	int error;

	for (address = list; address != NULL; address = address->ai_next) {
		if (address->ai_addrlen > sizeof(link->peer))
			continue;
		result = try_address(link, address, signals, &error);
		if (result != LINK_FAILED)
			break;
		snprintf(why, why_size, "cannot connect to %s: %s", link->text,
			 strerror(error));
		if (address->ai_next != NULL)
			log_info("%s", why);
	}
	return result;
}

static struct link_known *find_known(struct link *link, const char *host)
{
	unsigned int i;

	for (i = 0; i < link->n_known && i < LINK_MAX_KNOWN; i++)
		if (strcmp(link->known[i].host, host) == 0)
			return &link->known[i];
	return NULL;
}

/* The oldest makes room. */
static void remember(struct link *link, const char *host)
{
	struct link_known *known = find_known(link, host);

	if (known == NULL) {
		known = &link->known[link->n_known++ % LINK_MAX_KNOWN];
		snprintf(known->host, sizeof(known->host), "%s", host);
	}
	known->address = link->peer;
}

/*
 * The name cannot be resolved, and why says so, but this one or another was
 * before: the tunnel may be in the way.
 */
static enum link_result try_without_resolver(struct link *link,
					     const char *host, uint16_t port,
					     struct signals *signals,
					     char *why, size_t why_size)
{
	const struct link_known *known = find_known(link, host);
	struct sockaddr_storage address = { 0 };
	struct sockaddr_in ipv4 = {
		.sin_family = AF_INET, .sin_port = htons(port),
	};
	struct addrinfo list = {
		.ai_addr = (struct sockaddr *)&address,
	};
	uint32_t found;

	if (outside_ask(&link->outside, host, link->mark, signals, &found)) {
		ipv4.sin_addr.s_addr = htonl(found);
		memcpy(&address, &ipv4, sizeof(ipv4));
		log_debug("%s; a name server outside of the tunnel knows it",
			  why);
	} else if (signals_stop(signals)) {
		return LINK_STOPPED;
	} else if (known == NULL) {
		return LINK_FAILED;
	} else {
		address = known->address;
		log_info("%s; trying where it was before", why);
	}
	list.ai_family = address.ss_family;
	list.ai_addrlen = address.ss_family == AF_INET ?
			  sizeof(struct sockaddr_in) :
			  sizeof(struct sockaddr_in6);
	return try_all(link, &list, signals, why, why_size);
}

enum link_result link_open(struct link *link, const char *host, uint16_t port,
			   struct signals *signals, char *why, size_t why_size)
{
	const struct addrinfo *list = NULL;
	bool again = link->n_known > 0;
	enum link_result result;
	struct resolve *request;

	link->fd = -1;
	request = resolve_start(host, port);
	if (request == NULL) {
		snprintf(why, why_size, "cannot resolve %s: %s", host,
			 strerror(errno));
		return LINK_FAILED;
	}
	result = wait_resolved(request, host, signals, again ?
			       LINK_RESOLVE_AGAIN_MS : LINK_RESOLVE_MS, &list,
			       why, why_size);
	if (result == LINK_OPEN)
		result = try_all(link, list, signals, why, why_size);
	else if (result == LINK_FAILED && again)
		result = try_without_resolver(link, host, port, signals, why,
					      why_size);
	if (result == LINK_OPEN)
		remember(link, host);
	resolve_put(request);
	return result;
}

void link_close(struct link *link)
{
	if (link->fd >= 0)
		close(link->fd);
	link->fd = -1;
}
