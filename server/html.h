/* SPDX-License-Identifier: MIT */
/* Text and numbers for HTML.  Any thread; nothing blocks but out. */
#ifndef SERVER_HTML_H
#define SERVER_HTML_H

#include <stdint.h>
#include <stdio.h>

/* For text and for attribute values in quotes. */
void html_escape(FILE *out, const char *text);

/* For the value of a parameter in a URL. */
void url_escape(FILE *out, const char *text);

/* A table's cell with a number: text, which needs no escaping, for a person
 * and value for programs. */
void html_number_cell(FILE *out, uint64_t value, const char *text);
void html_count_cell(FILE *out, uint64_t n);
void html_bytes_cell(FILE *out, uint64_t bytes);

#endif
