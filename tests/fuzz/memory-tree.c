// SPDX-License-Identifier: GPL-2.0-or-later
/* A tree whose folders exist because a path of a file names them. Read only. */
#include "memory-tree.h"

#include <stdlib.h>
#include <string.h>

#define PIECE 61 /* bytes that a reader gets at once */

static const struct memory_file *find(const struct memory_tree *memory, const char *path)
{
	for (size_t i = 0; i < memory->count; i++)
		if (strcmp(memory->files[i].path, path) == 0)
			return &memory->files[i];
	return NULL;
}

/* What of the file's path is behind the folder and its slash, or NULL. */
static const char *below(const struct memory_file *file, const char *folder)
{
	size_t length = folder[1] ? strlen(folder) : 0;

	return strncmp(file->path, folder, length) == 0 && file->path[length] == '/'
		       ? file->path + length + 1
		       : NULL;
}

static bool is_folder(const struct memory_tree *memory, const char *path)
{
	for (size_t i = 0; i < memory->count; i++)
		if (below(&memory->files[i], path))
			return true;
	return !path[1];
}

static int memory_stat(
	struct kmln_tree *tree, const char *path, struct kmln_stat *st, struct kmln_error *err)
{
	const struct memory_tree *memory = (const struct memory_tree *)tree;
	const struct memory_file *file = find(memory, path);

	if (!file && !is_folder(memory, path))
		return kmln_fail_sys(err, ENOENT, "look up");
	*st = (struct kmln_stat){.mode = file ? S_IFREG | 0755 : S_IFDIR | 0755,
		.links = 1,
		.size = file ? file->size : 0,
		.inode = file ? (uintptr_t)file->data : 2};
	return 0;
}

static int memory_readlink(
	struct kmln_tree *tree, const char *path, struct kmln_buf *target, struct kmln_error *err)
{
	(void)tree;
	(void)path;
	(void)target;
	return kmln_fail_sys(err, EINVAL, "read link");
}

/* Whether an earlier file gave the first component of `name` already. */
static bool listed(const struct memory_tree *memory, size_t before, const char *folder,
	const char *name, size_t length)
{
	for (size_t i = 0; i < before; i++) {
		const char *other = below(&memory->files[i], folder);

		if (other && strcspn(other, "/") == length && memcmp(other, name, length) == 0)
			return true;
	}
	return false;
}

static int memory_list(struct kmln_tree *tree, const char *path, struct kmln_listing *listing,
	struct kmln_error *err)
{
	const struct memory_tree *memory = (const struct memory_tree *)tree;
	int r = 0;

	if (!is_folder(memory, path))
		return kmln_fail_sys(err, find(memory, path) ? ENOTDIR : ENOENT, "list");
	for (size_t i = 0; r == 0 && i < memory->count; i++) {
		const char *name = below(&memory->files[i], path);
		size_t length = name ? strcspn(name, "/") : 0;
		KMLN_FREE char *first = NULL;

		if (!name || listed(memory, i, path, name, length))
			continue;
		first = kmln_printf("%.*s", (int)length, name);
		r = kmln_listing_add(listing, first, 0, err);
	}
	return r;
}

struct open_file {
	struct kmln_file file;
	const struct memory_file *of;
	size_t at;
};

static int memory_next(
	struct kmln_file *file, const char **data, uint64_t *size, struct kmln_error *err)
{
	struct open_file *open = (struct open_file *)file;
	size_t left = open->of->size - open->at;

	(void)err;
	*data = (const char *)open->of->data + open->at;
	*size = left < PIECE ? left : PIECE;
	open->at += (size_t)*size;
	return 0;
}

static void memory_file_close(struct kmln_file *file)
{
	free(file);
}

static const struct kmln_file_ops file_ops = {.next = memory_next, .close = memory_file_close};

static int memory_open(
	struct kmln_tree *tree, const char *path, struct kmln_file **file, struct kmln_error *err)
{
	const struct memory_file *of = find((const struct memory_tree *)tree, path);
	struct open_file *open;

	if (!of)
		return kmln_fail_sys(err, ENOENT, "open");
	open = kmln_malloc(sizeof(*open));
	*open = (struct open_file){{&file_ops}, of, 0};
	*file = &open->file;
	return 0;
}

static int memory_xattrs(struct kmln_tree *tree, const char *path, struct kmln_xattrs *xattrs,
	struct kmln_error *err)
{
	(void)tree;
	(void)path;
	(void)xattrs;
	(void)err;
	return 0;
}

static int memory_close(struct kmln_tree *tree, struct kmln_error *err)
{
	(void)tree;
	(void)err;
	return 0;
}

static const struct kmln_tree_ops ops = {
	.name = "memory",
	.stat = memory_stat,
	.readlink = memory_readlink,
	.list = memory_list,
	.open = memory_open,
	.xattrs = memory_xattrs,
	.close = memory_close,
};

void memory_tree_init(struct memory_tree *memory)
{
	*memory = (struct memory_tree){.tree = {.ops = &ops}};
}

void memory_tree_fini(struct memory_tree *memory)
{
	struct kmln_tree *tree = &memory->tree;

	kmln_tree_cleanup(&tree);
}

void memory_tree_put(struct memory_tree *memory, const char *path, const void *data, size_t size)
{
	struct memory_file *file = (struct memory_file *)find(memory, path);

	if (!file) {
		if (memory->count == MEMORY_FILES_MAX)
			abort();
		file = &memory->files[memory->count++];
	}
	*file = (struct memory_file){path, data, size};
}
