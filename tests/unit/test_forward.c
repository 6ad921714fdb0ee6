/* SPDX-License-Identifier: MIT */
/*
 * Tests of server/forward: a hub made by hand, with a few clients on socket
 * pairs.  The gateway is a fake that keeps what it is given.
 */
#include "server/forward.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/segment.h"
#include "proto/frame.h"
#include "proto/ippkt.h"
#include "proto/wire.h"
#include "server/drain.h"
#include "server/gateway.h"
#include "server/route.h"
#include "server/server.h"
#include "tests/unit/packets.h"
#include "tests/unit/server_test.h"

enum {
	NETWORK = 0x0a000000,
	SERVER = 0x0a000001,
	A = 0x0a000002,		/* the clients; A is the sender */
	B = 0x0a000003,
	C = 0x0a000004,
	NOBODY = 0x0a000099,
	OUTSIDE = 0x08080808,
	N_CLIENTS = 3,
	SMALLEST = 28,		/* an IPv4 and a UDP header */
	AREA = 512 * 1024,
	N_RUNS = 2100,		/* more than two sends take */
	N_MANY = 1500,		/* more destinations than a batch has */
	ICMP_BURST = 50,
	ICMP_INTERVAL_MS = 20,
};

/* ---- The fake gateway ---- */

struct gateway {
	struct endpoint endpoint;
	size_t len;
	uint8_t bytes[64 * 1024];	/* of gateway_send() */
	struct packet written;		/* of gateway_write(); len 0: none */
	uint8_t written_bytes[IPPKT_ICMP_ERROR_MAX];
};

struct endpoint *gateway_endpoint(struct gateway *g)
{
	return &g->endpoint;
}

void gateway_send(struct gateway *g, struct coalesce **coalesce,
		  const struct iovec *iov, int n)
{
	int i;

	(void)coalesce;
	ck_assert_int_le(n, EGRESS_MAX_IOV);
	for (i = 0; i < n; i++) {
		ck_assert_uint_le(g->len + iov[i].iov_len, sizeof(g->bytes));
		memcpy(g->bytes + g->len, iov[i].iov_base, iov[i].iov_len);
		g->len += iov[i].iov_len;
	}
}

void gateway_write(struct gateway *g, const struct packet *packet)
{
	g->written = *packet;
	memcpy(g->written_bytes, packet->data, packet->len);
}

/* ---- The hub ---- */

static const struct egress_limits limits = {
	.queue_bytes = 1024 * 1024,
	.queue_packets = 65536,
	.stall_ms = 3600 * 1000,
	.memory = UINT64_MAX,
};

static struct server server;
static struct end clients[N_CLIENTS];
static struct gateway gateway;
static struct forward forward;
static void *batch;
static uint8_t *area, *area_end;	/* what the sender has read */

static void never_released(struct endpoint *e)
{
	(void)e;
}

static void set_up(void)
{
	uint32_t i;

	server.network = NETWORK;
	server.netmask = 0xffff0000;
	server.address = SERVER;
	server.limits = limits;
	server.routes = route_new(NETWORK, 16);
	server.drain = drain_new(&limits);
	ck_assert_ptr_nonnull(server.routes);
	ck_assert_ptr_nonnull(server.drain);
	for (i = 0; i < N_CLIENTS; i++) {
		end_init(&clients[i], server.drain, &limits, 0);
		clients[i].endpoint.address = A + i;
		route_add(server.routes, A + i, &clients[i].endpoint);
	}
	gateway.endpoint.references = 1;
	gateway.endpoint.release = never_released;
	gateway.endpoint.is_gateway = true;
	gateway.endpoint.address = SERVER;
	gateway.endpoint.takes_segments = true;
	gateway.endpoint.mtu = FRAME_MAX_PACKET;
	batch = calloc(1, forward_batch_size());
	area_end = area = malloc(AREA);
	ck_assert_ptr_nonnull(batch);
	ck_assert_ptr_nonnull(area);
	forward_init(&forward, &server, &clients[0].endpoint, batch);
}

static void tear_down(void)
{
	uint32_t i;

	forward_flush(&forward);
	forward_idle(&forward);
	for (i = 0; i < N_CLIENTS; i++)
		route_remove(server.routes, A + i, &clients[i].endpoint);
	ends_fini(clients, N_CLIENTS, server.drain);
	ck_assert_uint_eq(gateway.endpoint.references, 1);
	route_free(server.routes);
	free(batch);
	free(area);
}

