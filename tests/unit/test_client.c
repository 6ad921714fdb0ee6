/* SPDX-License-Identifier: MIT */
/*
 * Tests of server/client: one connection's life, with its deadlines and limits
 * to the millisecond.  The server runs on the miniature kernel of fake_io.h,
 * so nothing is waited for and nothing depends on chance.
 */
#include "server/client.h"

#include <check.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "common/log.h"
#include "proto/frame.h"
#include "proto/ippkt.h"
#include "proto/msg.h"
#include "proto/wire.h"
#include "server/addrpool.h"
#include "server/admission.h"
#include "server/config.h"
#include "server/drain.h"
#include "server/push.h"
#include "server/gateway.h"
#include "server/registry.h"
#include "server/route.h"
#include "server/server.h"
#include "tests/fuzz/fake_io.h"

enum {
	NETWORK = 0x0a000000,
	PREFIX_LEN = 24,
	SERVER = NETWORK + 1,
	FIRST = NETWORK + 2,	/* that the pool gives */
	START_MS = 1000000,
	JOIN_DEADLINE_MS = 10000,
	IDLE_MS = 60000,
	STALL_MS = 15000,
	SETTLE_MS = 100,
	LINGER_MS = 1000,
	ECHO_BURST = 20,
	ECHO_INTERVAL_MS = 100,
	ROOMY = 1 << 20,
	OUT_SIZE = 1 << 20,
	DATA_LEN = 100,
	QUEUE_BYTES = 128 * 1024,
};

static struct server server;
static struct server_config config;
static uint32_t n_memory;
static struct {
	uint8_t bytes[OUT_SIZE];
	size_t len;
} out[FAKE_MAX_FDS];

void driver_accepted(int fd)
{
	(void)fd;
}

void driver_heard(int fd, size_t len)
{
	(void)fd;
	(void)len;
}

void driver_asked_unsent(int fd, int unsent)
{
	(void)fd;
	(void)unsent;
}

bool driver_tun_is_readable(void)
{
	return false;
}

void driver_sent(int fd, const uint8_t *data, size_t len)
{
	ck_assert_uint_le(len, OUT_SIZE - out[fd].len);
	memcpy(out[fd].bytes + out[fd].len, data, len);
	out[fd].len += len;
}

/* The hub has no TUN. */
struct endpoint *gateway_endpoint(struct gateway *g)
{
	(void)g;
	abort();
}

void gateway_send(struct gateway *g, struct coalesce **coalesce,
		  const struct iovec *iov, int n)
{
	(void)g;
	(void)coalesce;
	(void)iov;
	(void)n;
	abort();
}

void gateway_write(struct gateway *g, const struct packet *packet)
{
	(void)g;
	(void)packet;
	abort();
}

/* ---- A hub, its clients, and what they do ---- */

static void set_up(void)
{
	static const struct admission_limits limits = {
		.max_pending = 100,
		.max_pending_source = 100,
		.penalty_ms = 2000,
		.penalty_threshold_ms = 10000,
		.penalty_max_ms = 60000,
	};
	const uint64_t seed[2] = { 1, 2 };

	log_init("test", LOG_LEVEL_ERROR);
	fake_reset(START_MS);
	n_memory = fake_n_memory();
	memset(&config, 0, sizeof(config));
	config.network.address = NETWORK;
	config.network.prefix_len = PREFIX_LEN;
	config.mtu = 1500;
	memset(&server, 0, sizeof(server));
	server.live.idle_timeout_s = IDLE_MS / 1000;
	config.idle_timeout_s = IDLE_MS / 1000;
	server.live.flush_timeout_s = 3;
	server.config = &config;
	server.network = NETWORK;
	server.netmask = 0xffffff00;
	server.address = SERVER;
	server.limits.queue_bytes = QUEUE_BYTES;
	server.limits.queue_packets = 4096;
	server.limits.stall_ms = STALL_MS;
	server.limits.memory = UINT64_MAX;
	server.pool = addrpool_new(NETWORK, PREFIX_LEN, SERVER);
	server.routes = route_new(NETWORK, PREFIX_LEN);
	server.registry = registry_new();
	server.admission = admission_new(seed);
	server.push = push_new(&config);
	server.drain = drain_new(&server.limits);
	ck_assert(server.pool && server.routes && server.registry &&
		  server.admission && server.push && server.drain);
	admission_set_limits(server.admission, &limits);
	fake_run();
}

static void end_client(struct client *client, void *arg)
{
	(void)arg;
	client_shut(client, CLOSE_SHUTDOWN);
}

