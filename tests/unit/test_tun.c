/* SPDX-License-Identifier: MIT */
/*
 * Tests of common/tun.
 *
 * Theory of operation: the virtio-net header is tested with a datagram socket
 * in the place of the device, so with any privilege.  What the kernel makes of
 * it is tested with two real interfaces in a network namespace of their own,
 * which routes between them: what is written into the one is read from the
 * other.  That needs root; without it the program ends with 77.
 */
#include "common/tun.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/virtio_net.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/ippkt.h"

enum {
	GSO_UDP_L4 = 5,		/* older kernel headers lack its name */
	SEGMENT = 1000,
	TCP_HEADERS = 40,
	UDP_HEADERS = 28,
	FLAG_ACK = 0x10,
	FLAG_CWR = 0x80,
	WAIT_MS = 3000,
	SOCKET_UDP_SEGMENT = 103,	/* UDP_SEGMENT of linux/udp.h */
};

static const uint32_t left_host = 0x0a090002, right_host = 0x0a080002;

static uint8_t buf[TUN_READ_MAX], bytes[TUN_READ_MAX];
static struct packet packet;
static struct tun tun;
static int kernel_end;

/* A TCP or UDP packet with the sum of its pseudo-header, in bytes[]. */
static uint32_t make_packet(uint8_t protocol, uint32_t payload)
{
	uint32_t headers = protocol == IPPKT_TCP ? TCP_HEADERS : UDP_HEADERS;
	uint32_t len = headers + payload, i;
	uint8_t *transport = bytes + IPPKT_HEADER_LEN;
	uint16_t sum;

	memset(bytes, 0, headers);
	bytes[0] = 0x45;
	store_be16(bytes + 2, (uint16_t)len);
	store_be16(bytes + 6, IPPKT_FLAG_DF);
	bytes[8] = 64;
	bytes[9] = protocol;
	store_be32(bytes + 12, left_host);
	store_be32(bytes + 16, right_host);
	ippkt_set_header_checksum(bytes);
	store_be16(transport, 1111);
	store_be16(transport + 2, 2222);
	sum = ippkt_fold(ippkt_pseudo_sum(bytes, len - IPPKT_HEADER_LEN));
	if (protocol == IPPKT_TCP) {
		transport[12] = 5 << 4;
		transport[13] = FLAG_ACK;
		store_be16(transport + 16, sum);
	} else {
		store_be16(transport + 4, (uint16_t)(len - IPPKT_HEADER_LEN));
		store_be16(transport + 6, sum);
	}
	for (i = 0; i < payload; i++)
		bytes[headers + i] = (uint8_t)(i * 7);
	return len;
}

/* Whether the transport checksum in an IPv4 packet is complete and right. */
static bool checksum_is_right(const uint8_t *data, uint32_t len)
{
	uint32_t start = ippkt_header_len(data);

	return ippkt_fold(ippkt_sum(data + start, len - start,
				    ippkt_pseudo_sum(data, len - start))) ==
	       0xffff;
}

static void open_fake(void)
{
	int ends[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0,
				    ends), 0);
	tun = (struct tun){
		.fd = ends[0],
		.offload_tcp = true,
		.offload_udp = true,
		.offload_checksum = true,
	};
	kernel_end = ends[1];
	packet = (struct packet){ .len = 77 };
}

static void close_fake(void)
{
	tun_close(&tun);
	close(kernel_end);
}

/* The kernel hands over bytes[0..len) with this header. */
static int hand_over(const struct virtio_net_hdr *header, uint32_t len)
{
	struct iovec iov[2] = {
		{ .iov_base = (void *)(uintptr_t)header,
		  .iov_len = sizeof(*header) },
		{ .iov_base = bytes, .iov_len = len },
	};

	ck_assert_int_gt(writev(kernel_end, iov, 2), 0);
	return tun_read(&tun, buf, &packet);
}

static struct virtio_net_hdr partial(uint16_t start, uint16_t offset)
{
	return (struct virtio_net_hdr){
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.csum_start = start,
		.csum_offset = offset,
	};
}

