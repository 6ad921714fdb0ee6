/* SPDX-License-Identifier: MIT */
/* The type of options that say where to listen: an address and a port. */
#include <arpa/inet.h>
#include <string.h>

#include "common/options.h"

static const char loopback[] = "127.0.0.1";

/* The number after the last colon. */
static bool read_port(const char *text, uint16_t *port)
{
	int64_t number;

	if (!option_number(text, 1, UINT16_MAX, &number))
		return false;
	*port = (uint16_t)number;
	return true;
}

static bool is_address(int family, const char *text)
{
	struct in6_addr address;

	return inet_pton(family, text, &address) == 1;
}

/* "[::1]:9100", "192.0.2.1:9100" or "9100". */
static bool parse(const char *text, struct option_address *out)
{
	const char *colon = strrchr(text, ':'), *host = text;
	int family = AF_INET;
	size_t len;

	if (!colon) {
		memcpy(out->host, loopback, sizeof(loopback));
		return read_port(text, &out->port);
	}
	len = (size_t)(colon - text);
	if (len >= 2 && text[0] == '[' && colon[-1] == ']') {
		family = AF_INET6;
		host++;
		len -= 2;
	}
	if (len >= sizeof(out->host))
		return false;
	memcpy(out->host, host, len);
	out->host[len] = '\0';
	return is_address(family, out->host) &&
	       read_port(colon + 1, &out->port);
}

static bool read_address(const struct option_def *def, const char *text,
			 void *config, char error[OPTIONS_ERROR_LEN])
{
	struct option_address address;

	memset(&address, 0, sizeof(address));
	if (!parse(text, &address)) {
		snprintf(error, OPTIONS_ERROR_LEN,
			 "ADDRESS:PORT such as 192.0.2.1:9100 or [::1]:9100, "
			 "or a port from 1 to 65535 for loopback alone");
		return false;
	}
	memcpy((char *)config + def->offset, &address, sizeof(address));
	return true;
}

static bool write_address(const struct option_def *def, const void *config,
			  unsigned int i, char *text, size_t size)
{
	const struct option_address *address =
		(const void *)((const char *)config + def->offset);

	if (i > 0 || address->port == 0)
		return false;
	snprintf(text, size, strchr(address->host, ':') ? "[%s]:%u" : "%s:%u",
		 address->host, address->port);
	return true;
}

const struct option_type option_address = { read_address, write_address };
