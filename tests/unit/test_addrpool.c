/* SPDX-License-Identifier: MIT */
/* Tests of server/addrpool, among them against a naive model. */
#include "server/addrpool.h"

#include <check.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/proto_test.h"

enum {
	NETWORK = 0x0a000000,
	SERVER = 0x0a000001,
	BELOW = 0x09ffffff,
	MODEL_PREFIX = 27,
	MODEL_SLOTS = 1 << (32 - MODEL_PREFIX),
	MODEL_STEPS = 20000,
	N_THREADS = 4,
	N_ROUNDS = 2000,
};

static struct addrpool *new_pool(uint8_t prefix_len, uint32_t max_held)
{
	struct addrpool *pool = addrpool_new(NETWORK, prefix_len, SERVER);

	ck_assert_ptr_nonnull(pool);
	addrpool_set_max_held(pool, max_held);
	return pool;
}

static uint32_t take_any(struct addrpool *pool)
{
	uint32_t address = 0;

	ck_assert_int_eq(addrpool_take_any(pool, &address), ADDRPOOL_OK);
	return address;
}

START_TEST(addrpool_new_gives_the_lowest_free_addresses)
{
	struct addrpool *pool = new_pool(16, UINT32_MAX);

	ck_assert_uint_eq(take_any(pool), NETWORK + 2);
	ck_assert_uint_eq(take_any(pool), NETWORK + 3);
	ck_assert_uint_eq(addrpool_held(pool), 2);
	ck_assert_uint_eq(addrpool_size(pool), 65533);
	addrpool_free(pool);
}
END_TEST

START_TEST(addrpool_freed_address_rests_the_longest)
{
	struct addrpool *pool = new_pool(29, UINT32_MAX);	/* 2 to 6 */
	uint32_t i;

	for (i = 2; i <= 6; i++)
		ck_assert_uint_eq(take_any(pool), NETWORK + i);
	addrpool_release(pool, NETWORK + 4);
	addrpool_release(pool, NETWORK + 2);
	addrpool_release(pool, NETWORK + 6);
	ck_assert_uint_eq(take_any(pool), NETWORK + 4);
	addrpool_release(pool, NETWORK + 4);
	ck_assert_uint_eq(take_any(pool), NETWORK + 2);
	ck_assert_uint_eq(take_any(pool), NETWORK + 6);
	ck_assert_uint_eq(take_any(pool), NETWORK + 4);
	addrpool_free(pool);
}
END_TEST

START_TEST(addrpool_never_held_goes_before_freed)
{
	struct addrpool *pool = new_pool(29, UINT32_MAX);

	ck_assert_uint_eq(take_any(pool), NETWORK + 2);
	addrpool_release(pool, NETWORK + 2);
	ck_assert_uint_eq(take_any(pool), NETWORK + 3);
	addrpool_free(pool);
}
END_TEST

START_TEST(addrpool_static_is_passed_over_by_dynamic)
{
	struct addrpool *pool = new_pool(29, UINT32_MAX);

	ck_assert_int_eq(addrpool_take(pool, NETWORK + 2), ADDRPOOL_OK);
	ck_assert_int_eq(addrpool_take(pool, NETWORK + 4), ADDRPOOL_OK);
	addrpool_release(pool, NETWORK + 4);	/* rests before it was fresh */
	ck_assert_uint_eq(take_any(pool), NETWORK + 3);
	ck_assert_uint_eq(take_any(pool), NETWORK + 5);
	ck_assert_uint_eq(take_any(pool), NETWORK + 6);
	ck_assert_uint_eq(take_any(pool), NETWORK + 4);
	addrpool_free(pool);
}
END_TEST

START_TEST(addrpool_static_takes_out_of_the_middle_of_the_line)
{
	struct addrpool *pool = new_pool(29, UINT32_MAX);
	uint32_t i;

	for (i = 2; i <= 6; i++)
		take_any(pool);
	for (i = 2; i <= 6; i++)
		addrpool_release(pool, NETWORK + i);
	ck_assert_int_eq(addrpool_take(pool, NETWORK + 4), ADDRPOOL_OK);
	ck_assert_int_eq(addrpool_take(pool, NETWORK + 2), ADDRPOOL_OK);
	ck_assert_int_eq(addrpool_take(pool, NETWORK + 6), ADDRPOOL_OK);
	ck_assert_uint_eq(take_any(pool), NETWORK + 3);
	ck_assert_uint_eq(take_any(pool), NETWORK + 5);
	ck_assert_int_eq(addrpool_take_any(pool, &i), ADDRPOOL_EMPTY);
	addrpool_free(pool);
}
END_TEST

