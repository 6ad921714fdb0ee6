/* SPDX-License-Identifier: MIT */
/*
 * Fuzzes the server: every connection's life from accept to the end, with
 * everything that peers, the kernel and other threads may do in between.
 *
 * Theory of operation: the server runs on the miniature kernel of fake_io.h,
 * with its accept, drain and gateway threads and up to a dozen clients.  The
 * input is a byte or two of configuration, then steps; a step is a byte that
 * says what happens and to whom, and a few bytes that say more (step()).
 *
 * Each client's stream is decoded as its client would, and must be what was
 * meant for it: the control messages just those that egress_control() took, in
 * order and to the byte; the packets whole, from who may send them, for whom
 * they are, in order, with the payload they were sent with; nothing before the
 * reply, nothing behind a base client's reply before it can have read it.
 * After each step the parts of the server must agree with each other
 * (check_server()).  At the end everything is closed and given back.
 *
 * A raw step can write anything, so after one the packets' payloads are not
 * looked at any more; all else is.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/netcfg.h"
#include "common/segment.h"
#include "common/sock.h"
#include "common/tun.h"
#include "proto/frame.h"
#include "proto/ippkt.h"
#include "proto/wire.h"
#include "server/accept.h"
#include "server/addrpool.h"
#include "server/drain.h"
#include "server/egress.h"
#include "server/gateway.h"
#include "server/join.h"
#include "server/push.h"
#include "server/registry.h"
#include "server/route.h"
#include "tests/fuzz/fake_io.h"

/* To look into a client; nothing of it is called. */
#include "server/client.c"

/* Linked with --wrap=egress_control: what has to come out is noted first. */
bool __real_egress_control(struct egress *e, const uint8_t *message,
			   size_t len, bool wait);
bool __wrap_egress_control(struct egress *e, const uint8_t *message,
			   size_t len, bool wait);

#ifdef __clang__	/* only the server's coverage guides the fuzzer */
#pragma clang attribute push(__attribute__((no_sanitize("coverage"))), \
	apply_to = function)
#endif

/* 192.0.2.1, behind the TUN. */
#define OUTSIDE 0xc0000201U

enum {
	NETWORK = 0x0a000000,		/* 10.0.0.0/28, or /29 */
	N_HOSTS = 16,
	SERVER = NETWORK + 1,
	N_SERIALS = 240,	/* connections of one run, and a backlog */
	SERIAL_TUN = 255,
	TAG_LEN = 5,			/* serial and number */
	UDP_LEN = 8,
	HEADERS = IPPKT_HEADER_LEN + UDP_LEN,
	MAX_DATA = FRAME_MAX_LEN,
	PATTERN_LEN = FRAME_MAX_PACKET + 256,
	CONTROL_SIZE = 8192,
	N_PEERS = 4,
	N_ADMISSIONS = 4,
	TAKE_OVER_SILENCE_MS = 5000,	/* at least, of any configuration */
	STALL_MS = 15000,
	SCAN_MS = 1000,
	REST_MS = 70000,	/* between runs: no penalty lasts longer */
	START_MS = 1000000,
};

/* What is known of the connection on a descriptor. */
struct connection {
	uint8_t serial;
	uint8_t peer;
	uint32_t addresses;	/* it was ever given: host parts, a bit each */
	bool base_only;		/* it never sent a capable request */
	bool segments;		/* granted at some time */
	bool replied;		/* the first reply was queued */
	bool heard_since;	/* and something came after it */
	bool unread_zero;	/* or the kernel said that it was taken */
	uint64_t replied_ms;
	uint64_t heard_ms;
	size_t control_begin, control_end;
	uint8_t control[CONTROL_SIZE];	/* that has to come out */
	uint32_t latest[256];	/* number of each serial's latest packet */
	size_t out_len;
	uint8_t out[MAX_DATA];	/* begin of a message */
};

/* How a packet is to be made. */
struct shape {
	uint32_t source, destination;
	uint8_t serial;
	bool dont_fragment;
	bool partial;
	uint16_t segment_size;
	uint32_t payload_len;
};

static struct fuzzer {
	const uint8_t *in, *in_end;
	struct server server;
	struct server_config config;
	struct acceptor *acceptor;
	struct connection connections[FAKE_MAX_FDS];
	struct client *clients[FAKE_MAX_FDS];	/* of check_server() */
	uint32_t addresses[256];	/* of each serial, as above */
	uint32_t all_addresses;
	uint32_t n_clients;		/* that the network has room for */
	uint32_t n_serials;
	uint32_t n_numbers;
	uint8_t next_peer[FAKE_MAX_BACKLOG];
	uint32_t n_next_peers;
	bool payloads_known;		/* no raw step yet */
	bool ordered;			/* nobody has moved yet */
	bool punctual;			/* no thread was held up yet */
	uint32_t cut;			/* bytes of the next message alone */
	uint32_t held_steps;		/* that pass before tasks run again */
	uint32_t n_tun_packets;
	struct shape tun_shape;
	uint32_t tun_failures;
	uint64_t now_ms;		/* where the next run begins */
	struct admission *admissions[N_ADMISSIONS];
} f;

