/* SPDX-License-Identifier: MIT */
/* The rtnetlink socket: links, addresses, routes and rules of the tunnel. */
#include "common/netcfg.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

enum {
	/* Our requests take under 100 bytes; an answer repeats the request
	 * after an error number, a list comes in pieces of up to this. */
	MESSAGE_LEN = 32768,
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

/* Send the request and wait for its answer; each of a list goes to callback. */
static int talk_list(struct netcfg *nc, const struct nlmsghdr *request,
		     mnl_cb_t callback, void *context)
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
				 nc->port_id, callback, context);
		if (ret < 0)
			return -errno;
	} while (n < 0 || ret != MNL_CB_STOP);
	return 0;
}

static int talk(struct netcfg *nc, const struct nlmsghdr *request)
{
	return talk_list(nc, request, NULL, NULL);
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
			int ifindex, uint32_t network, uint8_t prefix_len,
			uint32_t table)
{
	struct nlmsghdr *request = begin(nc, type, flags);
	struct rtmsg *route;

	route = mnl_nlmsg_put_extra_header(request, sizeof(*route));
	route->rtm_family = AF_INET;
	route->rtm_dst_len = prefix_len;
	route->rtm_table = RT_TABLE_UNSPEC;
	route->rtm_protocol = RTPROT_STATIC;
	route->rtm_scope = RT_SCOPE_LINK;
	route->rtm_type = RTN_UNICAST;
	mnl_attr_put_u32(request, RTA_DST, htonl(network));
	mnl_attr_put_u32(request, RTA_OIF, (uint32_t)ifindex);
	mnl_attr_put_u32(request, RTA_TABLE, table);
	return talk(nc, request);
}

int netcfg_route_add(struct netcfg *nc, int ifindex, uint32_t network,
		     uint8_t prefix_len)
{
	return change_route(nc, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL,
			    ifindex, network, prefix_len, RT_TABLE_MAIN);
}

int netcfg_route_del(struct netcfg *nc, int ifindex, uint32_t network,
		     uint8_t prefix_len)
{
	return change_route(nc, RTM_DELROUTE, 0, ifindex, network, prefix_len,
			    RT_TABLE_MAIN);
}

int netcfg_default_add(struct netcfg *nc, int ifindex, uint32_t table)
{
	return change_route(nc, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE,
			    ifindex, 0, 0, table);
}

int netcfg_default_del(struct netcfg *nc, int ifindex, uint32_t table)
{
	return change_route(nc, RTM_DELROUTE, 0, ifindex, 0, 0, table);
}

static int change_rule(struct netcfg *nc, uint16_t type, uint16_t flags,
		       const struct netcfg_rule *rule)
{
	struct nlmsghdr *request = begin(nc, type, flags);
	struct fib_rule_hdr *header;

	header = mnl_nlmsg_put_extra_header(request, sizeof(*header));
	header->family = (uint8_t)rule->family;
	header->action = rule->unreachable ? FR_ACT_UNREACHABLE :
					     FR_ACT_TO_TBL;
	header->flags = rule->not_mark ? FIB_RULE_INVERT : 0;
	mnl_attr_put_u32(request, FRA_PRIORITY, rule->priority);
	mnl_attr_put_u32(request, FRA_TABLE, rule->table);
	mnl_attr_put_u8(request, FRA_PROTOCOL, NETCFG_PROTOCOL);
	if (rule->specific)
		mnl_attr_put_u32(request, FRA_SUPPRESS_PREFIXLEN, 0);
	if (rule->not_mark) {
		mnl_attr_put_u32(request, FRA_FWMARK, rule->not_mark);
		mnl_attr_put_u32(request, FRA_FWMASK, UINT32_MAX);
	}
	return talk(nc, request);
}

int netcfg_rule_add(struct netcfg *nc, const struct netcfg_rule *rule)
{
	return change_rule(nc, RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, rule);
}

int netcfg_rule_del(struct netcfg *nc, const struct netcfg_rule *rule)
{
	return change_rule(nc, RTM_DELRULE, 0, rule);
}

struct found_rules {
	struct netcfg_rule *rules;
	unsigned int n, max;
};

static void read_rule(const struct nlmsghdr *message, struct netcfg_rule *rule,
		      uint8_t *protocol)
{
	const struct fib_rule_hdr *header = mnl_nlmsg_get_payload(message);
	struct nlattr *attribute;

	rule->family = header->family;
	rule->unreachable = header->action == FR_ACT_UNREACHABLE;
	mnl_attr_for_each(attribute, message, sizeof(*header)) {
		switch (mnl_attr_get_type(attribute)) {
		case FRA_PRIORITY:
			rule->priority = mnl_attr_get_u32(attribute);
			break;
		case FRA_TABLE:
			rule->table = mnl_attr_get_u32(attribute);
			break;
		case FRA_FWMARK:
			rule->not_mark = mnl_attr_get_u32(attribute);
			break;
		case FRA_SUPPRESS_PREFIXLEN:
			rule->specific = mnl_attr_get_u32(attribute) == 0;
			break;
		case FRA_PROTOCOL:
			*protocol = mnl_attr_get_u8(attribute);
			break;
		}
	}
}

static int keep_rule(const struct nlmsghdr *message, void *context)
{
	struct found_rules *found = context;
	struct netcfg_rule rule = { 0 };
	uint8_t protocol = 0;

	if (message->nlmsg_type != RTM_NEWRULE)
		return MNL_CB_OK;
	read_rule(message, &rule, &protocol);
	if (protocol == NETCFG_PROTOCOL && found->n < found->max)
		found->rules[found->n++] = rule;
	return MNL_CB_OK;
}

int netcfg_rules(struct netcfg *nc, int family, struct netcfg_rule *rules,
		 unsigned int max)
{
	struct found_rules found = { .rules = rules, .max = max };
	struct nlmsghdr *request = begin(nc, RTM_GETRULE, NLM_F_DUMP);
	struct fib_rule_hdr *header;
	int err;

	request->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	header = mnl_nlmsg_put_extra_header(request, sizeof(*header));
	header->family = (uint8_t)family;
	err = talk_list(nc, request, keep_rule, &found);
	return err ? err : (int)found.n;
}
