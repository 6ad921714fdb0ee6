/* SPDX-License-Identifier: MIT */
/*
 * The kernel in miniature; fake_io.h has the theory of operation.
 *
 * A task has a stack of its own.  Between tasks the compiler's own setjmp is
 * used, which makes no system call; a stack is entered for the first time by
 * way of makecontext(3), and kept for the next task when its task has ended.
 * Mappings are real, so that their pages read as zeroes when they are new or
 * given back, but a few are kept and used again.
 */
#include "tests/fuzz/fake_io.h"

#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/time.h>
#include <ucontext.h>

#ifndef __has_feature
#define __has_feature(name) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#else
#define ASAN_POISON_MEMORY_REGION(p, len) ((void)(p))
#define ASAN_UNPOISON_MEMORY_REGION(p, len) ((void)(p))
#define __sanitizer_start_switch_fiber(shadow, stack, size) \
	((void)(shadow), (void)(stack), (void)(size))
#define __sanitizer_finish_switch_fiber(shadow, stack, size) \
	((void)(shadow), (void)(stack), (void)(size))
#endif

#ifdef __clang__	/* only the server's coverage guides the fuzzer */
#pragma clang attribute push(__attribute__((no_sanitize("coverage"))), \
	apply_to = function)
#endif

/* This file alone means the real ones. */
#undef aligned_alloc
#undef calloc
#undef free
#undef madvise
#undef malloc
#undef mmap
#undef munmap

enum {
	MAX_TASKS = 24,
	MAX_HELD = 4,		/* locks of one task at a time */
	STACK_SIZE = 256 * 1024,
	MAX_MAPPINGS = FAKE_MAX_FDS,	/* one a connection */
	SPIN_LIMIT = 20000,	/* runs without anything from outside */
	RED_ZONE = 256,		/* behind what was received, bytes */
};

enum state {
	FREE,			/* no thread uses it */
	READY,
	PAUSED,			/* in front of a lock, until fake_resume() */
	IN_LOCK,
	IN_CONDITION,
	IN_RECV,
	IN_EPOLL,
	IN_POLL,
	IN_JOIN,
	ENDED,			/* and not yet joined */
};

struct task {
	enum state state;
	void *(*entry)(void *);
	void *arg;
	const void *waits_for;	/* lock, condition, task */
	int fd;			/* IN_RECV */
	struct pollfd *fds;	/* IN_POLL */
	nfds_t n_fds;
	uint32_t seen;		/* IN_CONDITION: broadcasts before */
	uint64_t deadline_ms;	/* UINT64_MAX: waits for ever */
	uint32_t n_held;	/* locks */
	bool entered;		/* the stack is in use */
	void *jump[5];
	ucontext_t context;
	void *shadow;		/* ASan's */
	uint8_t *stack;
};

/* What pthread_mutex_t and pthread_cond_t are here. */
struct lock {
	struct task *owner;
};

struct condition {
	uint32_t broadcasts;
};

struct mapping {
	void *p;
	size_t len;
	bool used;
};

static struct {
	uint64_t now_ms;
	struct task tasks[MAX_TASKS];
	struct task driver;
	struct task *current;
	uint32_t pause_in;
	const void *main_stack;
	size_t main_stack_size;
	struct fake_fd fds[FAKE_MAX_FDS];
	struct sockaddr_storage backlog[FAKE_MAX_BACKLOG];
	uint32_t n_backlog;
	uint32_t accept_failures;
	int accept_error;
	uint32_t fail_memory, fail_thread, fail_epoll;
	uint32_t n_memory;
	uint32_t random;
	struct mapping mappings[MAX_MAPPINGS];
} k;

static uint8_t inboxes[FAKE_MAX_FDS][FAKE_INBOX_SIZE];

_Static_assert(sizeof(struct lock) <= sizeof(pthread_mutex_t) &&
	       sizeof(struct condition) <= sizeof(pthread_cond_t),
	       "fit in the place of the real ones");

__attribute__((noinline))
static void check(bool right)
{
	if (!right)
		abort();
}

/* ---- Tasks ---- */

/*
 * These three are not instrumented: ASan would take the call that does not
 * return for the end of all that stands on the stack.
 */
