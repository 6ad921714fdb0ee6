/* SPDX-License-Identifier: MIT */
/*
 * The bounded, flow-fair queue in front of one congested peer.
 *
 * Theory of operation: messages are hashed to FLOWS flows.  A flow that has
 * something to send stands in one of two circular lists.  Flows of the list of
 * new ones are served first; a flow that has used up its deficit gets a
 * quantum more and goes to the tail of the old ones; an empty one leaves, a
 * new one by way of the old list, so that it cannot come back as new at once
 * (RFC 8290, 4.2).  Each flow has its own CoDel state (RFC 8289).
 *
 * flowq_peek() moves messages from their flows to the batch that is out.  When
 * flowq_sent() finds some unsent, all go back, the schedule becomes again what
 * it was before the batch, and the part that was sent is taken a second time:
 * so the shares are those of what was sent, and a packet that comes meanwhile
 * competes with what is left and need not wait for it.  (To give back unsent
 * messages and their deficits alone is not enough: a flow whose turn falls on
 * the cut again and again would starve.)  Messages pushed while a batch is out
 * wait aside, as they would change what the second time gives.
 *
 * Memory: a slab is filled from both ends, with the messages' bytes from its
 * begin and their descriptors from its end, so that messages pushed one after
 * the other are neighbours and can share a vector.  Nothing is freed in a slab
 * but the slab itself, when its last message has gone.  As long-lived messages
 * can so pin slabs, slabs are bounded too, by about twice the limit of bytes;
 * beyond that a new message is dropped.
 */
#include "common/flowq.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "proto/ippkt.h"

enum {
	FLOWS_LOG2 = 7,
	FLOWS = 1 << FLOWS_LOG2,
	NO_FLOW = FLOWS,
	QUANTUM = 1514,		/* bytes: RFC 8290, 5.2.4 */
	SLAB_SIZE = 32 * 1024,	/* with its header */
	MAX_SPARES = 2,		/* slabs kept for the next messages */
	OWN_SLAB_LEN = SLAB_SIZE / 4,	/* longer ones waste too much */
	MAX_LEN = 1 << 20,	/* of a message; the wire's are shorter */
};

/* As RFC 8289 recommends. */
static const uint64_t target_ns = 5 * UINT64_C(1000000);
static const uint64_t interval_ns = 100 * UINT64_C(1000000);

struct slab {
	struct slab *next;	/* of the spares */
	uint32_t n_live;	/* messages */
	uint32_t begin, end;	/* of what is free */
	uint32_t capacity;
	_Alignas(8) uint8_t bytes[];
};

struct message {
	struct message *next;
	struct slab *slab;
	uint64_t pushed_ns;
	uint32_t offset;	/* of its bytes in the slab */
	uint32_t len : 24;
	uint32_t flow : 8;
};

static_assert(sizeof(struct message) % 8 == 0, "descriptors are aligned");
static_assert(SLAB_SIZE % 8 == 0 && sizeof(struct slab) % 8 == 0,
	      "descriptors are aligned");
static_assert(MAX_LEN < 1 << 24 && FLOWS <= 1 << 8, "fit the bit fields");

enum list {
	LIST_NEW,
	LIST_OLD,
	N_LISTS,
	LIST_NONE = N_LISTS
};

/* A flow's messages and CoDel state. */
struct flow {
	struct message *head, *tail;
	uint64_t first_above_ns;	/* 0: not above the target */
	uint64_t drop_next_ns;
	uint16_t n_drops, n_last_drops;	/* "count" and "lastcount" */
	bool dropping;
};

/* Whose turn it is; small, as each batch keeps a copy of it. */
struct schedule {
	uint16_t lists[N_LISTS];	/* first flow; NO_FLOW */
	struct turn {
		int32_t deficit;
		uint8_t next, prev;	/* in its list */
		uint8_t list;
	} turns[FLOWS];
};

