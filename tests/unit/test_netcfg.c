/* SPDX-License-Identifier: MIT */
/*
 * Tests of common/netcfg with a TUN interface in a network namespace of its
 * own, one for each test.  Needs root; without it the program ends with 77.
 */
#include "common/netcfg.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/tun.h"

enum {
	ADDRESS = 0x0a000007,
	NETWORK = 0x0a000000,
	OTHER = 0x0a640500,
	MTU = 1400,
	QUEUE_LEN = 321,
	GATEWAY_FLAG = 2,	/* RTF_GATEWAY */
};

static struct tun tun;
static struct netcfg *nc;

static void open_all(void)
{
	ck_assert_int_eq(unshare(CLONE_NEWNET), 0);
	ck_assert_int_eq(tun_open(&tun, "vpn%d"), 0);
	nc = netcfg_open();
	ck_assert_ptr_nonnull(nc);
}

static void close_all(void)
{
	netcfg_close(nc);
	tun_close(&tun);
}

static struct ifreq ask(unsigned long request)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq answer = { 0 };

	memcpy(answer.ifr_name, tun.name, IFNAMSIZ);
	ck_assert_int_eq(ioctl(fd, request, &answer), 0);
	close(fd);
	return answer;
}

/* The addresses of one family that the interface has. */
static unsigned int count_addresses(int family, uint32_t *address,
				    uint32_t *mask)
{
	struct ifaddrs *list, *entry;
	struct sockaddr_in ipv4;
	unsigned int n = 0;

	ck_assert_int_eq(getifaddrs(&list), 0);
	for (entry = list; entry; entry = entry->ifa_next) {
		if (strcmp(entry->ifa_name, tun.name) || !entry->ifa_addr ||
		    entry->ifa_addr->sa_family != family)
			continue;
		n++;
		if (family != AF_INET)
			continue;
		memcpy(&ipv4, entry->ifa_addr, sizeof(ipv4));
		*address = ntohl(ipv4.sin_addr.s_addr);
		memcpy(&ipv4, entry->ifa_netmask, sizeof(ipv4));
		*mask = ntohl(ipv4.sin_addr.s_addr);
	}
	freeifaddrs(list);
	return n;
}

/* Whether the main table has the route, out of the interface itself. */
static bool has_route(uint32_t network, uint32_t mask)
{
	unsigned int destination, gateway, flags, table_mask;
	char line[256], name[IFNAMSIZ];
	bool found = false;
	FILE *file = fopen("/proc/self/net/route", "r");

	ck_assert_ptr_nonnull(file);
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%15s %x %x %x %*d %*d %*d %x", name,
			   &destination, &gateway, &flags, &table_mask) != 5)
			continue;
		found |= !strcmp(name, tun.name) && !gateway &&
			 !(flags & GATEWAY_FLAG) &&
			 ntohl(destination) == network &&
			 ntohl(table_mask) == mask;
	}
	fclose(file);
	return found;
}

static void link_up(void)
{
	ck_assert_int_eq(netcfg_link_up(nc, tun.ifindex, MTU, QUEUE_LEN), 0);
}

START_TEST(netcfg_link_up_sets_mtu_and_queue)
{
	ck_assert_int_eq(ask(SIOCGIFFLAGS).ifr_flags & IFF_UP, 0);
	link_up();
	ck_assert_int_ne(ask(SIOCGIFFLAGS).ifr_flags & IFF_UP, 0);
	ck_assert_int_eq(ask(SIOCGIFMTU).ifr_mtu, MTU);
	ck_assert_int_eq(ask(SIOCGIFTXQLEN).ifr_qlen, QUEUE_LEN);
	ck_assert_int_eq(netcfg_link_up(nc, tun.ifindex, MTU + 1, 0), 0);
	ck_assert_int_eq(ask(SIOCGIFMTU).ifr_mtu, MTU + 1);
	ck_assert_int_eq(ask(SIOCGIFTXQLEN).ifr_qlen, QUEUE_LEN);
}
END_TEST

START_TEST(netcfg_link_up_makes_no_ipv6_address)
{
	link_up();
	ck_assert_uint_eq(count_addresses(AF_INET6, NULL, NULL), 0);
}
END_TEST

