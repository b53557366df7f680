/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Telling options, hosts and the command of `kmln exec` apart. With a "--", what stands in front of
 * the first one are options and hosts, and what stands behind it is the command. Without one the
 * first word is the host (with --all there is none), and the command begins with the next word that
 * is no option. What belongs to the command is never looked at. Pure.
 */
#ifndef KMLN_CLI_EXEC_WORDS_H
#define KMLN_CLI_EXEC_WORDS_H

#include "cli/cli.h"

/*
 * Parses into `values`; `all` is where the table puts --all. Afterwards argv holds *hosts names,
 * then the command, *words in all.
 */
int kmln_exec_words(const struct kmln_command *command, void *values, const bool *all, int argc,
	char **argv, int *hosts, int *words, bool *help, struct kmln_error *err);

#endif
