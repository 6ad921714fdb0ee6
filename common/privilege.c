/* SPDX-License-Identifier: MIT */
/*
 * Giving up root and capabilities.
 *
 * Theory of operation: the order is the kernel's (capabilities(7)).  A
 * capability can become inheritable only while the bounding set has it, so
 * that comes first; emptying the bounding set wants CAP_SETPCAP, which goes
 * with the user; PR_SET_KEEPCAPS takes the permitted set across the change of
 * the user, but not the ambient one, which therefore comes last.  A capability
 * in the ambient set reaches a program that is run (nft) although the bounding
 * set is empty and no_new_privs is set.  At the end everything is read back:
 * a kernel that did less than it said is a failure to start.
 */
#include "common/privilege.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The leak checker of a sanitized build attaches to its own process. */
#if defined(__SANITIZE_ADDRESS__)
#define DUMPABLE 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define DUMPABLE 1
#endif
#endif
#ifndef DUMPABLE
#define DUMPABLE 0
#endif

enum { CAPABILITY_BITS = 64 };

struct capabilities {
	uint64_t effective, permitted, inheritable;
};

static uint64_t bit(unsigned int capability)
{
	return (uint64_t)1 << capability;
}

static int get_capabilities(struct capabilities *c)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[2] = { { 0, 0, 0 } };

	if (syscall(SYS_capget, &header, data) < 0)
		return -errno;
	c->effective = data[0].effective | (uint64_t)data[1].effective << 32;
	c->permitted = data[0].permitted | (uint64_t)data[1].permitted << 32;
	c->inheritable = data[0].inheritable |
			 (uint64_t)data[1].inheritable << 32;
	return 0;
}

static int set_capabilities(const struct capabilities *c)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[2] = {
		{ (uint32_t)c->effective, (uint32_t)c->permitted,
		  (uint32_t)c->inheritable },
		{ (uint32_t)(c->effective >> 32),
		  (uint32_t)(c->permitted >> 32),
		  (uint32_t)(c->inheritable >> 32) },
	};

	return syscall(SYS_capset, &header, data) < 0 ? -errno : 0;
}

static int set_name(struct privilege_user *user, const char *name)
{
	int len = snprintf(user->name, sizeof(user->name), "%s", name);

	return len < (int)sizeof(user->name) ? 0 : -ENAMETOOLONG;
}

static int look_up(const char *name, struct privilege_user *user)
{
	const struct passwd *entry;

	errno = 0;
	entry = getpwnam(name);
	if (!entry)
		return errno && errno != ESRCH ? -errno : -ENOENT;
	user->uid = entry->pw_uid;
	user->gid = entry->pw_gid;
	return set_name(user, name);
}

/* Whoever runs this, by name if there is one. */
static int look_up_self(struct privilege_user *user)
{
	const struct passwd *entry = getpwuid(geteuid());

	user->uid = geteuid();
	user->gid = getegid();
	if (entry)
		return set_name(user, entry->pw_name);
	snprintf(user->name, sizeof(user->name), "user %u", user->uid);
	return 0;
}

int privilege_find(const char *name, struct privilege_user *user)
{
	bool root = geteuid() == 0;
	int error;

	if (!name[0] && !root)
		return look_up_self(user);
	error = look_up(name[0] ? name : PRIVILEGE_DEFAULT_USER, user);
	if (error == -ENOENT && !name[0])
		return look_up_self(user);
	if (error)
		return error;
	return root || user->uid == geteuid() ? 0 : -EPERM;
}

/* Whatever the kernel's last capability is, one beyond it is EINVAL. */
static int empty_bounding_set(void)
{
	unsigned int capability;

	for (capability = 0; capability < CAPABILITY_BITS; capability++) {
		if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == 0)
			continue;
		return errno == EINVAL ? 0 : -errno;
	}
	return 0;
}

static int change_user(const struct privilege_user *user)
{
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0 ||
	    initgroups(user->name, user->gid) < 0 ||
	    setresgid(user->gid, user->gid, user->gid) < 0 ||
	    setresuid(user->uid, user->uid, user->uid) < 0 ||
	    prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0) < 0)
		return -errno;
	return 0;
}

static int keep_only(uint64_t keep)
{
	const struct capabilities kept = { keep, keep, keep };
	int error = set_capabilities(&kept);

	if (error == 0 &&
	    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
		error = -errno;
	if (error == 0 && keep &&
	    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_ADMIN, 0, 0)
	    < 0)
		error = -errno;
	if (error == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		error = -errno;
	/* /proc/PID belongs to root then, and there is no core dump. */
	if (error == 0 && prctl(PR_SET_DUMPABLE, DUMPABLE, 0, 0, 0) < 0)
		error = -errno;
	return error;
}

/* Read back what holds, and try the way back. */
static int verify(const struct privilege_user *user, uint64_t keep)
{
	struct capabilities have = { 0, 0, 0 };
	uid_t real, effective, saved;
	int error = get_capabilities(&have);

	if (error)
		return error;
	if (getresuid(&real, &effective, &saved) < 0)
		return -errno;
	if (have.effective != keep || have.permitted != keep ||
	    have.inheritable != keep || real != user->uid ||
	    effective != user->uid || saved != user->uid)
		return -EPERM;
	if (user->uid != 0 && setresuid(0, 0, 0) == 0)
		return -EPERM;
	return 0;
}

int privilege_drop(const struct privilege_user *user, bool keep_net_admin)
{
	struct capabilities have = { 0, 0, 0 };
	uint64_t keep = 0;
	int error = get_capabilities(&have);

	if (error)
		return error;
	if (keep_net_admin)
		keep = have.permitted & bit(CAP_NET_ADMIN);
	have.inheritable |= keep;
	error = set_capabilities(&have);
	if (error == 0 && (have.effective & bit(CAP_SETPCAP)))
		error = empty_bounding_set();
	if (error == 0 && user->uid != geteuid())
		error = change_user(user);
	if (error == 0)
		error = keep_only(keep);
	return error ? error : verify(user, keep);
}
