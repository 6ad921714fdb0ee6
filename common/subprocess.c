/* SPDX-License-Identifier: MIT */
/*
 * Run another program, without a shell.
 *
 * Theory of operation: posix_spawn(3) starts it, since fork() in a program
 * with threads may do nothing but exec.  Input and output are two pipes, moved
 * by one poll() loop, so that neither side can wait for the other.  The end of
 * the program is a pidfd in the same loop: a grandchild that keeps the output
 * open, or writes to it without end, delays nobody.  The program has a process
 * group of its own: what a terminal's Ctrl-C sends to all of ours does not stop
 * a roll-back half-way, and when its time is over its children go with it.
 */
#include "common/subprocess.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"

#define SYSTEM_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:" \
		    "/sbin:/bin"

enum { MAX_ENVIRONMENT = 64, AFTER_SIGNAL = 128, PROGRAM_LEN = 4096 };

struct running {
	pid_t pid;
	int pidfd;
	int input, output;	/* our ends; -1: closed */
	const char *rest;	/* of the input */
	char *text;
	size_t len, size;
};

/* Our ends of the pipes do not block and are not inherited. */
static int make_pipes(int in[2], int out[2])
{
	int error;

	if (pipe2(in, O_CLOEXEC) < 0)
		return -errno;
	if (pipe2(out, O_CLOEXEC) < 0) {
		error = -errno;
		close(in[0]);
		close(in[1]);
		return error;
	}
	fcntl(in[1], F_SETFL, O_NONBLOCK);
	fcntl(out[0], F_SETFL, O_NONBLOCK);
	return 0;
}

static int describe(posix_spawn_file_actions_t *actions,
		    posix_spawnattr_t *attributes, int in, int out)
{
	sigset_t none, all;
	int error;

	sigemptyset(&none);
	sigfillset(&all);
	error = posix_spawn_file_actions_adddup2(actions, in, 0);
	if (error == 0)
		error = posix_spawn_file_actions_adddup2(actions, out, 1);
	if (error == 0)
		error = posix_spawn_file_actions_adddup2(actions, out, 2);
	if (error == 0)
		error = posix_spawn_file_actions_addclosefrom_np(actions, 3);
	posix_spawnattr_setsigmask(attributes, &none);
	posix_spawnattr_setsigdefault(attributes, &all);
	/* Ctrl-C is for us: what is undone at the end is to be done whole. */
	posix_spawnattr_setpgroup(attributes, 0);
	posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK |
				 POSIX_SPAWN_SETSIGDEF |
				 POSIX_SPAWN_SETPGROUP);
	return error;
}

/*
 * Where the program is.  posix_spawnp(3) would look in the PATH of whoever
 * started us.
 */
static int find_program(const char *name, char program[PROGRAM_LEN])
{
	char path[] = SYSTEM_PATH;
	char *folder, *rest = path;
	int error = -ENOENT;

	if (strchr(name, '/')) {
		snprintf(program, PROGRAM_LEN, "%s", name);
		return 0;
	}
	while ((folder = strsep(&rest, ":")) != NULL) {
		snprintf(program, PROGRAM_LEN, "%s/%s", folder, name);
		if (access(program, X_OK) == 0)
			return 0;
		if (errno != ENOENT && errno != ENOTDIR)
			error = -errno;
	}
	return error;
}

/* argv and environment are only read; posix_spawn(3) wants them writable. */
static int spawn(const struct subprocess *what, int in, int out, pid_t *pid)
{
	const char *environment[MAX_ENVIRONMENT + 2] = { "PATH=" SYSTEM_PATH };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	char *const *argv, *const *envp;
	char program[PROGRAM_LEN];
	size_t n = 0;
	int error = find_program(what->argv[0], program);

	if (error)
		return error;
	while (what->environment && what->environment[n] &&
	       n < MAX_ENVIRONMENT) {
		environment[n + 1] = what->environment[n];
		n++;
	}
	memcpy(&argv, &what->argv, sizeof(argv));
	envp = (char *const *)(void *)environment;
	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attributes);
	error = describe(&actions, &attributes, in, out);
	if (error == 0)
		error = posix_spawn(pid, program, &actions, &attributes, argv,
				    envp);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attributes);
	return -error;
}

