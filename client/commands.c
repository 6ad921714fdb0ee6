/* SPDX-License-Identifier: MIT */
/* cli as its own client: asking those that run. */
#include "client/commands.h"

#include <errno.h>
#include <glob.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/control.h"
#include "common/exit.h"
#include "common/options.h"

enum { PATH_LEN = OPTIONS_TEXT_LEN };

struct command {
	char interface[OPTIONS_TEXT_LEN];
	char path[OPTIONS_TEXT_LEN];
	bool json, help;
};

/* What became of the question so far. */
struct answers {
	const struct command *command;
	unsigned int n;			/* clients that answered */
	int code;
	char error[CONTROL_ERROR_LEN];	/* of the last that did not */
};

#define MEMBER(name) offsetof(struct command, name)

static const struct option_def table[] = {
	{ 'i', "interface", "NAME", "the client with this interface alone",
	  &option_interface, MEMBER(interface), 0, 0, OPTION_COMMAND },
	{ 0, "control", "PATH", "the client with this control socket alone",
	  &option_text, MEMBER(path), 0, 0, OPTION_COMMAND },
	{ 0, "json", NULL, "a JSON array with an object a client",
	  &option_flag, MEMBER(json), 0, 0, OPTION_COMMAND },
	{ 'h', "help", NULL, "print this help and exit", &option_flag,
	  MEMBER(help), 0, 0, OPTION_COMMAND | OPTION_ALONE },
};

enum { TABLE_LEN = sizeof(table) / sizeof(table[0]) };

void commands_socket_path(const char *interface, char *path, size_t size)
{
	snprintf(path, size, COMMANDS_DIRECTORY "/cli-%.15s.sock",
		 interface);
}

static void ask(struct answers *a, const char *path)
{
	bool json = a->command->json;
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	int code = EXIT_ERROR;

	if (out) {
		code = control_ask(path, json ? "status json" : "status", out,
				   a->error);
		fclose(out);
	} else {
		snprintf(a->error, sizeof(a->error), "%s", strerror(errno));
	}
	if (code == EXIT_OK) {
		if (json && len > 0 && text[len - 1] == '\n')
			text[--len] = '\0';
		fputs(a->n++ == 0 ? (json ? "[" : "") : (json ? ",\n" : "\n"),
		      stdout);
		fputs(text, stdout);
	} else if (code != EXIT_NOT_RUNNING || a->code == EXIT_OK) {
		a->code = code;
	}
	free(text);
}

/* All that left a socket there; one that nobody answers at does not count. */
static void ask_all(struct answers *a)
{
	char pattern[PATH_LEN];
	glob_t found;
	size_t i;

	commands_socket_path("*", pattern, sizeof(pattern));
	if (access(COMMANDS_DIRECTORY, R_OK | X_OK) < 0 && errno == EACCES) {
		a->code = EXIT_ERROR;
		snprintf(a->error, sizeof(a->error), COMMANDS_DIRECTORY
			 ": permission denied; only root and members of the "
			 "group " CONTROL_GROUP " may ask");
		return;
	}
	if (glob(pattern, 0, NULL, &found) == 0) {
		for (i = 0; i < found.gl_pathc; i++)
			ask(a, found.gl_pathv[i]);
		globfree(&found);
	}
	if (a->code == EXIT_NOT_RUNNING)
		a->code = EXIT_OK;
	if (a->n > 0 || a->code != EXIT_OK)
		return;
	a->code = EXIT_NOT_RUNNING;
	snprintf(a->error, sizeof(a->error), "no client is running (nobody "
		 "answers at %s)", pattern);
}

static int usage(const char *error)
{
	fprintf(stderr, "cli: status: %s (cli status --help lists the "
		"options)\n", error);
	return EXIT_USAGE;
}

static void print_help(void)
{
	fputs("usage: cli status [options]\n"
	      "\n"
	      "Show what the clients that run on this host are doing.\n"
	      "\n"
	      "Options:\n", stdout);
	options_print(table, TABLE_LEN, NULL, stdout);
	fputs("\nExit codes: 0 shown, 1 failure, 2 wrong usage, 7 no client "
	      "is running.\n", stdout);
}

int commands_status(int argc, char **argv)
{
	struct command command = { .json = false };
	struct answers a = { .command = &command };
	char error[OPTIONS_ERROR_LEN];
	int first;

	first = options_parse(table, TABLE_LEN, argc, argv, &command, error);
	if (first < 0)
		return usage(error);
	if (command.help) {
		print_help();
		return EXIT_OK;
	}
	if (first < argc)
		return usage("it takes no argument");
	if (*command.interface && *command.path)
		return usage("--interface and --control exclude each other");
	if (*command.interface)
		commands_socket_path(command.interface, command.path,
				     sizeof(command.path));
	if (*command.path)
		ask(&a, command.path);
	else
		ask_all(&a);
	if (command.json && a.n > 0)
		fputs("]\n", stdout);
	if (a.code != EXIT_OK)
		fprintf(stderr, "cli: %s\n", a.error);
	return a.code;
}