/* Everything can be ended, and nothing is left of it. */
static void tear_down(void)
{
	fake_fail_memory(0);
	registry_visit(server.registry, end_client, NULL);
	fake_run();
	registry_reap(server.registry);
	ck_assert_uint_eq(registry_count(server.registry), 0);
	ck_assert_uint_eq(addrpool_held(server.pool), 0);
	ck_assert_uint_eq(admission_pending(server.admission), 0);
	drain_free(server.drain);
	push_free(server.push);
	registry_free(server.registry);
	admission_free(server.admission);
	route_free(server.routes);
	addrpool_free(server.pool);
	ck_assert_uint_eq(fake_n_open(), 0);
	ck_assert_uint_eq(fake_n_memory(), n_memory);
}

static void make_peer(struct sockaddr_storage *peer, uint32_t host)
{
	struct sockaddr_in *in = (struct sockaddr_in *)(void *)peer;

	memset(peer, 0, sizeof(*peer));
	in->sin_family = AF_INET;
	in->sin_addr.s_addr = host;
}

static enum admission_verdict ask_admission(uint32_t host,
					    struct admission_source **source)
{
	struct sockaddr_storage peer;

	make_peer(&peer, host);
	return admission_accept(server.admission, &peer, fake_now_ms(), 0,
				source);
}

/* A connection from a host; its descriptor. */
static int connect_from(uint32_t host)
{
	struct admission_source *source;
	struct sockaddr_storage peer;
	int fd = fake_open_fd(FAKE_SOCKET);

	make_peer(&peer, host);
	ck_assert_int_eq(ask_admission(host, &source), ADMISSION_OK);
	fake_get(fd, FAKE_SOCKET)->room = ROOMY;
	out[fd].len = 0;
	ck_assert_int_eq(client_start(&server, fd, &peer, source), 0);
	fake_run();
	return fd;
}

static struct fake_fd *socket_of(int fd)
{
	struct fake_fd *s = fake_get(fd, FAKE_SOCKET);

	ck_assert_ptr_nonnull(s);
	return s;
}

static void give(int fd, const uint8_t *data, size_t len)
{
	uint8_t *inbox = fake_receive(socket_of(fd), len);

	ck_assert_ptr_nonnull(inbox);
	memcpy(inbox, data, len);
}

static void send_bytes(int fd, const uint8_t *data, size_t len)
{
	give(fd, data, len);
	fake_run();
}

static void request(int fd, uint32_t wanted, uint16_t flags)
{
	uint8_t message[FRAME_CONTROL_LEN];

	msg_write_request(message, wanted, flags);
	send_bytes(fd, message, sizeof(message));
}

static int join_from(uint32_t host, uint32_t wanted, uint16_t flags)
{
	int fd = connect_from(host);

	request(fd, wanted, flags);
	ck_assert_uint_ge(out[fd].len, FRAME_CONTROL_LEN);
	ck_assert_uint_eq(load_be32(out[fd].bytes + 16), wanted);
	out[fd].len = 0;
	return fd;
}

static void keepalive(int fd)
{
	uint8_t message[FRAME_CONTROL_LEN];

	msg_write_keepalive(message);
	send_bytes(fd, message, sizeof(message));
}

static void make_data(uint8_t *data, uint16_t len, uint32_t from, uint32_t to)
{
	memset(data, 0, len);
	data[0] = 0x45;
	store_be16(data + 2, len);
	data[8] = 64;
	data[9] = IPPKT_UDP;
	store_be32(data + 12, from);
	store_be32(data + 16, to);
	ippkt_set_header_checksum(data);
}

static void send_data(int fd, uint32_t from, uint32_t to)
{
	uint8_t data[DATA_LEN];

	make_data(data, DATA_LEN, from, to);
	send_bytes(fd, data, DATA_LEN);
}

static void pass(uint64_t ms)
{
	fake_advance(ms);
	fake_run();
}

/* Whether the server has given the connection up. */
static bool is_over(int fd)
{
	const struct fake_fd *s;

	registry_reap(server.registry);
	s = fake_get(fd, FAKE_SOCKET);
	return !s || (s->shut_read && s->shut_write);
}

static void find_newest(struct client *client, void *arg)
{
	const struct client **newest = arg;

	if (!*newest)
		*newest = client;
}

static uint64_t drops_of_newest(enum drop_reason reason)
{
	const struct client *newest = NULL;

	registry_visit(server.registry, find_newest, &newest);
	ck_assert_ptr_nonnull(newest);
	return counter_get(&client_stats(newest)->drops[reason]);
}

/* The address is not held: a newcomer gets it. */
static void assert_free(uint32_t address)
{
	ck_assert_int_eq(addrpool_take(server.pool, address), ADDRPOOL_OK);
	addrpool_release(server.pool, address);
}