struct flowq {
	size_t max_bytes;
	size_t max_memory;
	size_t memory;			/* slabs */
	size_t bytes;			/* unsent ones of all messages */
	uint32_t max_packets;
	uint32_t packets;
	void (*charge)(void *arg, int64_t bytes);
	void *arg;
	uint64_t seed[2];		/* a sender cannot choose its flow */
	struct flowq_drops drops;
	struct slab *open;		/* where messages go; may be NULL */
	struct slab *spares;
	uint32_t n_spares;
	uint32_t victim;		/* flow to drop from */
	uint32_t victim_floor;		/* while it has this backlog */
	struct message *started;	/* begun: goes first of all */
	uint32_t started_sent;		/* bytes of it */
	bool batch_is_out;
	struct message *batch, *batch_tail;	/* but for started */
	size_t batch_bytes;
	struct message *late, *late_tail;	/* pushed meanwhile */
	uint32_t backlog[FLOWS];	/* bytes; apart, so quick to scan */
	struct flow flows[FLOWS];
	struct schedule schedule;
	struct schedule before;		/* the batch that is out */
};

static void charge(struct flowq *q, int64_t bytes)
{
	if (q->charge != NULL)
		q->charge(q->arg, bytes);
}

/* ---- Slabs ---- */

static struct slab *slab_new(struct flowq *q, size_t size)
{
	struct slab *slab = malloc(size);

	if (slab == NULL)
		return NULL;
	slab->n_live = 0;
	slab->begin = 0;
	slab->capacity = (uint32_t)(size - sizeof(*slab));
	slab->end = slab->capacity;
	q->memory += size;
	charge(q, (int64_t)size);
	return slab;
}

static void slab_free(struct flowq *q, struct slab *slab)
{
	size_t size;

	if (slab == NULL)
		return;
	size = slab->capacity + sizeof(*slab);
	free(slab);
	q->memory -= size;
	charge(q, -(int64_t)size);
}

static struct slab *take_spare(struct flowq *q)
{
	struct slab *slab = q->spares;

	if (slab != NULL) {
		q->spares = slab->next;
		q->n_spares--;
	}
	return slab;
}

/* A slab's last message has gone. */
static void slab_retire(struct flowq *q, struct slab *slab)
{
	slab->begin = 0;
	slab->end = slab->capacity;
	if (slab == q->open)
		return;
	if (slab->capacity != SLAB_SIZE - sizeof(*slab) ||
	    q->n_spares == MAX_SPARES) {
		slab_free(q, slab);
		return;
	}
	slab->next = q->spares;
	q->spares = slab;
	q->n_spares++;
}

static bool memory_allows(struct flowq *q, size_t size)
{
	while (q->memory + size > q->max_memory && q->spares != NULL)
		slab_free(q, take_spare(q));
	return q->memory + size <= q->max_memory;
}

static bool slab_has_room(const struct slab *slab, uint32_t len)
{
	return slab->end - slab->begin >= len + sizeof(struct message);
}

/*
 * A slab with room for a message of len bytes; NULL, counted, if there is
 * none.  must: beyond the bound too.
 */
static struct slab *slab_for(struct flowq *q, uint32_t len, bool must)
{
	bool own = len > OWN_SLAB_LEN;
	size_t size = SLAB_SIZE;
	struct slab *slab;

	if (own)
		size = sizeof(struct slab) + sizeof(struct message) +
		       ((len + 7U) & ~(size_t)7);
	else if (q->open != NULL && slab_has_room(q->open, len))
		return q->open;
	slab = own ? NULL : take_spare(q);
	if (slab == NULL) {
		if (!memory_allows(q, size) && !must) {
			q->drops.full++;
			return NULL;
		}
		slab = slab_new(q, size);
	}
	if (slab == NULL)
		q->drops.no_memory++;
	else if (!own)
		q->open = slab;
	return slab;
}

/* ---- Messages ---- */

static uint8_t *message_bytes(const struct message *m)
{
	return m->slab->bytes + m->offset;
}

static struct message *message_new(struct flowq *q, const uint8_t *data,
				   uint32_t len, bool must)
{
	struct slab *slab = slab_for(q, len, must);
	struct message *m;

	if (slab == NULL)
		return NULL;
	slab->end -= (uint32_t)sizeof(*m);
	m = (struct message *)(void *)(slab->bytes + slab->end);
	m->next = NULL;
	m->slab = slab;
	m->offset = slab->begin;
	m->len = len;
	memcpy(slab->bytes + slab->begin, data, len);
	slab->begin += len;
	slab->n_live++;
	q->packets++;
	q->bytes += len;
	return m;
}

