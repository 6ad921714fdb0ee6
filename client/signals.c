/* SPDX-License-Identifier: MIT */
/* Signals as a descriptor; waiting that hears them. */
#include "client/signals.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"

int signals_init(struct signals *signals, const struct counters *counters,
		 const struct notify *notify)
{
	struct sigaction hangup;
	sigset_t mask;

	signals->stopped = false;
	signals->counters = counters;
	signals->notify = notify;
	signals->sample = NULL;
	signals->fd = -1;
	/* A closed pipe behind stderr is no reason to die. */
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&mask);
	sigaddset(&mask, SIGINT);
	sigaddset(&mask, SIGTERM);
	/* A terminal that is closed; under nohup(1) it means nothing. */
	if (sigaction(SIGHUP, NULL, &hangup) == 0 &&
	    hangup.sa_handler != SIG_IGN)
		sigaddset(&mask, SIGHUP);
	sigaddset(&mask, SIGUSR1);
	sigaddset(&mask, SIGUSR2);
	sigaddset(&mask, SIGALRM);	/* notify_start_watchdog() */
	if (sigprocmask(SIG_BLOCK, &mask, NULL) < 0)
		return -errno;
	signals->fd = signalfd(-1, &mask, SFD_NONBLOCK | SFD_CLOEXEC);
	return signals->fd < 0 ? -errno : 0;
}

void signals_fini(struct signals *signals)
{
	if (signals->fd >= 0)
		close(signals->fd);
	signals->fd = -1;
}

static const char *name_of(uint32_t number)
{
	return number == SIGINT ? "SIGINT" :
	       number == SIGHUP ? "SIGHUP" : "SIGTERM";
}

bool signals_stop(struct signals *signals)
{
	struct signalfd_siginfo info;

	while (!signals->stopped &&
	       read(signals->fd, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGUSR1) {
			counters_log(signals->counters);
			continue;
		}
		if (info.ssi_signo == SIGUSR2) {
			if (signals->sample)
				signals->sample(signals->sample_arg);
			continue;
		}
		if (info.ssi_signo == SIGALRM) {
			notify_alive(signals->notify);
			continue;
		}
		log_info("ended by %s", name_of(info.ssi_signo));
		signals->stopped = true;
	}
	return signals->stopped;
}

static int milliseconds_until(uint64_t deadline_ms)
{
	uint64_t now_ms = clock_now_ms();

	if (deadline_ms <= now_ms)
		return 0;
	if (deadline_ms - now_ms > INT_MAX)
		return INT_MAX;
	return (int)(deadline_ms - now_ms);
}

enum signals_wait signals_wait(struct signals *signals, int fd, short events,
			       uint64_t deadline_ms)
{
	struct pollfd fds[2] = {
		{ .fd = signals->fd, .events = POLLIN },
		{ .fd = fd, .events = events },
	};
	int timeout_ms;

	for (;;) {
		if (signals->stopped)
			return SIGNALS_STOP;
		timeout_ms = milliseconds_until(deadline_ms);
		if (poll(fds, 2, timeout_ms) <= 0) {
			if (timeout_ms == 0)
				return SIGNALS_TIMEOUT;
			continue;
		}
		if (fds[0].revents != 0 && signals_stop(signals))
			return SIGNALS_STOP;
		if (fds[1].revents != 0)
			return SIGNALS_READY;
	}
}
