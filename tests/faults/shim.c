/* SPDX-License-Identifier: MIT */
/*
 * A library to be preloaded (LD_PRELOAD) that makes system and library calls
 * fail in ways that are rare but allowed.
 *
 * Theory of operation: each wrapped function hides the one of the same name in
 * the libraries behind it, and calls that when it does not fail.  What happens
 * is set in the environment; without any of these it does nothing.
 *
 *	FAULT_IO=1	reads and writes on stream sockets are short or
 *			interrupted, non-blocking ones also return EAGAIN; waits
 *			are interrupted
 *	FAULT_SEED=N	seeds the random numbers behind that (1)
 *	FAULT_CALL=NAME	that function fails ...
 *	FAULT_AT=K	... in its Kth call, counted from 1
 *	FAULT_FOLLOW=N	... and in the N calls that follow (0)
 *	FAULT_CLOCK=1	the time of day is off by up to a day, each time anew
 *	FAULT_LOG=FILE	a line is added for the first call that was made to
 *			fail, and one for the number of calls at the exit
 *
 * Counting starts when the program has been loaded, so the loader's own calls
 * are not counted.  Datagram and netlink sockets are left alone: a short read
 * there would lose data, which no kernel does to a caller with a large enough
 * buffer.  Calls that the C library makes of its own functions internally are
 * not seen.  There is no lock; counters are atomic.
 */
#undef _FORTIFY_SOURCE		/* its inline functions have the same names */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pthread.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum {
	ONE_IN = 8,		/* so often a call is interrupted */
	TINY = 40,		/* bytes: cuts within a header are likely */
	SHORT_IOV = 64,		/* threads have small stacks */
	DAY_S = 86400,
};

/* The functions that FAULT_CALL can name. */
enum call {
	CALL_MALLOC,
	CALL_CALLOC,
	CALL_REALLOC,
	CALL_ALIGNED_ALLOC,
	CALL_MMAP,
	CALL_MADVISE,
	CALL_PTHREAD_CREATE,
	CALL_SOCKET,
	CALL_BIND,
	CALL_LISTEN,
	CALL_SETSOCKOPT,
	CALL_ACCEPT4,
	CALL_EPOLL_CREATE1,
	CALL_EPOLL_CTL,
	CALL_EVENTFD,
	CALL_OPEN,
	CALL_IOCTL,
	N_CALLS
};

static const struct {
	const char *name;
	int error;
} calls[N_CALLS] = {
	[CALL_MALLOC] = { "malloc", ENOMEM },
	[CALL_CALLOC] = { "calloc", ENOMEM },
	[CALL_REALLOC] = { "realloc", ENOMEM },
	[CALL_ALIGNED_ALLOC] = { "aligned_alloc", ENOMEM },
	[CALL_MMAP] = { "mmap", ENOMEM },
	[CALL_MADVISE] = { "madvise", EAGAIN },
	[CALL_PTHREAD_CREATE] = { "pthread_create", EAGAIN },
	[CALL_SOCKET] = { "socket", EMFILE },
	[CALL_BIND] = { "bind", EADDRINUSE },
	[CALL_LISTEN] = { "listen", EADDRINUSE },
	[CALL_SETSOCKOPT] = { "setsockopt", ENOMEM },
	[CALL_ACCEPT4] = { "accept4", EMFILE },
	[CALL_EPOLL_CREATE1] = { "epoll_create1", EMFILE },
	[CALL_EPOLL_CTL] = { "epoll_ctl", ENOSPC },
	[CALL_EVENTFD] = { "eventfd", EMFILE },
	[CALL_OPEN] = { "open", EMFILE },
	[CALL_IOCTL] = { "ioctl", ENOMEM },
};

static struct {
	bool io, clock;
	enum call call;		/* N_CALLS: none */
	uint64_t at, follow;
	const char *log;
	_Atomic uint64_t n;	/* calls of that function so far */
	_Atomic uint64_t random;
} fault = { .call = N_CALLS };

/* This thread's calls are neither counted nor made to fail. */
static _Thread_local bool exempt __attribute__((tls_model("initial-exec")));

