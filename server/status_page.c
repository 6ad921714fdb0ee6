/* SPDX-License-Identifier: MIT */
/* What the server is doing, as HTML for a person. */
#include "server/status_page.h"

#include <inttypes.h>
#include <stdbool.h>

#include "common/human.h"
#include "server/html.h"
#include "server/join.h"
#include "server/plot.h"
#include "server/status_clients.h"
#include "server/view.h"

static const char page_head[] =
	"<!DOCTYPE html>\n"
	"<html lang=\"en\">\n"
	"<head>\n"
	"<meta charset=\"utf-8\">\n"
	"<meta name=\"viewport\" content=\"width=device-width\">\n"
	"<link rel=\"stylesheet\" href=\"status.css\">\n"
	"<link rel=\"icon\" type=\"image/svg+xml\" href=\"icon.svg\">\n"
	"<script src=\"status.js\" defer></script>\n"
	"<noscript><meta http-equiv=\"refresh\" content=\"5\"></noscript>\n";

static const char page_foot[] =
	"</main>\n"
	"<footer>Refreshed every few seconds. The same figures for "
	"Prometheus: <a href=\"metrics\">metrics</a>.</footer>\n"
	"</body>\n"
	"</html>\n";

static uint64_t sum(const uint64_t *values, int n)
{
	uint64_t total = 0;
	int i;

	for (i = 0; i < n; i++)
		total += values[i];
	return total;
}

/* One figure: a name, the value, and a remark in small print. */
static void begin_figure(FILE *out, const char *name, const char *id,
			 uint64_t value, const char *text)
{
	fprintf(out, "<div><dt>%s</dt><dd><data id=\"%s\" value=\"%" PRIu64
		"\">%s</data></dd>\n<dd class=\"soft\">", name, id, value,
		text);
}

static void end_figure(FILE *out)
{
	fputs("</dd></div>\n", out);
}

static void write_figures(FILE *out, const struct server_view *view,
			  double drops_per_s)
{
	uint64_t rx_bytes = view->total.rx_bytes - view->gateway.rx_bytes;
	uint64_t tx_bytes = view->total.tx_bytes - view->gateway.tx_bytes;
	uint64_t drops = view_drops(&view->total);
	char text[HUMAN_LEN];

	fputs("<dl class=\"figures\">\n", out);
	begin_figure(out, "Clients", "clients", view->clients,
		     human_count(view->clients, text));
	fprintf(out, "%s connecting",
		human_count(view->admission.pending, text));
	end_figure(out);
	begin_figure(out, "Addresses in use", "addresses-used",
		     view->addresses_held,
		     human_count(view->addresses_held, text));
	fprintf(out, "%s free", human_count(view->addresses_free, text));
	end_figure(out);
	begin_figure(out, "From clients", "rx-bytes", rx_bytes,
		     human_bytes(rx_bytes, text));
	fprintf(out, "%s packets", human_count(view->total.rx_packets -
		view->gateway.rx_packets, text));
	end_figure(out);
	begin_figure(out, "To clients", "tx-bytes", tx_bytes,
		     human_bytes(tx_bytes, text));
	fprintf(out, "%s packets", human_count(view->total.tx_packets -
		view->gateway.tx_packets, text));
	end_figure(out);
	begin_figure(out, "Waiting in queues", "queue-bytes",
		     view->queue_bytes, human_bytes(view->queue_bytes, text));
	fputs("memory in use", out);
	end_figure(out);
	begin_figure(out, "Packets dropped", "drops", drops,
		     human_count(drops, text));
	fprintf(out, "%.0f a second now", drops_per_s);
	end_figure(out);
	fputs("</dl>\n", out);
}

static char *packet_rate(double rate, char text[HUMAN_LEN])
{
	char count[HUMAN_LEN];

	if (rate > 0 && rate < 9.95)
		snprintf(text, HUMAN_LEN, "%.1f/s", rate);
	else
		snprintf(text, HUMAN_LEN, "%s/s",
			 human_count((uint64_t)(rate + 0.5), count));
	return text;
}

static void write_plots(FILE *out, const struct history_rate *rates, size_t n)
{
	static const struct plot bits = {
		"plot-bits", "Bits a second", 8, human_bit_rate, 1000,
		{ { "from clients", HISTORY_IN_BYTES },
		  { "to clients", HISTORY_OUT_BYTES } },
	}, packets = {
		"plot-packets", "Packets a second", 1, packet_rate, 10,
		{ { "from clients", HISTORY_IN_PACKETS },
		  { "to clients", HISTORY_OUT_PACKETS } },
	};

	fputs("<div class=\"pair\">\n<div class=\"card\">\n", out);
	plot_write(out, &bits, rates, n);
	fputs("</div>\n<div class=\"card\">\n", out);
	plot_write(out, &packets, rates, n);
	fputs("</div>\n</div>\n", out);
}

