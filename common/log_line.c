/* SPDX-License-Identifier: MIT */
/* One line of the log, as text or as a JSON object. */
#include "common/log_line.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum {
	/* " (4294967295 similar lines suppressed)" and "...\n"; in JSON less */
	TAIL_ROOM = 48,
};

static const char *level_name(enum log_level level)
{
	switch (level) {
	case LOG_LEVEL_ERROR:
		return "error";
	case LOG_LEVEL_WARNING:
		return "warning";
	case LOG_LEVEL_NOTICE:
		return "notice";
	case LOG_LEVEL_INFO:
		return "info";
	case LOG_LEVEL_DEBUG:
		return "debug";
	}
	return "error";
}

/* False, and nothing appended: it would reach where the tail has to begin. */
static bool put_bytes(struct log_line *line, const char *bytes, size_t len)
{
	if (line->len + len > LOG_LINE_LEN - TAIL_ROOM)
		return false;
	memcpy(line->text + line->len, bytes, len);
	line->len += (uint32_t)len;
	return true;
}

__attribute__((format(printf, 2, 3)))
static bool put_format(struct log_line *line, const char *format, ...)
{
	char text[LOG_LINE_LEN];
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	return len >= 0 && (size_t)len < sizeof(text) &&
	       put_bytes(line, text, (size_t)len);
}

/*
 * One byte, escaped where it is not printable ASCII.  What JSON makes of the
 * string is then what the text format shows.
 */
static bool put_byte(struct log_line *line, enum log_format format,
		     unsigned char byte)
{
	char escaped[8];
	int len;

	if (byte < 0x20 || byte > 0x7e)
		len = snprintf(escaped, sizeof(escaped), "%s\\x%02x",
			       format == LOG_JSON ? "\\" : "", byte);
	else if (format == LOG_JSON && (byte == '"' || byte == '\\'))
		len = snprintf(escaped, sizeof(escaped), "\\%c", byte);
	else
		len = snprintf(escaped, sizeof(escaped), "%c", byte);
	return put_bytes(line, escaped, (size_t)len);
}

/* False: it was cut. */
static bool put_text(struct log_line *line, enum log_format format,
		     const char *text)
{
	for (; *text; text++)
		if (!put_byte(line, format, (unsigned char)*text))
			return false;
	return true;
}

/* For what always fits, beyond the place where texts are cut. */
__attribute__((format(printf, 2, 3)))
static void end_line(struct log_line *line, const char *format, ...)
{
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(line->text + line->len, LOG_LINE_LEN - line->len,
			format, args);
	va_end(args);
	line->len += (uint32_t)len;
}

static void write_text(struct log_line *line, const struct log_record *r)
{
	char tail[TAIL_ROOM] = "";
	bool whole;

	/* The journal knows the program's name and shows the level itself. */
	if (!r->journal) {
		put_text(line, LOG_TEXT, r->program);
		put_format(line, ": %s", r->level <= LOG_LEVEL_ERROR ?
			   "error: " : r->level == LOG_LEVEL_WARNING ?
			   "warning: " : "");
	}
	whole = put_text(line, LOG_TEXT, r->message);
	if (r->n_suppressed)
		snprintf(tail, sizeof(tail),
			 " (%" PRIu32 " similar lines suppressed)",
			 r->n_suppressed);
	end_line(line, "%s%s\n", whole ? "" : "...", tail);
}

/* RFC 3339, in UTC. */
static void put_time(struct log_line *line, const struct timespec *time)
{
	struct tm tm;

	gmtime_r(&time->tv_sec, &tm);
	put_format(line, "%04d-%02d-%02dT%02d:%02d:%02d.%03ldZ",
		   tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour,
		   tm.tm_min, tm.tm_sec, time->tv_nsec / 1000000);
}

/* ,"key":"text"; as a whole or not at all. */
static void put_member(struct log_line *line, const char *key,
		       const char *text)
{
	uint32_t before = line->len;

	if (!put_format(line, ",\"%s\":\"", key) ||
	    !put_text(line, LOG_JSON, text) || !put_bytes(line, "\"", 1))
		line->len = before;
}

static void put_field(struct log_line *line, const struct log_field *field)
{
	if (field->text)
		put_member(line, field->key, field->text);
	else
		put_format(line, ",\"%s\":%" PRIu64, field->key,
			   field->number);
}

/* The message comes last, since it is the one that may be cut. */
static void write_json(struct log_line *line, const struct log_record *r)
{
	bool whole;
	size_t i;

	put_format(line, "{\"time\":\"");
	put_time(line, &r->time);
	put_format(line, "\"");
	put_member(line, "level", level_name(r->level));
	put_member(line, "program", r->program);
	if (r->event)
		put_member(line, "event", r->event);
	for (i = 0; i < r->n_fields; i++)
		put_field(line, &r->fields[i]);
	if (r->n_suppressed)
		put_format(line, ",\"suppressed\":%" PRIu32, r->n_suppressed);
	if (!put_format(line, ",\"message\":\"")) {
		end_line(line, "}\n");
		return;
	}
	whole = put_text(line, LOG_JSON, r->message);
	end_line(line, "%s\"}\n", whole ? "" : "...");
}

void log_line_write(struct log_line *line, enum log_format format,
		    const struct log_record *record)
{
	line->len = 0;
	if (record->journal)
		put_format(line, "<%d>", (int)record->level);
	if (format == LOG_JSON)
		write_json(line, record);
	else
		write_text(line, record);
}
