/* SPDX-License-Identifier: MIT */
/*
 * /etc/resolv.conf on a host where nothing else manages it: replaced while the
 * tunnel stands, kept beside, and put back.  Main thread only.
 */
#ifndef CLIENT_DNSFILE_H
#define CLIENT_DNSFILE_H

#define DNSFILE_PATH "/etc/resolv.conf"
#define DNSFILE_KEPT "/etc/resolv.conf.simplevpn"

struct dnsfile {
	const char *path, *kept;	/* the file, and its copy beside it */
	int fd;				/* of the copy, locked; -1: none */
};

void dnsfile_init(struct dnsfile *d, const char *path, const char *kept);

/*
 * Make text, lines of resolv.conf(5), the file's contents; again: change them.
 * 0 or -errno: -EBUSY, another client has the file.
 */
int dnsfile_set(struct dnsfile *d, const char *text);

/*
 * Put the former file back, unless somebody else has written to it since.  For
 * one that was not set: what a killed client left, if there is any.  1: put
 * back, 0: nothing was to be done, or -errno.
 */
int dnsfile_restore(struct dnsfile *d);

#endif
