/* SPDX-License-Identifier: MIT */
/* The types of options, the command line, and --help. */
#include "common/options.h"

#include <arpa/inet.h>
#include <assert.h>
#include <getopt.h>
#include <inttypes.h>
#include <net/if.h>
#include <stdarg.h>
#include <string.h>

enum {
	MAX_OPTIONS = 96,	/* of one table */
	MAX_COUNT = 9,
	VALUE_BASE = 256,	/* above every letter */
	HELP_COLUMN_MAX = 30,	/* a longer left side has its own line */
	HELP_WIDTH = 80,
	MAX_IPV4_PREFIX = 32,
};

static void *member(const struct option_def *def, void *config)
{
	return (char *)config + def->offset;
}

static const void *value_of(const struct option_def *def, const void *config)
{
	return (const char *)config + def->offset;
}

__attribute__((format(printf, 2, 3)))
static bool refuse(char error[OPTIONS_ERROR_LEN], const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(error, OPTIONS_ERROR_LEN, format, args);
	va_end(args);
	return false;
}

bool option_number(const char *text, int64_t min, int64_t max, int64_t *out)
{
	int64_t value = 0;
	int digit;

	if (!*text)
		return false;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return false;
		digit = *text - '0';
		if (value > (INT64_MAX - digit) / 10)
			return false;
		value = value * 10 + digit;
	}
	if (value < min || value > max)
		return false;
	*out = value;
	return true;
}

static bool read_yes(const char *text, bool *yes,
		     char error[OPTIONS_ERROR_LEN])
{
	if (text && strcmp(text, "yes") != 0 && strcmp(text, "no") != 0)
		return refuse(error, "yes or no");
	*yes = !text || !strcmp(text, "yes");
	return true;
}

static void write_yes(bool yes, char *text, size_t size)
{
	snprintf(text, size, "%s", yes ? "yes" : "no");
}

static bool read_flag(const struct option_def *def, const char *text,
		      void *config, char error[OPTIONS_ERROR_LEN])
{
	return read_yes(text, member(def, config), error);
}

static bool write_flag(const struct option_def *def, const void *config,
		       unsigned int i, char *text, size_t size)
{
	write_yes(*(const bool *)value_of(def, config), text, size);
	return i == 0;
}

static bool read_clear(const struct option_def *def, const char *text,
		       void *config, char error[OPTIONS_ERROR_LEN])
{
	bool yes = false;

	if (!read_yes(text, &yes, error))
		return false;
	*(bool *)member(def, config) = !yes;
	return true;
}

static bool write_clear(const struct option_def *def, const void *config,
			unsigned int i, char *text, size_t size)
{
	write_yes(!*(const bool *)value_of(def, config), text, size);
	return i == 0;
}

static bool read_count(const struct option_def *def, const char *text,
		       void *config, char error[OPTIONS_ERROR_LEN])
{
	unsigned int *count = member(def, config);
	int64_t value;

	if (!text) {
		++*count;
		return true;
	}
	if (!option_number(text, 0, MAX_COUNT, &value))
		return refuse(error, "a number from 0 to %d", MAX_COUNT);
	*count = (unsigned int)value;
	return true;
}

static bool write_count(const struct option_def *def, const void *config,
			unsigned int i, char *text, size_t size)
{
	snprintf(text, size, "%u",
		 *(const unsigned int *)value_of(def, config));
	return i == 0;
}

static bool read_u32(const struct option_def *def, const char *text,
		     void *config, char error[OPTIONS_ERROR_LEN])
{
	int64_t value;

	assert(def->min >= 0 && def->max <= UINT32_MAX);
	if (!option_number(text, def->min, def->max, &value))
		return refuse(error, "a number from %" PRId64 " to %" PRId64,
			      def->min, def->max);
	*(uint32_t *)member(def, config) = (uint32_t)value;
	return true;
}

/* A number out of bounds is none: it stands for what is decided elsewhere. */
static bool write_u32(const struct option_def *def, const void *config,
		      unsigned int i, char *text, size_t size)
{
	uint32_t value = *(const uint32_t *)value_of(def, config);

	snprintf(text, size, "%" PRIu32, value);
	return i == 0 && value >= def->min && value <= def->max;
}

