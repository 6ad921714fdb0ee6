/* SPDX-License-Identifier: MIT */
/* Servers as people write them. */
#include "client/servers.h"

#include <stdio.h>
#include <string.h>

enum { PORT_MAX = 65535 };

/* What a name or an address may consist of; all else would be a slip. */
static bool is_host(const char *text, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		if (text[i] <= ' ' || text[i] > '~' ||
		    strchr("[]/\\\"'@", text[i]))
			return false;
	return len > 0 && len < OPTIONS_TEXT_LEN;
}

/* Where the port begins, NULL: there is none. */
static const char *find_port(const char *after_host)
{
	return *after_host == ':' ? after_host + 1 : NULL;
}

bool servers_read(const char *text, uint16_t default_port,
		  struct server_name *out)
{
	const char *host = text, *port, *end;
	int64_t value = default_port;

	if (*text == '[') {
		host = text + 1;
		end = strchr(host, ']');
		if (!end || !memchr(host, ':', (size_t)(end - host)) ||
		    (end[1] && end[1] != ':'))
			return false;
		port = find_port(end + 1);
	} else {
		end = strchr(host, ':');
		/* More than one colon: an IPv6 address without a port. */
		if (!end || strchr(end + 1, ':'))
			end = host + strlen(host);
		port = find_port(end);
	}
	if (!is_host(host, (size_t)(end - host)) ||
	    (port && !option_number(port, 1, PORT_MAX, &value)))
		return false;
	memcpy(out->host, host, (size_t)(end - host));
	out->host[end - host] = '\0';
	out->port = (uint16_t)value;
	return true;
}

static bool read_server(const struct option_def *def, const char *text,
			void *config, char error[OPTIONS_ERROR_LEN])
{
	struct server_name name;

	if (!servers_read(text, 1, &name)) {
		snprintf(error, OPTIONS_ERROR_LEN, SERVERS_ALLOWED);
		return false;
	}
	return option_list.read(def, text, config, error);
}

static bool write_server(const struct option_def *def, const void *config,
			 unsigned int i, char *text, size_t size)
{
	return option_list.write(def, config, i, text, size);
}

const struct option_type servers_option = { read_server, write_server };
