/* SPDX-License-Identifier: MIT */
/* The user that the server runs as: common/privilege, and what it logs. */
#include "server/account.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "common/exit.h"
#include "common/log.h"
#include "common/privilege.h"
#include "server/config.h"

int account_find(const struct server_config *config,
		 struct privilege_user *user)
{
	const char *name = config->user;
	int error = privilege_find(name, user);

	if (error == 0)
		return EXIT_OK;
	if (error == -ENOENT) {
		log_error("--user: there is no user \"%s\" on this host "
			  "(adduser --system %s makes one)", name, name);
		return EXIT_USAGE;
	}
	if (error == -EPERM) {
		log_error("--user: only root can become %s", name);
		return EXIT_PERMISSION;
	}
	log_error("--user: cannot look up %s: %s",
		  name[0] ? name : PRIVILEGE_DEFAULT_USER, strerror(-error));
	return EXIT_ERROR;
}

/* A reload reads the file as the user that this process is by then. */
static void warn_of_unreadable(const char *path,
			       const struct privilege_user *user)
{
	if (path[0] && access(path, R_OK) < 0)
		log_warning("%s: the user %s cannot read it, so a reload will "
			    "fail: %s", path, user->name, strerror(errno));
}

int account_enter(const struct server_config *config,
		  const struct privilege_user *user, bool keep_net_admin)
{
	int error = privilege_drop(user, keep_net_admin);

	if (error) {
		log_error("cannot give up privileges: %s", strerror(-error));
		return EXIT_ERROR;
	}
	warn_of_unreadable(config->path, user);
	log_info("running as %s, %s", user->name, keep_net_admin ?
		 "with CAP_NET_ADMIN alone, for --nat" :
		 "without capabilities");
	return EXIT_OK;
}
