/* SPDX-License-Identifier: MIT */
/* What the HTTP server for metrics answers to each request. */
#include "server/pages.h"

#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/options.h"
#include "server/history.h"
#include "server/prometheus.h"
#include "server/status_page.h"
#include "server/view.h"

enum { VIEW_AGE_MS = 500 };

static const struct server_view *recent_view(struct pages *p,
					     bool with_clients)
{
	uint64_t now_ms = clock_now_ms();

	if (p->view && now_ms - p->view_ms < VIEW_AGE_MS &&
	    p->has_clients >= with_clients)
		return p->view;
	view_free(p->view);
	p->view = view_new(p->server, with_clients);
	p->view_ms = now_ms;
	p->has_clients = with_clients;
	return p->view;
}

void pages_forget(struct pages *p, uint64_t now_ms)
{
	if (!p->view || now_ms - p->view_ms < VIEW_AGE_MS)
		return;
	view_free(p->view);
	p->view = NULL;
}

static void set_headers(struct MHD_Response *response, const char *type)
{
	static const char *const headers[][2] = {
		{ "Connection", "close" },
		{ "Cache-Control", "no-store" },
		{ "X-Content-Type-Options", "nosniff" },
		{ "Referrer-Policy", "no-referrer" },
		{ "Content-Security-Policy",
		  "default-src 'none'; style-src 'self'; script-src 'self'; "
		  "img-src 'self'; connect-src 'self'; form-action 'self'; "
		  "base-uri 'none'; frame-ancestors 'none'" },
	};
	size_t i;

	MHD_add_response_header(response, "Content-Type", type);
	for (i = 0; i < sizeof(headers) / sizeof(headers[0]); i++)
		MHD_add_response_header(response, headers[i][0],
					headers[i][1]);
}

/* Takes response; NULL ends the connection, as being out of memory does. */
static enum MHD_Result answer(struct MHD_Connection *connection,
			      unsigned int status, const char *type,
			      struct MHD_Response *response)
{
	enum MHD_Result result;

	if (!response)
		return MHD_NO;
	set_headers(response, type);
	if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
		MHD_add_response_header(response, "Allow", "GET, HEAD");
	result = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return result;
}

static enum MHD_Result answer_constant(struct MHD_Connection *connection,
				       unsigned int status, const char *type,
				       const char *text)
{
	return answer(connection, status, type,
		MHD_create_response_from_buffer(strlen(text), (void *)text,
						MHD_RESPMEM_PERSISTENT));
}

static void read_query(struct MHD_Connection *connection,
		       struct status_query *query)
{
	const char *search = MHD_lookup_connection_value(connection,
					MHD_GET_ARGUMENT_KIND, "q");
	const char *page = MHD_lookup_connection_value(connection,
					MHD_GET_ARGUMENT_KIND, "page");
	int64_t number;

	memset(query, 0, sizeof(*query));
	if (search)
		strncpy(query->search, search, sizeof(query->search) - 1);
	query->page = page && option_number(page, 1, UINT32_MAX, &number) ?
		(uint32_t)number : 1;
}

static void write_page(struct pages *p, struct MHD_Connection *connection,
		       const struct server_view *view, FILE *out)
{
	struct status_query query;
	size_t n = history_rates(p->history, p->rates);

	read_query(connection, &query);
	status_page_write(out, view, p->rates, n, &query);
}

static void write_metrics(struct pages *p, struct MHD_Connection *connection,
			  const struct server_view *view, FILE *out)
{
	(void)p;
	(void)connection;
	prometheus_write(out, view);
	prometheus_write_process(out);
}

typedef void write_function(struct pages *p,
			    struct MHD_Connection *connection,
			    const struct server_view *view, FILE *out);

static enum MHD_Result answer_written(struct pages *p,
				      struct MHD_Connection *connection,
				      const char *type, write_function *write,
				      bool with_clients)
{
	const struct server_view *view = recent_view(p, with_clients);
	struct MHD_Response *response;
	char *text = NULL;
	size_t len = 0;
	FILE *out;

	out = view ? open_memstream(&text, &len) : NULL;
	if (!out)
		return MHD_NO;
	write(p, connection, view, out);
	if (fclose(out) != 0) {
		free(text);
		return MHD_NO;
	}
	response = MHD_create_response_from_buffer(len, text,
						   MHD_RESPMEM_MUST_FREE);
	if (!response)
		free(text);
	return answer(connection, MHD_HTTP_OK, type, response);
}

struct route {
	const char *path;
	const char *type;
	const char *text;		/* NULL: write makes it */
	write_function *write;
	bool clients;			/* it looks at each of them */
};

enum MHD_Result pages_answer(struct pages *p, struct MHD_Connection *connection,
			     const char *path, const char *method)
{
	static const struct route routes[] = {
		{ "/", "text/html; charset=utf-8", NULL, write_page,
		  true },
		{ "/metrics", PROMETHEUS_TYPE, NULL, write_metrics, false },
		{ "/status.css", "text/css; charset=utf-8", status_style,
		  NULL, false },
		{ "/status.js", "text/javascript; charset=utf-8",
		  status_script, NULL, false },
		{ "/icon.svg", "image/svg+xml", status_icon, NULL,
		  false },
	};
	static const char plain[] = "text/plain; charset=utf-8";
	size_t i;

	if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 &&
	    strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
		return answer_constant(connection, MHD_HTTP_METHOD_NOT_ALLOWED,
				       plain, "Only GET and HEAD.\n");
	for (i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
		if (strcmp(path, routes[i].path) != 0)
			continue;
		if (!routes[i].write)
			return answer_constant(connection, MHD_HTTP_OK,
					       routes[i].type, routes[i].text);
		return answer_written(p, connection, routes[i].type,
				      routes[i].write, routes[i].clients);
	}
	return answer_constant(connection, MHD_HTTP_NOT_FOUND, plain,
			       "There is / and /metrics.\n");
}
