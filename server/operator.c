/* SPDX-License-Identifier: MIT */
/*
 * The server's side of the control socket: a request and what it does.
 *
 * Theory of operation: requests are run by the control thread, one after the
 * other.  All of them work on copies or ask a part of the server that any
 * thread may ask, so none waits for a client.  Draining is the main thread's
 * work, since it stops threads: it is told by an eventfd.
 */
#include "server/operator.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/control.h"
#include "common/exit.h"
#include "common/log.h"
#include "common/options.h"
#include "server/config.h"
#include "server/endpoint.h"
#include "server/forward.h"
#include "server/gateway.h"
#include "server/join.h"
#include "server/reload.h"
#include "server/route.h"
#include "server/server.h"
#include "server/status.h"
#include "server/view.h"

enum {
	MAX_WORDS = 4,
	DRAIN_S = 30,		/* unless the operator says */
	DRAIN_MAX_S = 86400,
};

struct operator {
	struct server *server;		/* [I] */
	struct reload *reload;		/* [I] */
	struct control *control;	/* [I] */
	int fd;				/* [I] an eventfd */
};

/* One request: its first word, how many may follow, what it does. */
struct request {
	const char *name;
	int min, max;
	int (*run)(struct operator *op, int n, char **word, FILE *out);
};

static bool read_address(const char *text, uint32_t *address, FILE *out)
{
	struct in_addr in;

	if (inet_pton(AF_INET, text, &in) != 1) {
		fprintf(out, "\"%s\" is not an IPv4 address\n", text);
		return false;
	}
	*address = ntohl(in.s_addr);
	return true;
}

static int run_status(struct operator *op, int n, char **word, FILE *out)
{
	bool json = n > 0 && strcmp(word[0], "json") == 0;
	struct server_view *view;

	if (n > 0 && !json) {
		fprintf(out, "status: \"%s\" is unknown; allowed is json\n",
			word[0]);
		return EXIT_USAGE;
	}
	view = view_new(op->server, true);
	if (!view) {
		fputs("out of memory\n", out);
		return EXIT_ERROR;
	}
	if (json)
		status_print_json(view, out);
	else
		status_print(view, out);
	view_free(view);
	return EXIT_OK;
}

static int run_kick(struct operator *op, int n, char **word, FILE *out)
{
	struct endpoint *endpoint;
	uint32_t address;

	(void)n;
	if (!read_address(word[0], &address, out))
		return EXIT_USAGE;
	endpoint = route_get(op->server->routes, address);
	if (!endpoint) {
		fprintf(out, "no client has %s\n", word[0]);
		return EXIT_ERROR;
	}
	log_notice("control socket: the operator closes %s", word[0]);
	endpoint->shut(endpoint, CLOSE_KICKED);
	endpoint_put(endpoint);
	fprintf(out, "%s is closed; its client may connect again\n", word[0]);
	return EXIT_OK;
}

/* --- explain --- */

static void explain_drop(const struct server *server,
			 const struct forward_fate *fate, char **word,
			 FILE *out)
{
	fprintf(out, "dropped, %s: ", drop_reason_name(fate->drop));
	switch (fate->drop) {
	case DROP_SPOOFED_SOURCE:
		if (fate->has_sender)
			fprintf(out, "%s is nobody's source\n", word[0]);
		else
			fprintf(out, "no client has %s, so whoever sends from "
				"it pretends to be another\n", word[0]);
		break;
	case DROP_NO_SUCH_CLIENT:
		if (fate->from_gateway)
			fputs("it came from the TUN, and ", out);
		fprintf(out, "no client has %s; the sender gets ICMP host "
			"unreachable\n", word[1]);
		break;
	case DROP_NO_GATEWAY:
		fprintf(out, "%s is beyond the TUN, and this server has none; "
			"the sender gets ICMP host unreachable\n", word[1]);
		break;
	case DROP_BROADCAST:
	case DROP_MULTICAST:
		fprintf(out, "%s is not one receiver's address, and the hub "
			"does not replicate\n", word[1]);
		break;
	default:
		fprintf(out, "on the way to %s in %s\n", word[1],
			server->gateway ? gateway_name(server->gateway) :
			"the tunnel");
	}
}

static void explain_receiver(const struct server *server, uint32_t address,
			     const struct forward_fate *fate, char **word,
			     FILE *out)
{
	const struct egress_status *receiver = &fate->receiver;

	if (fate->to_gateway) {
		fprintf(out, "forwarded to %s: %s\n",
			gateway_name(server->gateway),
			address == server->address ?
			"it is for this host itself" :
			"from there on this host's routes decide");
		return;
	}
	fprintf(out, "forwarded to the client that has %s, which takes "
		"packets of up to %u bytes\n", word[1], fate->mtu);
	if (strcmp(word[0], word[1]) == 0)
		fputs("  it is its own receiver\n", out);
	if (receiver->held)
		fputs("  it has just joined: packets wait a moment\n", out);
	if (receiver->queue_bytes > 0)
		fprintf(out, "  it reads slowly: %" PRIu64 " bytes wait for "
			"it, and what finds no room is dropped\n",
			receiver->queue_bytes);
}

