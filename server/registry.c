/* SPDX-License-Identifier: MIT */
/* The set of live clients, and those that wait to be joined. */
#include "server/registry.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "server/client.h"

struct registry {
	int fd;				/* [I] an eventfd */
	pthread_mutex_t lock;
	/* [lock] and so all below */
	struct client *strangers;	/* from the oldest to the newest */
	struct client **newest;		/* where the next one is hung up */
	struct client *live;		/* the others */
	struct client *finished;
	struct client *reaped;		/* being joined, not yet in gone */
	uint32_t n;
	struct stats gone;		/* counters of those already reaped */
	struct registry_counts counts;
};

struct registry *registry_new(void)
{
	struct registry *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (r->fd < 0) {
		free(r);
		return NULL;
	}
	pthread_mutex_init(&r->lock, NULL);
	r->newest = &r->strangers;
	return r;
}

void registry_free(struct registry *r)
{
	if (!r)
		return;
	close(r->fd);
	pthread_mutex_destroy(&r->lock);
	free(r);
}

static void push_locked(struct client **list, struct client *client)
{
	struct client_link *link = client_link(client);

	link->next = *list;
	link->previous = list;
	if (link->next)
		client_link(link->next)->previous = &link->next;
	*list = client;
}

static void remove_locked(struct registry *r, struct client *client)
{
	struct client_link *link = client_link(client);

	*link->previous = link->next;
	if (link->next)
		client_link(link->next)->previous = link->previous;
	if (r->newest == &link->next)
		r->newest = link->previous;
}

void registry_add(struct registry *r, struct client *client)
{
	struct client_link *link = client_link(client);

	pthread_mutex_lock(&r->lock);
	link->next = NULL;
	link->previous = r->newest;
	*r->newest = client;
	r->newest = &link->next;
	r->n++;
	pthread_mutex_unlock(&r->lock);
}

void registry_joined(struct registry *r, struct client *client)
{
	pthread_mutex_lock(&r->lock);
	remove_locked(r, client);
	push_locked(&r->live, client);
	r->counts.joins++;
	pthread_mutex_unlock(&r->lock);
}

bool registry_crowd_out(struct registry *r, uint64_t before_ms)
{
	struct client *client;
	bool found;

	pthread_mutex_lock(&r->lock);
	client = r->strangers;
	found = client && client_accepted_ms(client) < before_ms;
	if (found) {
		/* Away from the others, so that it is not found again. */
		remove_locked(r, client);
		push_locked(&r->live, client);
		client_shut(client, CLOSE_CROWDED_OUT);
	}
	pthread_mutex_unlock(&r->lock);
	return found;
}

void registry_remove(struct registry *r, struct client *client)
{
	pthread_mutex_lock(&r->lock);
	remove_locked(r, client);
	r->n--;
	pthread_mutex_unlock(&r->lock);
}

void registry_finish(struct registry *r, struct client *client, bool joined,
		     enum close_reason reason)
{
	pthread_mutex_lock(&r->lock);
	if (joined)
		r->counts.leaves[reason]++;
	else
		r->counts.strangers[reason]++;
	remove_locked(r, client);
	push_locked(&r->finished, client);
	/* Under the lock: whoever reaps the client may free the registry. */
	eventfd_write(r->fd, 1);
	pthread_mutex_unlock(&r->lock);
}

int registry_fd(const struct registry *r)
{
	return r->fd;
}

void registry_reap(struct registry *r)
{
	struct client *client, *next;
	eventfd_t n;

	eventfd_read(r->fd, &n);
	pthread_mutex_lock(&r->lock);
	client = r->reaped = r->finished;
	r->finished = NULL;
	pthread_mutex_unlock(&r->lock);
	for (; client; client = next) {
		next = client_link(client)->next;
		client_join(client);
		pthread_mutex_lock(&r->lock);
		stats_add(&r->gone, client_stats(client));
		r->reaped = next;
		r->n--;
		pthread_mutex_unlock(&r->lock);
		client_put(client);
	}
}

uint32_t registry_count(struct registry *r)
{
	uint32_t n;

	pthread_mutex_lock(&r->lock);
	n = r->n;
	pthread_mutex_unlock(&r->lock);
	return n;
}

void registry_visit(struct registry *r,
		    void (*visit)(struct client *client, void *arg), void *arg)
{
	struct client *client;

	pthread_mutex_lock(&r->lock);
	for (client = r->strangers; client; client = client_link(client)->next)
		visit(client, arg);
	for (client = r->live; client; client = client_link(client)->next)
		visit(client, arg);
	pthread_mutex_unlock(&r->lock);
}

void registry_counts(struct registry *r, struct registry_counts *counts)
{
	pthread_mutex_lock(&r->lock);
	*counts = r->counts;
	pthread_mutex_unlock(&r->lock);
}

void registry_total(struct registry *r, struct stats *total)
{
	struct client *client;

	pthread_mutex_lock(&r->lock);
	stats_add(total, &r->gone);
	for (client = r->live; client; client = client_link(client)->next)
		stats_add(total, client_stats(client));
	for (client = r->strangers; client; client = client_link(client)->next)
		stats_add(total, client_stats(client));
	for (client = r->finished; client; client = client_link(client)->next)
		stats_add(total, client_stats(client));
	for (client = r->reaped; client; client = client_link(client)->next)
		stats_add(total, client_stats(client));
	pthread_mutex_unlock(&r->lock);
}
