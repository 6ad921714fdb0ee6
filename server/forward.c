/* SPDX-License-Identifier: MIT */
/*
 * The data path: where a packet goes.
 *
 * Theory of operation: packets of one receive are gathered by destination.  A
 * run is messages that lie back to back in the reader's buffer and go the same
 * way, so a bulk transfer to one client is one run and one vector, whatever
 * its packets' size.  Each destination of the batch has a chain of runs; its
 * endpoint is looked up, and its reference taken, once a batch.
 *
 * The batch is addressed by a hash of the destination, with a generation in
 * each slot so that nothing is cleared between batches.  All of it is plain
 * memory that is valid when zeroed: an idle client's thread gives the pages
 * back to the kernel.
 */
#include "server/forward.h"

#include <string.h>
#include <sys/uio.h>

#include "common/clock.h"
#include "common/coalesce.h"
#include "common/segment.h"
#include "proto/frame.h"
#include "proto/ippkt.h"
#include "server/config.h"
#include "server/gateway.h"
#include "server/route.h"
#include "server/server.h"

enum {
	MAX_RUNS = 4096,
	MAX_DESTINATIONS = 1024,
	N_SLOTS = 4096,		/* power of two, 4 x MAX_DESTINATIONS */
	SCRATCH_SIZE = 256 * 1024,	/* for segments of super-packets */
	ICMP_BURST = 50,
	ICMP_INTERVAL_MS = 20,	/* a token */
};

struct run {
	uint8_t *data;
	uint32_t len;
	uint32_t packets;
	uint32_t next;		/* index + 1; 0: the last */
};

struct destination {
	struct endpoint *endpoint;	/* a reference, but for the gateway */
	uint32_t address;
	uint32_t mtu;
	bool takes_segments;
	uint32_t first, last;		/* run indices + 1 */
	uint32_t packets;
	uint64_t bytes;
};

struct slot {
	uint32_t generation;
	uint32_t destination;
};

struct forward_batch {
	uint32_t generation;	/* slots of another one are empty */
	uint32_t n_runs;
	uint32_t n_destinations;
	uint32_t scratch_used;
	struct destination *latest;	/* of the packet before */
	struct slot slots[N_SLOTS];
	struct destination destinations[MAX_DESTINATIONS];
	struct run runs[MAX_RUNS];
	struct iovec iov[EGRESS_MAX_IOV];
	uint8_t scratch[SCRATCH_SIZE];
};

/* Where an address leads, whether or not anybody is there. */
enum way {
	WAY_CLIENT,
	WAY_GATEWAY,
	WAY_BROADCAST,
	WAY_MULTICAST,		/* 224.0.0.0/4 and above */
};

static inline enum way way_to(const struct server *server, uint32_t address)
{
	uint32_t host = address & ~server->netmask;

	if ((address & server->netmask) != server->network) {
		if (address < 0xe0000000U)
			return WAY_GATEWAY;
		return address == 0xffffffffU ? WAY_BROADCAST : WAY_MULTICAST;
	}
	if (address == server->address)
		return WAY_GATEWAY;
	if (host == 0 || host == ~server->netmask)
		return WAY_BROADCAST;
	return WAY_CLIENT;
}

/* From the TUN any but 0, which would make it an address reply. */
static inline bool is_source_of(const struct endpoint *from, uint32_t source)
{
	return from->is_gateway ? source != 0 : source ==
		atomic_load_explicit(&from->address, memory_order_relaxed);
}

/* Why the gateway gets nothing from there, or DROP_N_REASONS. */
static inline enum drop_reason gateway_refusal(const struct server *server,
					       const struct endpoint *from)
{
	if (from->is_gateway)
		return DROP_NO_SUCH_CLIENT;
	return server->gateway ? DROP_N_REASONS : DROP_NO_GATEWAY;
}

size_t forward_batch_size(void)
{
	return sizeof(struct forward_batch);
}

void forward_init(struct forward *f, const struct server *server,
		  struct endpoint *from, void *batch)
{
	memset(f, 0, sizeof(*f));
	f->server = server;
	f->from = from;
	f->batch = batch;
	f->icmp_tokens = ICMP_BURST;
}

void forward_idle(struct forward *f)
{
	coalesce_free(f->coalesce);
	f->coalesce = NULL;
}

