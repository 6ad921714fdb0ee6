/* SPDX-License-Identifier: MIT */
/* From an address of the tunnel's network to the endpoint that holds it. */
#include "server/route.h"

#include <pthread.h>
#include <stdlib.h>

#include "server/endpoint.h"

enum { N_STRIPES = 256 };	/* neighbours in use share no lock */

struct stripe {
	_Alignas(64) pthread_mutex_t lock;	/* a cache line each */
};

struct route_table {
	struct stripe stripes[N_STRIPES];
	uint32_t network;		/* [I] */
	uint32_t n_slots;		/* [I] */
	struct endpoint **slots;	/* each under its stripe's lock */
};

struct route_table *route_new(uint32_t network, uint8_t prefix_len)
{
	struct route_table *table;
	int i;

	table = aligned_alloc(_Alignof(struct route_table), sizeof(*table));
	if (!table)
		return NULL;
	table->network = network;
	table->n_slots = (uint32_t)1 << (32 - prefix_len);
	table->slots = calloc(table->n_slots, sizeof(struct endpoint *));
	if (!table->slots) {
		free(table);
		return NULL;
	}
	for (i = 0; i < N_STRIPES; i++)
		pthread_mutex_init(&table->stripes[i].lock, NULL);
	return table;
}

void route_free(struct route_table *table)
{
	int i;

	if (!table)
		return;
	for (i = 0; i < N_STRIPES; i++)
		pthread_mutex_destroy(&table->stripes[i].lock);
	free(table->slots);
	free(table);
}

static pthread_mutex_t *slot_lock(struct route_table *table, uint32_t address)
{
	return &table->stripes[address % N_STRIPES].lock;
}

void route_add(struct route_table *table, uint32_t address, struct endpoint *e)
{
	pthread_mutex_t *lock = slot_lock(table, address);
	struct endpoint **slot = &table->slots[address - table->network];
	struct endpoint *old;

	pthread_mutex_lock(lock);
	old = *slot;
	*slot = endpoint_get(e);
	pthread_mutex_unlock(lock);
	if (old)
		endpoint_put(old);
}

void route_remove(struct route_table *table, uint32_t address,
		  const struct endpoint *e)
{
	pthread_mutex_t *lock = slot_lock(table, address);
	struct endpoint **slot = &table->slots[address - table->network];
	struct endpoint *old = NULL;

	pthread_mutex_lock(lock);
	if (*slot == e) {
		old = *slot;
		*slot = NULL;
	}
	pthread_mutex_unlock(lock);
	if (old)
		endpoint_put(old);
}

struct endpoint *route_get(struct route_table *table, uint32_t address)
{
	pthread_mutex_t *lock = slot_lock(table, address);
	struct endpoint *e;

	if (address - table->network >= table->n_slots)
		return NULL;
	pthread_mutex_lock(lock);
	e = table->slots[address - table->network];
	if (e)
		endpoint_get(e);
	pthread_mutex_unlock(lock);
	return e;
}