/* From now on the TUN is where packets come from. */
static void send_from_gateway(void)
{
	server.gateway = &gateway;
	forward_init(&forward, &server, &gateway.endpoint, batch);
}

/* ---- Packets in the sender's area ---- */

static struct spec udp(uint32_t source, uint32_t destination, uint32_t len)
{
	struct spec spec = spec_udp(len - SMALLEST);

	spec.source = source;
	spec.destination = destination;
	return spec;
}

/* Put a packet behind the others, or, with a gap, apart from them. */
static struct packet put(const struct spec *spec, uint32_t gap)
{
	struct packet packet;

	area_end += gap;
	packet = (struct packet){
		.data = area_end, .len = spec_write(spec, area_end),
	};
	area_end += packet.len;
	ck_assert(area_end <= area + AREA);
	return packet;
}

/* Put one and forward it; returns where it is. */
static uint8_t *forward_udp(uint32_t source, uint32_t destination,
			    uint32_t len)
{
	struct spec spec = udp(source, destination, len);
	struct packet packet = put(&spec, 0);

	forward_packet(&forward, &packet);
	return packet.data;
}

/* The same, of a certain size and with DF or without. */
static void forward_sized(uint32_t destination, uint32_t len, bool df)
{
	struct spec spec = udp(A, destination, len);
	struct packet packet;

	spec.fragment = df ? DF : 0;
	packet = put(&spec, 0);
	forward_packet(&forward, &packet);
}

static uint64_t drops(enum drop_reason reason)
{
	return counter_get(&forward.from->stats.drops[reason]);
}

static uint64_t all_drops(void)
{
	uint64_t n = 0;
	int i;

	for (i = 0; i < DROP_N_REASONS; i++)
		n += drops((enum drop_reason)i);
	return n;
}

/* What client has got is exactly these bytes. */
static void check_got(uint32_t client, const uint8_t *expected, size_t len)
{
	uint8_t *got = malloc(len + 1);

	ck_assert_uint_eq(end_readable(&clients[client - A]), len);
	end_read(&clients[client - A], got, len);
	ck_assert_mem_eq(got, expected, len);
	free(got);
}

static void check_got_nothing(void)
{
	uint32_t i;

	forward_flush(&forward);
	for (i = 0; i < N_CLIENTS; i++)
		ck_assert_uint_eq(end_readable(&clients[i]), 0);
	ck_assert_uint_eq(gateway.len, 0);
}

/* ---- Destinations ---- */

START_TEST(forward_to_a_client_arrives_unchanged)
{
	uint8_t *first = forward_udp(A, B, 100);

	forward_udp(A, B, 60);
	ck_assert_uint_eq(end_readable(&clients[1]), 0);
	forward_flush(&forward);
	check_got(B, first, 160);
	ck_assert_uint_eq(counter_get(&clients[0].endpoint.stats.rx_packets),
			  2);
	ck_assert_uint_eq(counter_get(&clients[0].endpoint.stats.rx_bytes),
			  160);
	ck_assert_uint_eq(counter_get(&clients[1].endpoint.stats.tx_packets),
			  2);
	ck_assert_uint_eq(all_drops(), 0);
}
END_TEST

START_TEST(forward_to_several_keeps_the_order_of_each)
{
	uint8_t to_b[3 * 60], to_c[2 * 60];

	memcpy(to_b, forward_udp(A, B, 60), 60);
	memcpy(to_c, forward_udp(A, C, 60), 60);
	memcpy(to_b + 60, forward_udp(A, B, 60), 60);
	memcpy(to_b + 120, forward_udp(A, B, 60), 60);
	memcpy(to_c + 60, forward_udp(A, C, 60), 60);
	forward_flush(&forward);
	check_got(B, to_b, sizeof(to_b));
	check_got(C, to_c, sizeof(to_c));
}
END_TEST

START_TEST(forward_to_its_own_address_comes_back)
{
	uint8_t *packet = forward_udp(A, A, 80);

	forward_flush(&forward);
	check_got(A, packet, 80);
}
END_TEST

START_TEST(forward_wrong_source_is_dropped)
{
	static const uint32_t sources[] = { B, SERVER, NOBODY, OUTSIDE, 0 };
	size_t i;

	for (i = 0; i < sizeof(sources) / sizeof(sources[0]); i++)
		forward_udp(sources[i], B, 60);
	check_got_nothing();
	ck_assert_uint_eq(drops(DROP_SPOOFED_SOURCE), 5);
	ck_assert_uint_eq(all_drops(), 5);
	ck_assert_uint_eq(counter_get(&clients[0].endpoint.stats.rx_packets),
			  0);
}
END_TEST

