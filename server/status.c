/* SPDX-License-Identifier: MIT */
/* What the server is doing, as text for people. */
#include "server/status.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "common/human.h"
#include "proto/msg.h"
#include "server/join.h"
#include "server/view.h"

enum { CELL_LEN = HUMAN_LEN, N_CELLS = 8 };

/* Of the table; an address and a peer are as wide as the widest. */
static const struct {
	const char *title;
	int width;
} columns[N_CELLS] = {
	{ "connected", 11 },
	{ "heard", 11 },
	{ "received", 10 },
	{ "sent", 10 },
	{ "rtt", 8 },
	{ "resent", 7 },
	{ "queue", 10 },
	{ "drops", 8 },
};

static void print_since(const struct server_view *view, FILE *out)
{
	time_t started = (time_t)view->started_unix_s;
	char text[CELL_LEN], when[CELL_LEN] = "";
	struct tm tm;

	if (localtime_r(&started, &tm))
		strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S %Z", &tm);
	fprintf(out, "  up        %s, since %s\n",
		human_duration(view->uptime_ms / 1000, text), when);
}

/* ", REASON 12" for each that is not zero, after the sum of them. */
static void print_reasons(FILE *out, const char *title, const char *what,
			  const uint64_t *n, int first, int end,
			  const char *(*name)(int))
{
	const char *separator = ": ";
	char text[CELL_LEN];
	uint64_t sum = 0;
	int i;

	for (i = first; i < end; i++)
		sum += n[i];
	fprintf(out, "  %-9s %s %s%s", title, human_count(sum, text), what,
		sum == 1 ? "" : "s");
	for (i = first; i < end; i++) {
		if (n[i] == 0)
			continue;
		fprintf(out, "%s%s %s", separator, name(i),
			human_count(n[i], text));
		separator = ", ";
	}
	fputc('\n', out);
}

static void print_part(FILE *out, const char *before, uint64_t bytes,
		       uint64_t packets, const char *whom)
{
	char size[CELL_LEN], count[CELL_LEN];

	fprintf(out, "%s%s in %s packet%s %s", before,
		human_bytes(bytes, size), human_count(packets, count),
		packets == 1 ? "" : "s", whom);
}

/* With clients, those that left too, apart from the TUN: the table's columns
 * add up to the former. */
static void print_traffic(const struct server_view *view, FILE *out)
{
	const struct view_counters *all = &view->total, *tun = &view->gateway;

	print_part(out, "  received  ", all->rx_bytes - tun->rx_bytes,
		   all->rx_packets - tun->rx_packets, "from clients");
	if (view->tun)
		print_part(out, ", ", tun->rx_bytes, tun->rx_packets,
			   "from the TUN");
	print_part(out, "\n  sent      ", all->tx_bytes - tun->tx_bytes,
		   all->tx_packets - tun->tx_packets, "to clients");
	if (view->tun)
		print_part(out, ", ", tun->tx_bytes, tun->tx_packets,
			   "to the TUN");
	fputc('\n', out);
}

static void print_clients(const struct server_view *view, FILE *out)
{
	char text[CELL_LEN];

	fprintf(out, "  clients   %s", human_count(view->clients, text));
	fprintf(out, ", %s joined since the start",
		human_count(view->registry.joins, text));
	if (view->admission.pending > 0)
		fprintf(out, "; connections without an address yet: %s",
			human_count(view->admission.pending, text));
	fputc('\n', out);
	fprintf(out, "  addresses %s in use",
		human_count(view->addresses_held, text));
	fprintf(out, ", %s free\n", human_count(view->addresses_free, text));
}

