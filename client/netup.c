/* SPDX-License-Identifier: MIT */
/*
 * The TUN interface's MTU, address and routes, and what goes with them.
 *
 * Theory of operation: the structure remembers what was added, and a new set
 * of settings is applied as a difference to it, so that open connections
 * through the tunnel live on while cli reconnects.  Two traits of Linux shape
 * the order.  A second address of the same network is "secondary" and goes
 * away together with the first one, so after the old address was removed the
 * new one is added once more.  And with an interface's last address go all of
 * its routes, which would let a full tunnel's traffic out past it: so there is
 * always one.  Routes are added last, those that should still be there too.
 * The name servers come after the routes that lead to them.
 */
#include "client/netup.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "common/netcfg.h"

enum {
	/* Packets that the interface holds for us: the kernel's own default
	 * for TUN, set here so that a host's setting does not change it. */
	TX_QUEUE_LEN = 500,
	PREFIX_TEXT_LEN = INET_ADDRSTRLEN + 4,
	WHY_LEN = 400,
};

static uint32_t mask_of(uint8_t prefix_len)
{
	return prefix_len == 0 ? 0 : ~(uint32_t)0 << (32 - prefix_len);
}

static void prefix_text(uint32_t address, uint8_t prefix_len,
			char text[PREFIX_TEXT_LEN])
{
	snprintf(text, PREFIX_TEXT_LEN, "%u.%u.%u.%u/%u", address >> 24,
		 address >> 16 & 0xff, address >> 8 & 0xff, address & 0xff,
		 prefix_len);
}

static bool has_route(const struct netup_settings *settings,
		      const struct msg_route *route)
{
	unsigned int i;

	for (i = 0; i < settings->n_routes; i++)
		if (settings->routes[i].network == route->network &&
		    settings->routes[i].prefix_len == route->prefix_len)
			return true;
	return false;
}

/*
 * Whether packets to the server would now leave with the tunnel's address: the
 * kernel chooses the source of an unsent datagram as it would route it.
 */
static bool leads_to_tunnel(const struct sockaddr_storage *server,
			    const struct netup_settings *want)
{
	uint32_t mark = want->default_route ? FULLTUNNEL_MARK : 0;
	struct sockaddr_in source = { 0 };
	socklen_t len = sizeof(source);
	bool leads = false;
	int fd;

	if (server->ss_family != AF_INET)
		return false;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return false;
	if ((mark == 0 || setsockopt(fd, SOL_SOCKET, SO_MARK, &mark,
				     sizeof(mark)) == 0) &&
	    connect(fd, (const struct sockaddr *)server,
		    sizeof(struct sockaddr_in)) == 0 &&
	    getsockname(fd, (struct sockaddr *)&source, &len) == 0)
		leads = ntohl(source.sin_addr.s_addr) == want->address;
	close(fd);
	return leads;
}

/* Add one route; whether it is ours and in force. */
static bool add_route(struct netup *n, const struct msg_route *route,
		      bool was_ours, const struct netup_settings *want,
		      const struct sockaddr_storage *server)
{
	char text[PREFIX_TEXT_LEN];
	int error;

	prefix_text(route->network, route->prefix_len, text);
	error = netcfg_route_add(n->nc, n->tun->ifindex, route->network,
				 route->prefix_len);
	if (error == -EEXIST && was_ours)
		return true;
	if (error == -EEXIST) {
		log_warning("route %s exists already and is left as it is",
			    text);
		return false;
	}
	if (error != 0) {
		log_warning("cannot add route %s: %s", text, strerror(-error));
		return false;
	}
	if (leads_to_tunnel(server, want)) {
		log_warning("route %s leads to the server itself; not added",
			    text);
		netcfg_route_del(n->nc, n->tun->ifindex, route->network,
				 route->prefix_len);
		return false;
	}
	if (!was_ours)
		log_info("route %s through %s", text, n->tun->name);
	return true;
}

static void add_routes(struct netup *n, const struct netup_settings *want,
		       const struct sockaddr_storage *server)
{
	const struct netup_settings before = n->now;
	struct msg_route route;
	unsigned int i;

	n->now.n_routes = 0;
	for (i = 0; i < want->n_routes; i++) {
		route = want->routes[i];
		/* The kernel made the route to the network itself. */
		if (has_route(&n->now, &route) ||
		    (route.prefix_len >= want->prefix_len &&
		     ((route.network ^ want->address) &
		      mask_of(want->prefix_len)) == 0))
			continue;
		if (add_route(n, &route, has_route(&before, &route), want,
			      server))
			n->now.routes[n->now.n_routes++] = route;
	}
}

/* Remove our routes that keep does not have; NULL: all of them. */
static void remove_routes(struct netup *n, const struct netup_settings *keep)
{
	struct netup_settings *now = &n->now;
	const struct msg_route *route;
	char text[PREFIX_TEXT_LEN];
	unsigned int i;

	for (i = now->n_routes; i > 0; i--) {
		route = &now->routes[i - 1];
		if (keep != NULL && has_route(keep, route))
			continue;
		netcfg_route_del(n->nc, n->tun->ifindex, route->network,
				 route->prefix_len);
		prefix_text(route->network, route->prefix_len, text);
		if (keep != NULL)
			log_info("route %s is withdrawn", text);
		memmove(&now->routes[i - 1], &now->routes[i],
			(now->n_routes - i) * sizeof(now->routes[0]));
		now->n_routes--;
	}
}

static int add_address(struct netup *n, uint32_t address, uint8_t prefix_len)
{
	int error;

	error = netcfg_address_add(n->nc, n->tun->ifindex, address,
				   prefix_len);
	return error == -EEXIST ? 0 : error;
}

