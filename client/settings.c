/* SPDX-License-Identifier: MIT */
/* What the interface is to be, of the user's options and the server's. */
#include "client/settings.h"

#include <stdio.h>
#include <string.h>

#include "client/facts.h"
#include "client/pushed.h"
#include "common/log.h"

enum {
	/* What a server means that says nothing of them. */
	BASE_PREFIX_LEN = 16,
	BASE_MTU = 1500,
};

static void take_routes(const struct msg_options *options,
			struct netup_settings *out)
{
	const struct msg_route *route;
	char text[FACTS_ADDRESS_LEN];
	const char *problem;
	unsigned int i;

	for (i = 0; i < options->n_routes; i++) {
		route = &options->routes[i];
		problem = pushed_route_problem(route);
		if (problem == NULL) {
			out->routes[out->n_routes++] = *route;
			continue;
		}
		facts_address_text(route->network, text);
		log_warning("route %s/%u of the server is ignored: %s", text,
			    route->prefix_len, problem);
	}
}

/* It makes a route, so the same is true for it as for a pushed one. */
static void take_prefix_len(const struct msg_options *options,
			    struct netup_settings *out)
{
	struct msg_route network = {
		out->address, options->has_prefix_len ? options->prefix_len :
							BASE_PREFIX_LEN,
	};
	const char *problem = pushed_route_problem(&network);
	char text[FACTS_ADDRESS_LEN];

	if (problem == NULL) {
		out->prefix_len = network.prefix_len;
		return;
	}
	facts_address_text(out->address, text);
	log_warning("network %s/%u of the server is ignored: %s", text,
		    network.prefix_len, problem);
}

static void take_dns(const struct msg_options *options,
		     struct dns_settings *out)
{
	char text[FACTS_ADDRESS_LEN];
	const char *problem;
	unsigned int i;

	for (i = 0; i < options->n_dns; i++) {
		problem = pushed_host_problem(options->dns[i]);
		if (problem == NULL) {
			out->servers[out->n++] = options->dns[i];
			continue;
		}
		facts_address_text(options->dns[i], text);
		log_warning("DNS server %s of the server is ignored: %s", text,
			    problem);
	}
}

static void take_search(const struct msg_options *options,
			struct dns_settings *out)
{
	if (options->search[0] == '\0')
		return;
	if (pushed_search_is_good(options->search))
		memcpy(out->search, options->search, sizeof(out->search));
	else
		log_warning("search domain '%s' of the server is ignored: it "
			    "is no domain name", options->search);
}

static void settings_dns(const struct cli_config *config,
			 const struct msg_options *options,
			 struct dns_settings *out)
{
	unsigned int i;

	for (i = 0; i < config->own_dns.n; i++)
		out->servers[out->n++] = config->own_dns.address[i];
	if (out->n == 0)
		take_dns(options, out);
	if (out->n > 0)
		take_search(options, out);
	/* Without a domain of its own, a server answers for all names. */
	out->all_names = out->n > 0 &&
			 (config->default_route || out->search[0] == '\0');
}

static bool same_routes(const struct msg_options *a,
			const struct msg_options *b)
{
	unsigned int i;

	if (a->n_routes != b->n_routes)
		return false;
	for (i = 0; i < a->n_routes; i++)
		if (a->routes[i].network != b->routes[i].network ||
		    a->routes[i].prefix_len != b->routes[i].prefix_len)
			return false;
	return true;
}

bool settings_same(const struct msg_options *a, const struct msg_options *b)
{
	return a->has_mtu == b->has_mtu && a->mtu == b->mtu &&
	       a->has_prefix_len == b->has_prefix_len &&
	       a->prefix_len == b->prefix_len && same_routes(a, b) &&
	       a->n_dns == b->n_dns &&
	       memcmp(a->dns, b->dns, a->n_dns * sizeof(a->dns[0])) == 0 &&
	       strcmp(a->search, b->search) == 0;
}

void settings_from(const struct cli_config *config,
		   const struct session *session, struct netup_settings *out)
{
	const struct option_networks *own = &config->own_routes;
	const struct msg_options *options = &session->options;
	unsigned int i;

	memset(out, 0, sizeof(*out));
	out->address = session->address;
	out->prefix_len = 32;
	out->mtu = options->has_mtu ? options->mtu : BASE_MTU;
	out->default_route = config->default_route;
	out->reject_outside = config->default_route || config->reject_outside;
	out->reject_required = config->reject_outside;
	out->clamp_mss = own->n > 0 && guard_forwards();
	for (i = 0; i < own->n; i++)
		out->routes[out->n_routes++] = (struct msg_route){
			own->network[i].address, own->network[i].prefix_len,
		};
	out->set_dns = config->dns;
	settings_dns(config, options, &out->dns);
	if (!config->routes)
		return;
	take_prefix_len(options, out);
	take_routes(options, out);
}
