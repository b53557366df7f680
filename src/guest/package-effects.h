/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Putting one package into a guest as dpkg would have: for step-packages.c, and for who chooses
 * what is put in.
 */
#ifndef KMLN_GUEST_PACKAGE_EFFECTS_H
#define KMLN_GUEST_PACKAGE_EFFECTS_H

#include "guest/packages.h"
#include "guest/step.h"

/* Texts that every package may add to; each paragraph ends with an empty line. */
struct kmln_pkg_texts {
	struct kmln_buf status, states, questions, templates;
};

/*
 * The paths that facts must know (kmln_inspect_paths) before the package can be planned, with all
 * folders above them.
 */
void kmln_pkg_paths(const struct kmln_pkg *pkg, struct kmln_strv *paths);
/* True for a file of the kernel itself: step-kernel.c puts those in. */
bool kmln_pkg_is_kernel_file(const char *path);
/* What in the guest stands against putting the package in, in words for people; or NULL. */
const char *kmln_pkg_obstacle(
	const struct kmln_facts *facts, const struct kmln_pkg *pkg, struct kmln_pool *pool);
/* The real path in the guest of a path that facts know; its folders may be made by this plan. */
const char *kmln_pkg_real_path(
	const struct kmln_facts *facts, const char *path, struct kmln_pool *pool);
/* What the package's scripts would do, as edits of the group and as texts. */
int kmln_plan_effects(struct kmln_planning *planning, const struct kmln_pkg *pkg, const char *group,
	struct kmln_pkg_texts *texts, struct kmln_error *err);

#endif