static struct virtio_net_hdr super(uint8_t type, uint16_t offset)
{
	struct virtio_net_hdr header = partial(IPPKT_HEADER_LEN, offset);

	header.gso_type = type;
	header.gso_size = SEGMENT;
	return header;
}

START_TEST(tun_read_of_nothing_gives_0)
{
	ck_assert_int_eq(tun_read(&tun, buf, &packet), 0);
	ck_assert_uint_eq(packet.len, 77);
}
END_TEST

START_TEST(tun_read_of_a_closed_device_fails)
{
	struct tun closed = { .fd = -1 };

	ck_assert_int_eq(tun_read(&closed, buf, &packet), -EBADF);
}
END_TEST

START_TEST(tun_read_plain_packet_lies_behind_the_headroom)
{
	struct virtio_net_hdr header = { 0 };
	uint32_t len = make_packet(IPPKT_TCP, 3);

	ck_assert_int_eq(hand_over(&header, len), 1);
	ck_assert_ptr_eq(packet.data, buf + TUN_HEADROOM);
	ck_assert_uint_eq(packet.len, len);
	ck_assert_uint_eq(packet.segment_size, 0);
	ck_assert(!packet.checksum_partial);
	ck_assert_int_eq(memcmp(packet.data, bytes, len), 0);
}
END_TEST

START_TEST(tun_read_header_without_packet_is_refused)
{
	struct virtio_net_hdr header = { 0 };

	ck_assert_int_eq(hand_over(&header, 0), -EBADMSG);
	ck_assert_int_eq(write(kernel_end, bytes, 3), 3);
	ck_assert_int_eq(tun_read(&tun, buf, &packet), -EBADMSG);
	ck_assert_uint_eq(packet.len, 77);
}
END_TEST

START_TEST(tun_read_partial_checksum_is_passed_on)
{
	struct virtio_net_hdr header = partial(IPPKT_HEADER_LEN, 16);

	ck_assert_int_eq(hand_over(&header, make_packet(IPPKT_TCP, 3)), 1);
	ck_assert(packet.checksum_partial);
	ck_assert_uint_eq(packet.segment_size, 0);
	ck_assert(!checksum_is_right(packet.data, packet.len));
	header.csum_offset = 6;
	ck_assert_int_eq(hand_over(&header, make_packet(IPPKT_UDP, 3)), 1);
	ck_assert(packet.checksum_partial);
}
END_TEST

/* A checksum that is not where struct packet would have it. */
START_TEST(tun_read_odd_partial_checksum_is_completed)
{
	struct virtio_net_hdr header = partial(24, 2);
	uint32_t len = make_packet(IPPKT_UDP, 20);

	bytes[9] = IPPKT_ICMP;
	ck_assert_int_eq(hand_over(&header, len), 1);
	ck_assert(!packet.checksum_partial);
	ck_assert_uint_eq(ippkt_fold(ippkt_sum(bytes + 24, len - 24, 0)),
			  (uint16_t)~load_be16(packet.data + 26));
}
END_TEST

START_TEST(tun_read_ipv6_partial_checksum_is_completed)
{
	struct virtio_net_hdr header = partial(40, 6);

	memset(bytes, 0, 50);
	bytes[0] = 0x60;
	store_be16(bytes + 46, 0x1234);
	store_be16(bytes + 48, 0x1111);
	ck_assert_int_eq(hand_over(&header, 50), 1);
	ck_assert(!packet.checksum_partial);
	ck_assert_uint_eq(load_be16(packet.data + 46),
			  (uint16_t)~(0x1234 + 0x1111));
	/* The sum that would say "no checksum" is written the other way. */
	store_be16(bytes + 46, 0xeeee);
	ck_assert_int_eq(hand_over(&header, 50), 1);
	ck_assert_uint_eq(load_be16(packet.data + 46), 0xffff);
}
END_TEST