/* sent: bytes of it that have left, and are counted no more. */
static void message_free(struct flowq *q, struct message *m, uint32_t sent)
{
	struct slab *slab = m->slab;

	q->packets--;
	q->bytes -= m->len - sent;
	if (--slab->n_live == 0)
		slab_retire(q, slab);
}

static void chain_append(struct message **head, struct message **tail,
			 struct message *m)
{
	m->next = NULL;
	if (*head == NULL)
		*head = m;
	else
		(*tail)->next = m;
	*tail = m;
}

static void free_chain(struct flowq *q, struct message *m)
{
	struct message *next;

	for (; m != NULL; m = next) {
		next = m->next;
		message_free(q, m, 0);
	}
}

/* ---- Flows and their lists ---- */

static uint64_t mix(uint64_t x)
{
	x *= UINT64_C(0x9e3779b97f4a7c15);
	x ^= x >> 32;
	x *= UINT64_C(0xd6e8feb86659fd93);
	return x ^ x >> 32;
}

/* Everything that is not IPv4 is one flow; so is all of one pair's ICMP. */
static uint32_t hash_flow(const struct flowq *q, const uint8_t *data,
			  uint32_t len, uint32_t ip_offset)
{
	const uint8_t *ip = data + ip_offset;
	uint32_t ports = 0;
	uint64_t addresses;
	uint32_t header_len;

	if (ip_offset > len || len - ip_offset < IPPKT_HEADER_LEN ||
	    ip[0] >> 4 != 4)
		return 0;
	len -= ip_offset;
	header_len = ippkt_header_len(ip);
	memcpy(&addresses, ip + 12, sizeof(addresses));
	if ((ip[9] == IPPKT_TCP || ip[9] == IPPKT_UDP) &&
	    !(ippkt_fragment(ip) & (IPPKT_FLAG_MF | IPPKT_OFFSET_MASK)) &&
	    header_len + sizeof(ports) <= len)
		memcpy(&ports, ip + header_len, sizeof(ports));
	addresses = mix(addresses ^ q->seed[0]);
	addresses = mix(addresses ^ q->seed[1] ^
			((uint64_t)ip[9] << 32 | ports));
	return (uint32_t)(addresses >> (64 - FLOWS_LOG2));
}

static void list_add_tail(struct schedule *s, enum list list, uint32_t number)
{
	struct turn *turn = &s->turns[number], *first;

	turn->list = (uint8_t)list;
	turn->next = turn->prev = (uint8_t)number;
	if (s->lists[list] == NO_FLOW) {
		s->lists[list] = (uint16_t)number;
		return;
	}
	first = &s->turns[s->lists[list]];
	turn->next = (uint8_t)s->lists[list];
	turn->prev = first->prev;
	s->turns[first->prev].next = (uint8_t)number;
	first->prev = (uint8_t)number;
}

static void list_remove_head(struct schedule *s, enum list list)
{
	uint32_t number = s->lists[list];
	struct turn *turn = &s->turns[number];

	s->turns[turn->prev].next = turn->next;
	s->turns[turn->next].prev = turn->prev;
	s->lists[list] = turn->next == number ? NO_FLOW : turn->next;
	turn->list = LIST_NONE;
}

static void flow_append(struct flowq *q, struct message *m)
{
	struct flow *flow = &q->flows[m->flow];
	struct turn *turn = &q->schedule.turns[m->flow];

	m->next = NULL;
	if (flow->head == NULL)
		flow->head = m;
	else
		flow->tail->next = m;
	flow->tail = m;
	q->backlog[m->flow] += m->len;
	if (turn->list == LIST_NONE) {
		turn->deficit = QUANTUM;
		list_add_tail(&q->schedule, LIST_NEW, m->flow);
	}
}

static struct message *flow_take(struct flowq *q, uint32_t number)
{
	struct flow *flow = &q->flows[number];
	struct message *m = flow->head;

