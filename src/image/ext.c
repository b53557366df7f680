// SPDX-License-Identifier: GPL-2.0-or-later
/* Opening an ext filesystem, and the reading half of its tree. Writing is in ext-write.c. */
#include "image/ext.h"

#include <et/com_err.h>
#include <uuid/uuid.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "image/ext-io.h"
#include "image/ext-tree.h"

int ext_fail(struct kmln_error *err, errcode_t code, const char *what)
{
	static bool initialized;

	if (!initialized) {
		initialize_ext2_error_table();
		initialized = true;
	}
	switch (code) {
	case EXT2_ET_FILE_NOT_FOUND:
		return kmln_fail_sys(err, ENOENT, "%s", what);
	case EXT2_ET_NO_DIRECTORY:
		return kmln_fail_sys(err, ENOTDIR, "%s", what);
	case EXT2_ET_BLOCK_ALLOC_FAIL:
	case EXT2_ET_INODE_ALLOC_FAIL:
		return kmln_fail(err, ENOSPC, "%s: the guest's filesystem is full", what);
	case EXT2_ET_NO_MEMORY:
		return kmln_fail(err, KMLN_EINVALID,
			"%s: it asks for more memory than there is, and must be damaged", what);
	default:
		break;
	}
	if (code > 0 && code < 4096) /* libext2fs passes errno values on */
		return kmln_fail_sys(err, (int)code, "%s", what);
	return kmln_fail(err, KMLN_EINVALID, "%s: %s", what, error_message(code));
}

bool ext_has_extra(const struct ext_tree *ext, const struct ext2_inode_large *inode)
{
	/* i_mtime_extra ends 16 bytes behind the old inode */
	return EXT2_INODE_SIZE(ext->fs->super) >= EXT_INODE_BYTES && inode->i_extra_isize >= 16;
}

int ext_read_inode(struct ext_tree *ext, ext2_ino_t ino, struct ext2_inode_large *inode,
	struct kmln_error *err)
{
	errcode_t code;

	memset(inode, 0, sizeof(*inode));
	code = ext2fs_read_inode_full(ext->fs, ino, (struct ext2_inode *)inode, sizeof(*inode));
	return code ? ext_fail(err, code, "read inode") : 0;
}

/* One step down. */
static int lookup(struct ext_tree *ext, ext2_ino_t dir, const char *name, size_t length,
	ext2_ino_t *ino, struct kmln_error *err)
{
	struct ext2_inode_large inode;
	errcode_t code;
	int r;

	for (const struct kmln_listing *l = ext->tree.listings; l; l = l->next)
		if (l->folder == dir) {
			ssize_t at = kmln_listing_find(l, name, length);

			if (at < 0)
				return kmln_fail_sys(err, ENOENT, "look up");
			*ino = l->entries[at].inode;
			return 0;
		}
	r = ext_read_inode(ext, dir, &inode, err);
	if (r < 0)
		return r;
	if (LINUX_S_ISLNK(inode.i_mode))
		return kmln_fail_sys(err, ELOOP, "a link on the way");
	if (!LINUX_S_ISDIR(inode.i_mode))
		return kmln_fail_sys(err, ENOTDIR, "look up");
	if (length > EXT2_NAME_LEN)
		return kmln_fail_sys(err, ENAMETOOLONG, "look up");
	code = ext2fs_lookup(ext->fs, dir, name, (int)length, ext->block, ino);
	return code ? ext_fail(err, code, "look up") : 0;
}

static int find_dir(struct ext_tree *ext, const char *path, size_t length, ext2_ino_t *ino,
	struct kmln_error *err)
{
	ext2_ino_t at = EXT2_ROOT_INO;

	if (ext->dir_ino && strlen(ext->dir) == length && memcmp(ext->dir, path, length) == 0) {
		*ino = ext->dir_ino;
		return 0;
	}
	for (size_t i = 1, n; i < length; i += n + 1) {
		int r;

		n = strcspn(path + i, "/");
		r = lookup(ext, at, path + i, n, &at, err);
		if (r < 0)
			return r;
	}
	free(ext->dir);
	ext->dir = kmln_malloc(length + 1);
	memcpy(ext->dir, path, length);
	ext->dir[length] = '\0';
	ext->dir_ino = *ino = at;
	return 0;
}