static void remove_address(struct netup *n, uint32_t address,
			   uint8_t prefix_len)
{
	netcfg_address_del(n->nc, n->tun->ifindex, address, prefix_len);
}

/*
 * Two addresses of one network: the new one as a network of its own, /32, is
 * there while neither of them is.
 */
static int replace_address(struct netup *n, const struct netup_settings *before,
			   const struct netup_settings *want)
{
	bool bridged = want->prefix_len < 32;
	int error;

	if (bridged)
		add_address(n, want->address, 32);
	remove_address(n, before->address, before->prefix_len);
	error = add_address(n, want->address, want->prefix_len);
	if (bridged)
		remove_address(n, want->address, 32);
	return error;
}

static int change_address(struct netup *n, const struct netup_settings *want)
{
	const struct netup_settings before = n->now;
	int error;

	if (before.address == want->address &&
	    before.prefix_len == want->prefix_len)
		return 0;
	error = add_address(n, want->address, want->prefix_len);
	if (error != 0)
		return error;
	n->now.address = want->address;
	n->now.prefix_len = want->prefix_len;
	if (before.address == 0)
		return 0;
	if (before.prefix_len == want->prefix_len)
		return replace_address(n, &before, want);
	remove_address(n, before.address, before.prefix_len);
	return 0;
}

int netup_init(struct netup *n, const struct tun *tun)
{
	memset(n, 0, sizeof(*n));
	n->tun = tun;
	dns_init(&n->dns, tun->name);
	n->nc = netcfg_open();
	if (n->nc == NULL)
		return -errno;
	fulltunnel_clean(n->nc, tun->ifindex);
	guard_clean(tun->ifindex);
	dns_clean(&n->dns);
	return 0;
}

/* A server may leave host bits set, the kernel does not take them. */
static void clear_host_bits(struct netup_settings *settings)
{
	struct msg_route *route;
	unsigned int i;

	for (i = 0; i < settings->n_routes; i++) {
		route = &settings->routes[i];
		route->network &= mask_of(route->prefix_len);
	}
}

/* Log a failure for which there is no better place; returns it. */
static int failed(const struct netup *n, const char *what, int error)
{
	if (error != -EPERM && error != -EACCES)
		log_error("cannot %s of interface %s: %s", what, n->tun->name,
			  strerror(-error));
	return error;
}

static int apply_guard(struct netup *n, const struct netup_settings *want)
{
	const struct guard_rules rules = {
		.address = want->reject_outside ? want->address : 0,
		.mark = want->default_route ? FULLTUNNEL_MARK : 0,
	};
	char why[WHY_LEN];

	if (!want->reject_outside && !want->clamp_mss)
		return 0;
	if (guard_set(&n->guard, n->tun->ifindex, &rules, why, sizeof(why))) {
		n->guard_failed = false;
		return 0;
	}
	if (want->reject_required) {
		log_error("--reject-outside is not possible: %s", why);
		return -ENOTSUP;
	}
	if (!n->guard_failed)
		log_warning("%sthe MSS of what is forwarded is not clamped: %s",
			    want->reject_outside ? "packets for the tunnel's "
			    "address from elsewhere are not dropped, and " : "",
			    why);
	n->guard_failed = true;
	return 0;
}

static int apply_link(struct netup *n, const struct netup_settings *want)
{
	bool new = n->now.mtu != want->mtu ||
		   n->now.address != want->address ||
		   n->now.prefix_len != want->prefix_len;
	char text[PREFIX_TEXT_LEN];
	int error;

	if (n->now.mtu != want->mtu) {
		error = netcfg_link_up(n->nc, n->tun->ifindex, want->mtu,
				       TX_QUEUE_LEN);
		if (error != 0)
			return failed(n, "set the MTU", error);
		n->now.mtu = want->mtu;
	}
	remove_routes(n, want);
	error = change_address(n, want);
	if (error != 0)
		return failed(n, "set the address", error);
	prefix_text(want->address, want->prefix_len, text);
	log_at(new ? LOG_LEVEL_INFO : LOG_LEVEL_DEBUG,
	       "address %s on %s, mtu %" PRIu32, text, n->tun->name, want->mtu);
	return 0;
}

int netup_apply(struct netup *n, const struct netup_settings *settings,
		const struct sockaddr_storage *server)
{
	struct netup_settings wanted = *settings;
	const struct netup_settings *want = &wanted;
	int error;

	clear_host_bits(&wanted);
	error = apply_link(n, want);
	if (error == 0)
		error = apply_guard(n, want);
	if (error != 0)
		return error;
	if (leads_to_tunnel(server, want))
		log_warning("the tunnel's network holds the server's own "
			    "address; nothing will get through (--no-routes "
			    "leaves that network out)");
	add_routes(n, want, server);
	if (want->default_route) {
		error = fulltunnel_up(&n->fulltunnel, n->nc, n->tun->ifindex);
		if (error != 0)
			return failed(n, "set the policy rules", error);
	}
	n->now.dns = want->dns;
	if (want->set_dns)
		dns_apply(&n->dns, &want->dns);
	return 0;
}

void netup_fini(struct netup *n)
{
	if (n->nc == NULL)
		return;
	dns_remove(&n->dns);
	fulltunnel_down(&n->fulltunnel, n->nc);
	remove_routes(n, NULL);
	guard_remove(&n->guard);
	if (n->now.address != 0)
		netcfg_address_del(n->nc, n->tun->ifindex, n->now.address,
				   n->now.prefix_len);
	netcfg_close(n->nc);
	n->nc = NULL;
}
