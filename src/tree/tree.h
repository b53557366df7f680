/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A root filesystem: one interface, several kinds (a folder here; ext2/3/4 in image/ext). Guests
 * are hostile: a path is always a path inside the tree, links are followed inside it only, by
 * kmln_tree_resolve(), and the kinds themselves never follow one.
 *
 * Paths: absolute, no "." or "..", no double or trailing slash; "/" is the root. Names are bytes.
 */
#ifndef KMLN_TREE_TREE_H
#define KMLN_TREE_TREE_H

#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "base/mem.h"

struct kmln_stat {
	uint32_t mode; /* type and permissions, as S_IFMT and friends */
	uint32_t uid, gid;
	uint32_t links;
	uint64_t size; /* bytes */
	uint64_t inode;
	uint64_t stored; /* bytes that its content takes on the disk: less than size where it has
			    holes */
	int64_t mtime;
	uint32_t mtime_ns;
	uint32_t major, minor; /* of a device node */
	uint32_t flags; /* KMLN_FLAG_... */
};
#define KMLN_FLAG_IMMUTABLE 1u
#define KMLN_FLAG_APPEND 2u /* append only */

/* One piece of a file. Return 0 to go on, 1 to end the reading without an error, or a negative
 * code. */
typedef int (*kmln_chunk_fn)(void *data, const char *bytes, size_t size, struct kmln_error *err);
/* One name in a folder, never "." or "..". Returns as kmln_chunk_fn. */
typedef int (*kmln_name_fn)(void *data, const char *name, struct kmln_error *err);
/* Gives up to `room` bytes of a file's content; returns the number, 0 at the end, or a negative
 * code. */
typedef ssize_t (*kmln_source_fn)(void *data, char *bytes, size_t room, struct kmln_error *err);

/* What a new object is made with. */
struct kmln_meta {
	uint32_t mode; /* permission bits, set-id and sticky included */
	uint32_t uid, gid;
	int64_t mtime;
	uint32_t mtime_ns;
	bool sparse; /* blocks of zeros in a new file become holes */
	uint64_t
		reserve; /* bytes of a file behind its content: in blocks of its own, but unknown */
};

struct kmln_tree;

/* ---- the names of a folder ---- */

struct kmln_entry {
	uint32_t name; /* where it begins in the listing's bytes */
	uint32_t inode; /* for the kind that made it; 0: not known */
};

/*
 * All names of one folder but "." and "..", sorted by bytes, in one piece: 8 bytes a name beside
 * the names. Shared by those who hold it, and counted; while one is held, and for the last one
 * made, looking up a name in that folder costs no reading. Writing to the tree ends that.
 */
struct kmln_listing {
	struct kmln_entry *entries;
	size_t count;
	struct kmln_buf bytes; /* the names, each with a NUL behind it */
	size_t room;
	uint64_t folder; /* the folder's inode, for the kind that made it; 0: not known */
	size_t limit; /* bytes that it may take */
	unsigned holders;
	struct kmln_listing *next; /* of its tree */
	struct kmln_tree *tree; /* NULL: it is of no use for looking up any more */
};
#define KMLN_LISTING KMLN_CLEANUP(kmln_listing_free)

/* With more bytes in all listings held of one tree, the next folder is taken for damaged
 * (KMLN_EINVALID): room for 20 million names of ordinary length. */
#define KMLN_LISTING_MAX (512u << 20)

static inline const char *kmln_listing_name(const struct kmln_listing *listing, size_t i)
{
	return listing->bytes.data + listing->entries[i].name;
}

/* The place of a name, or -1. */
ssize_t kmln_listing_find(const struct kmln_listing *listing, const char *name, size_t length);
/* Lets go of it and forgets *listing (NULL is fine). */
void kmln_listing_free(struct kmln_listing **listing);
/* For the kinds: adds a name, in any order. */
int kmln_listing_add(
	struct kmln_listing *listing, const char *name, uint32_t inode, struct kmln_error *err);

/* ---- the content of a file ---- */

struct kmln_file;

struct kmln_file_ops {
	int (*next)(
		struct kmln_file *file, const char **data, uint64_t *size, struct kmln_error *err);
	void (*close)(struct kmln_file *file);
};

