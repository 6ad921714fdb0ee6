/* SPDX-License-Identifier: MIT */
/* The client's side of the control socket. */
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/control.h"
#include "common/exit.h"

enum {
	TIMEOUT_S = 20,		/* of each step: it may have much to count */
	HEAD_MAX = 64,
	PIECE = 16384,
};

__attribute__((format(printf, 3, 4)))
static int fail(char error[CONTROL_ERROR_LEN], int code, const char *format,
		...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(error, CONTROL_ERROR_LEN, format, args);
	va_end(args);
	return code;
}

static int cannot_connect(char error[CONTROL_ERROR_LEN], const char *path,
			  int reason)
{
	switch (reason) {
	case ENOENT:
	case ECONNREFUSED:
	case ENOTDIR:
		return fail(error, EXIT_NOT_RUNNING,
			    "not running: nobody answers at %s", path);
	case EACCES:
	case EPERM:
		return fail(error, EXIT_ERROR, "%s: permission denied; only "
			    "root, the user that it runs as, and members of "
			    "the group " CONTROL_GROUP " may ask", path);
	default:
		return fail(error, EXIT_ERROR, "%s: %s", path,
			    strerror(reason));
	}
}

static int open_connection(const char *path, int *fd,
			   char error[CONTROL_ERROR_LEN])
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct timeval timeout = { .tv_sec = TIMEOUT_S };

	if (strlen(path) >= sizeof(address.sun_path))
		return fail(error, EXIT_USAGE, "%s: the path is longer than "
			    "the 107 bytes of unix(7)", path);
	memcpy(address.sun_path, path, strlen(path) + 1);
	*fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (*fd < 0)
		return fail(error, EXIT_ERROR, "socket: %s", strerror(errno));
	/* That of sending is that of connect() too (socket(7)). */
	setsockopt(*fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
	setsockopt(*fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	if (connect(*fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return cannot_connect(error, path, errno);
	return EXIT_OK;
}

/* Whoever refuses at once may have closed: its answer is there to be read. */
static void send_request(int fd, const char *request)
{
	struct iovec iov[2] = {
		{ (void *)(uintptr_t)request, strlen(request) },
		{ (void *)(uintptr_t)"\n", 1 },
	};
	struct msghdr message = { .msg_iov = iov, .msg_iovlen = 2 };

	while (sendmsg(fd, &message, MSG_NOSIGNAL) < 0 && errno == EINTR)
		;
}

/* At most size bytes; 0: the end or an error. */
static size_t receive(int fd, char *data, size_t size)
{
	ssize_t n;

	do {
		n = recv(fd, data, size, 0);
	} while (n < 0 && errno == EINTR);
	return n > 0 ? (size_t)n : 0;
}

/* The first line, byte by byte: what follows is somebody else's. */
static bool receive_head(int fd, char head[HEAD_MAX])
{
	size_t len;

	for (len = 0; len < HEAD_MAX; len++) {
		if (receive(fd, head + len, 1) == 0)
			return false;
		if (head[len] == '\n') {
			head[len] = '\0';
			return true;
		}
	}
	return false;
}

static bool receive_body(int fd, size_t len, FILE *out)
{
	char piece[PIECE];
	size_t n;

	for (; len > 0; len -= n) {
		n = receive(fd, piece, len < PIECE ? len : PIECE);
		if (n == 0)
			return false;
		fwrite(piece, 1, n, out);
	}
	return true;
}

/* What is wrong, cut to size and without the newline at its end. */
static bool receive_error(int fd, size_t len, char error[CONTROL_ERROR_LEN])
{
	size_t want = len < CONTROL_ERROR_LEN ? len : CONTROL_ERROR_LEN - 1;
	size_t have = 0, n;

	while (have < want) {
		n = receive(fd, error + have, want - have);
		if (n == 0)
			return false;
		have += n;
	}
	while (have > 0 && error[have - 1] == '\n')
		have--;
	error[have] = '\0';
	return true;
}

static int read_answer(int fd, const char *path, FILE *out,
		       char error[CONTROL_ERROR_LEN])
{
	char head[HEAD_MAX], end;
	bool whole = false;
	size_t len;
	int code;

	if (!receive_head(fd, head))
		return fail(error, EXIT_ERROR, "no answer from %s", path);
	if (sscanf(head, "ok %zu%c", &len, &end) == 1) {
		whole = receive_body(fd, len, out);
		code = EXIT_OK;
	} else if (sscanf(head, "error %d %zu%c", &code, &len, &end) == 2 &&
		   code > 0 && code < 128) {
		whole = receive_error(fd, len, error);
	} else {
		return fail(error, EXIT_ERROR, "what answers at %s is not of "
			    "simplevpn", path);
	}
	if (!whole)
		return fail(error, EXIT_ERROR, "the answer from %s broke off",
			    path);
	return code;
}

int control_ask(const char *path, const char *request, FILE *out,
		char error[CONTROL_ERROR_LEN])
{
	int fd = -1;
	int code = open_connection(path, &fd, error);

	if (code == EXIT_OK) {
		send_request(fd, request);
		code = read_answer(fd, path, out, error);
	}
	if (fd >= 0)
		close(fd);
	return code;
}