/* Word number i of a|b|c.  False: there is none. */
static bool choice_word(const struct option_def *def, uint32_t i,
			const char **word, size_t *len)
{
	*word = def->argument;
	for (; i > 0; i--) {
		*word = strchr(*word, '|');
		if (!*word)
			return false;
		++*word;
	}
	*len = strcspn(*word, "|");
	return true;
}

static bool read_choice(const struct option_def *def, const char *text,
			void *config, char error[OPTIONS_ERROR_LEN])
{
	const char *word;
	uint32_t i;
	size_t len;

	for (i = 0; choice_word(def, i, &word, &len); i++) {
		if (strlen(text) == len && !strncmp(text, word, len)) {
			*(uint32_t *)member(def, config) = i;
			return true;
		}
	}
	return refuse(error, "%s", def->argument);
}

static bool write_choice(const struct option_def *def, const void *config,
			 unsigned int i, char *text, size_t size)
{
	const char *word = "";
	size_t len = 0;

	choice_word(def, *(const uint32_t *)value_of(def, config), &word,
		    &len);
	snprintf(text, size, "%.*s", (int)len, word);
	return i == 0;
}

static bool is_text(const char *text)
{
	return *text && strlen(text) < OPTIONS_TEXT_LEN;
}

/* The caller knows that it fits. */
static void copy_text(char *out, const char *text)
{
	memcpy(out, text, strlen(text) + 1);
}

static bool refuse_text(char error[OPTIONS_ERROR_LEN])
{
	return refuse(error, "1 to %d characters", OPTIONS_TEXT_LEN - 1);
}

static bool read_text(const struct option_def *def, const char *text,
		      void *config, char error[OPTIONS_ERROR_LEN])
{
	if (!is_text(text))
		return refuse_text(error);
	copy_text(member(def, config), text);
	return true;
}

static bool write_text(const struct option_def *def, const void *config,
		       unsigned int i, char *text, size_t size)
{
	snprintf(text, size, "%s", (const char *)value_of(def, config));
	return i == 0 && *text;
}

static bool read_list(const struct option_def *def, const char *text,
		      void *config, char error[OPTIONS_ERROR_LEN])
{
	struct option_list *list = member(def, config);

	if (!is_text(text))
		return refuse_text(error);
	if (list->n == OPTIONS_MAX_LIST)
		return refuse(error, "at most %d of this option",
			      OPTIONS_MAX_LIST);
	copy_text(list->text[list->n++], text);
	return true;
}

static bool write_list(const struct option_def *def, const void *config,
		       unsigned int i, char *text, size_t size)
{
	const struct option_list *list = value_of(def, config);

	if (i >= list->n)
		return false;
	snprintf(text, size, "%s", list->text[i]);
	return true;
}

static bool parse_ipv4(const char *text, uint32_t *address)
{
	struct in_addr in;

	if (inet_pton(AF_INET, text, &in) != 1)
		return false;
	*address = ntohl(in.s_addr);
	return true;
}

static bool read_ipv4(const struct option_def *def, const char *text,
		      void *config, char error[OPTIONS_ERROR_LEN])
{
	if (!parse_ipv4(text, member(def, config)))
		return refuse(error, "an IPv4 address such as 10.0.0.7");
	return true;
}

static void ipv4_text(uint32_t address, char text[INET_ADDRSTRLEN])
{
	struct in_addr in = { .s_addr = htonl(address) };

	inet_ntop(AF_INET, &in, text, INET_ADDRSTRLEN);
}

static bool write_ipv4(const struct option_def *def, const void *config,
		       unsigned int i, char *text, size_t size)
{
	uint32_t address = *(const uint32_t *)value_of(def, config);
	char dotted[INET_ADDRSTRLEN];

	ipv4_text(address, dotted);
	snprintf(text, size, "%s", dotted);
	return i == 0 && address != 0;
}

static uint32_t host_mask(uint8_t prefix_len)
{
	return prefix_len ? (1U << (MAX_IPV4_PREFIX - prefix_len)) - 1 :
			    UINT32_MAX;
}

/* min and max bound the prefix length; both 0: any. */
static bool parse_prefix_len(const struct option_def *def, const char *text,
			     uint8_t *prefix_len)
{
	int64_t max = def->max > 0 ? def->max : MAX_IPV4_PREFIX;
	int64_t value;

	if (!option_number(text, def->min, max, &value))
		return false;
	*prefix_len = (uint8_t)value;
	return true;
}

