/* SPDX-License-Identifier: MIT */
/* Limits before trust; admission.h has the theory of operation. */
#include "server/admission.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum {
	N_BUCKETS = 4096,	/* power of two */
	BUCKET_SIZE = 4,
	KEY_LEN = 9,		/* family and eight bytes of the address */
	LEAVING = 256,		/* strangers shut, whose threads still end */
	TOKEN = 1000,		/* of one connection: rate x ms adds up */
};

struct admission_source {
	uint8_t key[KEY_LEN];
	bool used;
	uint32_t n_pending;
	uint32_t n_clients;
	uint64_t tokens;
	uint64_t seen_ms;	/* tokens are as of then */
	uint64_t penalty_end_ms;	/* in the past: none */
};

struct admission {
	uint64_t seed[2];		/* [I] nobody can aim at a bucket */
	pthread_mutex_t lock;
	struct admission_limits limits;	/* [lock] and so all below */
	uint32_t n_pending;
	uint64_t n_verdicts[ADMISSION_N_VERDICTS];
	struct admission_source sources[N_BUCKETS][BUCKET_SIZE];
};

static const struct {
	const char *name, *text;
} verdicts[] = {
	[ADMISSION_OK] = { "accepted", "accepted" },
	[ADMISSION_TOO_MANY] = { "pending",
		"too many connections without an address" },
	[ADMISSION_TOO_MANY_OF_SOURCE] = { "pending_of_source",
		"too many connections without an address from there" },
	[ADMISSION_TOO_FAST] = { "rate",
		"connections from there come too fast" },
	[ADMISSION_PENALTY] = { "penalty",
		"too many bad connections from there lately" },
	[ADMISSION_CLIENTS_OF_SOURCE] = { "clients_of_source",
		"too many clients from there" },
	[ADMISSION_NO_RESOURCES] = { "resources",
		"no descriptor, thread or memory for it" },
};

_Static_assert(sizeof(verdicts) / sizeof(verdicts[0]) ==
	       ADMISSION_N_VERDICTS, "every verdict has a text");

const char *admission_verdict_name(enum admission_verdict verdict)
{
	return verdicts[verdict].name;
}

const char *admission_verdict_text(enum admission_verdict verdict)
{
	return verdicts[verdict].text;
}

struct admission *admission_new(const uint64_t seed[2])
{
	struct admission *a = calloc(1, sizeof(*a));

	if (!a)
		return NULL;
	a->seed[0] = seed[0];
	a->seed[1] = seed[1];
	pthread_mutex_init(&a->lock, NULL);
	return a;
}

void admission_set_limits(struct admission *a,
			  const struct admission_limits *limits)
{
	pthread_mutex_lock(&a->lock);
	a->limits = *limits;
	pthread_mutex_unlock(&a->lock);
}

void admission_free(struct admission *a)
{
	if (!a)
		return;
	pthread_mutex_destroy(&a->lock);
	free(a);
}

/* An IPv4 address, mapped ones too, or the /64 of an IPv6 address. */
static void make_key(const struct sockaddr_storage *peer, uint8_t *key)
{
	const struct sockaddr_in6 *in6 = (const void *)peer;
	const struct sockaddr_in *in = (const void *)peer;

	memset(key, 0, KEY_LEN);
	if (peer->ss_family == AF_INET) {
		key[0] = 4;
		memcpy(key + 1, &in->sin_addr, 4);
	} else if (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr)) {
		key[0] = 4;
		memcpy(key + 1, &in6->sin6_addr.s6_addr[12], 4);
	} else {
		key[0] = 6;
		memcpy(key + 1, &in6->sin6_addr, 8);
	}
}

static uint32_t bucket_of(const struct admission *a, const uint8_t *key)
{
	uint64_t address, hash;

	memcpy(&address, key + 1, sizeof(address));
	hash = (address ^ a->seed[0]) * 0x9e3779b97f4a7c15U;
	hash = ((hash ^ hash >> 29) + key[0]) ^ a->seed[1];
	hash *= 0xd6e8feb86659fd93U;
	return (uint32_t)(hash >> 32) % N_BUCKETS;
}

static bool is_evictable(const struct admission_source *s, uint64_t now_ms)
{
	return s->n_pending == 0 && s->n_clients == 0 &&
	       s->penalty_end_ms <= now_ms;
}

/* The entry of key, a new one if there is room, or NULL. */
static struct admission_source *find_locked(struct admission *a,
					    const uint8_t *key,
					    uint64_t now_ms)
{
	struct admission_source *bucket = a->sources[bucket_of(a, key)];
	struct admission_source *place = NULL, *s;
	int i;

	for (i = 0; i < BUCKET_SIZE; i++) {
		s = &bucket[i];
		if (s->used && memcmp(s->key, key, KEY_LEN) == 0)
			return s;
		if (s->used && !is_evictable(s, now_ms))
			continue;
		if (!place || !s->used ||
		    (place->used && s->seen_ms < place->seen_ms))
			place = s;
	}
	if (!place)
		return NULL;
	memset(place, 0, sizeof(*place));
	memcpy(place->key, key, KEY_LEN);
	place->used = true;
	place->tokens = (uint64_t)a->limits.burst_source * TOKEN;
	place->seen_ms = now_ms;
	return place;
}

