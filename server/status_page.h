/* SPDX-License-Identifier: MIT */
/*
 * The status page: what the server is doing, as HTML for a person.
 *
 * All text that comes from outside, such as what was searched for, is escaped.
 * Any thread; nothing blocks but out.
 */
#ifndef SERVER_STATUS_PAGE_H
#define SERVER_STATUS_PAGE_H

#include <stdint.h>
#include <stdio.h>

#include "server/history.h"

struct server_view;

enum {
	STATUS_PAGE_ROWS = 200,		/* clients on one page */
	STATUS_SEARCH_LEN = 64,
};

/* Which clients are shown. */
struct status_query {
	char search[STATUS_SEARCH_LEN];	/* in an address or peer; "": all */
	uint32_t page;			/* from 1; too large: the last */
};

/* The page.  n rates, the oldest first. */
void status_page_write(FILE *out, const struct server_view *view,
		       const struct history_rate *rates, size_t n,
		       const struct status_query *query);

/* What the page refers to, NUL-terminated; see metrics.c for the paths. */
extern const char status_style[];	/* text/css */
extern const char status_script[];	/* text/javascript */
extern const char status_icon[];	/* image/svg+xml */

#endif
