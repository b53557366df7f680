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

#define READ_PIECE (256 * 1024)

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
	int r = ext_read_inode(ext, dir, &inode, err);

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
		.mtime = (int32_t)inode.i_mtime,
	};
	if (ext_has_extra(ext, &inode)) {
		st->mtime += (int64_t)(inode.i_mtime_extra & EXT4_EPOCH_MASK) << 32;
		st->mtime_ns = inode.i_mtime_extra >> EXT4_EPOCH_BITS;
	}
	return 0;
}

/* Reads up to `size` bytes of a file, by pieces of `piece` bytes. */
static int read_inode_data(struct ext_tree *ext, ext2_ino_t ino, uint64_t size, size_t piece,
	kmln_chunk_fn fn, void *data, struct kmln_error *err)
{
	KMLN_FREE char *bytes = kmln_malloc(piece);
	ext2_file_t file;
	errcode_t code;
	int r = 0;

	code = ext2fs_file_open(ext->fs, ino, 0, &file);
	if (code)
		return ext_fail(err, code, "open");
	while (size && r == 0) {
		unsigned got = 0, want = size < piece ? (unsigned)size : (unsigned)piece;

		code = ext2fs_file_read(file, bytes, want, &got);
		if (code || !got) {
			r = code ? ext_fail(err, code, "read") : 0;
			break;
		}
		r = fn(data, bytes, got, err);
		size -= got;
	}
	ext2fs_file_close(file);
	return r < 0 ? r : 0;
}

static int append_chunk(void *data, const char *bytes, size_t size, struct kmln_error *err)
{
	(void)err;
	kmln_buf_add(data, bytes, size);
	return 0;
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
		r = read_inode_data(ext, ino, size, 4096, append_chunk, target, err);
	if (r == 0 &&
		(target->size == before || memchr(target->data + before, 0, target->size - before)))
		return kmln_fail(err, KMLN_EINVALID, "a link without a target");
	return r;
}

struct listing {
	kmln_name_fn fn;
	void *data;
	struct kmln_error *err;
	int result;
};

static int list_entry(ext2_ino_t dir, int entry, struct ext2_dir_entry *dirent, int offset,
	int blocksize, char *buf, void *data)
{
	struct listing *listing = data;
	int length = ext2fs_dirent_name_len(dirent);
	char name[EXT2_NAME_LEN + 1];

	(void)dir;
	(void)offset;
	(void)blocksize;
	(void)buf;
	if (entry != DIRENT_OTHER_FILE || !dirent->inode)
		return 0;
	memcpy(name, dirent->name, (size_t)length);
	name[length] = '\0';
	if (!length || strlen(name) != (size_t)length || strchr(name, '/'))
		listing->result = kmln_fail(listing->err, KMLN_EINVALID,
			"a name that cannot be one; the folder is damaged");
	else
		listing->result = listing->fn(listing->data, name, listing->err);
	return listing->result ? DIRENT_ABORT : 0;
}

static int ext_list(struct kmln_tree *tree, const char *path, kmln_name_fn fn, void *data,
	struct kmln_error *err)
{
	struct ext_tree *ext = (struct ext_tree *)tree;
	struct listing listing = {fn, data, err, 0};
	ext2_ino_t ino;
	errcode_t code;
	int r = ext_find(ext, path, &ino, err);

	if (r < 0)
		return r;
	code = ext2fs_check_directory(ext->fs, ino);
	if (!code)
		code = ext2fs_dir_iterate2(ext->fs, ino, 0, NULL, list_entry, &listing);
	if (code)
		return ext_fail(err, code, "list");
	return listing.result < 0 ? listing.result : 0;
}

static int ext_read(struct kmln_tree *tree, const char *path, kmln_chunk_fn fn, void *data,
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
	if (!LINUX_S_ISREG(inode.i_mode))
		return kmln_fail(err, EINVAL, "not a regular file");
	return read_inode_data(
		ext, ino, EXT2_I_SIZE((struct ext2_inode *)&inode), READ_PIECE, fn, data, err);
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
	.stat = ext_stat,
	.readlink = ext_readlink,
	.list = ext_list,
	.read = ext_read,
	.mkdir = ext_mkdir,
	.put = ext_put,
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
		.tree = {&ext_ops},
		.fs = fs,
		.writable = writable,
		.block = kmln_malloc(fs->blocksize),
	};
	*tree = &ext->tree;
	return 0;
}
