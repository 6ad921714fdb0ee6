/* SPDX-License-Identifier: MIT */
/*
 * Log lines to stderr, with levels, as text or JSON.  When stderr is the
 * journal, each line carries its priority as sd-daemon(3) says, and text no
 * time of its own.
 *
 * Theory of operation: before log_start_writer() a line is written at once.
 * After it, a line goes to a bounded ring, and one thread writes it out, so
 * that a stalled pipe or a full disk never blocks a thread that moves packets;
 * what does not fit the ring is counted, and the count is logged.  Every byte
 * that is not printable ASCII leaves escaped as \xNN, so that nothing a peer
 * says can forge a line or move a terminal's cursor.
 *
 * Any thread may call unless a function says otherwise.  errno is kept.
 */
#ifndef COMMON_LOG_H
#define COMMON_LOG_H

#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/* Values are those of syslog(3). */
enum log_level {
	LOG_LEVEL_ERROR = 3,
	LOG_LEVEL_WARNING = 4,
	LOG_LEVEL_NOTICE = 5,
	LOG_LEVEL_INFO = 6,
	LOG_LEVEL_DEBUG = 7,
};

enum log_format {
	LOG_TEXT,		/* "program: message" */
	LOG_JSON,		/* an object a line; docs: srv(8) */
};

/* A fact of an event, for machines. */
struct log_field {
	const char *key;	/* letters and _ */
	const char *text;	/* NULL: it is a number */
	uint64_t number;
};

/* One per call site that an outsider can make log; zero-initialised. */
struct log_limit {
	_Atomic uint64_t window_ms;	/* start of the current window */
	_Atomic uint32_t n_logged;	/* in it */
	_Atomic uint32_t n_suppressed;
};

enum {
	LOG_LIMIT_WINDOW_MS = 10000,
	LOG_LIMIT_LINES = 5,		/* a window and call site */
};

/*
 * Before any other thread and descriptor: the program's name and the highest
 * level shown.  Standard streams that are closed become /dev/null.
 */
void log_init(const char *program, enum log_level level);

/* At any time. */
void log_set_level(enum log_level level);
void log_set_format(enum log_format format);

/* Start, or drain and end, the writer thread.  0 or -errno.  Main thread. */
int log_start_writer(void);
void log_stop_writer(void);

void log_at(enum log_level level, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * The same for something that machines follow.  In JSON the event and its
 * fields are members of their own; the text has to say it all by itself.
 */
void log_event(enum log_level level, const char *event,
	       const struct log_field *fields, size_t n_fields,
	       const char *format, ...)
	__attribute__((format(printf, 5, 6)));

/*
 * The same as log_at(), at most LOG_LIMIT_LINES a window; says how many it
 * suppressed.
 */
void log_limited(struct log_limit *limit, enum log_level level,
		 const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#define log_error(...) log_at(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_at(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_notice(...) log_at(LOG_LEVEL_NOTICE, __VA_ARGS__)
#define log_info(...) log_at(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_at(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
