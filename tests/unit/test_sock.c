/* SPDX-License-Identifier: MIT */
/* Tests of common/sock, on the loopback interface. */
#include "common/sock.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { MAX_FDS = 4, NOTSENT = 131072, TIMEOUT_MS = 12345 };

static char error[200];

static struct sockaddr_storage local_address(int fd)
{
	struct sockaddr_storage address = { 0 };
	socklen_t len = sizeof(address);

	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &len),
			 0);
	return address;
}

static uint16_t local_port(int fd)
{
	struct sockaddr_storage address = local_address(fd);
	struct sockaddr_in ipv4;

	/* The port is at the same place in struct sockaddr_in6. */
	memcpy(&ipv4, &address, sizeof(ipv4));
	return ntohs(ipv4.sin_port);
}

static int get_int(int fd, int level, int option)
{
	socklen_t len = sizeof(int);
	int value = -1;

	ck_assert_int_eq(getsockopt(fd, level, option, &value, &len), 0);
	return value;
}

START_TEST(sock_listen_on_an_address_takes_connections)
{
	struct sockaddr_storage address;
	int fds[MAX_FDS], fd;

	ck_assert_int_eq(sock_listen("127.0.0.1", 0, fds, MAX_FDS, error,
				     sizeof(error)), 1);
	ck_assert_int_ne(fcntl(fds[0], F_GETFL) & O_NONBLOCK, 0);
	ck_assert_int_ne(fcntl(fds[0], F_GETFD) & FD_CLOEXEC, 0);
	ck_assert_int_eq(accept(fds[0], NULL, NULL), -1);
	ck_assert_int_eq(errno, EAGAIN);
	address = local_address(fds[0]);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&address,
				 sizeof(struct sockaddr_in)), 0);
	close(fd);
	fd = accept(fds[0], NULL, NULL);
	ck_assert_int_ge(fd, 0);
	close(fd);
	close(fds[0]);
}
END_TEST

START_TEST(sock_listen_everywhere_has_a_socket_for_each_family)
{
	int fds[MAX_FDS], family, i, n, n_ipv4 = 0;

	n = sock_listen(NULL, 0, fds, MAX_FDS, error, sizeof(error));
	ck_assert_int_ge(n, 1);
	ck_assert_int_le(n, 2);
	for (i = 0; i < n; i++) {
		family = local_address(fds[i]).ss_family;
		n_ipv4 += family == AF_INET;
		if (family == AF_INET6)
			ck_assert_int_eq(get_int(fds[i], IPPROTO_IPV6,
						 IPV6_V6ONLY), 1);
		close(fds[i]);
	}
	ck_assert_int_eq(n_ipv4, 1);
}
END_TEST

START_TEST(sock_listen_stores_no_more_than_asked)
{
	int fds[2] = { -1, -1 };

	ck_assert_int_eq(sock_listen(NULL, 0, fds, 1, error, sizeof(error)),
			 1);
	ck_assert_int_eq(fds[1], -1);
	close(fds[0]);
}
END_TEST

START_TEST(sock_listen_on_a_taken_port_says_so)
{
	int fds[MAX_FDS], more[MAX_FDS];
	char expected[200];
	uint16_t port;

	ck_assert_int_eq(sock_listen("127.0.0.1", 0, fds, MAX_FDS, error,
				     sizeof(error)), 1);
	port = local_port(fds[0]);
	ck_assert_int_eq(sock_listen("127.0.0.1", port, more, MAX_FDS, error,
				     sizeof(error)), -EADDRINUSE);
	snprintf(expected, sizeof(expected), "cannot listen on 127.0.0.1:%u: "
		 "%s", port, strerror(EADDRINUSE));
	ck_assert_str_eq(error, expected);
	close(fds[0]);
}
END_TEST

/* With one family's port taken, listening on both fails and leaves nothing. */
static void check_failure_is_clean(const char *address)
{
	int fds[MAX_FDS], more[MAX_FDS], before, after;

	if (sock_listen(address, 0, fds, MAX_FDS, error, sizeof(error)) != 1)
		return;		/* a host without that family */
	before = dup(fds[0]);
	close(before);
	ck_assert_int_eq(sock_listen(NULL, local_port(fds[0]), more, MAX_FDS,
				     error, sizeof(error)), -EADDRINUSE);
	after = dup(fds[0]);
	close(after);
	ck_assert_int_eq(before, after);
	close(fds[0]);
}

START_TEST(sock_listen_failure_leaves_no_descriptor)
{
	/* Whichever family comes first, the second of them fails once. */
	check_failure_is_clean("0.0.0.0");
	check_failure_is_clean("::");
}
END_TEST

