/* SPDX-License-Identifier: MIT */
/*
 * The name servers of the tunnel.
 *
 * Theory of operation: three ways, tried in turn.  Where /etc/resolv.conf leads
 * to systemd-resolved, resolvectl(1) tells it of the interface's servers, and
 * it forgets them with the interface.  Else resolvconf(8) takes a record, whose
 * name has the interface's in it: a record whose interface is gone was left by
 * a client that was killed.  Else the file itself is replaced (dnsfile.c).
 */
#include "client/dns.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/facts.h"
#include "common/log.h"
#include "common/subprocess.h"

/* Record names that begin with tun come before those of network cards. */
#define RECORD_PREFIX "tun.simplevpn-"

enum {
	PROGRAM_MS = 10000,
	OUTPUT_LEN = 300,
	TEXT_LEN = 512,
	RECORD_LEN = sizeof(RECORD_PREFIX) + IF_NAMESIZE,
};

/* 0, or why not, in a debug line as well: the next way may do. */
static int run(const char *const *argv, const char *input)
{
	const struct subprocess what = {
		.argv = argv, .input = input, .timeout_ms = PROGRAM_MS,
	};
	char output[OUTPUT_LEN];
	int result;

	result = subprocess_run(&what, output, sizeof(output));
	output[strcspn(output, "\n")] = '\0';
	if (result < 0)
		log_debug("%s: %s", argv[0], strerror(-result));
	else if (result > 0)
		log_debug("%s ended with %d: %s", argv[0], result, output);
	return result;
}

/* ---- systemd-resolved ---- */

static bool leads_to_resolved(void)
{
	char *path = realpath(DNSFILE_PATH, NULL);
	bool leads;

	leads = path != NULL &&
		strncmp(path, "/run/systemd/resolve/", 21) == 0;
	free(path);
	return leads;
}

static int unset_resolved(const struct dns *d)
{
	const char *const argv[] = { "resolvectl", "revert", d->interface,
				     NULL };

	return run(argv, NULL);
}

static int set_resolved(const struct dns *d, const struct dns_settings *s)
{
	const char *servers[MSG_MAX_DNS + 4] = { "resolvectl", "dns",
						 d->interface };
	const char *domains[6] = { "resolvectl", "domain", d->interface };
	const char *const fallback[] = { "resolvectl", "default-route",
					 d->interface,
					 s->all_names ? "yes" : "no", NULL };
	char text[MSG_MAX_DNS][FACTS_ADDRESS_LEN];
	unsigned int i, n = 3;
	int result;

	for (i = 0; i < s->n; i++) {
		facts_address_text(s->servers[i], text[i]);
		servers[3 + i] = text[i];
	}
	if (s->search[0] != '\0')
		domains[n++] = s->search;
	if (s->all_names)
		domains[n++] = "~.";
	if (n == 3)
		domains[n++] = "";
	result = run(servers, NULL);
	if (result == 0)
		result = run(domains, NULL);
	if (result == 0)
		result = run(fallback, NULL);
	if (result != 0)
		unset_resolved(d);
	return result;
}

/* ---- resolvconf and the file ---- */

static void file_text(const struct dns_settings *s, char text[TEXT_LEN])
{
	char address[FACTS_ADDRESS_LEN];
	size_t len = 0;
	unsigned int i;

	for (i = 0; i < s->n; i++) {
		facts_address_text(s->servers[i], address);
		len += (size_t)snprintf(text + len, TEXT_LEN - len,
					"nameserver %s\n", address);
	}
	if (s->search[0] != '\0')
		snprintf(text + len, TEXT_LEN - len, "search %s\n", s->search);
}

static void record_name(const char *interface, char name[RECORD_LEN])
{
	snprintf(name, RECORD_LEN, RECORD_PREFIX "%s", interface);
}

static int set_resolvconf(const struct dns *d, const struct dns_settings *s)
{
	char text[TEXT_LEN], name[RECORD_LEN];
	/* First of all, and alone if no other server is to be asked. */
	const char *const argv[] = { "resolvconf", "-a", name, "-m", "0",
				     s->all_names ? "-x" : NULL, NULL };

	file_text(s, text);
	record_name(d->interface, name);
	return run(argv, text);
}

static int unset_resolvconf(const char *interface)
{
	char name[RECORD_LEN];
	const char *const argv[] = { "resolvconf", "-d", name, "-f", NULL };

	record_name(interface, name);
	return run(argv, NULL);
}

static int set_file(struct dns *d, const struct dns_settings *s)
{
	char text[TEXT_LEN];

	file_text(s, text);
	return dnsfile_set(&d->file, text);
}

/* ---- all of them ---- */