START_TEST(addrpool_static_held_by_another_is_taken)
{
	struct addrpool *pool = new_pool(16, UINT32_MAX);

	ck_assert_int_eq(addrpool_take(pool, NETWORK + 7), ADDRPOOL_OK);
	ck_assert_int_eq(addrpool_take(pool, NETWORK + 7), ADDRPOOL_TAKEN);
	ck_assert_int_eq(addrpool_take_instead(pool, NETWORK + 7),
			 ADDRPOOL_TAKEN);
	addrpool_release(pool, NETWORK + 7);
	ck_assert_int_eq(addrpool_take(pool, NETWORK + 7), ADDRPOOL_OK);
	addrpool_free(pool);
}
END_TEST

START_TEST(addrpool_reserved_and_foreign_are_not_allowed)
{
	static const uint32_t bad[] = {
		NETWORK, SERVER, NETWORK + 0xffff, NETWORK + 0x10000, BELOW,
		0, UINT32_MAX,
	};
	struct addrpool *pool = new_pool(16, UINT32_MAX);
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ck_assert_int_eq(addrpool_take(pool, bad[i]),
				 ADDRPOOL_NOT_ALLOWED);
		ck_assert_int_eq(addrpool_take_instead(pool, bad[i]),
				 ADDRPOOL_NOT_ALLOWED);
	}
	ck_assert_uint_eq(addrpool_held(pool), 0);
	addrpool_free(pool);
}
END_TEST

START_TEST(addrpool_server_need_not_be_the_first)
{
	struct addrpool *pool = addrpool_new(NETWORK, 29, NETWORK + 3);

	ck_assert_ptr_nonnull(pool);
	ck_assert_uint_eq(take_any(pool), NETWORK + 1);
	ck_assert_uint_eq(take_any(pool), NETWORK + 2);
	ck_assert_uint_eq(take_any(pool), NETWORK + 4);
	ck_assert_int_eq(addrpool_take(pool, NETWORK + 3),
			 ADDRPOOL_NOT_ALLOWED);
	addrpool_free(pool);
}
END_TEST

START_TEST(addrpool_smallest_network_has_one_address)
{
	struct addrpool *pool = new_pool(ADDRPOOL_MAX_PREFIX, UINT32_MAX);
	uint32_t address = 99;

	ck_assert_uint_eq(addrpool_size(pool), 1);
	ck_assert_uint_eq(take_any(pool), NETWORK + 2);
	ck_assert_int_eq(addrpool_take_any(pool, &address), ADDRPOOL_EMPTY);
	ck_assert_uint_eq(address, 99);
	addrpool_release(pool, NETWORK + 2);
	ck_assert_uint_eq(take_any(pool), NETWORK + 2);
	addrpool_free(pool);
}
END_TEST

START_TEST(addrpool_largest_network_works_at_both_ends)
{
	struct addrpool *pool = new_pool(ADDRPOOL_MIN_PREFIX, UINT32_MAX);

	ck_assert_uint_eq(addrpool_size(pool), (1U << 24) - 3);
	ck_assert_int_eq(addrpool_take(pool, NETWORK + 0xfffffe),
			 ADDRPOOL_OK);
	ck_assert_int_eq(addrpool_take(pool, NETWORK + 0xffffff),
			 ADDRPOOL_NOT_ALLOWED);
	ck_assert_uint_eq(take_any(pool), NETWORK + 2);
	addrpool_release(pool, NETWORK + 0xfffffe);
	ck_assert_uint_eq(addrpool_held(pool), 1);
	addrpool_free(pool);
}
END_TEST

START_TEST(addrpool_full_at_max_held)
{
	struct addrpool *pool = new_pool(16, 2);
	uint32_t address = 99;

	take_any(pool);
	take_any(pool);
	ck_assert_int_eq(addrpool_take_any(pool, &address), ADDRPOOL_FULL);
	ck_assert_int_eq(addrpool_take(pool, NETWORK + 9), ADDRPOOL_FULL);
	ck_assert_uint_eq(address, 99);
	addrpool_release(pool, NETWORK + 2);
	ck_assert_int_eq(addrpool_take(pool, NETWORK + 9), ADDRPOOL_OK);
	addrpool_free(pool);
}
END_TEST

