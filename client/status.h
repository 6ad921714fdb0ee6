/* SPDX-License-Identifier: MIT */
/*
 * What `cli status` shows: the main thread notes what happens, the control
 * thread asks for it.  Nothing here costs anything a packet.
 */
#ifndef CLIENT_STATUS_H
#define CLIENT_STATUS_H

#include <stdbool.h>
#include <stdint.h>

struct counters;
struct facts;
struct option_list;
struct status;

enum { STATUS_WHY_LEN = 400 };

/* The text and the list stay the caller's.  NULL: out of memory. */
struct status *status_new(const char *interface,
			  const struct option_list *servers);
void status_free(struct status *s);	/* accepts NULL */

/* Main thread, none blocks: an attempt at this server begins, ... */
void status_connecting(struct status *s, const char *server);
/* ... it has led to this (again whenever the facts change), ... */
void status_connected(struct status *s, const struct facts *facts);
/* ... or it is over, and at next_ms of clock_now_ms() this server is next. */
void status_waiting(struct status *s, const char *why, const char *server,
		    uint64_t next_ms);

/*
 * Main thread, whenever SIGUSR2 comes: the figures as they are now.  fd is the
 * connection, -1: there is none.
 */
void status_sample(struct status *s, const struct counters *counters, int fd);

/*
 * Answer at a control socket from now on, until status_free(): at this path,
 * or ("") at the interface's usual one, or ("none") nowhere.  False, after a
 * line in the log: it cannot be had.  The usual one is not worth an end, so
 * that is a warning and true.  Main thread.
 */
bool status_serve(struct status *s, const char *path);

#endif
