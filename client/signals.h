/* SPDX-License-Identifier: MIT */
/*
 * Signals as a descriptor, and the one way in which cli waits: for something
 * of its own, but never deaf to SIGINT, SIGTERM and SIGHUP.  Main thread only.
 */
#ifndef CLIENT_SIGNALS_H
#define CLIENT_SIGNALS_H

#include <stdbool.h>
#include <stdint.h>

#include "client/counters.h"
#include "common/notify.h"

struct signals {
	int fd;			/* signalfd(2); -1: none */
	bool stopped;		/* it was time, and still is */
	const struct counters *counters;	/* printed on SIGUSR1 */
	const struct notify *notify;	/* told of life on SIGALRM */
	void (*sample)(void *arg);	/* called on SIGUSR2; NULL: ignored */
	void *sample_arg;
};

enum signals_wait {
	SIGNALS_READY,		/* the descriptor has what was asked for */
	SIGNALS_TIMEOUT,
	SIGNALS_STOP,		/* SIGINT, SIGTERM, SIGHUP */
};

/*
 * Block the signals and open the descriptor; before any thread is made, so
 * that all threads inherit the mask.  0 or -errno.
 */
int signals_init(struct signals *signals, const struct counters *counters,
		 const struct notify *notify);
void signals_fini(struct signals *signals);

/*
 * Handle what came, without blocking; whether it is time to stop, now or since
 * an earlier call.
 */
bool signals_stop(struct signals *signals);

/*
 * Wait for poll(2) events of fd (-1: for the time alone) until deadline_ms of
 * clock_now_ms().
 */
enum signals_wait signals_wait(struct signals *signals, int fd, short events,
			       uint64_t deadline_ms);

#endif