static uint8_t pattern[PATTERN_LEN];
static uint8_t scratch[MAX_DATA + FRAME_SEGMENT_PREFIX_LEN];
static uint8_t written[FRAME_MAX_PACKET];	/* to the TUN */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

__attribute__((noinline))
static void check(bool right)
{
	if (!right)
		abort();
}

static uint8_t next_byte(void)
{
	return f.in < f.in_end ? *f.in++ : 0;
}

/* ---- What the server logs, names and configures goes nowhere ---- */

static void format_line(const char *format, va_list args)
{
	static char line[1024];

	check(vsnprintf(line, sizeof(line), format, args) > 0);
}

void log_at(enum log_level level, const char *format, ...)
{
	va_list args;

	(void)level;
	va_start(args, format);
	format_line(format, args);
	va_end(args);
}

void log_event(enum log_level level, const char *event,
	       const struct log_field *fields, size_t n_fields,
	       const char *format, ...)
{
	va_list args;

	(void)level;
	check(event && fields && n_fields > 0);
	va_start(args, format);
	format_line(format, args);
	va_end(args);
}

void log_limited(struct log_limit *limit, enum log_level level,
		 const char *format, ...)
{
	va_list args;

	(void)limit;
	(void)level;
	va_start(args, format);
	format_line(format, args);
	va_end(args);
}

void sock_text(const struct sockaddr_storage *peer, char text[SOCK_TEXT_LEN])
{
	memcpy(text, peer->ss_family == AF_INET ? "v4" : "v6", 3);
}

void sock_ipv6(const struct sockaddr_storage *peer, uint8_t out[16])
{
	const struct sockaddr_in6 *in6 = (const void *)peer;
	const struct sockaddr_in *in = (const void *)peer;

	memset(out, 0, 16);
	if (peer->ss_family == AF_INET)
		memcpy(out + 12, &in->sin_addr, 4);
	else
		memcpy(out, &in6->sin6_addr, 16);
}

int sock_tune(int fd, uint32_t notsent_lowat, uint32_t user_timeout_ms)
{
	check(fake_get(fd, FAKE_SOCKET) && notsent_lowat > 0 &&
	      user_timeout_ms > 0);
	return 0;
}

int sock_congestion(int fd, const char *name)
{
	(void)fd;
	return *name ? 0 : -ENOENT;
}

int sock_listen(const char *address, uint16_t port, int *fds, int max,
		char *error, size_t error_size)
{
	(void)address;
	(void)port;
	check(max > 0 && error_size > 0);
	*error = '\0';
	*fds = fake_open_fd(FAKE_LISTENER);
	return 1;
}

int tun_open(struct tun *tun, const char *name)
{
	(void)name;
	memset(tun, 0, sizeof(*tun));
	tun->fd = fake_open_fd(FAKE_TUN);
	tun->offload_tcp = tun->offload_udp = tun->offload_checksum = true;
	return 0;
}

void tun_close(struct tun *tun)
{
	fake_close(tun->fd);
}

const char *tun_missing_offloads(const struct tun *tun)
{
	(void)tun;
	return NULL;
}

struct netcfg *netcfg_open(void)
{
	return (struct netcfg *)(void *)&f;
}

void netcfg_close(struct netcfg *nc)
{
	(void)nc;
}

int netcfg_address_add(struct netcfg *nc, int ifindex, uint32_t address,
		       uint8_t prefix_len)
{
	(void)nc;
	(void)ifindex;
	return address == SERVER &&
	       prefix_len == f.config.network.prefix_len ? 0 : -EINVAL;
}

int netcfg_link_up(struct netcfg *nc, int ifindex, uint32_t mtu,
		   uint32_t tx_queue_len)
{
	(void)nc;
	(void)ifindex;
	(void)tx_queue_len;
	return mtu >= 1500 ? 0 : -EINVAL;
}

/* ---- Packets that can be told from each other ---- */

static void write_tag(uint8_t *payload, uint8_t serial, uint32_t number,
		      size_t len)
{
	size_t n = len < TAG_LEN ? len : TAG_LEN;
	uint8_t tag[TAG_LEN] = { serial };

	store_be32(tag + 1, number);
	memcpy(payload, tag, n);
	memcpy(payload + n, pattern + (number & 0xff), len - n);
}

