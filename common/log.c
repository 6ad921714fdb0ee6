/* SPDX-License-Identifier: MIT */
/*
 * Log lines: rate-limited, and written to stderr.
 *
 * Theory of operation: the calling thread composes a line on its own stack;
 * the lock is held only to copy it into the ring.  The writer thread takes
 * note of how many lines stand in the ring, writes them straight from their
 * slots without the lock (producers touch only free slots), and frees each
 * slot when it is written.  A line that found the ring full is counted, and
 * the count is written after the lines that filled it.
 *
 * stderr belongs to others too (a shell, a supervisor), so it is not made
 * non-blocking: each write waits in poll() first and is shorter than PIPE_BUF,
 * which is what a writable pipe takes at least.  log_stop_writer() sets a
 * deadline, at which the thread gives up its lines.  A write that blocks all
 * the same (a dead disk, a stopped terminal) is left to the end of the
 * process: the thread is detached, and from then on lines are thrown away.
 */
#include "common/log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log_line.h"

enum {
	RING_LINES = 1024,
	DIRECT_MS = 1000,	/* that one line may wait without a writer */
	DRAIN_MS = 1000,	/* that log_stop_writer() gives the ring */
	GRACE_MS = 100,		/* on top, for the thread to notice */
	POLL_SLICE_MS = 100,	/* how late a new deadline is seen */
	WRITER_STACK = 128 * 1024,
	PROGRAM_LEN = 32,
};

enum sink {
	SINK_DIRECT,		/* the caller writes */
	SINK_RING,		/* the writer thread runs */
	SINK_NONE,		/* the writer thread is stuck for good */
};

/*
 * [I] set by log_init()  [a] atomic  [l] under lock  [m] main thread only
 * [w] written by the writer thread under lock, read by it without
 */
static struct {
	char program[PROGRAM_LEN];		/* [I] */
	bool journal;				/* [I] */
	_Atomic int level;			/* [a] */
	_Atomic int format;			/* [a] */
	atomic_bool stalled;			/* [a] direct lines give up */
	_Atomic uint64_t stop_deadline_ms;	/* [a] */
	pthread_mutex_t lock;
	pthread_cond_t wake;			/* for the writer */
	pthread_cond_t finished;		/* from the writer */
	pthread_t writer;			/* [m] */
	enum sink sink;				/* [l] */
	bool stopping;				/* [l] */
	uint32_t head;				/* [w] oldest line */
	uint32_t n_lines;			/* [l] */
	uint64_t n_lost;			/* [l] */
} state = {
	.program = "simplevpn",
	.level = LOG_LEVEL_INFO,
	.stop_deadline_ms = UINT64_MAX,
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.wake = PTHREAD_COND_INITIALIZER,
	.sink = SINK_DIRECT,
};

/* By itself, so that the program's file does not hold all its zeroes. */
static struct log_line ring[RING_LINES];	/* [l] the free slots */

/* sd-daemon(3): the journal names its stream in the environment. */
static bool stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	uintmax_t device, inode;
	struct stat st;
	char end;

	if (!stream || fstat(STDERR_FILENO, &st))
		return false;
	if (sscanf(stream, "%ju:%ju%c", &device, &inode, &end) != 2)
		return false;
	return st.st_dev == device && st.st_ino == inode;
}

/*
 * Started with a standard stream closed, the next descriptor would have its
 * number, and a TUN or a client would get the log's lines.
 */
static void fill_standard_streams(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR);
	} while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

void log_init(const char *program, enum log_level level)
{
	fill_standard_streams();
	snprintf(state.program, sizeof(state.program), "%s", program);
	state.journal = stderr_is_journal();
	atomic_store(&state.level, (int)level);
}

void log_set_level(enum log_level level)
{
	atomic_store(&state.level, (int)level);
}

void log_set_format(enum log_format format)
{
	atomic_store(&state.format, (int)format);
}

static bool is_shown(enum log_level level)
{
	return (int)level <= atomic_load_explicit(&state.level,
						  memory_order_relaxed);
}

__attribute__((format(printf, 3, 0)))
static void compose(struct log_line *line, const struct log_record *what,
		    const char *format, va_list args)
{
	enum log_format as = (enum log_format)atomic_load_explicit(
		&state.format, memory_order_relaxed);
	struct log_record record = *what;
	char text[LOG_LINE_LEN];

	if (vsnprintf(text, sizeof(text), format, args) < 0)
		text[0] = '\0';
	record.program = state.program;
	record.journal = state.journal;
	record.message = text;
	if (as == LOG_JSON)
		clock_gettime(CLOCK_REALTIME, &record.time);
	log_line_write(line, as, &record);
}

