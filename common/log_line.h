/* SPDX-License-Identifier: MIT */
/*
 * One line of the log, as text or as a JSON object, in a buffer of fixed size.
 * For common/log.c.  Any thread; nothing here blocks.
 */
#ifndef COMMON_LOG_LINE_H
#define COMMON_LOG_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "common/log.h"

enum { LOG_LINE_LEN = 512 };

struct log_line {
	uint32_t len;
	char text[LOG_LINE_LEN];	/* ends with a newline */
};

/* What a line is made of. */
struct log_record {
	const char *program;
	enum log_level level;
	bool journal;		/* the level as sd-daemon(3) has it */
	struct timespec time;	/* CLOCK_REALTIME; JSON alone */
	const char *event;	/* NULL: none; JSON alone, as the fields */
	const struct log_field *fields;
	size_t n_fields;
	uint32_t n_suppressed;	/* lines of the kind since the last one */
	const char *message;
};

/* Too long a message is cut, and ends with "..." then. */
void log_line_write(struct log_line *line, enum log_format format,
		    const struct log_record *record);

#endif
