/* SPDX-License-Identifier: MIT */
/*
 * The policy rules and the routing table of a full tunnel.
 *
 * Theory of operation: the main table stays as it is, whoever changes it.
 * Ahead of it stand two rules.  The first asks the main table, but does not
 * take a default route from it: what is near, or has a route of its own, goes
 * where it always went.  The second sends all the rest that does not carry our
 * mark to a table whose only route is the tunnel.  The connection to the
 * server carries the mark, so it falls through to the main table and its
 * default route of that moment: a renewed lease or another network card does
 * not matter.  The tunnel carries IPv4; IPv6 from this host would go past it,
 * so it gets an error at once, and programs turn to IPv4.
 *
 * The interface's index is in the number of the table and in the priority of
 * the rules.  Indices are not used again, so rules whose interface is gone
 * belong to a client that was killed, and there is no other record to keep.
 */
#include "client/fulltunnel.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/log.h"
#include "common/netcfg.h"

enum {
	FIRST_TABLE = 20020000,	/* and the index of the interface */
	FIRST_PRIORITY = 20000,	/* two for each; the main table has 32766 */
	MAX_PRIORITIES = 6000,
	MAX_RULES = 64,
	MAX_INDEX = 1 << 24,
};

/* Packets that carry a mark are checked by rp_filter as if by that mark. */
static const char valid_mark[] = "/proc/sys/net/ipv4/conf/all/src_valid_mark";

/* The rules of one interface, the one that names the table first. */
static void rules_for(int ifindex, struct netcfg_rule rules[4])
{
	uint32_t priority = FIRST_PRIORITY +
			    2 * ((uint32_t)ifindex % MAX_PRIORITIES);
	uint32_t table = FIRST_TABLE + (uint32_t)ifindex;
	int i;

	memset(rules, 0, 4 * sizeof(*rules));
	for (i = 0; i < 4; i++) {
		rules[i].family = i < 2 ? AF_INET : AF_INET6;
		rules[i].priority = priority + (i % 2 == 0);
		rules[i].table = table;
		if (i % 2 == 0) {
			rules[i].not_mark = FULLTUNNEL_MARK;
			rules[i].unreachable = i == 2;
		} else {
			rules[i].table = RT_TABLE_MAIN;
			rules[i].specific = true;
		}
	}
}

/* A host without IPv6, or without policies for it, has nothing to keep in. */
static bool is_absent(const struct netcfg_rule *rule, int error)
{
	return rule->family == AF_INET6 &&
	       (error == -EAFNOSUPPORT || error == -EOPNOTSUPP);
}

static void remove_rules(struct netcfg *nc, int ifindex)
{
	struct netcfg_rule rules[4];
	int i;

	rules_for(ifindex, rules);
	for (i = 3; i >= 0; i--)
		netcfg_rule_del(nc, &rules[i]);
}

static int add_rules(struct netcfg *nc, int ifindex)
{
	struct netcfg_rule rules[4];
	int error, i;

	rules_for(ifindex, rules);
	for (i = 0; i < 4; i++) {
		error = netcfg_rule_add(nc, &rules[i]);
		if (error != 0 && error != -EEXIST &&
		    !is_absent(&rules[i], error)) {
			remove_rules(nc, ifindex);
			return error;
		}
	}
	return 0;
}

/* Whether the setting was 0 and is 1 now. */
static bool switch_valid_mark(const char *from, const char *to)
{
	char now = '\0';
	bool done = false;
	int fd;

	fd = open(valid_mark, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return false;
	if (read(fd, &now, 1) == 1 && now == *from)
		done = pwrite(fd, to, 1, 0) == 1;
	close(fd);
	return done;
}

int fulltunnel_up(struct fulltunnel *f, struct netcfg *nc, int ifindex)
{
	int error;

	/* An interface's routes go with its last address, so each time. */
	error = netcfg_default_add(nc, ifindex,
				   FIRST_TABLE + (uint32_t)ifindex);
	if (error != 0 || f->ifindex == ifindex)
		return error;
	f->set_valid_mark = switch_valid_mark("0", "1");
	error = add_rules(nc, ifindex);
	if (error != 0) {
		netcfg_default_del(nc, ifindex,
				   FIRST_TABLE + (uint32_t)ifindex);
		return error;
	}
	f->ifindex = ifindex;
	log_info("all traffic goes through the tunnel, except to the server");
	return 0;
}

void fulltunnel_down(struct fulltunnel *f, struct netcfg *nc)
{
	struct netcfg_rule others[MAX_RULES];

	if (f->ifindex == 0)
		return;
	remove_rules(nc, f->ifindex);
	netcfg_default_del(nc, f->ifindex, FIRST_TABLE + (uint32_t)f->ifindex);
	f->ifindex = 0;
	/* Another client may stand on the setting. */
	if (f->set_valid_mark &&
	    netcfg_rules(nc, AF_INET, others, MAX_RULES) == 0)
		switch_valid_mark("1", "0");
}

void fulltunnel_clean(struct netcfg *nc, int ifindex)
{
	static const int families[] = { AF_INET, AF_INET6 };
	struct netcfg_rule rules[MAX_RULES];
	char name[IF_NAMESIZE];
	uint32_t index;
	int i, k, n;

	for (k = 0; k < 2; k++) {
		n = netcfg_rules(nc, families[k], rules, MAX_RULES);
		for (i = 0; i < n; i++) {
			index = rules[i].table - FIRST_TABLE;
			if (index == 0 || index >= MAX_INDEX ||
			    (index != (uint32_t)ifindex &&
			     if_indextoname(index, name) != NULL))
				continue;
			remove_rules(nc, (int)index);
			if (families[k] == AF_INET)
				log_info("removed the policy rules that a "
					 "killed client left (table %u)",
					 (unsigned int)rules[i].table);
		}
	}
}