__attribute__((no_sanitize("address"), noinline, noreturn))
static void jump(void **to)
{
	__builtin_longjmp(to, 1);
}

__attribute__((no_sanitize("address"), noinline, noreturn))
static void enter(struct task *to)
{
	if (to->entered)
		jump(to->jump);
	to->entered = true;
	setcontext(&to->context);
	abort();
}

__attribute__((no_sanitize("address"), noinline))
static void switch_to(struct task *from, struct task *to)
{
	const void *stack = to == &k.driver ? k.main_stack : to->stack;
	size_t size = to == &k.driver ? k.main_stack_size : STACK_SIZE;

	if (__builtin_setjmp(from->jump) == 0) {
		__sanitizer_start_switch_fiber(&from->shadow, stack, size);
		enter(to);
	}
	__sanitizer_finish_switch_fiber(k.current->shadow, NULL, NULL);
}

static void task_main(void)
{
	const void **stack = &k.main_stack;
	size_t *size = &k.main_stack_size;
	struct task *self;

	__sanitizer_finish_switch_fiber(NULL, stack, size);
	for (;;) {
		self = k.current;
		self->entry(self->arg);
		check(self->n_held == 0);
		self->state = ENDED;
		k.current = &k.driver;
		switch_to(self, &k.driver);
	}
}

static void run_task(struct task *task)
{
	check(k.current == &k.driver);
	task->state = READY;
	k.current = task;
	switch_to(&k.driver, task);
	check(k.current == &k.driver);
}

/* Of a task: give way, and come back when is_runnable() says so. */
static void block(enum state state, const void *waits_for,
		  uint64_t deadline_ms)
{
	struct task *self = k.current;

	check(self != &k.driver);
	self->state = state;
	self->waits_for = waits_for;
	self->deadline_ms = deadline_ms;
	k.current = &k.driver;
	switch_to(self, &k.driver);
}

static bool is_readable(const struct fake_fd *f)
{
	switch (f->kind) {
	case FAKE_SOCKET:
		return f->in_end > f->in_begin || f->receive_error != 0 ||
		       f->peer_closed || f->shut_read;
	case FAKE_EVENT:
		return f->count > 0;
	case FAKE_LISTENER:
		return k.n_backlog > 0;
	case FAKE_TUN:
		return driver_tun_is_readable();
	default:
		return false;
	}
}

static uint32_t epoll_events(const struct fake_fd *f)
{
	uint32_t events = 0;

	if (!f->polled)
		return 0;
	if (f->events & EPOLLIN && is_readable(f))
		events |= EPOLLIN;
	if (f->events & EPOLLOUT && (f->room > 0 || f->send_error))
		events |= EPOLLOUT;
	/* Of a connection that is over both ways, whatever is asked for;
	 * but a one-shot that has been delivered gives nothing. */
	if (f->kind == FAKE_SOCKET && f->events & ~(uint32_t)EPOLLONESHOT &&
	    f->shut_write && f->shut_read)
		events |= EPOLLHUP;
	return events;
}

static bool any_epoll_event(void)
{
	int i;

	for (i = 0; i < FAKE_MAX_FDS; i++)
		if (k.fds[i].polled && epoll_events(&k.fds[i]))
			return true;
	return false;
}

static int poll_now(struct pollfd *fds, nfds_t n)
{
	int n_ready = 0;
	nfds_t i;

	for (i = 0; i < n; i++) {
		check(fds[i].fd >= 0 && fds[i].fd < FAKE_MAX_FDS &&
		      k.fds[fds[i].fd].kind != FAKE_CLOSED);
		fds[i].revents = is_readable(&k.fds[fds[i].fd]) ? POLLIN : 0;
		n_ready += fds[i].revents != 0;
	}
	return n_ready;
}

static bool is_runnable(const struct task *t)
{
	bool due = t->deadline_ms <= k.now_ms;

	switch (t->state) {
	case READY:
		return true;
	case IN_LOCK:
		return ((const struct lock *)t->waits_for)->owner == NULL;
	case IN_CONDITION:
		return due || ((const struct condition *)t->waits_for)->
			      broadcasts != t->seen;
	case IN_RECV:
		return due || is_readable(&k.fds[t->fd]);
	case IN_EPOLL:
		return due || any_epoll_event();
	case IN_POLL:
		return due || poll_now(t->fds, t->n_fds) > 0;
	case IN_JOIN:
		return ((const struct task *)t->waits_for)->state == ENDED;
	default:
		return false;
	}
}

