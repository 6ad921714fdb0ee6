/* SPDX-License-Identifier: MIT */
/* The rtnetlink socket: links, addresses and routes of the tunnel. */
#include "common/netcfg.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

enum {
	/* Our requests take under 100 bytes; an answer repeats the request
	 * after an error number. */
	MESSAGE_LEN = 8192,
};

struct netcfg {
	struct mnl_socket *socket;
	unsigned int port_id;
	uint32_t sequence;
	union {
		struct nlmsghdr align;
		uint8_t bytes[MESSAGE_LEN];
	} message;		/* the request, then its answer */
};

struct netcfg *netcfg_open(void)
{
	struct netcfg *nc = calloc(1, sizeof(*nc));
	int err;

	if (!nc)
		return NULL;
	nc->socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	if (!nc->socket)
		goto fail;
	if (mnl_socket_bind(nc->socket, 0, MNL_SOCKET_AUTOPID) < 0)
		goto fail;
	nc->port_id = mnl_socket_get_portid(nc->socket);
	return nc;

fail:
	err = errno;
	netcfg_close(nc);
	errno = err;
	return NULL;
}

void netcfg_close(struct netcfg *nc)
{
	if (!nc)
		return;
	if (nc->socket)
		mnl_socket_close(nc->socket);
	free(nc);
}

static struct nlmsghdr *begin(struct netcfg *nc, uint16_t type,
			      uint16_t flags)
{
	struct nlmsghdr *request = mnl_nlmsg_put_header(&nc->message);

	request->nlmsg_type = type;
	request->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags);
	request->nlmsg_seq = ++nc->sequence;
	return request;
}

/* Send the request and wait for its answer. */
static int talk(struct netcfg *nc, const struct nlmsghdr *request)
{
	ssize_t n;
	int ret;

	if (mnl_socket_sendto(nc->socket, request, request->nlmsg_len) < 0)
		return -errno;
	do {
		n = mnl_socket_recvfrom(nc->socket, &nc->message,
					sizeof(nc->message));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		ret = mnl_cb_run(&nc->message, (size_t)n, nc->sequence,
				 nc->port_id, NULL, NULL);
		if (ret < 0)
			return -errno;
	} while (n < 0 || ret != MNL_CB_STOP);
	return 0;
}

static struct nlmsghdr *begin_link(struct netcfg *nc, int ifindex,
				   unsigned int flags)
{
	struct nlmsghdr *request = begin(nc, RTM_NEWLINK, 0);
	struct ifinfomsg *link;

	link = mnl_nlmsg_put_extra_header(request, sizeof(*link));
	link->ifi_family = AF_UNSPEC;
	link->ifi_index = ifindex;
	link->ifi_flags = flags;
	link->ifi_change = flags;
	return request;
}

/* A host without IPv6 has nothing to be told. */
static int forbid_ipv6_address(struct netcfg *nc, int ifindex)
{
	struct nlmsghdr *request = begin_link(nc, ifindex, 0);
	struct nlattr *families, *ipv6;
	int err;

	families = mnl_attr_nest_start(request, IFLA_AF_SPEC);
	ipv6 = mnl_attr_nest_start(request, AF_INET6);
	mnl_attr_put_u8(request, IFLA_INET6_ADDR_GEN_MODE,
			IN6_ADDR_GEN_MODE_NONE);
	mnl_attr_nest_end(request, ipv6);
	mnl_attr_nest_end(request, families);
	err = talk(nc, request);
	return err == -EAFNOSUPPORT ? 0 : err;
}

int netcfg_link_up(struct netcfg *nc, int ifindex, uint32_t mtu,
		   uint32_t tx_queue_len)
{
	struct nlmsghdr *request;
	int err;

	/* First: the kernel makes its address when the link comes up. */
	err = forbid_ipv6_address(nc, ifindex);
	if (err)
		return err;
	request = begin_link(nc, ifindex, IFF_UP);
	mnl_attr_put_u32(request, IFLA_MTU, mtu);
	if (tx_queue_len)
		mnl_attr_put_u32(request, IFLA_TXQLEN, tx_queue_len);
	return talk(nc, request);
}

static int change_address(struct netcfg *nc, uint16_t type, uint16_t flags,
			  int ifindex, uint32_t address, uint8_t prefix_len)
{
	struct nlmsghdr *request = begin(nc, type, flags);
	struct ifaddrmsg *change;

	change = mnl_nlmsg_put_extra_header(request, sizeof(*change));
	change->ifa_family = AF_INET;
	change->ifa_prefixlen = prefix_len;
	change->ifa_scope = RT_SCOPE_UNIVERSE;
	change->ifa_index = (uint32_t)ifindex;
	mnl_attr_put_u32(request, IFA_LOCAL, htonl(address));
	mnl_attr_put_u32(request, IFA_ADDRESS, htonl(address));
	return talk(nc, request);
}

int netcfg_address_add(struct netcfg *nc, int ifindex, uint32_t address,
		       uint8_t prefix_len)
{
	return change_address(nc, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL,
			      ifindex, address, prefix_len);
}

int netcfg_address_del(struct netcfg *nc, int ifindex, uint32_t address,
		       uint8_t prefix_len)
{
	return change_address(nc, RTM_DELADDR, 0, ifindex, address,
			      prefix_len);
}

/*
 * RTPROT_STATIC marks the routes as somebody's wish: deleting one never takes
 * one that the kernel or a routing daemon made for the same network.
 */
static int change_route(struct netcfg *nc, uint16_t type, uint16_t flags,
			int ifindex, uint32_t network, uint8_t prefix_len)
{
	struct nlmsghdr *request = begin(nc, type, flags);
	struct rtmsg *route;

	route = mnl_nlmsg_put_extra_header(request, sizeof(*route));
	route->rtm_family = AF_INET;
	route->rtm_dst_len = prefix_len;
	route->rtm_table = RT_TABLE_MAIN;
	route->rtm_protocol = RTPROT_STATIC;
	route->rtm_scope = RT_SCOPE_LINK;
	route->rtm_type = RTN_UNICAST;
	mnl_attr_put_u32(request, RTA_DST, htonl(network));
	mnl_attr_put_u32(request, RTA_OIF, (uint32_t)ifindex);
	return talk(nc, request);
}

int netcfg_route_add(struct netcfg *nc, int ifindex, uint32_t network,
		     uint8_t prefix_len)
{
	return change_route(nc, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL,
			    ifindex, network, prefix_len);
}

int netcfg_route_del(struct netcfg *nc, int ifindex, uint32_t network,
		     uint8_t prefix_len)
{
	return change_route(nc, RTM_DELROUTE, 0, ifindex, network, prefix_len);
}