/* A UDP packet, or a super-packet of them; returns its length. */
static uint32_t write_packet(uint8_t *out, const struct shape *shape)
{
	uint32_t len = HEADERS + shape->payload_len;
	uint32_t each = shape->segment_size ? shape->segment_size :
		shape->payload_len;
	uint32_t at = 0, n;

	memset(out, 0, HEADERS);
	out[0] = 0x45;
	store_be16(out + 2, (uint16_t)len);
	store_be16(out + 6, shape->dont_fragment ? IPPKT_FLAG_DF : 0);
	out[8] = 64;
	out[9] = IPPKT_UDP;
	store_be32(out + 12, shape->source);
	store_be32(out + 16, shape->destination);
	ippkt_set_header_checksum(out);
	store_be16(out + 20, 1000);
	store_be16(out + 22, 2000);
	store_be16(out + 24, (uint16_t)(UDP_LEN + shape->payload_len));
	if (shape->partial)
		store_be16(out + 26, ippkt_fold(ippkt_pseudo_sum(out,
				UDP_LEN + shape->payload_len)));
	do {
		n = shape->payload_len - at < each ?
			shape->payload_len - at : each;
		write_tag(out + HEADERS + at, shape->serial, ++f.n_numbers, n);
		at += n;
	} while (at < shape->payload_len);
	return len;
}

static void check_tag(struct connection *to, const uint8_t *payload,
		      size_t len, uint32_t source)
{
	uint8_t serial = payload[0];
	uint32_t number;

	check(len >= TAG_LEN);
	number = load_be32(payload + 1);
	check(memcmp(payload + TAG_LEN, pattern + (number & 0xff),
		     len - TAG_LEN) == 0);
	if (serial == SERIAL_TUN)
		check(source == OUTSIDE);
	else
		check(source - NETWORK < N_HOSTS &&
		      f.addresses[serial] >> (source - NETWORK) & 1);
	if (!to || !f.ordered)
		return;
	check(number > to->latest[serial]);
	to->latest[serial] = number;
}

static void check_icmp(const uint8_t *packet, uint32_t len)
{
	uint32_t header_len = ippkt_header_len(packet);

	check(packet[9] == IPPKT_ICMP && len <= IPPKT_ICMP_ERROR_MAX);
	check(ippkt_fold(ippkt_sum(packet, header_len, 0)) == 0xffff);
	check(ippkt_fold(ippkt_sum(packet + header_len, len - header_len,
				   0)) == 0xffff);
}

/* Look at the payload of what somebody is given. */
static void check_payload(struct connection *to, const struct packet *packet)
{
	const uint8_t *data = packet->data;
	uint32_t source = ippkt_source(data);
	uint32_t at, each, n;

	if (!f.payloads_known)
		return;
	if (data[9] == IPPKT_ICMP) {	/* from the server alone */
		check(source == SERVER || !to);
		check_icmp(data, packet->len);
		return;
	}
	check(packet->len >= HEADERS + TAG_LEN && data[9] == IPPKT_UDP);
	if (!packet->checksum_partial && load_be16(data + 26) != 0)
		check(ippkt_fold(ippkt_sum(data + 20, packet->len - 20,
			ippkt_pseudo_sum(data, packet->len - 20))) == 0xffff);
	each = packet->segment_size ? packet->segment_size :
		packet->len - HEADERS;
	for (at = HEADERS; at < packet->len; at += n) {
		n = packet->len - at < each ? packet->len - at : each;
		check_tag(to, data + at, n, source);
	}
}

/* ---- The TUN ---- */

bool driver_tun_is_readable(void)
{
	return f.n_tun_packets > 0;
}

int tun_read(struct tun *tun, uint8_t *buf, struct packet *packet)
{
	check(fake_get(tun->fd, FAKE_TUN));
	if (f.n_tun_packets == 0)
		return 0;
	f.n_tun_packets--;
	if (f.tun_shape.payload_len == 0)
		return -EBADMSG;
	packet->data = buf + TUN_HEADROOM;
	packet->len = write_packet(packet->data, &f.tun_shape);
	packet->segment_size = f.tun_shape.segment_size;
	packet->checksum_partial = f.tun_shape.partial;
	return 1;
}

int tun_write(struct tun *tun, const struct packet *packet, struct iovec *iov,
	      int n)
{
	struct packet whole = *packet;
	uint32_t len = 0;
	int i;

	check(fake_get(tun->fd, FAKE_TUN) && n >= 2 && n <= TUN_MAX_IOV);
	for (i = 1; i < n; i++) {
		check(len + iov[i].iov_len <= FRAME_MAX_PACKET);
		memcpy(written + len, iov[i].iov_base, iov[i].iov_len);
		len += (uint32_t)iov[i].iov_len;
	}
	check(len == packet->len && ippkt_valid(written, len));
	whole.data = written;
	check_payload(NULL, &whole);
	if (f.tun_failures == 0)
		return 0;
	f.tun_failures--;
	return -EAGAIN;
}

