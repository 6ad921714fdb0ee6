/* SPDX-License-Identifier: MIT */
/*
 * Tests of server/egress with a real server/drain.  The socket is one end of a
 * pair with the smallest send buffer that the kernel gives, so that it is full
 * after a few KiB and sends are cut in the middle of messages.
 */
#include "server/egress.h"

#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#include "common/clock.h"
#include "proto/wire.h"
#include "server/drain.h"
#include "server/endpoint.h"
#include "tests/unit/proto_test.h"
#include "tests/unit/server_test.h"

/* As a batch of its own. */
static void wait_once(struct egress *e)
{
	uint64_t deadline_ms = 0;

	egress_wait(e, &deadline_ms);
}

enum {
	HEADER_LEN = 28,	/* IPv4 and UDP: what a message has at least */
	MAX_LEN = 1500,
	N_FLOWS = 5,
	SMALL = 1,		/* send buffer: the kernel's minimum */
	LONG_MS = 3600 * 1000,
	ODD_LEN = 997,		/* divides no buffer size */
	N_ROUNDS = 400,
	N_THREADS = 4,
	N_PER_THREAD = 500,
	AREA = 64 * 1024,
};

static const struct egress_limits generous = {
	.queue_bytes = 256 * 1024,
	.queue_packets = 4096,
	.stall_ms = LONG_MS,
	.memory = UINT64_MAX,
};

static struct drain *new_drain(const struct egress_limits *limits)
{
	struct drain *drain = drain_new(limits);

	ck_assert_ptr_nonnull(drain);
	return drain;
}

/* ---- Messages that tell what they are ---- */

static void write_message(uint8_t *out, uint32_t flow, uint32_t number,
			  uint32_t len)
{
	uint32_t i;

	memset(out, 0, HEADER_LEN);
	out[0] = 0x45;
	store_be16(out + 2, (uint16_t)len);
	store_be16(out + 4, (uint16_t)number);
	out[9] = 17;
	store_be32(out + 12, 0x0a000002);
	store_be32(out + 16, 0x0a000003);
	store_be16(out + 20, (uint16_t)flow);
	for (i = HEADER_LEN; i < len; i++)
		out[i] = (uint8_t)(flow * 31 + number * 7 + i);
}

/* Of the message at p, which must be whole: its flow and number. */
static uint32_t check_message(const uint8_t *p, uint32_t *flow,
			      uint32_t *number)
{
	uint8_t expected[MAX_LEN];
	uint32_t len = load_be16(p + 2);

	ck_assert_uint_ge(len, HEADER_LEN);
	ck_assert_uint_le(len, MAX_LEN);
	*flow = load_be16(p + 20);
	*number = load_be16(p + 4);
	write_message(expected, *flow, *number, len);
	ck_assert_mem_eq(p, expected, len);
	return len;
}

/* The next message of the stream. */
static uint32_t read_message(const struct end *end, uint32_t *flow,
			     uint32_t *number)
{
	uint8_t message[MAX_LEN];
	uint32_t len;

	end_read(end, message, 4);
	len = load_be16(message + 2);
	ck_assert_msg(message[0] == 0x45 && len <= MAX_LEN,
		      "the stream is out of step");
	end_read(end, message + 4, len - 4);
	return check_message(message, flow, number);
}

/* Send n messages of one flow in one vector. */
static void send_burst(struct end *end, uint32_t first, uint32_t n,
		       uint32_t len)
{
	static uint8_t area[AREA];
	struct iovec iov = { .iov_base = area, .iov_len = (size_t)n * len };
	uint32_t i;

	ck_assert_uint_le(n * len, AREA);
	for (i = 0; i < n; i++)
		write_message(area + i * len, 1, first + i, len);
	egress_send(&end->endpoint.egress, &iov, 1, n);
	memset(area, 0xee, sizeof(area));	/* the caller's again */
}

static uint64_t sent_packets(const struct end *end)
{
	return counter_get(&end->endpoint.stats.tx_packets);
}

/* ---- Directly ---- */