/* ---- Before the address ---- */

START_TEST(client_oldest_stranger_makes_room_and_nobody_else)
{
	int joined = join_from(1, FIRST, 0);
	int old = connect_from(2), young;
	uint64_t old_ms = fake_now_ms();

	pass(500);
	young = connect_from(3);
	ck_assert(!registry_crowd_out(server.registry, old_ms));
	ck_assert(registry_crowd_out(server.registry, old_ms + 1));
	fake_run();
	ck_assert(is_over(old));
	ck_assert(!registry_crowd_out(server.registry, old_ms + 1));
	ck_assert(!is_over(young) && !is_over(joined));
	request(young, FIRST + 1, 0);
	ck_assert(!registry_crowd_out(server.registry, UINT64_MAX));
	ck_assert(!is_over(young) && !is_over(joined));
}
END_TEST

/* Found once, even while its thread has not ended yet. */
START_TEST(client_strangers_make_room_from_the_oldest_on)
{
	int fds[3], i;

	for (i = 0; i < 3; i++)
		fds[i] = connect_from(1 + (uint32_t)i);
	ck_assert(registry_crowd_out(server.registry, UINT64_MAX));
	ck_assert(registry_crowd_out(server.registry, UINT64_MAX));
	fake_run();
	ck_assert(is_over(fds[0]) && is_over(fds[1]) && !is_over(fds[2]));
	fds[0] = connect_from(5);
	ck_assert(registry_crowd_out(server.registry, UINT64_MAX));
	ck_assert(registry_crowd_out(server.registry, UINT64_MAX));
	ck_assert(!registry_crowd_out(server.registry, UINT64_MAX));
	fake_run();
	ck_assert(is_over(fds[0]) && is_over(fds[2]));
}
END_TEST

START_TEST(client_silent_is_closed_at_the_join_deadline)
{
	int fd = connect_from(1);

	pass(JOIN_DEADLINE_MS - 1);
	ck_assert(!is_over(fd));
	pass(1);
	ck_assert(is_over(fd));
	ck_assert_uint_eq(out[fd].len, 0);
}
END_TEST

START_TEST(client_trickling_is_closed_at_the_join_deadline)
{
	const uint8_t byte = 0x45;
	int fd = connect_from(1), i;

	for (i = 0; i < 10; i++) {
		ck_assert(!is_over(fd));
		give(fd, &byte, 1);	/* there is always something to read */
		pass(JOIN_DEADLINE_MS / 10);
	}
	give(fd, &byte, 1);
	fake_run();
	ck_assert(is_over(fd));
}
END_TEST

START_TEST(client_sending_data_only_is_closed_at_the_join_deadline)
{
	int fd = connect_from(1), i;

	for (i = 0; i < 10; i++) {
		ck_assert(!is_over(fd));
		send_data(fd, FIRST, FIRST + 1);
		pass(JOIN_DEADLINE_MS / 10);
	}
	ck_assert(is_over(fd));
}
END_TEST

START_TEST(client_data_before_the_address_is_dropped)
{
	int to = join_from(1, FIRST, MSG_FLAG_OPTIONS);
	int fd = connect_from(2);

	send_data(fd, FIRST + 1, FIRST);
	send_data(fd, 0, FIRST);
	ck_assert_uint_eq(out[to].len, 0);
	ck_assert_uint_eq(out[fd].len, 0);
	ck_assert_uint_eq(drops_of_newest(DROP_NOT_JOINED), 2);
	assert_free(FIRST + 1);
}
END_TEST

START_TEST(client_keepalive_before_the_address_is_not_echoed)
{
	int fd = connect_from(1);

	keepalive(fd);
	ck_assert_uint_eq(out[fd].len, 0);
	ck_assert_uint_eq(drops_of_newest(DROP_NOT_JOINED), 1);
}
END_TEST

START_TEST(client_long_packet_before_the_address_ends_it)
{
	static uint8_t data[1501];
	int fd = connect_from(1);

	make_data(data, sizeof(data), FIRST, FIRST + 1);
	send_bytes(fd, data, sizeof(data));
	ck_assert(is_over(fd));
}
END_TEST

START_TEST(client_bytes_that_are_no_message_end_it)
{
	const uint8_t rubbish[FRAME_CONTROL_LEN] = { 0x16, 3, 1, [16] = 1 };
	int good = join_from(1, FIRST, 0);
	int fd = join_from(2, FIRST + 1, 0);

	send_bytes(fd, rubbish, sizeof(rubbish));
	ck_assert(is_over(fd));
	ck_assert(!is_over(good));
	assert_free(FIRST + 1);
}
END_TEST

