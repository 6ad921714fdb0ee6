/* SPDX-License-Identifier: MIT */
/* Metrics in the text format of Prometheus. */
#include "server/prometheus.h"

#include <dirent.h>
#include <inttypes.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "server/view.h"

/* Numbers of fields in proc(5), /proc/[pid]/stat, after the name. */
enum { STAT_THREADS = 18, STAT_RSS_PAGES = 22,
       STAT_LEN = 1024 };

static void write_head(FILE *out, const char *name, const char *type,
		       const char *help)
{
	fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void write_gauge(FILE *out, const char *name, const char *help,
			uint64_t value)
{
	write_head(out, name, "gauge", help);
	fprintf(out, "%s %" PRIu64 "\n", name, value);
}

static void write_counter(FILE *out, const char *name, const char *help,
			  uint64_t value)
{
	write_head(out, name, "counter", help);
	fprintf(out, "%s %" PRIu64 "\n", name, value);
}

static void write_labelled(FILE *out, const char *name, const char *label,
			   const char *value, uint64_t n)
{
	fprintf(out, "%s{%s=\"%s\"} %" PRIu64 "\n", name, label, value, n);
}

/* Counters of both sides of the hub: its clients, and its TUN. */
static void write_sides(FILE *out, const char *name, const char *help,
			uint64_t clients, uint64_t gateway)
{
	write_head(out, name, "counter", help);
	write_labelled(out, name, "side", "clients", clients);
	write_labelled(out, name, "side", "gateway", gateway);
}

static void write_traffic(FILE *out, const struct server_view *view)
{
	const struct view_counters *all = &view->total, *tun = &view->gateway;

	write_sides(out, "simplevpn_rx_bytes_total",
		    "Bytes of packets received from clients, and from the "
		    "gateway's TUN.",
		    all->rx_bytes - tun->rx_bytes, tun->rx_bytes);
	write_sides(out, "simplevpn_rx_packets_total",
		    "Packets received from clients, and from the gateway's "
		    "TUN.",
		    all->rx_packets - tun->rx_packets, tun->rx_packets);
	write_sides(out, "simplevpn_tx_bytes_total",
		    "Bytes of packets sent to clients, and to the gateway's "
		    "TUN.",
		    all->tx_bytes - tun->tx_bytes, tun->tx_bytes);
	write_sides(out, "simplevpn_tx_packets_total",
		    "Packets sent to clients, and to the gateway's TUN.",
		    all->tx_packets - tun->tx_packets, tun->tx_packets);
}

static void write_drops(FILE *out, const struct server_view *view)
{
	static const char name[] = "simplevpn_drops_total";
	int i;

	write_head(out, name, "counter", "Packets dropped, by reason.");
	for (i = 0; i < DROP_N_REASONS; i++)
		write_labelled(out, name, "reason",
			       drop_reason_name((enum drop_reason)i),
			       view->total.drops[i]);
}

static void write_connections(FILE *out, const struct server_view *view)
{
	static const char leaves[] = "simplevpn_leaves_total";
	static const char rejected[] =
		"simplevpn_rejected_connections_total";
	static const char strangers[] =
		"simplevpn_closed_without_address_total";
	int i;

	write_counter(out, "simplevpn_joins_total",
		      "Clients that were given an address.",
		      view->registry.joins);
	write_head(out, leaves, "counter",
		   "Clients that left, by reason.");
	for (i = CLOSE_NONE + 1; i < CLOSE_N_REASONS; i++)
		write_labelled(out, leaves, "reason",
			       close_reason_name((enum close_reason)i),
			       view->registry.leaves[i]);
	write_head(out, strangers, "counter",
		   "Connections that ended before they had an address, by "
		   "reason.");
	for (i = CLOSE_NONE + 1; i < CLOSE_N_REASONS; i++)
		write_labelled(out, strangers, "reason",
			       close_reason_name((enum close_reason)i),
			       view->registry.strangers[i]);
	write_head(out, rejected, "counter",
		   "Connections closed as soon as they came, by reason.");
	for (i = ADMISSION_OK + 1; i < ADMISSION_N_VERDICTS; i++)
		write_labelled(out, rejected, "reason",
			       admission_verdict_name(
					(enum admission_verdict)i),
			       view->admission.verdicts[i]);
}

void prometheus_write(FILE *out, const struct server_view *view)
{
	static const char addresses[] = "simplevpn_addresses";

	write_head(out, "simplevpn_build_info", "gauge",
		   "The version; always 1.");
	write_labelled(out, "simplevpn_build_info", "version",
		       view->version, 1);
	write_gauge(out, "simplevpn_start_time_seconds",
		    "When the server started, since 1970.",
		    view->started_unix_s);
	write_gauge(out, "simplevpn_uptime_seconds",
		    "How long the server runs.", view->uptime_ms / 1000);
	write_gauge(out, "simplevpn_clients", "Clients with an address.",
		    view->clients);
	write_gauge(out, "simplevpn_pending_connections",
		    "Connections that have no address yet.",
		    view->admission.pending);
	write_head(out, addresses, "gauge",
		   "Addresses of the tunnel's network that clients use, and "
		   "those free.");
	write_labelled(out, addresses, "state", "used", view->addresses_held);
	write_labelled(out, addresses, "state", "free", view->addresses_free);
	write_gauge(out, "simplevpn_queue_bytes",
		    "Memory of the queues of packets for slow clients.",
		    view->queue_bytes);
	write_connections(out, view);
	write_traffic(out, view);
	write_drops(out, view);
}

/* Field number n after the name in /proc/self/stat. */
static bool read_stat(const char *stat, int n, uint64_t *value)
{
	const char *at = strrchr(stat, ')');

	for (; at && n > 0; n--)
		at = strchr(at + 1, ' ');
	return at && sscanf(at, " %" SCNu64, value) == 1;
}

static void write_stat(FILE *out)
{
	FILE *file = fopen("/proc/self/stat", "re");
	char text[STAT_LEN];
	uint64_t value;

	if (!file)
		return;
	if (fgets(text, sizeof(text), file)) {
		if (read_stat(text, STAT_THREADS, &value))
			write_gauge(out, "process_threads",
				    "Threads; a client has one of its own.",
				    value);
		if (read_stat(text, STAT_RSS_PAGES, &value))
			write_gauge(out, "process_resident_memory_bytes",
				    "Memory that is resident.",
				    value * (uint64_t)sysconf(_SC_PAGESIZE));
	}
	fclose(file);
}

static void write_descriptors(FILE *out)
{
	DIR *dir = opendir("/proc/self/fd");
	struct rlimit limit;
	uint64_t n = 0;

	if (dir) {
		while (readdir(dir))
			n++;
		closedir(dir);
		/* But for "." and "..", and the directory's own. */
		write_gauge(out, "process_open_fds",
			    "Descriptors; a client has one of its own.",
			    n - 3);
	}
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
		write_gauge(out, "process_max_fds",
			    "Descriptors that the process may have.",
			    limit.rlim_cur);
}

void prometheus_write_process(FILE *out)
{
	struct rusage usage;

	if (getrusage(RUSAGE_SELF, &usage) == 0) {
		write_head(out, "process_cpu_seconds_total", "counter",
			   "Processor time, of user and system.");
		fprintf(out, "process_cpu_seconds_total %.3f\n",
			(double)(usage.ru_utime.tv_sec +
				 usage.ru_stime.tv_sec) +
			(double)(usage.ru_utime.tv_usec +
				 usage.ru_stime.tv_usec) / 1000000);
	}
	write_stat(out);
	write_descriptors(out);
}
