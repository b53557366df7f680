// SPDX-License-Identifier: GPL-2.0-or-later
/* A question and its answer; see confirm.h. */
#include "cli/confirm.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

int kmln_confirm(const char *question, struct kmln_error *err)
{
	char answer[16];

	if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO))
		return kmln_fail(err, KMLN_EUSAGE,
			"there is no terminal on which to ask: --yes goes on without");
	fprintf(stderr, "%s [y/N] ", question);
	fflush(stderr);
	if (fgets(answer, sizeof(answer), stdin) &&
		(strcmp(answer, "y\n") == 0 || strcmp(answer, "yes\n") == 0))
		return 0;
	return kmln_fail(err, KMLN_ENO, "nothing was changed");
}
