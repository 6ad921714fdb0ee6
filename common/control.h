/* SPDX-License-Identifier: MIT */
/*
 * The control socket: a unix stream socket at which a running program answers
 * its operator, and the client's side of it.
 *
 * A request is one line of printable text.  The answer begins with a line
 *	ok LENGTH		or
 *	error CODE LENGTH
 * and LENGTH bytes follow: what was asked for, or what is wrong.  CODE is the
 * exit code that the asking program ends with.  Then the connection closes.
 */
#ifndef COMMON_CONTROL_H
#define COMMON_CONTROL_H

#include <stdio.h>
#include <sys/types.h>

/* Its members may use the socket, if there is such a group. */
#define CONTROL_GROUP "simplevpn"

enum {
	CONTROL_MAX_LINE = 4096,	/* of a request, with its newline */
	CONTROL_MAX_PEERS = 16,
	CONTROL_PATH_LEN = 108,		/* with its NUL (unix(7)) */
	CONTROL_ERROR_LEN = 1024,
};

struct control;

/*
 * Answer a request, which is its line without the newline: write what was
 * asked for to out and return 0, or what is wrong and return an exit code.
 * The control thread; while it runs nobody else is answered.
 */
typedef int control_handler(const char *request, FILE *out, void *arg);

/*
 * Listen at path, in a directory that is made if it is missing.  A socket that
 * a dead process has left is replaced; if a live one answers there, that is
 * -EADDRINUSE.  0 and *control, or -errno and a sentence in error.  Any
 * thread, before privileges are dropped; connections wait until
 * control_start().
 */
int control_open(struct control **control, const char *path,
		 control_handler *handler, void *arg,
		 char error[CONTROL_ERROR_LEN]);

/* Make owner the owner of the socket, and of its directory if that was made for
 * it: whoever the process is about to become.  After control_open(). */
void control_give(const struct control *control, uid_t owner);

/* Start, or end and join, the thread that answers.  0 or -errno. */
int control_start(struct control *control);
void control_stop(struct control *control);

/* The socket is closed and its path removed.  NULL is fine. */
void control_close(struct control *control);

/*
 * Ask whoever listens at path and write the answer to out.  Returns EXIT_OK,
 * or an exit code after a message in error: EXIT_NOT_RUNNING if nobody listens
 * there.  Blocks for a bounded time; any thread.
 */
int control_ask(const char *path, const char *request, FILE *out,
		char error[CONTROL_ERROR_LEN]);

#endif