START_TEST(forward_follows_the_senders_new_address)
{
	uint8_t *packet;

	clients[0].endpoint.address = NOBODY;
	forward_udp(A, B, 60);
	packet = forward_udp(NOBODY, B, 60);
	forward_flush(&forward);
	check_got(B, packet, 60);
	ck_assert_uint_eq(drops(DROP_SPOOFED_SOURCE), 1);
}
END_TEST

START_TEST(forward_broadcast_and_multicast_are_not_replicated)
{
	server.gateway = &gateway;
	forward_udp(A, NETWORK, 60);
	forward_udp(A, NETWORK + 0xffff, 60);
	forward_udp(A, UINT32_MAX, 60);
	ck_assert_uint_eq(drops(DROP_BROADCAST), 3);
	forward_udp(A, 0xe0000001, 60);
	forward_udp(A, 0xefffffff, 60);
	ck_assert_uint_eq(drops(DROP_MULTICAST), 2);
	check_got_nothing();
	ck_assert_uint_eq(all_drops(), 5);
}
END_TEST

static void check_unreachable(const uint8_t *icmp, const uint8_t *offender,
			      uint32_t offender_len)
{
	ck_assert(ippkt_valid(icmp, 28 + offender_len));
	ck_assert_uint_eq(ippkt_destination(icmp), ippkt_source(offender));
	ck_assert_uint_eq(icmp[9], IPPKT_ICMP);
	ck_assert_uint_eq(icmp[20], 3);
	ck_assert_uint_eq(icmp[21], 1);
	ck_assert_mem_eq(icmp + 28, offender, offender_len);
}

START_TEST(forward_to_nobody_answers_host_unreachable)
{
	uint8_t icmp[88], *packet = forward_udp(A, NOBODY, 60);

	ck_assert_uint_eq(end_readable(&clients[0]), sizeof(icmp));
	end_read(&clients[0], icmp, sizeof(icmp));
	check_unreachable(icmp, packet, 60);
	ck_assert_uint_eq(ippkt_source(icmp), SERVER);
	ck_assert_uint_eq(drops(DROP_NO_SUCH_CLIENT), 1);
	check_got_nothing();
}
END_TEST

START_TEST(forward_icmp_errors_are_limited_in_rate)
{
	uint64_t start_ms = clock_now_ms(), took_ms;
	size_t n, i;

	for (i = 0; i < 200; i++)
		forward_udp(A, NOBODY, 60);
	took_ms = clock_now_ms() - start_ms;
	n = end_readable(&clients[0]) / 88;
	ck_assert_uint_ge(n, ICMP_BURST);
	ck_assert_uint_le(n, ICMP_BURST + took_ms / ICMP_INTERVAL_MS + 1);
	ck_assert_uint_eq(drops(DROP_NO_SUCH_CLIENT), 200);
}
END_TEST

START_TEST(forward_icmp_error_about_an_icmp_error_is_not_sent)
{
	struct spec spec = udp(A, NOBODY, 60);
	struct packet packet = put(&spec, 0);

	packet.data[9] = IPPKT_ICMP;
	packet.data[20] = 3;
	forward_packet(&forward, &packet);
	ck_assert_uint_eq(drops(DROP_NO_SUCH_CLIENT), 1);
	check_got_nothing();
}
END_TEST

/* ---- The gateway ---- */

START_TEST(forward_everything_else_goes_to_the_gateway_in_order)
{
	uint8_t *first;

	server.gateway = &gateway;
	first = forward_udp(A, SERVER, 60);
	forward_udp(A, OUTSIDE, 70);
	forward_udp(A, 0x09ffffff, 80);
	forward_udp(A, NETWORK + 0x10000, 90);
	ck_assert_uint_eq(gateway.len, 0);
	forward_flush(&forward);
	ck_assert_uint_eq(gateway.len, 300);
	ck_assert_mem_eq(gateway.bytes, first, 300);
	ck_assert_uint_eq(all_drops(), 0);
}
END_TEST