int ext_find_parent(struct ext_tree *ext, const char *path, ext2_ino_t *ino, const char **name,
	struct kmln_error *err)
{
	const char *slash = strrchr(path, '/');

	*name = slash + 1;
	return find_dir(ext, path, (size_t)(slash - path), ino, err);
}

int ext_find(struct ext_tree *ext, const char *path, ext2_ino_t *ino, struct kmln_error *err)
{
	const char *name;
	ext2_ino_t dir;
	int r;

	if (!path[1]) {
		*ino = EXT2_ROOT_INO;
		return 0;
	}
	r = ext_find_parent(ext, path, &dir, &name, err);
	return r < 0 ? r : lookup(ext, dir, name, strlen(name), ino, err);
}

/* Device numbers stand where others have their blocks: in the old form of 16 bits, or the new one.
 */
static void read_device(const struct ext2_inode_large *inode, struct kmln_stat *st)
{
	uint32_t old = inode->i_block[0], new = inode->i_block[1];

	st->major = old ? old >> 8 & 0xff : new >> 8 & 0xfff;
	st->minor = old ? old & 0xff : (new & 0xff) | (new >> 12 & 0xfff00);
}

/* i_blocks counts sectors, or, of huge files, blocks. */
static uint64_t stored_bytes(struct ext_tree *ext, struct ext2_inode_large *inode)
{
	return ext2fs_get_stat_i_blocks(ext->fs, (struct ext2_inode *)inode) * 512;
}

static int ext_stat(
	struct kmln_tree *tree, const char *path, struct kmln_stat *st, struct kmln_error *err)
{
	struct ext_tree *ext = (struct ext_tree *)tree;
	struct ext2_inode_large inode;
	ext2_ino_t ino;
	int r = ext_find(ext, path, &ino, err);

	if (r == 0)
		r = ext_read_inode(ext, ino, &inode, err);
	if (r < 0)
		return r;
	*st = (struct kmln_stat){
		.mode = inode.i_mode,
		.uid = inode.i_uid | (uint32_t)inode.osd2.linux2.l_i_uid_high << 16,
		.gid = inode.i_gid | (uint32_t)inode.osd2.linux2.l_i_gid_high << 16,
		.links = inode.i_links_count,
		.size = EXT2_I_SIZE((struct ext2_inode *)&inode),
		.inode = ino,
		.stored = stored_bytes(ext, &inode),
		.mtime = (int32_t)inode.i_mtime,
		.flags = (inode.i_flags & EXT2_IMMUTABLE_FL ? KMLN_FLAG_IMMUTABLE : 0) |
			 (inode.i_flags & EXT2_APPEND_FL ? KMLN_FLAG_APPEND : 0),
	};
	if (LINUX_S_ISCHR(inode.i_mode) || LINUX_S_ISBLK(inode.i_mode))
		read_device(&inode, st);
	if (ext_has_extra(ext, &inode)) {
		st->mtime += (int64_t)(inode.i_mtime_extra & EXT4_EPOCH_MASK) << 32;
		st->mtime_ns = inode.i_mtime_extra >> EXT4_EPOCH_BITS;
	}
	return 0;
}

/* A target too long for the inode, which lies where a file has its content. */
static int read_long_target(struct ext_tree *ext, ext2_ino_t ino,
	const struct ext2_inode_large *inode, struct kmln_buf *target, struct kmln_error *err)
{
	KMLN_FILE struct kmln_file *file = NULL;
	const char *bytes;
	uint64_t size;
	int r = ext_file_open(ext, ino, inode, &file, err);

	while (r == 0) {
		r = kmln_file_next(file, &bytes, &size, err);
		if (r < 0 || !size)
			break;
		if (!bytes) /* zeros: no target */
			return kmln_fail(err, KMLN_EINVALID, "a link with a hole in it");
		kmln_buf_add(target, bytes, (size_t)size);
	}
	return r;
}