/* The functions behind the wrappers. */
static void *(*next_malloc)(size_t);
static void *(*next_calloc)(size_t, size_t);
static void *(*next_realloc)(void *, size_t);
static void *(*next_aligned_alloc)(size_t, size_t);
static void *(*next_mmap)(void *, size_t, int, int, int, off_t);
static int (*next_madvise)(void *, size_t, int);
static int (*next_pthread_create)(pthread_t *, const pthread_attr_t *,
				  void *(*)(void *), void *);
static int (*next_pthread_getattr_np)(pthread_t, pthread_attr_t *);
static struct passwd *(*next_getpwnam)(const char *);
static struct passwd *(*next_getpwuid)(uid_t);
static struct group *(*next_getgrnam)(const char *);
static int (*next_initgroups)(const char *, gid_t);
static int (*next_socket)(int, int, int);
static int (*next_bind)(int, const struct sockaddr *, socklen_t);
static int (*next_listen)(int, int);
static int (*next_setsockopt)(int, int, int, const void *, socklen_t);
static int (*next_accept4)(int, struct sockaddr *, socklen_t *, int);
static int (*next_epoll_create1)(int);
static int (*next_epoll_ctl)(int, int, int, struct epoll_event *);
static int (*next_epoll_wait)(int, struct epoll_event *, int, int);
static int (*next_eventfd)(unsigned int, int);
static int (*next_open)(const char *, int, ...);
static int (*next_ioctl)(int, unsigned long, ...);
static int (*next_poll)(struct pollfd *, nfds_t, int);
static ssize_t (*next_read)(int, void *, size_t);
static ssize_t (*next_write)(int, const void *, size_t);
static ssize_t (*next_recv)(int, void *, size_t, int);
static ssize_t (*next_send)(int, const void *, size_t, int);
static ssize_t (*next_recvmsg)(int, struct msghdr *, int);
static ssize_t (*next_sendmsg)(int, const struct msghdr *, int);
static int (*next_clock_gettime)(clockid_t, struct timespec *);

static const struct {
	const char *name;
	void *slot;		/* of a pointer to the function */
} symbols[] = {
	{ "malloc", &next_malloc },
	{ "calloc", &next_calloc },
	{ "realloc", &next_realloc },
	{ "aligned_alloc", &next_aligned_alloc },
	{ "mmap", &next_mmap },
	{ "madvise", &next_madvise },
	{ "pthread_create", &next_pthread_create },
	{ "pthread_getattr_np", &next_pthread_getattr_np },
	{ "getpwnam", &next_getpwnam },
	{ "getpwuid", &next_getpwuid },
	{ "getgrnam", &next_getgrnam },
	{ "initgroups", &next_initgroups },
	{ "socket", &next_socket },
	{ "bind", &next_bind },
	{ "listen", &next_listen },
	{ "setsockopt", &next_setsockopt },
	{ "accept4", &next_accept4 },
	{ "epoll_create1", &next_epoll_create1 },
	{ "epoll_ctl", &next_epoll_ctl },
	{ "epoll_wait", &next_epoll_wait },
	{ "eventfd", &next_eventfd },
	{ "open", &next_open },
	{ "ioctl", &next_ioctl },
	{ "poll", &next_poll },
	{ "read", &next_read },
	{ "write", &next_write },
	{ "recv", &next_recv },
	{ "send", &next_send },
	{ "recvmsg", &next_recvmsg },
	{ "sendmsg", &next_sendmsg },
	{ "clock_gettime", &next_clock_gettime },
};

enum { N_SYMBOLS = sizeof(symbols) / sizeof(symbols[0]) };

/*
 * The first call comes long before there is a second thread.  If dlsym() wants
 * memory itself, the allocators below have none for it, which it survives.
 */
static void find_symbols(void)
{
	static bool found;
	void *symbol;
	size_t i;

	if (found)
		return;
	found = true;
	for (i = 0; i < N_SYMBOLS; i++) {
		symbol = dlsym(RTLD_NEXT, symbols[i].name);
		memcpy(symbols[i].slot, &symbol, sizeof(symbol));
	}
}

