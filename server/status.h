/* SPDX-License-Identifier: MIT */
/* What the server is doing, as text for people and as JSON.  Any thread. */
#ifndef SERVER_STATUS_H
#define SERVER_STATUS_H

#include <stdio.h>

struct server_view;

/* A summary and a table with a line for each client. */
void status_print(const struct server_view *view, FILE *out);
/* One JSON object and a newline; srv(8) has each of its members. */
void status_print_json(const struct server_view *view, FILE *out);

#endif
