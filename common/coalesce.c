/* SPDX-License-Identifier: MIT */
/*
 * Joins the packets of one batch that are segments of one stream of bytes, or
 * datagrams of one flow, into super-packets.
 *
 * Theory of operation: a table remembers, for each flow, the item that the
 * flow's next packet may be added to.  An item is added to only while it is
 * its flow's latest, so a flow stays in order however the table forgets; it
 * forgets a flow when its slots are taken, and all of them when the next batch
 * begins, by a generation number instead of clearing.  Items grow side by
 * side, so an item holds a chain of packets; the vectors are laid out, and the
 * first packet's header is changed, in one pass at the end.
 *
 * Only what segment_write() would turn back into the very same bytes is
 * joined.  Therefore, beside the rules in coalesce.h: both checksums must be
 * right and in the form that a sender writes (a TCP or IP checksum is never
 * 0xffff), and the identification must count up by one.  One exception: with
 * DF set it may also stay the same, as many senders do it; it means nothing
 * there (RFC 6864), and comes out counting up.  A checksum costs its pass over
 * the payload, so it is looked at last, and never for a packet that nothing
 * else could be joined to.
 */
#include "common/coalesce.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/segment.h"
#include "proto/ippkt.h"
#include "proto/wire.h"

enum {
	FLOW_PROBES = 8,	/* slots that a flow may be in */
	NO_ITEM = -1,

	IP_TOS = 1,		/* offsets of fields */
	IP_TOTAL_LEN = 2,
	IP_ID = 4,
	IP_FRAGMENT = 6,
	IP_TTL = 8,
	IP_CHECKSUM = 10,
	IP_ADDRESSES = 12,
	TCP_SEQUENCE = 4,
	TCP_ACKNOWLEDGEMENT = 8,
	TCP_DATA_OFFSET = 12,
	TCP_FLAGS = 13,
	TCP_WINDOW = 14,
	TCP_CHECKSUM = 16,
	TCP_URGENT = 18,
	UDP_LENGTH = 4,
	UDP_CHECKSUM = 6,

	TCP_HEADER_LEN = 20,
	UDP_HEADER_LEN = 8,
	PORTS_LEN = 4,

	FLAG_FIN = 0x01,
	FLAG_PSH = 0x08,
	FLAG_ACK = 0x10,
};

struct flow_key {
	uint64_t addresses;	/* both, as they lie in the header */
	uint32_t ports;		/* so too */
	uint32_t protocol;
};

/* A slot of the table; empty unless it is of this generation. */
struct flow {
	struct flow_key key;
	uint32_t generation;
	int32_t item;		/* that may grow; NO_ITEM */
	uint32_t next_sequence;
	bool verified;		/* the checksums of the item's first packet */
};

/* What is known of an item beyond what its owner sees. */
struct build {
	uint16_t first, last;	/* of the chain of packets */
	uint16_t header_len;	/* IP and transport header */
	uint16_t payload_len;	/* of each packet but the last */
	uint8_t last_flags;	/* of TCP */
};

enum kind {
	KIND_OTHER,		/* not of a flow that is ever joined */
	KIND_UNKNOWN,		/* TCP or UDP, but of which flow? */
	KIND_ALONE,		/* of a known flow, not to be joined */
	KIND_JOINABLE,
};

/* One packet as far as joining needs it. */
struct view {
	struct flow_key key;
	uint32_t header_len;
	uint32_t payload_len;
	uint32_t sequence;
	uint8_t flags;		/* of TCP */
};

struct coalesce {
	bool tcp, udp;
	uint32_t generation;
	const struct packet *packets;
	size_t n_items;
	struct flow flows[COALESCE_FLOWS];
	uint16_t next[COALESCE_MAX_PACKETS];	/* the chains */
	struct build builds[COALESCE_MAX_PACKETS];
	struct coalesce_item items[COALESCE_MAX_PACKETS];
	struct iovec iov[2 * COALESCE_MAX_PACKETS];
};

struct coalesce *coalesce_new(bool tcp, bool udp)
{
	struct coalesce *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->tcp = tcp;
	c->udp = udp;
	return c;
}

void coalesce_free(struct coalesce *c)
{
	free(c);
}

/* ---- What a packet is ---- */