/* ---- What comes out to clients ---- */

/* The client is told something about its address: note what it may now get. */
static void note_reply(struct connection *c, const uint8_t *reply, size_t len)
{
	uint32_t address = load_be32(reply + 16);
	bool capable = len > FRAME_CONTROL_LEN;

	if (capable) {
		c->base_only = false;
		c->segments |= (load_be16(reply + 10) & MSG_FLAG_SEGMENTS) != 0;
	}
	if (address == 0)
		return;
	check(address < SERVER + f.n_clients + 1 && address > SERVER);
	if (!c->replied) {
		c->replied = true;
		c->replied_ms = fake_now_ms();
	}
	if (c->addresses != 0 && !(c->addresses >> (address - NETWORK) & 1))
		f.ordered = false;
	c->addresses |= 1U << (address - NETWORK);
	f.addresses[c->serial] |= c->addresses;
	f.all_addresses |= c->addresses;
}

bool __wrap_egress_control(struct egress *e, const uint8_t *message,
			   size_t len, bool wait)
{
	struct connection *c = &f.connections[e->fd];

	memmove(c->control, c->control + c->control_begin,
		c->control_end - c->control_begin);
	c->control_end -= c->control_begin;
	c->control_begin = 0;
	check(len + 2 <= CONTROL_SIZE - c->control_end);
	store_be16(c->control + c->control_end, (uint16_t)len);
	memcpy(c->control + c->control_end + 2, message, len);
	c->control_end += len + 2;
	if (load_be32(message + 12) == 0)
		note_reply(c, message, len);
	if (__real_egress_control(e, message, len, wait))
		return true;
	check(c->control_end >= c->control_begin + len + 2);
	c->control_end -= len + 2;
	return false;
}

static bool looks_like_control(const uint8_t *data)
{
	uint32_t source = load_be32(data + 12);

	return source == 0 || (source & load_be32(data + 16)) == UINT32_MAX;
}

/* It is the one that has to come; returns its length, or 0: not all is here. */
static size_t check_control(struct connection *c, const uint8_t *data,
			    size_t len)
{
	const uint8_t *head = c->control + c->control_begin;
	size_t message_len;

	check(c->control_end > c->control_begin);
	message_len = load_be16(head);
	if (len < message_len)
		return 0;
	check(memcmp(data, head + 2, message_len) == 0);
	c->control_begin += 2 + message_len;
	return message_len;
}

static void check_data(struct connection *c, uint8_t *data,
		       const struct frame *frame)
{
	struct packet packet = {
		.data = data + frame->packet_offset,
		.len = frame->len - frame->packet_offset,
		.segment_size = frame->segment_size,
		.checksum_partial = frame->checksum_partial,
	};
	uint32_t source = ippkt_source(packet.data);
	uint32_t host = ippkt_destination(packet.data) - NETWORK;

	check(c->replied && ippkt_valid(packet.data, packet.len));
	check(host < N_HOSTS && c->addresses >> host & 1);
	check(source - NETWORK < N_HOSTS ? source == SERVER ||
	      f.all_addresses >> (source - NETWORK) & 1 :
	      f.server.gateway != NULL);
	check((!packet.segment_size && !packet.checksum_partial) ||
	      c->segments);
	check((packet.segment_size ? segment_max_len(&packet) : packet.len) <=
	      (c->base_only ? 1500 : f.config.mtu));
	if (c->base_only)
		check(c->heard_since || (c->unread_zero &&
		      fake_now_ms() >= c->replied_ms + 100));
	check_payload(c, &packet);
}

/* Returns the bytes of whole messages. */
static size_t decode(struct connection *c, uint8_t *data, size_t len)
{
	struct frame_rules rules = {
		.from_server = true,
		.joined = true,
		.segments = c->segments,
		.max_packet = FRAME_MAX_PACKET,
	};
	struct frame frame;
	size_t at = 0, n;

	for (; len - at >= FRAME_CONTROL_LEN; at += n) {
		if (looks_like_control(data + at)) {
			n = check_control(c, data + at, len - at);
			if (n == 0)
				break;
			continue;
		}
		frame_next(&rules, data + at, len - at, &frame);
		if (frame.kind == FRAME_MORE)
			break;
		check(frame.kind == FRAME_IPV4);
		check_data(c, data + at, &frame);
		n = frame.len;
	}
	return at;
}

void driver_sent(int fd, const uint8_t *data, size_t len)
{
	struct connection *c = &f.connections[fd];
	size_t used = 0, n;

	while (len > 0) {
		n = MAX_DATA - c->out_len < len ? MAX_DATA - c->out_len : len;
		memcpy(c->out + c->out_len, data, n);
		c->out_len += n;
		data += n;
		len -= n;
		used = decode(c, c->out, c->out_len);
		check(used > 0 || c->out_len < MAX_DATA);
		memmove(c->out, c->out + used, c->out_len - used);
		c->out_len -= used;
	}
}