/* Five of either kind reach the threshold. */
START_TEST(client_offences_bring_a_penalty)
{
	const uint8_t rubbish[FRAME_CONTROL_LEN] = { 0x16, 3, 1, [16] = 1 };
	struct admission_source *source;
	int i, fd;

	for (i = 0; i < 5; i++) {
		fd = connect_from(1);
		if (_i == 0)
			send_bytes(fd, rubbish, sizeof(rubbish));
	}
	if (_i == 1)
		pass(JOIN_DEADLINE_MS);
	ck_assert_int_eq(ask_admission(1, &source), ADMISSION_PENALTY);
	ck_assert_int_eq(ask_admission(2, &source), ADMISSION_OK);
	admission_left(server.admission, source, false, false, fake_now_ms());
}
END_TEST

START_TEST(client_that_leaves_or_is_refused_is_no_offender)
{
	int i, fd;

	join_from(2, FIRST, 0);
	for (i = 0; i < 12; i++) {
		fd = connect_from(1);
		if (i & 1)
			request(fd, FIRST, 0);
		else
			socket_of(fd)->peer_closed = true;
		pass(LINGER_MS);
		ck_assert(is_over(fd));
	}
}
END_TEST

/* ---- The reply, and what may follow it ---- */

START_TEST(client_base_reply_stands_alone_until_it_was_read)
{
	int from = join_from(1, FIRST, MSG_FLAG_OPTIONS);
	int fd = join_from(2, FIRST + 1, 0);

	socket_of(fd)->unsent = FRAME_CONTROL_LEN;
	send_data(from, FIRST, FIRST + 1);
	pass(SETTLE_MS - 1);
	ck_assert_uint_eq(out[fd].len, 0);
	pass(1);		/* in the kernel still */
	ck_assert_uint_eq(out[fd].len, 0);
	socket_of(fd)->unsent = 0;
	pass(SETTLE_MS);
	ck_assert_uint_eq(out[fd].len, DATA_LEN);
}
END_TEST

START_TEST(client_base_that_says_more_has_read_the_reply)
{
	int from = join_from(1, FIRST, MSG_FLAG_OPTIONS);
	int fd = join_from(2, FIRST + 1, 0);

	send_data(from, FIRST, FIRST + 1);
	ck_assert_uint_eq(out[fd].len, 0);
	send_data(fd, FIRST + 1, FIRST);
	ck_assert_uint_eq(out[fd].len, DATA_LEN);
}
END_TEST

START_TEST(client_capable_that_is_refused_may_read_why)
{
	int fd, holder = join_from(1, FIRST, 0);

	fd = connect_from(2);
	request(fd, FIRST, MSG_FLAG_OPTIONS);
	ck_assert_uint_gt(out[fd].len, FRAME_CONTROL_LEN);
	ck_assert_uint_eq(load_be32(out[fd].bytes + 16), 0);
	pass(LINGER_MS - 1);
	ck_assert(!is_over(fd));
	pass(1);
	ck_assert(is_over(fd));
	ck_assert(!is_over(holder));
}
END_TEST

START_TEST(client_that_floods_a_refusal_is_not_kept)
{
	const uint8_t byte = 0;
	int fd, i;

	join_from(1, FIRST, 0);
	fd = connect_from(2);
	request(fd, FIRST, 0);
	for (i = 0; i < 10; i++) {
		ck_assert(!is_over(fd));
		send_bytes(fd, &byte, 1);
		pass(LINGER_MS / 10);
	}
	ck_assert(is_over(fd));
}
END_TEST

START_TEST(client_that_requests_and_never_reads_is_not_read)
{
	uint8_t message[FRAME_CONTROL_LEN];
	int fd = join_from(1, FIRST, 0), i;
	struct fake_fd *s = socket_of(fd);

	s->room = 0;
	msg_write_request(message, 0, 0);
	for (i = 0; i < 200; i++)	/* more than wait at a time */
		send_bytes(fd, message, sizeof(message));
	ck_assert_uint_gt(s->in_end, s->in_begin);
	s->room = ROOMY;
	fake_run();
	ck_assert_uint_eq(s->in_end, s->in_begin);
	ck_assert_uint_eq(out[fd].len, 200 * FRAME_CONTROL_LEN);
}
END_TEST

