/* SPDX-License-Identifier: MIT */
/*
 * Name resolution that does not block: getaddrinfo(3) has no time limit of its
 * own, and cli must hear SIGTERM while a name server is silent.
 */
#ifndef CLIENT_RESOLVE_H
#define CLIENT_RESOLVE_H

#include <stdint.h>

struct addrinfo;
struct resolve;

/*
 * Begin to resolve a host for TCP.  Addresses in numbers are done at once,
 * names in a thread of their own.  NULL: no memory, descriptor or thread
 * (errno).
 */
struct resolve *resolve_start(const char *host, uint16_t port);

/* Readable when resolve_result() may be called. */
int resolve_fd(const struct resolve *r);

/*
 * 0 and the list, which stays the request's, or getaddrinfo(3)'s error code.
 */
int resolve_result(struct resolve *r, const struct addrinfo **list);

/* Give up the request, finished or not; accepts NULL. */
void resolve_put(struct resolve *r);

#endif
