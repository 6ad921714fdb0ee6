/* SPDX-License-Identifier: MIT */
/* Exit codes of both programs, as the LSB numbers them. */
#ifndef COMMON_EXIT_H
#define COMMON_EXIT_H

enum {
	EXIT_OK = 0,
	EXIT_ERROR = 1,		/* something failed */
	EXIT_USAGE = 2,		/* wrong command line or configuration */
	EXIT_PERMISSION = 4,	/* not allowed to do it */
	EXIT_NOT_RUNNING = 7,	/* no server to talk to */
};

#endif
