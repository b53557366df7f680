// SPDX-License-Identifier: GPL-2.0-or-later
/* The files of an image; see layers.h. */
#include "image/layers.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/file.h"
#include "image/disk.h"

/* Backing files below each other; a chain of snapshots is rarely ten deep. */
#define DEPTH_MAX 32

/* What one image of the chain is opened with. */
struct opening {
	struct kmln_layers *set;
	unsigned flags;
	unsigned depth;
};

static struct kmln_layer *find(const struct kmln_layers *set, const struct stat *st)
{
	for (size_t i = 0; i < set->count; i++)
		if (set->items[i]->device == st->st_dev && set->items[i]->inode == st->st_ino)
			return set->items[i];
	return NULL;
}

/* Opens a regular file, or finds it among those that are open. */
static int open_file(const struct opening *o, const char *path, bool writable,
	struct kmln_layer **layer, struct kmln_error *err)
{
	struct kmln_layer **slot, *new;
	char real[PATH_MAX];
	struct stat st;
	int fd;

	if (!realpath(path, real) || stat(real, &st) < 0)
		return kmln_fail_sys(err, errno, "%s", path);
	/* asked before opening: to open a device or a fifo may do something already */
	if (!S_ISREG(st.st_mode))
		return kmln_fail(err, KMLN_EINVALID, "%s: not a regular file", path);
	*layer = find(o->set, &st);
	if (*layer && (*layer)->writable == writable)
		return 0;
	if (*layer)
		return kmln_fail(err, KMLN_EINVALID,
			"%s: it would be written as one part of the image and read as another",
			path);
	fd = kmln_open(real, (writable ? O_RDWR : O_RDONLY) | O_NONBLOCK | O_NOCTTY, 0, err);
	if (fd < 0)
		return fd;
	new = kmln_pool_alloc(o->set->pool, sizeof(*new));
	new->fd = fd;
	slot = kmln_pool_append(o->set->pool, &o->set->items, &o->set->count, sizeof(*slot));
	*slot = new;
	if (fstat(fd, &st) < 0)
		return kmln_fail_sys(err, errno, "%s", path);
	if (!S_ISREG(st.st_mode) || !st.st_size)
		return kmln_fail(err, KMLN_EINVALID, "%s: %s", path,
			st.st_size ? "not a regular file" : "empty");
	new->path = kmln_pool_strdup(o->set->pool, real);
	new->writable = writable;
	new->device = st.st_dev;
	new->inode = st.st_ino;
	new->size = (uint64_t)st.st_size;
	new->allocated = (uint64_t)st.st_blocks * 512;
	new->header = (struct kmln_header){.format = "raw", .driver = "raw"};
	*layer = new;
	return 0;
}

/* A name in an image means a path, and no more: absolute, or from the folder of the image. */
static const char *beside(const struct opening *o, const char *image, const char *name)
{
	const char *slash = strrchr(image, '/');

	if (*name == '/' || !slash)
		return kmln_pool_strdup(o->set->pool, name);
	return kmln_pool_printf(o->set->pool, "%.*s/%s", (int)(slash - image), image, name);
}

static int refuse_name(
	const char *image, const char *what, const char *name, struct kmln_error *err)
{
	return kmln_fail(err, KMLN_EINVALID,
		"%s: it names the %s '%s', which is opened only with --allow-backing: use that where you "
		"trust whoever made the image not to show you, or a guest, a file of yours",
		image, what, name);
}

static int read_head(
	const struct kmln_layer *layer, char **head, size_t *size, struct kmln_error *err)
{
	*size = layer->size < KMLN_HEADER_MAX ? (size_t)layer->size : KMLN_HEADER_MAX;
	*head = kmln_malloc(*size);
	return kmln_pread_all(layer->fd, *head, *size, 0, err);
}

/*
 * The format of a backing file is what the image says. Where it says nothing, QEMU guesses by the
 * first bytes; but those of a raw file belong to a guest, which could write a head there that names
 * any file of the user's, to be read by the next guest. So a guess that comes out as raw is right
 * whatever was meant, and any other is refused.
 */
static int backing_format(
	const struct kmln_header *image, const char *found, struct kmln_error *err)
{
	const char *said = image->backing_format;

	if (kmln_eq(image->format, "vmdk"))
		said = "vmdk"; /* its parent is always another one */
	if (!said)
		return kmln_eq(found, "raw")
			       ? 0
			       : kmln_fail(err, KMLN_EINVALID,
					 "the image does not say which format its backing file has, "
					 "which looks like %s; say it: qemu-img rebase -u -b NAME -F "
					 "FORMAT IMAGE",
					 found);
	if (kmln_eq(said, "raw") || kmln_eq(said, "file"))
		return 0;
	if (kmln_eq(said, found) || (kmln_eq(said, "vpc") && kmln_eq(found, "vhd")))
		return 1;
	return kmln_fail(err, KMLN_EINVALID,
		"the image says that its backing file is %s, and it is %s", said, found);
}

static int open_named(
	struct opening *o, struct kmln_layer *layer, const char *path, struct kmln_error *err);

static int open_backing(
	struct opening *o, struct kmln_layer *layer, const char *path, struct kmln_error *err)
{
	const struct kmln_header *header = &layer->header;
	struct opening below = {o->set, o->flags & ~(unsigned)KMLN_DISK_WRITE, o->depth + 1};
	size_t count = o->set->count, size = 0;
	KMLN_FREE char *head = NULL;
	const char *name;
	int r;

