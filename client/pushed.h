/* SPDX-License-Identifier: MIT */
/*
 * What a client does not take from a server: a server gives a network, it has
 * no say over the rest of the machine.  Pure; any thread.
 */
#ifndef CLIENT_PUSHED_H
#define CLIENT_PUSHED_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/msg.h"

/* Why the route is not taken, a static sentence; NULL: it is good. */
const char *pushed_route_problem(const struct msg_route *route);

/* The same for an address: a DNS server's, or the one that we are to have. */
const char *pushed_host_problem(uint32_t address);

/*
 * Whether the text is one domain name, safe to stand in a line of a file and
 * as a word of a command.
 */
bool pushed_search_is_good(const char *search);

#endif