START_TEST(tun_read_checksum_outside_is_refused)
{
	uint32_t len = make_packet(IPPKT_UDP, 0);
	struct virtio_net_hdr header = partial((uint16_t)(len - 1), 0);

	ck_assert_int_eq(hand_over(&header, len), -EBADMSG);
	header = partial(0xffff, 0xffff);
	ck_assert_int_eq(hand_over(&header, len), -EBADMSG);
	ck_assert_uint_eq(packet.len, 77);
	header = partial((uint16_t)(len - 2), 0);
	ck_assert_int_eq(hand_over(&header, len), 1);
}
END_TEST

START_TEST(tun_read_super_packets_carry_their_segment_size)
{
	struct virtio_net_hdr header = super(VIRTIO_NET_HDR_GSO_TCPV4, 16);

	ck_assert_int_eq(hand_over(&header, make_packet(IPPKT_TCP, 5000)), 1);
	ck_assert_uint_eq(packet.segment_size, SEGMENT);
	ck_assert(packet.checksum_partial);
	header.gso_type |= VIRTIO_NET_HDR_GSO_ECN;
	ck_assert_int_eq(hand_over(&header, make_packet(IPPKT_TCP, 5000)), 1);
	ck_assert_uint_eq(packet.segment_size, SEGMENT);
	header = super(GSO_UDP_L4, 6);
	ck_assert_int_eq(hand_over(&header, make_packet(IPPKT_UDP, 5000)), 1);
	ck_assert_uint_eq(packet.segment_size, SEGMENT);
}
END_TEST

/* Its field is made partial, whatever stood in it. */
START_TEST(tun_read_super_packet_with_whole_checksum_becomes_partial)
{
	struct virtio_net_hdr header = super(VIRTIO_NET_HDR_GSO_TCPV4, 16);
	uint32_t len = make_packet(IPPKT_TCP, 5000);
	uint16_t sum = load_be16(bytes + 36);

	header.flags = 0;
	store_be16(bytes + 36, (uint16_t)~sum);
	ck_assert_int_eq(hand_over(&header, len), 1);
	ck_assert(packet.checksum_partial);
	ck_assert_uint_eq(load_be16(packet.data + 36), sum);
}
END_TEST

START_TEST(tun_read_super_packet_not_asked_for_is_refused)
{
	struct virtio_net_hdr header = super(VIRTIO_NET_HDR_GSO_TCPV4, 16);
	uint32_t len = make_packet(IPPKT_TCP, 5000);

	tun.offload_tcp = false;
	ck_assert_int_eq(hand_over(&header, len), -EBADMSG);
	tun.offload_tcp = true;
	header.gso_type = VIRTIO_NET_HDR_GSO_TCPV6;
	ck_assert_int_eq(hand_over(&header, len), -EBADMSG);
	header.gso_type = 0x40;
	ck_assert_int_eq(hand_over(&header, len), -EBADMSG);
	header = super(GSO_UDP_L4, 6);
	len = make_packet(IPPKT_UDP, 5000);
	tun.offload_udp = false;
	ck_assert_int_eq(hand_over(&header, len), -EBADMSG);
}
END_TEST

START_TEST(tun_read_super_packet_that_makes_no_sense_is_refused)
{
	struct virtio_net_hdr header = super(VIRTIO_NET_HDR_GSO_TCPV4, 16);
	uint32_t len = make_packet(IPPKT_TCP, 5000);

	header.csum_start = 24;
	ck_assert_int_eq(hand_over(&header, len), -EBADMSG);
	header = super(VIRTIO_NET_HDR_GSO_TCPV4, 16);
	header.gso_size = 0;
	ck_assert_int_eq(hand_over(&header, len), -EBADMSG);
	header.gso_size = SEGMENT;
	ck_assert_int_eq(hand_over(&header, TCP_HEADERS - 1), -EBADMSG);
	bytes[32] = 4 << 4;
	ck_assert_int_eq(hand_over(&header, len), -EBADMSG);
	make_packet(IPPKT_TCP, 5000);
	bytes[0] = 0x44;
	bytes[28] = 5 << 4;
	header.csum_start = 16;
	ck_assert_int_eq(hand_over(&header, len), -EBADMSG);
	header.csum_start = IPPKT_HEADER_LEN;
	make_packet(IPPKT_TCP, 5000);
	store_be16(bytes + 6, IPPKT_FLAG_MF);
	ck_assert_int_eq(hand_over(&header, len), -EBADMSG);
	make_packet(IPPKT_UDP, 5000);
	header.csum_offset = 6;
	ck_assert_int_eq(hand_over(&header, len), -EBADMSG);
}
END_TEST