static bool refuse_network(const struct option_def *def,
			   char error[OPTIONS_ERROR_LEN])
{
	if (def->max > 0)
		return refuse(error, "a network such as 10.0.0.0/16, its "
			      "prefix length from %" PRId64 " to %" PRId64,
			      def->min, def->max);
	return refuse(error, "a network such as 10.0.0.0/16");
}

static bool read_network(const struct option_def *def, const char *text,
			 void *config, char error[OPTIONS_ERROR_LEN])
{
	struct option_network *out = member(def, config);
	const char *slash = strchr(text, '/');
	char address[INET_ADDRSTRLEN];
	struct option_network network;

	if (!slash || slash - text >= INET_ADDRSTRLEN)
		return refuse_network(def, error);
	memcpy(address, text, (size_t)(slash - text));
	address[slash - text] = '\0';
	if (!parse_ipv4(address, &network.address) ||
	    !parse_prefix_len(def, slash + 1, &network.prefix_len))
		return refuse_network(def, error);
	if (network.address & host_mask(network.prefix_len)) {
		ipv4_text(network.address & ~host_mask(network.prefix_len),
			  address);
		return refuse(error, "a network, host bits 0, as in %s/%u",
			      address, network.prefix_len);
	}
	*out = network;
	return true;
}

static bool write_network(const struct option_def *def, const void *config,
			  unsigned int i, char *text, size_t size)
{
	const struct option_network *network = value_of(def, config);
	char dotted[INET_ADDRSTRLEN];

	ipv4_text(network->address, dotted);
	snprintf(text, size, "%s/%u", dotted, network->prefix_len);
	return i == 0;
}

/* What the kernel takes for a name, and prints on a line of its own. */
static bool is_interface(const char *text)
{
	const char *percent = strchr(text, '%');
	const char *p;

	if (!*text || strlen(text) >= IFNAMSIZ)
		return false;
	if (!strcmp(text, ".") || !strcmp(text, ".."))
		return false;
	for (p = text; *p; p++)
		if (*p <= ' ' || *p > '~' || *p == '/' || *p == ':')
			return false;
	return !percent || (percent[1] == 'd' && !strchr(percent + 1, '%'));
}

static bool read_interface(const struct option_def *def, const char *text,
			   void *config, char error[OPTIONS_ERROR_LEN])
{
	if (!is_interface(text))
		return refuse(error, "an interface name of 1 to %d "
			      "characters, such as tun0 or tun%%d",
			      IFNAMSIZ - 1);
	copy_text(member(def, config), text);
	return true;
}

const struct option_type option_flag = { read_flag, write_flag };
const struct option_type option_clear = { read_clear, write_clear };
const struct option_type option_count = { read_count, write_count };
const struct option_type option_choice = { read_choice, write_choice };
const struct option_type option_u32 = { read_u32, write_u32 };
const struct option_type option_text = { read_text, write_text };
const struct option_type option_list = { read_list, write_list };
const struct option_type option_ipv4 = { read_ipv4, write_ipv4 };
const struct option_type option_network = { read_network, write_network };
const struct option_type option_interface = { read_interface, write_text };

/* getopt_long(3)'s view of a table. */
struct getopt_view {
	struct option longs[MAX_OPTIONS + 1];
	char shorts[2 + 2 * MAX_OPTIONS];
};

/* A flag can be taken back: --no-tun=no, over a file that has it. */
static int arguments_of(const struct option_def *def)
{
	if (def->argument)
		return required_argument;
	return def->flags & OPTION_COMMAND ? no_argument : optional_argument;
}

static void make_view(const struct option_def *table, size_t n,
		      struct getopt_view *view)
{
	char *letter;
	size_t i;

	assert(n <= MAX_OPTIONS);
	memset(view, 0, sizeof(*view));
	letter = view->shorts;
	/* Tell a missing value from an unknown option. */
	*letter++ = ':';
	for (i = 0; i < n; i++) {
		view->longs[i] = (struct option){
			.name = table[i].name,
			.has_arg = arguments_of(&table[i]),
			.val = VALUE_BASE + (int)i,
		};
		if (!table[i].letter)
			continue;
		*letter++ = table[i].letter;
		if (table[i].argument)
			*letter++ = ':';
	}
}