/* Below 1,280 bytes the kernel takes IPv6 from the interface. */
START_TEST(netcfg_link_up_without_ipv6_works)
{
	ck_assert_int_eq(netcfg_link_up(nc, tun.ifindex, 576, 0), 0);
	ck_assert_int_eq(netcfg_link_up(nc, tun.ifindex, 600, 0), 0);
	ck_assert_int_eq(ask(SIOCGIFMTU).ifr_mtu, 600);
}
END_TEST

static void fill_rules(struct netcfg_rule rules[2], int family)
{
	memset(rules, 0, 2 * sizeof(*rules));
	rules[0].family = rules[1].family = family;
	rules[0].priority = 20000;
	rules[0].table = 254;
	rules[0].specific = true;
	rules[1].priority = 20001;
	rules[1].table = 4711;
	rules[1].not_mark = 0x2002;
	rules[1].unreachable = family == AF_INET6;
}

static void check_rules(int family)
{
	struct netcfg_rule rules[2], found[4];
	int i;

	fill_rules(rules, family);
	for (i = 0; i < 2; i++)
		ck_assert_int_eq(netcfg_rule_add(nc, &rules[i]), 0);
	ck_assert_int_eq(netcfg_rule_add(nc, &rules[1]), -EEXIST);
	ck_assert_int_eq(netcfg_rules(nc, family, found, 4), 2);
	for (i = 0; i < 2; i++) {
		ck_assert_int_eq(found[i].family, family);
		ck_assert_uint_eq(found[i].priority, rules[i].priority);
		ck_assert_uint_eq(found[i].table, rules[i].table);
		ck_assert_uint_eq(found[i].not_mark, rules[i].not_mark);
		ck_assert_int_eq(found[i].specific, rules[i].specific);
		ck_assert_int_eq(found[i].unreachable, rules[i].unreachable);
	}
	ck_assert_int_eq(netcfg_rules(nc, family, found, 1), 1);
	for (i = 0; i < 2; i++)
		ck_assert_int_eq(netcfg_rule_del(nc, &rules[i]), 0);
	ck_assert_int_eq(netcfg_rules(nc, family, found, 4), 0);
	ck_assert_int_eq(netcfg_rule_del(nc, &rules[0]), -ENOENT);
}

START_TEST(netcfg_rules_are_added_listed_and_removed)
{
	check_rules(AF_INET);
	check_rules(AF_INET6);
}
END_TEST

START_TEST(netcfg_default_of_a_table_leaves_main_alone)
{
	link_up();
	ck_assert_int_eq(netcfg_default_add(nc, tun.ifindex, 4711), 0);
	ck_assert_int_eq(netcfg_default_add(nc, tun.ifindex, 4711), 0);
	ck_assert(!has_route(0, 0));
	ck_assert_int_eq(netcfg_default_del(nc, tun.ifindex, 4711), 0);
	ck_assert_int_eq(netcfg_default_del(nc, tun.ifindex, 4711), -ESRCH);
}
END_TEST

START_TEST(netcfg_link_up_refused_is_reported)
{
	ck_assert_int_eq(netcfg_link_up(nc, 4711, MTU, 0), -ENODEV);
	ck_assert_int_eq(netcfg_link_up(nc, tun.ifindex, 10, 0), -EINVAL);
	ck_assert_int_eq(ask(SIOCGIFFLAGS).ifr_flags & IFF_UP, 0);
}
END_TEST

START_TEST(netcfg_address_brings_its_network_and_goes)
{
	uint32_t address, mask;

	link_up();
	ck_assert_int_eq(netcfg_address_add(nc, tun.ifindex, ADDRESS, 16), 0);
	ck_assert_uint_eq(count_addresses(AF_INET, &address, &mask), 1);
	ck_assert_uint_eq(address, ADDRESS);
	ck_assert_uint_eq(mask, 0xffff0000);
	ck_assert(has_route(NETWORK, 0xffff0000));
	ck_assert_int_eq(netcfg_address_add(nc, tun.ifindex, ADDRESS, 16),
			 -EEXIST);
	ck_assert_int_eq(netcfg_address_del(nc, tun.ifindex, ADDRESS, 16), 0);
	ck_assert_uint_eq(count_addresses(AF_INET, &address, &mask), 0);
	ck_assert(!has_route(NETWORK, 0xffff0000));
	ck_assert_int_eq(netcfg_address_del(nc, tun.ifindex, ADDRESS, 16),
			 -EADDRNOTAVAIL);
}
END_TEST