START_TEST(egress_with_room_sends_at_once)
{
	struct drain *drain = new_drain(&generous);
	uint8_t a[2 * 40], b[50];
	struct iovec iov[2] = { { a, sizeof(a) }, { b, sizeof(b) } };
	uint32_t flow, number, i;
	struct end end;

	end_init(&end, drain, &generous, 0);
	write_message(a, 1, 0, 40);
	write_message(a + 40, 1, 1, 40);
	write_message(b, 1, 2, 50);
	egress_send(&end.endpoint.egress, iov, 2, 3);
	ck_assert_uint_eq(end_readable(&end), 130);
	for (i = 0; i < 3; i++) {
		read_message(&end, &flow, &number);
		ck_assert_uint_eq(number, i);
	}
	ck_assert_uint_eq(sent_packets(&end), 3);
	ck_assert_uint_eq(counter_get(&end.endpoint.stats.tx_bytes), 130);
	ck_assert_uint_eq(end_queued(&end), 0);
	ck_assert_uint_eq(drain_queue_memory(drain), 0);
	ends_fini(&end, 1, drain);
}
END_TEST

START_TEST(egress_partial_send_queues_the_rest_and_finishes_it)
{
	struct drain *drain = new_drain(&generous);
	uint32_t flow, number, i;
	struct end end;
	size_t sent;

	end_init(&end, drain, &generous, SMALL);
	send_burst(&end, 0, 30, ODD_LEN);
	sent = end_readable(&end);
	ck_assert_uint_gt(sent, 0);
	ck_assert_uint_ne(sent % ODD_LEN, 0);
	ck_assert_uint_eq(end_queued(&end),
			  30 * ODD_LEN - sent);
	ck_assert_uint_eq(sent_packets(&end), sent / ODD_LEN);
	ck_assert_uint_gt(drain_queue_memory(drain), 0);
	for (i = 0; i < 30; i++) {
		read_message(&end, &flow, &number);
		ck_assert_uint_eq(number, i);
	}
	ck_assert_uint_eq(end_all_drops(&end), 0);
	ends_fini(&end, 1, drain);
	ck_assert_uint_eq(sent_packets(&end), 30);
	ck_assert_uint_eq(counter_get(&end.endpoint.stats.tx_bytes),
			  30 * ODD_LEN);
}
END_TEST

START_TEST(egress_congested_queues_behind_what_waits)
{
	struct drain *drain = new_drain(&generous);
	uint32_t flow, number, i;
	struct end end;

	end_init(&end, drain, &generous, SMALL);
	for (i = 0; i < 60; i++)
		send_burst(&end, i, 1, ODD_LEN);
	for (i = 0; i < 60; i++) {
		read_message(&end, &flow, &number);
		ck_assert_uint_eq(number, i);
	}
	ends_fini(&end, 1, drain);
}
END_TEST

START_TEST(egress_full_queue_drops_whole_messages)
{
	const struct egress_limits tight = {
		.queue_bytes = 5 * ODD_LEN, .queue_packets = 100,
		.stall_ms = LONG_MS, .memory = UINT64_MAX,
	};
	struct drain *drain = new_drain(&generous);
	uint64_t n_dropped, n;
	uint32_t flow, number;
	struct end end;

	end_init(&end, drain, &tight, SMALL);
	send_burst(&end, 0, 60, ODD_LEN);
	ck_assert_uint_le(end_queued(&end), 5 * ODD_LEN);
	n_dropped = end_drops(&end, DROP_QUEUE_FULL);
	ck_assert_uint_gt(n_dropped, 0);
	ck_assert_uint_eq(end_all_drops(&end), n_dropped);
	for (n = n_dropped; n < 60; n++)
		read_message(&end, &flow, &number);
	ck_assert_uint_eq(number, 59);	/* the oldest went */
	ck_assert_uint_eq(end_readable(&end), 0);
	ends_fini(&end, 1, drain);
	ck_assert_uint_eq(sent_packets(&end), 60 - n_dropped);
}
END_TEST

/* ---- At random: what arrives is whole, in order, and accounted for ---- */

struct traffic {
	uint32_t next[N_FLOWS];		/* number to be sent */
	uint32_t seen[N_FLOWS];		/* number after the last received */
	uint64_t n_sent, n_received;
};

