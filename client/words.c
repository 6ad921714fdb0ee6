/* SPDX-License-Identifier: MIT */
/* A command as one text, split into words. */
#include "client/words.h"

#include <stdarg.h>
#include <string.h>

struct splitter {
	const char *at;		/* in the command */
	const char *interface;	/* NULL: % is an ordinary character */
	struct words *out;
	size_t len;		/* of out->text */
	char *error;
};

__attribute__((format(printf, 2, 3)))
static bool refuse(struct splitter *s, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(s->error, OPTIONS_ERROR_LEN, format, args);
	va_end(args);
	return false;
}

static bool put(struct splitter *s, char c)
{
	if (s->len == WORDS_TEXT_LEN)
		return refuse(s, "a command of up to %d characters",
			      WORDS_TEXT_LEN - 1);
	s->out->text[s->len++] = c;
	return true;
}

static bool put_interface(struct splitter *s)
{
	const char *p;

	for (p = s->interface; *p; p++)
		if (!put(s, *p))
			return false;
	return true;
}

/* An ordinary character, or what stands for one. */
static bool take(struct splitter *s, bool literal)
{
	char c = *s->at++;

	if (c == '\\' && !literal) {
		c = *s->at++;
		if (!c)
			return refuse(s, "a command that does not end with a "
				      "backslash");
	} else if (c == '%' && s->interface) {
		c = *s->at++;
		if (c == 's')
			return put_interface(s);
		if (c != '%')
			return refuse(s, "a command with %%s for the "
				      "interface's name, %%%% for a percent "
				      "sign");
	}
	return put(s, c);
}

static bool take_quoted(struct splitter *s)
{
	char quote = *s->at++;

	while (*s->at && *s->at != quote)
		if (!take(s, quote == '\''))
			return false;
	if (!*s->at++)
		return refuse(s, "a command in which every %c is closed",
			      quote);
	return true;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool take_word(struct splitter *s)
{
	while (*s->at && !is_blank(*s->at))
		if (!(*s->at == '\'' || *s->at == '"' ? take_quoted(s) :
							 take(s, false)))
			return false;
	return put(s, '\0');
}

bool words_split(const char *command, const char *interface, struct words *out,
		 char error[OPTIONS_ERROR_LEN])
{
	struct splitter s = {
		.at = command, .interface = interface, .out = out,
		.error = error,
	};
	size_t n = 0;

	for (;;) {
		while (is_blank(*s.at))
			s.at++;
		if (!*s.at)
			break;
		if (n == WORDS_MAX)
			return refuse(&s, "a command of up to %d words",
				      WORDS_MAX);
		out->word[n++] = out->text + s.len;
		if (!take_word(&s))
			return false;
	}
	if (n == 0 || !*out->word[0])
		return refuse(&s, "a command");
	out->word[n] = NULL;
	return true;
}

static bool read_command(const struct option_def *def, const char *text,
			 void *config, char error[OPTIONS_ERROR_LEN])
{
	struct words words;

	return words_split(text, NULL, &words, error) &&
	       option_text.read(def, text, config, error);
}

static bool read_template(const struct option_def *def, const char *text,
			  void *config, char error[OPTIONS_ERROR_LEN])
{
	struct words words;

	return words_split(text, "tun0", &words, error) &&
	       option_text.read(def, text, config, error);
}

static bool write_command(const struct option_def *def, const void *config,
			  unsigned int i, char *text, size_t size)
{
	return option_text.write(def, config, i, text, size);
}

const struct option_type words_command = { read_command, write_command };
const struct option_type words_template = { read_template, write_command };