START_TEST(forward_without_gateway_answers_host_unreachable)
{
	uint8_t icmp[88], *packet = forward_udp(A, OUTSIDE, 60);

	end_read(&clients[0], icmp, sizeof(icmp));
	check_unreachable(icmp, packet, 60);
	packet = forward_udp(A, SERVER, 60);
	end_read(&clients[0], icmp, sizeof(icmp));
	check_unreachable(icmp, packet, 60);
	ck_assert_uint_eq(drops(DROP_NO_GATEWAY), 2);
	check_got_nothing();
}
END_TEST

START_TEST(forward_from_the_gateway_reaches_the_owner)
{
	uint8_t *packet;

	send_from_gateway();
	packet = forward_udp(OUTSIDE, B, 60);
	forward_flush(&forward);
	check_got(B, packet, 60);
}
END_TEST

START_TEST(forward_from_the_gateway_to_nobody_is_answered_there)
{
	uint8_t *packet;

	send_from_gateway();
	packet = forward_udp(OUTSIDE, NOBODY, 60);
	ck_assert_uint_eq(gateway.written.len, 88);
	check_unreachable(gateway.written_bytes, packet, 60);
	forward_udp(SERVER, OUTSIDE, 60);	/* never back to where it was */
	check_got_nothing();
	ck_assert_uint_eq(drops(DROP_NO_SUCH_CLIENT), 2);
}
END_TEST

/* A client would take it for an address reply and lose its place. */
START_TEST(forward_from_the_gateway_never_looks_like_a_reply)
{
	send_from_gateway();
	forward_udp(0, B, 60);
	check_got_nothing();
	ck_assert_uint_eq(all_drops(), 1);
}
END_TEST

/* ---- Sizes ---- */

/* What is explained is what happens, reason for reason. */
static void check_explained(uint32_t source, uint32_t destination)
{
	uint64_t before[DROP_N_REASONS];
	struct forward_fate fate;
	int i;

	for (i = 0; i < DROP_N_REASONS; i++)
		before[i] = drops((enum drop_reason)i);
	forward_explain(&server, source, destination, &fate);
	ck_assert(fate.has_sender);
	ck_assert(fate.from_gateway == forward.from->is_gateway);
	forward_udp(source, destination, 60);
	for (i = 0; i < DROP_N_REASONS; i++)
		ck_assert_msg(drops((enum drop_reason)i) - before[i] ==
			      (fate.drop == (enum drop_reason)i),
			      "%x to %x: explained as %d", source, destination,
			      (int)fate.drop);
	/* Handed over to the gateway alone, or not at all. */
	gateway.len = 0;
	forward_flush(&forward);
	ck_assert((gateway.len > 0) == fate.to_gateway);
}

START_TEST(forward_explanation_is_what_happens)
{
	static const uint32_t destinations[] = {
		A, B, C, NOBODY, SERVER, OUTSIDE, NETWORK, NETWORK + 0xffff,
		0, UINT32_MAX, 0xdfffffff, 0xe0000000, 0xf0000001,
	};
	size_t i;

	for (i = 0; i < sizeof(destinations) / sizeof(destinations[0]); i++) {
		server.gateway = NULL;
		forward.from = &clients[0].endpoint;
		check_explained(A, destinations[i]);
		server.gateway = &gateway;
		check_explained(A, destinations[i]);
		send_from_gateway();
		check_explained(OUTSIDE, destinations[i]);
		check_explained(SERVER, destinations[i]);
		check_explained(0, destinations[i]);
	}
}
END_TEST

START_TEST(forward_as_long_as_the_mtu_passes)
{
	clients[1].endpoint.mtu = 1000;
	forward_sized(B, 1000, true);
	forward_sized(C, 1500, true);
	forward_flush(&forward);
	check_got(B, area, 1000);
	check_got(C, area + 1000, 1500);
}
END_TEST

START_TEST(forward_too_big_with_df_is_answered)
{
	uint8_t icmp[IPPKT_ICMP_ERROR_MAX];

	clients[1].endpoint.mtu = 1000;
	forward_sized(B, 1001, true);
	ck_assert_uint_eq(end_readable(&clients[0]), sizeof(icmp));
	end_read(&clients[0], icmp, sizeof(icmp));
	ck_assert(ippkt_valid(icmp, sizeof(icmp)));
	ck_assert_uint_eq(ippkt_source(icmp), SERVER);
	ck_assert_uint_eq(ippkt_destination(icmp), A);
	ck_assert_uint_eq(icmp[20], 3);
	ck_assert_uint_eq(icmp[21], 4);
	ck_assert_uint_eq(load_be16(icmp + 26), 1000);
	ck_assert_uint_eq(drops(DROP_TOO_BIG), 1);
	check_got_nothing();
}
END_TEST

