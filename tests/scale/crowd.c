/* SPDX-License-Identifier: MIT */
/*
 * A crowd of clients for a hub, led by commands.
 *
 *	crowd [--process N] [--sources N] [--base PERCENT] [--static PERCENT]
 *	      [--narrow PERCENT] [--keepalive SECONDS] [--window N] [--seed N]
 *	      LEDGER ADDRESS PORT
 *
 * Theory of operation: one process holds up to CROWD_MAX clients, in one
 * thread, and several processes can share a ledger (ledger.h).  Commands are
 * read from stdin, one a line, and each is answered on stdout by one line of
 * key=value words that begins with "ok" or "failed".  While a command runs,
 * and between commands, all clients keep alive and come back by the rules of
 * the protocol.  Times are milliseconds of CLOCK_BOOTTIME, as in /proc/uptime.
 */
#include "tests/scale/crowd.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/clock.h"

enum {
	MAX_EVENTS = 256,
	SCAN_MS = 5,		/* a look at all deadlines, at most so often */
	TURN_MS = 20,
	LINE_LEN = 256,
	MAX_WORDS = 8,
	JOIN_BOUND_MS = 120000,
	VERIFY_BOUND_MS = 30000,
	STATIC_TOP = 0x0a00fffe,	/* static addresses, from there down */
	STATIC_EACH = 8000,		/* for each process */
};

static uint64_t next_scan_ms;

uint32_t crowd_random(struct crowd *crowd, uint32_t n)
{
	crowd->random ^= crowd->random << 13;
	crowd->random ^= crowd->random >> 7;
	crowd->random ^= crowd->random << 17;
	return (uint32_t)(crowd->random >> 32) % n;
}

/* --- the loop --- */

void crowd_schedule(struct peer *p)
{
	uint64_t due = peer_due_ms(p);

	p->crowd->due_ms[p->number] = due;
	if (due < next_scan_ms)
		next_scan_ms = due;
}

static void tick_all(struct crowd *crowd)
{
	static uint64_t last_ms;
	uint64_t now_ms = crowd->now_ms;
	uint32_t i;

	if (now_ms < next_scan_ms || now_ms < last_ms + SCAN_MS)
		return;
	last_ms = now_ms;
	for (i = 0; i < crowd->n; i++)
		if (crowd->due_ms[i] <= now_ms)
			peer_tick(&crowd->peers[i]);
	next_scan_ms = UINT64_MAX;
	for (i = 0; i < crowd->n; i++)
		if (crowd->due_ms[i] < next_scan_ms)
			next_scan_ms = crowd->due_ms[i];
}

void crowd_turn(struct crowd *crowd, uint32_t max_ms)
{
	struct epoll_event events[MAX_EVENTS];
	int n, i;

	n = epoll_wait(crowd->epoll, events, MAX_EVENTS, (int)max_ms);
	crowd->now_ms = clock_now_ms();
	for (i = 0; i < n; i++)
		if (events[i].data.ptr)
			peer_io(events[i].data.ptr, events[i].events);
	tick_all(crowd);
}

bool crowd_run(struct crowd *crowd, uint64_t ms,
	       bool (*done)(const struct crowd *crowd))
{
	uint64_t end_ms = clock_now_ms() + ms;

	for (;;) {
		if (done && done(crowd))
			return true;
		if (clock_now_ms() >= end_ms)
			return false;
		crowd_turn(crowd, SCAN_MS);
	}
}

/* --- commands: each prints its words --- */

static bool all_joined(const struct crowd *crowd)
{
	return crowd->n_joined == crowd->n;
}

static uint32_t fixed_address(struct crowd *crowd, uint32_t number)
{
	if (number >= STATIC_EACH ||
	    crowd_random(crowd, 100) >= crowd->static_percent)
		return 0;
	return STATIC_TOP - crowd->process * STATIC_EACH - number;
}

