/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An image in the making: it has no name until it is complete, so that neither an error nor kill -9
 * leaves a half one behind.
 */
#ifndef KMLN_BASE_OUTPUT_H
#define KMLN_BASE_OUTPUT_H

#include "base/mem.h"

struct kmln_output {
	int fd; /* -1: none */
	char *temp; /* its name meanwhile, where the host's filesystem knows no nameless files */
	const char *path; /* borrowed */
};
#define KMLN_OUTPUT KMLN_CLEANUP(kmln_output_drop)

/* EEXIST where `path` is there, unless `force`. */
int kmln_output_open(
	const char *path, bool force, struct kmln_output *output, struct kmln_error *err);
/* Syncs it and gives it its name; with `force` in the place of what has it. */
int kmln_output_publish(struct kmln_output *output, bool force, struct kmln_error *err);
/* The same without a sync, for many files that are synced together afterwards. */
int kmln_output_name(struct kmln_output *output, bool force, struct kmln_error *err);
void kmln_output_drop(struct kmln_output *output);

#endif