START_TEST(addrpool_take_instead_passes_max_held)
{
	struct addrpool *pool = new_pool(16, 1);
	uint32_t address;

	take_any(pool);
	ck_assert_int_eq(addrpool_take_instead(pool, NETWORK + 9),
			 ADDRPOOL_OK);
	addrpool_release(pool, NETWORK + 2);
	ck_assert_uint_eq(addrpool_held(pool), 1);
	ck_assert_int_eq(addrpool_take_any(pool, &address), ADDRPOOL_FULL);
	addrpool_free(pool);
}
END_TEST

START_TEST(addrpool_whole_network_is_given_once)
{
	struct addrpool *pool = new_pool(16, UINT32_MAX);
	bool *given = calloc(65536, sizeof(*given));
	uint32_t i, address = 0;

	ck_assert_ptr_nonnull(given);
	given[0] = given[1] = given[65535] = true;
	for (i = 0; i < 65533; i++) {
		address = take_any(pool) - NETWORK;
		ck_assert_uint_lt(address, 65536);
		ck_assert(!given[address]);
		given[address] = true;
	}
	ck_assert_int_eq(addrpool_take_any(pool, &address), ADDRPOOL_EMPTY);
	ck_assert_uint_eq(addrpool_held(pool), 65533);
	free(given);
	addrpool_free(pool);
}
END_TEST

/* ---- Against a model that knows when each address was last let go ---- */

struct model {
	bool held[MODEL_SLOTS];
	uint32_t freed[MODEL_SLOTS];	/* step; 0: never held */
	uint32_t n_held, max_held, step;
};

static bool model_reserved(uint32_t i)
{
	return i == 0 || i == SERVER - NETWORK || i == MODEL_SLOTS - 1;
}

/* The free address unused for the longest, the lowest of equals; 0: none. */
static uint32_t model_oldest(const struct model *m)
{
	uint32_t i, best = 0;

	for (i = 0; i < MODEL_SLOTS; i++)
		if (!model_reserved(i) && !m->held[i] &&
		    (best == 0 || m->freed[i] < m->freed[best]))
			best = i;
	return best;
}

static void model_hold(struct model *m, uint32_t i)
{
	m->held[i] = true;
	m->n_held++;
}

static void step_take_any(struct model *m, struct addrpool *pool)
{
	uint32_t expected = model_oldest(m), address = 0;
	enum addrpool_result result = addrpool_take_any(pool, &address);

	if (expected == 0) {
		ck_assert_int_eq(result, ADDRPOOL_EMPTY);
	} else if (m->n_held >= m->max_held) {
		ck_assert_int_eq(result, ADDRPOOL_FULL);
	} else {
		ck_assert_int_eq(result, ADDRPOOL_OK);
		ck_assert_uint_eq(address, NETWORK + expected);
		model_hold(m, expected);
	}
}

static void step_take(struct model *m, struct addrpool *pool, uint32_t i,
		      bool instead)
{
	enum addrpool_result expected = ADDRPOOL_OK, result;

	result = instead ? addrpool_take_instead(pool, NETWORK + i) :
			   addrpool_take(pool, NETWORK + i);
	if (i >= MODEL_SLOTS || model_reserved(i))
		expected = ADDRPOOL_NOT_ALLOWED;
	else if (m->held[i])
		expected = ADDRPOOL_TAKEN;
	else if (!instead && m->n_held >= m->max_held)
		expected = ADDRPOOL_FULL;
	ck_assert_int_eq(result, expected);
	if (result == ADDRPOOL_OK)
		model_hold(m, i);
}

static void step_release(struct model *m, struct addrpool *pool, uint32_t i)
{
	if (!m->held[i % MODEL_SLOTS])
		return;
	i %= MODEL_SLOTS;
	addrpool_release(pool, NETWORK + i);
	m->held[i] = false;
	m->freed[i] = m->step;
	m->n_held--;
}

static void run_model(uint64_t *seed)
{
	struct model m = { .max_held = 1 + random_below(seed, MODEL_SLOTS) };
	struct addrpool *pool = new_pool(MODEL_PREFIX, m.max_held);
	uint32_t i;

	for (m.step = 1; m.step <= MODEL_STEPS / 10; m.step++) {
		i = random_below(seed, MODEL_SLOTS + 2);
		switch (random_below(seed, 5)) {
		case 0:
			step_take(&m, pool, i, false);
			break;
		case 1:
			if (m.n_held > 0)
				step_take(&m, pool, i, true);
			break;
		case 2:
			step_take_any(&m, pool);
			break;
		default:
			step_release(&m, pool, i);
			break;
		}
		ck_assert_uint_eq(addrpool_held(pool), m.n_held);
	}
	addrpool_free(pool);
}