/* One send of a few vectors with a few messages each. */
static void random_send(struct end *end, struct traffic *t, uint64_t *seed)
{
	static uint8_t area[32 * MAX_LEN];
	struct iovec iov[4];
	uint32_t i, j, n, flow, len, packets = 0;
	int n_iov = 1 + (int)random_below(seed, 4);
	uint8_t *p = area;

	for (i = 0; i < (uint32_t)n_iov; i++) {
		iov[i].iov_base = p;
		n = 1 + random_below(seed, 8);
		for (j = 0; j < n; j++, packets++, p += len) {
			flow = random_below(seed, N_FLOWS);
			len = HEADER_LEN + random_below(seed, MAX_LEN -
							HEADER_LEN + 1);
			write_message(p, flow, t->next[flow]++, len);
		}
		iov[i].iov_len = (size_t)(p - (uint8_t *)iov[i].iov_base);
	}
	egress_send(&end->endpoint.egress, iov, n_iov, packets);
	t->n_sent += packets;
}

static void receive_one(const struct end *end, struct traffic *t)
{
	uint32_t flow, number;

	read_message(end, &flow, &number);
	ck_assert_uint_lt(flow, N_FLOWS);
	ck_assert_uint_ge(number, t->seen[flow]);
	t->seen[flow] = number + 1;
	t->n_received++;
}

START_TEST(egress_random_traffic_stays_whole_and_in_order)
{
	const struct egress_limits limits = {
		.queue_bytes = 40 * 1000, .queue_packets = 60,
		.stall_ms = LONG_MS, .memory = UINT64_MAX,
	};
	uint64_t seed = random_seed("egress");
	struct drain *drain = new_drain(&generous);
	struct traffic t = { 0 };
	struct end end;
	int i;

	end_init(&end, drain, &limits, SMALL);
	for (i = 0; i < N_ROUNDS; i++) {
		random_send(&end, &t, &seed);
		while (random_below(&seed, 8) > 0 &&
		       t.n_received + end_all_drops(&end) < t.n_sent)
			receive_one(&end, &t);
	}
	while (t.n_received + end_all_drops(&end) < t.n_sent)
		receive_one(&end, &t);
	ck_assert_uint_eq(end_readable(&end), 0);
	ck_assert_uint_eq(end_queued(&end), 0);
	ends_fini(&end, 1, drain);
	ck_assert_uint_eq(sent_packets(&end), t.n_received);
	ck_assert_uint_eq(t.n_received + end_all_drops(&end), t.n_sent);
	ck_assert_uint_gt(end_all_drops(&end), 0);
}
END_TEST

struct sender {
	pthread_t thread;
	struct end *end;
	uint32_t flow;
};

static void *send_many(void *arg)
{
	struct sender *s = arg;
	uint8_t message[ODD_LEN];
	struct iovec iov = { message, sizeof(message) };
	uint32_t i;

	for (i = 0; i < N_PER_THREAD; i++) {
		write_message(message, s->flow, i, sizeof(message));
		egress_send(&s->end->endpoint.egress, &iov, 1, 1);
	}
	return NULL;
}

START_TEST(egress_threads_do_not_mix_their_messages)
{
	struct sender senders[N_THREADS];
	struct drain *drain = new_drain(&generous);
	struct traffic t = { .n_sent = N_THREADS * N_PER_THREAD };
	struct end end;
	uint32_t i;

	end_init(&end, drain, &generous, SMALL);
	for (i = 0; i < N_THREADS; i++) {
		senders[i].end = &end;
		senders[i].flow = i;
		ck_assert_int_eq(pthread_create(&senders[i].thread, NULL,
						send_many, &senders[i]), 0);
	}
	for (i = 0; i < 100; i++)
		receive_one(&end, &t);
	for (i = 0; i < N_THREADS; i++)
		pthread_join(senders[i].thread, NULL);
	while (t.n_received + end_all_drops(&end) < t.n_sent)
		receive_one(&end, &t);
	ck_assert_uint_eq(end_readable(&end), 0);
	ends_fini(&end, 1, drain);
}
END_TEST

/* ---- Control messages and holding ---- */

static bool send_control(struct end *end, bool wait)
{
	uint8_t message[MAX_LEN];

	write_message(message, 99, 0, 100);
	return egress_control(&end->endpoint.egress, message, 100, wait);
}

