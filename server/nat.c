/* SPDX-License-Identifier: MIT */
/*
 * Forwarding and masquerading for the clients.
 *
 * Theory of operation: each server has a table named after its TUN, of which
 * there is just one of a name, so servers side by side do not meet.  The table
 * is made after the TUN and removed before it: one whose interface is missing
 * was left by a server that was killed, and whoever starts next removes it,
 * with NAT or without.
 * All rules go to nft as one script on its standard input, which the kernel
 * takes as a whole or not at all.
 *
 * Forwarding belongs to the host and not to a server.  That it was off is kept
 * in the kernel too, as an empty table of a certain name, where it outlives us:
 * the last server to end finds it, and turns forwarding off again.
 *
 * Masquerading gives a connection a random port above those of services.  With
 * its own port kept, a client could send from the port of a service of this
 * host, and have what others then send to that service (CVE-2021-3773).
 */
#include "server/nat.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "common/subprocess.h"

#define FORWARDING_PATH "/proc/sys/net/ipv4/ip_forward"
#define TABLE_PREFIX "simplevpn-nat-"
#define MARKER_TABLE "simplevpn-forwarding-was-off"

enum {
	NFT_TIMEOUT_MS = 10000,
	NFT_OUTPUT_LEN = 64 * 1024,
	PORT_FIRST = 32768,	/* where Linux takes its own from as well */
	PORT_LAST = 65535,
};

struct nat {
	char uplink[IFNAMSIZ], tun[IFNAMSIZ];
	char table[sizeof(TABLE_PREFIX) + IFNAMSIZ];
	struct nat_settings settings;	/* without the names */
	int forwarding;			/* before: 0, 1 or -errno */
};

/* What the tables that are there say. */
struct found {
	bool marker;		/* forwarding was off before the first server */
	bool others;		/* other servers with NAT are running */
};

/* ---- nft ---- */

static const char *const list_tables[] = { "nft", "list", "tables", "ip",
					   NULL };

/* 0, or -errno after saying what went wrong.  The output is nft's, whole. */
static int run_nft(const char *const *argv, const char *script, char *output)
{
	const struct subprocess nft = {
		.argv = argv, .input = script, .timeout_ms = NFT_TIMEOUT_MS,
	};
	int result = subprocess_run(&nft, output, NFT_OUTPUT_LEN);

	if (result == 0)
		return 0;
	if (result == -ENOENT) {
		log_error("--nat needs nft, which is not installed: apt "
			  "install nftables");
		return result;
	}
	if (result < 0) {
		log_error("cannot run nft: %s", strerror(-result));
		return result;
	}
	log_error("nft failed (exit code %d): %.*s", result,
		  (int)strcspn(output, "\n"), output);
	return strstr(output, "not permitted") ? -EPERM : -EIO;
}

static int run_script(const char *script)
{
	static const char *const argv[] = { "nft", "-f", "-", NULL };
	char *output = malloc(NFT_OUTPUT_LEN);
	int error;

	if (!output)
		return -ENOMEM;
	error = run_nft(argv, script, output);
	free(output);
	return error;
}

/* Whatever is there or not, afterwards it is not: no error either way. */
static void write_removal(FILE *script, const char *table)
{
	fprintf(script, "table ip %s\ndelete table ip %s\n", table, table);
}

/* The TUN of a server's table; NULL: it is not one. */
static const char *owner_of(const char *table)
{
	size_t len = strlen(TABLE_PREFIX);

	return !strncmp(table, TABLE_PREFIX, len) ? table + len : NULL;
}

/* One line of "nft list tables ip": "table ip NAME". */
static void look_at(const char *table, const char *tun, struct found *found,
		    FILE *removals)
{
	const char *owner = owner_of(table);

	if (!strcmp(table, MARKER_TABLE))
		found->marker = true;
	if (!owner || !strcmp(owner, tun))
		return;
	if (if_nametoindex(owner) != 0) {
		found->others = true;
		return;
	}
	log_notice("removing NAT rules that a server on %s has left", owner);
	write_removal(removals, table);
}

/* Look for other servers, and write to removals how to undo dead ones. */
static int look_around(const char *tun, struct found *found, FILE *removals)
{
	char *output = malloc(NFT_OUTPUT_LEN), *line, *rest = output;
	int error;

	memset(found, 0, sizeof(*found));
	if (!output)
		return -ENOMEM;
	error = run_nft(list_tables, NULL, output);
	while (!error && (line = strsep(&rest, "\n")) != NULL)
		if (!strncmp(line, "table ip ", 9))
			look_at(line + 9, tun, found, removals);
	free(output);
	return error;
}

/* ---- the rules ---- */

static void write_network(FILE *script, const struct nat_settings *s)
{
	fprintf(script, "%u.%u.%u.%u/%u", s->network >> 24,
		s->network >> 16 & 255, s->network >> 8 & 255,
		s->network & 255, s->prefix_len);
}

