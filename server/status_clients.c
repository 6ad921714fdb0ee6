/* SPDX-License-Identifier: MIT */
/* The status page's table of clients: which are shown, and how. */
#include "server/status_clients.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/human.h"
#include "server/html.h"
#include "server/join.h"
#include "server/status_page.h"
#include "server/view.h"

enum { TIME_LEN = 32 };

/* The clients that a query asks for, sorted. */
struct selection {
	const struct client_view **list;
	size_t n;
	size_t first, end;		/* those on this page */
	uint32_t page, pages;		/* page from 1 */
};

static uint64_t traffic(const struct client_view *client)
{
	return client->counters.rx_bytes + client->counters.tx_bytes;
}

/* Most traffic first; then by address, so that the order is always one. */
static int compare(const void *a, const void *b)
{
	const struct client_view *one = *(const struct client_view *const *)a;
	const struct client_view *two = *(const struct client_view *const *)b;

	if (traffic(one) != traffic(two))
		return traffic(one) > traffic(two) ? -1 : 1;
	return (one->address > two->address) - (one->address < two->address);
}

static bool is_wanted(const struct client_view *client, const char *search)
{
	char address[JOIN_TEXT_LEN];

	join_address_text(client->address, address);
	return strstr(address, search) || strstr(client->peer, search);
}

/* False: out of memory. */
static bool choose(struct selection *s, const struct server_view *view,
		   const struct status_query *query)
{
	size_t i;

	memset(s, 0, sizeof(*s));
	s->list = calloc(view->n_clients + 1,
			 sizeof(const struct client_view *));
	if (!s->list)
		return false;
	for (i = 0; i < view->n_clients; i++)
		if (is_wanted(&view->client[i], query->search))
			s->list[s->n++] = &view->client[i];
	qsort(s->list, s->n, sizeof(const struct client_view *), compare);
	s->pages = (uint32_t)((s->n + STATUS_PAGE_ROWS - 1) /
			      STATUS_PAGE_ROWS);
	s->page = query->page < s->pages ? query->page : s->pages;
	if (s->page == 0)
		s->page = 1;
	s->first = (size_t)(s->page - 1) * STATUS_PAGE_ROWS;
	s->end = s->first + STATUS_PAGE_ROWS < s->n ?
		s->first + STATUS_PAGE_ROWS : s->n;
	return true;
}

static void write_since(FILE *out, const struct client_view *client)
{
	time_t seconds = (time_t)client->since_unix_s;
	char text[HUMAN_LEN], stamp[TIME_LEN];
	struct tm tm;

	gmtime_r(&seconds, &tm);
	strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%SZ", &tm);
	fprintf(out, "<td class=\"number\"><time datetime=\"%s\" "
		"title=\"%s\">%s</time></td>", stamp, stamp,
		human_duration(client->age_ms / 1000, text));
}

static void write_round_trip(FILE *out, const struct client_view *client)
{
	char text[HUMAN_LEN];

	if (!client->has_tcp) {
		fputs("<td class=\"number\">?</td>", out);
		return;
	}
	snprintf(text, sizeof(text),
		 client->rtt_us < 1000 ? "%.0f &micro;s" : "%.1f ms",
		 client->rtt_us < 1000 ? client->rtt_us :
		 client->rtt_us / 1000.0);
	html_number_cell(out, client->rtt_us, text);
}

static void write_client(FILE *out, const struct client_view *client)
{
	uint64_t heard_s = client->heard_ms / 1000;
	char text[HUMAN_LEN];

	join_address_text(client->address, text);
	fprintf(out, "<tr><th scope=\"row\">%s</th><td>", text);
	html_escape(out, client->peer);
	fputs("</td>", out);
	write_since(out, client);
	snprintf(text, sizeof(text), "%" PRIu64 " s ago", heard_s);
	html_number_cell(out, heard_s, text);
	html_bytes_cell(out, client->counters.rx_bytes);
	html_bytes_cell(out, client->counters.tx_bytes);
	html_bytes_cell(out, client->queue_bytes);
	write_round_trip(out, client);
	html_count_cell(out, view_drops(&client->counters));
	fputs("</tr>\n", out);
}