START_TEST(egress_control_goes_out_at_once)
{
	struct drain *drain = new_drain(&generous);
	uint32_t flow, number;
	struct end end;

	end_init(&end, drain, &generous, 0);
	ck_assert(send_control(&end, false));
	ck_assert_uint_eq(end_readable(&end), 100);
	read_message(&end, &flow, &number);
	ck_assert_uint_eq(flow, 99);
	ck_assert_uint_eq(sent_packets(&end), 0);
	ends_fini(&end, 1, drain);
}
END_TEST

START_TEST(egress_control_goes_behind_the_started_message)
{
	struct drain *drain = new_drain(&generous);
	uint32_t flow, number, i, n_before;
	struct end end;

	end_init(&end, drain, &generous, SMALL);
	send_burst(&end, 0, 40, ODD_LEN);
	ck_assert_uint_ne(end_readable(&end) % ODD_LEN, 0);
	n_before = (uint32_t)(end_readable(&end) / ODD_LEN) + 1;
	ck_assert(send_control(&end, false));
	for (i = 0; i < n_before; i++) {
		read_message(&end, &flow, &number);
		ck_assert_uint_eq(number, i);
	}
	read_message(&end, &flow, &number);
	ck_assert_uint_eq(flow, 99);
	for (i = n_before; i < 40; i++) {
		read_message(&end, &flow, &number);
		ck_assert_uint_eq(number, i);
	}
	ends_fini(&end, 1, drain);
}
END_TEST

START_TEST(egress_control_buffer_is_bounded)
{
	struct drain *drain = new_drain(&generous);
	uint32_t flow, number, n = 0, i;
	struct end end;

	end_init(&end, drain, &generous, SMALL);
	while (send_control(&end, false)) {
		n++;
		ck_assert_uint_lt(n, 1000);
	}
	ck_assert_uint_gt(n * 100, end_readable(&end));
	ck_assert_uint_le(n * 100, end_readable(&end) + EGRESS_CONTROL_MAX);
	for (i = 0; i < n; i++) {
		read_message(&end, &flow, &number);
		ck_assert_uint_eq(flow, 99);
	}
	ck_assert(send_control(&end, true));
	read_message(&end, &flow, &number);
	ends_fini(&end, 1, drain);
}
END_TEST

/* ---- A thread that waits for room ---- */

struct waiter {
	pthread_t thread;
	struct end *end;
	_Atomic int tid;
	bool taken;
};

static void *wait_for_room(void *arg)
{
	struct waiter *w = arg;

	w->tid = (int)syscall(SYS_gettid);
	w->taken = send_control(w->end, true);
	return NULL;
}

static char thread_state(int tid)
{
	char path[64], state = '?';
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
	file = fopen(path, "r");
	if (!file)
		return '?';
	if (fscanf(file, "%*d %*s %c", &state) != 1)
		state = '?';
	fclose(file);
	return state;
}

/* Fill the buffer, and have a thread wait for room in it. */
static void start_waiter(struct waiter *w, struct end *end)
{
	memset(w, 0, sizeof(*w));
	w->end = end;
	while (send_control(end, false))
		continue;
	ck_assert_int_eq(pthread_create(&w->thread, NULL, wait_for_room, w),
			 0);
	while (w->tid == 0 || thread_state(w->tid) != 'S')
		sched_yield();
}

START_TEST(egress_control_waits_for_room)
{
	struct drain *drain = new_drain(&generous);
	uint8_t message[100];
	struct waiter w;
	struct end end;

	end_init(&end, drain, &generous, SMALL);
	start_waiter(&w, &end);
	while (end_readable(&end) > 0)
		end_read(&end, message, sizeof(message));
	pthread_join(w.thread, NULL);
	ck_assert(w.taken);
	ends_fini(&end, 1, drain);
}
END_TEST

START_TEST(egress_shut_wakes_who_waits_for_room)
{
	struct drain *drain = new_drain(&generous);
	struct waiter w;
	struct end end;

	end_init(&end, drain, &generous, SMALL);
	start_waiter(&w, &end);
	egress_shut(&end.endpoint.egress);
	pthread_join(w.thread, NULL);
	ck_assert(!w.taken);
	ends_fini(&end, 1, drain);
}
END_TEST