/* One turn for each task that can run.  False: none can. */
static bool run_round(void)
{
	bool any = false;
	int i;

	for (i = 0; i < MAX_TASKS; i++) {
		if (!is_runnable(&k.tasks[i]))
			continue;
		run_task(&k.tasks[i]);
		any = true;
	}
	return any;
}

void fake_run(void)
{
	uint32_t rounds = 0;

	while (run_round())
		check(++rounds < SPIN_LIMIT);
}

void fake_pause_at(uint32_t nth)
{
	k.pause_in = nth;
}

void fake_resume(void)
{
	int i;

	for (i = 0; i < MAX_TASKS; i++)
		if (k.tasks[i].state == PAUSED)
			k.tasks[i].state = READY;
}

bool fake_is_quiet(void)
{
	int i;

	for (i = 0; i < MAX_TASKS; i++)
		if (k.tasks[i].state == PAUSED ||
		    k.tasks[i].state == IN_LOCK ||
		    k.tasks[i].state == IN_CONDITION)
			return false;
	return true;
}

/* Of the driver: run everybody until state holds for what is waited for. */
static void run_until(bool (*done)(const void *what), const void *what)
{
	uint32_t rounds = 0;
	uint64_t next_ms;

	while (!done(what)) {
		check(++rounds < SPIN_LIMIT);
		if (run_round())
			continue;
		fake_resume();
		if (run_round())
			continue;
		next_ms = fake_next_deadline_ms();
		check(next_ms != UINT64_MAX);	/* a deadlock */
		k.now_ms = next_ms > k.now_ms ? next_ms : k.now_ms;
	}
}

static bool has_ended(const void *task)
{
	return ((const struct task *)task)->state == ENDED;
}

static bool is_unlocked(const void *lock)
{
	return ((const struct lock *)lock)->owner == NULL;
}

static void start_stack(struct task *t)
{
	if (t->stack)
		return;
	t->stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	check(t->stack != MAP_FAILED);
	getcontext(&t->context);
	t->context.uc_stack.ss_sp = t->stack;
	t->context.uc_stack.ss_size = STACK_SIZE;
	makecontext(&t->context, task_main, 0);
}

static bool fails(uint32_t *countdown)
{
	return *countdown > 0 && --*countdown == 0;
}

int fake_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
			void *(*entry)(void *), void *arg)
{
	int i = 0;

	(void)attributes;
	if (fails(&k.fail_thread))
		return EAGAIN;
	while (i < MAX_TASKS && k.tasks[i].state != FREE)
		i++;
	if (i == MAX_TASKS)
		return EAGAIN;
	start_stack(&k.tasks[i]);
	k.tasks[i].entry = entry;
	k.tasks[i].arg = arg;
	k.tasks[i].n_held = 0;
	k.tasks[i].state = READY;
	*thread = (pthread_t)i;
	return 0;
}

int fake_pthread_join(pthread_t thread, void **result)
{
	struct task *task = &k.tasks[thread];

	check(thread < MAX_TASKS && task->state != FREE && !result);
	check(k.current->n_held == 0);
	if (k.current == &k.driver)
		run_until(has_ended, task);
	else if (task->state != ENDED)
		block(IN_JOIN, task, UINT64_MAX);
	task->state = FREE;
	return 0;
}

/* ---- Locks and conditions ---- */

int fake_pthread_mutex_init(pthread_mutex_t *m, const pthread_mutexattr_t *a)
{
	(void)a;
	((struct lock *)(void *)m)->owner = NULL;
	return 0;
}

int fake_pthread_mutex_destroy(pthread_mutex_t *m)
{
	check(is_unlocked(m));
	return 0;
}

int fake_pthread_mutex_lock(pthread_mutex_t *m)
{
	struct lock *lock = (struct lock *)(void *)m;

	check(lock->owner != k.current);
	if (k.current == &k.driver)
		run_until(is_unlocked, lock);
	else if (fails(&k.pause_in))
		block(PAUSED, lock, UINT64_MAX);
	while (lock->owner)
		block(IN_LOCK, lock, UINT64_MAX);
	lock->owner = k.current;
	check(++k.current->n_held <= MAX_HELD);
	return 0;
}