static int ext_readlink(
	struct kmln_tree *tree, const char *path, struct kmln_buf *target, struct kmln_error *err)
{
	struct ext_tree *ext = (struct ext_tree *)tree;
	struct ext2_inode_large inode;
	size_t size, before = target->size;
	ext2_ino_t ino;
	int r = ext_find(ext, path, &ino, err);

	if (r == 0)
		r = ext_read_inode(ext, ino, &inode, err);
	if (r < 0)
		return r;
	if (!LINUX_S_ISLNK(inode.i_mode))
		return kmln_fail_sys(err, EINVAL, "read link");
	if (EXT2_I_SIZE((struct ext2_inode *)&inode) >= 4096)
		return kmln_fail(err, KMLN_EINVALID, "a link of impossible length");
	size = (size_t)EXT2_I_SIZE((struct ext2_inode *)&inode);
	kmln_buf_add(target, "", 0);
	if (ext2fs_is_fast_symlink((struct ext2_inode *)&inode) && size <= sizeof(inode.i_block))
		kmln_buf_add(target, inode.i_block, size);
	else
		r = read_long_target(ext, ino, &inode, target, err);
	if (r == 0 &&
		(target->size == before || memchr(target->data + before, 0, target->size - before)))
		return kmln_fail(err, KMLN_EINVALID, "a link without a target");
	return r;
}

static int add_name(
	struct kmln_listing *listing, const struct ext2_dir_entry *entry, struct kmln_error *err)
{
	size_t length = (size_t)ext2fs_dirent_name_len(entry);
	char name[EXT2_NAME_LEN + 1];

	memcpy(name, entry->name, length);
	name[length] = '\0';
	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return 0;
	if (!length || strlen(name) != length || strchr(name, '/'))
		return kmln_fail(
			err, KMLN_EINVALID, "a name that cannot be one; the folder is damaged");
	return kmln_listing_add(listing, name, entry->inode, err);
}

/* One block of a folder: entries that fill it. Blocks of an index look like an empty one. */
static int read_names(struct ext_tree *ext, ext2_ino_t ino, char *block,
	struct kmln_listing *listing, struct kmln_error *err)
{
	unsigned at = 0, size = ext->fs->blocksize, length;

	if (!ext2fs_dir_block_csum_verify(ext->fs, ino, (struct ext2_dir_entry *)block))
		return kmln_fail(err, KMLN_EINVALID, "a checksum is wrong; the folder is damaged");
	for (int r; at < size; at += length) {
		struct ext2_dir_entry *entry = (struct ext2_dir_entry *)(block + at);

		if (size - at < EXT2_DIR_ENTRY_HEADER_LEN ||
			ext2fs_get_rec_len(ext->fs, entry, &length) ||
			length < EXT2_DIR_ENTRY_HEADER_LEN || length % 4 || length > size - at ||
			(unsigned)ext2fs_dirent_name_len(entry) + EXT2_DIR_ENTRY_HEADER_LEN >
				length)
			return kmln_fail(err, KMLN_EINVALID,
				"an entry that cannot be one; the folder is damaged");
		if (!entry->inode)
			continue;
		r = add_name(listing, entry, err);
		if (r < 0)
			return r;
	}
	return 0;
}

struct reading {
	struct kmln_listing *listing;
	struct kmln_error *err;
	int result;
};

static int inline_entry(ext2_ino_t dir, int type, struct ext2_dir_entry *entry, int offset,
	int blocksize, char *buf, void *data)
{
	struct reading *reading = data;

	(void)dir;
	(void)offset;
	(void)blocksize;
	(void)buf;
	if (type == DIRENT_OTHER_FILE && entry->inode)
		reading->result = add_name(reading->listing, entry, reading->err);
	return reading->result ? DIRENT_ABORT : 0;
}

static int list_inline(
	struct ext_tree *ext, ext2_ino_t ino, struct kmln_listing *listing, struct kmln_error *err)
{
	struct reading reading = {listing, err, 0};
	errcode_t code = ext2fs_dir_iterate2(ext->fs, ino, 0, NULL, inline_entry, &reading);