static int run_explain(struct operator *op, int n, char **word, FILE *out)
{
	uint32_t source, destination;
	struct forward_fate fate;

	(void)n;
	if (!read_address(word[0], &source, out) ||
	    !read_address(word[1], &destination, out))
		return EXIT_USAGE;
	forward_explain(op->server, source, destination, &fate);
	if (fate.has_sender)
		fprintf(out, "from %s, %s\n", word[0], fate.from_gateway ?
			"which is behind the server's TUN" :
			"which is a client");
	if (fate.drop != DROP_N_REASONS)
		explain_drop(op->server, &fate, word, out);
	else
		explain_receiver(op->server, destination, &fate, word, out);
	return EXIT_OK;
}

/* --- the server as a whole --- */

static int run_drain(struct operator *op, int n, char **word, FILE *out)
{
	int64_t seconds = DRAIN_S;

	if (n > 0 && !option_number(word[0], 0, DRAIN_MAX_S, &seconds)) {
		fprintf(out, "drain: \"%s\" is not a number of seconds from 0 "
			"to %d\n", word[0], DRAIN_MAX_S);
		return EXIT_USAGE;
	}
	op->server->live.drain_until_ms = clock_now_ms() +
					  (uint64_t)seconds * 1000;
	eventfd_write(op->fd, 1);
	fprintf(out, "draining: no connection is accepted, and the server ends "
		"when its clients\nhave left, at the latest in %" PRId64
		" s\n", seconds);
	return EXIT_OK;
}

static int run_reload(struct operator *op, int n, char **word, FILE *out)
{
	char report[RELOAD_REPORT_LEN];
	int error = reload_run(op->reload, report);

	(void)n;
	(void)word;
	fprintf(out, "%s\n", report);
	return error ? EXIT_ERROR : EXIT_OK;
}

static const struct request requests[] = {
	{ "status", 0, 1, run_status },
	{ "kick", 1, 1, run_kick },
	{ "explain", 2, 2, run_explain },
	{ "drain", 0, 1, run_drain },
	{ "reload", 0, 0, run_reload },
};

enum { N_REQUESTS = sizeof(requests) / sizeof(requests[0]) };

static int unknown(const char *name, FILE *out)
{
	int i;

	fprintf(out, "the request \"%.40s\" is unknown; allowed are", name);
	for (i = 0; i < N_REQUESTS; i++)
		fprintf(out, "%s %s", i > 0 ? "," : "", requests[i].name);
	fputc('\n', out);
	return EXIT_USAGE;
}

static int handle(const char *line, FILE *out, void *arg)
{
	char text[CONTROL_MAX_LINE], *rest = text, *word[MAX_WORDS] = { 0 };
	const char *name;
	int i, n = 0;

	snprintf(text, sizeof(text), "%s", line);
	while (n < MAX_WORDS && (word[n] = strtok_r(rest, " ", &rest)))
		n++;
	name = n > 0 ? word[0] : "";
	for (i = 0; i < N_REQUESTS; i++)
		if (strcmp(requests[i].name, name) == 0)
			break;
	if (i == N_REQUESTS)
		return unknown(name, out);
	if (n - 1 < requests[i].min || n - 1 > requests[i].max) {
		fprintf(out, "%s: wrong number of words\n", name);
		return EXIT_USAGE;
	}
	return requests[i].run(arg, n - 1, word + 1, out);
}

/* --- the socket --- */

/*
 * A server that was not told where gets along without: an unprivileged one,
 * and a second one on the same host.
 */
static int cannot_open(const char *path, int error, const char *why)
{
	if (strcmp(path, CONFIG_DEFAULT_CONTROL) == 0) {
		log_warning("%s; going on without it (--control says where it "
			    "is to be, or \"none\")", why);
		return EXIT_OK;
	}
	log_error("%s", why);
	return error == -EACCES || error == -EPERM ? EXIT_PERMISSION :
	       EXIT_ERROR;
}

int operator_open(struct operator **operator, struct server *server,
		  struct reload *reload)
{
	const char *path = server->config->control;
	char why[CONTROL_ERROR_LEN];
	struct operator *op;
	int error;

	*operator = NULL;
	if (strcmp(path, CONFIG_NO_CONTROL) == 0)
		return EXIT_OK;
	op = calloc(1, sizeof(*op));
	if (!op) {
		log_error("out of memory");
		return EXIT_ERROR;
	}
	op->server = server;
	op->reload = reload;
	op->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (op->fd < 0) {
		log_error("eventfd: %s", strerror(errno));
		free(op);
		return EXIT_ERROR;
	}
	error = control_open(&op->control, path, handle, op, why);
	if (error) {
		operator_close(op);
		return cannot_open(path, error, why);
	}
	*operator = op;
	return EXIT_OK;
}

void operator_give(const struct operator *op, uid_t owner)
{
	if (op)
		control_give(op->control, owner);
}

int operator_start(struct operator *op)
{
	return op ? control_start(op->control) : 0;
}

void operator_stop(struct operator *op)
{
	if (op)
		control_stop(op->control);
}

void operator_close(struct operator *op)
{
	if (!op)
		return;
	control_close(op->control);
	close(op->fd);
	free(op);
}

int operator_fd(const struct operator *op)
{
	return op ? op->fd : -1;
}

void operator_acknowledge(struct operator *op)
{
	eventfd_t n;

	eventfd_read(op->fd, &n);
}