/* Once a client that asked again and again, read nothing and went away left
 * its thread waiting for ever. */
START_TEST(egress_broken_connection_wakes_who_waits_for_room)
{
	struct drain *drain = new_drain(&generous);
	struct waiter w;
	struct end end;

	end_init(&end, drain, &generous, SMALL);
	start_waiter(&w, &end);
	shutdown(end.ours, SHUT_RDWR);	/* as client_shut() does */
	pthread_join(w.thread, NULL);
	ck_assert(!w.taken);
	ends_fini(&end, 1, drain);
}
END_TEST

START_TEST(egress_held_lets_only_control_out)
{
	struct drain *drain = new_drain(&generous);
	uint32_t flow, number, i;
	struct end end;

	end_init(&end, drain, &generous, 0);
	egress_hold(&end.endpoint.egress);
	send_burst(&end, 0, 3, 200);
	ck_assert_uint_eq(end_queued(&end), 600);
	ck_assert(send_control(&end, false));
	ck_assert_uint_eq(end_readable(&end), 100);
	read_message(&end, &flow, &number);
	ck_assert_uint_eq(flow, 99);
	egress_release(&end.endpoint.egress);
	for (i = 0; i < 3; i++) {
		read_message(&end, &flow, &number);
		ck_assert_uint_eq(number, i);
	}
	egress_release(&end.endpoint.egress);
	ends_fini(&end, 1, drain);
}
END_TEST

START_TEST(egress_held_finishes_the_reply_and_nothing_more)
{
	struct drain *drain = new_drain(&generous);
	uint32_t flow, number, n = 0, i;
	struct end end;

	end_init(&end, drain, &generous, SMALL);
	egress_hold(&end.endpoint.egress);
	while (send_control(&end, false))
		n++;
	send_burst(&end, 0, 2, ODD_LEN);
	for (i = 0; i < n; i++) {
		read_message(&end, &flow, &number);
		ck_assert_uint_eq(flow, 99);
	}
	ck_assert_uint_eq(end_queued(&end), 2 * ODD_LEN);
	ck_assert_uint_eq(end_readable(&end), 0);
	egress_release(&end.endpoint.egress);
	for (i = 0; i < 2; i++) {
		read_message(&end, &flow, &number);
		ck_assert_uint_eq(number, i);
	}
	ends_fini(&end, 1, drain);
}
END_TEST

/* ---- The end of it ---- */

START_TEST(egress_shut_frees_the_queue)
{
	struct drain *drain = new_drain(&generous);
	struct end end;

	end_init(&end, drain, &generous, SMALL);
	send_burst(&end, 0, 40, ODD_LEN);
	ck_assert_uint_gt(drain_queue_memory(drain), 0);
	egress_shut(&end.endpoint.egress);
	egress_shut(&end.endpoint.egress);
	ck_assert_uint_eq(end_queued(&end), 0);
	ck_assert_uint_eq(drain_queue_memory(drain), 0);
	send_burst(&end, 40, 3, ODD_LEN);
	ck_assert_uint_ge(end_drops(&end, DROP_CLOSED), 3);
	ck_assert_uint_eq(end_queued(&end), 0);
	ck_assert(!send_control(&end, true));
	ends_fini(&end, 1, drain);
}
END_TEST

START_TEST(egress_peer_gone_drops_and_counts)
{
	struct drain *drain = new_drain(&generous);
	struct end end;

	end_init(&end, drain, &generous, 0);
	close(end.theirs);
	end.theirs = -1;
	send_burst(&end, 0, 3, 100);
	ck_assert_uint_eq(end_drops(&end, DROP_CLOSED), 3);
	ck_assert_uint_eq(sent_packets(&end), 0);
	ends_fini(&end, 1, drain);
}
END_TEST

