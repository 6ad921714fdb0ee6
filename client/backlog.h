/* SPDX-License-Identifier: MIT */
/*
 * What waits for a connection that takes less than the host sends: a queue
 * that is fair between flows (common/flowq.h), so that little ones stay quick
 * beside a large one.  Main thread only; nothing blocks.
 */
#ifndef CLIENT_BACKLOG_H
#define CLIENT_BACKLOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "client/counters.h"

struct backlog;

/* NULL: out of memory.  What the queue drops goes to counters. */
struct backlog *backlog_new(struct counters *counters);
void backlog_free(struct backlog *b);

/*
 * Copy a vector of whole messages, of whose first sent bytes have left; more
 * than 0 only while nothing waits.  False: no memory for the rest of the
 * message that was begun, and the stream cannot go on.
 */
bool backlog_add(struct backlog *b, const struct iovec *iov, size_t sent);

/*
 * Send up to about max bytes of what waits.  Returns how many the socket took,
 * *left whether it took less than it was given; -errno: the connection is over.
 */
ssize_t backlog_send(struct backlog *b, int fd, size_t max, bool *left);

bool backlog_is_empty(const struct backlog *b);

/* Drop all; returns how many messages that were. */
uint32_t backlog_clear(struct backlog *b);

#endif
