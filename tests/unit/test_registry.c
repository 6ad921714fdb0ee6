/* SPDX-License-Identifier: MIT */
/*
 * Tests of server/registry, with clients that are a link and counters alone:
 * the sums never fall, whatever state a client is in.
 */
#include "server/registry.h"

#include <check.h>

#include "server/client.h"

struct client {
	struct client_link link;
	struct stats stats;
};

enum { BYTES = 1000 };

static struct registry *registry;
static struct client clients[3];
static uint64_t seen_in_join;

static uint64_t total_bytes(void)
{
	struct stats total = { 0 };

	registry_total(registry, &total);
	return counter_get(&total.rx_bytes);
}

/* What registry.c wants of a client. */
void client_join(struct client *client)
{
	(void)client;
	seen_in_join = total_bytes();
}

void client_put(struct client *client)
{
	client->stats = (struct stats){ 0 };
}

void client_shut(struct client *client, enum close_reason reason)
{
	(void)client;
	(void)reason;
}

struct client_link *client_link(struct client *client)
{
	return &client->link;
}

const struct stats *client_stats(const struct client *client)
{
	return &client->stats;
}

uint64_t client_accepted_ms(const struct client *client)
{
	(void)client;
	return 0;
}

static void set_up(void)
{
	int i;

	registry = registry_new();
	ck_assert_ptr_nonnull(registry);
	for (i = 0; i < 3; i++) {
		clients[i] = (struct client){ 0 };
		counter_add(&clients[i].stats.rx_bytes, BYTES);
		registry_add(registry, &clients[i]);
	}
	registry_joined(registry, &clients[1]);
}

static void tear_down(void)
{
	registry_free(registry);
}

START_TEST(registry_sums_do_not_fall_while_clients_are_reaped)
{
	ck_assert_uint_eq(total_bytes(), 3 * BYTES);
	registry_finish(registry, &clients[0], false, CLOSE_BY_PEER);
	registry_finish(registry, &clients[1], true, CLOSE_BY_PEER);
	ck_assert_uint_eq(total_bytes(), 3 * BYTES);
	registry_reap(registry);
	ck_assert_uint_eq(seen_in_join, 3 * BYTES);
	ck_assert_uint_eq(total_bytes(), 3 * BYTES);
	ck_assert_uint_eq(registry_count(registry), 1);
}
END_TEST

START_TEST(registry_counts_who_joined_and_why_they_left)
{
	struct registry_counts counts;

	registry_finish(registry, &clients[0], false, CLOSE_NOT_JOINED);
	registry_finish(registry, &clients[1], true, CLOSE_IDLE);
	registry_counts(registry, &counts);
	ck_assert_uint_eq(counts.joins, 1);
	ck_assert_uint_eq(counts.leaves[CLOSE_IDLE], 1);
	ck_assert_uint_eq(counts.leaves[CLOSE_NOT_JOINED], 0);
	ck_assert_uint_eq(counts.strangers[CLOSE_NOT_JOINED], 1);
	ck_assert_uint_eq(counts.strangers[CLOSE_IDLE], 0);
}
END_TEST

static Suite *registry_suite(void)
{
	Suite *suite = suite_create("registry");
	TCase *tc = tcase_create("registry");

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc,
		       registry_sums_do_not_fall_while_clients_are_reaped);
	tcase_add_test(tc, registry_counts_who_joined_and_why_they_left);
	suite_add_tcase(suite, tc);
	return suite;
}

int main(void)
{
	SRunner *runner = srunner_create(registry_suite());
	int failed;

	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