START_TEST(egress_check_tells_waiting_from_stalled)
{
	struct drain *drain = new_drain(&generous);
	uint64_t before_ms = clock_now_ms(), after_ms;
	struct egress *e;
	struct end end;

	end_init(&end, drain, &generous, SMALL);
	e = &end.endpoint.egress;
	send_burst(&end, 0, 30, ODD_LEN);
	after_ms = clock_now_ms();
	ck_assert_int_eq(egress_check(e, before_ms), EGRESS_WAITING);
	ck_assert_int_eq(egress_check(e, before_ms + LONG_MS - 1),
			 EGRESS_WAITING);
	ck_assert_int_eq(egress_check(e, after_ms + LONG_MS), EGRESS_STALLED);
	ck_assert_int_eq(egress_check(e, 0), EGRESS_WAITING);
	ends_fini(&end, 1, drain);
}
END_TEST

START_TEST(egress_that_takes_nothing_is_shut)
{
	const struct egress_limits hasty = {
		.queue_bytes = 256 * 1024, .queue_packets = 4096,
		.stall_ms = 1, .memory = UINT64_MAX,
	};
	struct drain *drain = new_drain(&hasty);
	struct end end;

	end_init(&end, drain, &hasty, SMALL);
	send_burst(&end, 0, 30, ODD_LEN);
	wait_on(&end.shut_called);
	ck_assert_int_eq(end.shut_reason, CLOSE_STALLED);
	ends_fini(&end, 1, drain);
}
END_TEST

/* ---- All queues together ---- */

START_TEST(egress_over_the_memory_limit_drops_whole_messages)
{
	const struct egress_limits poor = {
		.queue_bytes = 256 * 1024, .queue_packets = 4096,
		.stall_ms = LONG_MS, .memory = 1,
	};
	struct drain *drain = new_drain(&generous);
	uint32_t flow, number, i;
	struct end end;

	end_init(&end, drain, &poor, SMALL);
	send_burst(&end, 0, 30, ODD_LEN);	/* cut, so its rest is kept */
	ck_assert_uint_ne(end_readable(&end) % ODD_LEN, 0);
	send_burst(&end, 30, 5, ODD_LEN);
	ck_assert_uint_eq(end_drops(&end, DROP_MEMORY_LIMIT), 5);
	for (i = 0; i < 30; i++) {
		read_message(&end, &flow, &number);
		ck_assert_uint_eq(number, i);
	}
	ends_fini(&end, 1, drain);
}
END_TEST

START_TEST(egress_with_the_oldest_queue_is_evicted)
{
	struct egress_limits limits = generous;
	struct end ends[2];	/* the second is the older one */
	struct drain *drain;

	limits.memory = 80 * 1000;
	drain = new_drain(&limits);
	end_init(&ends[0], drain, &limits, SMALL);
	end_init(&ends[1], drain, &limits, SMALL);
	send_burst(&ends[0], 0, 30, ODD_LEN);
	send_burst(&ends[1], 0, 30, ODD_LEN);
	pthread_mutex_lock(&ends[1].endpoint.egress.lock);
	ends[1].endpoint.egress.progress_ms -= 100;
	pthread_mutex_unlock(&ends[1].endpoint.egress.lock);
	ck_assert_uint_gt(drain_queue_memory(drain), limits.memory);
	wait_on(&ends[1].shut_called);
	ck_assert_int_eq(ends[1].shut_reason, CLOSE_EVICTED);
	ck_assert_int_eq(ends[0].shut_reason, CLOSE_NONE);
	ck_assert_uint_gt(end_queued(&ends[0]), 0);
	ends_fini(ends, 2, drain);
}
END_TEST

/* ---- Waiting for those that read ---- */

static void *wait_for_queue(void *arg)
{
	struct waiter *w = arg;

	w->tid = (int)syscall(SYS_gettid);
	wait_once(&w->end->endpoint.egress);
	w->taken = true;
	return NULL;
}

