/* SPDX-License-Identifier: MIT */
/*
 * The control socket's server: who may ask, requests in, answers out.
 *
 * Theory of operation: one thread waits in poll() for the listening socket and
 * for at most CONTROL_MAX_PEERS connections.  Each is first read from, up to
 * the end of a line, and then written to; nothing on a connection blocks.  The
 * answer is made in memory by the handler and leaves as the peer takes it.
 * Each of the two steps has a deadline.  When all places are taken, whoever has
 * moved nothing for the longest time makes way for a new connection: peers that
 * hang cannot keep the next one out.
 *
 * The socket's mode keeps strangers out; on top of that each peer's
 * credentials, as the kernel has noted them at connect(), are looked at: root,
 * our own user, and members of the socket's group.
 */
#include "common/control.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/exit.h"
#include "common/log.h"

enum {
	BACKLOG = 64,
	REQUEST_MS = 5000,	/* from the connection to the end of the line */
	ANSWER_MS = 30000,	/* for all of the answer to be taken */
	PAUSE_MS = 200,		/* after accept() found no descriptor */
	MAX_GROUPS = 1024,	/* of a peer; with more only its own counts */
	HEAD_LEN = 64,
};

_Static_assert(sizeof(((struct sockaddr_un *)0)->sun_path) == CONTROL_PATH_LEN,
	       "a path is as long as unix(7) says");

struct peer {
	int fd;			/* -1: the place is free */
	bool answering;
	uint64_t deadline_ms;
	uint64_t moved_ms;	/* when a byte went either way last */
	size_t have;		/* bytes of the request */
	char request[CONTROL_MAX_LINE];
	char head[HEAD_LEN];
	size_t head_len;
	char *body;		/* malloc()ed */
	size_t body_len;
	size_t sent;		/* of head and body */
};

/* [I] immutable, all else is the thread's */
struct control {
	struct sockaddr_un address;	/* [I] */
	struct stat made;		/* [I] what was bound there */
	control_handler *handler;	/* [I] */
	void *arg;			/* [I] */
	int stop_fd;			/* [I] an eventfd */
	int listener;			/* [I] */
	gid_t group;			/* [I] of the socket */
	bool made_directory;		/* [I] */
	pthread_t thread;
	bool able;			/* accept() has descriptors */
	struct peer peers[CONTROL_MAX_PEERS];
};

/* --- one peer --- */

static void drop(struct peer *p)
{
	if (p->fd >= 0)
		close(p->fd);
	free(p->body);
	memset(p, 0, sizeof(*p));
	p->fd = -1;
}

/* From here on the peer is written to. */
static void begin_answer(struct peer *p, int code, char *body, size_t len,
			 uint64_t now_ms)
{
	p->answering = true;
	p->deadline_ms = now_ms + ANSWER_MS;
	p->body = body;
	p->body_len = len;
	if (code == EXIT_OK)
		snprintf(p->head, sizeof(p->head), "ok %zu\n", len);
	else
		snprintf(p->head, sizeof(p->head), "error %d %zu\n", code, len);
	p->head_len = strlen(p->head);
}

static void refuse(struct peer *p, int code, const char *text, uint64_t now_ms)
{
	char *body = strdup(text);

	begin_answer(p, code, body, body ? strlen(body) : 0, now_ms);
}

static void answer(const struct control *c, struct peer *p, uint64_t now_ms)
{
	int code = EXIT_ERROR;
	char *body = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&body, &len);
	bool whole;

	if (out) {
		code = c->handler(p->request, out, c->arg);
		whole = !ferror(out);
		if (fclose(out) == 0 && whole) {
			begin_answer(p, code, body, len, now_ms);
			return;
		}
	}
	free(body);
	refuse(p, EXIT_ERROR, "out of memory\n", now_ms);
}

/* Make a string of the line.  False: it is not text. */
static bool take_line(struct peer *p, size_t len)
{
	size_t i;

	if (len > 0 && p->request[len - 1] == '\r')
		len--;
	for (i = 0; i < len; i++)
		if (p->request[i] < 0x20 || p->request[i] > 0x7e)
			return false;
	p->request[len] = '\0';
	return true;
}

