/* SPDX-License-Identifier: MIT */
/*
 * --default-route: all traffic of the host through the tunnel, except what
 * carries our mark, which is the connection to the server.  Main thread only.
 */
#ifndef CLIENT_FULLTUNNEL_H
#define CLIENT_FULLTUNNEL_H

#include <stdbool.h>
#include <stdint.h>

struct netcfg;

/*
 * The mark (SO_MARK) of the connection to the server.  One for all clients of
 * a host: no client's connection goes through another's tunnel.
 */
enum { FULLTUNNEL_MARK = 0x2002 };

struct fulltunnel {
	int ifindex;		/* 0: not in force */
	bool set_valid_mark;	/* the setting was ours */
};

/* 0, or -errno and nothing is changed.  Once more is no error. */
int fulltunnel_up(struct fulltunnel *f, struct netcfg *nc, int ifindex);
void fulltunnel_down(struct fulltunnel *f, struct netcfg *nc);

/*
 * Remove the rules of clients that were killed: those for an interface that
 * there is not, or for ifindex, which was made just now.  Says so.
 */
void fulltunnel_clean(struct netcfg *nc, int ifindex);

#endif