/* False: nothing can be written before the deadline. */
static bool wait_writable(uint64_t own_deadline_ms)
{
	struct pollfd stream = { .fd = STDERR_FILENO, .events = POLLOUT };
	uint64_t deadline_ms, now_ms, wait_ms;
	int n;

	for (;;) {
		deadline_ms = atomic_load(&state.stop_deadline_ms);
		if (own_deadline_ms < deadline_ms)
			deadline_ms = own_deadline_ms;
		now_ms = clock_now_ms();
		wait_ms = now_ms < deadline_ms ? deadline_ms - now_ms : 0;
		if (wait_ms > POLL_SLICE_MS)
			wait_ms = POLL_SLICE_MS;
		n = poll(&stream, 1, (int)wait_ms);
		/* What is wrong with the stream, write() says and ends it. */
		if (n > 0 || (n < 0 && errno != EINTR))
			return true;
		if (now_ms >= deadline_ms)
			return false;
	}
}

/* False: the deadline passed.  An error is dropped: who could be told? */
static bool write_line(const struct log_line *line, uint64_t deadline_ms)
{
	uint32_t done = 0;
	ssize_t n;

	while (done < line->len) {
		if (!wait_writable(deadline_ms))
			return false;
		n = write(STDERR_FILENO, line->text + done, line->len - done);
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n <= 0)
			return true;
		done += (uint32_t)n;
	}
	return true;
}

static void write_direct(const struct log_line *line)
{
	uint64_t wait_ms = atomic_load(&state.stalled) ? 0 : DIRECT_MS;

	atomic_store(&state.stalled,
		     !write_line(line, clock_now_ms() + wait_ms));
}

static void push_locked(const struct log_line *line)
{
	struct log_line *slot;

	if (state.n_lines == RING_LINES) {
		state.n_lost++;
		return;
	}
	slot = &ring[(state.head + state.n_lines) % RING_LINES];
	slot->len = line->len;
	memcpy(slot->text, line->text, line->len);
	state.n_lines++;
	pthread_cond_signal(&state.wake);
}

static void emit(const struct log_line *line)
{
	enum sink sink;

	pthread_mutex_lock(&state.lock);
	sink = state.sink;
	if (sink == SINK_RING)
		push_locked(line);
	pthread_mutex_unlock(&state.lock);
	if (sink == SINK_DIRECT)
		write_direct(line);
}

__attribute__((format(printf, 2, 3)))
static void compose_own(struct log_line *line, const char *format, ...)
{
	struct log_record record = { .level = LOG_LEVEL_WARNING };
	va_list args;

	va_start(args, format);
	compose(line, &record, format, args);
	va_end(args);
}

static bool write_lost(uint64_t n_lost)
{
	struct log_line line;

	compose_own(&line, "%" PRIu64 " log lines lost", n_lost);
	return write_line(&line, UINT64_MAX);
}

/* Write the oldest n lines.  False: the deadline passed. */
static bool write_lines(uint32_t n)
{
	for (; n > 0; n--) {
		if (!write_line(&ring[state.head], UINT64_MAX))
			return false;
		pthread_mutex_lock(&state.lock);
		state.head = (state.head + 1) % RING_LINES;
		state.n_lines--;
		pthread_mutex_unlock(&state.lock);
	}
	return true;
}

/*
 * Hand the sink back to the callers.  In the same critical section as the last
 * look at the ring, so that no line is left behind in it.
 */
static void finish_locked(bool drained)
{
	state.n_lines = 0;
	state.sink = SINK_DIRECT;
	atomic_store(&state.stalled, !drained);
	pthread_cond_signal(&state.finished);
}

static void *run_writer(void *unused)
{
	uint64_t n_lost;
	uint32_t n;

	(void)unused;
	pthread_mutex_lock(&state.lock);
	for (;;) {
		while (!state.n_lines && !state.n_lost && !state.stopping)
			pthread_cond_wait(&state.wake, &state.lock);
		n = state.n_lines;
		n_lost = state.n_lost;
		state.n_lost = 0;
		if (!n && !n_lost)
			break;
		pthread_mutex_unlock(&state.lock);
		if (!write_lines(n) || (n_lost && !write_lost(n_lost))) {
			pthread_mutex_lock(&state.lock);
			finish_locked(false);
			pthread_mutex_unlock(&state.lock);
			return NULL;
		}
		pthread_mutex_lock(&state.lock);
	}
	finish_locked(true);
	pthread_mutex_unlock(&state.lock);
	return NULL;
}