/* Random ports, the clients' own not among them wherever it is. */
static void write_ports(FILE *script, uint16_t port)
{
	unsigned int first = PORT_FIRST, last = PORT_LAST;

	if (port >= first && port - first >= last - port)
		last = port - 1U;
	else if (port >= first)
		first = port + 1U;
	fprintf(script, ":%u-%u", first, last);
}

static void write_forward_chain(FILE *script, const struct nat *nat)
{
	static const char clamp[] = "tcp flags & (syn | rst) == syn "
				    "tcp option maxseg size set rt mtu";

	fputs("\tchain forward {\n"
	      "\t\ttype filter hook forward priority filter; policy accept;\n"
	      "\t\tip saddr ", script);
	write_network(script, &nat->settings);
	fprintf(script, " iifname != \"%s\" counter drop "
		"comment \"a client's address from elsewhere\"\n", nat->tun);
	fprintf(script, "\t\tiifname \"%s\" %s\n\t\toifname \"%s\" %s\n",
		nat->tun, clamp, nat->tun, clamp);
	fprintf(script, "\t\tiifname \"%s\" accept\n"
		"\t\toifname \"%s\" ct state established,related accept\n"
		"\t\tiifname \"%s\" oifname \"%s\" counter drop "
		"comment \"nobody asked for it\"\n\t}\n",
		nat->tun, nat->tun, nat->uplink, nat->tun);
}

static void write_nat_chain(FILE *script, const struct nat *nat)
{
	fputs("\tchain postrouting {\n"
	      "\t\ttype nat hook postrouting priority srcnat; policy accept;\n"
	      "\t\tip saddr ", script);
	write_network(script, &nat->settings);
	fprintf(script, " oifname \"%s\" meta l4proto { tcp, udp } "
		"counter masquerade to ", nat->uplink);
	write_ports(script, nat->settings.port);
	fputs(" fully-random\n\t\tip saddr ", script);
	write_network(script, &nat->settings);
	fprintf(script, " oifname \"%s\" counter masquerade\n\t}\n",
		nat->uplink);
}

static void write_table(FILE *script, const struct nat *nat)
{
	write_removal(script, nat->table);
	fprintf(script, "table ip %s {\n", nat->table);
	write_forward_chain(script, nat);
	write_nat_chain(script, nat);
	fputs("}\n", script);
}

/* ---- forwarding ---- */

/* 0 or 1, or -errno. */
static int read_forwarding(void)
{
	int fd = open(FORWARDING_PATH, O_RDONLY | O_CLOEXEC);
	char value = '0';
	int error;

	if (fd < 0)
		return -errno;
	error = read(fd, &value, 1) == 1 ? 0 : -EIO;
	close(fd);
	return error ? error : value != '0';
}

static int write_forwarding(bool on)
{
	int fd = open(FORWARDING_PATH, O_WRONLY | O_CLOEXEC);
	int error = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, on ? "1" : "0", 1) != 1)
		error = -errno;
	close(fd);
	return error;
}

static int turn_forwarding_on(void)
{
	int error = write_forwarding(true);

	if (error)
		log_error("cannot turn forwarding on: %s: %s%s",
			  FORWARDING_PATH, strerror(-error),
			  error == -EROFS ? "; it is read-only here, so set "
			  "net.ipv4.ip_forward=1 in /etc/sysctl.d, once" : "");
	return error;
}

/* ---- the whole ---- */

/* What nft takes for a name in a rule and in a table's name, and no pattern. */
static bool is_plain(const char *name)
{
	return strspn(name, "abcdefghijklmnopqrstuvwxyz"
		      "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") ==
	       strlen(name);
}

static int check_interfaces(const struct nat *nat)
{
	if (!is_plain(nat->uplink) || !is_plain(nat->tun)) {
		log_error("--nat: interfaces need names of letters, digits, "
			  "'_', '.' and '-': \"%s\", \"%s\"", nat->uplink,
			  nat->tun);
		return -EINVAL;
	}
	if (if_nametoindex(nat->uplink) == 0) {
		log_error("--nat: there is no interface \"%s\" (ip link lists "
			  "them)", nat->uplink);
		return -ENODEV;
	}
	if (!strcmp(nat->uplink, nat->tun)) {
		log_error("--nat: %s is the tunnel itself; name the interface "
			  "that leads to the world", nat->tun);
		return -EINVAL;
	}
	return 0;
}

