/* SPDX-License-Identifier: MIT */
/*
 * Which addresses of the tunnel's network are held.
 *
 * Theory of operation: addresses are counted from the network's own, which is
 * index 0.  Those that have never been held are not in any list: `fresh` is
 * the lowest index that has not been looked at, and it only rises, so making a
 * pool of sixteen million addresses costs nothing.  Those that were held once
 * and are free again stand in a doubly linked list, longest unused first, so
 * that a static request can take one out of its middle.  Fresh addresses have
 * been unused for longer than any in the list, so they go first; a fresh index
 * that a static request took meanwhile is passed over once.  Index 0 is never
 * given, so 0 serves as the end of the list.
 */
#include "server/addrpool.h"

#include <pthread.h>
#include <stdlib.h>

#include "common/clock.h"

enum slot_state { SLOT_FRESH, SLOT_RESERVED, SLOT_HELD, SLOT_RESTING };

struct slot {
	uint32_t previous, next;	/* while SLOT_RESTING */
	uint8_t state;
};

struct addrpool {
	pthread_mutex_t lock;
	pthread_cond_t released;	/* with lock; if n_waiting */
	uint32_t network;	/* [I] */
	uint32_t n_slots;	/* [I] */
	uint32_t size;		/* [I] */
	uint32_t max_held;	/* [lock] and so all below */
	uint32_t fresh;
	uint32_t oldest, newest;	/* ends of the resting list; 0: empty */
	uint32_t n_held;
	uint32_t n_waiting;	/* threads in addrpool_wait() */
	struct slot slots[];
};

struct addrpool *addrpool_new(uint32_t network, uint8_t prefix_len,
			      uint32_t server)
{
	uint32_t n_slots = (uint32_t)1 << (32 - prefix_len);
	struct addrpool *pool;

	pool = calloc(1, sizeof(*pool) + n_slots * sizeof(pool->slots[0]));
	if (!pool)
		return NULL;
	pthread_mutex_init(&pool->lock, NULL);
	pthread_cond_init(&pool->released, NULL);
	pool->network = network;
	pool->n_slots = n_slots;
	pool->max_held = UINT32_MAX;
	pool->size = n_slots - 3;
	pool->fresh = 1;
	pool->slots[0].state = SLOT_RESERVED;
	pool->slots[n_slots - 1].state = SLOT_RESERVED;
	pool->slots[server - network].state = SLOT_RESERVED;
	return pool;
}

void addrpool_free(struct addrpool *pool)
{
	if (!pool)
		return;
	pthread_cond_destroy(&pool->released);
	pthread_mutex_destroy(&pool->lock);
	free(pool);
}

static void list_remove(struct addrpool *pool, uint32_t index)
{
	struct slot *slot = &pool->slots[index];

	if (slot->previous)
		pool->slots[slot->previous].next = slot->next;
	else
		pool->oldest = slot->next;
	if (slot->next)
		pool->slots[slot->next].previous = slot->previous;
	else
		pool->newest = slot->previous;
}

static void list_append(struct addrpool *pool, uint32_t index)
{
	struct slot *slot = &pool->slots[index];

	slot->previous = pool->newest;
	slot->next = 0;
	if (pool->newest)
		pool->slots[pool->newest].next = index;
	else
		pool->oldest = index;
	pool->newest = index;
}

/* The index that has been unused the longest, not in the list; 0: none. */
static uint32_t pick_locked(struct addrpool *pool)
{
	uint32_t index;

	while (pool->fresh < pool->n_slots) {
		index = pool->fresh++;
		if (pool->slots[index].state == SLOT_FRESH)
			return index;
	}
	index = pool->oldest;
	if (index)
		list_remove(pool, index);
	return index;
}

static void hold_locked(struct addrpool *pool, uint32_t index)
{
	pool->slots[index].state = SLOT_HELD;
	pool->n_held++;
}

enum addrpool_result addrpool_take_any(struct addrpool *pool,
				       uint32_t *address)
{
	enum addrpool_result result = ADDRPOOL_OK;
	uint32_t index;

	pthread_mutex_lock(&pool->lock);
	if (pool->n_held >= pool->size) {
		result = ADDRPOOL_EMPTY;
	} else if (pool->n_held >= pool->max_held) {
		result = ADDRPOOL_FULL;
	} else {
		index = pick_locked(pool);
		hold_locked(pool, index);
		*address = pool->network + index;
	}
	pthread_mutex_unlock(&pool->lock);
	return result;
}

static enum addrpool_result take(struct addrpool *pool, uint32_t address,
				 bool instead)
{
	uint32_t index = address - pool->network;
	enum addrpool_result result = ADDRPOOL_OK;
	struct slot *slot;

	if (index >= pool->n_slots)	/* below the network: wraps around */
		return ADDRPOOL_NOT_ALLOWED;
	slot = &pool->slots[index];
	pthread_mutex_lock(&pool->lock);
	if (slot->state == SLOT_RESERVED) {
		result = ADDRPOOL_NOT_ALLOWED;
	} else if (slot->state == SLOT_HELD) {
		result = ADDRPOOL_TAKEN;
	} else if (!instead && pool->n_held >= pool->max_held) {
		result = ADDRPOOL_FULL;
	} else {
		if (slot->state == SLOT_RESTING)
			list_remove(pool, index);
		hold_locked(pool, index);
	}
	pthread_mutex_unlock(&pool->lock);
	return result;
}

enum addrpool_result addrpool_take(struct addrpool *pool, uint32_t address)
{
	return take(pool, address, false);
}

enum addrpool_result addrpool_take_instead(struct addrpool *pool,
					   uint32_t address)
{
	return take(pool, address, true);
}

void addrpool_release(struct addrpool *pool, uint32_t address)
{
	uint32_t index = address - pool->network;

	pthread_mutex_lock(&pool->lock);
	pool->slots[index].state = SLOT_RESTING;
	list_append(pool, index);
	pool->n_held--;
	if (pool->n_waiting > 0)
		pthread_cond_broadcast(&pool->released);
	pthread_mutex_unlock(&pool->lock);
}

bool addrpool_wait(struct addrpool *pool, uint32_t address,
		   uint32_t timeout_ms)
{
	const struct slot *slot = &pool->slots[address - pool->network];
	struct timespec deadline = clock_deadline(timeout_ms);
	int error = 0;
	bool is_free;

	pthread_mutex_lock(&pool->lock);
	pool->n_waiting++;
	while (slot->state == SLOT_HELD && error == 0)
		error = pthread_cond_clockwait(&pool->released, &pool->lock,
					       CLOCK_MONOTONIC, &deadline);
	pool->n_waiting--;
	is_free = slot->state != SLOT_HELD;
	pthread_mutex_unlock(&pool->lock);
	return is_free;
}

void addrpool_set_max_held(struct addrpool *pool, uint32_t max_held)
{
	pthread_mutex_lock(&pool->lock);
	pool->max_held = max_held;
	pthread_mutex_unlock(&pool->lock);
}

uint32_t addrpool_held(struct addrpool *pool)
{
	uint32_t n;

	pthread_mutex_lock(&pool->lock);
	n = pool->n_held;
	pthread_mutex_unlock(&pool->lock);
	return n;
}

uint32_t addrpool_size(const struct addrpool *pool)
{
	return pool->size;
}
