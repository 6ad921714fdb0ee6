/* SPDX-License-Identifier: MIT */
/* The datagrams of sd_notify(3), without its library. */
#include "common/notify.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "common/options.h"

enum { DATAGRAM_LEN = 400, USEC_PER_SEC = 1000000 };

/* A path, or '@' and a name in the abstract namespace. */
static bool read_address(const char *text, struct sockaddr_un *address,
			 socklen_t *len)
{
	size_t n = strlen(text);

	if ((text[0] != '/' && text[0] != '@') || n < 2 ||
	    n >= sizeof(address->sun_path)) {
		errno = EINVAL;
		return false;
	}
	memset(address, 0, sizeof(*address));
	address->sun_family = AF_UNIX;
	memcpy(address->sun_path, text, n);
	if (text[0] == '@')
		address->sun_path[0] = '\0';
	*len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n +
			   (text[0] == '/'));
	return true;
}

bool notify_init(struct notify *n)
{
	const char *name = getenv("NOTIFY_SOCKET");
	struct sockaddr_un address;
	socklen_t len;
	int error = 0;

	n->fd = -1;
	if (!name)
		return true;
	n->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (n->fd < 0 || !read_address(name, &address, &len) ||
	    connect(n->fd, (const struct sockaddr *)&address, len) < 0) {
		error = errno;
		notify_fini(n);
	}
	/* It is ours alone, no hook's. */
	unsetenv("NOTIFY_SOCKET");
	errno = error;
	return error == 0;
}

void notify_fini(struct notify *n)
{
	if (n->fd >= 0)
		close(n->fd);
	n->fd = -1;
}

static void send_text(const struct notify *n, const char *text)
{
	if (n->fd >= 0)
		send(n->fd, text, strlen(text), MSG_NOSIGNAL);
}

/* first, then the status: one line, cut to size. */
static void send_status(const struct notify *n, const char *first,
			const char *format, va_list arguments)
{
	char text[DATAGRAM_LEN];
	char *status;
	int len;

	len = snprintf(text, sizeof(text), "%sSTATUS=", first);
	status = text + len;
	vsnprintf(status, sizeof(text) - (size_t)len, format, arguments);
	for (; *status; status++)
		if (*status == '\n')
			*status = ' ';
	send_text(n, text);
}

void notify_ready(const struct notify *n, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	send_status(n, "READY=1\n", format, arguments);
	va_end(arguments);
}

void notify_status(const struct notify *n, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	send_status(n, "", format, arguments);
	va_end(arguments);
}

void notify_reloading(const struct notify *n)
{
	char text[DATAGRAM_LEN];
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%" PRIu64,
		 (uint64_t)now.tv_sec * USEC_PER_SEC +
		 (uint64_t)now.tv_nsec / 1000);
	send_text(n, text);
}

void notify_stopping(const struct notify *n)
{
	send_text(n, "STOPPING=1");
}

/* $WATCHDOG_USEC, if it is meant for this process; 0: not. */
static uint64_t watchdog_usec(void)
{
	const char *usec = getenv("WATCHDOG_USEC");
	const char *pid = getenv("WATCHDOG_PID");
	int64_t value, whose;

	if (!usec || !option_number(usec, 2, INT64_MAX, &value))
		return 0;
	if (pid && (!option_number(pid, 1, INT32_MAX, &whose) ||
		    whose != getpid()))
		return 0;
	return (uint64_t)value;
}

void notify_start_watchdog(const struct notify *n)
{
	uint64_t half = watchdog_usec() / 2;
	struct itimerval timer = {
		.it_interval.tv_sec = (time_t)(half / USEC_PER_SEC),
		.it_interval.tv_usec = (suseconds_t)(half % USEC_PER_SEC),
	};

	if (n->fd < 0 || half == 0)
		return;
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
	timer.it_value = timer.it_interval;
	setitimer(ITIMER_REAL, &timer, NULL);
}

void notify_alive(const struct notify *n)
{
	send_text(n, "WATCHDOG=1");
}
