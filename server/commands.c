/* SPDX-License-Identifier: MIT */
/* srv as the client of a running srv. */
#include "server/commands.h"

#include <getopt.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "common/control.h"
#include "common/exit.h"
#include "common/options.h"
#include "server/config.h"

enum {
	WATCH_S = 2,		/* unless the operator says */
	WATCH_MAX_S = 3600,
	CLOCK_LEN = 64,
};

static const struct command {
	const char *name;
	int min, max;		/* words that may follow */
	const char *usage, *help;
} commands[] = {
	{ "status", 0, 0, "status [--json] [--watch[=SECONDS]]",
	  "what it does, and a line for each client" },
	{ "kick", 1, 1, "kick ADDRESS",
	  "close the connection of that client" },
	{ "explain", 2, 2, "explain SOURCE DESTINATION",
	  "what becomes of a packet between the two, and why" },
	{ "drain", 0, 1, "drain [SECONDS]",
	  "accept nobody, send clients away, end when empty" },
	{ "reload", 0, 0, "reload",
	  "read the configuration again" },
};

enum { N_COMMANDS = sizeof(commands) / sizeof(commands[0]) };

struct settings {
	const struct command *command;
	char path[OPTIONS_TEXT_LEN];	/* of the socket */
	char request[CONTROL_MAX_LINE];
	const char *socket, *config;	/* as given; NULL: not */
	bool json, help;
	int watch_s;			/* 0: once */
};

