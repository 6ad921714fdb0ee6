/* SPDX-License-Identifier: MIT */
/*
 * The life of the client: interface, connection, join, packets, and all of it
 * again when the connection is lost.  Main thread only.
 */
#ifndef CLIENT_CLIENT_H
#define CLIENT_CLIENT_H

struct cli_config;

/* Run until a signal or a failure that no reconnect mends.  The exit code. */
int client_run(const struct cli_config *config);

#endif