	if (m == NULL)
		return NULL;
	flow->head = m->next;
	m->next = NULL;
	q->backlog[number] -= m->len;
	return m;
}

/* Undo flow_take(). */
static void flow_return(struct flowq *q, struct message *m)
{
	struct flow *flow = &q->flows[m->flow];

	if (flow->head == NULL)
		flow->tail = m;
	m->next = flow->head;
	flow->head = m;
	q->backlog[m->flow] += m->len;
}

/* The flow whose turn it is; NO_FLOW: none has anything to send. */
static uint32_t next_flow(struct flowq *q)
{
	struct schedule *s = &q->schedule;
	uint32_t number;
	enum list list;

	for (;;) {
		list = s->lists[LIST_NEW] != NO_FLOW ? LIST_NEW : LIST_OLD;
		number = s->lists[list];
		if (number == NO_FLOW)
			return NO_FLOW;
		if (s->turns[number].deficit <= 0) {
			s->turns[number].deficit += QUANTUM;
			list_remove_head(s, list);
			list_add_tail(s, LIST_OLD, number);
		} else if (q->flows[number].head == NULL) {
			list_remove_head(s, list);
			if (list == LIST_NEW && s->lists[LIST_OLD] != NO_FLOW)
				list_add_tail(s, LIST_OLD, number);
		} else {
			return number;
		}
	}
}

/* ---- CoDel ---- */

/* The integer part of the square root, bit by bit. */
static uint64_t square_root(uint64_t x)
{
	uint64_t root = 0, bit = UINT64_C(1) << 36;

	for (; bit != 0; bit >>= 2) {
		if (x >= root + bit) {
			x -= root + bit;
			root = (root >> 1) + bit;
		} else {
			root >>= 1;
		}
	}
	return root;
}

/* The next drop is interval / sqrt(n_drops) after this one. */
static uint64_t next_drop(uint64_t from_ns, uint16_t n_drops)
{
	/* The root of 2^20 x is 2^10 times that of x: ten bits of fraction. */
	return from_ns + (interval_ns << 10) /
			 square_root((uint64_t)n_drops << 20);
}

/* Take the head; *stale: it has stood above the target for too long. */
static struct message *take_judged(struct flowq *q, uint32_t number,
				   uint64_t now_ns, bool *stale)
{
	struct flow *flow = &q->flows[number];
	struct message *m = flow_take(q, number);

	*stale = false;
	if (m == NULL || now_ns < m->pushed_ns + target_ns ||
	    q->backlog[number] <= QUANTUM)
		flow->first_above_ns = 0;
	else if (flow->first_above_ns == 0)
		flow->first_above_ns = now_ns + interval_ns;
	else
		*stale = now_ns >= flow->first_above_ns;
	return m;
}

static struct message *drop_and_take(struct flowq *q, struct message *m,
				     uint32_t number, uint64_t now_ns,
				     bool *stale)
{
	message_free(q, m, 0);
	q->drops.stale++;
	return take_judged(q, number, now_ns, stale);
}

static void start_dropping(struct flow *flow, uint64_t now_ns)
{
	uint32_t delta = (uint32_t)flow->n_drops - flow->n_last_drops;
	bool recent = now_ns < flow->drop_next_ns + 16 * interval_ns;

	/* Soon after the last time, go on at about the rate it ended with. */
	if (flow->n_drops > flow->n_last_drops + 1 && recent)
		flow->n_drops = (uint16_t)delta;
	else
		flow->n_drops = 1;
	flow->n_last_drops = flow->n_drops;
	flow->drop_next_ns = next_drop(now_ns, flow->n_drops);
	flow->dropping = true;
}

/* The next message that CoDel lets through; the flow is not empty, and CoDel
 * never takes its last message. */
static struct message *codel_take(struct flowq *q, uint32_t number,
				  uint64_t now_ns)
{
	struct flow *flow = &q->flows[number];
	bool stale;
	struct message *m = take_judged(q, number, now_ns, &stale);

	if (!flow->dropping) {
		if (stale) {
			m = drop_and_take(q, m, number, now_ns, &stale);
			start_dropping(flow, now_ns);
		}
		return m;
	}
	while (stale && now_ns >= flow->drop_next_ns) {
		if (flow->n_drops < UINT16_MAX)
			flow->n_drops++;
		m = drop_and_take(q, m, number, now_ns, &stale);
		if (stale)
			flow->drop_next_ns = next_drop(flow->drop_next_ns,
						       flow->n_drops);
	}
	flow->dropping = stale;
	return m;
}

