// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The subvolumes of a Btrfs on one device: superblock, chunk tree (where logical addresses lie),
 * root tree, and the folders between subvolumes. Nothing is trusted: a tree's levels must fall, the
 * nodes that are read are counted, and what lies on other devices or in stripes is not followed.
 */
#include <string.h>

#include "image/inspect-volumes.h"

#define SUPER 65536
#define NODES_MAX 2000
#define CHUNKS_MAX 4096
#define SUBVOLUMES_MAX 500
#define DEPTH_MAX 16 /* of folders, and of subvolumes in each other */
#define NODE_MAX 65536
#define FILE_NAME_MAX 255 /* the format's own */
#define PATH_LIMIT 1024 /* of what is shown: the rest is "..." */

enum { HEAD = 101, ITEM = 25, POINTER = 33, KEY = 17, STRIPE = 32, CHUNK = 48 };
enum { INODE_REF = 12, ROOT_ITEM = 132, ROOT_BACKREF = 144, CHUNK_ITEM = 228 };
enum { TOP = 5, TOP_FOLDER = 256 };
/* stripes of unlike content: RAID 0, 10, 5, 6 */
#define STRIPED (1u << 3 | 1u << 6 | 1u << 7 | 1u << 8)

struct key {
	uint64_t object;
	unsigned type;
	uint64_t offset;
};

struct chunk {
	uint64_t logical, size, physical;
};

struct subvolume {
	uint64_t id, parent, folder; /* `folder`: the inode in the parent that holds its name */
	const char *name;
};

struct root {
	uint64_t id, at;
	unsigned level;
};

struct btrfs {
	const struct kmln_part *part;
	struct kmln_pool *pool; /* of this look */
	uint64_t device;
	size_t node_size;
	unsigned nodes; /* read so far */
	bool gave_up;
	struct chunk *chunks;
	size_t chunk_count;
	struct subvolume *subvolumes;
	size_t subvolume_count;
	struct root *roots;
	size_t root_count;
};

static struct key key_at(const unsigned char *at)
{
	return (struct key){kmln_le(at, 8), at[8], kmln_le(at + 9, 8)};
}

/* ---- where logical addresses lie ---- */

static void add_chunk(struct btrfs *fs, uint64_t logical, const unsigned char *item, size_t size)
{
	size_t stripes;
	struct chunk *c;

	if (size < CHUNK || fs->chunk_count >= CHUNKS_MAX)
		return;
	stripes = (size_t)kmln_le(item + 44, 2);
	if (stripes > (size - CHUNK) / STRIPE || (stripes > 1 && kmln_le(item + 24, 8) & STRIPED))
		return;
	for (size_t i = 0; i < stripes; i++) {
		const unsigned char *stripe = item + CHUNK + i * STRIPE;

		if (kmln_le(stripe, 8) != fs->device)
			continue;
		c = kmln_pool_append(fs->pool, &fs->chunks, &fs->chunk_count, sizeof(*c));
		*c = (struct chunk){logical, kmln_le(item, 8), kmln_le(stripe + 8, 8)};
		return;
	}
}

static bool read_logical(struct btrfs *fs, void *to, size_t size, uint64_t logical)
{
	for (size_t i = 0; i < fs->chunk_count; i++) {
		const struct chunk *c = &fs->chunks[i];
		uint64_t into = logical - c->logical, at;

		if (logical < c->logical || into >= c->size || size > c->size - into)
			continue;
		return !kmln_add_overflow(c->physical, into, &at) &&
		       kmln_volume_read(fs->part, to, size, at);
	}
	return false;
}

/* ---- trees ---- */

typedef void (*item_fn)(
	struct btrfs *fs, const struct key *key, const unsigned char *data, size_t size, void *to);

struct search {
	uint64_t first, last; /* object ids of interest */
	item_fn fn;
	void *to;
};

static void walk(struct btrfs *fs, uint64_t at, unsigned level, const struct search *search);