void driver_accepted(int fd)
{
	struct connection *c = &f.connections[fd];

	memset(c, 0, offsetof(struct connection, control));
	memset(c->latest, 0, sizeof(c->latest));
	c->out_len = 0;
	c->serial = (uint8_t)f.n_serials++;
	f.addresses[c->serial] = 0;
	c->base_only = true;
	c->peer = f.next_peer[0];
	c->heard_ms = fake_now_ms();
	memmove(f.next_peer, f.next_peer + 1, sizeof(f.next_peer) - 1);
	f.n_next_peers--;
}

void driver_heard(int fd, size_t len)
{
	struct connection *c = &f.connections[fd];

	check(len > 0);
	c->heard_ms = fake_now_ms();
	c->heard_since |= c->replied;
}

void driver_asked_unsent(int fd, int unsent)
{
	f.connections[fd].unread_zero |= unsent == 0;
}

/* ---- What must hold after each step ---- */

static void note_client(struct client *client, void *arg)
{
	(void)arg;
	f.clients[client->fd] = client;
}

static void find_clients(void)
{
	memset(f.clients, 0, sizeof(f.clients));
	registry_visit(f.server.registry, note_client, NULL);
}

/* Nothing stands in the middle of something: references and deadlines. */
static void check_quiet_client(const struct client *client, bool is_routed)
{
	const struct connection *c = &f.connections[client->fd];
	const struct egress *e = &client->endpoint.egress;
	uint64_t idle_ms = f.server.live.idle_timeout_s * 1000ULL;
	uint64_t now_ms = fake_now_ms();

	check(client->endpoint.references == 1U + is_routed + e->watched);
	if (fake_get(client->fd, FAKE_SOCKET)->shut_write)
		return;			/* it leaves */
	check(!e->closed);		/* or nobody would tell its thread */
	if (!f.punctual)
		return;
	if (client->rules.joined)
		check(now_ms < c->heard_ms + idle_ms + SHRINK_MS);
	else
		check(now_ms < client->accepted_ms + JOIN_DEADLINE_MS);
	if (e->armed)
		check(now_ms < e->progress_ms + STALL_MS + 2 * SCAN_MS);
}

static void check_client(const struct client *client, bool quiet,
			 uint32_t *held, uint32_t *pending)
{
	const struct connection *c = &f.connections[client->fd];
	uint32_t address = client->endpoint.address;
	struct endpoint *listed;

	check(fake_get(client->fd, FAKE_SOCKET) != NULL);
	*pending += !client->rules.joined;
	if (client->close_reason == CLOSE_TAKEN_OVER)
		check(fake_now_ms() > c->heard_ms + TAKE_OVER_SILENCE_MS);
	if (address == 0) {
		if (quiet)
			check_quiet_client(client, false);
		return;
	}
	check(address < SERVER + f.n_clients + 1 && address > SERVER);
	check((*held >> (address - NETWORK) & 1) == 0);
	*held |= 1U << (address - NETWORK);
	if (!quiet)
		return;
	listed = route_get(f.server.routes, address);
	check(listed == &client->endpoint);
	endpoint_put(listed);
	check_quiet_client(client, true);
}

static void check_server(void)
{
	bool quiet = fake_is_quiet() && f.held_steps == 0;
	uint32_t held = 0, pending = 0, i;
	struct endpoint *e;

	if (!fake_is_quiet())
		return;
	find_clients();
	for (i = 0; i < FAKE_MAX_FDS; i++)
		if (f.clients[i])
			check_client(f.clients[i], quiet, &held, &pending);
	check(!quiet || addrpool_held(f.server.pool) ==
	      (uint32_t)__builtin_popcount(held));
	check(!quiet || admission_pending(f.server.admission) == pending);
	for (i = 0; quiet && i <= ~f.server.netmask; i++) {
		e = held >> i & 1 ? NULL :
			route_get(f.server.routes, NETWORK + i);
		check(e == NULL);
	}
}

/* ---- Steps ---- */

/* Bytes from a client: those that are to come first alone, then the rest. */
static void deliver(int fd, const uint8_t *message, size_t len)
{
	struct fake_fd *s = fake_get(fd, FAKE_SOCKET);
	size_t part = f.cut > 0 && f.cut < len ? f.cut : len;
	uint8_t *inbox;

	f.cut = 0;
	while (s && len > 0) {
		inbox = fake_receive(s, part);
		if (!inbox) {	/* maybe in the middle of a message */
			f.payloads_known = false;
			return;
		}
		memcpy(inbox, message, part);
		message += part;
		len -= part;
		part = len;
		if (len > 0) {
			fake_run();
			s = fake_get(fd, FAKE_SOCKET);
		}
	}
}

