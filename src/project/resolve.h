/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From the tree to the cluster. Pure: opens nothing; the same tree gives the same model on each
 * machine and in each run.
 */
#ifndef KMLN_PROJECT_RESOLVE_H
#define KMLN_PROJECT_RESOLVE_H

#include "project/model.h"
#include "project/report.h"

/* More hosts than this are refused. */
#define KMLN_HOSTS_MAX 20000

/*
 * Never NULL. The tree must live as long as the model; marks in it note what has been reported.
 * Every mistake that the tree alone shows is reported, whichever reader made it.
 */
struct kmln_model *kmln_project_resolve(
	struct kmln_pool *pool, struct kmln_syntax *syntax, struct kmln_report *report);

/* What only the machine at hand knows. Each may be NULL: then it is not asked. */
struct kmln_surroundings {
	void *data;
	/* Whether there is such an image, by the rules of KMLN_TYPE_IMAGE. */
	bool (*has_image)(void *data, const char *name, bool is_template);
	/* Whether this host can run the platform; `*why` a clause where it cannot. */
	bool (*has_platform)(void *data, const char *name, const char **why);
	/* Whether there is such a file, by the rules of KMLN_TYPE_PATH. */
	bool (*has_file)(void *data, const char *name);
	/* Why a platform ("auto": each of them) cannot start the kernel; NULL: one can. */
	const char *(*kernel_misfit)(void *data, const char *name, const char *platform);
};
/* Reports all images and templates that are missing, and platforms that this host lacks (warnings).
 */
void kmln_project_check_here(const struct kmln_model *model, const struct kmln_surroundings *here,
	struct kmln_report *report);

#endif