static void walk_leaf(
	struct btrfs *fs, const unsigned char *node, size_t count, const struct search *search)
{
	for (size_t i = 0; i < count && i < (fs->node_size - HEAD) / ITEM; i++) {
		const unsigned char *item = node + HEAD + i * ITEM;
		const struct key key = key_at(item);
		uint64_t offset = kmln_le(item + KEY, 4), size = kmln_le(item + KEY + 4, 4);

		if (key.object < search->first || key.object > search->last)
			continue;
		if (offset > fs->node_size - HEAD || size > fs->node_size - HEAD - offset)
			fs->gave_up = true;
		else
			search->fn(fs, &key, node + HEAD + offset, (size_t)size, search->to);
	}
}

static void walk_inner(struct btrfs *fs, const unsigned char *node, size_t count, unsigned level,
	const struct search *search)
{
	size_t room = (fs->node_size - HEAD) / POINTER;

	for (size_t i = 0; i < count && i < room && !fs->gave_up; i++) {
		const unsigned char *p = node + HEAD + i * POINTER;

		/* the keys are sorted: what is before the next one's key is below this */
		if (key_at(p).object > search->last)
			return;
		if (i + 1 < count && i + 1 < room && key_at(p + POINTER).object < search->first)
			continue;
		walk(fs, kmln_le(p + KEY, 8), level - 1, search);
	}
}

static void walk(struct btrfs *fs, uint64_t at, unsigned level, const struct search *search)
{
	KMLN_FREE unsigned char *node = NULL;
	size_t count;

	if (fs->gave_up)
		return;
	node = kmln_malloc(fs->node_size);
	if (level > 7 || ++fs->nodes > NODES_MAX || !read_logical(fs, node, fs->node_size, at) ||
		kmln_le(node + 48, 8) != at || node[100] != level) {
		fs->gave_up = true;
		return;
	}
	count = (size_t)kmln_le(node + 96, 4);
	if (level)
		walk_inner(fs, node, count, level, search);
	else
		walk_leaf(fs, node, count, search);
}

/* ---- what is looked for ---- */

static void on_chunk(
	struct btrfs *fs, const struct key *key, const unsigned char *data, size_t size, void *to)
{
	(void)to;
	if (key->type == CHUNK_ITEM)
		add_chunk(fs, key->offset, data, size);
}

static void on_root(
	struct btrfs *fs, const struct key *key, const unsigned char *data, size_t size, void *to)
{
	(void)to;
	if (key->type == ROOT_ITEM && size >= 239 && fs->root_count < SUBVOLUMES_MAX) {
		struct root *r =
			kmln_pool_append(fs->pool, &fs->roots, &fs->root_count, sizeof(*r));

		*r = (struct root){key->object, kmln_le(data + 176, 8), data[238]};
	} else if (key->type == ROOT_BACKREF && size >= 18) {
		size_t length = (size_t)kmln_le(data + 16, 2);
		struct subvolume *s;

		if (length > size - 18 || length > FILE_NAME_MAX ||
			fs->subvolume_count >= SUBVOLUMES_MAX) {
			fs->gave_up = true;
			return;
		}
		s = kmln_pool_append(fs->pool, &fs->subvolumes, &fs->subvolume_count, sizeof(*s));
		*s = (struct subvolume){key->object, key->offset, kmln_le(data, 8),
			kmln_pool_memdup(fs->pool, data + 18, length)};
	}
}

struct folder {
	uint64_t parent;
	const char *name;
};

static void on_inode_ref(
	struct btrfs *fs, const struct key *key, const unsigned char *data, size_t size, void *to)
{
	struct folder *folder = to;
	size_t length = size >= 10 ? (size_t)kmln_le(data + 8, 2) : 0;

	if (key->type == INODE_REF && size >= 10 && length <= size - 10 &&
		length <= FILE_NAME_MAX && !folder->name) {
		folder->name = kmln_pool_memdup(fs->pool, data + 10, length);
		folder->parent = key->offset;
	}
}

static const struct root *find_root(const struct btrfs *fs, uint64_t id)
{
	for (size_t i = 0; i < fs->root_count; i++)
		if (fs->roots[i].id == id)
			return &fs->roots[i];
	return NULL;
}

