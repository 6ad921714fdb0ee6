/* SPDX-License-Identifier: MIT */
/* The status of cli as a person reads it, and as JSON. */
#include "client/status_print.h"

#include <inttypes.h>
#include <stdbool.h>

#include "common/human.h"
#include "common/json.h"
#include "common/version.h"

static uint64_t seconds_since(const struct status_view *view)
{
	return (view->now_ms - view->since_ms) / 1000;
}

/* Until the next try, tenths of a second; 0: now. */
static uint64_t tenths_left(const struct status_view *view)
{
	return view->next_ms > view->now_ms ?
	       (view->next_ms - view->now_ms) / 100 : 0;
}

/* ---- for people ---- */

static void print_head(const struct status_view *view, FILE *out)
{
	uint64_t left = tenths_left(view);
	char text[HUMAN_LEN];

	human_duration(seconds_since(view), text);
	if (view->state == STATUS_CONNECTED) {
		fprintf(out, "%s: connected for %s\n", view->interface, text);
		fprintf(out, "  server      %s (%s)\n", view->server,
			view->facts.peer);
		return;
	}
	fprintf(out, "%s: not connected for %s%s%s\n", view->interface, text,
		*view->why ? ": " : "", view->why);
	fprintf(out, "  next try    %s, ", view->server);
	if (view->state == STATUS_WAITING && left > 0)
		fprintf(out, "in %" PRIu64 ".%" PRIu64 " s\n", left / 10,
			left % 10);
	else
		fputs("going on now\n", out);
}

static void print_facts(const struct facts *facts, FILE *out)
{
	char address[FACTS_ADDRESS_LEN], list[FACTS_LIST_LEN];

	facts_address_text(facts->address, address);
	fprintf(out, "  address     %s/%u, mtu %" PRIu32 "\n", address,
		facts->prefix_len, facts->mtu);
	facts_routes_text(facts, ", ", list);
	fprintf(out, "  routes      %s\n", *list ? list : "none beyond that");
	facts_dns_text(facts, ", ", list);
	fprintf(out, "  DNS         %s%s%s%s\n", *list ? list : "none",
		*facts->search ? ", search " : "", facts->search,
		*list && facts->dns_unused ? "; not used: --no-dns" : "");
}

static void print_traffic(const char *title, uint64_t n_bytes,
			  uint64_t n_packets, FILE *out)
{
	char bytes[HUMAN_LEN], packets[HUMAN_LEN];

	fprintf(out, "  %-11s %s in %s packet%s\n", title,
		human_bytes(n_bytes, bytes), human_count(n_packets, packets),
		n_packets == 1 ? "" : "s");
}

static void print_drops(const struct counters *counters, FILE *out)
{
	const char *separator = ": ";
	uint64_t sum = 0;
	char text[HUMAN_LEN];
	int i;

	for (i = 0; i < DROP_N_REASONS; i++)
		sum += counters->drops[i];
	fprintf(out, "  dropped     %s", human_count(sum, text));
	for (i = 0; i < DROP_N_REASONS; i++) {
		if (counters->drops[i] == 0)
			continue;
		fprintf(out, "%s%s %s", separator, counters_drop_name(i),
			human_count(counters->drops[i], text));
		separator = ", ";
	}
	fputc('\n', out);
}

void status_print(const struct status_view *view, FILE *out)
{
	char text[HUMAN_LEN];

	print_head(view, out);
	if (view->facts.address != 0)
		print_facts(&view->facts, out);
	print_traffic("received", view->counters.rx_bytes,
		      view->counters.rx_packets, out);
	print_traffic("sent", view->counters.tx_bytes,
		      view->counters.tx_packets, out);
	print_drops(&view->counters, out);
	if (view->state == STATUS_CONNECTED)
		fprintf(out, "  round trip  %" PRIu32 ".%02" PRIu32 " ms; "
			"segments sent again: %s\n", view->rtt_us / 1000,
			view->rtt_us % 1000 / 10,
			human_count(view->n_resent, text));
	fprintf(out, "  reconnects  %s\n",
		human_count(view->counters.reconnects, text));
}

