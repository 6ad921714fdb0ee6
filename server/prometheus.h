/* SPDX-License-Identifier: MIT */
/*
 * Metrics in the text format 0.0.4 of Prometheus: base units, counters end in
 * _total, one HELP and TYPE line each, no label a client.  Any thread; does not
 * block for longer than a few reads of /proc.
 */
#ifndef SERVER_PROMETHEUS_H
#define SERVER_PROMETHEUS_H

#include <stdio.h>

struct server_view;

#define PROMETHEUS_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* What the server is doing; the list of clients is not looked at. */
void prometheus_write(FILE *out, const struct server_view *view);

/* What the process takes.  What cannot be read, such as the descriptors of a
 * process that dropped its privileges, is left out. */
void prometheus_write_process(FILE *out);

#endif