static bool view_tcp(const uint8_t *tcp, uint32_t len, struct view *view)
{
	uint32_t header_len;

	if (len < TCP_HEADER_LEN)
		return false;
	header_len = (uint32_t)(tcp[TCP_DATA_OFFSET] >> 4) * 4;
	if (header_len < TCP_HEADER_LEN ||
	    header_len + SEGMENT_TCP_MIN_SIZE > len)
		return false;
	view->flags = tcp[TCP_FLAGS];
	view->header_len = IPPKT_HEADER_LEN + header_len;
	view->payload_len = len - header_len;
	view->sequence = load_be32(tcp + TCP_SEQUENCE);
	return (view->flags & ~(FLAG_FIN | FLAG_PSH)) == FLAG_ACK;
}

static bool view_udp(const uint8_t *udp, uint32_t len, struct view *view)
{
	if (len <= UDP_HEADER_LEN || load_be16(udp + UDP_LENGTH) != len)
		return false;
	view->flags = 0;
	view->header_len = IPPKT_HEADER_LEN + UDP_HEADER_LEN;
	view->payload_len = len - UDP_HEADER_LEN;
	view->sequence = 0;
	/* No checksum at all could not be told apart afterwards. */
	return load_be16(udp + UDP_CHECKSUM) != 0;
}

static enum kind view_packet(const struct coalesce *c,
			     const struct packet *packet, struct view *view)
{
	const uint8_t *ip = packet->data;
	const uint8_t *transport;
	uint32_t len;
	bool whole;

	if (!ippkt_valid(ip, packet->len) ||
	    !((ip[9] == IPPKT_TCP && c->tcp) || (ip[9] == IPPKT_UDP && c->udp)))
		return KIND_OTHER;
	memcpy(&view->key.addresses, ip + IP_ADDRESSES, 8);
	view->key.protocol = ip[9];
	transport = ip + ippkt_header_len(ip);
	len = packet->len - ippkt_header_len(ip);
	if (ippkt_fragment(ip) & (IPPKT_FLAG_MF | IPPKT_OFFSET_MASK) ||
	    len < PORTS_LEN)
		return KIND_UNKNOWN;
	memcpy(&view->key.ports, transport, PORTS_LEN);
	if (packet->segment_size != 0 ||
	    ippkt_header_len(ip) != IPPKT_HEADER_LEN ||
	    (ippkt_fragment(ip) & ~(uint32_t)IPPKT_FLAG_DF) != 0)
		return KIND_ALONE;
	whole = ip[9] == IPPKT_TCP ? view_tcp(transport, len, view) :
				     view_udp(transport, len, view);
	return whole ? KIND_JOINABLE : KIND_ALONE;
}

/* ---- Flows ---- */

static bool keys_equal(const struct flow_key *a, const struct flow_key *b)
{
	return a->addresses == b->addresses && a->ports == b->ports &&
	       a->protocol == b->protocol;
}

/* Spreads neighbouring ports; a collision costs no more than a join. */
static uint64_t mix(uint64_t x)
{
	x *= UINT64_C(0x9e3779b97f4a7c15);
	x ^= x >> 32;
	x *= UINT64_C(0xd6e8feb86659fd93);
	return x ^ x >> 32;
}

/*
 * The slot of a flow, or else the one that it would get: an empty one, or the
 * first of those where it may be.
 */
static struct flow *find_flow(struct coalesce *c, const struct flow_key *key)
{
	uint64_t hash = mix(mix(key->addresses) ^
			    ((uint64_t)key->protocol << 32 | key->ports));
	struct flow *flow;
	uint32_t i, first;

	first = (uint32_t)hash % COALESCE_FLOWS;
	for (i = 0; i < FLOW_PROBES; i++) {
		flow = &c->flows[(first + i) % COALESCE_FLOWS];
		if (flow->generation != c->generation ||
		    keys_equal(&flow->key, key))
			return flow;
	}
	return &c->flows[first];
}

static bool is_flow(const struct coalesce *c, const struct flow *flow,
		    const struct flow_key *key)
{
	return flow->generation == c->generation &&
	       keys_equal(&flow->key, key);
}

/* A packet that may be of any of these flows must not be overtaken by them. */
static void close_flows(struct coalesce *c, const struct flow_key *key)
{
	struct flow *flow;

	for (flow = c->flows; flow < c->flows + COALESCE_FLOWS; flow++) {
		if (flow->key.addresses == key->addresses &&
		    flow->key.protocol == key->protocol)
			flow->item = NO_ITEM;
	}
}