static const struct option long_options[] = {
	{ "socket", required_argument, NULL, 'S' },
	{ "config", required_argument, NULL, 'c' },
	{ "json", no_argument, NULL, 'j' },
	{ "watch", optional_argument, NULL, 'w' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

void commands_print_help(FILE *to)
{
	int i;

	fputs("\nCommands, to a server that runs:\n", to);
	for (i = 0; i < N_COMMANDS; i++)
		fprintf(to, "  srv %s\n      %s\n", commands[i].usage,
			commands[i].help);
	fputs("Each takes -S, --socket PATH, the server's --control; without "
	      "it, what the\nconfiguration file says (-c, --config FILE).  "
	      "Exit codes: 0 done, 1 failed,\n2 wrong usage, 7 no server "
	      "runs.\n", to);
}

static int wrong(const char *format, const char *text)
{
	fputs("srv: ", stderr);
	fprintf(stderr, format, text);
	fputs(" (srv --help lists the commands)\n", stderr);
	return EXIT_USAGE;
}

static int take_option(struct settings *s, int letter, char **argv)
{
	int64_t seconds = WATCH_S;

	switch (letter) {
	case 'S':
		s->socket = optarg;
		return EXIT_OK;
	case 'c':
		s->config = optarg;
		return EXIT_OK;
	case 'j':
		s->json = true;
		break;
	case 'w':
		if (optarg && !option_number(optarg, 1, WATCH_MAX_S, &seconds))
			return wrong("--watch: \"%s\" is not a number of "
				     "seconds from 1 to 3600", optarg);
		s->watch_s = (int)seconds;
		break;
	case 'h':
		s->help = true;
		return EXIT_OK;
	case ':':
		return wrong("%s needs a value", argv[optind - 1]);
	default:
		return wrong("there is no option %s here", argv[optind - 1]);
	}
	if (s->command != &commands[0])
		return wrong("%s: --json and --watch are for status",
			     s->command->name);
	return EXIT_OK;
}

/* The request: the command and the words that follow it. */
static int compose(struct settings *s, int n, char **word)
{
	size_t len;
	int i;

	if (n < s->command->min || n > s->command->max)
		return wrong("usage: srv %s", s->command->usage);
	len = (size_t)snprintf(s->request, sizeof(s->request), "%s%s",
			       s->command->name, s->json ? " json" : "");
	for (i = 0; i < n; i++) {
		if (word[i][0] == '\0' || strchr(word[i], ' ') ||
		    strlen(word[i]) > OPTIONS_TEXT_LEN)
			return wrong("\"%s\" is not one word", word[i]);
		len += (size_t)snprintf(s->request + len,
					sizeof(s->request) - len, " %s",
					word[i]);
	}
	return EXIT_OK;
}

/* Where the server listens: as said, or as its configuration has it. */
static int find_socket(struct settings *s)
{
	static struct server_config config;
	char name[] = "srv", option[] = "-c", error[OPTIONS_ERROR_LEN];
	char *argv[] = { name, option, (char *)s->config, NULL };
	bool read;

	if (s->socket) {
		if (strlen(s->socket) >= sizeof(s->path))
			return wrong("-S: \"%.40s\"... is too long", s->socket);
		snprintf(s->path, sizeof(s->path), "%s", s->socket);
		return EXIT_OK;
	}
	read = config_read(&config, s->config ? 3 : 1, argv, error);
	if (!read && s->config)
		return wrong("%s", error);
	/* Not everybody who may ask can read the file. */
	snprintf(s->path, sizeof(s->path), "%s",
		 read ? config.control : CONFIG_DEFAULT_CONTROL);
	if (strcmp(s->path, CONFIG_NO_CONTROL) != 0)
		return EXIT_OK;
	fputs("srv: the configuration says \"control = none\"\n", stderr);
	return EXIT_NOT_RUNNING;
}

static int read_command(struct settings *s, int argc, char **argv)
{
	int code = EXIT_OK, letter, i;

	for (i = 0; i < N_COMMANDS; i++)
		if (strcmp(commands[i].name, argv[0]) == 0)
			s->command = &commands[i];
	if (!s->command)
		return wrong("\"%.40s\" is neither an option nor a command",
			     argv[0]);
	opterr = 0;
	optind = 1;
	while (code == EXIT_OK &&
	       (letter = getopt_long(argc, argv, ":S:c:jw::h", long_options,
				     NULL)) != -1)
		code = take_option(s, letter, argv);
	if (code == EXIT_OK && !s->help)
		code = compose(s, argc - optind, argv + optind);
	if (code == EXIT_OK && !s->help)
		code = find_socket(s);
	return code;
}

/* --- the screen --- */

/* As much of the text as the terminal has room for, in place of what was. */
static void draw(const char *text, const struct winsize *size)
{
	int rows = size->ws_row > 1 ? size->ws_row - 1 : 1;
	const char *end;
	int len;

	fputs("\033[H", stdout);
	for (; *text && rows > 0; rows--) {
		end = strchrnul(text, '\n');
		len = (int)(end - text);
		if (size->ws_col > 0 && len > size->ws_col)
			len = size->ws_col;
		printf("\033[K%.*s\n", len, text);
		text = *end ? end + 1 : end;
	}
	fputs("\033[J", stdout);
}

static void show(const char *text, int watch_s)
{
	struct winsize size = { 0 };
	time_t now = time(NULL);
	char when[CLOCK_LEN] = "";
	struct tm tm;

	if (!watch_s || !isatty(STDOUT_FILENO) ||
	    ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_row == 0) {
		fputs(text, stdout);
		if (watch_s)
			putchar('\n');
		return;
	}
	draw(text, &size);
	if (localtime_r(&now, &tm))
		strftime(when, sizeof(when), "%H:%M:%S", &tm);
	printf("%s, every %d s; Ctrl-C ends it\033[K", when, watch_s);
}

/* Ask, and show the answer. */
static int ask(const struct settings *s)
{
	char error[CONTROL_ERROR_LEN] = "", *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	int code = EXIT_ERROR;

	if (!out) {
		fputs("srv: out of memory\n", stderr);
		return EXIT_ERROR;
	}
	code = control_ask(s->path, s->request, out, error);
	if (fclose(out) != 0) {
		code = EXIT_ERROR;
		strcpy(error, "out of memory");
	}
	if (code == EXIT_OK)
		show(text, s->watch_s);
	else
		fprintf(stderr, "srv: %s\n", error);
	free(text);
	if (code == EXIT_OK && (fflush(stdout) != 0 || ferror(stdout))) {
		perror("srv: cannot write");
		code = EXIT_ERROR;
	}
	return code;
}

int commands_run(int argc, char **argv)
{
	struct settings s = { .help = false };
	struct timespec rest;
	int code = read_command(&s, argc, argv);

	if (code != EXIT_OK)
		return code;
	if (s.help) {
		printf("usage: srv %s [-S PATH] [-c FILE]\n\n%s\n",
		       s.command->usage, s.command->help);
		return EXIT_OK;
	}
	if (s.watch_s && isatty(STDOUT_FILENO))
		fputs("\033[2J", stdout);
	rest = (struct timespec){ .tv_sec = s.watch_s };
	do {
		code = ask(&s);
	} while (code == EXIT_OK && s.watch_s && nanosleep(&rest, NULL) == 0);
	return code;
}
