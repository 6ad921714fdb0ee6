/* SPDX-License-Identifier: MIT */
/*
 * Telling the service manager how it goes: sd_notify(3)'s datagrams.  Without
 * a manager that asked ($NOTIFY_SOCKET) nothing is sent.
 *
 * Main thread.  Nothing here blocks: a datagram that the manager has no room
 * for is lost.
 */
#ifndef COMMON_NOTIFY_H
#define COMMON_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>

struct notify {
	int fd;			/* -1: nobody asked */
};

/*
 * Read $NOTIFY_SOCKET and $WATCHDOG_USEC and take them out of the environment.
 * Before the first thread.  False: there is a socket that cannot be reached,
 * errno says why; the program runs on without it.
 */
bool notify_init(struct notify *n);
void notify_fini(struct notify *n);

/*
 * If the manager wants signs of life, have SIGALRM, which the caller blocks
 * and waits for, raised at half of its bound; and answer it by notify_alive()
 * from the loop whose life it is to show.
 */
void notify_start_watchdog(const struct notify *n);
void notify_alive(const struct notify *n);

/* The service is there (again, after a reload); status is a line for people. */
void notify_ready(const struct notify *n, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void notify_status(const struct notify *n, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* A reload begins; notify_ready() ends it, whatever came of it. */
void notify_reloading(const struct notify *n);
void notify_stopping(const struct notify *n);

#endif
