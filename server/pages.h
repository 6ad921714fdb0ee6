/* SPDX-License-Identifier: MIT */
/*
 * What the HTTP server for metrics answers to each request: the metrics, the
 * status page, and what the page refers to.  The metrics thread alone; it does
 * not block.
 */
#ifndef SERVER_PAGES_H
#define SERVER_PAGES_H

#include <microhttpd.h>
#include <stdbool.h>
#include <stdint.h>

#include "server/history.h"

struct server;
struct server_view;

struct pages {
	const struct server *server;
	const struct history *history;
	struct history_rate rates[HISTORY_SAMPLES];
	struct server_view *view;	/* NULL: none was needed lately */
	uint64_t view_ms;		/* when it was taken */
	bool has_clients;
};

/* MHD_NO: the connection is to be closed without an answer. */
enum MHD_Result pages_answer(struct pages *p, struct MHD_Connection *connection,
			     const char *path, const char *method);

/* Free what was kept for requests in quick succession, if it is old.  Needed
 * at the end, with UINT64_MAX. */
void pages_forget(struct pages *p, uint64_t now_ms);

#endif