static bool run_join(struct crowd *crowd, const uint64_t *arg)
{
	uint64_t begin_ms = clock_now_ms();
	uint32_t target = crowd->n + (uint32_t)arg[0];
	struct peer *p;

	if (target > CROWD_MAX)
		target = CROWD_MAX;
	while (crowd->n < target &&
	       clock_now_ms() < begin_ms + JOIN_BOUND_MS) {
		while (crowd->n < target && crowd->n_joining < crowd->window) {
			p = &crowd->peers[crowd->n];
			peer_init(p, crowd, crowd->n,
				  fixed_address(crowd, crowd->n));
			crowd->n++;
			peer_connect(p);
		}
		crowd_turn(crowd, SCAN_MS);
	}
	crowd_run(crowd, JOIN_BOUND_MS, all_joined);
	printf(" begin_ms=%" PRIu64 " end_ms=%" PRIu64 " clients=%u joined=%u",
	       begin_ms, clock_now_ms(), crowd->n, crowd->n_joined);
	return all_joined(crowd);
}

static uint32_t n_confirmed, n_not_mine;

static void on_confirmed(struct peer *p)
{
	if (p->verified)
		return;
	p->verified = true;
	n_confirmed++;
	if (!ledger_holds(p->crowd->ledger, p->address, p->id))
		n_not_mine++;
}

static void ask_unverified(struct crowd *crowd)
{
	uint32_t i;

	for (i = 0; i < crowd->n; i++) {
		if (i % crowd->window == 0)
			crowd_turn(crowd, 1);
		if (!crowd->peers[i].verified)
			peer_ask(&crowd->peers[i], ASKED_AGAIN, 0);
	}
}

/* Who did not get an answer, for the reader of the log. */
static void print_unverified(const struct crowd *crowd)
{
	const struct peer *p;

	for (p = crowd->peers; p < crowd->peers + crowd->n; p++)
		if (!p->verified)
			fprintf(stderr, "unverified: peer %u state=%d "
				"asked=%d suspicion=%d base=%d narrow=%d "
				"deaf=%d mute=%d unsent=%zu rest=%zu\n",
				p->number, p->state, p->asked, p->suspicion,
				p->base, p->narrow, p->deaf, p->mute,
				p->out_len - p->out_sent, p->rest_len);
}

static void ask_all(struct crowd *crowd)
{
	uint64_t end_ms = clock_now_ms() + VERIFY_BOUND_MS;

	while (n_confirmed < crowd->n && clock_now_ms() < end_ms)
		ask_unverified(crowd);
}

/* A client that gets no answer connects again. */
static void reconnect_unverified(struct crowd *crowd)
{
	struct peer *p;

	for (p = crowd->peers; p < crowd->peers + crowd->n; p++) {
		if (p->verified)
			continue;
		if (p->state != PEER_DOWN)
			peer_close(p, false);
		p->retry_ms = clock_now_ms();
		crowd_schedule(p);
	}
	crowd_run(crowd, JOIN_BOUND_MS, all_joined);
}

/* Everybody asks the server which address it has. */
static bool run_verify(struct crowd *crowd, const uint64_t *arg)
{
	static const struct role verify = { .confirmed = on_confirmed };
	uint64_t wrong = crowd->tally.wrong_address;
	const struct role *before = crowd->role;
	uint32_t i, silent;

	(void)arg;
	crowd->role = &verify;
	n_confirmed = 0;
	n_not_mine = 0;
	for (i = 0; i < crowd->n; i++)
		crowd->peers[i].verified = false;
	ask_all(crowd);
	silent = crowd->n - n_confirmed;
	if (silent > 0) {
		print_unverified(crowd);
		reconnect_unverified(crowd);
		ask_all(crowd);
	}
	crowd->role = before;
	wrong = crowd->tally.wrong_address - wrong;
	printf(" joined=%u silent=%u verified=%u not_mine=%u "
	       "wrong_address=%" PRIu64, crowd->n_joined, silent, n_confirmed,
	       n_not_mine, wrong);
	return n_confirmed == crowd->n && n_not_mine == 0 && wrong == 0;
}

