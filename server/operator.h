/* SPDX-License-Identifier: MIT */
/*
 * What the operator asks the running server over its control socket: status,
 * kick, explain, drain, reload.  Main thread, unless a function says otherwise;
 * a NULL operator is one that is switched off.
 */
#ifndef SERVER_OPERATOR_H
#define SERVER_OPERATOR_H

#include <sys/types.h>

struct operator;
struct reload;
struct server;

/*
 * Listen where the configuration says.  EXIT_OK, *operator maybe NULL, or an
 * exit code after logging why.  Before privileges are dropped; who it is given
 * to is whoever the process becomes then.
 */
int operator_open(struct operator **operator, struct server *server,
		  struct reload *reload);
void operator_give(const struct operator *operator, uid_t owner);

/* Start, or stop and join, the thread that answers.  0 or -errno. */
int operator_start(struct operator *operator);
void operator_stop(struct operator *operator);

/* The socket is gone. */
void operator_close(struct operator *operator);

/*
 * Readable, until it is acknowledged, after server->live.drain_until_ms was
 * set: the main thread is to drain.  -1: never.
 */
int operator_fd(const struct operator *operator);
void operator_acknowledge(struct operator *operator);

#endif