int fake_pthread_mutex_unlock(pthread_mutex_t *m)
{
	struct lock *lock = (struct lock *)(void *)m;

	check(lock->owner == k.current && k.current->n_held > 0);
	lock->owner = NULL;
	k.current->n_held--;
	return 0;
}

int fake_pthread_cond_init(pthread_cond_t *c, const pthread_condattr_t *a)
{
	(void)a;
	((struct condition *)(void *)c)->broadcasts = 0;
	return 0;
}

int fake_pthread_cond_destroy(pthread_cond_t *c)
{
	int i;

	for (i = 0; i < MAX_TASKS; i++)
		check(k.tasks[i].state != IN_CONDITION ||
		      k.tasks[i].waits_for != c);
	return 0;
}

int fake_pthread_cond_broadcast(pthread_cond_t *c)
{
	((struct condition *)(void *)c)->broadcasts++;
	return 0;
}

static bool wait_for(pthread_cond_t *c, pthread_mutex_t *m,
		     uint64_t deadline_ms)
{
	struct condition *condition = (struct condition *)(void *)c;
	struct task *self = k.current;

	check(self != &k.driver && self->n_held == 1);
	self->seen = condition->broadcasts;
	fake_pthread_mutex_unlock(m);
	block(IN_CONDITION, condition, deadline_ms);
	fake_pthread_mutex_lock(m);
	return condition->broadcasts != self->seen;
}

int fake_pthread_cond_wait(pthread_cond_t *c, pthread_mutex_t *m)
{
	wait_for(c, m, UINT64_MAX);
	return 0;
}

int fake_pthread_cond_clockwait(pthread_cond_t *c, pthread_mutex_t *m,
				clockid_t clock, const struct timespec *until)
{
	uint64_t ms = (uint64_t)until->tv_sec * 1000 +
		      (uint64_t)until->tv_nsec / 1000000;

	check(clock == CLOCK_MONOTONIC);
	if (k.current == &k.driver)
		return ETIMEDOUT;
	return wait_for(c, m, ms) ? 0 : ETIMEDOUT;
}

/* ---- The clock ---- */

uint64_t fake_now_ms(void)
{
	return k.now_ms;
}

void fake_advance(uint64_t ms)
{
	k.now_ms += ms;
}

uint64_t fake_next_deadline_ms(void)
{
	uint64_t next_ms = UINT64_MAX;
	int i;

	for (i = 0; i < MAX_TASKS; i++)
		if (k.tasks[i].state >= IN_CONDITION &&
		    k.tasks[i].state <= IN_POLL &&
		    k.tasks[i].deadline_ms < next_ms)
			next_ms = k.tasks[i].deadline_ms;
	return next_ms;
}

int fake_clock_gettime(clockid_t clock, struct timespec *now)
{
	(void)clock;
	now->tv_sec = (time_t)(k.now_ms / 1000);
	now->tv_nsec = (long)(k.now_ms % 1000 * 1000000);
	return 0;
}

static uint64_t deadline(int timeout_ms)
{
	return timeout_ms < 0 ? UINT64_MAX : k.now_ms + (uint64_t)timeout_ms;
}

/* ---- Descriptors ---- */

struct fake_fd *fake_get(int fd, enum fake_kind kind)
{
	return fd >= 0 && fd < FAKE_MAX_FDS && k.fds[fd].kind == kind ?
		&k.fds[fd] : NULL;
}

static struct fake_fd *get(int fd, enum fake_kind kind)
{
	struct fake_fd *f = fake_get(fd, kind);

	check(f != NULL);
	return f;
}

int fake_open_fd(enum fake_kind kind)
{
	int fd = 3;

	while (fd < FAKE_MAX_FDS && k.fds[fd].kind != FAKE_CLOSED)
		fd++;
	if (fd == FAKE_MAX_FDS) {
		errno = EMFILE;
		return -1;
	}
	memset(&k.fds[fd], 0, sizeof(k.fds[fd]));
	k.fds[fd].kind = kind;
	return fd;
}

uint32_t fake_n_open(void)
{
	uint32_t n = 0;
	int i;

	for (i = 0; i < FAKE_MAX_FDS; i++)
		n += k.fds[i].kind != FAKE_CLOSED;
	return n;
}

