/* SPDX-License-Identifier: MIT */
/* What is in force, as text. */
#include "client/facts.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static_assert((FACTS_MAX_ROUTES + 1) * 24 < FACTS_LIST_LEN,
	      "every route fits, with a separator of up to four bytes");

void facts_address_text(uint32_t address, char text[FACTS_ADDRESS_LEN])
{
	snprintf(text, FACTS_ADDRESS_LEN, "%u.%u.%u.%u", address >> 24,
		 address >> 16 & 0xff, address >> 8 & 0xff, address & 0xff);
}

static bool same_routes(const struct facts *a, const struct facts *b)
{
	unsigned int i;

	if (a->n_routes != b->n_routes || a->default_route != b->default_route)
		return false;
	for (i = 0; i < a->n_routes; i++)
		if (a->routes[i].network != b->routes[i].network ||
		    a->routes[i].prefix_len != b->routes[i].prefix_len)
			return false;
	return true;
}

bool facts_equal(const struct facts *a, const struct facts *b)
{
	return strcmp(a->interface, b->interface) == 0 &&
	       strcmp(a->server, b->server) == 0 &&
	       strcmp(a->peer, b->peer) == 0 &&
	       a->address == b->address && a->gateway == b->gateway &&
	       a->mtu == b->mtu && a->prefix_len == b->prefix_len &&
	       same_routes(a, b) && a->n_dns == b->n_dns &&
	       memcmp(a->dns, b->dns, a->n_dns * sizeof(a->dns[0])) == 0 &&
	       strcmp(a->search, b->search) == 0;
}

static void append(char text[FACTS_LIST_LEN], const char *separator,
		   const char *word)
{
	size_t len = strlen(text);

	snprintf(text + len, FACTS_LIST_LEN - len, "%s%s",
		 len > 0 ? separator : "", word);
}

void facts_routes_text(const struct facts *facts, const char *separator,
		       char text[FACTS_LIST_LEN])
{
	char address[FACTS_ADDRESS_LEN], word[FACTS_ADDRESS_LEN + 4];
	unsigned int i;

	text[0] = '\0';
	if (facts->default_route)
		append(text, separator, "0.0.0.0/0");
	for (i = 0; i < facts->n_routes; i++) {
		facts_address_text(facts->routes[i].network, address);
		snprintf(word, sizeof(word), "%s/%u", address,
			 facts->routes[i].prefix_len);
		append(text, separator, word);
	}
}

void facts_dns_text(const struct facts *facts, const char *separator,
		    char text[FACTS_LIST_LEN])
{
	char address[FACTS_ADDRESS_LEN];
	unsigned int i;

	text[0] = '\0';
	for (i = 0; i < facts->n_dns; i++) {
		facts_address_text(facts->dns[i], address);
		append(text, separator, address);
	}
}