START_TEST(egress_wait_ends_when_a_quarter_is_left)
{
	const struct egress_limits limits = {
		.queue_bytes = 30 * ODD_LEN, .queue_packets = 4096,
		.stall_ms = LONG_MS, .memory = UINT64_MAX,
		.wait_ms = LONG_MS, .patience_ms = LONG_MS,
	};
	struct drain *drain = new_drain(&limits);
	struct waiter w = { 0 };
	uint32_t flow, number;
	struct end end;

	end_init(&end, drain, &limits, SMALL);
	w.end = &end;
	send_burst(&end, 0, 28, ODD_LEN);
	ck_assert_uint_gt(end_queued(&end), 15 * ODD_LEN);
	ck_assert_int_eq(pthread_create(&w.thread, NULL, wait_for_queue, &w),
			 0);
	while (w.tid == 0 || thread_state(w.tid) != 'S')
		sched_yield();
	while (end_queued(&end) > 7 * ODD_LEN)
		read_message(&end, &flow, &number);
	pthread_join(w.thread, NULL);
	ends_fini(&end, 1, drain);
}
END_TEST

START_TEST(egress_wait_for_nothing_returns_at_once)
{
	struct egress_limits limits = generous;
	struct drain *drain;
	struct egress *e;
	struct end end;

	limits.wait_ms = LONG_MS;
	limits.patience_ms = LONG_MS;
	drain = new_drain(&limits);
	end_init(&end, drain, &limits, SMALL);
	e = &end.endpoint.egress;
	wait_once(e);
	send_burst(&end, 0, 30, ODD_LEN);	/* not a quarter of the queue */
	wait_once(e);
	limits.queue_bytes = 10 * ODD_LEN;
	pthread_mutex_lock(&e->lock);
	e->progress_ms -= LONG_MS;		/* it has taken nothing since */
	pthread_mutex_unlock(&e->lock);
	wait_once(e);
	egress_shut(e);
	wait_once(e);
	ends_fini(&end, 1, drain);
}
END_TEST

START_TEST(egress_wait_is_bounded)
{
	struct egress_limits limits = generous;
	struct drain *drain;
	uint64_t start_ms;
	struct end end;

	limits.wait_ms = 20;
	limits.patience_ms = LONG_MS;
	limits.queue_bytes = 30 * ODD_LEN;
	drain = new_drain(&limits);
	end_init(&end, drain, &limits, SMALL);
	send_burst(&end, 0, 30, ODD_LEN);
	start_ms = clock_now_ms();
	wait_once(&end.endpoint.egress);
	ck_assert_uint_lt(clock_now_ms() - start_ms, 1000 * PATIENCE_S);
	ends_fini(&end, 1, drain);
}
END_TEST

static void *flush_queue(void *arg)
{
	struct waiter *w = arg;

	w->tid = (int)syscall(SYS_gettid);
	egress_flush(&w->end->endpoint.egress, clock_now_ms() + LONG_MS);
	w->taken = end_queued(w->end) == 0;
	return NULL;
}

START_TEST(egress_flush_waits_until_all_has_left)
{
	struct drain *drain = new_drain(&generous);
	struct waiter w = { 0 };
	uint32_t flow, number, i;
	struct end end;

	end_init(&end, drain, &generous, SMALL);
	w.end = &end;
	send_burst(&end, 0, 30, ODD_LEN);
	ck_assert_int_eq(pthread_create(&w.thread, NULL, flush_queue, &w), 0);
	while (w.tid == 0 || thread_state(w.tid) != 'S')
		sched_yield();
	for (i = 0; i < 30; i++)
		read_message(&end, &flow, &number);
	pthread_join(w.thread, NULL);
	ck_assert(w.taken);
	ends_fini(&end, 1, drain);
}
END_TEST

START_TEST(egress_flush_ends_at_the_deadline)
{
	struct drain *drain = new_drain(&generous);
	struct end end;

	end_init(&end, drain, &generous, SMALL);
	egress_flush(&end.endpoint.egress, clock_now_ms() + LONG_MS);
	send_burst(&end, 0, 30, ODD_LEN);
	egress_flush(&end.endpoint.egress, clock_now_ms() + 10);
	egress_flush(&end.endpoint.egress, 0);
	ck_assert_uint_gt(end_queued(&end), 0);
	ends_fini(&end, 1, drain);
}
END_TEST

/* ---- The drain's list ---- */

