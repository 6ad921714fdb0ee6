/* SPDX-License-Identifier: MIT */
/* Tests of server/route: references, and threads that come and go. */
#include "server/route.h"

#include <check.h>
#include <pthread.h>
#include <string.h>

#include "server/endpoint.h"
#include "tests/unit/proto_test.h"

enum {
	NETWORK = 0x0a000000,
	N_FAKES = 8,
	N_SLOTS = 64,		/* addresses of the network that are used */
	MODEL_STEPS = 20000,
	N_THREADS = 4,
	N_ROUNDS = 5000,
};

/* An endpoint that only counts how often it was released. */
struct fake {
	struct endpoint endpoint;
	_Atomic uint32_t n_released;
};

static void fake_released(struct endpoint *e)
{
	struct fake *fake = (struct fake *)(void *)e;

	atomic_fetch_add(&fake->n_released, 1);
}

static void fake_init(struct fake *fake)
{
	memset(fake, 0, sizeof(*fake));
	fake->endpoint.references = 1;
	fake->endpoint.release = fake_released;
}

static struct route_table *new_table(void)
{
	struct route_table *table = route_new(NETWORK, 16);

	ck_assert_ptr_nonnull(table);
	return table;
}

START_TEST(route_added_is_found_with_a_reference)
{
	struct route_table *table = new_table();
	struct fake fake;

	fake_init(&fake);
	route_add(table, NETWORK + 7, &fake.endpoint);
	ck_assert_uint_eq(fake.endpoint.references, 2);
	ck_assert_ptr_eq(route_get(table, NETWORK + 7), &fake.endpoint);
	ck_assert_uint_eq(fake.endpoint.references, 3);
	ck_assert_ptr_null(route_get(table, NETWORK + 8));
	ck_assert_ptr_null(route_get(table, NETWORK + 7 + 256));
	endpoint_put(&fake.endpoint);
	route_remove(table, NETWORK + 7, &fake.endpoint);
	ck_assert_ptr_null(route_get(table, NETWORK + 7));
	ck_assert_uint_eq(fake.endpoint.references, 1);
	route_free(table);
}
END_TEST

START_TEST(route_out_of_the_network_is_null)
{
	struct route_table *table = new_table();
	struct fake fake;

	fake_init(&fake);
	route_add(table, NETWORK, &fake.endpoint);
	route_add(table, NETWORK + 0xffff, &fake.endpoint);
	ck_assert_ptr_null(route_get(table, NETWORK - 1));
	ck_assert_ptr_null(route_get(table, NETWORK + 0x10000));
	ck_assert_ptr_null(route_get(table, 0));
	ck_assert_ptr_null(route_get(table, UINT32_MAX));
	route_remove(table, NETWORK, &fake.endpoint);
	route_remove(table, NETWORK + 0xffff, &fake.endpoint);
	ck_assert_uint_eq(fake.endpoint.references, 1);
	route_free(table);
}
END_TEST

START_TEST(route_removing_anothers_slot_does_nothing)
{
	struct route_table *table = new_table();
	struct fake old, new;

	fake_init(&old);
	fake_init(&new);
	route_add(table, NETWORK + 7, &new.endpoint);
	route_remove(table, NETWORK + 7, &old.endpoint);
	ck_assert_ptr_eq(route_get(table, NETWORK + 7), &new.endpoint);
	endpoint_put(&new.endpoint);
	ck_assert_uint_eq(old.endpoint.references, 1);
	route_remove(table, NETWORK + 7, &new.endpoint);
	route_remove(table, NETWORK + 7, &new.endpoint);
	ck_assert_uint_eq(new.endpoint.references, 1);
	route_free(table);
}
END_TEST

START_TEST(route_adding_over_another_lets_it_go)
{
	struct route_table *table = new_table();
	struct fake old, new;

	fake_init(&old);
	fake_init(&new);
	route_add(table, NETWORK + 7, &old.endpoint);
	endpoint_put(&old.endpoint);
	ck_assert_uint_eq(old.n_released, 0);
	route_add(table, NETWORK + 7, &new.endpoint);
	ck_assert_uint_eq(old.n_released, 1);
	route_remove(table, NETWORK + 7, &new.endpoint);
	route_free(table);
}
END_TEST

START_TEST(route_lookup_outlives_the_removal)
{
	struct route_table *table = new_table();
	struct endpoint *found;
	struct fake fake;

	fake_init(&fake);
	route_add(table, NETWORK + 7, &fake.endpoint);
	found = route_get(table, NETWORK + 7);
	route_remove(table, NETWORK + 7, &fake.endpoint);
	endpoint_put(&fake.endpoint);
	ck_assert_uint_eq(fake.n_released, 0);
	endpoint_put(found);
	ck_assert_uint_eq(fake.n_released, 1);
	route_free(table);
}
END_TEST

START_TEST(route_smallest_and_largest_network)
{
	struct route_table *small = route_new(NETWORK, 30);
	struct route_table *large = route_new(NETWORK, 8);
	struct fake fake;

	fake_init(&fake);
	route_add(small, NETWORK + 3, &fake.endpoint);
	ck_assert_ptr_null(route_get(small, NETWORK + 4));
	route_remove(small, NETWORK + 3, &fake.endpoint);
	route_add(large, NETWORK + 0xfffffe, &fake.endpoint);
	ck_assert_ptr_nonnull(route_get(large, NETWORK + 0xfffffe));
	endpoint_put(&fake.endpoint);
	route_remove(large, NETWORK + 0xfffffe, &fake.endpoint);
	route_free(small);
	route_free(large);
	route_free(NULL);
}
END_TEST