/* Without stdio, which allocates. */
static void note(const char *what, uint64_t n, const char *behind)
{
	char text[100];
	long fd;
	int len;

	if (!fault.log)
		return;
	len = snprintf(text, sizeof(text), "%s %llu %s\n", what,
		       (unsigned long long)n, behind);
	fd = syscall(SYS_openat, AT_FDCWD, fault.log,
		     O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
	if (fd < 0)
		return;
	if (syscall(SYS_write, fd, text, (size_t)len) < 0)
		errno = 0;	/* there is nobody to be told */
	syscall(SYS_close, fd);
}

static uint64_t number(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 10) : otherwise;
}

__attribute__((constructor))
static void begin(void)
{
	const char *name = getenv("FAULT_CALL");
	enum call call;

	find_symbols();
	fault.io = number("FAULT_IO", 0) != 0;
	fault.clock = number("FAULT_CLOCK", 0) != 0;
	fault.random = number("FAULT_SEED", 1) << 32;
	fault.at = number("FAULT_AT", UINT64_MAX);
	fault.follow = number("FAULT_FOLLOW", 0);
	fault.log = getenv("FAULT_LOG");
	for (call = 0; name && call < N_CALLS; call++)
		if (strcmp(calls[call].name, name) == 0)
			fault.call = call;
	if (name && fault.call == N_CALLS) {
		fprintf(stderr, "shim: no function %s\n", name);
		abort();
	}
}

__attribute__((destructor))
static void end(void)
{
	if (fault.call != N_CALLS)
		note(calls[fault.call].name, fault.n, "calls");
}

/* Whether this call is one of those to fail; errno is set then. */
static bool fails(enum call call)
{
	uint64_t n;

	find_symbols();
	if (call != fault.call || exempt)
		return false;
	n = atomic_fetch_add(&fault.n, 1) + 1;
	if (n < fault.at || n - fault.at > fault.follow)
		return false;
	if (n == fault.at)
		note(calls[call].name, n, "failed");
	errno = calls[call].error;
	return true;
}

/* splitmix64 (Steele, Lea and Flood 2014): any thread, no lock. */
static uint64_t next_random(void)
{
	uint64_t z = atomic_fetch_add(&fault.random, 0x9e3779b97f4a7c15U);

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9U;
	z = (z ^ z >> 27) * 0x94d049bb133111ebU;
	return z ^ z >> 31;
}

static bool chance(void)
{
	return next_random() % ONE_IN == 0;
}

/* --- memory --- */

void *malloc(size_t size)
{
	return fails(CALL_MALLOC) || !next_malloc ? NULL : next_malloc(size);
}

void *calloc(size_t n, size_t size)
{
	return fails(CALL_CALLOC) || !next_calloc ? NULL :
	       next_calloc(n, size);
}

void *realloc(void *memory, size_t size)
{
	return fails(CALL_REALLOC) || !next_realloc ? NULL :
	       next_realloc(memory, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
	return fails(CALL_ALIGNED_ALLOC) ? NULL :
	       next_aligned_alloc(alignment, size);
}

void *mmap(void *address, size_t len, int protection, int flags, int fd,
	   off_t offset)
{
	return fails(CALL_MMAP) ? MAP_FAILED :
	       next_mmap(address, len, protection, flags, fd, offset);
}

int madvise(void *address, size_t len, int advice)
{
	return fails(CALL_MADVISE) ? -1 : next_madvise(address, len, advice);
}

/* --- threads and descriptors --- */

int pthread_create(pthread_t *restrict thread,
		   const pthread_attr_t *restrict attributes,
		   void *(*run)(void *), void *restrict argument)
{
	return fails(CALL_PTHREAD_CREATE) ? EAGAIN :
	       next_pthread_create(thread, attributes, run, argument);
}

/*
 * Sanitizers call it at the start of each thread, and abort if it has no
 * memory: that would say nothing about the program.
 */
int pthread_getattr_np(pthread_t thread, pthread_attr_t *attributes)
{
	int result;

	find_symbols();
	exempt = true;
	result = next_pthread_getattr_np(thread, attributes);
	exempt = false;
	return result;
}

/*
 * Users and groups: glibc 2.36 crashes in the first of these look-ups if it has
 * no memory (nss_database.c: a null pointer at line 402, an assertion at 291),
 * whichever program calls it.
 */
struct passwd *getpwnam(const char *name)
{
	struct passwd *entry;

	find_symbols();
	exempt = true;
	entry = next_getpwnam(name);
	exempt = false;
	return entry;
}

struct passwd *getpwuid(uid_t uid)
{
	struct passwd *entry;

	find_symbols();
	exempt = true;
	entry = next_getpwuid(uid);
	exempt = false;
	return entry;
}

struct group *getgrnam(const char *name)
{
	struct group *entry;

	find_symbols();
	exempt = true;
	entry = next_getgrnam(name);
	exempt = false;
	return entry;
}

int initgroups(const char *user, gid_t group)
{
	int result;

	find_symbols();
	exempt = true;
	result = next_initgroups(user, group);
	exempt = false;
	return result;
}

int socket(int domain, int type, int protocol)
{
	return fails(CALL_SOCKET) ? -1 : next_socket(domain, type, protocol);
}

/* With _GNU_SOURCE, addresses are unions of all kinds of pointer. */
int bind(int fd, __CONST_SOCKADDR_ARG address, socklen_t len)
{
	return fails(CALL_BIND) ? -1 :
	       next_bind(fd, address.__sockaddr__, len);
}

int listen(int fd, int backlog)
{
	return fails(CALL_LISTEN) ? -1 : next_listen(fd, backlog);
}

int setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
	return fails(CALL_SETSOCKOPT) ? -1 :
	       next_setsockopt(fd, level, name, value, len);
}

