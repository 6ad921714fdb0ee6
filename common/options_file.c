/* SPDX-License-Identifier: MIT */
/* The option table as a configuration file: read, printed, compared. */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/options.h"

enum { COMMENT_WIDTH = 78 };

struct source {			/* of an error */
	const char *path;
	unsigned int line;
};

__attribute__((format(printf, 3, 4)))
static bool refuse(const struct source *at, char error[OPTIONS_ERROR_LEN],
		   const char *format, ...)
{
	va_list args;
	int len;

	len = snprintf(error, OPTIONS_ERROR_LEN, "%.80s:%u: ", at->path,
		       at->line);
	va_start(args, format);
	vsnprintf(error + len, (size_t)(OPTIONS_ERROR_LEN - len), format, args);
	va_end(args);
	return false;
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Without the space on both sides; text is cut short in place. */
static char *trim(char *text)
{
	size_t len;

	while (is_space(*text))
		text++;
	len = strlen(text);
	while (len > 0 && is_space(text[len - 1]))
		len--;
	text[len] = '\0';
	return text;
}

static void cut_comment(char *line)
{
	char *p;

	for (p = line; *p; p++)
		if (*p == '#' && (p == line || is_space(p[-1]))) {
			*p = '\0';
			return;
		}
}

static const struct option_def *find_key(const struct option_def *table,
					 size_t n, const char *key)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (!(table[i].flags & OPTION_COMMAND) &&
		    !strcmp(table[i].name, key))
			return &table[i];
	return NULL;
}

static bool read_line(const struct option_def *table, size_t n, char *line,
		      void *config, const struct source *at,
		      char error[OPTIONS_ERROR_LEN])
{
	char allowed[OPTIONS_ERROR_LEN];
	const struct option_def *def;
	char *key, *value, *equals;

	cut_comment(line);
	key = trim(line);
	if (!*key)
		return true;
	equals = strchr(key, '=');
	if (!equals)
		return refuse(at, error, "\"%.60s\" found, allowed: key = "
			      "value, or a comment after #", key);
	*equals = '\0';
	value = trim(equals + 1);
	key = trim(key);
	def = find_key(table, n, key);
	if (!def)
		return refuse(at, error, "unknown key \"%.60s\"", key);
	if (def->type->read(def, value, config, allowed))
		return true;
	return refuse(at, error, "%s: \"%.40s\" found, allowed: %.100s",
		      def->name, value, allowed);
}

static bool read_lines(const struct option_def *table, size_t n, FILE *file,
		       void *config, struct source *at,
		       char error[OPTIONS_ERROR_LEN])
{
	char *line = NULL;
	size_t size = 0;
	bool good = true;
	ssize_t len;

	while (good && (len = getline(&line, &size, file)) >= 0) {
		at->line++;
		good = strlen(line) == (size_t)len ?
			read_line(table, n, line, config, at, error) :
			refuse(at, error, "a zero byte found, allowed: text");
	}
	if (good && ferror(file))
		good = refuse(at, error, "cannot be read: %s", strerror(errno));
	free(line);
	return good;
}

bool options_read_file(const struct option_def *table, size_t n,
		       const char *path, void *config,
		       char error[OPTIONS_ERROR_LEN])
{
	struct source at = { .path = path };
	FILE *file = fopen(path, "re");
	bool good;

	if (!file) {
		snprintf(error, OPTIONS_ERROR_LEN, "cannot open %.80s: %s",
			 path, strerror(errno));
		return false;
	}
	good = read_lines(table, n, file, config, &at, error);
	fclose(file);
	return good;
}

static bool is_alone(const struct option_def *table, size_t n,
		     const void *config)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (table[i].flags & OPTION_ALONE &&
		    *((const bool *)((const char *)config + table[i].offset)))
			return true;
	return false;
}

int options_load(const struct option_def *table, size_t n, int argc,
		 char **argv, const char *default_path, size_t path_offset,
		 void *config, void *scratch, size_t config_size,
		 char error[OPTIONS_ERROR_LEN])
{
	char *path;
	bool good;
	int rest;

	/* A reading of argv alone, which names the file. */
	memcpy(scratch, config, config_size);
	rest = options_parse(table, n, argc, argv, scratch, error);
	if (rest < 0 || is_alone(table, n, scratch)) {
		memcpy(config, scratch, config_size);
		return rest;
	}
	path = (char *)scratch + path_offset;
	if (!*path && access(default_path, F_OK) == 0)
		snprintf(path, OPTIONS_TEXT_LEN, "%s", default_path);
	good = !*path || options_read_file(table, n, path, config, error);
	if (good)
		rest = options_parse(table, n, argc, argv, config, error);
	if (good && rest >= 0)
		snprintf((char *)config + path_offset, OPTIONS_TEXT_LEN, "%s",
			 path);
	return good ? rest : -1;
}

static void print_comment(const char *text, FILE *to)
{
	int at = 0, len;

	for (;;) {
		text += strspn(text, " ");
		len = (int)strcspn(text, " ");
		if (!len)
			break;
		if (at == 0 || at + 1 + len > COMMENT_WIDTH)
			at = fprintf(to, "%s# ", at ? "\n" : "") - (at > 0);
		else
			at += fprintf(to, " ");
		at += fprintf(to, "%.*s", len, text);
		text += len;
	}
	fputc('\n', to);
}

void options_print_file(const struct option_def *table, size_t n,
			const void *config, FILE *to)
{
	char text[OPTIONS_TEXT_LEN];
	const struct option_def *def;
	unsigned int i;

	for (def = table; def < table + n; def++) {
		if (def->flags & OPTION_COMMAND)
			continue;
		print_comment(def->help, to);
		for (i = 0; def->type->write(def, config, i, text,
					     sizeof(text)); i++)
			fprintf(to, "#%s = %s\n", def->name, text);
		if (i == 0)
			fprintf(to, "#%s = %s\n", def->name,
				def->argument ? def->argument : "");
		fputc('\n', to);
	}
}

bool options_equal(const struct option_def *def, const void *a, const void *b)
{
	char text_a[OPTIONS_TEXT_LEN], text_b[OPTIONS_TEXT_LEN];
	bool more_a, more_b;
	unsigned int i;

	for (i = 0;; i++) {
		more_a = def->type->write(def, a, i, text_a, sizeof(text_a));
		more_b = def->type->write(def, b, i, text_b, sizeof(text_b));
		if (more_a != more_b)
			return false;
		if (!more_a)
			return true;
		if (strcmp(text_a, text_b) != 0)
			return false;
	}
}