/* What tun_write() puts before the packet, cut in two vectors. */
static struct virtio_net_hdr write_packet(uint32_t len, uint16_t segment_size,
					  bool checksum_partial)
{
	struct packet out = {
		.data = bytes, .len = len, .segment_size = segment_size,
		.checksum_partial = checksum_partial,
	};
	struct iovec iov[3] = {
		{ .iov_base = NULL },
		{ .iov_base = bytes, .iov_len = TCP_HEADERS },
		{ .iov_base = bytes + TCP_HEADERS,
		  .iov_len = len - TCP_HEADERS },
	};
	struct virtio_net_hdr header;

	ck_assert_int_eq(tun_write(&tun, &out, iov, 3), 0);
	ck_assert_int_eq(read(kernel_end, buf, sizeof(buf)),
			 TUN_HEADROOM + len);
	ck_assert_int_eq(memcmp(buf + TUN_HEADROOM, bytes, len), 0);
	memcpy(&header, buf, sizeof(header));
	return header;
}

START_TEST(tun_write_plain_packet_has_an_empty_header)
{
	static const struct virtio_net_hdr empty;
	struct virtio_net_hdr header;

	header = write_packet(make_packet(IPPKT_TCP, 300), 0, false);
	ck_assert_int_eq(memcmp(&header, &empty, sizeof(empty)), 0);
	bytes[0] = 0x60;
	header = write_packet(300, 0, false);
	ck_assert_int_eq(memcmp(&header, &empty, sizeof(empty)), 0);
}
END_TEST

