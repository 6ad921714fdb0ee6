/* SPDX-License-Identifier: MIT */
/* Types of options for names and numbers of networks: lists, and a domain. */
#include "common/options.h"

#include <string.h>

enum { MAX_LABEL = 63 };		/* RFC 1035, 2.3.4 */

static void *member(const struct option_def *def, void *config)
{
	return (char *)config + def->offset;
}

static const void *value_of(const struct option_def *def, const void *config)
{
	return (const char *)config + def->offset;
}

/* The same option, for one value that stands alone. */
static struct option_def alone(const struct option_def *def)
{
	struct option_def one = *def;

	one.offset = 0;
	return one;
}

static bool refuse_more(unsigned int max, char error[OPTIONS_ERROR_LEN])
{
	snprintf(error, OPTIONS_ERROR_LEN, "at most %u of this option", max);
	return false;
}

static bool refuse_again(char error[OPTIONS_ERROR_LEN])
{
	snprintf(error, OPTIONS_ERROR_LEN, "each of them once");
	return false;
}

static bool read_networks(const struct option_def *def, const char *text,
			  void *config, char error[OPTIONS_ERROR_LEN])
{
	const struct option_def one = alone(def);
	struct option_networks *list = member(def, config);
	struct option_network network;
	unsigned int i;

	if (!option_network.read(&one, text, &network, error))
		return false;
	for (i = 0; i < list->n; i++)
		if (list->network[i].address == network.address &&
		    list->network[i].prefix_len == network.prefix_len)
			return refuse_again(error);
	if (list->n == OPTIONS_MAX_NETWORKS)
		return refuse_more(OPTIONS_MAX_NETWORKS, error);
	list->network[list->n++] = network;
	return true;
}

static bool write_networks(const struct option_def *def, const void *config,
			   unsigned int i, char *text, size_t size)
{
	const struct option_def one = alone(def);
	const struct option_networks *list = value_of(def, config);

	return i < list->n &&
	       option_network.write(&one, &list->network[i], 0, text, size);
}

static bool read_ipv4s(const struct option_def *def, const char *text,
		       void *config, char error[OPTIONS_ERROR_LEN])
{
	const struct option_def one = alone(def);
	struct option_ipv4s *list = member(def, config);
	uint32_t address;
	unsigned int i;

	if (!option_ipv4.read(&one, text, &address, error))
		return false;
	for (i = 0; i < list->n; i++)
		if (list->address[i] == address)
			return refuse_again(error);
	if (list->n == OPTIONS_MAX_IPV4S)
		return refuse_more(OPTIONS_MAX_IPV4S, error);
	list->address[list->n++] = address;
	return true;
}

static bool write_ipv4s(const struct option_def *def, const void *config,
			unsigned int i, char *text, size_t size)
{
	const struct option_def one = alone(def);
	const struct option_ipv4s *list = value_of(def, config);

	return i < list->n &&
	       option_ipv4.write(&one, &list->address[i], 0, text, size);
}

static bool is_letter_or_digit(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9');
}

/* Letters, digits and inner hyphens; returns what follows, NULL: it is none. */
static const char *skip_label(const char *text)
{
	const char *p = text;

	while (is_letter_or_digit(*p) || *p == '-')
		p++;
	if (p == text || p - text > MAX_LABEL || *text == '-' || p[-1] == '-')
		return NULL;
	return p;
}

static bool is_domain(const char *text)
{
	const char *p = skip_label(text);

	while (p && *p == '.')
		p = skip_label(p + 1);
	return p && *p == '\0';
}

static bool read_domain(const struct option_def *def, const char *text,
			void *config, char error[OPTIONS_ERROR_LEN])
{
	size_t len = strlen(text);

	if (len > (size_t)def->max || len >= OPTIONS_TEXT_LEN ||
	    !is_domain(text)) {
		snprintf(error, OPTIONS_ERROR_LEN, "a domain such as "
			 "example.org, of letters, digits, \"-\" and \".\", "
			 "at most %d characters", (int)def->max);
		return false;
	}
	memcpy(member(def, config), text, len + 1);
	return true;
}

static bool write_domain(const struct option_def *def, const void *config,
			 unsigned int i, char *text, size_t size)
{
	return option_text.write(def, config, i, text, size);
}

const struct option_type option_networks = { read_networks, write_networks };
const struct option_type option_ipv4s = { read_ipv4s, write_ipv4s };
const struct option_type option_domain = { read_domain, write_domain };
