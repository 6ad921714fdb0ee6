/* SPDX-License-Identifier: MIT */
/* A command as one text, split into words without a shell. */
#ifndef CLIENT_WORDS_H
#define CLIENT_WORDS_H

#include <stdbool.h>

#include "common/options.h"

enum { WORDS_MAX = 32, WORDS_TEXT_LEN = 1024 };

struct words {
	char *word[WORDS_MAX + 1];	/* NULL ends; into text */
	char text[WORDS_TEXT_LEN];
};

/*
 * Split at spaces and tabs.  '...' and "..." keep them together, a backslash
 * takes the next character as it is, but not in '...'.  With interface, %s in
 * a word becomes that name and %% a percent sign.  False: error says what is
 * wrong; *out is undefined.  Any thread.
 */
bool words_split(const char *command, const char *interface, struct words *out,
		 char error[OPTIONS_ERROR_LEN]);

/* Texts [char[OPTIONS_TEXT_LEN]] that words_split() takes; "": none. */
extern const struct option_type words_command;	/* no interface */
extern const struct option_type words_template;	/* with one */

#endif