START_TEST(tun_write_partial_checksum_says_where_it_is)
{
	struct virtio_net_hdr header;

	header = write_packet(make_packet(IPPKT_UDP, 300), 0, true);
	ck_assert_uint_eq(header.flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
	ck_assert_uint_eq(header.csum_start, IPPKT_HEADER_LEN);
	ck_assert_uint_eq(header.csum_offset, 6);
	ck_assert_uint_eq(header.gso_type, VIRTIO_NET_HDR_GSO_NONE);
	ck_assert_uint_eq(header.gso_size, 0);
}
END_TEST

START_TEST(tun_write_tcp_super_packet_is_described)
{
	uint32_t len = make_packet(IPPKT_TCP, 5000);
	struct virtio_net_hdr header = write_packet(len, SEGMENT, true);

	ck_assert_uint_eq(header.flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
	ck_assert_uint_eq(header.gso_type, VIRTIO_NET_HDR_GSO_TCPV4);
	ck_assert_uint_eq(header.gso_size, SEGMENT);
	ck_assert_uint_eq(header.hdr_len, TCP_HEADERS);
	ck_assert_uint_eq(header.csum_start, IPPKT_HEADER_LEN);
	ck_assert_uint_eq(header.csum_offset, 16);
	bytes[33] |= FLAG_CWR;
	bytes[32] = 8 << 4;
	header = write_packet(len, SEGMENT, true);
	ck_assert_uint_eq(header.gso_type, VIRTIO_NET_HDR_GSO_TCPV4 |
					   VIRTIO_NET_HDR_GSO_ECN);
	ck_assert_uint_eq(header.hdr_len, TCP_HEADERS + 12);
}
END_TEST

START_TEST(tun_write_udp_super_packet_is_described)
{
	struct virtio_net_hdr header;

	header = write_packet(make_packet(IPPKT_UDP, 5000), SEGMENT, true);
	ck_assert_uint_eq(header.gso_type, GSO_UDP_L4);
	ck_assert_uint_eq(header.gso_size, SEGMENT);
	ck_assert_uint_eq(header.hdr_len, UDP_HEADERS);
	ck_assert_uint_eq(header.csum_offset, 6);
}
END_TEST

START_TEST(tun_write_metadata_that_cannot_be_is_refused)
{
	struct packet out = { .data = bytes, .checksum_partial = true };
	struct iovec iov[2] = { { .iov_base = NULL }, { .iov_base = bytes } };

	out.len = make_packet(IPPKT_UDP, 10);
	iov[1].iov_len = out.len;
	bytes[9] = IPPKT_ICMP;
	ck_assert_int_eq(tun_write(&tun, &out, iov, 2), -EINVAL);
	bytes[0] = 0x60;
	ck_assert_int_eq(tun_write(&tun, &out, iov, 2), -EINVAL);
	ck_assert_int_eq(read(kernel_end, buf, sizeof(buf)), -1);
}
END_TEST

START_TEST(tun_write_without_room_says_eagain)
{
	struct packet out = { .data = bytes };
	struct iovec iov[2] = { { .iov_base = NULL }, { .iov_base = bytes } };
	int ret;

	out.len = make_packet(IPPKT_UDP, 1000);
	iov[1].iov_len = out.len;
	do {
		ret = tun_write(&tun, &out, iov, 2);
	} while (!ret);
	ck_assert_int_eq(ret, -EAGAIN);
}
END_TEST

START_TEST(tun_missing_offloads_names_them)
{
	ck_assert_ptr_null(tun_missing_offloads(&tun));
	tun.offload_udp = false;
	ck_assert_str_eq(tun_missing_offloads(&tun), "UDP segmentation");
	tun.offload_tcp = false;
	ck_assert_ptr_nonnull(tun_missing_offloads(&tun));
	tun.offload_checksum = false;
	ck_assert_ptr_nonnull(strstr(tun_missing_offloads(&tun), "checksum"));
}
END_TEST

START_TEST(tun_open_long_name_is_refused)
{
	struct tun other;

	ck_assert_int_eq(tun_open(&other, "sixteen--letters"), -EINVAL);
	ck_assert_int_eq(other.fd, -1);
	tun_close(&other);
}
END_TEST

/* The real interfaces: left is 10.9.0.1/24, right is 10.8.0.1/24. */
static struct tun left, right;

static void set_address(int fd, const char *name, unsigned long request,
			uint32_t address)
{
	struct sockaddr_in ipv4 = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(address),
	};
	struct ifreq interface = { 0 };

	snprintf(interface.ifr_name, IFNAMSIZ, "%s", name);
	memcpy(&interface.ifr_addr, &ipv4, sizeof(ipv4));
	ck_assert_int_eq(ioctl(fd, request, &interface), 0);
}

static void bring_up(const struct tun *interface, uint32_t address)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq request = { .ifr_flags = IFF_UP };

	set_address(fd, interface->name, SIOCSIFADDR, address);
	set_address(fd, interface->name, SIOCSIFNETMASK, 0xffffff00);
	snprintf(request.ifr_name, IFNAMSIZ, "%s", interface->name);
	ck_assert_int_eq(ioctl(fd, SIOCSIFFLAGS, &request), 0);
	close(fd);
}

static void open_real(void)
{
	int fd;

	ck_assert_int_eq(unshare(CLONE_NEWNET), 0);
	ck_assert_int_eq(tun_open(&left, "left%d"), 0);
	ck_assert_int_eq(tun_open(&right, "right"), 0);
	bring_up(&left, left_host - 1);
	bring_up(&right, right_host - 1);
	fd = open("/proc/sys/net/ipv4/ip_forward", O_WRONLY | O_CLOEXEC);
	ck_assert_int_eq(write(fd, "1", 1), 1);
	close(fd);
}

static void close_real(void)
{
	tun_close(&left);
	tun_close(&right);
}

/* The next IPv4 packet out of the right interface. */
static void read_right(void)
{
	struct pollfd device = { .fd = right.fd, .events = POLLIN };
	int ret;

	do {
		ck_assert_int_eq(poll(&device, 1, WAIT_MS), 1);
		ret = tun_read(&right, buf, &packet);
		ck_assert_int_ge(ret, 0);
	} while (!ret || packet.data[0] >> 4 != 4);
}

