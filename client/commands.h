/* SPDX-License-Identifier: MIT */
/* cli as its own client: asking those that run.  Main thread. */
#ifndef CLIENT_COMMANDS_H
#define CLIENT_COMMANDS_H

#include <stddef.h>

/* Where the client of an interface answers, unless --control says otherwise. */
#define COMMANDS_DIRECTORY "/run/simplevpn"

void commands_socket_path(const char *interface, char *path, size_t size);

/* `cli status`: argv[0] is "status".  Returns an exit code. */
int commands_status(int argc, char **argv);

#endif