static int set_by(struct dns *d, enum dns_way way,
		  const struct dns_settings *s)
{
	switch (way) {
	case DNS_RESOLVED:
		return leads_to_resolved() ? set_resolved(d, s) : -ENOENT;
	case DNS_RESOLVCONF:
		return set_resolvconf(d, s);
	case DNS_FILE:
		return set_file(d, s);
	case DNS_NONE:
		break;
	}
	return 0;
}

static const char *way_name(enum dns_way way)
{
	static const char *const names[] = {
		[DNS_NONE] = "nothing",
		[DNS_RESOLVED] = "systemd-resolved",
		[DNS_RESOLVCONF] = "resolvconf",
		[DNS_FILE] = DNSFILE_PATH,
	};

	return names[way];
}

static void say(const struct dns *d)
{
	char text[MSG_MAX_DNS * (FACTS_ADDRESS_LEN + 2)] = "";
	char address[FACTS_ADDRESS_LEN];
	size_t len = 0;
	uint32_t i;

	for (i = 0; i < d->now.n; i++) {
		facts_address_text(d->now.servers[i], address);
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s",
					i > 0 ? ", " : "", address);
	}
	log_info("DNS %s%s%s, through %s", text,
		 d->now.search[0] != '\0' ? ", search domain " : "",
		 d->now.search, way_name(d->way));
}

void dns_init(struct dns *d, const char *interface)
{
	memset(d, 0, sizeof(*d));
	snprintf(d->interface, sizeof(d->interface), "%s", interface);
	dnsfile_init(&d->file, DNSFILE_PATH, DNSFILE_KEPT);
}

static bool is_same(const struct dns_settings *a, const struct dns_settings *b)
{
	return a->n == b->n && a->all_names == b->all_names &&
	       memcmp(a->servers, b->servers, sizeof(a->servers)) == 0 &&
	       strcmp(a->search, b->search) == 0;
}

void dns_apply(struct dns *d, const struct dns_settings *settings)
{
	enum dns_way way = d->way != DNS_NONE ? d->way : DNS_RESOLVED;
	bool same = is_same(settings, &d->now);
	int result;

	if (settings->n == 0) {
		dns_remove(d);
		return;
	}
	/* A renewed lease may have written to the file. */
	if (same && d->way != DNS_FILE)
		return;
	for (;;) {
		result = set_by(d, way, settings);
		if (result == 0 || way == DNS_FILE)
			break;
		if (way == d->way)
			dns_remove(d);
		way++;
	}
	if (result != 0) {
		log_warning("cannot set the DNS servers: %s: %s", DNSFILE_PATH,
			    result == -EBUSY ? "another client has changed it" :
			    strerror(-result));
		return;
	}
	d->way = way;
	d->now = *settings;
	if (!same)
		say(d);
}

void dns_remove(struct dns *d)
{
	int result = 0;

	switch (d->way) {
	case DNS_NONE:
		return;
	case DNS_RESOLVED:
		result = unset_resolved(d);
		break;
	case DNS_RESOLVCONF:
		result = unset_resolvconf(d->interface);
		break;
	case DNS_FILE:
		result = dnsfile_restore(&d->file);
		if (result == 0)
			log_info("%s was changed by somebody else and is left "
				 "as it is", DNSFILE_PATH);
		result = result < 0 ? result : 0;
		break;
	}
	if (result != 0)
		log_warning("cannot take the DNS servers back from %s: %s",
			    way_name(d->way), result < 0 ? strerror(-result) :
			    "it reports a failure");
	memset(&d->now, 0, sizeof(d->now));
	d->way = DNS_NONE;
}

/* own: of the interface that was made just now. */
static void clean_records(const char *directory, const char *own)
{
	DIR *records = opendir(directory);
	const char *interface;
	struct dirent *entry;

	if (records == NULL)
		return;
	while ((entry = readdir(records)) != NULL) {
		if (strncmp(entry->d_name, RECORD_PREFIX,
			    strlen(RECORD_PREFIX)) != 0)
			continue;
		interface = entry->d_name + strlen(RECORD_PREFIX);
		if ((strcmp(interface, own) == 0 ||
		     if_nametoindex(interface) == 0) &&
		    unset_resolvconf(interface) == 0)
			log_info("removed the DNS servers that a killed client "
				 "left (resolvconf record %s)", entry->d_name);
	}
	closedir(records);
}

void dns_clean(struct dns *d)
{
	int result;

	/* openresolv's and Debian's own. */
	clean_records("/run/resolvconf/interfaces", d->interface);
	clean_records("/run/resolvconf/interface", d->interface);
	result = dnsfile_restore(&d->file);
	if (result > 0)
		log_info("put %s back, which a killed client had changed",
			 DNSFILE_PATH);
	else if (result < 0)
		log_warning("cannot put %s back from %s: %s", DNSFILE_PATH,
			    DNSFILE_KEPT, strerror(-result));
}