START_TEST(forward_too_big_without_df_is_dropped)
{
	clients[1].endpoint.mtu = 1000;
	forward_sized(B, 1001, false);
	forward_sized(C, 1501, false);
	check_got_nothing();
	ck_assert_uint_eq(drops(DROP_TOO_BIG), 2);
}
END_TEST

/* ---- Super-packets and partial checksums ---- */

/* A packet with its prefix, as a capable client sends it. */
static struct packet put_special(const struct spec *spec, uint16_t size)
{
	struct packet packet = put(spec, FRAME_SEGMENT_PREFIX_LEN);

	naive_partial(packet.data, packet.len);
	packet.segment_size = size;
	packet.checksum_partial = true;
	frame_write_prefix(packet.data - FRAME_SEGMENT_PREFIX_LEN, size,
			   true);
	return packet;
}

static struct spec tcp(uint32_t destination, uint32_t payload_len)
{
	struct spec spec = spec_tcp(payload_len);

	spec.source = A;
	spec.destination = destination;
	return spec;
}

START_TEST(forward_super_packet_to_a_capable_end_keeps_its_prefix)
{
	struct spec spec = tcp(B, 10000);
	struct packet packet = put_special(&spec, 1000);

	clients[1].endpoint.takes_segments = true;
	forward_packet(&forward, &packet);
	forward_flush(&forward);
	check_got(B, packet.data - FRAME_SEGMENT_PREFIX_LEN,
		  packet.len + FRAME_SEGMENT_PREFIX_LEN);
}
END_TEST

START_TEST(forward_super_packet_to_a_plain_end_is_segmented)
{
	struct spec spec = tcp(B, 10000);
	struct packet packet = put_special(&spec, 1400);
	size_t len = segment_size(&packet);
	uint8_t *expected = malloc(len);

	segment_write(&packet, expected);
	forward_packet(&forward, &packet);
	forward_flush(&forward);
	check_got(B, expected, len);
	ck_assert_uint_eq(counter_get(&clients[1].endpoint.stats.tx_packets),
			  8);
	free(expected);
}
END_TEST

START_TEST(forward_segments_and_plain_packets_keep_their_order)
{
	struct spec small = tcp(B, 10), large = tcp(B, 5000);
	struct packet packets[3] = {
		put(&small, 0), put_special(&large, 1400), put(&small, 0),
	};
	size_t n = packets[0].len, len = segment_size(&packets[1]), i;
	uint8_t *expected = malloc(2 * n + len);

	memcpy(expected, packets[0].data, n);
	segment_write(&packets[1], expected + n);
	memcpy(expected + n + len, packets[2].data, n);
	for (i = 0; i < 3; i++)
		forward_packet(&forward, &packets[i]);
	forward_flush(&forward);
	check_got(B, expected, 2 * n + len);
	free(expected);
}
END_TEST

START_TEST(forward_segments_too_big_are_answered_with_the_mtu)
{
	struct spec spec = tcp(B, 10000);
	struct packet packet = put_special(&spec, 1460);

	forward_packet(&forward, &packet);	/* 12 bytes of TCP options */
	ck_assert_uint_eq(drops(DROP_TOO_BIG), 1);
	ck_assert_uint_eq(end_readable(&clients[0]), IPPKT_ICMP_ERROR_MAX);
	forward_flush(&forward);
	ck_assert_uint_eq(end_readable(&clients[1]), 0);
}
END_TEST

START_TEST(forward_partial_checksum_is_completed_for_a_plain_end)
{
	struct spec spec = tcp(B, 500);
	struct packet packet = put_special(&spec, 0);
	uint8_t *expected = malloc(packet.len);

	memcpy(expected, packet.data, packet.len);
	naive_checksums(expected, packet.len);
	forward_packet(&forward, &packet);
	forward_flush(&forward);
	check_got(B, expected, packet.len);
	free(expected);
}
END_TEST