/*
 * Tell the sender why, if the bucket and RFC 1812 allow.  The gateway's kernel
 * takes no packet that claims to come from its own address, so there the
 * destination itself seems to answer.
 */
static void send_icmp_error(struct forward *f, enum ippkt_icmp_error error,
			    uint32_t mtu, const struct packet *offender)
{
	uint8_t message[IPPKT_ICMP_ERROR_MAX];
	uint64_t now_ms = clock_now_ms();
	uint64_t earned = (now_ms - f->icmp_refill_ms) / ICMP_INTERVAL_MS;
	struct packet packet = { .data = message };
	uint32_t source = f->server->address;
	struct iovec iov;

	if (f->from->is_gateway)
		source = ippkt_destination(offender->data);
	if (earned > 0) {
		f->icmp_refill_ms = now_ms;
		f->icmp_tokens = earned >= ICMP_BURST - f->icmp_tokens ?
			ICMP_BURST : f->icmp_tokens + (uint32_t)earned;
	}
	if (f->icmp_tokens == 0)
		return;
	packet.len = (uint32_t)ippkt_write_icmp_error(message, error,
			source, (uint16_t)mtu, offender->data, offender->len);
	if (packet.len == 0)
		return;
	f->icmp_tokens--;
	if (f->from->is_gateway) {
		gateway_write(f->server->gateway, &packet);
		return;
	}
	iov.iov_base = message;
	iov.iov_len = packet.len;
	egress_send(&f->from->egress, &iov, 1, 1);
}

static void drop_unreachable(struct forward *f, const struct packet *packet,
			     enum drop_reason reason)
{
	forward_count_drop(f, reason);
	send_icmp_error(f, IPPKT_HOST_UNREACHABLE, 0, packet);
}

/* Where address is to be found or noted in this batch. */
static struct slot *find_slot(struct forward_batch *b, uint32_t address)
{
	uint32_t i = (address * 0x9e3779b1U) >> 20;

	_Static_assert(N_SLOTS == 1 << 12, "the hash gives 12 bits");
	while (b->slots[i].generation == b->generation &&
	       b->destinations[b->slots[i].destination].address != address)
		i = (i + 1) % N_SLOTS;
	return &b->slots[i];
}

static struct destination *new_destination(struct forward *f, uint32_t address,
					   struct endpoint *endpoint)
{
	struct forward_batch *b = f->batch;
	struct destination *d;
	struct slot *slot;

	if (b->n_destinations == MAX_DESTINATIONS)
		forward_flush(f);
	slot = find_slot(b, address);
	slot->generation = b->generation;
	slot->destination = b->n_destinations;
	d = &b->destinations[b->n_destinations++];
	memset(d, 0, sizeof(*d));
	d->address = address;
	d->endpoint = endpoint;
	d->takes_segments = atomic_load_explicit(&endpoint->takes_segments,
						 memory_order_relaxed);
	d->mtu = atomic_load_explicit(&endpoint->mtu, memory_order_relaxed);
	return d;
}

/* The gateway is noted under the server's own address. */
static struct destination *find_gateway(struct forward *f,
					const struct packet *packet)
{
	enum drop_reason refusal = gateway_refusal(f->server, f->from);
	struct forward_batch *b = f->batch;
	uint32_t address = f->server->address;
	struct slot *slot;

	if (refusal != DROP_N_REASONS) {
		drop_unreachable(f, packet, refusal);
		return NULL;
	}
	slot = find_slot(b, address);
	if (slot->generation == b->generation)
		return &b->destinations[slot->destination];
	return new_destination(f, address,
			       gateway_endpoint(f->server->gateway));
}

/* The destination of a packet, or NULL after counting the drop. */
static struct destination *find_destination(struct forward *f, uint32_t address,
					    const struct packet *packet)
{
	const struct server *server = f->server;
	struct forward_batch *b = f->batch;
	struct endpoint *endpoint;
	struct slot *slot;

	if (b->generation == 0)		/* freshly zeroed memory */
		b->generation = 1;
	switch (way_to(server, address)) {
	case WAY_CLIENT:
		break;
	case WAY_GATEWAY:
		return find_gateway(f, packet);
	case WAY_BROADCAST:
		forward_count_drop(f, DROP_BROADCAST);
		return NULL;
	case WAY_MULTICAST:
		forward_count_drop(f, DROP_MULTICAST);
		return NULL;
	}
	slot = find_slot(b, address);
	if (slot->generation == b->generation)
		return &b->destinations[slot->destination];
	endpoint = route_get(server->routes, address);
	if (endpoint)
		return new_destination(f, address, endpoint);
	drop_unreachable(f, packet, DROP_NO_SUCH_CLIENT);
	return NULL;
}