static bool run_serve(struct crowd *crowd, const uint64_t *arg)
{
	uint64_t keepalives = crowd->tally.keepalives;

	crowd_run(crowd, arg[0], NULL);
	printf(" joined=%u keepalives=%" PRIu64, crowd->n_joined,
	       crowd->tally.keepalives - keepalives);
	return all_joined(crowd);
}

static bool run_leave(struct crowd *crowd, const uint64_t *arg)
{
	uint32_t i;

	(void)arg;
	for (i = 0; i < crowd->n; i++) {
		peer_close(&crowd->peers[i], false);
		free(crowd->peers[i].memory);
	}
	crowd->n = 0;
	return true;
}

/* --- an outage: who was back when, and with which address --- */

static bool run_watch(struct crowd *crowd, const uint64_t *arg)
{
	uint32_t i;

	(void)arg;
	for (i = 0; i < crowd->n; i++) {
		crowd->peers[i].lost_ms = 0;
		crowd->peers[i].is_back = false;
	}
	printf(" joined=%u", crowd->n_joined);
	return all_joined(crowd);
}

static int compare(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* back T0 LIMIT MS: wait for MS, then tell of waits since T0. */
static bool run_back(struct crowd *crowd, const uint64_t *arg)
{
	static uint64_t wait_ms[CROWD_MAX];
	uint32_t i, lost = 0, back = 0, same = 0, in_time = 0;
	const struct peer *p;

	crowd_run(crowd, arg[2], NULL);
	for (i = 0; i < crowd->n; i++) {
		p = &crowd->peers[i];
		if (p->lost_ms == 0)
			continue;
		lost++;
		if (!p->is_back)
			continue;
		wait_ms[back] = p->joined_ms - arg[0];
		if (p->address == p->before_loss) {
			same++;
			in_time += wait_ms[back] <= arg[1];
		}
		back++;
	}
	qsort(wait_ms, back, sizeof(wait_ms[0]), compare);
	printf(" lost=%u back=%u same=%u in_time=%u p50_ms=%" PRIu64
	       " p99_ms=%" PRIu64 " max_ms=%" PRIu64, lost, back, same, in_time,
	       back ? wait_ms[back / 2] : 0,
	       back ? wait_ms[(uint64_t)back * 99 / 100] : 0,
	       back ? wait_ms[back - 1] : 0);
	return lost == crowd->n;
}

static bool is_sound(const struct tally *t)
{
	return t->duplicates == 0 && t->wrong_address == 0 &&
	       t->corrupt == 0 && t->disorder == 0 && t->misrouted == 0 &&
	       t->foreign == 0 && t->broken == 0;
}

static bool run_tally(struct crowd *crowd, const uint64_t *arg)
{
	const struct tally *t = &crowd->tally;

	(void)arg;
	printf(" joined=%u connects=%" PRIu64 " assignments=%" PRIu64
	       " refused=%" PRIu64 " lost=%" PRIu64 " timed_out=%" PRIu64
	       " keepalives=%" PRIu64, crowd->n_joined, t->connects,
	       t->assignments, t->refused, t->lost, t->timed_out,
	       t->keepalives);
	printf(" sent_packets=%" PRIu64 " good_packets=%" PRIu64
	       " good_bytes=%" PRIu64 " icmp=%" PRIu64, t->sent_packets,
	       t->good_packets, t->good_bytes, t->icmp);
	printf(" conflicts=%" PRIu64 " duplicates=%" PRIu64
	       " wrong_address=%" PRIu64 " corrupt=%" PRIu64 " disorder=%"
	       PRIu64 " misrouted=%" PRIu64 " foreign=%" PRIu64 " broken=%"
	       PRIu64, t->conflicts, t->duplicates, t->wrong_address,
	       t->corrupt, t->disorder, t->misrouted, t->foreign, t->broken);
	return is_sound(t);
}

static bool run_claims(struct crowd *crowd, const uint64_t *arg)
{
	(void)arg;
	printf(" claims=%u", ledger_count(crowd->ledger));
	return true;
}

static bool run_enlist(struct crowd *crowd, const uint64_t *arg)
{
	return traffic_enlist(crowd, (uint32_t)arg[0], (uint32_t)arg[1]);
}

static bool run_traffic(struct crowd *crowd, const uint64_t *arg)
{
	return traffic_run(crowd, (uint32_t)arg[0], (uint32_t)arg[1],
			   (uint32_t)arg[2], (uint32_t)arg[3]);
}

static bool run_churn(struct crowd *crowd, const uint64_t *arg)
{
	return churn_run(crowd, arg[0]);
}

static bool run_storm(struct crowd *crowd, const uint64_t *arg)
{
	return storm_run(crowd, (uint32_t)arg[0], (uint32_t)arg[1]);
}

static const struct {
	const char *name;
	int n_args;
	bool (*run)(struct crowd *crowd, const uint64_t *arg);
	const char *help;
} commands[] = {
	{ "join", 1, run_join, "N: so many more clients" },
	{ "leave", 0, run_leave, "all close their connections" },
	{ "serve", 1, run_serve, "MS: keep alive and come back" },
	{ "verify", 0, run_verify, "all ask the server for their address" },
	{ "enlist", 2, run_enlist, "N PROCESSES: the first N will send" },
	{ "traffic", 4, run_traffic, "SECONDS LEN TOTAL FAN: they send" },
	{ "churn", 1, run_churn, "N: until so many addresses were assigned" },
	{ "storm", 2, run_storm, "SECONDS MS: random acts, one in MS each" },
	{ "watch", 0, run_watch, "an outage begins" },
	{ "back", 3, run_back, "T0 LIMIT MS: wait MS; who is back" },
	{ "claims", 0, run_claims, "addresses held by all processes" },
	{ "tally", 0, run_tally, "what was counted; failed: what is wrong" },
};

enum { N_COMMANDS = sizeof(commands) / sizeof(commands[0]) };

static void run_line(struct crowd *crowd, char *line)
{
	uint64_t arg[MAX_WORDS] = { 0 };
	char *save, *name = strtok_r(line, " \t\n", &save), *word;
	bool good = false;
	int i, n = 0;

	if (!name)
		return;
	while (n < MAX_WORDS && (word = strtok_r(NULL, " \t\n", &save)))
		arg[n++] = strtoull(word, NULL, 10);
	for (i = 0; i < N_COMMANDS; i++)
		if (strcmp(commands[i].name, name) == 0 &&
		    commands[i].n_args == n)
			break;
	printf("%s", name);
	if (i < N_COMMANDS)
		good = commands[i].run(crowd, arg);
	else
		printf(" error=no_such_command");
	printf(" %s\n", good ? "ok" : "failed");
	fflush(stdout);
}

/* --- the program --- */

/* Whole lines that have come; false: stdin is at its end. */
static bool read_commands(struct crowd *crowd)
{
	static char line[LINE_LEN];
	static size_t len;
	ssize_t n = read(STDIN_FILENO, line + len, sizeof(line) - 1 - len);
	char *end;

	if (n <= 0)
		return n < 0 && errno == EINTR;
	len += (size_t)n;
	line[len] = '\0';
	while ((end = strchr(line, '\n'))) {
		*end = '\0';
		run_line(crowd, line);
		len -= (size_t)(end + 1 - line);
		memmove(line, end + 1, len + 1);
	}
	return true;
}

static void lead(struct crowd *crowd)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = NULL };
	int both = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event events[2];
	int i, n;

	epoll_ctl(both, EPOLL_CTL_ADD, STDIN_FILENO, &event);
	event.data.ptr = crowd;
	epoll_ctl(both, EPOLL_CTL_ADD, crowd->epoll, &event);
	for (;;) {
		n = epoll_wait(both, events, 2, TURN_MS);
		for (i = 0; i < n; i++)
			if (!events[i].data.ptr && !read_commands(crowd))
				return;
		crowd_turn(crowd, 0);
	}
}

