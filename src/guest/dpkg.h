/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dpkg's rules: versions, relations between packages, the paragraphs of its database. Pure: facts
 * of a guest and packages at hand go in, a choice or a text comes out.
 */
#ifndef KMLN_GUEST_DPKG_H
#define KMLN_GUEST_DPKG_H

#include "guest/packages.h"

/* Orders versions as dpkg does: less than, equal to, or greater than zero. */
int kmln_version_compare(const char *a, const char *b);

/* Packages that go into a guest together; no pointer is owned. */
struct kmln_pkg_choice {
	const struct kmln_pkg **items;
	size_t count;
	/* Names of packages that are needed and neither installed nor at hand; NULL-ended. */
	const char **lacking;
	size_t lacking_count;
};

/*
 * Adds `root` and everything it needs of `offered` that the guest lacks to the choice, so that with
 * it every relation holds: of the new packages, and of those that are installed to them. Returns
 * NULL, or in words for people why that cannot be; the choice is then as it was but for `lacking`.
 */
const char *kmln_dpkg_choose(const struct kmln_facts *facts, const struct kmln_pkgs *offered,
	const struct kmln_pkg *root, struct kmln_pool *pool, struct kmln_pkg_choice *choice);

/* True where the package is in the choice. */
bool kmln_choice_has(const struct kmln_pkg_choice *choice, const char *name);
/* True where the value of Depends (or the like) names this package, whatever the version. */
bool kmln_relation_names(const char *relations, const char *name);
/* The architecture that the guest's dpkg is of ("amd64"), or NULL. */
const char *kmln_dpkg_architecture(const struct kmln_facts *facts);

/*
 * The paragraph of an installed package in dpkg's status file, with its fields in the order in
 * which dpkg writes them, and an empty line behind it.
 */
void kmln_dpkg_paragraph(const struct kmln_pkg *pkg, struct kmln_buf *out);
/* How the package's files in dpkg's info folder begin: "kmod", "libkmod2:amd64". */
char *kmln_dpkg_info_name(
	const struct kmln_pkg *pkg, const struct kmln_facts *facts, struct kmln_pool *pool);

#endif
