// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The writing half of the ext kind of tree. libext2fs allocates and links; what it leaves out is
 * done here: nanoseconds and years past 2038 of a new object, replacing a file's content without
 * touching its inode's other fields, and writing data in long runs. A folder's own times are not
 * changed: only what a plan names may differ afterwards.
 */
#include "image/ext-tree.h"

#include <ext2fs/ext3_extents.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define WRITE_PIECE (1u << 20)

static int need_writable(const struct ext_tree *ext, struct kmln_error *err)
{
	return ext->writable ? 0 : kmln_fail_sys(err, EROFS, "opened for reading");
}

static void set_time(const struct ext_tree *ext, struct ext2_inode_large *inode, uint32_t *seconds,
	uint32_t *extra, int64_t time, uint32_t ns)
{
	*seconds = (uint32_t)time;
	if (ext_has_extra(ext, inode))
		*extra = (uint32_t)(((uint64_t)(time - (int32_t)time) >> 32) & EXT4_EPOCH_MASK) |
			 ns << EXT4_EPOCH_BITS;
}

static void set_times(const struct ext_tree *ext, struct ext2_inode_large *inode,
	const struct kmln_meta *meta, bool new)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	set_time(ext, inode, &inode->i_mtime, &inode->i_mtime_extra, meta->mtime, meta->mtime_ns);
	set_time(ext, inode, &inode->i_ctime, &inode->i_ctime_extra, now.tv_sec,
		(uint32_t)now.tv_nsec);
	if (new)
		set_time(ext, inode, &inode->i_atime, &inode->i_atime_extra, meta->mtime,
			meta->mtime_ns);
}

static void set_owner(struct ext2_inode_large *inode, const struct kmln_meta *meta)
{
	inode->i_uid = (uint16_t)meta->uid;
	inode->osd2.linux2.l_i_uid_high = (uint16_t)(meta->uid >> 16);
	inode->i_gid = (uint16_t)meta->gid;
	inode->osd2.linux2.l_i_gid_high = (uint16_t)(meta->gid >> 16);
}

static int write_inode(struct ext_tree *ext, ext2_ino_t ino, struct ext2_inode_large *inode,
	struct kmln_error *err)
{
	errcode_t code =
		ext2fs_write_inode_full(ext->fs, ino, (struct ext2_inode *)inode, sizeof(*inode));

	return code ? ext_fail(err, code, "write inode") : 0;
}

/* Gives a new object its owner, mode and times. */
static int finish_new(struct ext_tree *ext, ext2_ino_t ino, uint32_t type,
	const struct kmln_meta *meta, struct kmln_error *err)
{
	struct ext2_inode_large inode;
	int r = ext_read_inode(ext, ino, &inode, err);

	if (r < 0)
		return r;
	inode.i_mode = (uint16_t)(type | (meta->mode & 07777));
	set_owner(&inode, meta);
	set_times(ext, &inode, meta, true);
	return write_inode(ext, ino, &inode, err);
}

/* Where a new name goes: its folder, and that nothing has the name yet. */
static int find_place(struct ext_tree *ext, const char *path, ext2_ino_t *dir, const char **name,
	struct kmln_error *err)
{
	struct kmln_error looked;
	ext2_ino_t ino;
	int r = need_writable(ext, err);

	if (r == 0)
		r = ext_find_parent(ext, path, dir, name, err);
	if (r < 0)
		return r;
	r = ext_find(ext, path, &ino, &looked);
	if (r == 0)
		return kmln_fail_sys(err, EEXIST, "create");
	if (r != -ENOENT) {
		*err = looked;
		return r;
	}
	return 0;
}

static int name_type(uint32_t mode)
{
	switch (mode & LINUX_S_IFMT) {
	case LINUX_S_IFREG:
		return EXT2_FT_REG_FILE;
	case LINUX_S_IFDIR:
		return EXT2_FT_DIR;
	case LINUX_S_IFLNK:
		return EXT2_FT_SYMLINK;
	case LINUX_S_IFCHR:
		return EXT2_FT_CHRDEV;
	case LINUX_S_IFBLK:
		return EXT2_FT_BLKDEV;
	case LINUX_S_IFIFO:
		return EXT2_FT_FIFO;
	default:
		return EXT2_FT_SOCK;
	}
}