static uint32_t number(const char *text)
{
	return (uint32_t)strtoul(text, NULL, 10);
}

static bool parse(struct crowd *crowd, int argc, char **argv)
{
	static const struct option options[] = {
		{ "process", required_argument, NULL, 'n' },
		{ "sources", required_argument, NULL, 's' },
		{ "base", required_argument, NULL, 'b' },
		{ "static", required_argument, NULL, 'f' },
		{ "narrow", required_argument, NULL, 'k' },
		{ "keepalive", required_argument, NULL, 'a' },
		{ "window", required_argument, NULL, 'w' },
		{ "seed", required_argument, NULL, 'r' },
		{ NULL, 0, NULL, 0 },
	};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 'n': crowd->process = number(optarg); break;
		case 's': crowd->sources = number(optarg); break;
		case 'b': crowd->base_percent = number(optarg); break;
		case 'f': crowd->static_percent = number(optarg); break;
		case 'k': crowd->narrow_percent = number(optarg); break;
		case 'a': crowd->keepalive_s = number(optarg); break;
		case 'w': crowd->window = number(optarg); break;
		case 'r': crowd->random = number(optarg); break;
		default: return false;
		}
	}
	if (argc - optind != 3 || crowd->process >= CROWD_MAX_PROCESSES ||
	    crowd->sources < 1 || crowd->sources > 250 || crowd->window < 1)
		return false;
	crowd->server.sin_family = AF_INET;
	crowd->server.sin_port = htons((uint16_t)number(argv[optind + 2]));
	return inet_pton(AF_INET, argv[optind + 1],
			 &crowd->server.sin_addr) == 1;
}