/* A tunnel that holds a neighbour's addresses takes them from this host. */
static void warn_of_overlap(const struct nat *nat)
{
	const struct nat_settings *s = &nat->settings;
	const struct sockaddr_in *in;
	struct ifaddrs *list, *i;
	char text[INET_ADDRSTRLEN];

	if (getifaddrs(&list) < 0)
		return;
	for (i = list; i; i = i->ifa_next) {
		if (!i->ifa_addr || i->ifa_addr->sa_family != AF_INET ||
		    strcmp(i->ifa_name, nat->uplink) != 0)
			continue;
		in = (const struct sockaddr_in *)(const void *)i->ifa_addr;
		if ((ntohl(in->sin_addr.s_addr) ^ s->network) >>
		    (32 - s->prefix_len))
			continue;
		inet_ntop(AF_INET, &in->sin_addr, text, sizeof(text));
		log_warning("--nat: %s has %s, which is in the tunnel's "
			    "network: choose another --network", nat->uplink,
			    text);
	}
	freeifaddrs(list);
}

/* Look around, and give nft as one script what write() makes of that. */
static int change_rules(const struct nat *nat,
			void (*write)(const struct nat *nat,
				      const struct found *found, FILE *script))
{
	struct found found;
	char *text = NULL;
	size_t size;
	FILE *script = open_memstream(&text, &size);
	int error;

	if (!script)
		return -ENOMEM;
	error = look_around(nat->tun, &found, script);
	if (!error)
		write(nat, &found, script);
	if (fclose(script) != 0 && !error)
		error = -ENOMEM;
	if (!error)
		error = run_script(text);
	free(text);
	return error;
}

/* Rules first: nothing is forwarded without them. */
static void set_up(const struct nat *nat, const struct found *found,
		   FILE *script)
{
	(void)found;
	write_table(script, nat);
	if (!nat->forwarding)
		fprintf(script, "table ip " MARKER_TABLE "\n");
}

static void set_tun(struct nat *nat, const char *tun)
{
	snprintf(nat->tun, IFNAMSIZ, "%s", tun);
	snprintf(nat->table, sizeof(nat->table), TABLE_PREFIX "%s", tun);
}

int nat_open(struct nat **out, const struct nat_settings *settings)
{
	struct nat *nat = calloc(1, sizeof(*nat));
	int error;

	if (!nat)
		return -ENOMEM;
	nat->settings = *settings;
	nat->forwarding = read_forwarding();
	snprintf(nat->uplink, IFNAMSIZ, "%s", settings->uplink);
	set_tun(nat, settings->tun);
	error = check_interfaces(nat);
	if (!error)
		error = change_rules(nat, set_up);
	if (error) {
		free(nat);
		return error;
	}
	if (nat->forwarding != 1)
		error = turn_forwarding_on();
	if (error) {
		nat_close(nat);
		return error;
	}
	warn_of_overlap(nat);
	log_info("clients reach the world through %s%s", nat->uplink,
		 nat->forwarding == 1 ? "" : ", forwarding turned on");
	*out = nat;
	return 0;
}

/* Forwarding as it was, if that is known and nobody needs it any more. */
static void restore_forwarding(const struct found *found, FILE *script)
{
	int error;

	if (!found->marker || found->others)
		return;
	error = read_forwarding() == 1 ? write_forwarding(false) : 0;
	if (error)
		log_warning("cannot turn forwarding off again: %s: %s",
			    FORWARDING_PATH, strerror(-error));
	else
		write_removal(script, MARKER_TABLE);
}

static void take_down(const struct nat *nat, const struct found *found,
		      FILE *script)
{
	restore_forwarding(found, script);
	write_removal(script, nat->table);
}

void nat_close(struct nat *nat)
{
	int error;

	if (!nat)
		return;
	error = change_rules(nat, take_down);
	if (error)
		log_warning("the rules of --nat stay: %s; by hand: nft delete "
			    "table ip %s", strerror(-error), nat->table);
	free(nat);
}

/*
 * Whether there is a table of ours, or of nobody.  Without nft, or the right
 * to ask it, there is nothing to be done, and nothing to be said either.
 */
static bool has_left_overs(const char *tun)
{
	const struct subprocess nft = {
		.argv = list_tables, .timeout_ms = NFT_TIMEOUT_MS,
	};
	char *output = malloc(NFT_OUTPUT_LEN), *line, *rest = output;
	const char *owner;
	bool found = false;

	if (output && subprocess_run(&nft, output, NFT_OUTPUT_LEN) == 0)
		while ((line = strsep(&rest, "\n")) != NULL && !found)
			found = !strncmp(line, "table ip ", 9) &&
				(owner = owner_of(line + 9)) != NULL &&
				(!strcmp(owner, tun) ||
				 if_nametoindex(owner) == 0);
	free(output);
	return found;
}

void nat_clean(const char *tun)
{
	struct nat nat = { .uplink = "" };

	set_tun(&nat, tun);
	if (!has_left_overs(tun))
		return;
	log_notice("removing what a server with --nat has left");
	change_rules(&nat, take_down);
}
