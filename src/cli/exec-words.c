// SPDX-License-Identifier: GPL-2.0-or-later
/* The words of `kmln exec`; see exec-words.h. */
#include "cli/exec-words.h"

#include <string.h>

/* Parses options up to the first word that is none; *used: how many words those were. */
static int options(const struct kmln_command *command, void *values, int argc, char **argv,
	int *used, bool *help, struct kmln_error *err)
{
	struct kmln_command one = *command;
	int args = argc, r;

	one.rest_from = 1;
	r = kmln_opts_parse(&one, values, argc, argv, &args, help, err);
	*used = argc - args;
	/* the words stand where the options were */
	memmove(argv + *used, argv, (size_t)args * sizeof(*argv));
	return r;
}

int kmln_exec_words(const struct kmln_command *command, void *values, const bool *all, int argc,
	char **argv, int *hosts, int *words, bool *help, struct kmln_error *err)
{
	int dashes = 0, used = 0, r;

	*hosts = 0;
	*words = 0;
	while (dashes < argc && !kmln_eq(argv[dashes], "--"))
		dashes++;
	if (dashes < argc) {
		r = kmln_opts_parse(command, values, dashes, argv, hosts, help, err);
		if (r < 0)
			return r;
		*words = *hosts + argc - dashes - 1;
		memmove(argv + *hosts, argv + dashes + 1,
			(size_t)(argc - dashes - 1) * sizeof(*argv));
		return 0;
	}
	r = options(command, values, argc, argv, &used, help, err);
	if (r < 0)
		return r;
	memmove(argv, argv + used, (size_t)(argc - used) * sizeof(*argv));
	argc -= used;
	*words = argc;
	if (*all || !argc)
		return 0;
	*hosts = 1;
	r = options(command, values, argc - 1, argv + 1, &used, help, err);
	memmove(argv + 1, argv + 1 + used, (size_t)(argc - 1 - used) * sizeof(*argv));
	*words = argc - used;
	return r;
}
