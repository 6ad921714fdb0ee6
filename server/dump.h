/* SPDX-License-Identifier: MIT */
/* The counters in the log: what SIGUSR1 asks for. */
#ifndef SERVER_DUMP_H
#define SERVER_DUMP_H

struct server;

/* All together, the gateway's, and each client's.  Any thread. */
void dump_log(const struct server *server);

#endif