	return code ? ext_fail(err, code, "list") : reading.result;
}

static int list_blocks(struct ext_tree *ext, ext2_ino_t ino, const struct ext2_inode_large *inode,
	struct kmln_listing *listing, struct kmln_error *err)
{
	KMLN_FILE struct kmln_file *file = NULL;
	unsigned bs = ext->fs->blocksize;
	int r = ext_file_open(ext, ino, inode, &file, err);

	while (r == 0) {
		const char *bytes;
		uint64_t size;

		r = kmln_file_next(file, &bytes, &size, err);
		if (r < 0 || !size)
			break;
		if (size % bs)
			return kmln_fail(err, KMLN_EINVALID,
				"it does not end with a block; the folder is damaged");
		/* the bytes are the file's own buffer, which nobody else reads */
		for (uint64_t at = 0; bytes && r == 0 && at < size; at += bs)
			r = read_names(ext, ino, (char *)bytes + at, listing, err);
	}
	return r;
}

static int ext_list(struct kmln_tree *tree, const char *path, struct kmln_listing *listing,
	struct kmln_error *err)
{
	struct ext_tree *ext = (struct ext_tree *)tree;
	struct ext2_inode_large inode;
	ext2_ino_t ino;
	int r = ext_find(ext, path, &ino, err);

	if (r == 0)
		r = ext_read_inode(ext, ino, &inode, err);
	if (r < 0)
		return r;
	if (!LINUX_S_ISDIR(inode.i_mode))
		return kmln_fail_sys(err, ENOTDIR, "list");
	listing->folder = ino;
	return inode.i_flags & EXT4_INLINE_DATA_FL ? list_inline(ext, ino, listing, err)
						   : list_blocks(ext, ino, &inode, listing, err);
}

static int ext_open_file(
	struct kmln_tree *tree, const char *path, struct kmln_file **file, struct kmln_error *err)
{
	struct ext_tree *ext = (struct ext_tree *)tree;
	struct ext2_inode_large inode;
	ext2_ino_t ino;
	int r = ext_find(ext, path, &ino, err);

	if (r == 0)
		r = ext_read_inode(ext, ino, &inode, err);
	if (r < 0)
		return r;
	if (!LINUX_S_ISREG(inode.i_mode))
		return kmln_fail(err, EINVAL, "not a regular file");
	return ext_file_open(ext, ino, &inode, file, err);
}

static int ext_close(struct kmln_tree *tree, struct kmln_error *err)
{
	struct ext_tree *ext = (struct ext_tree *)tree;
	errcode_t code = ext2fs_close_free(&ext->fs);

	free(ext->dir);
	free(ext->block);
	free(ext);
	return code ? ext_fail(err, code, "write the filesystem's tables") : 0;
}

static const struct kmln_tree_ops ext_ops = {
	.name = "ext",
	.may_loop = true,
	.stat = ext_stat,
	.readlink = ext_readlink,
	.list = ext_list,
	.open = ext_open_file,
	.xattrs = ext_xattrs,
	.mkdir = ext_mkdir,
	.put = ext_put,
	.append = ext_append,
	.symlink = ext_symlink,
	.node = ext_node,
	.link = ext_link,
	.set_xattr = ext_set_xattr,
	.remove = ext_remove,
	.close = ext_close,
};

int ext_open(struct kmln_device *device, const struct kmln_range *range, bool writable,
	ext2_filsys *fs, struct kmln_error *err)
{
	int flags = EXT2_FLAG_64BITS | EXT2_FLAG_SOFTSUPP_FEATURES | (writable ? EXT2_FLAG_RW : 0);
	uint64_t bytes;
	errcode_t code;
	char name[64];

	kmln_ext_io_name(name, device, range);
	code = ext2fs_open2(name, NULL, flags, 0, 0, kmln_ext_io, fs);
	if (code == EXT2_ET_BAD_MAGIC)
		return kmln_fail(err, KMLN_EINVALID, "no ext2, ext3 or ext4 filesystem");
	if (code)
		return ext_fail(err, code, "the filesystem's superblock");
	bytes = ext2fs_blocks_count((*fs)->super) * (uint64_t)(*fs)->blocksize;
	if (bytes > range->size) {
		ext2fs_free(*fs);
		return kmln_fail(err, KMLN_EINVALID,
			"truncated: the filesystem is %llu bytes long, but only %llu are there",
			(unsigned long long)bytes, (unsigned long long)range->size);
	}
	return 0;
}