static int link_name(struct ext_tree *ext, ext2_ino_t dir, const char *name, ext2_ino_t ino,
	int type, struct kmln_error *err)
{
	errcode_t code = ext2fs_link(ext->fs, dir, name, ino, type);

	if (code == EXT2_ET_DIR_NO_SPACE) {
		code = ext2fs_expand_dir(ext->fs, dir);
		if (!code)
			code = ext2fs_link(ext->fs, dir, name, ino, type);
	}
	return code ? ext_fail(err, code, "link") : 0;
}

/* An inode number for something new in `dir`; what makes the thing marks it as used. */
static int new_number(struct ext_tree *ext, ext2_ino_t dir, uint32_t mode, ext2_ino_t *ino,
	struct kmln_error *err)
{
	errcode_t code = ext2fs_new_inode(ext->fs, dir, (int)mode, NULL, ino);

	return code ? ext_fail(err, code, "new inode") : 0;
}

/* A new inode of this type, with a name and without content. */
static int make_inode(struct ext_tree *ext, ext2_ino_t dir, const char *name, uint32_t mode,
	const uint32_t *device, ext2_ino_t *ino, struct kmln_error *err)
{
	struct ext2_inode_large inode = {.i_mode = (uint16_t)mode, .i_links_count = 1};
	errcode_t code;
	int r = new_number(ext, dir, mode, ino, err);

	if (r < 0)
		return r;
	if (device) {
		memcpy(inode.i_block, device, 2 * sizeof(uint32_t));
	} else if (LINUX_S_ISREG(mode) && ext2fs_has_feature_extents(ext->fs->super)) {
		/* an empty extent tree: a file that stays empty needs it as well */
		struct ext3_extent_header *head = (struct ext3_extent_header *)inode.i_block;

		head->eh_magic = ext2fs_cpu_to_le16(EXT3_EXT_MAGIC);
		head->eh_max = ext2fs_cpu_to_le16(
			(sizeof(inode.i_block) - sizeof(*head)) / sizeof(struct ext3_extent));
		inode.i_flags = EXT4_EXTENTS_FL;
	}
	ext2fs_inode_alloc_stats2(ext->fs, *ino, 1, 0);
	code = ext2fs_write_new_inode(ext->fs, *ino, (struct ext2_inode *)&inode);
	r = code ? ext_fail(err, code, "new inode") : 0;
	return r < 0 ? r : link_name(ext, dir, name, *ino, name_type(mode), err);
}

int ext_mkdir(struct kmln_tree *tree, const char *path, const struct kmln_meta *meta,
	struct kmln_error *err)
{
	struct ext_tree *ext = (struct ext_tree *)tree;
	const char *name;
	ext2_ino_t dir, ino;
	errcode_t code;
	int r = find_place(ext, path, &dir, &name, err);

	if (r == 0)
		r = new_number(ext, dir, LINUX_S_IFDIR | 0755, &ino, err);
	if (r < 0)
		return r;
	code = ext2fs_mkdir(ext->fs, dir, ino, NULL);
	if (code)
		return ext_fail(err, code, "make folder");
	r = link_name(ext, dir, name, ino, EXT2_FT_DIR, err);
	return r < 0 ? r : finish_new(ext, ino, LINUX_S_IFDIR, meta, err);
}

/* Takes away the link of this name, where one is there; anything else stays, and is in the way. */
static int drop_symlink(struct ext_tree *ext, const char *path, struct kmln_error *err)
{
	struct ext2_inode_large inode;
	struct kmln_error missing;
	ext2_ino_t ino;
	int r = need_writable(ext, err);

	if (r < 0 || ext_find(ext, path, &ino, &missing) < 0)
		return r;
	r = ext_read_inode(ext, ino, &inode, err);
	if (r < 0 || !LINUX_S_ISLNK(inode.i_mode))
		return r;
	return ext_remove(&ext->tree, path, err);
}

int ext_symlink(struct kmln_tree *tree, const char *path, const char *target,
	const struct kmln_meta *meta, struct kmln_error *err)
{
	struct ext_tree *ext = (struct ext_tree *)tree;
	const char *name;
	ext2_ino_t dir, ino;
	errcode_t code;
	int r = drop_symlink(ext, path, err);

	if (r == 0)
		r = find_place(ext, path, &dir, &name, err);
	if (r == 0)
		r = new_number(ext, dir, LINUX_S_IFLNK | 0777, &ino, err);
	if (r < 0)
		return r;
	code = ext2fs_symlink(ext->fs, dir, ino, NULL, target);
	if (code)
		return ext_fail(err, code, "make link");
	r = link_name(ext, dir, name, ino, EXT2_FT_SYMLINK, err);
	return r < 0 ? r : finish_new(ext, ino, LINUX_S_IFLNK, meta, err);
}

