/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What copying needs to know: where to, how, how far it is. Between cp.c and cp-from.c. */
#ifndef KMLN_CLI_CP_H
#define KMLN_CLI_CP_H

#include "cli/cp-words.h"
#include "cluster/guest.h"
#include "cluster/landing.h"

/* Where things are copied to: a guest, or a folder here. */
struct kmln_cp_target {
	struct kmln_guest *guest; /* NULL: here */
	struct kmln_landing landing;
	const char *path; /* of what is copied: in the guest the whole, here below the landing; ""
			     is the landing itself */
	bool stream; /* to standard output */
};

struct kmln_cp {
	struct kmln_pool *pool;
	bool recursive;
	struct kmln_cp_target to;
	const char *source; /* as the user wrote it */
	struct kmln_guest *from; /* NULL: here */
	uint64_t files, bytes, size, done; /* copied; of this file, and so much of it */
	unsigned problems;
};

/* Copies cp->source, which is at `path` there, to cp->to. */
int kmln_cp_from_guest(struct kmln_cp *cp, const char *path, struct kmln_error *err);
int kmln_cp_from_here(struct kmln_cp *cp, const char *path, struct kmln_error *err);
/* Standard input to a file of a guest. */
int kmln_cp_from_input(struct kmln_cp *cp, struct kmln_error *err);

#endif