int accept4(int fd, __SOCKADDR_ARG address, socklen_t *restrict len, int flags)
{
	if (fault.io && chance()) {
		errno = EINTR;
		return -1;
	}
	return fails(CALL_ACCEPT4) ? -1 :
	       next_accept4(fd, address.__sockaddr__, len, flags);
}

int epoll_create1(int flags)
{
	return fails(CALL_EPOLL_CREATE1) ? -1 : next_epoll_create1(flags);
}

int epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event)
{
	return fails(CALL_EPOLL_CTL) ? -1 :
	       next_epoll_ctl(epoll, operation, fd, event);
}

int eventfd(unsigned int value, int flags)
{
	return fails(CALL_EVENTFD) ? -1 : next_eventfd(value, flags);
}

int open(const char *path, int flags, ...)
{
	mode_t mode = 0;
	va_list args;

	if ((flags & O_CREAT) != 0) {
		va_start(args, flags);
		mode = va_arg(args, mode_t);
		va_end(args);
	}
	return fails(CALL_OPEN) ? -1 : next_open(path, flags, mode);
}

int ioctl(int fd, unsigned long request, ...)
{
	void *argument;
	va_list args;

	va_start(args, request);
	argument = va_arg(args, void *);
	va_end(args);
	return fails(CALL_IOCTL) ? -1 : next_ioctl(fd, request, argument);
}

/* --- reading, writing, waiting --- */

static bool is_stream(int fd)
{
	socklen_t len = sizeof(int);
	int saved = errno;
	int type = 0;
	bool stream = getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 &&
		      type == SOCK_STREAM;

	errno = saved;
	return stream;
}

/* Whether reading or writing fd fails this time; errno is set then. */
static bool refuses(int fd, int flags)
{
	bool non_blocking = (flags & MSG_DONTWAIT) != 0 ||
			    (fcntl(fd, F_GETFL) & O_NONBLOCK) != 0;

	if (!chance())
		return false;
	errno = non_blocking && next_random() % 2 == 0 ? EAGAIN : EINTR;
	return true;
}

/* How much of len is read or written this time. */
static size_t shorten(size_t len)
{
	uint64_t random = next_random();

	if (len < 2 || random % 2 == 0)
		return len;
	if (random % 4 == 1 && len > TINY)
		len = TINY;
	return 1 + (size_t)(random >> 8) % len;
}

/* The first vectors of message, as far as they are read or written. */
static void shorten_message(struct msghdr *out, const struct msghdr *message,
			    struct iovec iov[SHORT_IOV])
{
	size_t n = message->msg_iovlen, total = 0, left, i;

	if (n > SHORT_IOV)
		n = SHORT_IOV;
	for (i = 0; i < n; i++)
		total += message->msg_iov[i].iov_len;
	left = shorten(total);
	for (i = 0; i < n && left > 0; i++) {
		iov[i] = message->msg_iov[i];
		if (iov[i].iov_len > left)
			iov[i].iov_len = left;
		left -= iov[i].iov_len;
	}
	*out = *message;
	out->msg_iov = iov;
	out->msg_iovlen = i;
}