/* What is received ends where it ends: a read beyond it is seen. */
static void fence(struct fake_fd *f, uint8_t *begin, const uint8_t *end)
{
	begin += -(uintptr_t)begin % 8;
	if (begin + RED_ZONE > end)
		return;
	ASAN_POISON_MEMORY_REGION(begin, RED_ZONE);
	f->fence = begin;
}

static void unfence(struct fake_fd *f)
{
	if (f->fence)
		ASAN_UNPOISON_MEMORY_REGION(f->fence, RED_ZONE);
	f->fence = NULL;
}

int fake_close(int fd)
{
	check(fd >= 3 && fd < FAKE_MAX_FDS && k.fds[fd].kind != FAKE_CLOSED);
	/* What epoll still knows, a thread may just be told of. */
	check(!k.fds[fd].polled || k.current == &k.driver);
	k.fds[fd].polled = false;
	unfence(&k.fds[fd]);
	k.fds[fd].kind = FAKE_CLOSED;
	return 0;
}

int fake_open(const char *path, int flags, ...)
{
	(void)path;
	(void)flags;
	return fake_open_fd(FAKE_FILE);
}

int fake_eventfd(unsigned int count, int flags)
{
	int fd = fake_open_fd(FAKE_EVENT);

	(void)flags;
	if (fd >= 0)
		k.fds[fd].count = count;
	return fd;
}

int fake_eventfd_read(int fd, eventfd_t *count)
{
	struct fake_fd *f = get(fd, FAKE_EVENT);

	*count = f->count;
	f->count = 0;
	return *count > 0 ? 0 : -1;
}

int fake_eventfd_write(int fd, eventfd_t count)
{
	get(fd, FAKE_EVENT)->count += count;
	return 0;
}

int fake_poll(struct pollfd *fds, nfds_t n, int timeout_ms)
{
	int n_ready;

	check(k.current->n_held == 0 && k.current != &k.driver);
	n_ready = poll_now(fds, n);
	if (n_ready > 0 || timeout_ms == 0)
		return n_ready;
	k.current->fds = fds;
	k.current->n_fds = n;
	block(IN_POLL, NULL, deadline(timeout_ms));
	return poll_now(fds, n);
}

int fake_epoll_create1(int flags)
{
	(void)flags;
	return fake_open_fd(FAKE_EPOLL);
}

int fake_epoll_ctl(int epoll_fd, int op, int fd, struct epoll_event *event)
{
	struct fake_fd *f;

	get(epoll_fd, FAKE_EPOLL);
	check(fd >= 3 && fd < FAKE_MAX_FDS && k.fds[fd].kind != FAKE_CLOSED);
	f = &k.fds[fd];
	if (op == EPOLL_CTL_ADD && fails(&k.fail_epoll)) {
		errno = ENOSPC;
		return -1;
	}
	check(f->polled == (op != EPOLL_CTL_ADD));
	f->polled = op != EPOLL_CTL_DEL;
	if (f->polled) {
		f->events = event->events;
		f->data = event->data.ptr;
	}
	return 0;
}

static int take_epoll_events(struct epoll_event *events, int max)
{
	uint32_t found;
	int i, n = 0;

	for (i = 0; i < FAKE_MAX_FDS && n < max; i++) {
		found = epoll_events(&k.fds[i]);
		if (!found)
			continue;
		events[n].events = found;
		events[n++].data.ptr = k.fds[i].data;
		if (k.fds[i].events & EPOLLONESHOT)
			k.fds[i].events = EPOLLONESHOT;
	}
	return n;
}

int fake_epoll_wait(int epoll_fd, struct epoll_event *events, int max,
		    int timeout_ms)
{
	get(epoll_fd, FAKE_EPOLL);
	check(k.current->n_held == 0 && k.current != &k.driver);
	if (!any_epoll_event())
		block(IN_EPOLL, NULL, deadline(timeout_ms));
	return take_epoll_events(events, max);
}

/* ---- Sockets ---- */

bool fake_connect(const struct sockaddr_storage *peer)
{
	if (k.n_backlog == FAKE_MAX_BACKLOG)
		return false;
	k.backlog[k.n_backlog++] = *peer;
	return true;
}