	if (!(o->flags & KMLN_DISK_BACKING))
		return refuse_name(path, "backing file", header->backing, err);
	if (below.depth > DEPTH_MAX)
		return kmln_fail(err, KMLN_EINVALID, "more than %d backing files below each other",
			DEPTH_MAX);
	name = beside(o, path, header->backing);
	r = open_file(&below, name, false, &layer->backing, err);
	if (r == 0 && count == o->set->count)
		r = kmln_fail(err, KMLN_EINVALID, "%s: it is its own backing file", name);
	if (r < 0)
		return r;
	r = read_head(layer->backing, &head, &size, err);
	if (r == 0)
		r = backing_format(header, kmln_format_name(head, size), err);
	if (r <= 0)
		return r < 0 ? kmln_wrap(err, "%s", path) : 0;
	r = open_named(&below, layer->backing, name, err);
	if (r == 0 && !layer->backing->header.driver)
		r = kmln_fail(err, KMLN_EINVALID,
			"%s: a flat VMDK, which cannot be a backing file here", name);
	return r;
}

static int open_data(
	struct opening *o, struct kmln_layer *layer, const char *path, struct kmln_error *err)
{
	int r;

	if (!(o->flags & KMLN_DISK_BACKING))
		return refuse_name(path, "data file", layer->header.data, err);
	r = open_file(o, beside(o, path, layer->header.data), layer->writable, &layer->data, err);
	if (r == 0 && layer->data == layer)
		r = kmln_fail(err, KMLN_EINVALID, "%s: it is its own data file", path);
	return r;
}

/*
 * A plain name beside the descriptor that begins as the descriptor's own, of a file and not of a
 * link to one, is a part of the image: it was made with it. Any other name may be another guest's
 * image.
 */
static bool is_part(const char *descriptor, const char *path, const char *name)
{
	const char *slash = strrchr(descriptor, '/'), *stem = slash ? slash + 1 : descriptor;
	size_t length = strlen(stem);
	struct stat st;

	if (kmln_ends(stem, ".vmdk"))
		length -= strlen(".vmdk");
	return !strchr(name, '/') && strncmp(name, stem, length) == 0 && lstat(path, &st) == 0 &&
	       S_ISREG(st.st_mode);
}

static int open_extent(struct opening *o, struct kmln_layer *layer, const char *path, size_t i,
	struct kmln_error *err)
{
	const struct kmln_vmdk_extent *e = &layer->header.extents[i];
	const char *name = beside(o, path, e->name);
	struct kmln_layer *file;
	uint64_t end;
	int r;

	if (!(o->flags & KMLN_DISK_BACKING) && !is_part(path, name, e->name)) {
		struct stat st;

		if (!strchr(e->name, '/') && lstat(name, &st) < 0)
			return kmln_fail_sys(err, errno, "%s", name);
		return refuse_name(path, "extent", e->name, err);
	}
	r = open_file(o, name, layer->writable, &file, err);
	if (r < 0)
		return r;
	/* QEMU does not ask: it would read nothing there, and let the file grow by writing */
	if (kmln_add_overflow(e->start, e->size, &end) || end > file->size)
		return kmln_fail(err, KMLN_EINVALID,
			"%s: %llu bytes long, and the descriptor wants %llu from %llu on", name,
			(unsigned long long)file->size, (unsigned long long)e->size,
			(unsigned long long)e->start);
	layer->extents[i] = file;
	return 0;
}

/* What the image in this open file names. `path` is how it was named, for its folder. Errors begin
 * with the name of the file that they mean, and no other: chains are long. */
static int open_named(
	struct opening *o, struct kmln_layer *layer, const char *path, struct kmln_error *err)
{
	KMLN_FREE char *head = NULL;
	struct kmln_header *header = &layer->header;
	size_t size = 0;
	int r = read_head(layer, &head, &size, err);

	if (r == 0)
		r = kmln_header_parse(head, size, o->set->pool, header, err);
	if (r == 0 && !header->driver && layer->size > KMLN_HEADER_MAX)
		r = kmln_fail(err, KMLN_EINVALID, "damaged: a descriptor of %llu bytes",
			(unsigned long long)layer->size);
	if (r == 0 && (o->flags & KMLN_DISK_WRITE) && header->read_only)
		r = kmln_fail(err, KMLN_EINVALID, "it cannot be written: %s", header->read_only);
	if (r < 0)
		return kmln_wrap(err, "%s", path);
	if (header->data)
		r = open_data(o, layer, path, err);
	if (r == 0 && header->backing)
		r = open_backing(o, layer, path, err);
	if (r == 0 && !header->driver)
		layer->extents = kmln_pool_array(
			o->set->pool, header->extent_count, sizeof(struct kmln_layer *));
	for (size_t i = 0; r == 0 && !header->driver && i < header->extent_count; i++)
		r = open_extent(o, layer, path, i, err);
	return r;
}

int kmln_layers_open(
	const char *path, unsigned flags, struct kmln_layers **layers, struct kmln_error *err)
{
	struct kmln_pool *pool = kmln_pool_new();
	struct opening o = {.flags = flags};
	struct kmln_layer *top;
	int r;

	o.set = kmln_pool_alloc(pool, sizeof(*o.set));
	o.set->pool = pool;
	r = open_file(&o, path, flags & KMLN_DISK_WRITE, &top, err);
	if (r == 0)
		r = open_named(&o, top, path, err);
	if (r < 0)
		kmln_layers_close(&o.set);
	else
		*layers = o.set;
	return r;
}

void kmln_layers_close(struct kmln_layers **layers)
{
	if (*layers) {
		for (size_t i = 0; i < (*layers)->count; i++)
			kmln_close_cleanup(&(*layers)->items[i]->fd);
		kmln_pool_free((*layers)->pool);
	}
	*layers = NULL;
}