/* Reasons and how often, without those that never were. */
static void write_reasons(FILE *out, const char *id, const char *title,
			  const char *(*name)(int reason),
			  const uint64_t *counts, int n)
{
	int i;

	fprintf(out, "<section class=\"card\">\n<h2 id=\"%s-title\">%s</h2>\n",
		id, title);
	if (sum(counts, n) == 0) {
		fputs("<p class=\"none\">None so far.</p>\n</section>\n", out);
		return;
	}
	fprintf(out, "<table id=\"%s\" aria-labelledby=\"%s-title\">\n"
		"<thead><tr><th scope=\"col\">Reason</th>"
		"<th scope=\"col\" class=\"number\">Count</th></tr></thead>\n"
		"<tbody>\n", id, id);
	for (i = 0; i < n; i++) {
		if (counts[i] == 0)
			continue;
		fputs("<tr><th scope=\"row\" class=\"wrap\">", out);
		html_escape(out, name(i));
		fputs("</th>", out);
		html_count_cell(out, counts[i]);
		fputs("</tr>\n", out);
	}
	fputs("</tbody>\n</table>\n</section>\n", out);
}

static const char *leave_name(int reason)
{
	return close_reason_text((enum close_reason)reason);
}

static const char *drop_name(int reason)
{
	return drop_reason_name((enum drop_reason)reason);
}

/* ADMISSION_OK, the first, is none. */
static const char *refusal_name(int verdict)
{
	return admission_verdict_text((enum admission_verdict)(verdict + 1));
}

static void write_all_reasons(FILE *out, const struct server_view *view)
{
	fputs("<div class=\"four\">\n", out);
	write_reasons(out, "dropped", "Packets dropped", drop_name,
		      view->total.drops, DROP_N_REASONS);
	write_reasons(out, "left", "Clients left", leave_name,
		      view->registry.leaves, CLOSE_N_REASONS);
	write_reasons(out, "never-joined", "Never joined", leave_name,
		      view->registry.strangers, CLOSE_N_REASONS);
	write_reasons(out, "refused", "Connections refused", refusal_name,
		      view->admission.verdicts + 1,
		      ADMISSION_N_VERDICTS - 1);
	fputs("</div>\n", out);
}

/* An interface's name may hold what HTML gives a meaning. */
static void write_server(FILE *out, const struct server_view *view)
{
	char text[HUMAN_LEN], address[JOIN_TEXT_LEN];

	join_address_text(view->address, address);
	fprintf(out, "<p data-live id=\"server\">version %s, port %u, %s/%u ",
		view->version, view->port, address, view->prefix_len);
	fputs(view->tun ? "on " : "without a TUN", out);
	html_escape(out, view->tun ? view->tun : "");
	fprintf(out, ", up %s", human_duration(view->uptime_ms / 1000, text));
	fprintf(out, ", %s joined since%s</p>\n",
		human_count(view->registry.joins, text),
		view->drain_ms ? ", <strong>being drained</strong>" : "");
}

static void write_head(FILE *out, const struct server_view *view)
{
	char text[HUMAN_LEN];

	fputs(page_head, out);
	fprintf(out, "<title>simplevpn: %s client%s</title>\n</head>\n<body>\n"
		"<header>\n<h1>simplevpn</h1>\n",
		human_count(view->clients, text),
		view->clients == 1 ? "" : "s");
	write_server(out, view);
	fputs("</header>\n<main>\n"
	      "<p id=\"trouble\" role=\"alert\" hidden>The server does not "
	      "answer: what is shown is old.</p>\n", out);
}

void status_page_write(FILE *out, const struct server_view *view,
		       const struct history_rate *rates, size_t n,
		       const struct status_query *query)
{
	write_head(out, view);
	fputs("<div data-live id=\"live\">\n", out);
	write_figures(out, view, n ? rates[n - 1].rate[HISTORY_DROPS] : 0);
	write_plots(out, rates, n);
	write_all_reasons(out, view);
	fputs("</div>\n", out);
	status_clients_write(out, view, query);
	fputs(page_foot, out);
}