/* ---- Limits ---- */

static bool find_victim(struct flowq *q)
{
	uint32_t i, longest = 0;

	for (i = 1; i < FLOWS; i++) {
		if (q->backlog[i] > q->backlog[longest])
			longest = i;
	}
	q->victim = longest;
	q->victim_floor = q->backlog[longest] - q->backlog[longest] / 16;
	return q->backlog[longest] > 0;
}

/*
 * Drop the oldest message of the longest flow, or of one that was it a short
 * while ago: to look at all of them for each drop would cost more than the
 * drop.  False: all that is left is in the batch or begun.
 */
static bool drop_from_longest(struct flowq *q)
{
	if ((q->backlog[q->victim] == 0 ||
	     q->backlog[q->victim] < q->victim_floor) && !find_victim(q))
		return false;
	message_free(q, flow_take(q, q->victim), 0);
	q->drops.full++;
	return true;
}

static bool make_room(struct flowq *q, uint32_t len)
{
	while (q->bytes + len > q->max_bytes || q->packets >= q->max_packets) {
		if (!drop_from_longest(q))
			return false;
	}
	return true;
}

/* ---- What the owner calls ---- */

struct flowq *flowq_new(size_t max_bytes, uint32_t max_packets,
			void (*charge_memory)(void *arg, int64_t bytes),
			void *arg)
{
	struct flowq *q = calloc(1, sizeof(*q));
	uint32_t i;

	if (q == NULL)
		return NULL;
	q->max_bytes = max_bytes < INT32_MAX ? max_bytes : INT32_MAX;
	q->max_packets = max_packets;
	q->max_memory = 2 * q->max_bytes + SLAB_SIZE;
	if (q->max_memory < 2 * SLAB_SIZE)
		q->max_memory = 2 * SLAB_SIZE;
	q->charge = charge_memory;
	q->arg = arg;
	/* Early at boot there may be none; its own address is better than
	 * waiting. */
	if (getrandom(q->seed, sizeof(q->seed), GRND_NONBLOCK) < 0)
		q->seed[0] = (uintptr_t)q;
	for (i = 0; i < N_LISTS; i++)
		q->schedule.lists[i] = NO_FLOW;
	for (i = 0; i < FLOWS; i++)
		q->schedule.turns[i].list = LIST_NONE;
	charge(q, (int64_t)sizeof(*q));
	return q;
}

void flowq_free(struct flowq *q)
{
	uint32_t i;

	if (q == NULL)
		return;
	for (i = 0; i < FLOWS; i++)
		free_chain(q, q->flows[i].head);
	free_chain(q, q->batch);
	free_chain(q, q->late);
	if (q->started != NULL)
		message_free(q, q->started, q->started_sent);
	slab_free(q, q->open);
	while (q->spares != NULL)
		slab_free(q, take_spare(q));
	assert(q->memory == 0);
	charge(q, -(int64_t)sizeof(*q));
	free(q);
}

void flowq_push(struct flowq *q, const uint8_t *data, uint32_t len,
		uint32_t ip_offset, uint64_t now_ns)
{
	struct message *m;

	if (len == 0)
		return;
	if (len > q->max_bytes || len > MAX_LEN || !make_room(q, len)) {
		q->drops.full++;
		return;
	}
	m = message_new(q, data, len, false);
	if (m == NULL)
		return;
	m->pushed_ns = now_ns;
	m->flow = hash_flow(q, data, len, ip_offset);
	if (q->batch_is_out)
		chain_append(&q->late, &q->late_tail, m);
	else
		flow_append(q, m);
}

bool flowq_push_started(struct flowq *q, const uint8_t *rest, uint32_t len)
{
	struct message *m;

	assert(flowq_empty(q) && len > 0 && len <= MAX_LEN);
	m = message_new(q, rest, len, true);
	if (m == NULL)
		return false;
	q->started = m;
	q->started_sent = 0;
	return true;
}