/* Embedded first in each kind's own struct. */
struct kmln_file {
	const struct kmln_file_ops *ops;
};
#define KMLN_FILE KMLN_CLEANUP(kmln_file_close)

/* ---- extended attributes ---- */

struct kmln_xattr {
	const char *name; /* "user.x", "security.capability", "system.posix_acl_access" ... */
	const char *value; /* as getxattr(2) gives it */
	size_t size;
};

/* Those of one object, sorted by name. */
struct kmln_xattrs {
	struct kmln_pool *pool; /* owned; NULL: none */
	struct kmln_xattr *items;
	size_t count;
	size_t bytes; /* names and values together */
};
#define KMLN_XATTRS KMLN_CLEANUP(kmln_xattrs_fini)
void kmln_xattrs_fini(struct kmln_xattrs *xattrs);
/* For the kinds: adds one, copied, in any order. */
int kmln_xattrs_add(struct kmln_xattrs *xattrs, const char *name, const void *value, size_t size,
	struct kmln_error *err);

/* A kind. The last path component is never followed; a link on the way is an error (ELOOP). */
struct kmln_tree_ops {
	const char *name;
	bool may_loop; /* damage can make a folder contain itself, which has its inode twice */
	int (*stat)(struct kmln_tree *tree, const char *path, struct kmln_stat *st,
		struct kmln_error *err);
	int (*readlink)(struct kmln_tree *tree, const char *path, struct kmln_buf *target,
		struct kmln_error *err);
	int (*list)(struct kmln_tree *tree, const char *path, struct kmln_listing *listing,
		struct kmln_error *err);
	/* A regular file; all else is EINVAL. */
	int (*open)(struct kmln_tree *tree, const char *path, struct kmln_file **file,
		struct kmln_error *err);
	int (*xattrs)(struct kmln_tree *tree, const char *path, struct kmln_xattrs *xattrs,
		struct kmln_error *err);
	/* The kinds that can be written have all of these; the others none. */
	int (*mkdir)(struct kmln_tree *tree, const char *path, const struct kmln_meta *meta,
		struct kmln_error *err);
	/* A file of `size` bytes. An existing regular file keeps its inode: mode, owner,
	 * attributes. */
	int (*put)(struct kmln_tree *tree, const char *path, const struct kmln_meta *meta,
		uint64_t size, kmln_source_fn fn, void *data, struct kmln_error *err);
	/* Bytes at the end of an existing regular file; of `meta` the time alone is used. */
	int (*append)(struct kmln_tree *tree, const char *path, const struct kmln_meta *meta,
		const char *bytes, uint64_t size, struct kmln_error *err);
	/* In the place of a link of that name, where there is one. */
	int (*symlink)(struct kmln_tree *tree, const char *path, const char *target,
		const struct kmln_meta *meta, struct kmln_error *err);
	/* Device node, fifo or socket; `type` is the S_IFMT part. */
	int (*node)(struct kmln_tree *tree, const char *path, uint32_t type, uint32_t major,
		uint32_t minor, const struct kmln_meta *meta, struct kmln_error *err);
	/* A second name for `existing`. */
	int (*link)(struct kmln_tree *tree, const char *path, const char *existing,
		struct kmln_error *err);
	/* Takes away a name, and with its last name the object; a folder must be empty. */
	int (*remove)(struct kmln_tree *tree, const char *path, struct kmln_error *err);
	/* Sets one extended attribute, in the form in which getxattr(2) gives it. */
	int (*set_xattr)(struct kmln_tree *tree, const char *path, const char *name,
		const void *value, size_t size, struct kmln_error *err);
	/* Flushes and frees; the tree is gone even where this fails. */
	int (*close)(struct kmln_tree *tree, struct kmln_error *err);
};

/* Embedded first in each kind's own struct. */
struct kmln_tree {
	const struct kmln_tree_ops *ops;
	struct kmln_listing *listings; /* those that looking up may use */
	struct kmln_listing *last; /* the one made last, held by the tree itself */
	size_t held; /* bytes in these listings */
};