int ext_node(struct kmln_tree *tree, const char *path, uint32_t type, uint32_t major,
	uint32_t minor, const struct kmln_meta *meta, struct kmln_error *err)
{
	struct ext_tree *ext = (struct ext_tree *)tree;
	bool device = S_ISCHR(type) || S_ISBLK(type);
	/* the kernel's two encodings: small numbers in the first word, all others in the second */
	uint32_t words[2] = {0};
	const char *name;
	ext2_ino_t dir, ino;
	int r = find_place(ext, path, &dir, &name, err);

	if (r < 0)
		return r;
	if (major < 256 && minor < 256)
		words[0] = major << 8 | minor;
	else
		words[1] = (minor & 0xff) | major << 8 | (minor & ~0xffu) << 12;
	r = make_inode(ext, dir, name, type, device ? words : NULL, &ino, err);
	return r < 0 ? r : finish_new(ext, ino, type & LINUX_S_IFMT, meta, err);
}

int ext_link(struct kmln_tree *tree, const char *path, const char *existing, struct kmln_error *err)
{
	struct ext_tree *ext = (struct ext_tree *)tree;
	struct ext2_inode_large inode;
	const char *name;
	ext2_ino_t dir, ino;
	int r = ext_find(ext, existing, &ino, err);

	if (r < 0)
		return kmln_wrap(err, "link to %s", existing);
	r = find_place(ext, path, &dir, &name, err);
	if (r == 0)
		r = ext_read_inode(ext, ino, &inode, err);
	if (r < 0)
		return r;
	if (LINUX_S_ISDIR(inode.i_mode) || inode.i_links_count >= 65000)
		return kmln_fail_sys(err, EMLINK, "link to %s", existing);
	inode.i_links_count++;
	r = link_name(ext, dir, name, ino, name_type(inode.i_mode), err);
	return r < 0 ? r : write_inode(ext, ino, &inode, err);
}

int ext_set_xattr(struct kmln_tree *tree, const char *path, const char *name, const void *value,
	size_t size, struct kmln_error *err)
{
	struct ext_tree *ext = (struct ext_tree *)tree;
	struct ext2_xattr_handle *handle;
	ext2_ino_t ino;
	errcode_t code;
	int r = need_writable(ext, err);

	if (r == 0)
		r = ext_find(ext, path, &ino, err);
	if (r < 0)
		return r;
	code = ext2fs_xattrs_open(ext->fs, ino, &handle);
	if (code)
		return ext_fail(err, code, "attributes");
	code = ext2fs_xattrs_read(handle);
	if (!code)
		code = ext2fs_xattr_set(handle, name, value, size);
	ext2fs_xattrs_close(&handle);
	return code ? ext_fail(err, code, name) : 0;
}

/* Writes `count` blocks of a file from logical block `first` on, in runs that lie together on disk.
 */
static int write_blocks(struct ext_tree *ext, ext2_ino_t ino, struct ext2_inode_large *inode,
	blk64_t first, unsigned count, const char *bytes, struct kmln_error *err)
{
	blk64_t run = 0;
	unsigned length = 0;

	for (unsigned i = 0; i <= count; i++) {
		blk64_t at = 0;
		errcode_t code = 0;
		int flags;

		if (i < count)
			code = ext2fs_bmap2(ext->fs, ino, (struct ext2_inode *)inode, NULL, 0,
				first + i, &flags, &at);
		if (!code && i < count && !at)
			return kmln_fail(err, EIO, "a block was not allocated");
		if (!code && length && (i == count || at != run + length)) {
			code = io_channel_write_blk64(ext->fs->io, run, (int)length,
				bytes + (size_t)(i - length) * ext->fs->blocksize);
			length = 0;
		}
		if (code)
			return ext_fail(err, code, "write");
		if (!length)
			run = at;
		length++;
	}
	return 0;
}