/* The owner goes while its empty queue is watched: the drain lets go too. */
START_TEST(egress_idle_is_let_go_by_the_drain)
{
	struct drain *drain = new_drain(&generous);
	uint32_t flow, number, i;
	struct end end;

	end_init(&end, drain, &generous, SMALL);
	send_burst(&end, 0, 30, ODD_LEN);
	ck_assert_uint_eq(end.endpoint.references, 2);
	for (i = 0; i < 30; i++)
		read_message(&end, &flow, &number);
	endpoint_put(&end.endpoint);
	wait_on(&end.released);
	ck_assert_uint_eq(drain_queue_memory(drain), 0);
	egress_fini(&end.endpoint.egress);
	close(end.ours);
	close(end.theirs);
	drain_free(drain);
}
END_TEST

START_TEST(egress_is_watched_again_after_it_was_let_go)
{
	struct drain *drain = new_drain(&generous);
	struct egress *e;
	struct end end;
	uint32_t i;

	end_init(&end, drain, &generous, SMALL);
	e = &end.endpoint.egress;
	for (i = 0; i < 3; i++) {
		ck_assert(drain_watch(drain, e));
		ck_assert_uint_eq(end.endpoint.references, 2);
		pthread_mutex_lock(&e->lock);
		drain_unwatch(drain, e);
		pthread_mutex_unlock(&e->lock);
		endpoint_put(&end.endpoint);
	}
	ends_fini(&end, 1, drain);
}
END_TEST

START_TEST(egress_drain_ends_with_queues_still_watched)
{
	struct drain *drain = new_drain(&generous);
	struct end ends[3];
	int i;

	for (i = 0; i < 3; i++) {
		end_init(&ends[i], drain, &generous, SMALL);
		send_burst(&ends[i], 0, 30, ODD_LEN);
		ck_assert_uint_eq(ends[i].endpoint.references, 2);
	}
	ends_fini(ends, 3, drain);
}
END_TEST

static Suite *egress_suite(void)
{
	Suite *suite = suite_create("egress");
	TCase *tc = tcase_create("egress");

	tcase_set_timeout(tc, 2 * PATIENCE_S);
	tcase_add_test(tc, egress_with_room_sends_at_once);
	tcase_add_test(tc,
		       egress_partial_send_queues_the_rest_and_finishes_it);
	tcase_add_test(tc, egress_congested_queues_behind_what_waits);
	tcase_add_test(tc, egress_full_queue_drops_whole_messages);
	tcase_add_test(tc, egress_random_traffic_stays_whole_and_in_order);
	tcase_add_test(tc, egress_threads_do_not_mix_their_messages);
	tcase_add_test(tc, egress_control_goes_out_at_once);
	tcase_add_test(tc, egress_control_goes_behind_the_started_message);
	tcase_add_test(tc, egress_control_buffer_is_bounded);
	tcase_add_test(tc, egress_control_waits_for_room);
	tcase_add_test(tc, egress_shut_wakes_who_waits_for_room);
	tcase_add_test(tc, egress_broken_connection_wakes_who_waits_for_room);
	tcase_add_test(tc, egress_held_lets_only_control_out);
	tcase_add_test(tc, egress_held_finishes_the_reply_and_nothing_more);
	tcase_add_test(tc, egress_shut_frees_the_queue);
	tcase_add_test(tc, egress_peer_gone_drops_and_counts);
	tcase_add_test(tc, egress_check_tells_waiting_from_stalled);
	tcase_add_test(tc, egress_that_takes_nothing_is_shut);
	tcase_add_test(tc,
		       egress_over_the_memory_limit_drops_whole_messages);
	tcase_add_test(tc, egress_with_the_oldest_queue_is_evicted);
	tcase_add_test(tc, egress_wait_ends_when_a_quarter_is_left);
	tcase_add_test(tc, egress_wait_for_nothing_returns_at_once);
	tcase_add_test(tc, egress_wait_is_bounded);
	tcase_add_test(tc, egress_flush_waits_until_all_has_left);
	tcase_add_test(tc, egress_flush_ends_at_the_deadline);
	tcase_add_test(tc, egress_idle_is_let_go_by_the_drain);
	tcase_add_test(tc, egress_is_watched_again_after_it_was_let_go);
	tcase_add_test(tc, egress_drain_ends_with_queues_still_watched);
	suite_add_tcase(suite, tc);
	return suite;
}

int main(void)
{
	SRunner *runner = srunner_create(egress_suite());
	int failed;

	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
