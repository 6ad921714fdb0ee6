/* SPDX-License-Identifier: MIT */
/*
 * The user's own commands: when the interface is up, when something of it
 * changes, and at the end.
 *
 * They run one after the other in a thread of their own, so that packets flow
 * while a command takes its time; each has a limit of time.  What a command
 * does wrong is a line in the log and nothing more.
 *
 * Main thread only.
 */
#ifndef CLIENT_HOOKS_H
#define CLIENT_HOOKS_H

#include <stdint.h>

struct facts;
struct hooks;

struct hooks_config {		/* commands as words.h takes them; "": none */
	const char *up, *down;
	const char *template;	/* %s: the interface; once, before up */
	uint32_t limit_s;	/* for each, then it is killed */
};

/* The texts stay the caller's.  NULL: no memory or no thread (errno). */
struct hooks *hooks_new(const struct hooks_config *config);

/*
 * The interface is as facts say.  The first time it is "up", later "change" if
 * anything differs; of changes that come faster than the command ends, the
 * last one counts.  Does not block.
 */
void hooks_tell(struct hooks *h, const struct facts *facts);

/*
 * Wait for what runs, run the command for "down" if it has ever been up, and
 * free it all.  Blocks, at most for two commands.  Accepts NULL.
 */
void hooks_finish(struct hooks *h);

#endif
