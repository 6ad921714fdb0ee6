/* SPDX-License-Identifier: MIT */
/*
 * Giving up root and capabilities, once and for good.
 *
 * Main thread, before any other: capabilities and no_new_privs belong to a
 * thread, and later threads inherit them.
 */
#ifndef COMMON_PRIVILEGE_H
#define COMMON_PRIVILEGE_H

#include <stdbool.h>
#include <sys/types.h>

#define PRIVILEGE_DEFAULT_USER "simplevpn"

enum { PRIVILEGE_NAME_LEN = 64 };

struct privilege_user {
	char name[PRIVILEGE_NAME_LEN];
	uid_t uid;
	gid_t gid;		/* the user's own group */
};

/*
 * Who to run as: the user of that name; for "", as root the default user if
 * there is one, otherwise whoever runs this.  0, -ENOENT: there is no such
 * user, -EPERM: only root may become another one, or what the user database
 * says.  Blocks for the user database.
 */
int privilege_find(const char *name, struct privilege_user *user);

/*
 * Become user, with its groups alone; keep no capability but, if wished and
 * there, CAP_NET_ADMIN, which programs that are run inherit; let nothing that
 * is run gain any; and let nobody else's debugger in.  0 or -errno: then this
 * process must end, it may have given up a part.
 */
int privilege_drop(const struct privilege_user *user, bool keep_net_admin);

#endif