static void close_end(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void feed(struct running *r)
{
	size_t left = strlen(r->rest);
	ssize_t n = left > 0 ? write(r->input, r->rest, left) : 0;

	if (n > 0)
		r->rest += n;
	else if (n == 0 || (errno != EAGAIN && errno != EINTR))
		close_end(&r->input);
	if (r->input >= 0 && !*r->rest)
		close_end(&r->input);
}

/* Keep what fits, and read on so that the program is not held up.  Bytes. */
static size_t collect(struct running *r)
{
	char beyond[512];
	size_t room = r->size - 1 - r->len;
	ssize_t n;

	n = room > 0 ? read(r->output, r->text + r->len, room) :
		       read(r->output, beyond, sizeof(beyond));
	if (n > 0 && room > 0)
		r->len += (size_t)n;
	else if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		close_end(&r->output);
	return n > 0 ? (size_t)n : 0;
}

/* What a program that has ended left; who else has the pipe may write on. */
static void collect_rest(struct running *r)
{
	size_t n = 1;
	int left = 0;

	if (r->output >= 0)
		ioctl(r->output, FIONREAD, &left);
	for (; left > 0 && n > 0; left -= (int)n)
		n = collect(r);
}

/* Until the program has ended.  False: its time is over. */
static bool attend(struct running *r, uint64_t deadline_ms)
{
	struct pollfd fds[3];
	uint64_t now_ms;

	for (;;) {
		now_ms = clock_now_ms();
		if (now_ms >= deadline_ms)
			return false;
		fds[0] = (struct pollfd){ r->pidfd, POLLIN, 0 };
		fds[1] = (struct pollfd){ r->output, POLLIN, 0 };
		fds[2] = (struct pollfd){ r->input, POLLOUT, 0 };
		if (poll(fds, 3, (int)(deadline_ms - now_ms)) < 0 &&
		    errno != EINTR)
			return false;
		if (fds[2].revents)
			feed(r);
		if (fds[0].revents) {
			collect_rest(r);
			return true;
		}
		if (fds[1].revents)
			collect(r);
	}
}

static int finish(struct running *r, bool ended)
{
	int status = 0;

	if (!ended) {
		kill(-r->pid, SIGKILL);	/* and what it has started */
		kill(r->pid, SIGKILL);	/* which may have left its group */
	}
	while (waitpid(r->pid, &status, 0) < 0 && errno == EINTR)
		;
	if (!ended)
		return -ETIMEDOUT;
	if (WIFSIGNALED(status))
		return AFTER_SIGNAL + WTERMSIG(status);
	return WEXITSTATUS(status);
}

int subprocess_run(const struct subprocess *what, char *output, size_t size)
{
	struct running r = {
		.rest = what->input ? what->input : "",
		.text = output, .size = size,
	};
	int in[2] = { -1, -1 }, out[2] = { -1, -1 };
	int result;

	output[0] = '\0';
	result = make_pipes(in, out);
	if (result != 0)
		return result;
	result = spawn(what, in[0], out[1], &r.pid);
	close(in[0]);
	close(out[1]);
	r.input = in[1];
	r.output = out[0];
	if (result == 0) {
		r.pidfd = (int)syscall(SYS_pidfd_open, r.pid, 0);
		result = finish(&r, r.pidfd >= 0 &&
				attend(&r, clock_now_ms() + what->timeout_ms));
		close_end(&r.pidfd);
	}
	close_end(&r.input);
	close_end(&r.output);
	output[r.len] = '\0';
	return result;
}