static void connect_one(void)
{
	struct sockaddr_storage peer = { 0 };
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)(void *)&peer;
	struct sockaddr_in *in = (struct sockaddr_in *)(void *)&peer;
	uint8_t which = next_byte() % N_PEERS;

	if (which < 2) {
		in->sin_family = AF_INET;
		in->sin_addr.s_addr = which;
	} else {
		in6->sin6_family = AF_INET6;
		in6->sin6_addr.s6_addr[0] = 0x20;
		in6->sin6_addr.s6_addr[7] = which;
	}
	if (f.n_serials < N_SERIALS && fake_connect(&peer))
		f.next_peer[f.n_next_peers++] = which;
}

static void request(int fd, bool any_header)
{
	static const uint16_t flags[] = {
		0, MSG_FLAG_OPTIONS, MSG_FLAG_OPTIONS | MSG_FLAG_SEGMENTS,
		MSG_FLAG_SEGMENTS, 0xffff, 0, 0, 0,
	};
	uint8_t message[FRAME_CONTROL_LEN];
	uint8_t what = next_byte();
	int i;

	msg_write_request(message, what % N_HOSTS ? NETWORK + what % N_HOSTS :
			  0, flags[what >> 4 & 7]);
	for (i = 0; any_header && i < 12; i++)
		message[i] = next_byte();
	if (what & 0x80)
		store_be32(message + 12, OUTSIDE);
	deliver(fd, message, sizeof(message));
}

static void keepalives(int fd)
{
	uint8_t message[FRAME_CONTROL_LEN];
	uint32_t n = next_byte() % 150;

	msg_write_keepalive(message);
	while (n-- > 0) {
		message[5] = (uint8_t)n;
		deliver(fd, message, sizeof(message));
	}
}

/* Two bytes tell what it is, a third by whom it claims to be. */
static void read_shape(struct shape *shape, uint8_t serial, uint32_t source)
{
	static const uint32_t special[] = {
		0xe0000001, 0xffffffff, OUTSIDE, SERVER, 0, 0x0a000111,
		0x7f000001, OUTSIDE + 1,
	};
	static const uint16_t lengths[] = {
		TAG_LEN, TAG_LEN + 1, 64, 400, 1000, 1472, 1472, 1472, 1473,
		3000, 8972, 8973, 0, 20000, FRAME_MAX_PACKET - HEADERS, 64,
	};
	uint8_t to = next_byte(), what = next_byte(), from = next_byte();

	memset(shape, 0, sizeof(*shape));
	shape->destination = to < 0x80 ? NETWORK + (uint32_t)to % N_HOSTS :
		special[to % 8];
	shape->source = from < 0xf0 ? source :
		NETWORK + (uint32_t)from % N_HOSTS;
	shape->serial = serial;
	shape->payload_len = lengths[what % 16];
	shape->dont_fragment = what & 0x10;
	shape->partial = what & 0x20;
	if ((what & 0x60) == 0x60 && shape->payload_len >= 400)
		shape->segment_size = (uint16_t)(from % 8 < 6 ?
				200 * (1 + from % 8) : 9000);
	/* The last segment has room for a tag as well. */
	if (shape->segment_size)
		shape->payload_len -= shape->payload_len %
			shape->segment_size < TAG_LEN ?
			shape->payload_len % shape->segment_size : 0;
}

static void send_packet(int fd)
{
	const struct connection *c = &f.connections[fd];
	const struct client *client = f.clients[fd];
	uint8_t *packet = scratch + FRAME_SEGMENT_PREFIX_LEN;
	struct shape shape;
	uint32_t len;

	read_shape(&shape, c->serial, client ? client->endpoint.address : 0);
	if (shape.payload_len == 0)
		shape.payload_len = TAG_LEN;
	if (shape.destination == 0)
		shape.destination = OUTSIDE;
	len = write_packet(packet, &shape);
	if (!shape.partial) {
		deliver(fd, packet, len);
		return;
	}
	if (!c->segments)	/* who knows what the server takes it for */
		f.payloads_known = false;
	frame_write_prefix(scratch, shape.segment_size, true);
	deliver(fd, scratch, len + FRAME_SEGMENT_PREFIX_LEN);
}

static void tun_packets(void)
{
	uint32_t n = 1 + next_byte() % 8;

	read_shape(&f.tun_shape, SERIAL_TUN, OUTSIDE);
	/* The kernel's own host is no client. */
	if (f.tun_shape.source != 0)
		f.tun_shape.source = OUTSIDE;
	if (f.server.gateway)
		f.n_tun_packets = n;
}

static void raw(int fd)
{
	size_t n = next_byte();

	if (n > (size_t)(f.in_end - f.in))
		n = (size_t)(f.in_end - f.in);
	if (n == 0)
		return;
	f.payloads_known = false;
	memcpy(scratch, f.in, n);
	f.in += n;
	deliver(fd, scratch, n);
}