static void read_some(const struct control *c, struct peer *p, uint64_t now_ms)
{
	size_t room = sizeof(p->request) - p->have;
	ssize_t n = recv(p->fd, p->request + p->have, room, MSG_DONTWAIT);
	char *end;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		drop(p);
		return;
	}
	p->moved_ms = now_ms;
	end = memchr(p->request + p->have, '\n', (size_t)n);
	p->have += (size_t)n;
	if (!end && p->have < sizeof(p->request))
		return;
	if (!end)
		refuse(p, EXIT_USAGE, "the request is too long\n", now_ms);
	else if (!take_line(p, (size_t)(end - p->request)))
		refuse(p, EXIT_USAGE, "the request is not a line of text\n",
		       now_ms);
	else
		answer(c, p, now_ms);
}

static void write_some(struct peer *p, uint64_t now_ms)
{
	struct iovec iov[2] = {
		{ .iov_base = p->head, .iov_len = p->head_len },
		{ .iov_base = p->body, .iov_len = p->body_len },
	};
	size_t in_head = p->sent < p->head_len ? p->sent : p->head_len;
	struct msghdr message = { .msg_iov = iov, .msg_iovlen = 2 };
	ssize_t n;

	iov[0].iov_base = p->head + in_head;
	iov[0].iov_len -= in_head;
	if (p->body)
		iov[1].iov_base = p->body + (p->sent - in_head);
	iov[1].iov_len -= p->sent - in_head;
	n = sendmsg(p->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0) {
		p->moved_ms = now_ms;
		p->sent += (size_t)n;
	}
	if (n < 0 || p->sent == p->head_len + p->body_len)
		drop(p);
}

/* --- who may ask --- */

static bool is_in_group(int fd, const struct ucred *who, gid_t group)
{
	gid_t groups[MAX_GROUPS];
	socklen_t len = sizeof(groups);
	size_t i;

	if (who->gid == group)
		return true;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) < 0)
		return false;
	for (i = 0; i < len / sizeof(groups[0]); i++)
		if (groups[i] == group)
			return true;
	return false;
}

static bool may_ask(const struct control *c, int fd)
{
	struct ucred who;
	socklen_t len = sizeof(who);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) < 0)
		return false;
	return who.uid == 0 || who.uid == geteuid() ||
	       is_in_group(fd, &who, c->group);
}

/* A free place, or that of whoever has stood still for the longest time. */
static struct peer *find_place(struct control *c)
{
	struct peer *place = &c->peers[0];
	int i;

	for (i = 0; i < CONTROL_MAX_PEERS; i++) {
		if (c->peers[i].fd < 0)
			return &c->peers[i];
		if (c->peers[i].moved_ms < place->moved_ms)
			place = &c->peers[i];
	}
	drop(place);
	return place;
}

static void accept_one(struct control *c, uint64_t now_ms)
{
	static struct log_limit limit;
	int fd = accept4(c->listener, NULL, NULL, SOCK_CLOEXEC);
	struct peer *p;

	if (fd < 0) {
		c->able = errno != EMFILE && errno != ENFILE &&
			  errno != ENOBUFS && errno != ENOMEM;
		return;
	}
	p = find_place(c);
	p->fd = fd;
	p->moved_ms = now_ms;
	p->deadline_ms = now_ms + REQUEST_MS;
	if (may_ask(c, fd))
		return;
	log_limited(&limit, LOG_LEVEL_WARNING,
		    "control socket: a user without permission was refused");
	refuse(p, EXIT_ERROR, "permission denied: only root, the user that "
	       "the program runs as, and members of the socket's group may "
	       "ask\n", now_ms);
}

/* --- the thread --- */

/* How long poll() may wait: until the first deadline; -1: there is none. */
static int next_timeout(const struct control *c, uint64_t now_ms)
{
	uint64_t first_ms = c->able ? UINT64_MAX : now_ms + PAUSE_MS;
	int i;

	for (i = 0; i < CONTROL_MAX_PEERS; i++)
		if (c->peers[i].fd >= 0 && c->peers[i].deadline_ms < first_ms)
			first_ms = c->peers[i].deadline_ms;
	if (first_ms == UINT64_MAX)
		return -1;
	return first_ms > now_ms ? (int)(first_ms - now_ms) : 0;
}

