/* SPDX-License-Identifier: MIT */
/* Text and numbers for HTML. */
#include "server/html.h"

#include <inttypes.h>
#include <string.h>

#include "common/human.h"

void html_escape(FILE *out, const char *text)
{
	for (; *text; text++) {
		switch (*text) {
		case '&':
			fputs("&amp;", out);
			break;
		case '<':
			fputs("&lt;", out);
			break;
		case '>':
			fputs("&gt;", out);
			break;
		case '"':
			fputs("&quot;", out);
			break;
		case '\'':
			fputs("&#39;", out);
			break;
		default:
			/* Anything else is text, but for what HTML forbids. */
			putc((unsigned char)*text < ' ' ? ' ' : *text, out);
		}
	}
}

void url_escape(FILE *out, const char *text)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
		"abcdefghijklmnopqrstuvwxyz0123456789-._~";

	for (; *text; text++) {
		if (strchr(plain, *text))
			putc(*text, out);
		else
			fprintf(out, "%%%02X", (unsigned char)*text);
	}
}

/* A table cell with a number and, for machines and sorting, its value. */
void html_number_cell(FILE *out, uint64_t value, const char *text)
{
	fprintf(out, "<td class=\"number\"><data value=\"%" PRIu64
		"\">%s</data></td>", value, text);
}

void html_count_cell(FILE *out, uint64_t n)
{
	char text[HUMAN_LEN];

	html_number_cell(out, n, human_count(n, text));
}

void html_bytes_cell(FILE *out, uint64_t bytes)
{
	char text[HUMAN_LEN];

	html_number_cell(out, bytes, human_bytes(bytes, text));
}