static void make_room(struct fake_fd *s)
{
	static const uint32_t sizes[] = {
		1, 19, 20, 21, 100, 1499, 1500, 1501, 3000, 10000, 16384,
		40000, 65536, 131072, 262144, 1048576,
	};
	uint8_t what = next_byte();

	s->room = (what & 0x10 ? 0 : s->room) + sizes[what % 16] - 1;
}

static void trouble(struct fake_fd *s)
{
	static const int errors[] = {
		EAGAIN, EINTR, ENOBUFS, ENOMEM, EPIPE, ECONNRESET, ETIMEDOUT,
		EINTR,
	};
	uint8_t what = next_byte();

	switch (what >> 3 & 7) {
	case 0:
		s->send_error = errors[what & 7];
		break;
	case 1:
		s->receive_error = what & 1 ? ECONNRESET : EINTR;
		f.punctual = false;
		break;
	case 2:
		s->peer_closed = true;
		break;
	case 3:
		s->unsent = what & 1;
		break;
	case 4:
		s->receive_error = ECONNRESET;
		s->send_error = EPIPE;
		break;
	case 5:
		f.tun_failures = what & 7;
		break;
	default:
		break;
	}
}

static void shortage(void)
{
	uint8_t what = next_byte();
	uint32_t nth = 1 + (what >> 3 & 7);

	switch (what & 7) {
	case 0:
		fake_fail_accept(nth, what & 0x40 ? EMFILE : ENFILE);
		break;
	case 1:
		fake_fail_accept(nth, what & 0x40 ? ENOMEM : ECONNABORTED);
		break;
	case 2:
		fake_fail_thread(nth);
		break;
	case 3:
		fake_fail_epoll(nth);
		break;
	default:
		fake_fail_memory(nth);
	}
}

static void pass_time(void)
{
	static const uint32_t times_ms[] = {
		1, 5, 6, 50, 99, 100, 101, 500, 1000, 1001, 2001, 5000, 10000,
		15000, 20001, 60000,
	};

	/* A client's thread that waits for another one looks at its own
	 * deadlines later. */
	f.punctual &= fake_is_quiet();
	fake_advance(times_ms[next_byte() % 16]);
}

/* An open socket that the server reads; -1: there is none. */
static int choose_socket(uint32_t which)
{
	int sockets[FAKE_MAX_FDS] = { 0 };
	int n = 0, fd;

	for (fd = 0; fd < FAKE_MAX_FDS; fd++)
		if (fake_get(fd, FAKE_SOCKET))
			sockets[n++] = fd;
	return n > 0 ? sockets[which % (uint32_t)n] : -1;
}

static void step_of_socket(uint8_t what, int fd)
{
	find_clients();
	switch (what) {
	case 0:
		request(fd, false);
		break;
	case 1:
		request(fd, true);
		break;
	case 2:
	case 3:
		send_packet(fd);
		break;
	case 4:
		keepalives(fd);
		break;
	case 5:
		raw(fd);
		break;
	case 6:
		make_room(fake_get(fd, FAKE_SOCKET));
		break;
	case 7:
		trouble(fake_get(fd, FAKE_SOCKET));
		break;
	default:
		if (f.clients[fd])
			client_shut(f.clients[fd], CLOSE_EVICTED);
	}
}

static void step(void)
{
	uint8_t op = next_byte();
	int fd;

	switch (op % 16) {
	case 9:
		connect_one();
		break;
	case 10:
		pass_time();
		break;
	case 11:
		tun_packets();
		break;
	case 12:
		f.punctual = false;
		fake_pause_at(1 + next_byte() % 32);
		break;
	case 13:
		fake_resume();
		break;
	case 14:
		shortage();
		break;
	case 15:
		f.cut = next_byte();
		f.held_steps = op >> 4;
		break;
	default:
		fd = choose_socket(op >> 4);
		if (fd >= 0)
			step_of_socket(op % 16, fd);
	}
}

/* ---- The whole run ---- */

static void make_admissions(void)
{
	struct admission_limits limits = {
		.max_pending = 8,
		.max_pending_source = 8,
		.rate_source = 1000,
		.burst_source = 1000,
		.penalty_ms = 2000,
		.penalty_threshold_ms = 10000,
		.penalty_max_ms = 60000,
	};
	const uint64_t seed[2] = { 1, 2 };
	int i;

	for (i = 0; i < N_ADMISSIONS; i++) {
		if (i & 1) {
			limits.rate_source = 1;
			limits.burst_source = 4;
			limits.max_pending = 4;
		}
		limits.max_clients_source = i & 2 ? 2 : 0;
		limits.max_pending_source = i & 2 ? 2 : 8;
		f.admissions[i] = admission_new(seed);
		check(f.admissions[i] != NULL);
		admission_set_limits(f.admissions[i], &limits);
	}
}