ssize_t recv(int fd, void *buffer, size_t len, int flags)
{
	find_symbols();
	if (fault.io && is_stream(fd)) {
		if (refuses(fd, flags))
			return -1;
		len = shorten(len);
	}
	return next_recv(fd, buffer, len, flags);
}

ssize_t send(int fd, const void *buffer, size_t len, int flags)
{
	find_symbols();
	if (fault.io && is_stream(fd)) {
		if (refuses(fd, flags))
			return -1;
		len = shorten(len);
	}
	return next_send(fd, buffer, len, flags);
}

ssize_t read(int fd, void *buffer, size_t len)
{
	find_symbols();
	if (fault.io && is_stream(fd)) {
		if (refuses(fd, 0))
			return -1;
		len = shorten(len);
	}
	return next_read(fd, buffer, len);
}

ssize_t write(int fd, const void *buffer, size_t len)
{
	find_symbols();
	if (fault.io && is_stream(fd)) {
		if (refuses(fd, 0))
			return -1;
		len = shorten(len);
	}
	return next_write(fd, buffer, len);
}

ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
	struct iovec iov[SHORT_IOV];
	struct msghdr part;
	ssize_t got;

	find_symbols();
	if (!fault.io || !is_stream(fd))
		return next_recvmsg(fd, message, flags);
	if (refuses(fd, flags))
		return -1;
	shorten_message(&part, message, iov);
	got = next_recvmsg(fd, &part, flags);
	part.msg_iov = message->msg_iov;
	part.msg_iovlen = message->msg_iovlen;
	*message = part;
	return got;
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
	struct iovec iov[SHORT_IOV];
	struct msghdr part;

	find_symbols();
	if (!fault.io || !is_stream(fd))
		return next_sendmsg(fd, message, flags);
	if (refuses(fd, flags))
		return -1;
	shorten_message(&part, message, iov);
	return next_sendmsg(fd, &part, flags);
}

int poll(struct pollfd *fds, nfds_t n, int timeout_ms)
{
	find_symbols();
	if (fault.io && chance()) {
		errno = EINTR;
		return -1;
	}
	return next_poll(fds, n, timeout_ms);
}

int epoll_wait(int epoll, struct epoll_event *events, int max, int timeout_ms)
{
	find_symbols();
	if (fault.io && chance()) {
		errno = EINTR;
		return -1;
	}
	return next_epoll_wait(epoll, events, max, timeout_ms);
}

/* What the names above become in a program built with _FORTIFY_SOURCE. */
ssize_t __recv_chk(int fd, void *buffer, size_t len, size_t size, int flags);
ssize_t __read_chk(int fd, void *buffer, size_t len, size_t size);
int __poll_chk(struct pollfd *fds, nfds_t n, int timeout_ms, size_t size);

ssize_t __recv_chk(int fd, void *buffer, size_t len, size_t size, int flags)
{
	if (len > size)
		abort();
	return recv(fd, buffer, len, flags);
}

ssize_t __read_chk(int fd, void *buffer, size_t len, size_t size)
{
	if (len > size)
		abort();
	return read(fd, buffer, len);
}

int __poll_chk(struct pollfd *fds, nfds_t n, int timeout_ms, size_t size)
{
	if (n > size / sizeof(*fds))
		abort();
	return poll(fds, n, timeout_ms);
}

/* --- the time of day --- */

int clock_gettime(clockid_t id, struct timespec *now)
{
	int result;

	find_symbols();
	result = next_clock_gettime(id, now);
	if (fault.clock && result == 0 &&
	    (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE))
		now->tv_sec += (time_t)(next_random() % (2 * DAY_S)) - DAY_S;
	return result;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
	struct timespec t;

	(void)zone;
	clock_gettime(CLOCK_REALTIME, &t);
	now->tv_sec = t.tv_sec;
	now->tv_usec = t.tv_nsec / 1000;
	return 0;
}

time_t time(time_t *now)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	if (now)
		*now = t.tv_sec;
	return t.tv_sec;
}
