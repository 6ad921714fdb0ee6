/* SPDX-License-Identifier: MIT */
/*
 * Tests of client/pump's way up: the TUN is one socket pair, the connection
 * another, of which the test reads as little as it likes.
 */
#include "client/pump.h"

#include <check.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "proto/ippkt.h"
#include "proto/wire.h"

enum {
	ADDRESS = 0x0a000002,
	LARGE_PORT = 1000,
	SMALL_PORT = 2000,
	N_SMALL = 8,
	PACKET_LEN = 1400,
	N_LARGE = 400,		/* packets: more than any socket buffer here */
	BUFFER = 16 * 1024,
	CREDIT = 64 * 1024,	/* the pump's */
	BOUND_MS = 20000,
};

static struct counters counters;
static struct signals signals;
static struct session session;
static struct tun tun;
static struct pump *pump;
static pthread_t thread;
static enum pump_event last_event;
static int tun_end, server_end, connection;

static void make_pair(int type, int *ours, int *theirs)
{
	int fds[2], size = BUFFER;

	ck_assert_int_eq(socketpair(AF_UNIX, type | SOCK_NONBLOCK, 0, fds), 0);
	ck_assert_int_eq(setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &size,
				    sizeof(size)), 0);
	*ours = fds[0];
	*theirs = fds[1];
}

static void join(void)
{
	const struct session_config config = { .flags = 0 };
	uint8_t reply[FRAME_CONTROL_LEN] = { 0x45, 0x14, 0, FRAME_CONTROL_LEN };

	store_be32(reply + 16, ADDRESS);
	session_init(&session, &config);
	session_start(&session, clock_now_ms());
	pump_start(pump, connection, &session);
	ck_assert_int_eq(write(server_end, reply, sizeof(reply)),
			 sizeof(reply));
	ck_assert_int_eq(pump_run(pump), PUMP_ASSIGNED);
	ck_assert_int_eq(read(server_end, reply, sizeof(reply)),
			 sizeof(reply));
}

static void set_up(void)
{
	log_init("test", LOG_LEVEL_ERROR);
	memset(&counters, 0, sizeof(counters));
	signals = (struct signals){ .fd = -1 };
	make_pair(SOCK_SEQPACKET, &tun_end, &tun.fd);
	make_pair(SOCK_STREAM, &connection, &server_end);
	pump = pump_new(&tun, &signals, &counters);
	ck_assert_ptr_nonnull(pump);
	join();
	pump_set_mtu(pump, 1500);
}

static void *run(void *arg)
{
	(void)arg;
	last_event = pump_run(pump);
	return NULL;
}

static void wait_until_read(void)
{
	uint64_t deadline = clock_now_ms() + BOUND_MS;
	int unread = 1;

	while (unread > 0) {
		ck_assert_int_eq(ioctl(tun_end, TIOCOUTQ, &unread), 0);
		ck_assert_msg(clock_now_ms() < deadline, "%d bytes unread",
			      unread);
		poll(NULL, 0, 1);
	}
}

/* One packet from the host, as the TUN gives it. */
static void give(uint16_t port, uint16_t len)
{
	uint8_t packet[TUN_HEADROOM + PACKET_LEN] = { 0 };
	uint8_t *ip = packet + TUN_HEADROOM;
	struct pollfd fd = { .fd = tun_end, .events = POLLOUT };

	ip[0] = 0x45;
	store_be16(ip + 2, len);
	ip[8] = 64;
	ip[9] = IPPKT_UDP;
	store_be32(ip + 12, ADDRESS);
	store_be32(ip + 16, 0x0a000003);
	store_be16(ip + 20, port);
	store_be16(ip + 22, 9);
	store_be16(ip + 24, (uint16_t)(len - 20));
	ippkt_set_header_checksum(ip);
	while (write(tun_end, packet, TUN_HEADROOM + (size_t)len) < 0)
		ck_assert_int_gt(poll(&fd, 1, BOUND_MS), 0);
}

/*
 * The next packet of the stream, whole; its source port.  0: the stream is
 * over, maybe in the middle of one.
 */
static uint16_t take(void)
{
	struct pollfd fd = { .fd = server_end, .events = POLLIN };
	uint8_t packet[PACKET_LEN];
	size_t have = 0, len = 20;
	ssize_t n;

	while (have < len) {
		ck_assert_msg(poll(&fd, 1, BOUND_MS) > 0, "nothing comes");
		n = read(server_end, packet + have, len - have);
		if (n == 0)
			return 0;
		ck_assert_int_gt(n, 0);
		have += (size_t)n;
		if (have >= 20)
			len = load_be16(packet + 2);
		ck_assert_uint_le(len, PACKET_LEN);
	}
	ck_assert_uint_ge(len, 28);
	ck_assert_uint_eq(load_be32(packet + 12), ADDRESS);
	return load_be16(packet + 20);
}

/* The server goes; what it has been sent can still be read. */
static void end(void)
{
	shutdown(server_end, SHUT_WR);
	pthread_join(thread, NULL);
	ck_assert_int_eq(last_event, PUMP_CLOSED);
	pump_end(pump);
	pump_free(pump);
	close(connection);
	close(tun_end);
	close(tun.fd);
}