/* Random early drop: never below half the limit, always at the limit. */
static bool too_many_locked(const struct admission *a, uint32_t random)
{
	uint64_t half = a->limits.max_pending / 2;
	uint64_t span = a->limits.max_pending - half;

	if (a->n_pending < half)
		return false;
	return a->n_pending - half >= span ||
	       random % span < a->n_pending - half;
}

static bool take_token(const struct admission_limits *limits,
		       struct admission_source *s, uint64_t now_ms)
{
	uint64_t most = (uint64_t)limits->burst_source * TOKEN;

	if (limits->rate_source == 0)
		return true;
	s->tokens += (now_ms - s->seen_ms) * limits->rate_source;
	s->seen_ms = now_ms;
	if (s->tokens > most)
		s->tokens = most;
	if (s->tokens < TOKEN)
		return false;
	s->tokens -= TOKEN;
	return true;
}

static enum admission_verdict judge_source(const struct admission_limits *l,
					   struct admission_source *s,
					   uint64_t now_ms)
{
	if (s->penalty_end_ms >= now_ms + l->penalty_threshold_ms &&
	    s->penalty_end_ms > now_ms)
		return ADMISSION_PENALTY;
	if (s->n_pending >= l->max_pending_source)
		return ADMISSION_TOO_MANY_OF_SOURCE;
	if (l->max_clients_source != 0 &&
	    s->n_pending + s->n_clients >= l->max_clients_source)
		return ADMISSION_CLIENTS_OF_SOURCE;
	if (!take_token(l, s, now_ms))
		return ADMISSION_TOO_FAST;
	return ADMISSION_OK;
}

static struct admission_source *count_locked(struct admission *a,
					     struct admission_source *source)
{
	a->n_pending++;
	if (source)
		source->n_pending++;
	return source;
}

enum admission_verdict admission_accept(struct admission *a,
					const struct sockaddr_storage *peer,
					uint64_t now_ms, uint32_t random,
					struct admission_source **source)
{
	enum admission_verdict verdict = ADMISSION_OK;
	struct admission_source *s;
	uint8_t key[KEY_LEN];

	make_key(peer, key);
	*source = NULL;
	pthread_mutex_lock(&a->lock);
	s = find_locked(a, key, now_ms);
	if (s)
		verdict = judge_source(&a->limits, s, now_ms);
	if (verdict == ADMISSION_OK && too_many_locked(a, random))
		verdict = ADMISSION_TOO_MANY;
	a->n_verdicts[verdict]++;
	if (verdict == ADMISSION_OK)
		*source = count_locked(a, s);
	pthread_mutex_unlock(&a->lock);
	return verdict;
}

enum admission_verdict
admission_accept_instead(struct admission *a,
			 const struct sockaddr_storage *peer, uint64_t now_ms,
			 struct admission_source **source)
{
	enum admission_verdict verdict = ADMISSION_TOO_MANY;
	uint8_t key[KEY_LEN];

	make_key(peer, key);
	*source = NULL;
	pthread_mutex_lock(&a->lock);
	if (a->n_pending < (uint64_t)a->limits.max_pending + LEAVING) {
		verdict = ADMISSION_OK;
		a->n_verdicts[ADMISSION_TOO_MANY]--;
		a->n_verdicts[ADMISSION_OK]++;
		*source = count_locked(a, find_locked(a, key, now_ms));
	}
	pthread_mutex_unlock(&a->lock);
	return verdict;
}

void admission_joined(struct admission *a, struct admission_source *source)
{
	pthread_mutex_lock(&a->lock);
	a->n_pending--;
	if (source) {
		source->n_pending--;
		source->n_clients++;
	}
	pthread_mutex_unlock(&a->lock);
}

static void punish(const struct admission_limits *limits,
		   struct admission_source *s, uint64_t now_ms)
{
	if (s->penalty_end_ms < now_ms)
		s->penalty_end_ms = now_ms;
	s->penalty_end_ms += limits->penalty_ms;
	if (s->penalty_end_ms > now_ms + limits->penalty_max_ms)
		s->penalty_end_ms = now_ms + limits->penalty_max_ms;
}

void admission_left(struct admission *a, struct admission_source *source,
		    bool had_joined, bool offence, uint64_t now_ms)
{
	pthread_mutex_lock(&a->lock);
	if (!had_joined)
		a->n_pending--;
	if (source) {
		if (had_joined)
			source->n_clients--;
		else
			source->n_pending--;
		if (offence)
			punish(&a->limits, source, now_ms);
	}
	pthread_mutex_unlock(&a->lock);
}

void admission_count(struct admission *a, enum admission_verdict verdict)
{
	pthread_mutex_lock(&a->lock);
	a->n_verdicts[verdict]++;
	pthread_mutex_unlock(&a->lock);
}

void admission_counts(struct admission *a, struct admission_counts *counts)
{
	pthread_mutex_lock(&a->lock);
	counts->pending = a->n_pending;
	memcpy(counts->verdicts, a->n_verdicts, sizeof(counts->verdicts));
	pthread_mutex_unlock(&a->lock);
}

uint32_t admission_pending(struct admission *a)
{
	struct admission_counts counts;

	admission_counts(a, &counts);
	return counts.pending;
}