/* ---- Whether a packet may be joined ---- */

static bool same_ip_header(const uint8_t *first, uint32_t n_before,
			   const uint8_t *ip)
{
	uint16_t first_id = load_be16(first + IP_ID);
	uint16_t id = load_be16(ip + IP_ID);

	if (first[IP_TOS] != ip[IP_TOS] || first[IP_TTL] != ip[IP_TTL] ||
	    load_be16(first + IP_FRAGMENT) != load_be16(ip + IP_FRAGMENT))
		return false;
	return id == (uint16_t)(first_id + n_before) ||
	       (id == first_id && (ippkt_fragment(ip) & IPPKT_FLAG_DF));
}

/* All but ports, sequence number, FIN and PSH, and checksum. */
static bool same_tcp_header(const uint8_t *first, const uint8_t *tcp,
			    uint32_t header_len)
{
	return load_be32(first + TCP_ACKNOWLEDGEMENT) ==
		       load_be32(tcp + TCP_ACKNOWLEDGEMENT) &&
	       first[TCP_DATA_OFFSET] == tcp[TCP_DATA_OFFSET] &&
	       load_be16(first + TCP_WINDOW) == load_be16(tcp + TCP_WINDOW) &&
	       load_be16(first + TCP_URGENT) == load_be16(tcp + TCP_URGENT) &&
	       memcmp(first + TCP_HEADER_LEN, tcp + TCP_HEADER_LEN,
		      header_len - TCP_HEADER_LEN) == 0;
}

/* Of a joinable packet, so without IP options. */
static bool checksums_good(const struct packet *packet)
{
	const uint8_t *transport = packet->data + IPPKT_HEADER_LEN;
	uint32_t len = packet->len - IPPKT_HEADER_LEN;
	uint64_t sum;

	if (load_be16(packet->data + IP_CHECKSUM) == 0xffff ||
	    ippkt_fold(ippkt_sum(packet->data, IPPKT_HEADER_LEN, 0)) != 0xffff)
		return false;
	if (packet->checksum_partial)
		return true;
	if (packet->data[9] == IPPKT_TCP &&
	    load_be16(transport + TCP_CHECKSUM) == 0xffff)
		return false;
	sum = ippkt_sum(transport, len, ippkt_pseudo_sum(packet->data, len));
	return ippkt_fold(sum) == 0xffff;
}

static bool can_join(struct coalesce *c, struct flow *flow,
		     const struct packet *packet, const struct view *view)
{
	const struct coalesce_item *item = &c->items[flow->item];
	const struct build *build = &c->builds[flow->item];
	const struct packet *first = &c->packets[build->first];

	if (view->sequence != flow->next_sequence ||
	    view->header_len != build->header_len ||
	    view->payload_len > build->payload_len ||
	    item->packet.len + view->payload_len > UINT16_MAX ||
	    !same_ip_header(first->data, item->n_packets, packet->data))
		return false;
	if (view->key.protocol == IPPKT_TCP &&
	    !same_tcp_header(first->data + IPPKT_HEADER_LEN,
			     packet->data + IPPKT_HEADER_LEN,
			     view->header_len - IPPKT_HEADER_LEN))
		return false;
	if (!flow->verified && !checksums_good(first))
		return false;
	flow->verified = true;
	return checksums_good(packet);
}

/* ---- Items ---- */

static int32_t add_item(struct coalesce *c, uint16_t index)
{
	int32_t number = (int32_t)c->n_items++;
	struct coalesce_item *item = &c->items[number];
	struct build *build = &c->builds[number];

	item->packet = c->packets[index];
	item->n_packets = 1;
	build->first = build->last = index;
	return number;
}

/* Whether anything may follow a packet in its super-packet. */
static bool ends_item(const struct view *view)
{
	return (view->flags & (FLAG_FIN | FLAG_PSH)) != 0;
}

static void begin_item(struct coalesce *c, struct flow *flow, uint16_t index,
		       const struct view *view)
{
	int32_t number = add_item(c, index);
	struct build *build = &c->builds[number];

	build->header_len = (uint16_t)view->header_len;
	build->payload_len = (uint16_t)view->payload_len;
	flow->key = view->key;
	flow->generation = c->generation;
	flow->item = ends_item(view) ? NO_ITEM : number;
	flow->verified = false;
	flow->next_sequence = view->key.protocol == IPPKT_TCP ?
			      view->sequence + view->payload_len : 0;
}

