/* SPDX-License-Identifier: MIT */
/*
 * The TUN device: creating the interface, choosing its offloads, and the
 * virtio-net header in front of each packet.
 *
 * Theory of operation: the header is struct virtio_net_hdr of 10 bytes, in the
 * host's byte order, as the kernel has it unless asked otherwise.  What we
 * promise the kernel with TUNSETOFFLOAD is what it may hand us: a packet with
 * another kind of segmentation is refused.  A partial checksum is passed on as
 * such only where the packet's own header says the same as the virtio header,
 * because struct packet has no room for another place; every other one (IPv6,
 * a tunnel inside the tunnel) is completed here, in place.
 */
#include "common/tun.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "proto/ippkt.h"
#include "proto/wire.h"

/* Kernel headers before 6.2 lack the offload of UDP. */
#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif
#ifndef VIRTIO_NET_HDR_GSO_UDP_L4
#define VIRTIO_NET_HDR_GSO_UDP_L4 5
#endif

_Static_assert(sizeof(struct virtio_net_hdr) == TUN_HEADROOM,
	       "the header is what the headroom is for");

enum {
	TCP_CHECKSUM_OFFSET = 16,
	TCP_HEADER_LEN = 20,
	TCP_DATA_OFFSET = 12,	/* of the byte whose high nibble it is */
	TCP_FLAGS = 13,
	TCP_FLAG_CWR = 0x80,
	UDP_CHECKSUM_OFFSET = 6,
	UDP_HEADER_LEN = 8,
	IP_PROTOCOL = 9,
};

/* What to ask for, the most first; the kernel takes all of a set or none. */
static const struct offload_set {
	unsigned int flags;
	bool tcp, udp, checksum;
	const char *missing;
} offload_sets[] = {
	/* USO4 is granted only together with USO6. */
	{ TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO_ECN | TUN_F_USO4 | TUN_F_USO6,
	  true, true, true, NULL },
	{ TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO_ECN, true, false, true,
	  "UDP segmentation" },
	{ TUN_F_CSUM, false, false, true, "TCP and UDP segmentation" },
	{ 0, false, false, false, "TCP and UDP segmentation, checksums" },
};

enum { N_OFFLOAD_SETS = sizeof(offload_sets) / sizeof(offload_sets[0]) };

static int set_offloads(struct tun *tun)
{
	const struct offload_set *set;
	size_t i;

	for (i = 0; i < N_OFFLOAD_SETS; i++) {
		set = &offload_sets[i];
		if (ioctl(tun->fd, TUNSETOFFLOAD, (unsigned long)set->flags))
			continue;
		tun->offload_tcp = set->tcp;
		tun->offload_udp = set->udp;
		tun->offload_checksum = set->checksum;
		return 0;
	}
	return -errno;
}

const char *tun_missing_offloads(const struct tun *tun)
{
	const struct offload_set *set = offload_sets;

	while (set->tcp != tun->offload_tcp || set->udp != tun->offload_udp ||
	       set->checksum != tun->offload_checksum)
		set++;
	return set->missing;
}

static int attach(struct tun *tun, const char *name)
{
	struct ifreq request = {
		.ifr_flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR,
	};
	int header_len = TUN_HEADROOM;
	int err;

	memcpy(request.ifr_name, name, strlen(name));
	if (ioctl(tun->fd, TUNSETIFF, &request) ||
	    ioctl(tun->fd, TUNSETVNETHDRSZ, &header_len))
		return -errno;
	err = set_offloads(tun);
	if (err)
		return err;
	memcpy(tun->name, request.ifr_name, sizeof(tun->name));
	tun->name[sizeof(tun->name) - 1] = '\0';
	tun->ifindex = (int)if_nametoindex(tun->name);
	return tun->ifindex ? 0 : -errno;
}

int tun_open(struct tun *tun, const char *name)
{
	int err;

	*tun = (struct tun){ .fd = -1 };
	if (strlen(name) >= IFNAMSIZ)
		return -EINVAL;
	tun->fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (tun->fd < 0)
		return -errno;
	err = attach(tun, name);
	if (err)
		tun_close(tun);
	return err;
}

void tun_close(struct tun *tun)
{
	if (tun->fd >= 0)
		close(tun->fd);
	tun->fd = -1;
}

/* What a transport protocol's offloads need to know of it. */
struct transport {
	uint32_t start;		/* offset of its header */
	uint32_t header_len;
	uint16_t checksum_offset;
	uint8_t gso_type;
};

/*
 * Find the TCP or UDP header of an IPv4 packet, whole and not in a fragment.
 * False: there is none.
 */
static bool find_transport(const uint8_t *data, uint32_t len,
			   struct transport *transport)
{
	struct transport found = { 0 };

	if (len < IPPKT_HEADER_LEN || data[0] >> 4 != 4)
		return false;
	if (ippkt_fragment(data) & (IPPKT_FLAG_MF | IPPKT_OFFSET_MASK))
		return false;
	found.start = ippkt_header_len(data);
	if (data[IP_PROTOCOL] == IPPKT_TCP) {
		if (len < found.start + TCP_HEADER_LEN)
			return false;
		found.header_len =
			(data[found.start + TCP_DATA_OFFSET] >> 4) * 4U;
		found.checksum_offset = TCP_CHECKSUM_OFFSET;
		found.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
		if (found.header_len < TCP_HEADER_LEN)
			return false;
	} else if (data[IP_PROTOCOL] == IPPKT_UDP) {
		found.header_len = UDP_HEADER_LEN;
		found.checksum_offset = UDP_CHECKSUM_OFFSET;
		found.gso_type = VIRTIO_NET_HDR_GSO_UDP_L4;
	} else {
		return false;
	}
	if (found.start < IPPKT_HEADER_LEN ||
	    len < found.start + found.header_len)
		return false;
	*transport = found;
	return true;
}