static void serve(const struct control *c, struct peer *p, short events,
		  uint64_t now_ms)
{
	if (p->fd < 0)
		return;
	if (now_ms >= p->deadline_ms)
		drop(p);
	else if (events && p->answering)
		write_some(p, now_ms);
	else if (events)
		read_some(c, p, now_ms);
}

static void *control_main(void *arg)
{
	struct pollfd fds[2 + CONTROL_MAX_PEERS];
	struct control *c = arg;
	uint64_t now_ms;
	int i;

	fds[0] = (struct pollfd){ .fd = c->stop_fd, .events = POLLIN };
	for (;;) {
		/* poll() passes over descriptors below 0. */
		fds[1].fd = c->able ? c->listener : -1;
		fds[1].events = POLLIN;
		for (i = 0; i < CONTROL_MAX_PEERS; i++) {
			fds[2 + i].fd = c->peers[i].fd;
			fds[2 + i].events = c->peers[i].answering ?
				POLLOUT : POLLIN;
		}
		now_ms = clock_now_ms();
		if (poll(fds, 2 + CONTROL_MAX_PEERS,
			 next_timeout(c, now_ms)) < 0)
			continue;
		if (fds[0].revents)
			return NULL;
		now_ms = clock_now_ms();
		c->able = true;
		for (i = 0; i < CONTROL_MAX_PEERS; i++)
			serve(c, &c->peers[i], fds[2 + i].revents, now_ms);
		if (fds[1].fd >= 0 && fds[1].revents)
			accept_one(c, now_ms);
	}
}

/* --- the socket --- */

static int explain(char error[CONTROL_ERROR_LEN], int code, const char *what,
		   const char *path)
{
	snprintf(error, CONTROL_ERROR_LEN, "control socket %s: %s", path, what);
	return code;
}

/*
 * Without an owner or a group of its own, root can still use it.  Whoever owns
 * the directory may have put a link there meanwhile, to a file of root's: what
 * is given away is what stands there itself, if it is of that type.
 */
static void set_owner(const char *path, mode_t type, uid_t owner, gid_t group)
{
	int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	bool found, right = false;
	struct stat there;

	found = fd >= 0 && fstat(fd, &there) == 0;
	if (found)
		right = (there.st_mode & S_IFMT) == type;
	if (found && !right)
		log_warning("%s: somebody has put something else there", path);
	else if (!found ||
		 fchownat(fd, "", owner, group, AT_EMPTY_PATH) < 0)
		log_debug("%s: %s", path, strerror(errno));
	if (fd >= 0)
		close(fd);
}

/* Of the socket; "" is the current one, or the root. */
static void directory_of(const struct control *c,
			 char directory[CONTROL_PATH_LEN])
{
	char *slash;

	memcpy(directory, c->address.sun_path, CONTROL_PATH_LEN);
	slash = strrchr(directory, '/');
	if (slash)
		*slash = '\0';
	else
		directory[0] = '\0';
}

static int make_directory(struct control *c, bool has_group)
{
	char directory[CONTROL_PATH_LEN];

	directory_of(c, directory);
	if (directory[0] == '\0')
		return 0;
	if (mkdir(directory, 0750) < 0)
		return errno == EEXIST ? 0 : -errno;
	c->made_directory = true;
	if (has_group)
		set_owner(directory, S_IFDIR, (uid_t)-1, c->group);
	return 0;
}

/* Remove what a dead process has left.  0: nothing is in the way now. */
static int clear_way(const struct sockaddr_un *address)
{
	struct stat there;
	int fd, error;

	if (lstat(address->sun_path, &there) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(there.st_mode))
		return -ENOTSOCK;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	error = connect(fd, (const struct sockaddr *)address,
			sizeof(*address)) < 0 ? errno : 0;
	close(fd);
	if (error == ENOENT)
		return 0;
	if (error != ECONNREFUSED)	/* EAGAIN: it is, and has much to do */
		return error == EACCES ? -EACCES : -EADDRINUSE;
	return unlink(address->sun_path) < 0 && errno != ENOENT ? -errno : 0;
}

