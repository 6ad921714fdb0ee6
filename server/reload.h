/* SPDX-License-Identifier: MIT */
/*
 * The settings that may change while the server runs: applied at the start,
 * and again when the configuration is read anew.
 */
#ifndef SERVER_RELOAD_H
#define SERVER_RELOAD_H

#include <stddef.h>

struct acceptor;
struct reload;
struct server;
struct server_config;

enum { RELOAD_REPORT_LEN = 2048 };

/*
 * Apply the live settings of config to the server, whose threads do not run
 * yet.  argv is kept: what the command line says goes for every reload.  Main
 * thread.  NULL: out of memory.
 */
struct reload *reload_new(struct server *server, struct acceptor *acceptor,
			  const struct server_config *config, int argc,
			  char **argv);
void reload_free(struct reload *r);

/*
 * Read the file and the command line again, and apply what is live; if
 * anything is wrong nothing changes.  Logs the outcome and writes it to report,
 * one line.  0 or -EINVAL.  Any thread; blocks for the file.
 */
int reload_run(struct reload *r, char report[RELOAD_REPORT_LEN]);

#endif