static void join(struct coalesce *c, struct flow *flow, uint16_t index,
		 const struct view *view)
{
	struct coalesce_item *item = &c->items[flow->item];
	struct build *build = &c->builds[flow->item];

	c->next[build->last] = index;
	build->last = index;
	build->last_flags = view->flags;
	item->packet.len += view->payload_len;
	item->n_packets++;
	if (view->key.protocol == IPPKT_TCP)
		flow->next_sequence += view->payload_len;
	if (ends_item(view) || view->payload_len < build->payload_len ||
	    item->n_packets == COALESCE_MAX_PARTS)
		flow->item = NO_ITEM;
}

static void add_packet(struct coalesce *c, uint16_t index)
{
	const struct packet *packet = &c->packets[index];
	struct view view = { .flags = 0 };
	enum kind kind = view_packet(c, packet, &view);
	struct flow *flow;

	if (kind == KIND_OTHER || kind == KIND_UNKNOWN) {
		if (kind == KIND_UNKNOWN)
			close_flows(c, &view.key);
		add_item(c, index);
		return;
	}
	flow = find_flow(c, &view.key);
	if (kind == KIND_ALONE) {
		if (is_flow(c, flow, &view.key))
			flow->item = NO_ITEM;
		add_item(c, index);
	} else if (is_flow(c, flow, &view.key) && flow->item != NO_ITEM &&
		   can_join(c, flow, packet, &view)) {
		join(c, flow, index, &view);
	} else {
		begin_item(c, flow, index, &view);
	}
}

/* Make the first packet's header the super-packet's. */
static void finish_header(struct coalesce_item *item, const struct build *build)
{
	struct packet *packet = &item->packet;
	uint8_t *transport = packet->data + IPPKT_HEADER_LEN;
	uint32_t len = packet->len - IPPKT_HEADER_LEN;
	uint16_t sum;

	packet->segment_size = build->payload_len;
	packet->checksum_partial = true;
	store_be16(packet->data + IP_TOTAL_LEN, (uint16_t)packet->len);
	ippkt_set_header_checksum(packet->data);
	sum = ippkt_fold(ippkt_pseudo_sum(packet->data, len));
	if (packet->data[9] == IPPKT_TCP) {
		transport[TCP_FLAGS] |= build->last_flags;
		store_be16(transport + TCP_CHECKSUM, sum);
	} else {
		store_be16(transport + UDP_LENGTH, (uint16_t)len);
		store_be16(transport + UDP_CHECKSUM, sum);
	}
}

/* Lay out an item's vectors from iov on; returns what follows them. */
static struct iovec *finish_item(struct coalesce *c, size_t number,
				 struct iovec *iov)
{
	struct coalesce_item *item = &c->items[number];
	const struct build *build = &c->builds[number];
	const struct packet *part = &c->packets[build->first];
	uint16_t index = build->first;

	item->iov = iov++;
	item->n_iov = (int)item->n_packets + 1;
	*iov++ = (struct iovec){ part->data, part->len };
	while (index != build->last) {
		index = c->next[index];
		part = &c->packets[index];
		*iov++ = (struct iovec){
			part->data + build->header_len,
			part->len - build->header_len
		};
	}
	if (item->n_packets > 1)
		finish_header(item, build);
	return iov;
}

static void next_generation(struct coalesce *c)
{
	if (++c->generation != 0)
		return;
	/* Slots of the very first batches must not come to life again. */
	memset(c->flows, 0, sizeof(c->flows));
	c->generation = 1;
}

size_t coalesce_run(struct coalesce *c, const struct packet *packets, size_t n,
		    struct coalesce_item **items)
{
	struct iovec *iov = c->iov;
	size_t i;

	assert(n <= COALESCE_MAX_PACKETS);
	next_generation(c);
	c->packets = packets;
	c->n_items = 0;
	for (i = 0; i < n; i++)
		add_packet(c, (uint16_t)i);
	for (i = 0; i < c->n_items; i++)
		iov = finish_item(c, i, iov);
	*items = c->items;
	return c->n_items;
}