static void print_summary(const struct server_view *view, FILE *out)
{
	char address[JOIN_TEXT_LEN], text[CELL_LEN];

	join_address_text(view->address, address);
	fprintf(out, "simplevpn %s: port %u, %s/%u %s%s\n", view->version,
		view->port, address, view->prefix_len,
		view->tun ? "on " : "without a TUN",
		view->tun ? view->tun : "");
	if (view->drain_ms > 0)
		fprintf(out, "  draining  accepts nobody, ends when empty or "
			"in %s\n", human_duration(
				(view->drain_ms + 999) / 1000, text));
	print_since(view, out);
	print_clients(view, out);
	print_traffic(view, out);
	fprintf(out, "  queued    %s\n", human_bytes(view->queue_bytes, text));
	print_reasons(out, "dropped", "packet", view->total.drops, 0,
		      DROP_N_REASONS, view_drop_name);
	print_reasons(out, "left", "client", view->registry.leaves, 0,
		      CLOSE_N_REASONS, view_leave_name);
	print_reasons(out, "refused", "connection", view->admission.verdicts,
		      ADMISSION_OK + 1, ADMISSION_N_VERDICTS,
		      view_verdict_name);
}

/* What is not as with most others. */
static void print_remarks(const struct client_view *c, FILE *out)
{
	char text[CELL_LEN];

	if (c->flags == 0)
		fputs("  base", out);
	if (c->state != CLIENT_JOINED)
		fprintf(out, "  %s", client_state_name(c->state));
	if (c->stuck_ms >= 1000)
		fprintf(out, ", has taken nothing for %s",
			human_duration(c->stuck_ms / 1000, text));
}

static void print_round_trip(uint32_t us, char text[CELL_LEN])
{
	if (us < 1000)
		snprintf(text, CELL_LEN, "%" PRIu32 " us", us);
	else
		snprintf(text, CELL_LEN, "%.1f ms", us / 1000.0);
}

static void print_client(const struct client_view *c, int address_width,
			 int peer_width, FILE *out)
{
	char address[JOIN_TEXT_LEN], cells[N_CELLS][CELL_LEN] = { "" };
	int i, n = 0;

	human_duration(c->age_ms / 1000, cells[n++]);
	if (c->heard_ms < 1000)
		snprintf(cells[n++], CELL_LEN, "%" PRIu64 " ms", c->heard_ms);
	else
		human_duration(c->heard_ms / 1000, cells[n++]);
	human_bytes(c->counters.rx_bytes, cells[n++]);
	human_bytes(c->counters.tx_bytes, cells[n++]);
	strcpy(cells[n], "?");
	strcpy(cells[n + 1], "?");
	if (c->has_tcp) {
		print_round_trip(c->rtt_us, cells[n]);
		human_count(c->retransmits, cells[n + 1]);
	}
	n += 2;
	human_bytes(c->queue_bytes, cells[n++]);
	human_count(view_drops(&c->counters), cells[n++]);
	join_address_text(c->address, address);
	fprintf(out, "%-*s  %-*s", address_width, address, peer_width, c->peer);
	for (i = 0; i < n; i++)
		fprintf(out, "  %*s", columns[i].width, cells[i]);
	print_remarks(c, out);
	fputc('\n', out);
}

static int wider(int width, const char *text)
{
	int len = (int)strlen(text);

	return len > width ? len : width;
}

static void print_table(const struct server_view *view, FILE *out)
{
	int address_width = wider(0, "address"), peer_width = wider(0, "peer");
	char address[JOIN_TEXT_LEN];
	size_t i;

	for (i = 0; i < view->n_clients; i++) {
		join_address_text(view->client[i].address, address);
		address_width = wider(address_width, address);
		peer_width = wider(peer_width, view->client[i].peer);
	}
	fprintf(out, "\n%-*s  %-*s", address_width, "address", peer_width,
		"peer");
	for (i = 0; i < N_CELLS; i++)
		fprintf(out, "  %*s", columns[i].width, columns[i].title);
	fputc('\n', out);
	for (i = 0; i < view->n_clients; i++)
		print_client(&view->client[i], address_width, peer_width, out);
}

void status_print(const struct server_view *view, FILE *out)
{
	print_summary(view, out);
	if (view->n_clients > 0)
		print_table(view, out);
}