/* Note len bytes at data, messages for d, for hand-over. */
static void add_run(struct forward_batch *b, struct destination *d,
		    uint8_t *data, uint32_t len, uint32_t packets)
{
	struct run *last = d->last ? &b->runs[d->last - 1] : NULL;
	struct run *run;

	d->packets += packets;
	d->bytes += len;
	if (last && last->data + last->len == data) {
		last->len += len;
		last->packets += packets;
		return;
	}
	run = &b->runs[b->n_runs++];
	run->data = data;
	run->len = len;
	run->packets = packets;
	run->next = 0;
	if (last)
		last->next = b->n_runs;
	else
		d->first = b->n_runs;
	d->last = b->n_runs;
}

/* Note a super-packet for an end that takes plain packets only. */
static void add_segments(struct forward *f, struct destination *d,
			 const struct packet *packet)
{
	struct forward_batch *b = f->batch;
	size_t len = segment_size(packet);
	uint8_t *out = b->scratch + b->scratch_used;

	segment_write(packet, out);
	b->scratch_used += (uint32_t)len;
	add_run(b, d, out, (uint32_t)len, segment_count(packet));
}

static bool fits(struct forward *f, const struct destination *d,
		 const struct packet *packet)
{
	if (packet->len <= d->mtu || segment_max_len(packet) <= d->mtu)
		return true;
	forward_count_drop(f, DROP_TOO_BIG);
	if (ippkt_fragment(packet->data) & IPPKT_FLAG_DF)
		send_icmp_error(f, IPPKT_FRAGMENTATION_NEEDED, d->mtu, packet);
	return false;
}

/* Flush when the batch might not have room for one more packet. */
static bool is_full(const struct forward_batch *b, const struct packet *packet)
{
	return b->n_runs == MAX_RUNS ||
	       (packet->segment_size != 0 &&
		segment_size(packet) > SCRATCH_SIZE - b->scratch_used);
}

/*
 * Whether a packet with metadata is what it claims to be.  Segments so small
 * that they would not fit the scratch memory are nobody's TCP.
 */
static bool is_sound(const struct packet *packet)
{
	return segment_check(packet) &&
	       (packet->segment_size == 0 ||
		segment_size(packet) <= SCRATCH_SIZE);
}

void forward_packet(struct forward *f, struct packet *packet)
{
	struct stats *stats = &f->from->stats;
	struct forward_batch *b = f->batch;
	uint32_t address = ippkt_destination(packet->data);
	struct destination *d = b->latest;
	bool special = packet->segment_size != 0 || packet->checksum_partial;
	uint32_t prefix = special ? FRAME_SEGMENT_PREFIX_LEN : 0;

	if (!is_source_of(f->from, ippkt_source(packet->data))) {
		forward_count_drop(f, DROP_SPOOFED_SOURCE);
		return;
	}
	counter_add(&stats->rx_packets, 1);
	counter_add(&stats->rx_bytes, packet->len);
	if (special && !is_sound(packet)) {
		forward_count_drop(f, DROP_MALFORMED);
		return;
	}
	if (is_full(b, packet)) {
		forward_flush(f);
		d = NULL;
	}
	if (!d || d->address != address) {
		d = find_destination(f, address, packet);
		if (!d)
			return;
		if (d->address == address)
			b->latest = d;
	}
	if (!fits(f, d, packet))
		return;
	if (!special || d->takes_segments) {
		add_run(b, d, packet->data - prefix, packet->len + prefix, 1);
	} else if (packet->segment_size != 0) {
		add_segments(f, d, packet);
	} else {
		segment_finish_checksum(packet);
		add_run(b, d, packet->data, packet->len, 1);
	}
}

