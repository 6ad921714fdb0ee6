/* SPDX-License-Identifier: MIT */
/* What a client does not take from a server. */
#include "client/pushed.h"

#include <stddef.h>

#include "common/options.h"

enum {
	/* A shorter prefix is a good part of the Internet, and two of /1 are
	 * all of it: that is the user's to ask for. */
	SHORTEST_ROUTE = 8,
	LINK_LOCAL = 0xa9fe,		/* 169.254.0.0/16 */
	LINK_LOCAL_LEN = 16,
	MAX_NAME = 253,			/* RFC 1035, as text */
};

static bool overlaps(const struct msg_route *route, uint32_t network,
		     uint8_t prefix_len)
{
	uint8_t len = route->prefix_len < prefix_len ? route->prefix_len :
						       prefix_len;

	return ((route->network ^ network) >> (32 - len)) == 0;
}

const char *pushed_route_problem(const struct msg_route *route)
{
	uint32_t first = route->network >> 24;

	if (route->prefix_len == 0)
		return "all traffic goes through the tunnel only with "
		       "--default-route";
	if (route->prefix_len < SHORTEST_ROUTE || route->prefix_len > 32)
		return "it is too large to be taken from a server (--route "
		       "sets it nevertheless)";
	if (first == 0 || first == 127)
		return "it is this machine's own";
	if (first >= 224)
		return "it is multicast or reserved";
	if (overlaps(route, (uint32_t)LINK_LOCAL << 16, LINK_LOCAL_LEN))
		return "it holds link-local addresses";
	return NULL;
}

const char *pushed_host_problem(uint32_t address)
{
	uint32_t first = address >> 24;

	if (first == 0 || first == 127)
		return "it is this machine's own";
	if (first >= 224)
		return "it is no address of a host";
	return NULL;
}

bool pushed_search_is_good(const char *search)
{
	static const struct option_def def = {
		.name = "search", .max = MAX_NAME,
	};
	char name[OPTIONS_TEXT_LEN], error[OPTIONS_ERROR_LEN];

	return option_domain.read(&def, search, name, error);
}
