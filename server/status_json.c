/* SPDX-License-Identifier: MIT */
/* What the server is doing, as JSON (RFC 8259). */
#include <inttypes.h>

#include "common/json.h"
#include "proto/msg.h"
#include "server/join.h"
#include "server/status.h"
#include "server/view.h"

static void put_member(FILE *out, const char *name, uint64_t value)
{
	fprintf(out, ",\"%s\":%" PRIu64, name, value);
}

static void put_address(FILE *out, const char *name, uint32_t address)
{
	char text[JOIN_TEXT_LEN];

	join_address_text(address, text);
	fprintf(out, "\"%s\":\"%s\"", name, text);
}

/* "NAME": n for each reason from first on; all, or those that occurred. */
static void put_reasons(FILE *out, const char *title, const uint64_t *n,
			int first, int end, bool all, const char *(*name)(int))
{
	const char *separator = "";
	int i;

	fprintf(out, ",\"%s\":{", title);
	for (i = first; i < end; i++) {
		if (!all && n[i] == 0)
			continue;
		fprintf(out, "%s\"%s\":%" PRIu64, separator, name(i), n[i]);
		separator = ",";
	}
	fputc('}', out);
}

static void put_counters(FILE *out, const struct view_counters *c, bool all)
{
	fprintf(out, "\"rx_packets\":%" PRIu64, c->rx_packets);
	put_member(out, "rx_bytes", c->rx_bytes);
	put_member(out, "tx_packets", c->tx_packets);
	put_member(out, "tx_bytes", c->tx_bytes);
	put_reasons(out, "drops", c->drops, 0, DROP_N_REASONS, all,
		    view_drop_name);
}

static void put_server(FILE *out, const struct server_view *view)
{
	fputs("\"version\":", out);
	json_string(out, view->version);
	put_member(out, "started", view->started_unix_s);
	put_member(out, "uptime_s", view->uptime_ms / 1000);
	put_member(out, "port", view->port);
	fputc(',', out);
	put_address(out, "network", view->network);
	put_member(out, "prefix_length", view->prefix_len);
	fputc(',', out);
	put_address(out, "address", view->address);
	fputs(",\"tun\":", out);
	if (view->tun)
		json_string(out, view->tun);
	else
		fputs("null", out);
	fputs(",\"draining_s\":", out);
	if (view->drain_ms > 0)
		fprintf(out, "%" PRIu64, view->drain_ms / 1000);
	else
		fputs("null", out);
}

static void put_sums(FILE *out, const struct server_view *view)
{
	put_member(out, "n_clients", view->clients);
	put_member(out, "n_pending", view->admission.pending);
	put_member(out, "addresses_held", view->addresses_held);
	put_member(out, "addresses_free", view->addresses_free);
	put_member(out, "queue_bytes", view->queue_bytes);
	put_member(out, "joins", view->registry.joins);
	put_reasons(out, "leaves", view->registry.leaves, CLOSE_NONE + 1,
		    CLOSE_N_REASONS, true, view_leave_name);
	put_reasons(out, "closed_without_address", view->registry.strangers,
		    CLOSE_NONE + 1, CLOSE_N_REASONS, true, view_leave_name);
	put_reasons(out, "connections", view->admission.verdicts, 0,
		    ADMISSION_N_VERDICTS, true, view_verdict_name);
	fputs(",\"total\":{", out);
	put_counters(out, &view->total, true);
	fputs("},\"gateway\":", out);
	if (view->tun) {
		fputc('{', out);
		put_counters(out, &view->gateway, true);
		fputc('}', out);
	} else {
		fputs("null", out);
	}
}

static void put_client(FILE *out, const struct client_view *c)
{
	put_address(out, "address", c->address);
	fputs(",\"peer\":", out);
	json_string(out, c->peer);
	put_member(out, "since", c->since_unix_s);
	put_member(out, "age_ms", c->age_ms);
	put_member(out, "heard_ms", c->heard_ms);
	fprintf(out, ",\"state\":\"%s\",\"base\":%s,\"segments\":%s",
		client_state_name(c->state), c->flags == 0 ? "true" : "false",
		c->flags & MSG_FLAG_SEGMENTS ? "true" : "false");
	put_member(out, "mtu", c->mtu);
	put_member(out, "queue_bytes", c->queue_bytes);
	put_member(out, "queue_packets", c->queue_packets);
	put_member(out, "stuck_ms", c->stuck_ms);
	if (c->has_tcp) {
		put_member(out, "rtt_us", c->rtt_us);
		put_member(out, "retransmits", c->retransmits);
	} else {
		fputs(",\"rtt_us\":null,\"retransmits\":null", out);
	}
	fputc(',', out);
	put_counters(out, &c->counters, false);
}

void status_print_json(const struct server_view *view, FILE *out)
{
	size_t i;

	fputc('{', out);
	put_server(out, view);
	put_sums(out, view);
	fputs(",\"clients\":[", out);
	for (i = 0; i < view->n_clients; i++) {
		fputs(i > 0 ? ",\n{" : "\n{", out);
		put_client(out, &view->client[i]);
		fputc('}', out);
	}
	fputs("]}\n", out);
}