/* Names of all features that are set; those this libext2fs does not know as "FEATURE_C12" and such.
 */
static const char *const *feature_names(const struct ext2_super_block *s, struct kmln_pool *pool)
{
	const uint32_t masks[] = {
		s->s_feature_compat, s->s_feature_incompat, s->s_feature_ro_compat};
	static const int kinds[] = {
		E2P_FEATURE_COMPAT, E2P_FEATURE_INCOMPAT, E2P_FEATURE_RO_INCOMPAT};
	const char **names = kmln_pool_array(pool, 97, sizeof(char *));
	size_t count = 0;

	for (int k = 0; k < 3; k++)
		for (int bit = 0; bit < 32; bit++)
			if (masks[k] & (1u << bit))
				names[count++] = kmln_pool_strdup(
					pool, e2p_feature2string(kinds[k], 1u << bit));
	return names;
}

int kmln_ext_super_read(struct kmln_device *device, const struct kmln_range *range,
	struct kmln_pool *pool, struct kmln_ext_super *super, struct kmln_error *err)
{
	const struct ext2_super_block *s;
	char uuid[37];
	ext2_filsys fs;
	int r = ext_open(device, range, false, &fs, err);

	if (r < 0)
		return r;
	s = fs->super;
	uuid_unparse(s->s_uuid, uuid);
	*super = (struct kmln_ext_super){
		.type = ext2fs_has_feature_extents(fs->super) ||
					ext2fs_has_feature_64bit(fs->super) ||
					ext2fs_has_feature_flex_bg(fs->super)
				? "ext4"
			: ext2fs_has_feature_journal(fs->super) ? "ext3"
								: "ext2",
		.uuid = kmln_pool_strdup(pool, uuid),
		.label = kmln_pool_memdup(pool, s->s_volume_name,
			strnlen((const char *)s->s_volume_name, sizeof(s->s_volume_name))),
		.bytes = ext2fs_blocks_count(fs->super) * (uint64_t)fs->blocksize,
		.free_bytes = ext2fs_free_blocks_count(fs->super) * (uint64_t)fs->blocksize,
		.free_inodes = s->s_free_inodes_count,
		.block_size = fs->blocksize,
		.needs_recovery = ext2fs_has_feature_journal_needs_recovery(fs->super),
		.has_errors = s->s_state & EXT2_ERROR_FS,
		.clean = s->s_state & EXT2_VALID_FS,
		.features = feature_names(s, pool),
	};
	if (s->s_last_mounted[0])
		super->last_mount = kmln_pool_memdup(pool, s->s_last_mounted,
			strnlen((const char *)s->s_last_mounted, sizeof(s->s_last_mounted)));
	ext2fs_free(fs);
	return 0;
}

int kmln_tree_ext(struct kmln_device *device, const struct kmln_range *range, bool writable,
	struct kmln_tree **tree, struct kmln_error *err)
{
	struct ext_tree *ext;
	ext2_filsys fs;
	errcode_t code;
	int r = ext_open(device, range, writable, &fs, err);

	if (r < 0)
		return r;
	if (writable) {
		if (ext2fs_has_feature_journal_needs_recovery(fs->super)) {
			ext2fs_free(fs);
			return kmln_fail(err, KMLN_EINVALID, "the journal was not replayed");
		}
		code = ext2fs_read_bitmaps(fs);
		if (code) {
			ext2fs_free(fs);
			return ext_fail(err, code, "the filesystem's bitmaps");
		}
	}
	ext = kmln_malloc(sizeof(*ext));
	*ext = (struct ext_tree){
		.tree = {.ops = &ext_ops},
		.fs = fs,
		.writable = writable,
		.block = kmln_malloc(fs->blocksize),
	};
	*tree = &ext->tree;
	return 0;
}
