/* SPDX-License-Identifier: MIT */
/*
 * The user's own commands.
 *
 * Theory of operation: one thread, and a place for one set of facts that it
 * has not seen yet.  The main thread overwrites what lies there, so a slow
 * command never makes a queue.  The thread compares with the facts that it
 * acted on last.  It starts with all signals blocked, as every thread of cli.
 *
 * What a server says reaches a command's environment only as numbers, or as a
 * name that pushed.h takes for one, and never its command line.
 */
#include "client/hooks.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/facts.h"
#include "client/words.h"
#include "common/log.h"
#include "common/subprocess.h"

enum {
	OUTPUT_LEN = 4096,	/* that is logged of a command */
	OUTPUT_LINES = 20,
	AFTER_SIGNAL = 128,	/* subprocess.h */
	MAX_VARIABLES = 16,
	VARIABLE_LEN = FACTS_LIST_LEN + 64,
};

/* [I] set once  [l] under lock  [t] the thread only */
struct hooks {
	struct hooks_config config;	/* [I] */
	pthread_t thread;		/* [I] */
	bool has_thread;		/* [I] */
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool ending;			/* [l] */
	bool is_new;			/* [l] facts */
	struct facts facts;		/* [l] */
	bool was_up;			/* [t] */
	struct facts known;		/* [t] what the commands were told */
};

struct environment {
	unsigned int n;
	const char *variable[MAX_VARIABLES + 1];
	char text[MAX_VARIABLES][VARIABLE_LEN];
};

__attribute__((format(printf, 3, 4)))
static void set(struct environment *e, const char *name, const char *format,
		...)
{
	char *text = e->text[e->n];
	va_list args;
	int len;

	len = snprintf(text, VARIABLE_LEN, "SIMPLEVPN_%s=", name);
	va_start(args, format);
	vsnprintf(text + len, (size_t)(VARIABLE_LEN - len), format, args);
	va_end(args);
	e->variable[e->n++] = text;
}

static void describe(struct environment *e, const struct facts *facts,
		     const char *reason)
{
	char address[FACTS_ADDRESS_LEN], list[FACTS_LIST_LEN];

	e->n = 0;
	set(e, "REASON", "%s", reason);
	set(e, "INTERFACE", "%s", facts->interface);
	facts_address_text(facts->address, address);
	set(e, "ADDRESS", "%s", address);
	set(e, "PREFIX_LENGTH", "%u", facts->prefix_len);
	set(e, "MTU", "%u", facts->mtu);
	set(e, "SERVER", "%s", facts->server);
	set(e, "SERVER_ADDRESS", "%s", facts->peer);
	facts_address_text(facts->gateway, address);
	set(e, "GATEWAY", "%s", facts->gateway ? address : "");
	facts_routes_text(facts, " ", list);
	set(e, "ROUTES", "%s", list);
	facts_dns_text(facts, " ", list);
	set(e, "DNS", "%s", list);
	set(e, "SEARCH", "%s", facts->search);
	e->variable[e->n] = NULL;
}

static void log_output(enum log_level level, const char *what, char *output)
{
	bool cut = strlen(output) == OUTPUT_LEN - 1;
	char *line, *rest = output;
	int n = 0;

	while ((line = strsep(&rest, "\n")) != NULL) {
		if (!*line)
			continue;
		if (n++ == OUTPUT_LINES) {
			cut = true;
			break;
		}
		log_at(level, "%s: %s", what, line);
	}
	if (cut)
		log_at(level, "%s: (the rest of its output is not shown)",
		       what);
}

static void log_result(const struct hooks *h, const char *what,
		       const char *program, int result)
{
	if (result == 0)
		log_debug("%s: %s ended well", what, program);
	else if (result == -ETIMEDOUT)
		log_warning("%s: %s was killed, it had not ended after %u s",
			    what, program, h->config.limit_s);
	else if (result < 0)
		log_warning("%s: cannot run %s: %s", what, program,
			    strerror(-result));
	else if (result > AFTER_SIGNAL)
		log_warning("%s: %s was ended by signal %d", what, program,
			    result - AFTER_SIGNAL);
	else
		log_warning("%s: %s failed, exit code %d", what, program,
			    result);
}

/* Run one command; interface is NULL unless it is a template. */
static void run(const struct hooks *h, const char *what, const char *command,
		const char *interface, const struct environment *environment)
{
	struct subprocess process = {
		.environment = environment->variable,
		.timeout_ms = h->config.limit_s * 1000,
	};
	char error[OPTIONS_ERROR_LEN], output[OUTPUT_LEN];
	struct words words;
	int result;

	if (!*command)
		return;
	if (!words_split(command, interface, &words, error)) {
		log_warning("%s: allowed: %s", what, error);
		return;
	}
	process.argv = (const char *const *)words.word;
	result = subprocess_run(&process, output, sizeof(output));
	log_output(result == 0 ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING, what,
		   output);
	log_result(h, what, words.word[0], result);
}

static void act(struct hooks *h, const struct facts *facts)
{
	struct environment environment;

	if (h->was_up && facts_equal(facts, &h->known))
		return;
	describe(&environment, facts, h->was_up ? "change" : "up");
	if (!h->was_up)
		run(h, "template", h->config.template, facts->interface,
		    &environment);
	run(h, "up", h->config.up, NULL, &environment);
	h->was_up = true;
	h->known = *facts;
}

static void *run_hooks(void *arg)
{
	struct environment environment;
	struct hooks *h = arg;
	struct facts facts;

	pthread_mutex_lock(&h->lock);
	for (;;) {
		while (!h->is_new && !h->ending)
			pthread_cond_wait(&h->wake, &h->lock);
		if (h->ending)
			break;
		facts = h->facts;
		h->is_new = false;
		pthread_mutex_unlock(&h->lock);
		act(h, &facts);
		pthread_mutex_lock(&h->lock);
	}
	pthread_mutex_unlock(&h->lock);
	if (h->was_up) {
		describe(&environment, &h->known, "down");
		run(h, "down", h->config.down, NULL, &environment);
	}
	return NULL;
}

struct hooks *hooks_new(const struct hooks_config *config)
{
	struct hooks *h = calloc(1, sizeof(*h));
	int error;

	if (!h)
		return NULL;
	h->config = *config;
	pthread_mutex_init(&h->lock, NULL);
	pthread_cond_init(&h->wake, NULL);
	if (!*config->up && !*config->down && !*config->template)
		return h;
	error = pthread_create(&h->thread, NULL, run_hooks, h);
	if (error) {
		hooks_finish(h);
		errno = error;
		return NULL;
	}
	pthread_setname_np(h->thread, "hooks");
	h->has_thread = true;
	return h;
}

void hooks_tell(struct hooks *h, const struct facts *facts)
{
	pthread_mutex_lock(&h->lock);
	h->facts = *facts;
	h->is_new = true;
	pthread_cond_signal(&h->wake);
	pthread_mutex_unlock(&h->lock);
}

void hooks_finish(struct hooks *h)
{
	if (!h)
		return;
	pthread_mutex_lock(&h->lock);
	h->ending = true;
	pthread_cond_signal(&h->wake);
	pthread_mutex_unlock(&h->lock);
	if (h->has_thread)
		pthread_join(h->thread, NULL);
	pthread_cond_destroy(&h->wake);
	pthread_mutex_destroy(&h->lock);
	free(h);
}
