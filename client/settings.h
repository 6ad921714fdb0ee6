/* SPDX-License-Identifier: MIT */
/*
 * What the interface is to be: the user's options and, as far as they can be
 * taken, the server's.  Main thread only.
 */
#ifndef CLIENT_SETTINGS_H
#define CLIENT_SETTINGS_H

#include "client/config.h"
#include "client/netup.h"
#include "proto/session.h"

/*
 * The settings for a session that has its address.  What is not taken from the
 * server is named in a warning, each time.
 */
void settings_from(const struct cli_config *config,
		   const struct session *session, struct netup_settings *out);

/* Whether settings_from() makes the same of both. */
bool settings_same(const struct msg_options *a, const struct msg_options *b);

#endif