START_TEST(forward_unsound_super_packets_are_dropped)
{
	struct spec spec = tcp(B, 10000), fragment = tcp(B, 3000);
	struct packet tiny = put_special(&spec, SEGMENT_TCP_MIN_SIZE - 1);
	struct packet part, icmp;

	fragment.fragment = MF;
	part = put_special(&fragment, 1000);
	icmp = put_special(&spec, 0);
	icmp.data[9] = IPPKT_ICMP;
	clients[1].endpoint.takes_segments = true;
	forward_packet(&forward, &tiny);
	forward_packet(&forward, &part);
	forward_packet(&forward, &icmp);
	check_got_nothing();
	ck_assert_uint_eq(drops(DROP_MALFORMED), 3);
}
END_TEST

/* Segments of many super-packets need more memory than a batch has. */
START_TEST(forward_more_segments_than_fit_the_batch_arrive)
{
	struct spec spec = tcp(B, 60000);
	size_t len = 0, n;
	uint8_t *got;
	int i;

	/* Nothing is read meanwhile, so the rest waits in the queue. */
	for (i = 0; i < 8; i++) {
		struct packet packet = put_special(&spec, 1400);

		len += segment_size(&packet);
		forward_packet(&forward, &packet);
	}
	forward_flush(&forward);
	got = malloc(len);
	end_read(&clients[1], got, len);
	for (n = 0; n < len; n += load_be16(got + n + 2))
		ck_assert_uint_eq(load_be32(got + n + 16), B);
	ck_assert_uint_eq(n, len);
	ck_assert_uint_eq(end_all_drops(&clients[1]), 0);
	free(got);
}
END_TEST

/* ---- The batch's limits ---- */

START_TEST(forward_more_runs_than_a_send_takes_arrive)
{
	uint8_t *to_b = malloc(N_RUNS * SMALLEST);
	uint8_t *to_c = malloc(N_RUNS * SMALLEST);
	size_t i;

	for (i = 0; i < N_RUNS; i++) {	/* alternating: no two make a run */
		memcpy(to_b + i * SMALLEST, forward_udp(A, B, SMALLEST),
		       SMALLEST);
		memcpy(to_c + i * SMALLEST, forward_udp(A, C, SMALLEST),
		       SMALLEST);
	}
	forward_flush(&forward);
	check_got(B, to_b, N_RUNS * SMALLEST);
	check_got(C, to_c, N_RUNS * SMALLEST);
	ck_assert_uint_eq(counter_get(&clients[1].endpoint.stats.tx_packets),
			  N_RUNS);
	free(to_b);
	free(to_c);
}
END_TEST

START_TEST(forward_more_runs_than_a_send_takes_reach_the_gateway)
{
	size_t i;

	server.gateway = &gateway;
	for (i = 0; i < 1100; i++) {
		forward_udp(A, OUTSIDE, SMALLEST);
		forward_udp(A, B, SMALLEST);
	}
	forward_flush(&forward);
	ck_assert_uint_eq(gateway.len, 1100 * SMALLEST);
	for (i = 0; i < gateway.len; i += SMALLEST)
		ck_assert_mem_eq(gateway.bytes + i, area, SMALLEST);
}
END_TEST

static uint64_t n_closed(const struct end *end)
{
	return end_drops(end, DROP_CLOSED);
}

/* Their connections are shut, so each counts what it was to be handed. */
START_TEST(forward_more_destinations_than_a_batch_has)
{
	struct end *many = calloc(N_MANY, sizeof(*many));
	uint32_t i, round;

	for (i = 0; i < N_MANY; i++) {
		many[i].endpoint.references = 1;
		many[i].endpoint.release = end_released;
		many[i].endpoint.mtu = 1500;
		egress_init(&many[i].endpoint.egress, &many[i].endpoint,
			    server.drain, &limits, -1);
		egress_shut(&many[i].endpoint.egress);
		route_add(server.routes, A + 256 + i, &many[i].endpoint);
	}
	for (round = 0; round < 2; round++)
		for (i = 0; i < N_MANY; i++)
			forward_udp(A, A + 256 + i, SMALLEST);
	forward_flush(&forward);
	for (i = 0; i < N_MANY; i++) {
		ck_assert_uint_eq(n_closed(&many[i]), 2);
		ck_assert_uint_eq(many[i].endpoint.references, 2);
		route_remove(server.routes, A + 256 + i, &many[i].endpoint);
		egress_fini(&many[i].endpoint.egress);
	}
	ck_assert_uint_eq(all_drops(), 0);
	free(many);
}
END_TEST

