/* SPDX-License-Identifier: MIT */
/*
 * The server's own TUN.
 *
 * Theory of operation: one thread reads the TUN, many packets at a time, and
 * forwards them as a client's thread does.  Towards the TUN each client's
 * thread writes for itself: a write goes straight into the kernel's receive
 * path and neither blocks nor needs a lock.  Packets of one batch are joined
 * to super-packets first, by a struct coalesce of that thread.
 */
#include "server/gateway.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/coalesce.h"
#include "common/log.h"
#include "common/netcfg.h"
#include "common/segment.h"
#include "common/tun.h"
#include "proto/frame.h"
#include "proto/ippkt.h"
#include "server/config.h"
#include "server/forward.h"
#include "server/server.h"

enum {
	READ_AREA = 512 * 1024,		/* packets of one batch */
	READ_BATCH = 256,		/* at most */
	SEND_BATCH = 256,		/* packets coalesced at a time */
};

struct gateway {
	struct endpoint endpoint;
	struct tun tun;			/* [I] once open */
	int stop_fd;			/* [I] an eventfd */
	pthread_t thread;
	atomic_bool failed;
	struct forward forward;		/* reader thread only */
	uint8_t *area;			/* reader thread only */
};

/* Several threads add to the gateway's sending counters. */
static void add_shared(counter *c, uint64_t n)
{
	atomic_fetch_add_explicit(c, n, memory_order_relaxed);
}

struct endpoint *gateway_endpoint(struct gateway *g)
{
	return &g->endpoint;
}

bool gateway_failed(const struct gateway *g)
{
	return g->failed;
}

const char *gateway_name(const struct gateway *g)
{
	return g->tun.name;
}

static void write_item(struct gateway *g, const struct packet *packet,
		       struct iovec *iov, int n, uint32_t n_packets)
{
	struct stats *stats = &g->endpoint.stats;

	if (tun_write(&g->tun, packet, iov, n) < 0) {
		add_shared(&stats->drops[DROP_TUN_FULL], n_packets);
		return;
	}
	add_shared(&stats->tx_packets, n_packets);
	add_shared(&stats->tx_bytes, packet->len);
}

void gateway_write(struct gateway *g, const struct packet *packet)
{
	struct iovec iov[2] = {
		[1] = { .iov_base = packet->data, .iov_len = packet->len },
	};

	write_item(g, packet, iov, 2, 1);
}

static void write_batch(struct gateway *g, struct coalesce **coalesce,
			const struct packet *packets, size_t n)
{
	struct coalesce_item *items;
	size_t i, n_items;

	if (n > 1 && !*coalesce)
		*coalesce = coalesce_new(g->tun.offload_tcp,
					 g->tun.offload_udp);
	if (n == 1 || !*coalesce) {	/* or out of memory */
		for (i = 0; i < n; i++)
			gateway_write(g, &packets[i]);
		return;
	}
	n_items = coalesce_run(*coalesce, packets, n, &items);
	for (i = 0; i < n_items; i++)
		write_item(g, &items[i].packet, items[i].iov, items[i].n_iov,
			   items[i].n_packets);
}

/* Describe the message at data, which forward.c found sound. */
static uint32_t describe(uint8_t *data, struct packet *packet)
{
	static const struct frame_rules rules = {
		.joined = true,
		.segments = true,
		.max_packet = FRAME_MAX_PACKET,
	};
	struct frame frame;

	frame_next(&rules, data, FRAME_MAX_LEN, &frame);
	packet->data = data + frame.packet_offset;
	packet->len = frame.len - frame.packet_offset;
	packet->segment_size = frame.segment_size;
	packet->checksum_partial = frame.checksum_partial;
	return frame.len;
}

void gateway_send(struct gateway *g, struct coalesce **coalesce,
		  const struct iovec *iov, int n)
{
	struct packet packets[SEND_BATCH];
	size_t n_packets = 0, left;
	uint8_t *data;
	uint32_t len;
	int i;

	for (i = 0; i < n; i++) {
		data = iov[i].iov_base;
		for (left = iov[i].iov_len; left > 0; left -= len) {
			len = describe(data, &packets[n_packets++]);
			data += len;
			if (n_packets < SEND_BATCH)
				continue;
			write_batch(g, coalesce, packets, n_packets);
			n_packets = 0;
		}
	}
	if (n_packets > 0)
		write_batch(g, coalesce, packets, n_packets);
}

static void forward_from_tun(struct gateway *g, struct packet *packet)
{
	bool special = packet->segment_size != 0 || packet->checksum_partial;

	if (packet->len < 1 || packet->data[0] >> 4 != 4) {
		forward_count_drop(&g->forward, DROP_IPV6);
		return;
	}
	if (!ippkt_valid(packet->data, packet->len)) {
		forward_count_drop(&g->forward, DROP_MALFORMED);
		return;
	}
	if (special)
		frame_write_prefix(packet->data - FRAME_SEGMENT_PREFIX_LEN,
				   packet->segment_size,
				   packet->checksum_partial);
	forward_packet(&g->forward, packet);
}