/* A vector more, or a longer last one; returns the number of vectors. */
static int add_vector(struct iovec *iov, int n, uint8_t *bytes, size_t len)
{
	struct iovec *last = n > 0 ? &iov[n - 1] : NULL;

	if (last != NULL &&
	    (uint8_t *)last->iov_base + last->iov_len == bytes) {
		last->iov_len += len;
		return n;
	}
	iov[n] = (struct iovec){ bytes, len };
	return n + 1;
}

int flowq_peek(struct flowq *q, struct iovec *iov, int max_iov,
	       size_t max_bytes, uint64_t now_ns)
{
	uint32_t number;
	size_t total = 0;
	struct message *m;
	int n = 0;

	flowq_sent(q, 0);
	if (max_iov <= 0 || flowq_empty(q))
		return 0;
	q->batch_is_out = true;
	q->before = q->schedule;
	if (q->started != NULL) {
		total = q->started->len - q->started_sent;
		n = add_vector(iov, n, message_bytes(q->started) +
				       q->started_sent, total);
	}
	while (n < max_iov && total < max_bytes) {
		number = next_flow(q);
		if (number == NO_FLOW)
			break;
		m = codel_take(q, number, now_ns);
		q->schedule.turns[number].deficit -= (int32_t)m->len;
		chain_append(&q->batch, &q->batch_tail, m);
		n = add_vector(iov, n, message_bytes(m), m->len);
		q->batch_bytes += m->len;
		total += m->len;
	}
	return n;
}

/* Give the batch back to its flows, its last message first. */
static void return_batch(struct flowq *q)
{
	struct message *reversed = NULL, *m, *next;

	for (m = q->batch; m != NULL; m = next) {
		next = m->next;
		m->next = reversed;
		reversed = m;
	}
	for (m = reversed; m != NULL; m = next) {
		next = m->next;
		flow_return(q, m);
	}
	q->schedule = q->before;
}

/* Take what was sent again, out of the schedule as it was. */
static void take_sent(struct flowq *q, size_t bytes)
{
	struct message *m;
	uint32_t number;

	while (bytes > 0) {
		number = next_flow(q);
		m = flow_take(q, number);
		q->schedule.turns[number].deficit -= (int32_t)m->len;
		if (bytes < m->len) {
			q->started = m;
			q->started_sent = (uint32_t)bytes;
			q->bytes -= bytes;
			return;
		}
		bytes -= m->len;
		message_free(q, m, 0);
	}
}

/* Of bytes sent, those of the started message; returns the others. */
static size_t started_sent(struct flowq *q, size_t bytes)
{
	struct message *m = q->started;

	if (m == NULL)
		return bytes;
	if (bytes < m->len - q->started_sent) {
		q->started_sent += (uint32_t)bytes;
		q->bytes -= bytes;
		return 0;
	}
	bytes -= m->len - q->started_sent;
	message_free(q, m, q->started_sent);
	q->started = NULL;
	q->started_sent = 0;
	return bytes;
}

void flowq_sent(struct flowq *q, size_t bytes)
{
	struct message *m, *next;

	if (!q->batch_is_out)
		return;
	q->batch_is_out = false;
	bytes = started_sent(q, bytes);
	if (bytes >= q->batch_bytes) {
		free_chain(q, q->batch);
	} else {
		return_batch(q);
		take_sent(q, bytes);
	}
	q->batch = NULL;
	q->batch_bytes = 0;
	for (m = q->late; m != NULL; m = next) {
		next = m->next;
		flow_append(q, m);
	}
	q->late = NULL;
}

bool flowq_has_started(const struct flowq *q)
{
	return q->started != NULL;
}

bool flowq_empty(const struct flowq *q)
{
	return q->packets == 0;
}

size_t flowq_bytes(const struct flowq *q)
{
	return q->bytes;
}

uint32_t flowq_packets(const struct flowq *q)
{
	return q->packets;
}

const struct flowq_drops *flowq_drops(const struct flowq *q)
{
	return &q->drops;
}