static const struct option_def *find(const struct option_def *table, size_t n,
				     int value)
{
	size_t i;

	if (value >= VALUE_BASE)
		return &table[value - VALUE_BASE];
	for (i = 0; i < n; i++)
		if (table[i].letter && table[i].letter == value)
			return &table[i];
	return NULL;
}

static bool is_abbreviation(const struct option_def *table, size_t n,
			    const char *word)
{
	size_t i, len;

	if (word[0] != '-' || word[1] != '-')
		return false;
	word += 2;
	len = strcspn(word, "=");
	for (i = 0; i < n; i++)
		if (!strncmp(table[i].name, word, len))
			return true;
	return false;
}

/* Say what getopt_long(3) did not like: word, or the option value in it. */
static void explain(const struct option_def *table, size_t n, bool missing,
		    int value, const char *word,
		    char error[OPTIONS_ERROR_LEN])
{
	const struct option_def *def = find(table, n, value);

	if (missing)
		refuse(error, "option --%s needs a value: %s", def->name,
		       def->argument);
	else if (def)
		refuse(error, "option --%s takes no value", def->name);
	else if (value)
		refuse(error, "unknown option \"-%c\"", value);
	else if (is_abbreviation(table, n, word))
		refuse(error, "option \"%.80s\" is ambiguous", word);
	else
		refuse(error, "unknown option \"%.80s\"", word);
}

static bool read_value(const struct option_def *def, const char *text,
		       void *config, char error[OPTIONS_ERROR_LEN])
{
	char allowed[OPTIONS_ERROR_LEN];

	if (def->type->read(def, text, config, allowed))
		return true;
	return refuse(error, "option --%s: \"%.60s\" found, allowed: %.100s",
		      def->name, text ? text : "", allowed);
}

int options_parse(const struct option_def *table, size_t n, int argc,
		  char **argv, void *config, char error[OPTIONS_ERROR_LEN])
{
	struct getopt_view view;
	int value;

	make_view(table, n, &view);
	opterr = 0;
	optind = 0;	/* glibc's and musl's word for a fresh start */
	for (;;) {
		value = getopt_long(argc, argv, view.shorts, view.longs, NULL);
		if (value == -1)
			return optind;
		if (value == '?' || value == ':') {
			explain(table, n, value == ':', optopt,
				argv[optind - 1], error);
			return -1;
		}
		if (!read_value(find(table, n, value), optarg, config, error))
			return -1;
	}
}

/* "  -p, --port N" */
static int left_side(const struct option_def *def, char *out, size_t size)
{
	char letter[8] = "    ";

	if (def->letter)
		snprintf(letter, sizeof(letter), "-%c, ", def->letter);
	return snprintf(out, size, "  %s--%s%s%s", letter, def->name,
			def->argument ? " " : "",
			def->argument ? def->argument : "");
}

static int help_column(const struct option_def *table, size_t n)
{
	char left[OPTIONS_TEXT_LEN];
	int column = 0, len;
	size_t i;

	for (i = 0; i < n; i++) {
		len = left_side(&table[i], left, sizeof(left)) + 2;
		if (len > column && len <= HELP_COLUMN_MAX)
			column = len;
	}
	return column;
}

/* Words from column at on, broken before the right edge. */
static void print_wrapped(const char *text, int column, FILE *to)
{
	int at = column, len;

	for (;;) {
		text += strspn(text, " ");
		len = (int)strcspn(text, " ");
		if (!len)
			break;
		if (at > column && at + 1 + len > HELP_WIDTH) {
			fprintf(to, "\n%*s", column, "");
			at = column;
		}
		at += fprintf(to, "%s%.*s", at > column ? " " : "", len, text);
		text += len;
	}
	fputc('\n', to);
}

void options_print(const struct option_def *table, size_t n,
		   const struct option_group *group, FILE *to)
{
	int column = help_column(table, n);
	char left[OPTIONS_TEXT_LEN];
	size_t i;

	for (i = 0; i < n; i++) {
		if (group && group->first &&
		    strcmp(table[i].name, group->first) == 0)
			fprintf(to, "\n%s:\n", group++->title);
		if (left_side(&table[i], left, sizeof(left)) + 2 > column)
			fprintf(to, "%s\n%*s", left, column, "");
		else
			fprintf(to, "%-*s", column, left);
		print_wrapped(table[i].help, column, to);
	}
}