/* Write bytes[] into the left interface, read it from the right one. */
static void cross(uint32_t len, uint16_t segment_size, bool checksum_partial)
{
	struct packet out = {
		.data = bytes, .len = len, .segment_size = segment_size,
		.checksum_partial = checksum_partial,
	};
	struct iovec iov[2] = {
		{ .iov_base = NULL },
		{ .iov_base = bytes, .iov_len = len },
	};

	ck_assert_int_eq(tun_write(&left, &out, iov, 2), 0);
	read_right();
	ck_assert_uint_eq(packet.len, len);
	ck_assert_uint_eq(packet.data[8], bytes[8] - 1);
	ck_assert_int_eq(memcmp(packet.data + IPPKT_HEADER_LEN,
				bytes + IPPKT_HEADER_LEN,
				len - IPPKT_HEADER_LEN), 0);
	ck_assert_uint_eq(packet.segment_size, segment_size);
	ck_assert_int_eq(packet.checksum_partial, checksum_partial);
}

START_TEST(tun_open_names_the_interface)
{
	struct tun again;

	ck_assert_str_eq(left.name, "left0");
	ck_assert_int_eq(left.ifindex, (int)if_nametoindex("left0"));
	ck_assert_int_ne(fcntl(left.fd, F_GETFL) & O_NONBLOCK, 0);
	ck_assert_int_ne(fcntl(left.fd, F_GETFD) & FD_CLOEXEC, 0);
	ck_assert_int_eq(tun_open(&again, "right"), -EBUSY);
	ck_assert_int_eq(again.fd, -1);
}
END_TEST

START_TEST(tun_close_takes_the_interface_along)
{
	tun_close(&left);
	ck_assert_int_eq(left.fd, -1);
	ck_assert_uint_eq(if_nametoindex("left0"), 0);
}
END_TEST

START_TEST(tun_real_packets_cross_unchanged)
{
	uint32_t len = make_packet(IPPKT_TCP, 1400);
	uint16_t sum = ippkt_fold(ippkt_sum(bytes + 20, len - 20, 0));

	cross(len, 0, true);
	store_be16(bytes + 36, (uint16_t)~sum);
	ck_assert(checksum_is_right(bytes, len));
	cross(len, 0, false);
	cross(make_packet(IPPKT_UDP, 100), 0, true);
}
END_TEST

START_TEST(tun_real_tcp_super_packets_cross_whole)
{
	uint32_t len;

	if (!left.offload_tcp)
		return;
	cross(make_packet(IPPKT_TCP, 5 * SEGMENT + 1), SEGMENT, true);
	cross(make_packet(IPPKT_TCP, 65535 - TCP_HEADERS), 1460, true);
	len = make_packet(IPPKT_TCP, 2 * SEGMENT);
	bytes[33] |= FLAG_CWR;
	cross(len, SEGMENT, true);
}
END_TEST

START_TEST(tun_real_udp_super_packets_cross_whole)
{
	if (!left.offload_udp)
		return;
	cross(make_packet(IPPKT_UDP, 5 * SEGMENT + 1), SEGMENT, true);
}
END_TEST

/* The host's own traffic: a datagram, and several given as one. */
START_TEST(tun_real_datagrams_of_the_host_are_read)
{
	struct sockaddr_in to = {
		.sin_family = AF_INET,
		.sin_port = htons(2222),
		.sin_addr.s_addr = htonl(right_host),
	};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int segment = SEGMENT;

	ck_assert_int_eq(sendto(fd, bytes, 100, 0, (struct sockaddr *)&to,
				sizeof(to)), 100);
	read_right();
	ck_assert_uint_eq(packet.len, UDP_HEADERS + 100);
	ck_assert_uint_eq(ippkt_destination(packet.data), right_host);
	ck_assert(packet.checksum_partial ||
		  checksum_is_right(packet.data, packet.len));
	if (right.offload_udp &&
	    !setsockopt(fd, IPPROTO_UDP, SOCKET_UDP_SEGMENT, &segment,
			sizeof(segment))) {
		ck_assert_int_eq(sendto(fd, bytes, 4 * SEGMENT, 0,
					(struct sockaddr *)&to, sizeof(to)),
				 4 * SEGMENT);
		read_right();
		ck_assert_uint_eq(packet.segment_size, SEGMENT);
		ck_assert_uint_eq(packet.len, UDP_HEADERS + 4 * SEGMENT);
	}
	close(fd);
}
END_TEST