START_TEST(forward_batch_zeroed_in_between_works_on)
{
	uint8_t *packet;
	int i;

	for (i = 0; i < 3; i++) {
		packet = forward_udp(A, B, 60);
		forward_udp(A, NOBODY, 60);
		forward_flush(&forward);
		forward_idle(&forward);
		memset(batch, 0, forward_batch_size());
		check_got(B, packet, 60);
	}
	ck_assert_uint_eq(drops(DROP_NO_SUCH_CLIENT), 3);
}
END_TEST

START_TEST(forward_flush_gives_the_references_back)
{
	forward_udp(A, B, 60);
	ck_assert_uint_eq(clients[1].endpoint.references, 3);
	forward_flush(&forward);
	ck_assert_uint_eq(clients[1].endpoint.references, 2);
	forward_flush(&forward);
	ck_assert_uint_eq(clients[1].endpoint.references, 2);
}
END_TEST

/* The receiver leaves while packets for it are noted. */
START_TEST(forward_to_one_that_leaves_meanwhile_is_dropped)
{
	forward_udp(A, B, 60);
	route_remove(server.routes, B, &clients[1].endpoint);
	egress_shut(&clients[1].endpoint.egress);
	forward_flush(&forward);
	ck_assert_uint_eq(end_readable(&clients[1]), 0);
	ck_assert_uint_eq(n_closed(&clients[1]), 1);
	forward_udp(A, B, 60);
	ck_assert_uint_eq(drops(DROP_NO_SUCH_CLIENT), 1);
}
END_TEST

static void add_batch_tests(TCase *tc)
{
	tcase_add_test(tc, forward_more_segments_than_fit_the_batch_arrive);
	tcase_add_test(tc, forward_more_runs_than_a_send_takes_arrive);
	tcase_add_test(tc,
		       forward_more_runs_than_a_send_takes_reach_the_gateway);
	tcase_add_test(tc, forward_more_destinations_than_a_batch_has);
	tcase_add_test(tc, forward_batch_zeroed_in_between_works_on);
	tcase_add_test(tc, forward_flush_gives_the_references_back);
	tcase_add_test(tc, forward_to_one_that_leaves_meanwhile_is_dropped);
}

static Suite *forward_suite(void)
{
	Suite *suite = suite_create("forward");
	TCase *tc = tcase_create("forward");

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_set_timeout(tc, 2 * PATIENCE_S);
	tcase_add_test(tc, forward_to_a_client_arrives_unchanged);
	tcase_add_test(tc, forward_to_several_keeps_the_order_of_each);
	tcase_add_test(tc, forward_to_its_own_address_comes_back);
	tcase_add_test(tc, forward_wrong_source_is_dropped);
	tcase_add_test(tc, forward_follows_the_senders_new_address);
	tcase_add_test(tc, forward_broadcast_and_multicast_are_not_replicated);
	tcase_add_test(tc, forward_to_nobody_answers_host_unreachable);
	tcase_add_test(tc, forward_icmp_errors_are_limited_in_rate);
	tcase_add_test(tc, forward_icmp_error_about_an_icmp_error_is_not_sent);
	tcase_add_test(tc,
		       forward_everything_else_goes_to_the_gateway_in_order);
	tcase_add_test(tc, forward_without_gateway_answers_host_unreachable);
	tcase_add_test(tc, forward_from_the_gateway_reaches_the_owner);
	tcase_add_test(tc,
		       forward_from_the_gateway_to_nobody_is_answered_there);
	tcase_add_test(tc, forward_from_the_gateway_never_looks_like_a_reply);
	tcase_add_test(tc, forward_explanation_is_what_happens);
	tcase_add_test(tc, forward_as_long_as_the_mtu_passes);
	tcase_add_test(tc, forward_too_big_with_df_is_answered);
	tcase_add_test(tc, forward_too_big_without_df_is_dropped);
	tcase_add_test(tc,
		       forward_super_packet_to_a_capable_end_keeps_its_prefix);
	tcase_add_test(tc, forward_super_packet_to_a_plain_end_is_segmented);
	tcase_add_test(tc, forward_segments_and_plain_packets_keep_their_order);
	tcase_add_test(tc, forward_segments_too_big_are_answered_with_the_mtu);
	tcase_add_test(tc,
		       forward_partial_checksum_is_completed_for_a_plain_end);
	tcase_add_test(tc, forward_unsound_super_packets_are_dropped);
	add_batch_tests(tc);
	suite_add_tcase(suite, tc);
	return suite;
}

int main(void)
{
	SRunner *runner = srunner_create(forward_suite());
	int failed;

	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