static uint64_t n_dropped(void)
{
	return counters.drops[DROP_QUEUE_FULL] +
	       counters.drops[DROP_QUEUE_STALE];
}

/*
 * The connection is full; a large flow has filled what there is, and packets of
 * other flows come.  They pass the large flow's, but for one that chance has
 * put into the same class.
 */
START_TEST(pump_small_flows_pass_a_large_one_on_a_slow_connection)
{
	unsigned int i, n_small = 0;

	set_up();
	pthread_create(&thread, NULL, run, NULL);
	for (i = 0; i < N_LARGE; i++)
		give(LARGE_PORT, PACKET_LEN);
	wait_until_read();
	for (i = 0; i < N_SMALL; i++)
		give((uint16_t)(SMALL_PORT + i), 100);
	wait_until_read();
	for (i = 0; i < N_LARGE / 4; i++)
		n_small += take() != LARGE_PORT;
	ck_assert_uint_ge(n_small, N_SMALL / 2);
	end();
	close(server_end);
}
END_TEST

/*
 * The connection was full just as everything had been sent, and nothing more
 * comes while it is: there is a backlog with nothing in it.
 */
START_TEST(pump_connection_full_at_the_end_of_a_batch_goes_on)
{
	/* Full at a quarter of twice that, in the kernel's eyes. */
	int full = CREDIT * 3 / 2, size = 8 * CREDIT, i;

	set_up();
	ck_assert_int_eq(setsockopt(connection, SOL_SOCKET, SO_SNDBUF, &full,
				    sizeof(full)), 0);
	ck_assert_int_eq(setsockopt(tun_end, SOL_SOCKET, SO_SNDBUF, &size,
				    sizeof(size)), 0);
	for (i = 0; i < CREDIT / PACKET_LEN + 1; i++)
		give(LARGE_PORT, PACKET_LEN);
	pthread_create(&thread, NULL, run, NULL);
	wait_until_read();
	poll(NULL, 0, 20);	/* its patience ends */
	while (i-- > 0)
		ck_assert_uint_eq(take(), LARGE_PORT);
	poll(NULL, 0, 20);	/* it finds the connection writable */
	give(SMALL_PORT, 100);
	ck_assert_uint_eq(take(), SMALL_PORT);
	end();
	close(server_end);
}
END_TEST

/* A receiver that takes odd portions: messages stay whole and are counted. */
START_TEST(pump_stream_stays_whole_however_it_is_read)
{
	enum { ROUNDS = 5, A_ROUND = 100 };
	unsigned int i, round, n = 0;

	set_up();
	pthread_create(&thread, NULL, run, NULL);
	for (round = 0; round < ROUNDS; round++) {
		for (i = 0; i < A_ROUND; i++)
			give((uint16_t)(LARGE_PORT + i % 3),
			     (uint16_t)(28 + i * 13 % 1300));
		for (i = 0; i < A_ROUND / 2; i++, n++)
			ck_assert_uint_ne(take(), 0);
	}
	wait_until_read();
	end();
	while (take() != 0)
		n++;
	close(server_end);
	ck_assert_uint_eq(counters.tx_packets, n);
	ck_assert_uint_eq(n + counters.drops[DROP_CONNECTION_LOST] +
			  n_dropped(), ROUNDS * A_ROUND);
}
END_TEST

/* What waits when the connection ends is counted, and nothing stays behind. */
START_TEST(pump_what_waits_is_lost_with_the_connection)
{
	int i;

	set_up();
	pthread_create(&thread, NULL, run, NULL);
	for (i = 0; i < N_LARGE; i++)
		give(LARGE_PORT, PACKET_LEN);
	wait_until_read();
	end();
	close(server_end);
	ck_assert_uint_eq(counters.tx_packets + n_dropped() +
			  counters.drops[DROP_CONNECTION_LOST], N_LARGE);
	ck_assert_uint_gt(counters.drops[DROP_CONNECTION_LOST], 1);
}
END_TEST

/* A connection that takes nothing at all costs a bounded queue. */
START_TEST(pump_backlog_is_bounded)
{
	enum { FLOOD = 5000, MOST = 4 * 1024 * 1024 / PACKET_LEN };
	int i;

	set_up();
	pthread_create(&thread, NULL, run, NULL);
	for (i = 0; i < FLOOD; i++)
		give(LARGE_PORT, PACKET_LEN);
	wait_until_read();
	end();
	close(server_end);
	ck_assert_uint_gt(n_dropped(), FLOOD - MOST - 200);
	ck_assert_uint_le(counters.drops[DROP_CONNECTION_LOST], MOST + 200);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("pump");
	TCase *tcase = tcase_create("pump");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase,
		pump_small_flows_pass_a_large_one_on_a_slow_connection);
	tcase_add_test(tcase,
		pump_connection_full_at_the_end_of_a_batch_goes_on);
	tcase_add_test(tcase, pump_stream_stays_whole_however_it_is_read);
	tcase_add_test(tcase, pump_what_waits_is_lost_with_the_connection);
	tcase_add_test(tcase, pump_backlog_is_bounded);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