START_TEST(addrpool_random_calls_agree_with_the_model)
{
	uint64_t seed = random_seed("addrpool");
	int i;

	for (i = 0; i < 10; i++)
		run_model(&seed);
}
END_TEST

/* ---- Threads ---- */

struct worker {
	pthread_t thread;
	struct addrpool *pool;
	_Atomic uint32_t *holders;	/* of every address */
	bool clashed;
};

static void *work(void *arg)
{
	struct worker *w = arg;
	uint32_t address;
	int i;

	for (i = 0; i < N_ROUNDS; i++) {
		if (addrpool_take_any(w->pool, &address) != ADDRPOOL_OK)
			continue;
		if (w->holders[address - NETWORK]++ != 0)
			w->clashed = true;
		w->holders[address - NETWORK]--;
		addrpool_release(w->pool, address);
	}
	return NULL;
}

START_TEST(addrpool_threads_never_hold_the_same_address)
{
	static _Atomic uint32_t holders[8];
	struct worker workers[N_THREADS] = { 0 };
	struct addrpool *pool = new_pool(29, UINT32_MAX);
	int i;

	for (i = 0; i < N_THREADS; i++) {
		workers[i].pool = pool;
		workers[i].holders = holders;
		ck_assert_int_eq(pthread_create(&workers[i].thread, NULL, work,
						&workers[i]), 0);
	}
	for (i = 0; i < N_THREADS; i++) {
		pthread_join(workers[i].thread, NULL);
		ck_assert(!workers[i].clashed);
	}
	ck_assert_uint_eq(addrpool_held(pool), 0);
	addrpool_free(pool);
}
END_TEST

START_TEST(addrpool_wait_ends_at_once_or_at_its_bound)
{
	struct addrpool *pool = new_pool(29, UINT32_MAX);

	ck_assert(addrpool_wait(pool, NETWORK + 2, 3600 * 1000));
	take_any(pool);
	ck_assert(!addrpool_wait(pool, NETWORK + 2, 1));
	addrpool_release(pool, NETWORK + 2);
	ck_assert(addrpool_wait(pool, NETWORK + 2, 3600 * 1000));
	addrpool_free(pool);
}
END_TEST

static void *release_the_first(void *arg)
{
	addrpool_release(arg, NETWORK + 3);	/* not the one */
	addrpool_release(arg, NETWORK + 2);
	return NULL;
}

START_TEST(addrpool_wait_ends_with_the_release)
{
	struct addrpool *pool = new_pool(29, UINT32_MAX);
	pthread_t thread;

	take_any(pool);
	take_any(pool);
	ck_assert_int_eq(pthread_create(&thread, NULL, release_the_first,
					pool), 0);
	ck_assert(addrpool_wait(pool, NETWORK + 2, 3600 * 1000));
	pthread_join(thread, NULL);
	addrpool_free(pool);
}
END_TEST

static Suite *addrpool_suite(void)
{
	Suite *suite = suite_create("addrpool");
	TCase *tc = tcase_create("addrpool");

	tcase_add_test(tc, addrpool_new_gives_the_lowest_free_addresses);
	tcase_add_test(tc, addrpool_freed_address_rests_the_longest);
	tcase_add_test(tc, addrpool_never_held_goes_before_freed);
	tcase_add_test(tc, addrpool_static_is_passed_over_by_dynamic);
	tcase_add_test(tc,
		       addrpool_static_takes_out_of_the_middle_of_the_line);
	tcase_add_test(tc, addrpool_static_held_by_another_is_taken);
	tcase_add_test(tc, addrpool_reserved_and_foreign_are_not_allowed);
	tcase_add_test(tc, addrpool_server_need_not_be_the_first);
	tcase_add_test(tc, addrpool_smallest_network_has_one_address);
	tcase_add_test(tc, addrpool_largest_network_works_at_both_ends);
	tcase_add_test(tc, addrpool_full_at_max_held);
	tcase_add_test(tc, addrpool_take_instead_passes_max_held);
	tcase_add_test(tc, addrpool_whole_network_is_given_once);
	tcase_add_test(tc, addrpool_random_calls_agree_with_the_model);
	tcase_add_test(tc, addrpool_threads_never_hold_the_same_address);
	tcase_add_test(tc, addrpool_wait_ends_at_once_or_at_its_bound);
	tcase_add_test(tc, addrpool_wait_ends_with_the_release);
	suite_add_tcase(suite, tc);
	return suite;
}

int main(void)
{
	SRunner *runner = srunner_create(addrpool_suite());
	int failed;

	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
