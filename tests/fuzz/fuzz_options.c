/* SPDX-License-Identifier: MIT */
/*
 * Fuzzes the command line: whatever is typed, the server's settings come out
 * within their bounds, or one line says what is wrong.
 *
 * Input: the arguments, each up to a newline.
 */
#include <stdlib.h>
#include <string.h>

#include "server/addrpool.h"
#include "server/config.h"

enum { MAX_ARGUMENTS = 64, MAX_LEN = 4096 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool right)
{
	if (!right)
		abort();
}

static bool is_terminated(const char *text)
{
	return memchr(text, '\0', OPTIONS_TEXT_LEN) != NULL;
}

static void check_config(const struct server_config *c)
{
	const struct option_network *network = &c->network;
	unsigned int i;

	check(c->port >= 1 && c->port <= 65535);
	check(c->listen.n <= OPTIONS_MAX_LIST);
	for (i = 0; i < c->listen.n; i++)
		check(is_terminated(c->listen.text[i]) && c->listen.text[i][0]);
	check(is_terminated(c->tun) && c->tun[0] && !strchr(c->tun, '/'));
	check(c->mtu >= 576 && c->mtu <= 65535);
	check(c->idle_timeout_s >= 1 && c->idle_timeout_s <= 65535);
	check(is_terminated(c->control) && c->control[0]);
	check(c->max_pending >= 1 && c->max_pending_per_source >= 1);
	check(c->client_queue_kib >= 128 && c->client_queue_kib <= 65536);
	check(c->client_queue_packets >= 16);
	check(c->queue_memory_mib >= 1 && c->queue_memory_mib <= 1048576);
	check(c->stall_timeout_s >= 1 && c->stall_timeout_s <= 3600);
	check(c->flush_timeout_s <= 3600);
	check(c->push_routes.n <= OPTIONS_MAX_NETWORKS);
	check(c->push_dns.n <= OPTIONS_MAX_IPV4S);
	check(strlen(c->push_search) <= 200);
	check(memchr(c->metrics.host, '\0', sizeof(c->metrics.host)) &&
	      !c->metrics.host[0] == !c->metrics.port);
	/* Then nothing more is looked at. */
	if (c->help || c->version || c->print_default)
		return;
	check(network->prefix_len >= ADDRPOOL_MIN_PREFIX &&
	      network->prefix_len <= ADDRPOOL_MAX_PREFIX);
	check((network->address & (0xffffffffU >> network->prefix_len)) == 0);
	check(!(c->verbose && c->quiet));
}

/* One line, and printable as far as what was typed is. */
static void check_error(const char *error)
{
	check(memchr(error, '\0', OPTIONS_ERROR_LEN) != NULL);
	check(error[0] != '\0');
	check(!strchr(error, '\n'));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct server_config config;
	char error[OPTIONS_ERROR_LEN] = "";
	char *argv[MAX_ARGUMENTS + 2] = { 0 };
	char *text, *rest, *argument;
	int argc = 0;

	if (size > MAX_LEN)
		return 0;
	text = rest = malloc(size + 1);
	check(text != NULL);
	memcpy(text, data, size);
	text[size] = '\0';
	argv[argc++] = (char[]){ "srv" };
	while (argc <= MAX_ARGUMENTS &&
	       (argument = strsep(&rest, "\n")) != NULL)
		argv[argc++] = argument;
	if (config_read(&config, argc, argv, error))
		check_config(&config);
	else
		check_error(error);
	free(text);
	return 0;
}