/* The folders of `tree` from its top down to inode `folder`, each with a slash behind it. */
static const char *folder_path(struct btrfs *fs, uint64_t tree, uint64_t folder)
{
	const struct root *root = find_root(fs, tree);
	const char *path = "";

	for (int depth = 0; folder != TOP_FOLDER; depth++) {
		struct folder found = {0};
		const struct search search = {folder, folder, on_inode_ref, &found};

		if (root && depth < DEPTH_MAX)
			walk(fs, root->at, root->level, &search);
		if (!found.name || strlen(path) > PATH_LIMIT)
			return kmln_pool_printf(fs->pool, ".../%s", path);
		path = kmln_pool_printf(fs->pool, "%s/%s", found.name, path);
		folder = found.parent;
	}
	return path;
}

static const char *full_path(struct btrfs *fs, const struct subvolume *s, int depth)
{
	const char *within =
		kmln_pool_printf(fs->pool, "%s%s", folder_path(fs, s->parent, s->folder), s->name);

	if (s->parent == TOP)
		return within;
	for (size_t i = 0; i < fs->subvolume_count && depth < DEPTH_MAX; i++) {
		const char *above;

		if (fs->subvolumes[i].id != s->parent)
			continue;
		above = full_path(fs, &fs->subvolumes[i], depth + 1);
		if (strlen(above) > PATH_LIMIT)
			break;
		return kmln_pool_printf(fs->pool, "%s/%s", above, within);
	}
	return kmln_pool_printf(fs->pool, ".../%s", within);
}

/* The chunks that the chunk tree itself lies in stand in the superblock: key and chunk in turns. */
static void read_system_chunks(struct btrfs *fs, const unsigned char *super)
{
	const unsigned char *at = super + 811;
	size_t left = (size_t)kmln_le(super + 160, 4);

	if (left > 2048)
		left = 0;
	while (left > KEY + CHUNK) {
		size_t size = CHUNK + STRIPE * (size_t)kmln_le(at + KEY + 44, 2);

		if (size > left - KEY)
			break;
		add_chunk(fs, key_at(at).offset, at + KEY, size);
		at += KEY + size;
		left -= KEY + size;
	}
}

void kmln_volume_btrfs(const struct kmln_part *part, struct kmln_volume *v, struct kmln_pool *pool)
{
	KMLN_POOL struct kmln_pool *own = kmln_pool_new();
	struct btrfs fs = {.part = part, .pool = own};
	const struct search chunks = {0, UINT64_MAX, on_chunk, NULL};
	const struct search roots = {0, UINT64_MAX, on_root, NULL};
	unsigned char super[4096];

	if (!kmln_volume_read(part, super, sizeof(super), SUPER) ||
		memcmp(super + 64, "_BHRfS_M", 8) != 0) {
		v->problem = "its superblock cannot be read";
		return;
	}
	v->uuid = kmln_pool_printf(pool,
		"%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", super[32],
		super[33], super[34], super[35], super[36], super[37], super[38], super[39],
		super[40], super[41], super[42], super[43], super[44], super[45], super[46],
		super[47]);
	if (super[299])
		v->name = kmln_pool_memdup(
			pool, super + 299, strnlen((const char *)super + 299, 256));
	fs.device = kmln_le(super + 201, 8);
	fs.node_size = (size_t)kmln_le(super + 148, 4);
	if (fs.node_size < 4096 || fs.node_size > NODE_MAX ||
		(fs.node_size & (fs.node_size - 1)) != 0) {
		v->problem = "its superblock is damaged";
		return;
	}
	read_system_chunks(&fs, super);
	walk(&fs, kmln_le(super + 88, 8), super[199], &chunks);
	walk(&fs, kmln_le(super + 80, 8), super[198], &roots);
	for (size_t i = 0; i < fs.subvolume_count; i++)
		if (!kmln_volume_member(v, pool, full_path(&fs, &fs.subvolumes[i], 0)))
			return;
	if (fs.gave_up)
		v->problem = "not all subvolumes are listed: its trees are damaged, too big, or "
			     "lie on other devices as well";
}