/* It hangs between two addresses when its connection breaks. */
START_TEST(client_that_breaks_while_it_moves_frees_both_addresses)
{
	uint8_t message[FRAME_CONTROL_LEN];
	int fd = join_from(1, FIRST, 0), i;
	struct fake_fd *s = socket_of(fd);

	s->room = 0;
	for (i = 1; i <= 200; i++) {
		msg_write_request(message, FIRST + (uint32_t)i % 2, 0);
		send_bytes(fd, message, sizeof(message));
	}
	ck_assert_uint_eq(addrpool_held(server.pool), 2);
	s->send_error = EPIPE;
	fake_run();
	ck_assert(is_over(fd));
	ck_assert_uint_eq(addrpool_held(server.pool), 0);
}
END_TEST

/* ---- With an address ---- */

START_TEST(client_idle_is_closed_and_its_address_is_free)
{
	int fd = join_from(1, FIRST, 0);

	pass(IDLE_MS - 1);
	ck_assert(!is_over(fd));
	pass(1);
	ck_assert(is_over(fd));
	assert_free(FIRST);
}
END_TEST

START_TEST(client_that_says_anything_is_not_idle)
{
	int fd = join_from(1, FIRST, 0), i;

	for (i = 0; i < 5; i++) {
		pass(IDLE_MS - 1);
		ck_assert(!is_over(fd));
		keepalive(fd);
	}
	pass(IDLE_MS);
	ck_assert(is_over(fd));
}
END_TEST

START_TEST(client_keepalive_is_echoed_unaltered)
{
	uint8_t message[FRAME_CONTROL_LEN];
	int fd = join_from(1, FIRST, 0), i;

	for (i = 0; i < FRAME_CONTROL_LEN; i++)
		message[i] = i < 12 ? (uint8_t)(7 * i) : 0xff;
	send_bytes(fd, message, sizeof(message));
	ck_assert_uint_eq(out[fd].len, sizeof(message));
	ck_assert_mem_eq(out[fd].bytes, message, sizeof(message));
}
END_TEST

START_TEST(client_keepalives_over_the_rate_are_not_echoed)
{
	int fd = join_from(1, FIRST, 0), i;

	for (i = 0; i < 3 * ECHO_BURST; i++)
		keepalive(fd);
	ck_assert_uint_eq(out[fd].len, ECHO_BURST * FRAME_CONTROL_LEN);
	ck_assert_uint_eq(drops_of_newest(DROP_ECHO_LIMIT), 2 * ECHO_BURST);
	pass(ECHO_INTERVAL_MS);
	keepalive(fd);
	keepalive(fd);
	ck_assert_uint_eq(out[fd].len, (ECHO_BURST + 1) * FRAME_CONTROL_LEN);
}
END_TEST

static void push_route(uint32_t network)
{
	config.push_routes.n = 1;
	config.push_routes.network[0].address = network;
	config.push_routes.network[0].prefix_len = 24;
	ck_assert(push_set(server.push, &config));
	client_announce_push(&server);
	fake_run();
}

/* The network of the route that the client was pushed last, alone. */
static uint32_t pushed_route(int fd)
{
	struct msg_reply reply;

	ck_assert(msg_read_reply(out[fd].bytes, out[fd].len, &reply));
	ck_assert(reply.capable && reply.address == 0);
	ck_assert_uint_eq(reply.options.n_routes, 1);
	out[fd].len = 0;
	return reply.options.routes[0].network;
}

START_TEST(client_capable_alone_is_told_of_a_changed_route)
{
	int base = join_from(1, FIRST, 0), joining = connect_from(2);
	int capable = join_from(3, FIRST + 1, MSG_FLAG_OPTIONS);

	push_route(0xc6336400);
	ck_assert_uint_eq(pushed_route(capable), 0xc6336400);
	ck_assert_uint_eq(out[base].len, 0);
	ck_assert_uint_eq(out[joining].len, 0);
}
END_TEST

START_TEST(client_that_did_not_read_is_told_with_its_next_sign_of_life)
{
	int fd = join_from(1, FIRST, MSG_FLAG_OPTIONS);
	uint32_t i;

	socket_of(fd)->room = 0;
	for (i = 0; i < 100; i++)
		push_route(0xc6330000 + (i << 8));
	socket_of(fd)->room = ROOMY;
	fake_run();
	out[fd].len = 0;
	send_data(fd, FIRST, 0xe0000001);	/* answered by nothing */
	ck_assert_uint_eq(pushed_route(fd), 0xc6330000 + (99 << 8));
}
END_TEST