/* Finish the sum that the kernel began, wherever the header says it is. */
static bool complete_checksum(uint8_t *data, uint32_t len,
			      const struct virtio_net_hdr *header)
{
	uint32_t at = (uint32_t)header->csum_start + header->csum_offset;
	uint16_t checksum;

	if (at + 2 > len)
		return false;
	checksum = (uint16_t)~ippkt_fold(ippkt_sum(data + header->csum_start,
						   len - header->csum_start,
						   0));
	/* UDP reads 0 as "no checksum"; to the others both mean the same. */
	store_be16(data + at, checksum ? checksum : 0xffff);
	return true;
}

/* Leave the pseudo-header's sum alone in the field, as the kernel does. */
static void make_partial(uint8_t *data, uint32_t len,
			 const struct transport *transport)
{
	uint64_t sum = ippkt_pseudo_sum(data, len - transport->start);

	store_be16(data + transport->start + transport->checksum_offset,
		   ippkt_fold(sum));
}

static int describe_super(const struct tun *tun,
			  const struct virtio_net_hdr *header,
			  const struct transport *transport,
			  struct packet *packet)
{
	uint8_t type = header->gso_type & (uint8_t)~VIRTIO_NET_HDR_GSO_ECN;
	bool ecn = header->gso_type & VIRTIO_NET_HDR_GSO_ECN;

	if (!(type == VIRTIO_NET_HDR_GSO_TCPV4 && tun->offload_tcp) &&
	    !(type == VIRTIO_NET_HDR_GSO_UDP_L4 && tun->offload_udp && !ecn))
		return -EBADMSG;
	if (!header->gso_size)
		return -EBADMSG;
	/* UDP over IPv6 came with the bargain; it is the caller's to drop. */
	if (packet->data[0] >> 4 == 6 && type == VIRTIO_NET_HDR_GSO_UDP_L4)
		goto out;
	if (!transport || transport->gso_type != type)
		return -EBADMSG;
	/* Without NEEDS_CSUM the field holds a whole checksum, or anything. */
	if (!(header->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM))
		make_partial(packet->data, packet->len, transport);
	else if (header->csum_start != transport->start ||
		 header->csum_offset != transport->checksum_offset)
		return -EBADMSG;
out:
	packet->segment_size = header->gso_size;
	packet->checksum_partial = true;
	return 1;
}

/* Turn the virtio header into a descriptor: 1, or -EBADMSG. */
static int describe(const struct tun *tun, const struct virtio_net_hdr *header,
		    struct packet *packet)
{
	struct transport transport;
	bool found = find_transport(packet->data, packet->len, &transport);

	if (header->gso_type != VIRTIO_NET_HDR_GSO_NONE)
		return describe_super(tun, header, found ? &transport : NULL,
				      packet);
	if (!(header->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM))
		return 1;
	if (found && header->csum_start == transport.start &&
	    header->csum_offset == transport.checksum_offset) {
		packet->checksum_partial = true;
		return 1;
	}
	return complete_checksum(packet->data, packet->len, header) ?
	       1 : -EBADMSG;
}

int tun_read(struct tun *tun, uint8_t *buf, struct packet *packet)
{
	struct virtio_net_hdr header;
	struct packet found = { .data = buf + TUN_HEADROOM };
	ssize_t n;
	int ret;

	do {
		n = read(tun->fd, buf, TUN_READ_MAX);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN ? 0 : -errno;
	if (n <= TUN_HEADROOM)
		return -EBADMSG;
	memcpy(&header, buf, sizeof(header));
	found.len = (uint32_t)n - TUN_HEADROOM;
	ret = describe(tun, &header, &found);
	if (ret == 1)
		*packet = found;
	return ret;
}

static bool fill_header(struct virtio_net_hdr *header,
			const struct packet *packet)
{
	struct transport transport;

	if (!packet->segment_size && !packet->checksum_partial)
		return true;
	if (!find_transport(packet->data, packet->len, &transport))
		return false;
	header->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	header->csum_start = (uint16_t)transport.start;
	header->csum_offset = transport.checksum_offset;
	header->hdr_len = (uint16_t)(transport.start + transport.header_len);
	if (!packet->segment_size)
		return true;
	header->gso_size = packet->segment_size;
	header->gso_type = transport.gso_type;
	/* CWR belongs on the first segment alone: the kernel has to know. */
	if (transport.gso_type == VIRTIO_NET_HDR_GSO_TCPV4 &&
	    packet->data[transport.start + TCP_FLAGS] & TCP_FLAG_CWR)
		header->gso_type |= VIRTIO_NET_HDR_GSO_ECN;
	return true;
}

int tun_write(struct tun *tun, const struct packet *packet, struct iovec *iov,
	      int n)
{
	struct virtio_net_hdr header = { .gso_type = VIRTIO_NET_HDR_GSO_NONE };
	ssize_t written;

	if (!fill_header(&header, packet))
		return -EINVAL;
	iov[0].iov_base = &header;
	iov[0].iov_len = sizeof(header);
	do {
		written = writev(tun->fd, iov, n);
	} while (written < 0 && errno == EINTR);
	return written < 0 ? -errno : 0;
}