/* Signals are for the other threads: the writer starts with all blocked. */
static int create_writer(void)
{
	pthread_attr_t attributes;
	sigset_t all, old;
	int err;

	err = pthread_attr_init(&attributes);
	if (err)
		return -err;
	pthread_attr_setstacksize(&attributes, WRITER_STACK);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	err = pthread_create(&state.writer, &attributes, run_writer, NULL);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attributes);
	if (!err)
		pthread_setname_np(state.writer, "log");
	return -err;
}

static int init_finished(void)
{
	pthread_condattr_t attributes;
	int err;

	err = pthread_condattr_init(&attributes);
	if (err)
		return -err;
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	err = pthread_cond_init(&state.finished, &attributes);
	pthread_condattr_destroy(&attributes);
	return -err;
}

int log_start_writer(void)
{
	int err;

	pthread_mutex_lock(&state.lock);
	if (state.sink != SINK_DIRECT) {
		err = -EBUSY;
		goto out;
	}
	err = init_finished();
	if (err)
		goto out;
	state.sink = SINK_RING;
	err = create_writer();
	if (err) {
		state.sink = SINK_DIRECT;
		pthread_cond_destroy(&state.finished);
	}
out:
	pthread_mutex_unlock(&state.lock);
	return err;
}

static struct timespec monotonic_in(uint32_t ms)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_sec += ms / 1000;
	t.tv_nsec += (long)(ms % 1000) * 1000000;
	if (t.tv_nsec >= 1000000000) {
		t.tv_sec++;
		t.tv_nsec -= 1000000000;
	}
	return t;
}

void log_stop_writer(void)
{
	struct timespec limit = monotonic_in(DRAIN_MS + GRACE_MS);
	bool stuck;
	int err = 0;

	pthread_mutex_lock(&state.lock);
	if (state.sink != SINK_RING) {
		pthread_mutex_unlock(&state.lock);
		return;
	}
	atomic_store(&state.stop_deadline_ms, clock_now_ms() + DRAIN_MS);
	state.stopping = true;
	pthread_cond_signal(&state.wake);
	while (state.sink == SINK_RING && !err)
		err = pthread_cond_timedwait(&state.finished, &state.lock,
					     &limit);
	stuck = state.sink == SINK_RING;
	if (stuck)
		state.sink = SINK_NONE;
	pthread_mutex_unlock(&state.lock);
	if (stuck) {
		pthread_detach(state.writer);
		return;
	}
	pthread_join(state.writer, NULL);
	pthread_cond_destroy(&state.finished);
	state.stopping = false;
	atomic_store(&state.stop_deadline_ms, UINT64_MAX);
}

__attribute__((format(printf, 2, 0)))
static void log_one(const struct log_record *record, const char *format,
		    va_list args)
{
	int saved_errno = errno;
	struct log_line line;

	compose(&line, record, format, args);
	emit(&line);
	errno = saved_errno;
}

void log_at(enum log_level level, const char *format, ...)
{
	const struct log_record record = { .level = level };
	va_list args;

	if (!is_shown(level))
		return;
	va_start(args, format);
	log_one(&record, format, args);
	va_end(args);
}

void log_event(enum log_level level, const char *event,
	       const struct log_field *fields, size_t n_fields,
	       const char *format, ...)
{
	const struct log_record record = {
		.level = level, .event = event, .fields = fields,
		.n_fields = n_fields,
	};
	va_list args;

	if (!is_shown(level))
		return;
	va_start(args, format);
	log_one(&record, format, args);
	va_end(args);
}

/*
 * Whether a line may go now.  Threads that meet at the turn of a window may
 * let a line or two more through; none is lost uncounted.
 */
static bool limit_allows(struct log_limit *limit, uint32_t *n_suppressed)
{
	uint64_t window_ms = atomic_load(&limit->window_ms);
	uint64_t now_ms = clock_now_ms();

	if (now_ms - window_ms >= LOG_LIMIT_WINDOW_MS &&
	    atomic_compare_exchange_strong(&limit->window_ms, &window_ms,
					   now_ms))
		atomic_store(&limit->n_logged, 0);
	if (atomic_fetch_add(&limit->n_logged, 1) >= LOG_LIMIT_LINES) {
		atomic_fetch_add(&limit->n_suppressed, 1);
		return false;
	}
	*n_suppressed = atomic_exchange(&limit->n_suppressed, 0);
	return true;
}

void log_limited(struct log_limit *limit, enum log_level level,
		 const char *format, ...)
{
	struct log_record record = { .level = level };
	va_list args;

	if (!is_shown(level) || !limit_allows(limit, &record.n_suppressed))
		return;
	va_start(args, format);
	log_one(&record, format, args);
	va_end(args);
}