static TCase *fake_tests(void)
{
	TCase *tcase = tcase_create("header");

	tcase_add_checked_fixture(tcase, open_fake, close_fake);
	tcase_add_test(tcase, tun_read_of_nothing_gives_0);
	tcase_add_test(tcase, tun_read_of_a_closed_device_fails);
	tcase_add_test(tcase, tun_read_plain_packet_lies_behind_the_headroom);
	tcase_add_test(tcase, tun_read_header_without_packet_is_refused);
	tcase_add_test(tcase, tun_read_partial_checksum_is_passed_on);
	tcase_add_test(tcase, tun_read_odd_partial_checksum_is_completed);
	tcase_add_test(tcase, tun_read_ipv6_partial_checksum_is_completed);
	tcase_add_test(tcase, tun_read_checksum_outside_is_refused);
	tcase_add_test(tcase, tun_read_super_packets_carry_their_segment_size);
	tcase_add_test(tcase,
		tun_read_super_packet_with_whole_checksum_becomes_partial);
	tcase_add_test(tcase, tun_read_super_packet_not_asked_for_is_refused);
	tcase_add_test(tcase,
		tun_read_super_packet_that_makes_no_sense_is_refused);
	tcase_add_test(tcase, tun_write_plain_packet_has_an_empty_header);
	tcase_add_test(tcase, tun_write_partial_checksum_says_where_it_is);
	tcase_add_test(tcase, tun_write_tcp_super_packet_is_described);
	tcase_add_test(tcase, tun_write_udp_super_packet_is_described);
	tcase_add_test(tcase, tun_write_metadata_that_cannot_be_is_refused);
	tcase_add_test(tcase, tun_write_without_room_says_eagain);
	tcase_add_test(tcase, tun_missing_offloads_names_them);
	tcase_add_test(tcase, tun_open_long_name_is_refused);
	return tcase;
}

static TCase *real_tests(void)
{
	TCase *tcase = tcase_create("kernel");

	tcase_add_checked_fixture(tcase, open_real, close_real);
	tcase_add_test(tcase, tun_open_names_the_interface);
	tcase_add_test(tcase, tun_close_takes_the_interface_along);
	tcase_add_test(tcase, tun_real_packets_cross_unchanged);
	tcase_add_test(tcase, tun_real_tcp_super_packets_cross_whole);
	tcase_add_test(tcase, tun_real_udp_super_packets_cross_whole);
	tcase_add_test(tcase, tun_real_datagrams_of_the_host_are_read);
	return tcase;
}

/* In a child: this process keeps the namespace that it has. */
static bool can_unshare(void)
{
	int status = -1;
	pid_t child = fork();

	if (child == 0)
		_exit(unshare(CLONE_NEWNET) ? 1 : 0);
	return child > 0 && waitpid(child, &status, 0) == child && !status;
}

/* Why the tests with real interfaces cannot run; NULL: they can. */
static const char *reason_to_skip(void)
{
	if (!can_unshare())
		return "root is needed for a network namespace";
	if (access("/dev/net/tun", R_OK | W_OK))
		return "/dev/net/tun is not there";
	return NULL;
}

int main(void)
{
	Suite *suite = suite_create("tun");
	const char *reason = reason_to_skip();
	SRunner *runner;
	int n_failed;

	suite_add_tcase(suite, fake_tests());
	if (!reason)
		suite_add_tcase(suite, real_tests());
	runner = srunner_create(suite);
	srunner_set_fork_status(runner, CK_FORK);
	srunner_run_all(runner, CK_ENV);
	n_failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	if (n_failed)
		return 1;
	if (!reason)
		return 0;
	printf("SKIP: %s\n", reason);
	return 77;
}