static int write_content(struct ext_tree *ext, ext2_ino_t ino, uint64_t size, kmln_source_fn fn,
	void *data, struct kmln_error *err)
{
	const unsigned block = ext->fs->blocksize;
	const size_t piece =
		size < WRITE_PIECE ? (size_t)(size + block - 1) / block * block : WRITE_PIECE;
	KMLN_FREE char *bytes = kmln_malloc(piece);
	struct ext2_inode_large inode;
	int r = ext_read_inode(ext, ino, &inode, err);

	for (uint64_t done = 0; r == 0 && done < size;) {
		size_t have = 0, blocks;

		while (have < piece && done + have < size) {
			ssize_t n = fn(data, bytes + have, piece - have, err);

			if (n < 0)
				return (int)n;
			if (n == 0)
				return kmln_fail(err, EIO, "the content ends %llu bytes early",
					(unsigned long long)(size - done - have));
			have += (size_t)n;
		}
		blocks = (have + block - 1) / block;
		memset(bytes + have, 0, blocks * block - have);
		r = write_blocks(ext, ino, &inode, done / block, (unsigned)blocks, bytes, err);
		done += have;
	}
	return r;
}

/*
 * A file that is stored in its own inode gets blocks: libext2fs moves it when more is written than
 * has room there.
 */
static int move_out(struct ext_tree *ext, ext2_ino_t ino, struct kmln_error *err)
{
	KMLN_FREE char *zeros = kmln_malloc(ext->fs->blocksize);
	errcode_t code, closed;
	ext2_file_t file;
	unsigned written;

	memset(zeros, 0, ext->fs->blocksize);
	code = ext2fs_file_open(ext->fs, ino, EXT2_FILE_WRITE, &file);
	if (code)
		return ext_fail(err, code, "open");
	code = ext2fs_file_write(file, zeros, ext->fs->blocksize, &written);
	closed = ext2fs_file_close(file);
	return code || closed ? ext_fail(err, code ? code : closed, "move out of the inode") : 0;
}

/* A regular file whose content is where we can write it. */
static int check_file(const struct ext2_inode_large *inode, struct kmln_error *err)
{
	if (!LINUX_S_ISREG(inode->i_mode))
		return kmln_fail(err, EEXIST, "there is something that is not a file");
	if (inode->i_flags & (EXT4_VERITY_FL | EXT4_ENCRYPT_FL))
		return kmln_fail(err, KMLN_EINVALID,
			"sealed or encrypted: it cannot be replaced from outside");
	return 0;
}

static int write_end(ext2_file_t file, const char *bytes, uint64_t size, struct kmln_error *err)
{
	errcode_t code = ext2fs_file_llseek(file, 0, EXT2_SEEK_END, NULL);

	while (!code && size) {
		unsigned piece = size < WRITE_PIECE ? (unsigned)size : WRITE_PIECE, written = 0;

		code = ext2fs_file_write(file, bytes, piece, &written);
		bytes += written;
		size -= written;
	}
	return code ? ext_fail(err, code, "write") : 0;
}

int ext_append(struct kmln_tree *tree, const char *path, const struct kmln_meta *meta,
	const char *bytes, uint64_t size, struct kmln_error *err)
{
	struct ext_tree *ext = (struct ext_tree *)tree;
	struct ext2_inode_large inode;
	ext2_file_t file;
	ext2_ino_t ino;
	errcode_t code;
	int r = need_writable(ext, err);

	if (r == 0)
		r = ext_find(ext, path, &ino, err);
	if (r == 0)
		r = ext_read_inode(ext, ino, &inode, err);
	if (r == 0)
		r = check_file(&inode, err);
	if (r < 0)
		return r;
	code = ext2fs_file_open(ext->fs, ino, EXT2_FILE_WRITE, &file);
	if (code)
		return ext_fail(err, code, "open");
	r = write_end(file, bytes, size, err);
	code = ext2fs_file_close(file);
	if (r == 0 && code)
		r = ext_fail(err, code, "close");
	if (r == 0)
		r = ext_read_inode(ext, ino, &inode, err);
	if (r < 0)
		return r;
	set_times(ext, &inode, meta, false);
	return write_inode(ext, ino, &inode, err);
}

/* Makes `path` an empty regular file: a new one, or the one that is there without its content. */
static int empty_file(
	struct ext_tree *ext, const char *path, ext2_ino_t *ino, bool *new, struct kmln_error *err)
{
	struct ext2_inode_large inode;
	struct kmln_error looked;
	const char *name;
	ext2_ino_t dir;
	errcode_t code;
	int r = need_writable(ext, err);