static int usage(void)
{
	int i;

	fprintf(stderr, "usage: crowd [--process N] [--sources N] "
		"[--base PERCENT] [--static PERCENT]\n"
		"\t[--narrow PERCENT] [--keepalive SECONDS] [--window N] "
		"[--seed N]\n\tLEDGER ADDRESS PORT\n"
		"commands on stdin:\n");
	for (i = 0; i < N_COMMANDS; i++)
		fprintf(stderr, "  %-8s %s\n", commands[i].name,
			commands[i].help);
	return 2;
}

static bool set_up(struct crowd *crowd, const char *ledger)
{
	struct rlimit limit;

	signal(SIGPIPE, SIG_IGN);
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	crowd->epoll = epoll_create1(EPOLL_CLOEXEC);
	crowd->peers = calloc(CROWD_MAX, sizeof(*crowd->peers));
	crowd->due_ms = calloc(CROWD_MAX, sizeof(*crowd->due_ms));
	crowd->buffer = malloc(CROWD_BUFFER);
	crowd->ledger = ledger_open(ledger);
	crowd->next_stream = crowd->process << 28;
	crowd->random = (crowd->random + 1) * 0x9e3779b97f4a7c15U +
			crowd->process;
	crowd->now_ms = clock_now_ms();
	if (crowd->epoll < 0 || !crowd->peers || !crowd->due_ms ||
	    !crowd->buffer || !crowd->ledger) {
		perror("crowd");
		return false;
	}
	return true;
}

int main(int argc, char **argv)
{
	static const struct role stay = { .joined = NULL };
	static struct crowd crowd = {
		.sources = 16, .base_percent = 50, .static_percent = 25,
		.window = 128, .role = &stay,
	};

	if (!parse(&crowd, argc, argv))
		return usage();
	if (!set_up(&crowd, argv[optind]))
		return 1;
	lead(&crowd);
	run_leave(&crowd, NULL);
	return 0;
}
