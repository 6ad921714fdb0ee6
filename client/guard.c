/* SPDX-License-Identifier: MIT */
/*
 * The client's nftables table.
 *
 * Theory of operation: the table is named after the interface's index, so each
 * client has its own, and one whose interface is gone was left by a client
 * that was killed.  The rules name the interface by its index as well: a name
 * may hold what nft would read as something else.  A set replaces the table in
 * one transaction.
 */
#include "client/guard.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "common/subprocess.h"

#define TABLE_PREFIX "simplevpn-cli-"

enum {
	NFT_MS = 10000,
	SCRIPT_LEN = 2048,
	OUTPUT_LEN = 300,
	LIST_LEN = 16384,
};

static const char format[] =
	"table ip " TABLE_PREFIX "%d {}\n"
	"delete table ip " TABLE_PREFIX "%d\n"
	"table ip " TABLE_PREFIX "%d {\n"
	"  chain passing {\n"
	"    type filter hook forward priority mangle; policy accept;\n"
	"    iif %d tcp flags & (syn | rst) == syn "
	"tcp option maxseg size set rt mtu\n"
	"    oif %d tcp flags & (syn | rst) == syn "
	"tcp option maxseg size set rt mtu\n"
	"  }\n"
	"%s%s"
	"}\n";

/* Loopback and the host itself may use the address; hence the fib look-up. */
static const char address_format[] =
	"  chain arriving {\n"
	"    type filter hook prerouting priority raw; policy accept;\n"
	"    iif != %d ip daddr %u.%u.%u.%u fib saddr type != local drop\n"
	"  }\n";

/* So that a strict rp_filter looks for the way back of the marked packets. */
static const char mark_format[] =
	"  chain keep-mark {\n"
	"    type filter hook postrouting priority mangle; policy accept;\n"
	"    meta mark %" PRIu32 " ct mark set meta mark\n"
	"  }\n"
	"  chain give-mark {\n"
	"    type filter hook prerouting priority mangle; policy accept;\n"
	"    ct mark %" PRIu32 " meta mark set ct mark\n"
	"  }\n";

static int nft(const char *script, char *output, size_t size)
{
	static const char *const argv[] = { "nft", "-f", "-", NULL };
	const struct subprocess what = {
		.argv = argv, .input = script, .timeout_ms = NFT_MS,
	};

	return subprocess_run(&what, output, size);
}

/* The first line of what nft said. */
static void explain(int result, char *output, char *why, size_t why_size)
{
	output[strcspn(output, "\n")] = '\0';
	if (result == -ENOENT)
		snprintf(why, why_size, "nft is not installed (package "
			 "nftables)");
	else if (result < 0)
		snprintf(why, why_size, "nft: %s", strerror(-result));
	else
		snprintf(why, why_size, "nft: %s", output);
}

static void write_script(char script[SCRIPT_LEN], int ifindex,
			 const struct guard_rules *rules)
{
	char arriving[SCRIPT_LEN / 4] = "", marks[SCRIPT_LEN / 4] = "";
	uint32_t address = rules->address;

	if (address != 0)
		snprintf(arriving, sizeof(arriving), address_format, ifindex,
			 address >> 24, address >> 16 & 0xff,
			 address >> 8 & 0xff, address & 0xff);
	if (rules->mark != 0)
		snprintf(marks, sizeof(marks), mark_format, rules->mark,
			 rules->mark);
	snprintf(script, SCRIPT_LEN, format, ifindex, ifindex, ifindex,
		 ifindex, ifindex, arriving, marks);
}

bool guard_forwards(void)
{
	int fd = open("/proc/sys/net/ipv4/ip_forward", O_RDONLY | O_CLOEXEC);
	char value = '0';

	if (fd < 0)
		return false;
	if (read(fd, &value, 1) != 1)
		value = '0';
	close(fd);
	return value != '0';
}

bool guard_set(struct guard *g, int ifindex, const struct guard_rules *rules,
	       char *why, size_t why_size)
{
	char script[SCRIPT_LEN], output[OUTPUT_LEN];
	int result;

	if (g->ifindex == ifindex && g->now.address == rules->address &&
	    g->now.mark == rules->mark)
		return true;
	write_script(script, ifindex, rules);
	result = nft(script, output, sizeof(output));
	if (result != 0) {
		explain(result, output, why, why_size);
		return false;
	}
	g->ifindex = ifindex;
	g->now = *rules;
	return true;
}

static int remove_table(int ifindex)
{
	char script[SCRIPT_LEN], output[OUTPUT_LEN];

	snprintf(script, sizeof(script), "delete table ip " TABLE_PREFIX "%d\n",
		 ifindex);
	return nft(script, output, sizeof(output));
}

void guard_remove(struct guard *g)
{
	if (g->ifindex == 0)
		return;
	if (remove_table(g->ifindex) != 0)
		log_warning("cannot remove the nft table " TABLE_PREFIX "%d",
			    g->ifindex);
	g->ifindex = 0;
}

void guard_clean(int ifindex)
{
	static const char *const argv[] = { "nft", "list", "tables", "ip",
					    NULL };
	const struct subprocess what = {
		.argv = argv, .timeout_ms = NFT_MS,
	};
	char name[IF_NAMESIZE];
	const char *p;
	char *list;
	long index;

	list = malloc(LIST_LEN);
	if (list == NULL)
		return;
	if (subprocess_run(&what, list, LIST_LEN) != 0)
		list[0] = '\0';	/* no nft, or not for us: nothing of ours */
	for (p = list; (p = strstr(p, TABLE_PREFIX)) != NULL;) {
		p += strlen(TABLE_PREFIX);
		index = strtol(p, NULL, 10);
		if (index <= 0 || index > INT32_MAX || (index != ifindex &&
		    if_indextoname((unsigned int)index, name) != NULL))
			continue;
		if (remove_table((int)index) == 0)
			log_info("removed the nft table that a killed client "
				 "left (" TABLE_PREFIX "%ld)", index);
	}
	free(list);
}