START_TEST(client_keepalives_that_it_does_not_read_are_bounded)
{
	int fd = join_from(1, FIRST, 0), i;
	struct fake_fd *s = socket_of(fd);

	s->room = 0;
	for (i = 0; i < 140; i++) {	/* a token each */
		keepalive(fd);
		pass(ECHO_INTERVAL_MS);
	}
	ck_assert_uint_eq(s->in_end, s->in_begin);
	s->room = ROOMY;
	fake_run();
	ck_assert_uint_le(out[fd].len, EGRESS_CONTROL_MAX);
	ck_assert_uint_gt(drops_of_newest(DROP_ECHO_LIMIT), 0);
}
END_TEST

START_TEST(client_data_never_changes_its_address)
{
	int victim = join_from(1, FIRST, MSG_FLAG_OPTIONS);
	int fd = join_from(2, FIRST + 1, MSG_FLAG_OPTIONS);

	send_data(fd, FIRST, FIRST);	/* as if it were the victim */
	send_data(fd, FIRST + 7, FIRST);
	ck_assert_uint_eq(out[victim].len, 0);
	ck_assert_uint_eq(drops_of_newest(DROP_SPOOFED_SOURCE), 2);
	assert_free(FIRST + 7);
	send_data(victim, FIRST, FIRST + 1);
	ck_assert_uint_eq(out[fd].len, DATA_LEN);
	ck_assert_uint_eq(out[victim].len, 0);
}
END_TEST

START_TEST(client_ipv6_is_skipped)
{
	uint8_t packet[48] = { 0x60, [5] = 8, [8] = 0xfe, 0x80 };
	int to = join_from(1, FIRST, 0xffff);
	int fd = join_from(2, FIRST + 1, 0xffff);

	send_bytes(fd, packet, sizeof(packet));
	send_data(fd, FIRST + 1, FIRST);
	ck_assert_uint_eq(drops_of_newest(DROP_IPV6), 1);
	ck_assert_uint_eq(out[to].len, DATA_LEN);
}
END_TEST

START_TEST(client_super_packet_that_was_not_agreed_ends_it)
{
	uint8_t message[FRAME_SEGMENT_PREFIX_LEN + DATA_LEN];
	int fd = join_from(1, FIRST, _i ? MSG_FLAG_OPTIONS : 0);

	frame_write_prefix(message, 0, true);
	make_data(message + FRAME_SEGMENT_PREFIX_LEN, DATA_LEN, FIRST, FIRST);
	send_bytes(fd, message, sizeof(message));
	ck_assert(is_over(fd));
}
END_TEST

START_TEST(client_packet_in_pieces_arrives_whole)
{
	uint8_t data[DATA_LEN];
	int to = join_from(1, FIRST, MSG_FLAG_OPTIONS);
	int fd = join_from(2, FIRST + 1, 0), i;

	make_data(data, DATA_LEN, FIRST + 1, FIRST);
	for (i = 0; i < DATA_LEN; i++) {
		ck_assert_uint_eq(out[to].len, 0);
		send_bytes(fd, data + i, 1);
	}
	ck_assert_uint_eq(out[to].len, DATA_LEN);
	ck_assert_mem_eq(out[to].bytes, data, DATA_LEN);
}
END_TEST

START_TEST(client_buffer_survives_the_quiet_after_a_burst)
{
	uint8_t data[DATA_LEN];
	int to = join_from(1, FIRST, MSG_FLAG_OPTIONS);
	int fd = join_from(2, FIRST + 1, MSG_FLAG_OPTIONS);

	make_data(data, DATA_LEN, FIRST + 1, FIRST);
	send_bytes(fd, data, DATA_LEN);
	send_bytes(fd, data, DATA_LEN / 2);
	pass(2000);			/* its pages go */
	send_bytes(fd, data + DATA_LEN / 2, DATA_LEN / 2);
	ck_assert_uint_eq(out[to].len, 2 * DATA_LEN);
	ck_assert_mem_eq(out[to].bytes + DATA_LEN, data, DATA_LEN);
}
END_TEST

/* ---- Ends that others bring about ---- */

static void fill_queue(int from, uint32_t source, uint32_t to, int n)
{
	static uint8_t data[1400];

	make_data(data, sizeof(data), source, to);
	while (n-- > 0)
		send_bytes(from, data, sizeof(data));
}

START_TEST(client_that_takes_nothing_is_closed)
{
	int from = join_from(1, FIRST, MSG_FLAG_OPTIONS);
	int fd = join_from(2, FIRST + 1, MSG_FLAG_OPTIONS), i;

	socket_of(fd)->room = 0;
	fill_queue(from, FIRST, FIRST + 1, 10);
	for (i = 0; i < STALL_MS / 1000; i++) {
		ck_assert(!is_over(fd));
		keepalive(fd);		/* alive, but it does not read */
		pass(1000);
	}
	pass(1000);
	ck_assert(is_over(fd));
	ck_assert(!is_over(from));
	assert_free(FIRST + 1);
}
END_TEST