static void configure(void)
{
	struct server *s = &f.server;
	uint8_t a = next_byte(), b = next_byte();

	memset(&f.config, 0, sizeof(f.config));
	f.config.network.address = NETWORK;
	f.config.network.prefix_len = b & 8 ? 29 : 28;
	f.config.no_tun = !(a & 1);
	f.config.mtu = a & 2 ? 9000 : 1500;
	memset(s, 0, sizeof(*s));
	s->live.idle_timeout_s = a & 4 ? 20 : 60;
	f.config.idle_timeout_s = s->live.idle_timeout_s;
	s->live.flush_timeout_s = a & 8 ? 3 : 0;
	s->config = &f.config;
	s->network = NETWORK;
	s->netmask = b & 8 ? 0xfffffff8U : 0xfffffff0U;
	f.n_clients = ~s->netmask - 2;
	s->address = SERVER;
	s->limits.queue_bytes = a & 16 ? 256 * 1024 : 20000;
	s->limits.queue_packets = a & 32 ? 4096 : 16;
	s->limits.stall_ms = STALL_MS;
	s->limits.wait_ms = b & 4 ? 5 : 0;
	s->limits.patience_ms = 1000;
	s->limits.memory = a & 64 ? 100 * 1024 : 1024 * 1024;
	s->admission = f.admissions[b % N_ADMISSIONS];
	f.config.max_clients = a & 128 ? 3 : 0;
}

static void start(void)
{
	struct server *s = &f.server;
	uint32_t max = f.config.max_clients;

	s->pool = addrpool_new(NETWORK, f.config.network.prefix_len, SERVER);
	s->routes = route_new(NETWORK, f.config.network.prefix_len);
	s->registry = registry_new();
	s->push = push_new(&f.config);
	s->drain = drain_new(&s->limits);
	check(s->pool && s->routes && s->registry && s->push && s->drain);
	addrpool_set_max_held(s->pool, max ? max : UINT32_MAX);
	if (!f.config.no_tun)
		check(gateway_open(s) == 0 && gateway_start(s->gateway) == 0);
	f.acceptor = accept_open(s);
	check(f.acceptor && accept_start(f.acceptor) == 0);
	fake_run();
}

static void end_client(struct client *client, void *arg)
{
	(void)arg;
	client_end(client);
}

/* As the server's main thread does it. */
static void stop(void)
{
	struct server *s = &f.server;
	uint64_t next_ms;

	accept_stop(f.acceptor);
	if (s->gateway)
		gateway_stop(s->gateway);
	registry_visit(s->registry, end_client, NULL);
	while (registry_count(s->registry) > 0) {
		fake_resume();
		fake_run();
		registry_reap(s->registry);
		next_ms = fake_next_deadline_ms();
		if (next_ms != UINT64_MAX && next_ms > fake_now_ms())
			fake_advance(next_ms - fake_now_ms());
	}
	check(addrpool_held(s->pool) == 0);
	check(admission_pending(s->admission) == 0);
	drain_free(s->drain);
	accept_close(f.acceptor);
	gateway_close(s->gateway);
	registry_free(s->registry);
	push_free(s->push);
	route_free(s->routes);
	addrpool_free(s->pool);
}

static void prepare(void)
{
	size_t i;

	for (i = 0; i < PATTERN_LEN; i++)
		pattern[i] = (uint8_t)(i * 7 + (i >> 8));
	f.now_ms = START_MS;
	fake_reset(f.now_ms);
	make_admissions();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint32_t n_memory;

	if (f.now_ms == 0)
		prepare();
	fake_reset(f.now_ms);
	n_memory = fake_n_memory();
	f.in = data;
	f.in_end = data + size;
	f.all_addresses = 0;
	f.n_serials = f.n_numbers = f.n_next_peers = f.cut = 0;
	f.held_steps = f.n_tun_packets = f.tun_failures = 0;
	f.payloads_known = f.ordered = f.punctual = true;
	configure();
	start();
	while (f.in < f.in_end) {
		step();
		if (f.held_steps > 0) {
			f.held_steps--;
			continue;
		}
		fake_run();
		check_server();
	}
	fake_fail_accept(0, 0);
	fake_fail_memory(0);
	fake_fail_thread(0);
	fake_fail_epoll(0);
	fake_pause_at(0);
	fake_resume();
	f.held_steps = 0;
	fake_run();
	check_server();
	stop();
	check(fake_n_open() == 0 && fake_n_memory() == n_memory);
	f.now_ms = fake_now_ms() + REST_MS;
	return 0;
}

#ifdef __clang__
#pragma clang attribute pop
#endif