/* The references that each fake should have, beside the test's own. */
static void check_references(const struct fake *fakes,
			     struct fake *const *slots)
{
	uint32_t n, i, j;

	for (i = 0; i < N_FAKES; i++) {
		n = 1;
		for (j = 0; j < N_SLOTS; j++)
			n += slots[j] == &fakes[i];
		ck_assert_uint_eq(fakes[i].endpoint.references, n);
	}
}

static void model_step(struct route_table *table, struct fake *fakes,
		       struct fake **slots, uint64_t *seed)
{
	uint32_t i = random_below(seed, N_SLOTS);
	struct fake *fake = &fakes[random_below(seed, N_FAKES)];
	struct endpoint *found;

	switch (random_below(seed, 3)) {
	case 0:
		route_add(table, NETWORK + i, &fake->endpoint);
		slots[i] = fake;
		break;
	case 1:
		route_remove(table, NETWORK + i, &fake->endpoint);
		if (slots[i] == fake)
			slots[i] = NULL;
		break;
	default:
		found = route_get(table, NETWORK + i);
		ck_assert_ptr_eq(found, slots[i] ? &slots[i]->endpoint : NULL);
		if (found)
			endpoint_put(found);
	}
}

START_TEST(route_random_calls_agree_with_an_array)
{
	uint64_t seed = random_seed("route");
	struct route_table *table = new_table();
	struct fake fakes[N_FAKES], *slots[N_SLOTS] = { 0 };
	uint32_t i;

	for (i = 0; i < N_FAKES; i++)
		fake_init(&fakes[i]);
	for (i = 0; i < MODEL_STEPS; i++) {
		model_step(table, fakes, slots, &seed);
		if (i % 64 == 0)
			check_references(fakes, slots);
	}
	for (i = 0; i < N_SLOTS; i++)
		if (slots[i])
			route_remove(table, NETWORK + i, &slots[i]->endpoint);
	for (i = 0; i < N_FAKES; i++)
		ck_assert_uint_eq(fakes[i].endpoint.references, 1);
	route_free(table);
}
END_TEST

/* ---- Threads: each joins and leaves, and looks all others up ---- */

struct worker {
	pthread_t thread;
	struct route_table *table;
	uint32_t number;
	struct fake fakes[N_ROUNDS / 100];
	bool found_released;
};

static void look_up_all(struct worker *w)
{
	struct endpoint *e;
	uint32_t i;

	for (i = 0; i < N_THREADS; i++) {
		e = route_get(w->table, NETWORK + i * 256);
		if (!e)
			continue;
		if (((struct fake *)(void *)e)->n_released != 0)
			w->found_released = true;
		endpoint_put(e);
	}
}

static void *work(void *arg)
{
	struct worker *w = arg;
	uint32_t address = NETWORK + w->number * 256;	/* all of one stripe */
	struct fake *fake = NULL;
	int i;

	for (i = 0; i < N_ROUNDS; i++) {
		if (i % 100 == 0) {
			fake = &w->fakes[i / 100];
			fake_init(fake);
			route_add(w->table, address, &fake->endpoint);
		}
		look_up_all(w);
		if (i % 100 == 99) {
			route_remove(w->table, address, &fake->endpoint);
			endpoint_put(&fake->endpoint);
		}
	}
	return NULL;
}

START_TEST(route_threads_release_each_endpoint_once)
{
	static struct worker workers[N_THREADS];
	struct route_table *table = new_table();
	uint32_t i, j;

	for (i = 0; i < N_THREADS; i++) {
		workers[i].table = table;
		workers[i].number = i;
		ck_assert_int_eq(pthread_create(&workers[i].thread, NULL, work,
						&workers[i]), 0);
	}
	for (i = 0; i < N_THREADS; i++)
		pthread_join(workers[i].thread, NULL);
	for (i = 0; i < N_THREADS; i++) {
		ck_assert(!workers[i].found_released);
		for (j = 0; j < N_ROUNDS / 100; j++)
			ck_assert_uint_eq(workers[i].fakes[j].n_released, 1);
	}
	route_free(table);
}
END_TEST

static Suite *route_suite(void)
{
	Suite *suite = suite_create("route");
	TCase *tc = tcase_create("route");

	tcase_add_test(tc, route_added_is_found_with_a_reference);
	tcase_add_test(tc, route_out_of_the_network_is_null);
	tcase_add_test(tc, route_removing_anothers_slot_does_nothing);
	tcase_add_test(tc, route_adding_over_another_lets_it_go);
	tcase_add_test(tc, route_lookup_outlives_the_removal);
	tcase_add_test(tc, route_smallest_and_largest_network);
	tcase_add_test(tc, route_random_calls_agree_with_an_array);
	tcase_add_test(tc, route_threads_release_each_endpoint_once);
	suite_add_tcase(suite, tc);
	return suite;
}

int main(void)
{
	SRunner *runner = srunner_create(route_suite());
	int failed;

	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