/* ---- for programs ---- */

static void put_name(FILE *out, const char *name)
{
	fprintf(out, ",\"%s\":", name);
}

static void put_text(FILE *out, const char *name, const char *text)
{
	put_name(out, name);
	json_string_or_null(out, text);
}

static void put_number(FILE *out, const char *name, uint64_t value)
{
	put_name(out, name);
	fprintf(out, "%" PRIu64, value);
}

static void put_null_or_number(FILE *out, const char *name, bool is_there,
			       uint64_t value)
{
	if (is_there)
		put_number(out, name, value);
	else
		put_text(out, name, "");
}

static void put_address(FILE *out, const char *name, uint32_t address)
{
	char text[FACTS_ADDRESS_LEN] = "";

	if (address != 0)
		facts_address_text(address, text);
	put_text(out, name, text);
}

static void put_servers(FILE *out, const struct option_list *servers)
{
	unsigned int i;

	put_name(out, "servers");
	for (i = 0; i < servers->n; i++) {
		fputc(i == 0 ? '[' : ',', out);
		json_string(out, servers->text[i]);
	}
	fputs(servers->n == 0 ? "[]" : "]", out);
}

/* Of texts that need no escape: "a","b" by its separator, or nothing. */
static void put_list(FILE *out, const char *name, const char *joined)
{
	put_name(out, name);
	if (*joined)
		fprintf(out, "[\"%s\"]", joined);
	else
		fputs("[]", out);
}

static void put_facts(FILE *out, const struct facts *facts)
{
	bool known = facts->address != 0;
	char list[FACTS_LIST_LEN];

	put_address(out, "address", facts->address);
	put_null_or_number(out, "prefix_length", known, facts->prefix_len);
	put_address(out, "gateway", facts->gateway);
	put_null_or_number(out, "mtu", known, facts->mtu);
	facts_routes_text(facts, "\",\"", list);
	put_list(out, "routes", list);
	facts_dns_text(facts, "\",\"", list);
	put_list(out, "dns", list);
	put_text(out, "search", facts->search);
}

static void put_counters(FILE *out, const struct counters *counters)
{
	int i;

	put_number(out, "rx_packets", counters->rx_packets);
	put_number(out, "rx_bytes", counters->rx_bytes);
	put_number(out, "tx_packets", counters->tx_packets);
	put_number(out, "tx_bytes", counters->tx_bytes);
	put_number(out, "joins", counters->joins);
	put_number(out, "reconnects", counters->reconnects);
	put_name(out, "drops");
	for (i = 0; i < DROP_N_REASONS; i++)
		fprintf(out, "%c\"%s\":%" PRIu64, i == 0 ? '{' : ',',
			counters_drop_name(i), counters->drops[i]);
	fputc('}', out);
}

void status_print_json(const struct status_view *view, FILE *out)
{
	static const char *const states[] = {
		[STATUS_CONNECTING] = "connecting",
		[STATUS_CONNECTED] = "connected",
		[STATUS_WAITING] = "waiting",
	};
	bool connected = view->state == STATUS_CONNECTED;
	uint64_t seconds = seconds_since(view);

	fputs("{\"interface\":", out);
	json_string(out, view->interface);
	put_text(out, "version", SIMPLEVPN_VERSION);
	put_text(out, "state", states[view->state]);
	put_number(out, "since", (uint64_t)view->now_unix_s - seconds);
	put_number(out, "seconds", seconds);
	put_text(out, "why", view->why);
	put_null_or_number(out, "next_try_ms", view->state == STATUS_WAITING,
			   tenths_left(view) * 100);
	put_servers(out, view->servers);
	put_text(out, "server", view->server);
	put_text(out, "peer", connected ? view->facts.peer : "");
	put_facts(out, &view->facts);
	put_null_or_number(out, "rtt_us", connected, view->rtt_us);
	put_null_or_number(out, "segments_resent", connected, view->n_resent);
	put_counters(out, &view->counters);
	fputs("}\n", out);
}