START_TEST(sock_listen_on_what_is_no_address_says_so)
{
	int fds[MAX_FDS];

	/* Refused without asking a name server. */
	ck_assert_int_lt(sock_listen("fe80::1%none", 0, fds, MAX_FDS, error,
				     sizeof(error)), 0);
	ck_assert_ptr_eq(strstr(error, "cannot listen on \"fe80::1%none\": "),
			 error);
}
END_TEST

START_TEST(sock_listen_on_a_foreign_address_fails)
{
	int fds[MAX_FDS];

	/* TEST-NET-1 and the documentation prefix: nobody has them. */
	ck_assert_int_eq(sock_listen("192.0.2.1", 0, fds, MAX_FDS, error,
				     sizeof(error)), -EADDRNOTAVAIL);
	ck_assert_int_lt(sock_listen("2001:db8::1", 0, fds, MAX_FDS, error,
				     sizeof(error)), 0);
	ck_assert_ptr_eq(strstr(error, "cannot listen on [2001:db8::1]:0: "),
			 error);
}
END_TEST

START_TEST(sock_tune_sets_all_options)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	ck_assert_int_eq(sock_tune(fd, NOTSENT, TIMEOUT_MS), 0);
	ck_assert_int_eq(get_int(fd, IPPROTO_TCP, TCP_NODELAY), 1);
	ck_assert_int_eq(get_int(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT),
			 NOTSENT);
	ck_assert_int_eq(get_int(fd, IPPROTO_TCP, TCP_USER_TIMEOUT),
			 TIMEOUT_MS);
	close(fd);
}
END_TEST

START_TEST(sock_tune_of_no_socket_fails)
{
	ck_assert_int_eq(sock_tune(-1, NOTSENT, TIMEOUT_MS), -EBADF);
}
END_TEST

static void check_text(const char *address, uint32_t scope, uint16_t port,
		       const char *expected)
{
	struct sockaddr_in6 ipv6 = {
		.sin6_family = AF_INET6,
		.sin6_port = htons(port),
		.sin6_scope_id = scope,
	};
	struct sockaddr_in ipv4 = {
		.sin_family = AF_INET,
		.sin_port = htons(port),
	};
	struct sockaddr_storage storage = { 0 };
	char text[SOCK_TEXT_LEN];

	if (inet_pton(AF_INET, address, &ipv4.sin_addr) == 1) {
		memcpy(&storage, &ipv4, sizeof(ipv4));
	} else {
		ck_assert_int_eq(inet_pton(AF_INET6, address,
					   &ipv6.sin6_addr), 1);
		memcpy(&storage, &ipv6, sizeof(ipv6));
	}
	sock_text(&storage, text);
	ck_assert_str_eq(text, expected);
}

START_TEST(sock_text_of_every_kind_of_address)
{
	struct sockaddr_storage none = { .ss_family = AF_UNSPEC };
	char text[SOCK_TEXT_LEN];

	check_text("192.0.2.1", 0, 2002, "192.0.2.1:2002");
	check_text("2001:db8::1", 0, 2002, "[2001:db8::1]:2002");
	check_text("::ffff:192.0.2.1", 0, 65535, "192.0.2.1:65535");
	check_text("::", 0, 0, "[::]:0");
	check_text("2001:db8:1111:2222:3333:4444:5555:6666", 0, 2002,
		   "[2001:db8:1111:2222:3333:4444:5555:6666]:2002");
	check_text("fe80::1", 4000000000U, 1, "[fe80::1%4000000000]:1");
	sock_text(&none, text);
	ck_assert_str_eq(text, "unknown address");
}
END_TEST

START_TEST(sock_text_names_the_scope)
{
	unsigned int loopback = if_nametoindex("lo");

	ck_assert_uint_ne(loopback, 0);
	check_text("fe80::1", loopback, 1, "[fe80::1%lo]:1");
}
END_TEST

static Suite *sock_suite(void)
{
	Suite *suite = suite_create("sock");
	TCase *tcase = tcase_create("sock");

	tcase_add_test(tcase, sock_listen_on_an_address_takes_connections);
	tcase_add_test(tcase,
		       sock_listen_everywhere_has_a_socket_for_each_family);
	tcase_add_test(tcase, sock_listen_stores_no_more_than_asked);
	tcase_add_test(tcase, sock_listen_on_a_taken_port_says_so);
	tcase_add_test(tcase, sock_listen_failure_leaves_no_descriptor);
	tcase_add_test(tcase, sock_listen_on_what_is_no_address_says_so);
	tcase_add_test(tcase, sock_listen_on_a_foreign_address_fails);
	tcase_add_test(tcase, sock_tune_sets_all_options);
	tcase_add_test(tcase, sock_tune_of_no_socket_fails);
	tcase_add_test(tcase, sock_text_of_every_kind_of_address);
	tcase_add_test(tcase, sock_text_names_the_scope);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	SRunner *runner = srunner_create(sock_suite());
	int n_failed;

	srunner_run_all(runner, CK_ENV);
	n_failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return n_failed ? 1 : 0;
}