/* Read what is there, up to the area's size.  False: the TUN is broken. */
static bool read_batch(struct gateway *g)
{
	struct packet packet;
	size_t used = 0;
	int n, result;

	for (n = 0; n < READ_BATCH; n++) {
		if (READ_AREA - used < TUN_READ_MAX)
			break;
		result = tun_read(&g->tun, g->area + used, &packet);
		if (result == 0)
			break;
		if (result == -EBADMSG) {
			forward_count_drop(&g->forward, DROP_MALFORMED);
			continue;
		}
		if (result < 0) {
			log_error("reading %s: %s", g->tun.name,
				  strerror(-result));
			return false;
		}
		forward_from_tun(g, &packet);
		used += TUN_HEADROOM + packet.len;
	}
	forward_flush(&g->forward);
	return true;
}

static void *gateway_main(void *arg)
{
	struct gateway *g = arg;
	struct pollfd fds[2] = {
		{ .fd = g->tun.fd, .events = POLLIN },
		{ .fd = g->stop_fd, .events = POLLIN },
	};

	for (;;) {
		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			break;
		if (fds[1].revents)
			break;
		if (fds[0].revents && !read_batch(g)) {
			g->failed = true;
			kill(getpid(), SIGTERM);
			break;
		}
	}
	return NULL;
}

static int configure(const struct gateway *g, const struct server *server)
{
	struct netcfg *nc = netcfg_open();
	int error;

	if (!nc) {
		error = -errno;
		log_error("cannot open rtnetlink: %s", strerror(-error));
		return error;
	}
	error = netcfg_address_add(nc, g->tun.ifindex, server->address,
				   server->config->network.prefix_len);
	if (!error)
		error = netcfg_link_up(nc, g->tun.ifindex,
				       server->config->mtu, 0);
	netcfg_close(nc);
	if (error)
		log_error("configuring %s: %s", g->tun.name, strerror(-error));
	return error;
}

static int open_tun(struct gateway *g, const struct server_config *config)
{
	int error = tun_open(&g->tun, config->tun);

	if (error == -EPERM || error == -EACCES)
		log_error("no permission to open a TUN interface: run as "
			  "root or with CAP_NET_ADMIN, or use --no-tun");
	else if (error == -ENOENT || error == -ENODEV)
		log_error("no /dev/net/tun: load the kernel module tun, or "
			  "use --no-tun");
	else if (error)
		log_error("opening TUN interface %s: %s", config->tun,
			  strerror(-error));
	else if (tun_missing_offloads(&g->tun))
		log_debug("%s: the kernel lacks %s; going on without",
			  g->tun.name, tun_missing_offloads(&g->tun));
	return error;
}

static void never_released(struct endpoint *e)
{
	(void)e;	/* the server's own reference goes with the server */
}

int gateway_open(struct server *server)
{
	size_t batch_size = forward_batch_size();
	struct gateway *g = calloc(1, sizeof(*g));
	int error = -ENOMEM;

	if (!g) {
		log_error("out of memory");
		return -ENOMEM;
	}
	g->area = mmap(NULL, READ_AREA + batch_size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (g->area == MAP_FAILED) {
		log_error("out of memory");
		goto err_free;
	}
	g->stop_fd = eventfd(0, EFD_CLOEXEC);
	if (g->stop_fd < 0) {
		error = -errno;
		log_error("eventfd: %s", strerror(errno));
		goto err_unmap;
	}
	error = open_tun(g, server->config);
	if (error)
		goto err_stop_fd;
	error = configure(g, server);
	if (error)
		goto err_tun;
	g->endpoint.references = 1;
	g->endpoint.release = never_released;
	g->endpoint.is_gateway = true;
	g->endpoint.address = server->address;
	g->endpoint.takes_segments = true;
	g->endpoint.mtu = FRAME_MAX_PACKET;
	forward_init(&g->forward, server, &g->endpoint, g->area + READ_AREA);
	server->gateway = g;
	return 0;

err_tun:
	tun_close(&g->tun);
err_stop_fd:
	close(g->stop_fd);
err_unmap:
	munmap(g->area, READ_AREA + batch_size);
err_free:
	free(g);
	return error;
}

int gateway_start(struct gateway *g)
{
	return -pthread_create(&g->thread, NULL, gateway_main, g);
}

void gateway_stop(struct gateway *g)
{
	eventfd_write(g->stop_fd, 1);
	pthread_join(g->thread, NULL);
}

void gateway_close(struct gateway *g)
{
	if (!g)
		return;
	forward_idle(&g->forward);
	tun_close(&g->tun);
	close(g->stop_fd);
	munmap(g->area, READ_AREA + forward_batch_size());
	free(g);
}