START_TEST(netcfg_route_comes_and_goes)
{
	link_up();
	ck_assert_int_eq(netcfg_address_add(nc, tun.ifindex, ADDRESS, 16), 0);
	ck_assert_int_eq(netcfg_route_add(nc, tun.ifindex, OTHER, 24), 0);
	ck_assert(has_route(OTHER, 0xffffff00));
	ck_assert_int_eq(netcfg_route_add(nc, tun.ifindex, OTHER, 24),
			 -EEXIST);
	ck_assert_int_eq(netcfg_route_del(nc, tun.ifindex, OTHER, 24), 0);
	ck_assert(!has_route(OTHER, 0xffffff00));
	ck_assert_int_eq(netcfg_route_del(nc, tun.ifindex, OTHER, 24),
			 -ESRCH);
}
END_TEST

START_TEST(netcfg_route_of_every_length_works)
{
	link_up();
	ck_assert_int_eq(netcfg_route_add(nc, tun.ifindex, 0, 0), 0);
	ck_assert(has_route(0, 0));
	ck_assert_int_eq(netcfg_route_add(nc, tun.ifindex, OTHER + 9, 32), 0);
	ck_assert(has_route(OTHER + 9, 0xffffffff));
	ck_assert_int_eq(netcfg_route_del(nc, tun.ifindex, 0, 0), 0);
	ck_assert_int_eq(netcfg_route_del(nc, tun.ifindex, OTHER + 9, 32), 0);
	ck_assert(!has_route(0, 0));
}
END_TEST

START_TEST(netcfg_route_with_host_bits_is_refused)
{
	link_up();
	ck_assert_int_eq(netcfg_route_add(nc, tun.ifindex, OTHER + 1, 24),
			 -EINVAL);
	ck_assert_int_eq(netcfg_route_add(nc, tun.ifindex, OTHER, 33),
			 -EINVAL);
}
END_TEST

/* The route that came with the address is the kernel's. */
START_TEST(netcfg_route_del_spares_the_kernels_own)
{
	link_up();
	ck_assert_int_eq(netcfg_address_add(nc, tun.ifindex, ADDRESS, 16), 0);
	ck_assert_int_eq(netcfg_route_del(nc, tun.ifindex, NETWORK, 16),
			 -ESRCH);
	ck_assert(has_route(NETWORK, 0xffff0000));
}
END_TEST

START_TEST(netcfg_close_of_nothing_is_allowed)
{
	netcfg_close(NULL);
}
END_TEST

static Suite *netcfg_suite(void)
{
	Suite *suite = suite_create("netcfg");
	TCase *tcase = tcase_create("netcfg");

	tcase_add_checked_fixture(tcase, open_all, close_all);
	tcase_add_test(tcase, netcfg_link_up_sets_mtu_and_queue);
	tcase_add_test(tcase, netcfg_link_up_makes_no_ipv6_address);
	tcase_add_test(tcase, netcfg_link_up_without_ipv6_works);
	tcase_add_test(tcase, netcfg_rules_are_added_listed_and_removed);
	tcase_add_test(tcase, netcfg_default_of_a_table_leaves_main_alone);
	tcase_add_test(tcase, netcfg_link_up_refused_is_reported);
	tcase_add_test(tcase, netcfg_address_brings_its_network_and_goes);
	tcase_add_test(tcase, netcfg_route_comes_and_goes);
	tcase_add_test(tcase, netcfg_route_of_every_length_works);
	tcase_add_test(tcase, netcfg_route_with_host_bits_is_refused);
	tcase_add_test(tcase, netcfg_route_del_spares_the_kernels_own);
	tcase_add_test(tcase, netcfg_close_of_nothing_is_allowed);
	suite_add_tcase(suite, tcase);
	return suite;
}

/* In a child: this process keeps the namespace that it has. */
static bool can_unshare(void)
{
	int status = -1;
	pid_t child = fork();

	if (child == 0)
		_exit(unshare(CLONE_NEWNET) ? 1 : 0);
	return child > 0 && waitpid(child, &status, 0) == child && !status;
}

int main(void)
{
	SRunner *runner;
	int n_failed;

	if (!can_unshare() || access("/dev/net/tun", R_OK | W_OK)) {
		printf("SKIP: root and /dev/net/tun are needed\n");
		return 77;
	}
	runner = srunner_create(netcfg_suite());
	/* Each test has its namespace because it has its process. */
	srunner_set_fork_status(runner, CK_FORK);
	srunner_run_all(runner, CK_ENV);
	n_failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return n_failed ? 1 : 0;
}