START_TEST(client_with_the_oldest_queue_goes_when_memory_is_short)
{
	int from = join_from(1, FIRST, MSG_FLAG_OPTIONS);
	int old = join_from(2, FIRST + 1, MSG_FLAG_OPTIONS);
	int young = join_from(3, FIRST + 2, MSG_FLAG_OPTIONS);

	server.limits.memory = 150 * 1024;
	socket_of(old)->room = 0;
	socket_of(young)->room = 0;
	fill_queue(from, FIRST, FIRST + 1, 60);
	pass(1);
	fill_queue(from, FIRST, FIRST + 2, 60);
	pass(1000);
	ck_assert(is_over(old));
	ck_assert(!is_over(young));
	ck_assert_uint_le(drain_queue_memory(server.drain),
			  server.limits.memory);
}
END_TEST

START_TEST(client_that_is_back_takes_its_address_over)
{
	int old = join_from(1, FIRST, 0), fd;

	pass(20000);		/* as long as a live one may be silent */
	fd = connect_from(1);
	request(fd, FIRST, 0);
	ck_assert_uint_eq(out[fd].len, 0);
	pass(1);
	fd = connect_from(1);
	request(fd, FIRST, 0);
	ck_assert_uint_eq(load_be32(out[fd].bytes + 16), FIRST);
	ck_assert(is_over(old));
	ck_assert(!is_over(fd));
}
END_TEST

START_TEST(client_of_another_host_takes_nothing_over)
{
	int old = join_from(1, FIRST, 0), fd;

	pass(IDLE_MS - 1);
	fd = connect_from(2);
	request(fd, FIRST, 0);
	ck_assert_uint_eq(out[fd].len, 0);
	ck_assert(!is_over(old));
}
END_TEST

START_TEST(client_whose_send_fails_is_closed)
{
	int from = join_from(1, FIRST, MSG_FLAG_OPTIONS);
	int fd = join_from(2, FIRST + 1, MSG_FLAG_OPTIONS);

	socket_of(fd)->room = 10;
	send_data(from, FIRST, FIRST + 1);
	socket_of(fd)->send_error = ECONNRESET;
	fake_run();
	ck_assert(is_over(fd));
	assert_free(FIRST + 1);
}
END_TEST

START_TEST(client_that_is_ended_gets_what_waits_for_it)
{
	int from = join_from(1, FIRST, MSG_FLAG_OPTIONS);
	int fd = join_from(2, FIRST + 1, MSG_FLAG_OPTIONS);
	struct client *newest = NULL;

	socket_of(fd)->room = 10;
	send_data(from, FIRST, FIRST + 1);
	registry_visit(server.registry, find_newest, &newest);
	client_end(newest);
	fake_run();
	ck_assert(!is_over(fd));
	socket_of(fd)->room = ROOMY;
	fake_run();
	ck_assert_uint_eq(out[fd].len, DATA_LEN);
	ck_assert(is_over(fd));
}
END_TEST

START_TEST(client_that_is_ended_and_takes_nothing_has_its_time)
{
	int from = join_from(1, FIRST, MSG_FLAG_OPTIONS);
	int fd = join_from(2, FIRST + 1, MSG_FLAG_OPTIONS);
	struct client *newest = NULL;

	socket_of(fd)->room = 10;
	send_data(from, FIRST, FIRST + 1);
	registry_visit(server.registry, find_newest, &newest);
	client_end(newest);
	fake_run();
	pass(2999);
	ck_assert(!is_over(fd));
	pass(1);
	ck_assert(is_over(fd));
}
END_TEST

/* ---- Shortage ---- */

START_TEST(client_without_a_thread_leaves_nothing_behind)
{
	struct admission_source *source;
	struct sockaddr_storage peer;
	int fd = fake_open_fd(FAKE_SOCKET);

	make_peer(&peer, 1);
	ck_assert_int_eq(ask_admission(1, &source), ADMISSION_OK);
	if (_i == 0)
		fake_fail_thread(1);
	else
		fake_fail_memory((uint32_t)_i);
	ck_assert_int_eq(client_start(&server, fd, &peer, source),
			 _i == 0 ? -EAGAIN : -ENOMEM);
	ck_assert_uint_eq(registry_count(server.registry), 0);
	ck_assert_ptr_null(fake_get(fd, FAKE_SOCKET));
}
END_TEST

