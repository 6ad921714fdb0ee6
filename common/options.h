/* SPDX-License-Identifier: MIT */
/*
 * One table of options drives the command line and --help (and whatever else
 * reads options later).  A value is read by a small function that either
 * stores it or says what is allowed.
 *
 * Main thread, before any other exists.
 */
#ifndef COMMON_OPTIONS_H
#define COMMON_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { OPTIONS_ERROR_LEN = 200 };

struct option_def;

/*
 * Read text into the member of config that def names.  On false, error says
 * what is allowed ("a number from 1 to 65535"), config is unchanged.
 */
typedef bool option_reader(const struct option_def *def, const char *text,
			   void *config, char error[OPTIONS_ERROR_LEN]);

struct option_def {
	char letter;		/* 0: none */
	const char *name;	/* without the dashes */
	const char *argument;	/* name of the value in --help; NULL: a flag */
	const char *help;	/* one line; the default in brackets */
	option_reader *read;	/* flags: called with text NULL */
	size_t offset;		/* of the member in the configuration */
	int64_t min, max;	/* of a number; of a network's prefix length,
				 * where both 0 mean any */
};

enum { OPTIONS_MAX_LIST = 16, OPTIONS_TEXT_LEN = 256 };

struct option_list {		/* of a repeatable option */
	unsigned int n;
	char text[OPTIONS_MAX_LIST][OPTIONS_TEXT_LEN];
};

struct option_network {		/* a CIDR, host byte order */
	uint32_t address;
	uint8_t prefix_len;
};

/* Readers; the member's type is in brackets. */
option_reader option_read_flag;		/* [bool] sets true */
option_reader option_read_clear;	/* [bool] sets false */
option_reader option_read_u32;		/* [uint32_t] within min..max */
option_reader option_read_text;		/* [char[OPTIONS_TEXT_LEN]] not empty */
option_reader option_read_list;		/* [struct option_list] appends */
option_reader option_read_ipv4;		/* [uint32_t] host byte order */
option_reader option_read_network;	/* [struct option_network] no host
					 * bits; min..max: prefix length */
option_reader option_read_interface;	/* [char[OPTIONS_TEXT_LEN]] IFNAMSIZ,
					 * no '/', no space; %d allowed */
option_reader option_read_count;	/* [unsigned int] adds one (-v -v) */

/*
 * Parse argv by a table of n options.  Words that are not options are moved to
 * the end, as getopt_long(3) does; returns the index of the first of them, or
 * -1 after one clear line in error (option, what was found, what is allowed).
 */
int options_parse(const struct option_def *table, size_t n, int argc,
		  char **argv, void *config, char error[OPTIONS_ERROR_LEN]);

/* The options part of --help, aligned, one option a line, within 80 columns. */
void options_print(const struct option_def *table, size_t n, FILE *to);

/* Read a number of decimal digits alone, within min..max. */
bool option_number(const char *text, int64_t min, int64_t max, int64_t *out);

#endif
