/* SPDX-License-Identifier: MIT */
/*
 * Metrics for Prometheus and a status page for a person, over HTTP.
 *
 *	GET /		status page; ?q= part of an address or peer, ?page= N
 *	GET /metrics	Prometheus text format
 *
 * All functions are for the main thread.
 */
#ifndef SERVER_METRICS_H
#define SERVER_METRICS_H

struct metrics;
struct server;

/*
 * Listen where server->config->metrics says; connections wait until
 * metrics_start().  NULL: logged why.
 */
struct metrics *metrics_open(const struct server *server);

/* Start, or end and join, the thread that answers.  0 or -errno. */
int metrics_start(struct metrics *m);
void metrics_stop(struct metrics *m);

/* NULL is fine. */
void metrics_close(struct metrics *m);

#endif
