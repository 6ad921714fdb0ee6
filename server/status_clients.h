/* SPDX-License-Identifier: MIT */
/* The status page's table of clients. */
#ifndef SERVER_STATUS_CLIENTS_H
#define SERVER_STATUS_CLIENTS_H

#include <stdio.h>

struct server_view;
struct status_query;

/*
 * A section with the clients that the query asks for, those with the most
 * traffic first, a form for a search, and links to further pages.  Any thread;
 * nothing blocks but out.
 */
void status_clients_write(FILE *out, const struct server_view *view,
			  const struct status_query *query);

#endif
