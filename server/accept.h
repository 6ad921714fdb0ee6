/* SPDX-License-Identifier: MIT */
/*
 * The listening sockets and the thread that accepts from them.
 */
#ifndef SERVER_ACCEPT_H
#define SERVER_ACCEPT_H

struct acceptor;
struct server;

/*
 * Listen as the configuration says.  Main thread.  NULL after logging what
 * failed.
 */
struct acceptor *accept_open(const struct server *server);

/* For connections from now on.  Main thread. */
void accept_set_congestion(const struct acceptor *a, const char *name);

/* Start the thread: 0 or -errno.  Stop it: no connection is accepted or
 * thread joined by it any more.  Main thread. */
int accept_start(struct acceptor *a);
void accept_stop(struct acceptor *a);

/* Refuse connections from now on, but keep the descriptors.  After
 * accept_stop(); main thread. */
void accept_shut(const struct acceptor *a);

/* The sockets are closed.  NULL is fine. */
void accept_close(struct acceptor *a);

#endif