void fake_fail_accept(uint32_t n, int error)
{
	k.accept_failures = n;
	k.accept_error = error;
}

int fake_accept4(int fd, struct sockaddr *peer, socklen_t *len, int flags)
{
	(void)flags;
	get(fd, FAKE_LISTENER);
	if (k.n_backlog == 0) {
		errno = EAGAIN;
		return -1;
	}
	if (k.accept_failures > 0) {
		k.accept_failures--;
		errno = k.accept_error;
		return -1;
	}
	fd = fake_open_fd(FAKE_SOCKET);
	if (fd < 0)
		return -1;
	if (peer) {
		check(*len >= sizeof(k.backlog[0]));
		memcpy(peer, &k.backlog[0], sizeof(k.backlog[0]));
	}
	driver_accepted(fd);
	memmove(k.backlog, k.backlog + 1,
		--k.n_backlog * sizeof(k.backlog[0]));
	return fd;
}

uint8_t *fake_receive(struct fake_fd *f, size_t len)
{
	uint8_t *inbox = inboxes[f - k.fds];

	if (f->peer_closed)
		return NULL;
	if (f->in_begin == f->in_end)
		f->in_begin = f->in_end = 0;
	if (len > FAKE_INBOX_SIZE - f->in_end)
		return NULL;
	f->in_end += len;
	return inbox + f->in_end - len;
}

static ssize_t take_bytes(int fd, uint8_t *buf, size_t len)
{
	struct fake_fd *f = &k.fds[fd];
	size_t n = f->in_end - f->in_begin;

	if (n > len)
		n = len;
	memcpy(buf, inboxes[fd] + f->in_begin, n);
	f->in_begin += n;
	fence(f, buf + n, buf + len);
	driver_heard(fd, n);
	return (ssize_t)n;
}

ssize_t fake_recv(int fd, void *buf, size_t len, int flags)
{
	struct fake_fd *f = get(fd, FAKE_SOCKET);
	uint64_t until_ms = f->timeout_ms ? k.now_ms + f->timeout_ms :
		UINT64_MAX;

	check(k.current->n_held == 0 && len > 0);
	if (!is_readable(f) && !(flags & MSG_DONTWAIT)) {
		k.current->fd = fd;
		block(IN_RECV, NULL, until_ms);
	}
	if (f->receive_error) {
		errno = f->receive_error;
		f->receive_error = 0;
		return -1;
	}
	unfence(f);
	if (f->in_end > f->in_begin)
		return take_bytes(fd, buf, len);
	if (f->peer_closed || f->shut_read)
		return 0;
	errno = EAGAIN;
	return -1;
}

ssize_t fake_sendmsg(int fd, const struct msghdr *message, int flags)
{
	struct fake_fd *f = get(fd, FAKE_SOCKET);
	size_t i, n, sent = 0;

	check((flags & MSG_DONTWAIT) && (flags & MSG_NOSIGNAL));
	check(message->msg_iovlen <= 1024);
	if (f->shut_write || f->send_error) {
		errno = f->shut_write ? EPIPE : f->send_error;
		f->send_error = 0;
		return -1;
	}
	for (i = 0; i < message->msg_iovlen && f->room > 0; i++) {
		n = message->msg_iov[i].iov_len;
		check(n > 0);
		if (n > f->room)
			n = f->room;
		driver_sent(fd, message->msg_iov[i].iov_base, n);
		f->room -= n;
		sent += n;
	}
	if (sent > 0)
		return (ssize_t)sent;
	errno = EAGAIN;
	return -1;
}

int fake_shutdown(int fd, int how)
{
	struct fake_fd *f = get(fd, FAKE_SOCKET);

	f->shut_read |= how != SHUT_WR;
	f->shut_write |= how != SHUT_RD;
	return 0;
}

int fake_setsockopt(int fd, int level, int name, const void *value,
		    socklen_t len)
{
	const struct timeval *tv = value;
	struct fake_fd *f = get(fd, FAKE_SOCKET);

	if (level == SOL_SOCKET && name == SO_RCVTIMEO) {
		check(len == sizeof(*tv));
		f->timeout_ms = (uint32_t)(tv->tv_sec * 1000 +
					   tv->tv_usec / 1000);
		check(f->timeout_ms > 0);	/* 0 would be for ever */
	}
	return 0;
}