/* One send, or a few if the chain is longer than a send takes. */
static void hand_over(struct forward_batch *b, const struct destination *d)
{
	uint32_t packets = 0, next;
	int n = 0;

	for (next = d->first; next != 0; next = b->runs[next - 1].next) {
		const struct run *run = &b->runs[next - 1];

		b->iov[n].iov_base = run->data;
		b->iov[n].iov_len = run->len;
		packets += run->packets;
		if (++n < EGRESS_MAX_IOV && run->next != 0)
			continue;
		egress_send(&d->endpoint->egress, b->iov, n, packets);
		n = 0;
		packets = 0;
	}
}

static void hand_over_to_gateway(struct forward *f,
				 const struct destination *d)
{
	struct forward_batch *b = f->batch;
	uint32_t next;
	int n = 0;

	for (next = d->first; next != 0; next = b->runs[next - 1].next) {
		b->iov[n].iov_base = b->runs[next - 1].data;
		b->iov[n].iov_len = b->runs[next - 1].len;
		if (++n < EGRESS_MAX_IOV && b->runs[next - 1].next != 0)
			continue;
		gateway_send(f->server->gateway, &f->coalesce, b->iov, n);
		n = 0;
	}
}

/*
 * All is handed over: wait a moment, once for the batch, for clients that are
 * merely slower than this one sends, and give the references back.
 */
static void settle(struct forward *f)
{
	struct forward_batch *b = f->batch;
	uint64_t deadline_ms = 0;
	struct endpoint *e;
	uint32_t i;

	for (i = 0; i < b->n_destinations; i++) {
		e = b->destinations[i].endpoint;
		if (e->is_gateway)
			continue;
		if (!f->from->is_gateway)
			egress_wait(&e->egress, &deadline_ms);
		endpoint_put(e);
	}
}

void forward_flush(struct forward *f)
{
	struct forward_batch *b = f->batch;
	struct destination *d;
	uint32_t i;

	if (b->n_destinations == 0)	/* an idle client's page stays clean */
		return;
	for (i = 0; i < b->n_destinations; i++) {
		d = &b->destinations[i];
		if (d->endpoint->is_gateway)
			hand_over_to_gateway(f, d);
		else
			hand_over(b, d);
	}
	settle(f);
	b->n_destinations = 0;
	b->n_runs = 0;
	b->scratch_used = 0;
	b->latest = NULL;
	if (++b->generation == 0) {	/* wrapped: old slots would match */
		memset(b->slots, 0, sizeof(b->slots));
		b->generation = 1;
	}
}

/* Whose packets have this source; a reference, or NULL: nobody's. */
static struct endpoint *sender_of(const struct server *server, uint32_t source)
{
	if (way_to(server, source) == WAY_CLIENT)
		return route_get(server->routes, source);
	return server->gateway ?
		endpoint_get(gateway_endpoint(server->gateway)) : NULL;
}

/* The receiver, a reference, or NULL and why there is none. */
static struct endpoint *receiver_of(const struct server *server,
				    const struct endpoint *from,
				    uint32_t address, enum drop_reason *drop)
{
	struct endpoint *endpoint;

	switch (way_to(server, address)) {
	case WAY_BROADCAST:
		*drop = DROP_BROADCAST;
		return NULL;
	case WAY_MULTICAST:
		*drop = DROP_MULTICAST;
		return NULL;
	case WAY_GATEWAY:
		*drop = gateway_refusal(server, from);
		return *drop != DROP_N_REASONS ? NULL :
			endpoint_get(gateway_endpoint(server->gateway));
	case WAY_CLIENT:
		break;
	}
	endpoint = route_get(server->routes, address);
	*drop = endpoint ? DROP_N_REASONS : DROP_NO_SUCH_CLIENT;
	return endpoint;
}

void forward_explain(const struct server *server, uint32_t source,
		     uint32_t destination, struct forward_fate *fate)
{
	struct endpoint *from = sender_of(server, source), *to = NULL;

	memset(fate, 0, sizeof(*fate));
	fate->drop = DROP_SPOOFED_SOURCE;
	fate->has_sender = from != NULL;
	if (from) {
		fate->from_gateway = from->is_gateway;
		if (is_source_of(from, source))
			to = receiver_of(server, from, destination,
					 &fate->drop);
		endpoint_put(from);
	}
	if (!to)
		return;
	fate->to_gateway = to->is_gateway;
	fate->mtu = atomic_load_explicit(&to->mtu, memory_order_relaxed);
	if (!to->is_gateway)
		egress_look(&to->egress, &fate->receiver);
	endpoint_put(to);
}