	if (r < 0)
		return r;
	r = ext_find(ext, path, ino, &looked);
	*new = r == -ENOENT;
	if (*new) {
		r = ext_find_parent(ext, path, &dir, &name, err);
		return r < 0 ? r : make_inode(ext, dir, name, LINUX_S_IFREG, NULL, ino, err);
	}
	if (r < 0) {
		*err = looked;
		return r;
	}
	r = ext_read_inode(ext, *ino, &inode, err);
	if (r == 0)
		r = check_file(&inode, err);
	if (r == 0 && inode.i_flags & EXT4_INLINE_DATA_FL)
		r = move_out(ext, *ino, err);
	if (r < 0)
		return r;
	code = ext2fs_punch(ext->fs, *ino, NULL, NULL, 0, ~0ULL);
	return code ? ext_fail(err, code, "empty the file") : 0;
}

/* Block by block, and none for zeros. */
static int write_blocks_of(struct ext_tree *ext, ext2_file_t file, uint64_t size, kmln_source_fn fn,
	void *data, struct kmln_error *err)
{
	const size_t block = ext->fs->blocksize;
	KMLN_FREE char *bytes = kmln_malloc(block), *zeros = kmln_malloc(block);

	memset(zeros, 0, block);
	for (uint64_t done = 0; done < size;) {
		size_t want = size - done < block ? (size_t)(size - done) : block, have = 0;
		errcode_t code = 0;
		unsigned written;

		while (have < want) {
			ssize_t n = fn(data, bytes + have, want - have, err);

			if (n < 0)
				return (int)n;
			if (n == 0)
				return kmln_fail(err, EIO, "the content ends early");
			have += (size_t)n;
		}
		if (memcmp(bytes, zeros, want) != 0) {
			code = ext2fs_file_llseek(file, done, EXT2_SEEK_SET, NULL);
			if (!code)
				code = ext2fs_file_write(file, bytes, (unsigned)want, &written);
		}
		if (code)
			return ext_fail(err, code, "write");
		done += want;
	}
	return 0;
}

static int write_sparse(struct ext_tree *ext, ext2_ino_t ino, uint64_t size, kmln_source_fn fn,
	void *data, struct kmln_error *err)
{
	errcode_t code;
	ext2_file_t file;
	int r;

	code = ext2fs_file_open(ext->fs, ino, EXT2_FILE_WRITE, &file);
	if (code)
		return ext_fail(err, code, "open");
	r = write_blocks_of(ext, file, size, fn, data, err);
	code = ext2fs_file_close(file);
	return r == 0 && code ? ext_fail(err, code, "close") : r;
}

int ext_put(struct kmln_tree *tree, const char *path, const struct kmln_meta *meta, uint64_t size,
	kmln_source_fn fn, void *data, struct kmln_error *err)
{
	struct ext_tree *ext = (struct ext_tree *)tree;
	struct ext2_inode_large inode;
	ext2_ino_t ino;
	errcode_t code = 0;
	uint64_t whole, up;
	blk64_t blocks;
	bool new;
	int r;

	if (kmln_add_overflow(size, meta->reserve, &whole) ||
		kmln_add_overflow(whole, (uint64_t)ext->fs->blocksize - 1, &up))
		return kmln_fail(err, EFBIG, "put");
	blocks = up / ext->fs->blocksize;
	r = empty_file(ext, path, &ino, &new, err);
	if (r < 0)
		return r;
	if (blocks && !meta->sparse)
		code = ext2fs_fallocate(
			ext->fs, EXT2_FALLOCATE_FORCE_INIT, ino, NULL, ~0ULL, 0, blocks);
	if (code)
		return ext_fail(err, code, "allocate");
	r = meta->sparse ? write_sparse(ext, ino, size, fn, data, err)
			 : write_content(ext, ino, size, fn, data, err);
	if (r == 0)
		r = ext_read_inode(ext, ino, &inode, err);
	if (r < 0)
		return r;
	code = ext2fs_inode_size_set(ext->fs, (struct ext2_inode *)&inode, (ext2_off64_t)whole);
	if (code)
		return ext_fail(err, code, "set the size");
	if (new) {
		inode.i_mode = (uint16_t)(LINUX_S_IFREG | (meta->mode & 07777));
		set_owner(&inode, meta);
	}
	set_times(ext, &inode, meta, new);
	return write_inode(ext, ino, &inode, err);
}
