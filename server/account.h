/* SPDX-License-Identifier: MIT */
/* The user that the server runs as.  Main thread, before any other. */
#ifndef SERVER_ACCOUNT_H
#define SERVER_ACCOUNT_H

#include <stdbool.h>

struct privilege_user;
struct server_config;

/*
 * Who --user is.  EXIT_OK, or an exit code after logging why.  Blocks for the
 * user database.
 */
int account_find(const struct server_config *config,
		 struct privilege_user *user);

/*
 * Once everything is open that takes privilege: become that user, keeping
 * CAP_NET_ADMIN or nothing.  EXIT_OK or an exit code, as above.
 */
int account_enter(const struct server_config *config,
		  const struct privilege_user *user, bool keep_net_admin);

#endif