/* Errors carry the path in front. A missing object gives -ENOENT. */
int kmln_tree_stat(
	struct kmln_tree *tree, const char *path, struct kmln_stat *st, struct kmln_error *err);
int kmln_tree_readlink(
	struct kmln_tree *tree, const char *path, struct kmln_buf *target, struct kmln_error *err);
int kmln_tree_listing(struct kmln_tree *tree, const char *path, struct kmln_listing **listing,
	struct kmln_error *err);
/* The same name by name, sorted. */
int kmln_tree_list(struct kmln_tree *tree, const char *path, kmln_name_fn fn, void *data,
	struct kmln_error *err);
/* Opens a regular file for kmln_file_next(), until kmln_file_close(). */
int kmln_tree_open(
	struct kmln_tree *tree, const char *path, struct kmln_file **file, struct kmln_error *err);
/*
 * The next piece: *size bytes at *data, which last until the next call; *data NULL stands for zeros
 * that are stored nowhere (a hole). *size 0 is the end.
 */
int kmln_file_next(
	struct kmln_file *file, const char **data, uint64_t *size, struct kmln_error *err);
/* Closes and forgets *file (NULL is fine). */
void kmln_file_close(struct kmln_file **file);
/* The whole content piece by piece, with the zeros of holes. */
int kmln_tree_read(struct kmln_tree *tree, const char *path, kmln_chunk_fn fn, void *data,
	struct kmln_error *err);
/* Fills *xattrs, which is empty before. */
int kmln_tree_xattrs(struct kmln_tree *tree, const char *path, struct kmln_xattrs *xattrs,
	struct kmln_error *err);
int kmln_tree_mkdir(struct kmln_tree *tree, const char *path, const struct kmln_meta *meta,
	struct kmln_error *err);
int kmln_tree_put(struct kmln_tree *tree, const char *path, const struct kmln_meta *meta,
	uint64_t size, kmln_source_fn fn, void *data, struct kmln_error *err);
int kmln_tree_append(struct kmln_tree *tree, const char *path, const struct kmln_meta *meta,
	const char *bytes, uint64_t size, struct kmln_error *err);
int kmln_tree_symlink(struct kmln_tree *tree, const char *path, const char *target,
	const struct kmln_meta *meta, struct kmln_error *err);
int kmln_tree_node(struct kmln_tree *tree, const char *path, uint32_t type, uint32_t major,
	uint32_t minor, const struct kmln_meta *meta, struct kmln_error *err);
int kmln_tree_link(
	struct kmln_tree *tree, const char *path, const char *existing, struct kmln_error *err);
int kmln_tree_remove(struct kmln_tree *tree, const char *path, struct kmln_error *err);
int kmln_tree_set_xattr(struct kmln_tree *tree, const char *path, const char *name,
	const void *value, size_t size, struct kmln_error *err);
/* Closes and forgets *tree (NULL is fine). */
int kmln_tree_close(struct kmln_tree **tree, struct kmln_error *err);
/* For cleanup: an error at the end of mere reading is of no interest. */
void kmln_tree_cleanup(struct kmln_tree **tree);
#define KMLN_TREE KMLN_CLEANUP(kmln_tree_cleanup)

/*
 * Follows every link of `path` inside the tree, the last one included, and appends the real path to
 * *real. "..", also in links, stops at the tree's root. The last component may be missing (the path
 * it would have is given, and the result is 0); anything else missing is -ENOENT, too many links
 * -ELOOP.
 */
int kmln_tree_resolve(
	struct kmln_tree *tree, const char *path, struct kmln_buf *real, struct kmln_error *err);

/* The whole file, links followed; longer than `limit` is EFBIG, not a regular file is EINVAL. */
int kmln_tree_load(struct kmln_tree *tree, const char *path, size_t limit, struct kmln_buf *to,
	struct kmln_error *err);
/* The names of a folder (links followed), sorted by bytes. */
int kmln_tree_names(
	struct kmln_tree *tree, const char *path, struct kmln_strv *names, struct kmln_error *err);

/* The host's folder `root` as a tree, read only. */
int kmln_tree_folder(const char *root, struct kmln_tree **tree, struct kmln_error *err);

#endif