/* The file is made with its mode: changing that later would follow a link. */
static int bind_file(int fd, const struct sockaddr_un *address)
{
	mode_t before = umask(0117);
	int error = bind(fd, (const struct sockaddr *)address,
			 sizeof(*address)) < 0 ? -errno : 0;

	umask(before);
	return error;
}

/* Bind and listen; until it listens nobody gets in, whatever the group is. */
static int listen_at(struct control *c, bool has_group)
{
	const char *path = c->address.sun_path;
	int error;

	c->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC |
			     SOCK_NONBLOCK, 0);
	if (c->listener < 0)
		return -errno;
	error = bind_file(c->listener, &c->address);
	if (error)
		return error;
	if (has_group)
		set_owner(path, S_IFSOCK, (uid_t)-1, c->group);
	if (lstat(path, &c->made) < 0 || listen(c->listener, BACKLOG) < 0)
		return -errno;
	c->group = c->made.st_gid;
	return 0;
}

static const char *reason_text(int code)
{
	switch (code) {
	case -EADDRINUSE:
		return "another process answers there";
	case -ENOTSOCK:
		return "something is there that is not a socket";
	default:
		return strerror(-code);
	}
}

static struct control *new_control(control_handler *handler, void *arg)
{
	struct control *c = calloc(1, sizeof(*c));
	int i;

	if (!c)
		return NULL;
	for (i = 0; i < CONTROL_MAX_PEERS; i++)
		c->peers[i].fd = -1;
	c->able = true;
	c->handler = handler;
	c->arg = arg;
	c->listener = -1;
	c->address.sun_family = AF_UNIX;
	c->stop_fd = eventfd(0, EFD_CLOEXEC);
	return c;
}

int control_open(struct control **control, const char *path,
		 control_handler *handler, void *arg,
		 char error[CONTROL_ERROR_LEN])
{
	const struct group *group = getgrnam(CONTROL_GROUP);
	struct control *c = new_control(handler, arg);
	int code;

	if (!c)
		return explain(error, -ENOMEM, "out of memory", path);
	if (group)
		c->group = group->gr_gid;
	if (strlen(path) >= CONTROL_PATH_LEN) {
		control_close(c);
		return explain(error, -ENAMETOOLONG, "the path is longer than "
			       "the 107 bytes of unix(7)", path);
	}
	memcpy(c->address.sun_path, path, strlen(path) + 1);
	code = c->stop_fd < 0 ? -EMFILE : make_directory(c, group != NULL);
	if (code == 0)
		code = clear_way(&c->address);
	if (code == 0)
		code = listen_at(c, group != NULL);
	if (code != 0) {
		control_close(c);
		return explain(error, code, reason_text(code), path);
	}
	*control = c;
	return 0;
}

void control_give(const struct control *c, uid_t owner)
{
	char directory[CONTROL_PATH_LEN];

	set_owner(c->address.sun_path, S_IFSOCK, owner, (gid_t)-1);
	directory_of(c, directory);
	if (c->made_directory)
		set_owner(directory, S_IFDIR, owner, (gid_t)-1);
}

int control_start(struct control *c)
{
	return -pthread_create(&c->thread, NULL, control_main, c);
}

void control_stop(struct control *c)
{
	eventfd_write(c->stop_fd, 1);
	pthread_join(c->thread, NULL);
}

/* Another process may have put its own socket there meanwhile. */
static bool is_ours(const struct control *c)
{
	struct stat there;

	return c->made.st_ino != 0 &&
	       lstat(c->address.sun_path, &there) == 0 &&
	       there.st_dev == c->made.st_dev &&
	       there.st_ino == c->made.st_ino;
}

void control_close(struct control *c)
{
	int i;

	if (!c)
		return;
	if (is_ours(c))
		unlink(c->address.sun_path);
	for (i = 0; i < CONTROL_MAX_PEERS; i++)
		drop(&c->peers[i]);
	if (c->listener >= 0)
		close(c->listener);
	if (c->stop_fd >= 0)
		close(c->stop_fd);
	free(c);
}
