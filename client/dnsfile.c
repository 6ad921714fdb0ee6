/* SPDX-License-Identifier: MIT */
/*
 * /etc/resolv.conf, replaced and put back.
 *
 * Theory of operation: the former contents are copied to a file beside, which
 * stays locked (flock(2)) for as long as this client has the file: a copy that
 * nobody locks was left by a client that was killed.  The file is written in
 * place, not renamed: it may be a mount point, as in containers, and it keeps
 * its owner, mode and, if it is a link, its place.  Its first line says that
 * it is ours; without that line somebody else has written it since, who knows
 * better, and it is left alone.  An empty copy: there was no file.
 */
#include "client/dnsfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	/* glibc reads three servers and six domains of it. */
	FILE_MAX_LEN = 65536,
	NEW_MAX_LEN = 2048,
};

static const char header[] =
	"# Written by simplevpn's cli while its tunnel stands; the former file "
	"is beside,\n# and comes back when it ends.\n";

/* The whole file; -EFBIG if it is longer than any that makes sense. */
static ssize_t read_all(int fd, char *text, size_t size)
{
	size_t len = 0;
	ssize_t n;

	do {
		n = pread(fd, text + len, size - len, (off_t)len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		len += (size_t)n;
	} while (n != 0 && len < size);
	return len < size ? (ssize_t)len : -EFBIG;
}

/* Never empty in between: who reads it meanwhile finds a name server. */
static int write_all(int fd, const char *text, size_t len)
{
	size_t done = 0;
	ssize_t n;

	while (done < len) {
		n = pwrite(fd, text + done, len - done, (off_t)done);
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0)
			done += (size_t)n;
	}
	return ftruncate(fd, (off_t)len) == 0 && fsync(fd) == 0 ? 0 : -errno;
}

static ssize_t read_path(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read_all(fd, text, size);
	close(fd);
	return n;
}

static int write_path(const char *path, const char *text, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	int error;

	if (fd < 0)
		return -errno;
	error = write_all(fd, text, len);
	close(fd);
	return error;
}

static bool is_ours(const struct dnsfile *d)
{
	char text[FILE_MAX_LEN];
	ssize_t n = read_path(d->path, text, sizeof(text));

	return n >= (ssize_t)sizeof(header) - 1 &&
	       memcmp(text, header, sizeof(header) - 1) == 0;
}

/* Open and lock the copy; -ENOENT without O_CREAT in flags: there is none. */
static int lock_copy(struct dnsfile *d, int flags)
{
	struct stat opened, named;

	d->fd = open(d->kept, O_RDWR | O_CLOEXEC | O_NOFOLLOW | flags, 0644);
	if (d->fd < 0)
		return -errno;
	/* Another name by now: its owner removed it this moment. */
	if (flock(d->fd, LOCK_EX | LOCK_NB) != 0 ||
	    fstat(d->fd, &opened) != 0 || lstat(d->kept, &named) != 0 ||
	    opened.st_ino != named.st_ino || opened.st_dev != named.st_dev) {
		close(d->fd);
		d->fd = -1;
		return -EBUSY;
	}
	return 0;
}

static int put_back(struct dnsfile *d)
{
	char text[FILE_MAX_LEN];
	struct stat status;
	ssize_t len;

	len = read_all(d->fd, text, sizeof(text));
	if (len < 0)
		return (int)len;
	if (len == 0 && lstat(d->path, &status) == 0 &&
	    S_ISREG(status.st_mode) && unlink(d->path) == 0)
		return 0;
	return write_path(d->path, text, (size_t)len);
}

static int keep(struct dnsfile *d)
{
	char text[FILE_MAX_LEN];
	ssize_t len;

	len = read_path(d->path, text, sizeof(text));
	if (len == -ENOENT)
		len = 0;
	return len < 0 ? (int)len : write_all(d->fd, text, (size_t)len);
}

static void give_up_copy(struct dnsfile *d)
{
	unlink(d->kept);
	close(d->fd);
	d->fd = -1;
}

void dnsfile_init(struct dnsfile *d, const char *path, const char *kept)
{
	d->path = path;
	d->kept = kept;
	d->fd = -1;
}

/* The file is not ours yet, or that of a killed client. */
static int take_over(struct dnsfile *d)
{
	int error = lock_copy(d, O_CREAT);

	if (error != 0)
		return error;
	error = is_ours(d) ? put_back(d) : 0;
	if (error == 0)
		error = keep(d);
	if (error != 0)
		give_up_copy(d);
	return error;
}

int dnsfile_set(struct dnsfile *d, const char *text)
{
	char all[NEW_MAX_LEN];
	int error = 0, len;

	len = snprintf(all, sizeof(all), "%s%s", header, text);
	if (len >= (int)sizeof(all))
		return -EFBIG;
	/* What a renewed lease wrote is what has to come back. */
	if (d->fd < 0)
		error = take_over(d);
	else if (!is_ours(d))
		error = keep(d);
	if (error != 0)
		return error;
	error = write_path(d->path, all, (size_t)len);
	/* A part of it may be there: a full disk has room for what was. */
	if (error != 0 && put_back(d) == 0)
		give_up_copy(d);
	return error;
}

int dnsfile_restore(struct dnsfile *d)
{
	int error;

	if (d->fd < 0) {
		error = lock_copy(d, 0);
		if (error != 0)	/* none, or a living client's */
			return error == -ENOENT || error == -EBUSY ? 0 : error;
	}
	error = 0;
	if (is_ours(d)) {
		error = put_back(d);
		if (error != 0) {
			/* The copy stays for whoever mends the reason. */
			close(d->fd);
			d->fd = -1;
			return error;
		}
		error = 1;
	}
	give_up_copy(d);
	return error;
}
