/* SPDX-License-Identifier: MIT */
/*
 * A kernel in miniature, in which the whole server runs in one thread: tasks
 * for threads, locks, a clock that stands still, sockets, epoll, a TUN.
 *
 * Theory of operation: the server's sources are compiled with this header in
 * front of them (-include, FAKE_IO), so that what they call is the fake_*
 * function and not libc's.  pthread_create() makes a coroutine.  It runs until
 * it blocks, in recv(), epoll_wait(), poll(), a condition, a lock or a join;
 * then whoever drives the server goes on, lets time pass, puts
 * bytes into a socket, and runs what has become runnable.  fake_pause_at()
 * stops a task in front of a lock too, and that is how threads get between
 * each other's steps.  All of it is deterministic.
 *
 * What can only be our own bug ends the program: a lock released by another,
 * a call that blocks with a lock held, a deadlock, a task that spins, a
 * descriptor closed twice.
 */
#ifndef TESTS_FUZZ_FAKE_IO_H
#define TESTS_FUZZ_FAKE_IO_H

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
	FAKE_MAX_FDS = 32,
	FAKE_INBOX_SIZE = 160 * 1024,
	FAKE_MAX_BACKLOG = 8,
};

enum fake_kind {
	FAKE_CLOSED,
	FAKE_SOCKET,
	FAKE_EVENT,
	FAKE_EPOLL,
	FAKE_FILE,
	FAKE_LISTENER,
	FAKE_TUN,
};

/* One descriptor.  What the driver may change is marked [D]. */
struct fake_fd {
	enum fake_kind kind;
	uint64_t count;			/* of an eventfd */
	size_t in_begin, in_end;	/* of its inbox; see fake_receive() */
	size_t room;		/* [D] bytes that its peer has room for */
	int unsent;		/* [D] what SIOCOUTQ says */
	int receive_error;	/* [D] of the next recv() */
	int send_error;		/* [D] of the next sendmsg() */
	bool peer_closed;	/* [D] */
	bool shut_read, shut_write;
	uint32_t timeout_ms;		/* SO_RCVTIMEO; 0: none */
	uint8_t *fence;		/* behind what was received last */
	bool polled;			/* added to epoll */
	uint32_t events;
	void *data;
};

/* False: a sanitizer that does not understand tasks was built in. */
bool fake_works(void);
/* A new run: everything closed, the clock at now_ms. */
void fake_reset(uint64_t now_ms);
uint64_t fake_now_ms(void);
void fake_advance(uint64_t ms);
/* When the next blocked task wants to be woken; UINT64_MAX: none does. */
uint64_t fake_next_deadline_ms(void);

/* Run tasks until each waits for something from outside. */
void fake_run(void);
/* The nth lock from now on that a task takes is where it stops; 0: none. */
void fake_pause_at(uint32_t nth);
void fake_resume(void);
/* No task stands anywhere but where the outside is waited for. */
bool fake_is_quiet(void);

/* NULL unless fd is an open one of that kind. */
struct fake_fd *fake_get(int fd, enum fake_kind kind);
uint32_t fake_n_open(void);
/* A connection comes; peer is what the server is told. */
bool fake_connect(const struct sockaddr_storage *peer);
/* Room for len bytes that the peer sends, or NULL. */
uint8_t *fake_receive(struct fake_fd *f, size_t len);
/* So many accept4() calls fail from now on. */
void fake_fail_accept(uint32_t n, int error);
/* The nth call from now on fails; 0: none. */
void fake_fail_memory(uint32_t nth);
void fake_fail_thread(uint32_t nth);
void fake_fail_epoll(uint32_t nth);
/* Allocations and mappings that have not been given back. */
uint32_t fake_n_memory(void);
int fake_open_fd(enum fake_kind kind);

/* The driver has these; it is told, and asked. */
void driver_accepted(int fd);
void driver_heard(int fd, size_t len);
void driver_sent(int fd, const uint8_t *data, size_t len);
void driver_asked_unsent(int fd, int unsent);
bool driver_tun_is_readable(void);

