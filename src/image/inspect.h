/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading an image into facts. Nothing is ever written. */
#ifndef KMLN_IMAGE_INSPECT_H
#define KMLN_IMAGE_INSPECT_H

#include "image/facts.h"
#include "tree/tree.h"

/*
 * Makes new facts of the open image; free them with kmln_facts_free(). What cannot be a guest's
 * image is KMLN_EINVALID; an image that merely has no root filesystem kmln can read gives facts
 * with root NULL.
 */
int kmln_inspect(const struct kmln_disk *disk, struct kmln_facts **facts, struct kmln_error *err);
/*
 * The same, of a guest as little as its start needs where the kernel is not the guest's: /etc/fstab
 * and the packages. Most of the work of kmln_inspect() is in the rest. Such facts are not to be
 * planned with.
 */
int kmln_inspect_to_start(
	const struct kmln_disk *disk, struct kmln_facts **facts, struct kmln_error *err);
/*
 * The same but for kernels and their modules, of which there may be thousands of files: for who
 * plans settings alone.
 */
int kmln_inspect_without_kernels(
	const struct kmln_disk *disk, struct kmln_facts **facts, struct kmln_error *err);
struct kmln_facts *kmln_facts_free(struct kmln_facts *facts);
void kmln_facts_cleanup(struct kmln_facts **facts);
#define KMLN_FACTS KMLN_CLEANUP(kmln_facts_cleanup)

/*
 * A root filesystem is the one in the partition disk->root, or, where that is 0, the only one that
 * looks like one: two of them are root_problem, and root_count tells that from none.
 *
 * The same in parts, for who wants less or has no disk: format, partitions and filesystems; the
 * root filesystem (facts->root and *tree, or root_problem and no tree); what the guest in it is.
 * The last needs facts that have a pool and `root`, and any kind of tree.
 */
int kmln_inspect_disk(
	const struct kmln_disk *disk, struct kmln_facts **facts, struct kmln_error *err);
int kmln_inspect_find_root(const struct kmln_disk *disk, struct kmln_facts *facts,
	struct kmln_tree **tree, struct kmln_error *err);
int kmln_inspect_guest(struct kmln_tree *tree, struct kmln_facts *facts, struct kmln_error *err);
/*
 * New facts of a root filesystem laid out in a folder, as kmln_inspect_disk() and _find_root() make
 * them of a disk: its format is KMLN_FORMAT_FOLDER, and there is nothing around the tree.
 */
int kmln_inspect_folder(struct kmln_tree *tree, struct kmln_facts **facts, struct kmln_error *err);
/* Fills facts->esp and bios_boot, once the partitions are known. */
int kmln_inspect_firmware(
	const struct kmln_disk *disk, struct kmln_facts *facts, struct kmln_error *err);

/* The parts, each in a file of its own; for inspect.c. All read one tree and fill in facts. */
int kmln_inspect_os(struct kmln_tree *tree, struct kmln_facts *facts, struct kmln_error *err);
int kmln_inspect_init(struct kmln_tree *tree, struct kmln_facts *facts, struct kmln_error *err);
int kmln_inspect_packages(struct kmln_tree *tree, struct kmln_facts *facts, struct kmln_error *err);
void kmln_inspect_dpkg(struct kmln_tree *tree, struct kmln_facts *facts);
int kmln_inspect_settings(struct kmln_tree *tree, struct kmln_facts *facts, struct kmln_error *err);
/* Never fails: what is wrong with the records is a fact. */
void kmln_inspect_records(struct kmln_tree *tree, struct kmln_facts *facts);

/* For these: the file's text in the facts' pool, or NULL where there is none or it is too long. */
const char *kmln_inspect_text(struct kmln_tree *tree, struct kmln_facts *facts, const char *path);
/* The next line of *text without its newline; false at the end. The line is NUL-ended in the
 * buffer. */
bool kmln_next_line(char **text, char **line);

/*
 * Learns of more paths, as kmln_facts_file() gives them: those that a plan will need and that only
 * its preparation knows. What is known already is not looked at again.
 */
void kmln_inspect_paths(
	struct kmln_tree *tree, struct kmln_facts *facts, const struct kmln_strv *paths);
/*
 * Learns the sums of those of these paths that are known, regular and no text: so that a plan can
 * tell whether their content is the wanted one. Content over 256 MiB has none.
 */
void kmln_inspect_sums(
	struct kmln_tree *tree, struct kmln_facts *facts, const struct kmln_strv *paths);
/* Fills facts->skeleton, once; what is too much for a home is left out, with a note. */
void kmln_inspect_skeleton(struct kmln_tree *tree, struct kmln_facts *facts);

#endif