int fake_getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
	const struct fake_fd *f = get(fd, FAKE_SOCKET);
	struct tcp_info *info = value;

	check(level == IPPROTO_TCP && name == TCP_INFO &&
	      *len >= sizeof(*info));
	memset(info, 0, sizeof(*info));
	info->tcpi_state = f->peer_closed ? TCP_CLOSE_WAIT :
		f->shut_write ? TCP_FIN_WAIT1 : TCP_ESTABLISHED;
	return 0;
}

int fake_ioctl(int fd, unsigned long request, ...)
{
	struct fake_fd *f = get(fd, FAKE_SOCKET);
	va_list args;

	check(request == SIOCOUTQ);
	va_start(args, request);
	*va_arg(args, int *) = f->unsent;
	va_end(args);
	driver_asked_unsent(fd, f->unsent);
	return 0;
}

/* ---- Memory ---- */

void fake_fail_memory(uint32_t nth)
{
	k.fail_memory = nth;
}

void fake_fail_thread(uint32_t nth)
{
	k.fail_thread = nth;
}

void fake_fail_epoll(uint32_t nth)
{
	k.fail_epoll = nth;
}

uint32_t fake_n_memory(void)
{
	return k.n_memory;
}

static void *count_memory(void *p)
{
	k.n_memory += p != NULL;
	return p;
}

void *fake_malloc(size_t size)
{
	return fails(&k.fail_memory) ? NULL : count_memory(malloc(size));
}

void *fake_calloc(size_t n, size_t size)
{
	return fails(&k.fail_memory) ? NULL : count_memory(calloc(n, size));
}

void *fake_aligned_alloc(size_t alignment, size_t size)
{
	return fails(&k.fail_memory) ? NULL :
		count_memory(aligned_alloc(alignment, size));
}

void fake_free(void *p)
{
	k.n_memory -= p != NULL;
	free(p);
}

void *fake_mmap(void *where, size_t len, int protection, int flags, int fd,
		off_t offset)
{
	struct mapping *m = k.mappings;

	check(!where && fd == -1 && offset == 0);
	if (fails(&k.fail_memory)) {
		errno = ENOMEM;
		return MAP_FAILED;
	}
	while (m->p && (m->used || m->len != len))
		check(++m < k.mappings + MAX_MAPPINGS);
	if (!m->p) {
		m->p = mmap(NULL, len, protection, flags, fd, offset);
		check(m->p != MAP_FAILED);
		m->len = len;
	}
	m->used = true;
	k.n_memory++;
	return m->p;
}

int fake_munmap(void *p, size_t len)
{
	struct mapping *m = k.mappings;

	while (m->p != p)
		check(++m < k.mappings + MAX_MAPPINGS);
	check(m->used && m->len == len);
	madvise(p, len, MADV_DONTNEED);
	m->used = false;
	k.n_memory--;
	return 0;
}

int fake_madvise(void *p, size_t len, int advice)
{
	return madvise(p, len, advice);
}

/* xorshift32 (Marsaglia 2003). */
ssize_t fake_getrandom(void *buf, size_t len, unsigned int flags)
{
	uint8_t *out = buf;
	size_t i;

	(void)flags;
	for (i = 0; i < len; i++) {
		k.random ^= k.random << 13;
		k.random ^= k.random >> 17;
		k.random ^= k.random << 5;
		out[i] = (uint8_t)(k.random >> 24);
	}
	return (ssize_t)len;
}

bool fake_works(void)
{
#if defined(__SANITIZE_THREAD__) || __has_feature(thread_sanitizer)
	return false;
#else
	return true;
#endif
}

void fake_reset(uint64_t now_ms)
{
	int i;

	for (i = 0; i < MAX_TASKS; i++)
		check(k.tasks[i].state == FREE);
	check(fake_n_open() == 0);
	k.now_ms = now_ms;
	k.current = &k.driver;
	k.pause_in = 0;
	k.n_backlog = 0;
	k.accept_failures = 0;
	k.fail_memory = k.fail_thread = k.fail_epoll = 0;
	k.driver.entered = true;
	k.random = 1;
}

#ifdef __clang__
#pragma clang attribute pop
#endif
