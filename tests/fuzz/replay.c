/* SPDX-License-Identifier: MIT */
/*
 * Runs a fuzz target over kept inputs, where there is no libFuzzer: one file,
 * or all files of a directory, per argument.
 */
#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { INPUT_SIZE = 1 << 20, NAME_SIZE = 4096 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned long n_inputs;

/* False: path is no file that can be read. */
static bool replay_file(const char *path)
{
	static uint8_t input[INPUT_SIZE];
	FILE *file = fopen(path, "rb");
	uint8_t *copy;
	size_t len;

	if (!file)
		return false;
	len = fread(input, 1, sizeof(input), file);
	fclose(file);
	/* Memory of just that size, so that a read beyond it is seen. */
	copy = malloc(len ? len : 1);
	if (!copy)
		return false;
	memcpy(copy, input, len);
	LLVMFuzzerTestOneInput(copy, len);
	free(copy);
	n_inputs++;
	return true;
}

static bool replay_directory(DIR *directory, const char *path)
{
	char name[NAME_SIZE];
	struct dirent *entry;
	bool ok = true;

	while ((entry = readdir(directory)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
		ok &= replay_file(name);
	}
	return ok;
}

int main(int argc, char **argv)
{
	DIR *directory;
	bool ok = true;
	int i;

	for (i = 1; i < argc; i++) {
		directory = opendir(argv[i]);
		if (!directory) {
			ok &= replay_file(argv[i]);
			continue;
		}
		ok &= replay_directory(directory, argv[i]);
		closedir(directory);
	}
	printf("%lu inputs\n", n_inputs);
	return ok && n_inputs > 0 ? 0 : 1;
}
