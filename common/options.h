/* SPDX-License-Identifier: MIT */
/*
 * One table of options drives the command line, the configuration file and
 * --help.  Each option has a type: a function that reads a value or says what
 * is allowed, and one that writes it back.
 *
 * One thread at a time for one configuration; options_parse() for the main
 * thread alone, since getopt_long(3) has a state.
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
 * what is allowed ("a number from 1 to 65535"), config is unchanged.  A flag
 * that was given without a value comes with text NULL.
 */
typedef bool option_reader(const struct option_def *def, const char *text,
			   void *config, char error[OPTIONS_ERROR_LEN]);

/*
 * Write value number i of the member as its reader would take it, cut to size.
 * False: it has no such value (a text that is empty, the end of a list).
 */
typedef bool option_writer(const struct option_def *def, const void *config,
			   unsigned int i, char *text, size_t size);

struct option_type {
	option_reader *read;
	option_writer *write;
};

enum option_flag {
	OPTION_LIVE = 1 << 0,	/* a reload applies it, without a restart */
	OPTION_COMMAND = 1 << 1,	/* not a key of a configuration file */
	OPTION_ALONE = 1 << 2,	/* a flag beside which nothing else counts */
};

struct option_def {
	char letter;		/* 0: none */
	const char *name;	/* without the dashes; the key in a file */
	const char *argument;	/* name of the value in --help; NULL: a flag */
	const char *help;	/* one line; the default in brackets */
	const struct option_type *type;
	size_t offset;		/* of the member in the configuration */
	int64_t min, max;	/* of a number; of a network's prefix length,
				 * where both 0 mean any */
	unsigned int flags;	/* enum option_flag */
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

enum { OPTIONS_MAX_NETWORKS = 32, OPTIONS_MAX_IPV4S = 4 };

struct option_networks {	/* of a repeatable option, none twice */
	unsigned int n;
	struct option_network network[OPTIONS_MAX_NETWORKS];
};

struct option_ipv4s {		/* host order */
	unsigned int n;
	uint32_t address[OPTIONS_MAX_IPV4S];
};

struct option_address {		/* where to listen, numeric */
	char host[46];		/* INET6_ADDRSTRLEN, no brackets */
	uint16_t port;		/* 0: nowhere */
};

/* Types; the member's C type is in brackets. */
extern const struct option_type option_flag;	/* [bool] yes sets true */
extern const struct option_type option_clear;	/* [bool] yes sets false */
extern const struct option_type option_u32;	/* [uint32_t] min..max */
extern const struct option_type option_text;	/* [char[OPTIONS_TEXT_LEN]]
						 * not empty */
extern const struct option_type option_list;	/* [struct option_list]
						 * appends */
extern const struct option_type option_ipv4;	/* [uint32_t] host order */
extern const struct option_type option_network;	/* [struct option_network] no
						 * host bits */
extern const struct option_type option_networks;	/* [struct
						 * option_networks] appends */
extern const struct option_type option_ipv4s;	/* [struct option_ipv4s]
						 * appends */
extern const struct option_type option_domain;	/* [char[OPTIONS_TEXT_LEN]] a
						 * domain name of up to max */
extern const struct option_type option_address;	/* [struct option_address]
						 * port alone: loopback */
extern const struct option_type option_interface;	/* [char[
						 * OPTIONS_TEXT_LEN]] IFNAMSIZ,
						 * no '/', no space; %d
						 * allowed */
extern const struct option_type option_choice;	/* [uint32_t] which of the
						 * words of argument, "a|b" */
extern const struct option_type option_count;	/* [unsigned int] adds one
						 * (-v -v), or the number */

/*
 * Parse argv by a table of n options.  Words that are not options are moved to
 * the end, as getopt_long(3) does; returns the index of the first of them, or
 * -1 after one clear line in error (option, what was found, what is allowed).
 */
int options_parse(const struct option_def *table, size_t n, int argc,
		  char **argv, void *config, char error[OPTIONS_ERROR_LEN]);

/*
 * Read a file of "key = value" lines into config: a key is an option's name, a
 * flag's value "yes" or "no", # begins a comment at the start of a line or
 * after a space, lists repeat their key.  Blocks as reading a file does.
 * False: error names file and line, what was found and what is allowed;
 * config may hold some of the file then.
 */
bool options_read_file(const struct option_def *table, size_t n,
		       const char *path, void *config,
		       char error[OPTIONS_ERROR_LEN]);

/*
 * Read the configuration file, then argv, which has the last word; of a list
 * both count.  The file's name is the option [char[OPTIONS_TEXT_LEN]] at
 * path_offset of config if argv has it; otherwise default_path, which need not
 * exist.  With an OPTION_ALONE in argv no file is read.  scratch has
 * config_size bytes, too; what is in it counts for nothing.  As
 * options_parse().
 */
int options_load(const struct option_def *table, size_t n, int argc,
		 char **argv, const char *default_path, size_t path_offset,
		 void *config, void *scratch, size_t config_size,
		 char error[OPTIONS_ERROR_LEN]);

/* A file of that kind: every key with its help, its value commented out. */
void options_print_file(const struct option_def *table, size_t n,
			const void *config, FILE *to);

/* Whether def has the same values in both configurations. */
bool options_equal(const struct option_def *def, const void *a, const void *b);

/* A title in --help, above the option of that name. */
struct option_group {
	const char *first, *title;
};

/*
 * The options part of --help, aligned, one option a line, within 80 columns.
 * group is in the table's order and ends with NULLs; NULL: no titles.
 */
void options_print(const struct option_def *table, size_t n,
		   const struct option_group *group, FILE *to);

/* Read a number of decimal digits alone, within min..max. */
bool option_number(const char *text, int64_t min, int64_t max, int64_t *out);

#endif
