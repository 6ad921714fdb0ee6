/* SPDX-License-Identifier: MIT */
/* cli: the command line in, the exit code out. */
#include <stdio.h>
#include <string.h>

#include "client/client.h"
#include "client/commands.h"
#include "client/config.h"
#include "common/exit.h"
#include "common/log.h"
#include "common/version.h"

static enum log_level level_of(const struct cli_config *config)
{
	if (config->quiet)
		return LOG_LEVEL_NOTICE;
	return config->verbose > 0 ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO;
}

int main(int argc, char **argv)
{
	char error[OPTIONS_ERROR_LEN];
	struct cli_config config;

	if (argc > 1 && !strcmp(argv[1], "status"))
		return commands_status(argc - 1, argv + 1);
	log_init("cli", LOG_LEVEL_INFO);
	if (!config_read(&config, argc, argv, error)) {
		log_error("%s", error);
		return EXIT_USAGE;
	}
	if (config.help) {
		config_print_help(stdout);
		return EXIT_OK;
	}
	if (config.version) {
		puts("cli (simplevpn) " SIMPLEVPN_VERSION);
		return EXIT_OK;
	}
	if (config.print_default) {
		config_print_default(stdout);
		return EXIT_OK;
	}
	if (config.test) {
		puts("cli: the configuration is good");
		return EXIT_OK;
	}
	log_set_level(level_of(&config));
	log_set_format((enum log_format)config.log_format);
	return client_run(&config);
}
