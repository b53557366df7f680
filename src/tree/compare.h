/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two trees side by side, folder by folder: what is in one only, and in what the rest differs. All
 * of an object that its users can see is compared but the times of access and of change; inode and
 * block numbers are not. Contents are compared as they are read, and holes count as the zeros they
 * stand for.
 */
#ifndef KMLN_TREE_COMPARE_H
#define KMLN_TREE_COMPARE_H

#include "tree/tree.h"

enum kmln_difference_kind {
	KMLN_ONLY_A,
	KMLN_ONLY_B,
	KMLN_DIFFERS,
	KMLN_UNREADABLE, /* it, or what is in it, could not be compared: `problem` */
};

/* In what two objects differ. */
#define KMLN_DIFF_TYPE (1u << 0) /* nothing else is compared then */
#define KMLN_DIFF_MODE (1u << 1)
#define KMLN_DIFF_OWNER (1u << 2)
#define KMLN_DIFF_SIZE (1u << 3)
#define KMLN_DIFF_CONTENT (1u << 4)
#define KMLN_DIFF_TARGET (1u << 5)
#define KMLN_DIFF_DEVICE (1u << 6)
#define KMLN_DIFF_MTIME (1u << 7)
#define KMLN_DIFF_LINKS (1u << 8) /* their number, or which names are one file */
#define KMLN_DIFF_XATTRS (1u << 9)
#define KMLN_DIFF_FLAGS (1u << 10)
#define KMLN_DIFF_COUNT 11

struct kmln_difference {
	enum kmln_difference_kind kind;
	const char *path; /* for people and for programs */
	const char *path_a, *path_b; /* in their trees */
	const struct kmln_stat *a, *b; /* NULL: not there, or not to be read */
	unsigned what; /* KMLN_DIFF_... */
	const char *target_a, *target_b; /* of links; else NULL */
	const struct kmln_xattrs *xattrs_a, *xattrs_b; /* NULL unless they differ */
	bool below; /* in a folder that is in one tree only */
	const char *problem;
};

struct kmln_compare {
	struct kmln_tree *a, *b;
	const char *path_a, *path_b; /* where to begin: the same place, links followed */
	const char *shown; /* how that place is called */
	bool no_content; /* of files, size and time tell */
	bool no_mtime;
	/* True for a path that shall not count, with all that is in it; NULL: all count. */
	bool (*skip)(void *data, const char *path);
	/* All in it is valid during the call. Return 0 to go on, 1 for enough, or a negative code.
	 */
	int (*found)(void *data, const struct kmln_difference *difference, struct kmln_error *err);
	void *data;
};

/*
 * 0 when all was walked, or was enough; negative only where `found` said so. What cannot be read is
 * told as KMLN_UNREADABLE.
 */
int kmln_trees_compare(const struct kmln_compare *compare, struct kmln_error *err);
/* "content", "mtime" ...; for bit 0 to KMLN_DIFF_COUNT - 1. */
const char *kmln_difference_name(unsigned bit);
/* Whether two attributes have one name and value. */
bool kmln_xattr_same(const struct kmln_xattr *a, const struct kmln_xattr *b);

#endif
