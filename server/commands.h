/* SPDX-License-Identifier: MIT */
/* srv as the client of a running srv: srv status, kick, explain, ... */
#ifndef SERVER_COMMANDS_H
#define SERVER_COMMANDS_H

#include <stdio.h>

/*
 * Run the command in argv, whose first word is its name.  Returns the exit
 * code of the program.  Main thread; blocks.
 */
int commands_run(int argc, char **argv);

/* The commands part of --help. */
void commands_print_help(FILE *to);

#endif
