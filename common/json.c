/* SPDX-License-Identifier: MIT */
/* Strings of a JSON text. */
#include "common/json.h"

void json_string(FILE *out, const char *text)
{
	unsigned char byte;

	fputc('"', out);
	for (; *text; text++) {
		byte = (unsigned char)*text;
		if (byte == '"' || byte == '\\')
			fprintf(out, "\\%c", byte);
		else if (byte < 0x20 || byte > 0x7e)
			fprintf(out, "\\u%04x", byte);
		else
			fputc(byte, out);
	}
	fputc('"', out);
}

void json_string_or_null(FILE *out, const char *text)
{
	if (*text)
		json_string(out, text);
	else
		fputs("null", out);
}