/* A broken stream would be worse than an end. */
START_TEST(client_whose_cut_message_cannot_be_kept_is_closed)
{
	int from = join_from(1, FIRST, MSG_FLAG_OPTIONS);
	int fd = join_from(2, FIRST + 1, MSG_FLAG_OPTIONS);

	socket_of(fd)->room = 10;
	fake_fail_memory(1 + (uint32_t)_i);	/* the queue, then its memory */
	send_data(from, FIRST, FIRST + 1);
	ck_assert(is_over(fd));
	ck_assert(!is_over(from));
}
END_TEST

START_TEST(client_that_epoll_does_not_take_is_closed)
{
	int from = join_from(1, FIRST, MSG_FLAG_OPTIONS);
	int fd = join_from(2, FIRST + 1, MSG_FLAG_OPTIONS);

	socket_of(fd)->room = 0;
	fake_fail_epoll(1);
	send_data(from, FIRST, FIRST + 1);
	ck_assert(is_over(fd));
	ck_assert(!is_over(from));
}
END_TEST

/* ---- ---- */

static Suite *client_suite(void)
{
	Suite *suite = suite_create("client");
	TCase *tc = tcase_create("client");

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, client_oldest_stranger_makes_room_and_nobody_else);
	tcase_add_test(tc, client_strangers_make_room_from_the_oldest_on);
	tcase_add_test(tc, client_silent_is_closed_at_the_join_deadline);
	tcase_add_test(tc, client_trickling_is_closed_at_the_join_deadline);
	tcase_add_test(tc,
		client_sending_data_only_is_closed_at_the_join_deadline);
	tcase_add_test(tc, client_data_before_the_address_is_dropped);
	tcase_add_test(tc, client_keepalive_before_the_address_is_not_echoed);
	tcase_add_test(tc, client_long_packet_before_the_address_ends_it);
	tcase_add_test(tc, client_bytes_that_are_no_message_end_it);
	tcase_add_loop_test(tc, client_offences_bring_a_penalty, 0, 2);
	tcase_add_test(tc, client_that_leaves_or_is_refused_is_no_offender);
	tcase_add_test(tc, client_base_reply_stands_alone_until_it_was_read);
	tcase_add_test(tc, client_base_that_says_more_has_read_the_reply);
	tcase_add_test(tc, client_capable_that_is_refused_may_read_why);
	tcase_add_test(tc, client_that_floods_a_refusal_is_not_kept);
	tcase_add_test(tc, client_that_requests_and_never_reads_is_not_read);
	tcase_add_test(tc,
		client_that_breaks_while_it_moves_frees_both_addresses);
	tcase_add_test(tc, client_idle_is_closed_and_its_address_is_free);
	tcase_add_test(tc, client_that_says_anything_is_not_idle);
	tcase_add_test(tc, client_keepalive_is_echoed_unaltered);
	tcase_add_test(tc, client_keepalives_over_the_rate_are_not_echoed);
	tcase_add_test(tc, client_capable_alone_is_told_of_a_changed_route);
	tcase_add_test(tc,
		client_that_did_not_read_is_told_with_its_next_sign_of_life);
	tcase_add_test(tc, client_keepalives_that_it_does_not_read_are_bounded);
	tcase_add_test(tc, client_data_never_changes_its_address);
	tcase_add_test(tc, client_ipv6_is_skipped);
	tcase_add_loop_test(tc,
		client_super_packet_that_was_not_agreed_ends_it, 0, 2);
	tcase_add_test(tc, client_packet_in_pieces_arrives_whole);
	tcase_add_test(tc, client_buffer_survives_the_quiet_after_a_burst);
	tcase_add_test(tc, client_that_takes_nothing_is_closed);
	tcase_add_test(tc,
		client_with_the_oldest_queue_goes_when_memory_is_short);
	tcase_add_test(tc, client_that_is_back_takes_its_address_over);
	tcase_add_test(tc, client_of_another_host_takes_nothing_over);
	tcase_add_test(tc, client_whose_send_fails_is_closed);
	tcase_add_test(tc, client_that_is_ended_gets_what_waits_for_it);
	tcase_add_test(tc, client_that_is_ended_and_takes_nothing_has_its_time);
	tcase_add_loop_test(tc, client_without_a_thread_leaves_nothing_behind,
			    0, 3);
	tcase_add_loop_test(tc,
		client_whose_cut_message_cannot_be_kept_is_closed, 0, 2);
	tcase_add_test(tc, client_that_epoll_does_not_take_is_closed);
	suite_add_tcase(suite, tc);
	return suite;
}

int main(void)
{
	int failed;
	SRunner *sr;

	if (!fake_works()) {
		puts("SKIP: ThreadSanitizer does not follow these tasks");
		return 77;
	}
	sr = srunner_create(client_suite());
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
