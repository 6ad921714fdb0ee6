/* SPDX-License-Identifier: MIT */
/* Strings of a JSON text (RFC 8259).  Any thread. */
#ifndef COMMON_JSON_H
#define COMMON_JSON_H

#include <stdio.h>

/* "text" in quotes; every byte that is not printable ASCII as \u00NN. */
void json_string(FILE *out, const char *text);

/* The same, or null where text is empty. */
void json_string_or_null(FILE *out, const char *text);

#endif
