/* SPDX-License-Identifier: MIT */
/*
 * Run another program, without a shell: hooks, nft, resolvconf.
 *
 * Any thread may call; it blocks until the program ends or its time is over.
 */
#ifndef COMMON_SUBPROCESS_H
#define COMMON_SUBPROCESS_H

#include <stddef.h>
#include <stdint.h>

struct subprocess {
	const char *const *argv;	/* [0] is looked up in PATH, which is
					 * always the system's; NULL ends */
	const char *const *environment;	/* "NAME=value"; NULL: PATH alone */
	const char *input;	/* on standard input; NULL: /dev/null */
	uint32_t timeout_ms;	/* then it is killed, with its group */
};

/*
 * Run it and wait.  What it writes to standard output and error goes to
 * output, cut to size, a string.  It inherits no other descriptor and the
 * default signal dispositions, and is a process group of its own.  Returns its
 * exit code (128 + N after signal N), or -errno: -ENOENT there is no such
 * program, -ETIMEDOUT it was killed.
 */
int subprocess_run(const struct subprocess *what, char *output, size_t size);

#endif