static void write_table(FILE *out, const struct selection *s)
{
	size_t i;

	fputs("<table id=\"client-table\" aria-labelledby=\"clients-title\">\n"
	      "<thead><tr><th scope=\"col\">Address</th>"
	      "<th scope=\"col\">Peer</th>"
	      "<th scope=\"col\" class=\"number\">Since</th>"
	      "<th scope=\"col\" class=\"number\">Heard</th>"
	      "<th scope=\"col\" class=\"number\">From it</th>"
	      "<th scope=\"col\" class=\"number\">To it</th>"
	      "<th scope=\"col\" class=\"number\">Queue</th>"
	      "<th scope=\"col\" class=\"number\">Round trip</th>"
	      "<th scope=\"col\" class=\"number\">Dropped</th></tr></thead>\n"
	      "<tbody>\n", out);
	for (i = s->first; i < s->end; i++)
		write_client(out, s->list[i]);
	fputs("</tbody>\n</table>\n", out);
}

static void write_link(FILE *out, const struct status_query *query,
		       uint32_t page, const char *text)
{
	fputs("<a href=\"?q=", out);
	url_escape(out, query->search);
	fprintf(out, "&amp;page=%" PRIu32 "\">%s</a>\n", page, text);
}

static void write_pages(FILE *out, const struct selection *s,
			const struct status_query *query)
{
	if (s->pages < 2)
		return;
	fputs("<nav aria-label=\"Pages of clients\">\n", out);
	if (s->page > 1)
		write_link(out, query, s->page - 1, "previous");
	fprintf(out, "<span>page %" PRIu32 " of %" PRIu32 "</span>\n", s->page,
		s->pages);
	if (s->page < s->pages)
		write_link(out, query, s->page + 1, "next");
	fputs("</nav>\n", out);
}

/* How many are shown of how many. */
static void write_summary(FILE *out, const struct selection *s,
			  const struct server_view *view)
{
	char from[HUMAN_LEN], to[HUMAN_LEN], found[HUMAN_LEN], all[HUMAN_LEN];

	fputs("<p class=\"soft\" id=\"shown\">", out);
	human_count(view->n_clients, all);
	human_count(s->n, found);
	if (view->n_clients == 0)
		fputs("Nobody is connected.", out);
	else if (s->n == 0)
		fprintf(out, "None of %s clients has that in its address or "
			"peer.", all);
	else if (s->pages > 1)
		fprintf(out, "%s to %s of %s clients%s, most traffic first.",
			human_count(s->first + 1, from),
			human_count(s->end, to), found,
			s->n < view->n_clients ? " found" : "");
	else if (s->n < view->n_clients)
		fprintf(out, "%s of %s clients, most traffic first.", found,
			all);
	else
		fputs("Most traffic first.", out);
	fputs("</p>\n", out);
}

static void write_form(FILE *out, const struct status_query *query)
{
	fputs("<div class=\"bar\">\n<h2 id=\"clients-title\">Clients</h2>\n"
	      "<form method=\"get\" action=\"./\" role=\"search\">\n"
	      "<input type=\"search\" name=\"q\" aria-label=\"Part of an "
	      "address or peer\" placeholder=\"address or peer\" value=\"",
	      out);
	html_escape(out, query->search);
	fputs("\">\n<button>Search</button>\n</form>\n</div>\n", out);
}

void status_clients_write(FILE *out, const struct server_view *view,
			  const struct status_query *query)
{
	struct selection s;

	fputs("<section class=\"card\">\n", out);
	write_form(out, query);
	fputs("<div data-live id=\"client-list\" class=\"scroll\">\n", out);
	if (choose(&s, view, query)) {
		write_summary(out, &s, view);
		if (s.n > 0)
			write_table(out, &s);
		write_pages(out, &s, query);
	} else {
		fputs("<p class=\"none\">Out of memory.</p>\n", out);
	}
	free(s.list);
	fputs("</div>\n</section>\n", out);
}