ssize_t fake_recv(int fd, void *buf, size_t len, int flags);
ssize_t fake_sendmsg(int fd, const struct msghdr *message, int flags);
int fake_shutdown(int fd, int how);
int fake_close(int fd);
int fake_setsockopt(int fd, int level, int name, const void *value,
		    socklen_t len);
int fake_getsockopt(int fd, int level, int name, void *value, socklen_t *len);
int fake_ioctl(int fd, unsigned long request, ...);
int fake_accept4(int fd, struct sockaddr *peer, socklen_t *len, int flags);
int fake_open(const char *path, int flags, ...);
int fake_poll(struct pollfd *fds, nfds_t n, int timeout_ms);
int fake_epoll_create1(int flags);
int fake_epoll_ctl(int epoll_fd, int op, int fd, struct epoll_event *event);
int fake_epoll_wait(int epoll_fd, struct epoll_event *events, int max,
		    int timeout_ms);
int fake_eventfd(unsigned int count, int flags);
int fake_eventfd_read(int fd, eventfd_t *count);
int fake_eventfd_write(int fd, eventfd_t count);
int fake_clock_gettime(clockid_t clock, struct timespec *now);
ssize_t fake_getrandom(void *buf, size_t len, unsigned int flags);
void *fake_mmap(void *where, size_t len, int protection, int flags, int fd,
		off_t offset);
int fake_munmap(void *p, size_t len);
int fake_madvise(void *p, size_t len, int advice);
void *fake_malloc(size_t size);
void *fake_calloc(size_t n, size_t size);
void *fake_aligned_alloc(size_t alignment, size_t size);
void fake_free(void *p);
int fake_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
			void *(*entry)(void *), void *arg);
int fake_pthread_join(pthread_t thread, void **result);
int fake_pthread_mutex_init(pthread_mutex_t *m, const pthread_mutexattr_t *a);
int fake_pthread_mutex_destroy(pthread_mutex_t *m);
int fake_pthread_mutex_lock(pthread_mutex_t *m);
int fake_pthread_mutex_unlock(pthread_mutex_t *m);
int fake_pthread_cond_init(pthread_cond_t *c, const pthread_condattr_t *a);
int fake_pthread_cond_destroy(pthread_cond_t *c);
int fake_pthread_cond_broadcast(pthread_cond_t *c);
int fake_pthread_cond_wait(pthread_cond_t *c, pthread_mutex_t *m);
int fake_pthread_cond_clockwait(pthread_cond_t *c, pthread_mutex_t *m,
				clockid_t clock, const struct timespec *until);

#ifdef FAKE_IO
#define recv fake_recv
#define sendmsg fake_sendmsg
#define shutdown fake_shutdown
#define close fake_close
#define setsockopt fake_setsockopt
#define getsockopt fake_getsockopt
#define ioctl fake_ioctl
#define accept4 fake_accept4
#define open fake_open
#define poll fake_poll
#define epoll_create1 fake_epoll_create1
#define epoll_ctl fake_epoll_ctl
#define epoll_wait fake_epoll_wait
#define eventfd fake_eventfd
#define eventfd_read fake_eventfd_read
#define eventfd_write fake_eventfd_write
#define clock_gettime fake_clock_gettime
#define getrandom fake_getrandom
#define mmap fake_mmap
#define munmap fake_munmap
#define madvise fake_madvise
#define malloc fake_malloc
#define calloc fake_calloc
#define aligned_alloc fake_aligned_alloc
#define free fake_free
#define pthread_create fake_pthread_create
#define pthread_join fake_pthread_join
#define pthread_mutex_init fake_pthread_mutex_init
#define pthread_mutex_destroy fake_pthread_mutex_destroy
#define pthread_mutex_lock fake_pthread_mutex_lock
#define pthread_mutex_unlock fake_pthread_mutex_unlock
#define pthread_cond_init fake_pthread_cond_init
#define pthread_cond_destroy fake_pthread_cond_destroy
#define pthread_cond_broadcast fake_pthread_cond_broadcast
#define pthread_cond_wait fake_pthread_cond_wait
#define pthread_cond_clockwait fake_pthread_cond_clockwait
#endif

#endif
