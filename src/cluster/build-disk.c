// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The disks of a host. New ones are changed in memory, over the prepared disk that all share, and
 * then written in one go; those that are there are changed in place, by a journal, whatever their
 * guests have made of them.
 */
#include <endian.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/child.h"
#include "base/output.h"
#include "base/sum.h"
#include "cluster/build-parts.h"
#include "cluster/further.h"
#include "convert/in-place.h"
#include "convert/opened.h"
#include "guest/settings.h"
#include "image/check.h"
#include "image/copy.h"
#include "image/ext.h"
#include "image/inspect.h"
#include "image/overlay.h"
#include "image/qcow2-write.h"
#include "run/apply.h"

#define SECTOR 512u

static uint64_t in_sectors(uint64_t bytes)
{
	return (bytes + SECTOR - 1) / SECTOR * SECTOR;
}

/* ---- settings ---- */

static void sum_text(struct kmln_sha256 *sum, const char *text)
{
	kmln_sha256_add(sum, text ? text : "\1", text ? strlen(text) + 1 : 2);
}

static void sum_edit(struct kmln_sha256 *sum, const struct kmln_edit *edit)
{
	const uint64_t numbers[] = {edit->kind, edit->mode, edit->uid, edit->gid, edit->size,
		edit->data != NULL, edit->anew};

	sum_text(sum, edit->path);
	kmln_sha256_add(sum, numbers, sizeof(numbers));
	if (edit->data)
		kmln_sha256_add(sum, edit->data,
			edit->kind == KMLN_EDIT_SYMLINK ? strlen(edit->data) : edit->size);
	sum_text(sum, edit->from);
}

/* The edits of a host on a disk that is its base and nothing else. */
static int plan(const struct kmln_cluster *cluster, const struct kmln_placed *placed,
	struct kmln_shared *shared, struct kmln_edits *edits, struct kmln_error *err)
{
	struct kmln_actions actions = {.pool = edits->pool, .by = "build"};

	return kmln_plan_build(cluster, placed, shared, edits, &actions, err);
}

static const char *sum_of(const struct kmln_edits *edits, struct kmln_pool *pool)
{
	char text[KMLN_SHA256_TEXT];
	struct kmln_sha256 sum;

	kmln_sha256_start(&sum);
	for (size_t i = 0; i < edits->count; i++)
		if (edits->items[i].kind != KMLN_EDIT_RESIZE)
			sum_edit(&sum, &edits->items[i]);
	kmln_sha256_end(&sum, text);
	return kmln_pool_strdup(pool, text);
}

int kmln_settings_sum(const struct kmln_cluster *cluster, const struct kmln_placed *placed,
	struct kmln_shared *shared, const char **sum, struct kmln_error *err)
{
	KMLN_POOL struct kmln_pool *pool = kmln_pool_new();
	KMLN_EDITS struct kmln_edits edits = {0};
	int r;

	kmln_edits_init(&edits, pool);
	r = plan(cluster, placed, shared, &edits, err);
	*sum = r == 0 ? sum_of(&edits, cluster->pool) : NULL;
	return r;
}

/* ---- a base, and one made bigger ---- */

void kmln_disks_fini(struct kmln_disks *disks)
{
	for (size_t i = 0; i < disks->count; i++) {
		struct kmln_grown *grown = &disks->items[i];

		kmln_device_close(&grown->overlay);
		kmln_device_close(&grown->joined);
		kmln_device_close(&grown->zeroes);
		kmln_device_close(&grown->below);
		if (grown->changed)
			kmln_clusters_fini(grown->changed);
		kmln_close_cleanup(&grown->fd);
	}
	disks->count = 0;
}

/* What differs from the base goes into the overlay; block by block, where the file has data. */
static int take_changes(struct kmln_grown *grown, struct kmln_device *file, struct kmln_error *err)
{
	const size_t piece = KMLN_QCOW2_CLUSTER;
	KMLN_FREE char *old = kmln_malloc(piece), *new = kmln_malloc(piece);
	int r = 0;

	for (uint64_t at = 0; r == 0 && at < file->size;) {
		uint64_t length = file->size - at;
		size_t n = length < piece ? (size_t)length : piece;
		bool data;

		r = kmln_device_extent(file, at, &length, &data, err);
		/* behind the base there is nothing that a hole could differ from */
		if (r == 0 && !data && at >= grown->below->size) {
			at += length;
			continue;
		}
		if (r == 0)
			r = kmln_device_read(grown->joined, old, n, at, err);
		if (r == 0)
			r = kmln_device_read(file, new, n, at, err);
		for (size_t i = 0; r == 0 && i < n; i += KMLN_OVERLAY_BLOCK) {
			size_t size = n - i < KMLN_OVERLAY_BLOCK ? n - i : KMLN_OVERLAY_BLOCK;

			if (memcmp(old + i, new + i, size) != 0)
				r = kmln_device_write(grown->overlay, new + i, size, at + i, err);
		}
		at += n;
	}
	return r;
}

/* A nameless file with this filesystem, made bigger. */
static int resized_file(const char *folder, struct kmln_device *from, uint64_t size, int *fd,
	struct kmln_error *err)
{
	KMLN_DISK struct kmln_disk disk = {.fd = -1};
	KMLN_FREE char *name = kmln_printf("%s/resized", folder);
	KMLN_OUTPUT struct kmln_output output = {.fd = -1};
	int r = kmln_output_open(name, true, &output, err);

	if (r == 0 && ftruncate(output.fd, (off_t)size) < 0)
		r = kmln_fail_sys(err, errno, "make room");
	if (r == 0)
		r = kmln_disk_wrap(output.fd, &disk, err);
	if (r == 0)
		r = kmln_copy(from, disk.device, 0, err);
	if (r == 0)
		r = kmln_check_resize(output.fd, size, err);
	if (r == 0 && ftruncate(output.fd, (off_t)size) < 0)
		r = kmln_fail_sys(err, errno, "make room");
	if (r < 0)
		return r;
	*fd = fcntl(output.fd, F_DUPFD_CLOEXEC, 3);
	return *fd < 0 ? kmln_fail_sys(err, errno, "resize") : 0;
}

static int grow(const struct kmln_disks *disks, struct kmln_grown *grown, struct kmln_error *err)
{
	KMLN_DEVICE struct kmln_device *device = NULL;
	KMLN_FD int file = -1;
	int r = resized_file(disks->store->folder, grown->below, grown->size, &file, err);

	if (r < 0)
		return r;
	device = kmln_device_fd(file, 0, grown->size, false);
	return take_changes(grown, device, err);
}

static int mark(void *data, uint64_t offset, const void *bytes, size_t size, struct kmln_error *err)
{
	(void)bytes;
	(void)err;
	kmln_clusters_mark(data, offset, size);
	return 0;
}

/* The base in this size, made once. */
static int grown_of(struct kmln_disks *disks, const struct kmln_base *base, uint64_t size,
	struct kmln_grown **found, struct kmln_error *err)
{
	struct kmln_pool *pool = disks->cluster->pool;
	struct kmln_part parts[2];
	struct kmln_grown *grown;
	struct stat st;
	int r;

	for (size_t i = 0; i < disks->count; i++)
		if (disks->items[i].base == base && disks->items[i].size == size) {
			*found = &disks->items[i];
			return 0;
		}
	grown = kmln_pool_append(pool, &disks->items, &disks->count, sizeof(*grown));
	*grown = (struct kmln_grown){.base = base, .size = size};
	grown->fd = kmln_open(base->prepared, O_RDONLY, 0, err);
	if (grown->fd < 0)
		return grown->fd;
	if (fstat(grown->fd, &st) < 0)
		return kmln_fail_sys(err, errno, "%s", base->prepared);
	grown->below = kmln_device_fd(grown->fd, 0, (uint64_t)st.st_size, false);
	grown->zeroes =
		kmln_device_zeroes(size > (uint64_t)st.st_size ? size - (uint64_t)st.st_size : 0);
	parts[0] = (struct kmln_part){grown->below, {0, grown->below->size}};
	parts[1] = (struct kmln_part){grown->zeroes, {0, grown->zeroes->size}};
	grown->joined = kmln_device_join(parts, grown->zeroes->size ? 2 : 1);
	grown->overlay = kmln_device_overlay(grown->joined);
	grown->changed = kmln_pool_alloc(pool, sizeof(*grown->changed));
	kmln_clusters_init(grown->changed, size);
	r = size > in_sectors(base->size) ? grow(disks, grown, err) : 0;
	if (r == 0)
		r = kmln_overlay_each(grown->overlay, mark, grown->changed, err);
	*found = grown;
	return r < 0 ? kmln_wrap(err, "a disk of %llu bytes over %s", (unsigned long long)size,
			       base->prepared)
		     : 0;
}

/* ---- new disks ---- */

static int apply(const struct kmln_edits *edits, const struct kmln_placed *placed,
	struct kmln_device *device, struct kmln_error *err)
{
	struct kmln_range range = placed->base->facts->root->range;
	KMLN_TREE struct kmln_tree *tree = NULL;
	int r;

	if (kmln_edits_find(edits, KMLN_EDIT_RESIZE))
		range.size = placed->size - range.offset;
	r = kmln_tree_ext(device, &range, true, &tree, err);
	if (r == 0)
		r = kmln_apply_tree(edits, tree, NULL, err);
	return r < 0 ? r : kmln_tree_close(&tree, err);
}

static int write_disk(const struct kmln_cluster *cluster, const struct kmln_placed *placed,
	struct kmln_device *device, const struct kmln_clusters *clusters, struct kmln_error *err)
{
	const char *path = kmln_disk_path(cluster, placed, cluster->pool);
	KMLN_OUTPUT struct kmln_output output = {.fd = -1};
	int r = kmln_output_open(path, true, &output, err);

	if (r == 0 && fchmod(output.fd, 0600) < 0)
		r = kmln_fail_sys(err, errno, "%s", path);
	if (r == 0)
		r = kmln_qcow2_write(output.fd, placed->base->prepared, device, clusters, err);
	if (r == 0)
		r = kmln_output_name(&output, access(path, F_OK) == 0, err);
	return r < 0 ? kmln_wrap(err, "%s", path) : 0;
}

static int make_disk(struct kmln_disks *disks, const struct kmln_placed *placed,
	const struct kmln_edits *edits, struct kmln_error *err)
{
	KMLN_CLUSTERS struct kmln_clusters clusters = {0};
	KMLN_DEVICE struct kmln_device *own = NULL;
	struct kmln_grown *grown = NULL;
	int r = grown_of(disks, placed->base, in_sectors(placed->size), &grown, err);

	if (r < 0)
		return r;
	own = kmln_device_overlay(grown->overlay);
	r = apply(edits, placed, own, err);
	if (r < 0)
		return r;
	kmln_clusters_init(&clusters, own->size);
	memcpy(clusters.bits, grown->changed->bits, (size_t)(clusters.count / 8 + 1));
	r = kmln_overlay_each(own, mark, &clusters, err);
	return r < 0 ? r : write_disk(disks->cluster, placed, own, &clusters, err);
}

/* ---- what is swapped on ---- */

#define PAGE 4096u
#define SWAP_MIN (10u * PAGE)
#define SWAP_MAGIC "SWAPSPACE2"

static void parse_uuid(const char *text, unsigned char uuid[16])
{
	static const char digits[] = "0123456789abcdef";
	size_t n = 0;

	for (; *text && n < 32; text++) {
		const char *digit = strchr(digits, *text);

		if (!digit)
			continue;
		uuid[n / 2] = (unsigned char)(uuid[n / 2] << 4 | (digit - digits));
		n++;
	}
}

/* As mkswap writes it; in the guest's byte order, which is ours. All else of the file is a hole. */
static int make_swap(const struct kmln_cluster *cluster, const struct kmln_placed *placed,
	struct kmln_error *err)
{
	const uint64_t size = placed->host->swap.number / PAGE * PAGE;
	const char *path = kmln_swap_path(cluster, placed, cluster->pool);
	const uint32_t version = 1, last = (uint32_t)(size / PAGE - 1);
	KMLN_OUTPUT struct kmln_output output = {.fd = -1};
	unsigned char page[PAGE] = {0};
	char uuid[KMLN_UUID_TEXT];
	int r;

	if (!placed->host->swap.number)
		return unlink(path) < 0 && errno != ENOENT ? kmln_fail_sys(err, errno, "%s", path)
							   : 0;
	if (size < SWAP_MIN || size / PAGE > UINT32_MAX)
		return kmln_fail(err, KMLN_EUSAGE, "host %s: swap of %llu bytes is too %s",
			placed->host->name.text, (unsigned long long)size,
			size < SWAP_MIN ? "small" : "big");
	kmln_derived_uuid(uuid, cluster->model->project, placed->host->name.text, "swap");
	memcpy(page + 1024, &version, sizeof(version));
	memcpy(page + 1028, &last, sizeof(last));
	parse_uuid(uuid, page + 1036);
	memcpy(page + PAGE - 10, SWAP_MAGIC, 10);
	r = kmln_output_open(path, true, &output, err);
	if (r == 0 && (fchmod(output.fd, 0600) < 0 || ftruncate(output.fd, (off_t)size) < 0))
		r = kmln_fail_sys(err, errno, "%s", path);
	if (r == 0)
		r = kmln_pwrite_all(output.fd, page, PAGE, 0, err);
	if (r == 0)
		r = kmln_output_name(&output, access(path, F_OK) == 0, err);
	return r < 0 ? kmln_wrap(err, "%s", path) : 0;
}

static bool swap_differs(const struct kmln_cluster *cluster, const struct kmln_placed *placed)
{
	const char *path = kmln_swap_path(cluster, placed, cluster->pool);
	const uint64_t size = placed->host->swap.number / PAGE * PAGE;
	struct stat st;

	return (stat(path, &st) < 0 ? 0 : (uint64_t)st.st_size) != size;
}

int kmln_disk_make(
	struct kmln_disks *disks, const struct kmln_placed *placed, struct kmln_error *err)
{
	KMLN_POOL struct kmln_pool *pool = kmln_pool_new();
	KMLN_EDITS struct kmln_edits edits = {0};
	int r;

	kmln_edits_init(&edits, pool);
	r = plan(disks->cluster, placed, disks->shared, &edits, err);
	if (r == 0)
		r = make_disk(disks, placed, &edits, err);
	if (r == 0)
		r = make_swap(disks->cluster, placed, err);
	return r < 0 ? kmln_wrap(err, "host %s", placed->host->name.text) : 0;
}

/* ---- disks that are there ---- */

const char *kmln_disk_sizes(const struct kmln_cluster *cluster, const struct kmln_placed *placed)
{
	const char *path = kmln_disk_path(cluster, placed, cluster->pool);
	struct kmln_error err;
	uint64_t size;

	if (kmln_qcow2_size(path, &size, &err) < 0)
		return err.text[0] ? kmln_pool_strdup(cluster->pool, err.text) : "its disk is gone";
	if (size < in_sectors(placed->size))
		return kmln_pool_printf(cluster->pool, "its disk grows to %llu MiB",
			(unsigned long long)(placed->size >> 20));
	return swap_differs(cluster, placed) ? "its swap has another size" : NULL;
}

struct change {
	const struct kmln_disks *disks;
	const struct kmln_placed *placed;
	struct kmln_settings settings;
	struct kmln_pool *pool;
};

static int plan_for(const struct change *change, const struct kmln_facts *facts,
	struct kmln_edits *edits, struct kmln_error *err)
{
	const struct kmln_goal goal = {0};
	KMLN_STRV struct kmln_strv missing = {0};
	struct kmln_planning planning = {
		.facts = facts,
		.platform = change->placed->platform,
		.goal = &goal,
		.edits = edits,
		.missing = &missing,
	};

	return kmln_plan_settings(&planning, &change->settings, err);
}

static int look_further(struct kmln_device *device, const struct kmln_range *root,
	struct kmln_facts *facts, const struct change *change, struct kmln_error *err)
{
	KMLN_TREE struct kmln_tree *tree = NULL;
	int r = kmln_tree_ext(device, root, false, &tree, err);

	if (r == 0)
		kmln_settings_inspect(tree, facts, &change->settings);
	return r;
}

/* The changed disk is clean, and has the settings: a second plan is empty. */
static int prove(void *data, const struct kmln_disk *disk, const struct kmln_range *root,
	struct kmln_error *err)
{
	const struct change *change = data;
	KMLN_FACTS struct kmln_facts *facts = NULL;
	KMLN_EDITS struct kmln_edits edits = {0};
	int r = kmln_check_clean(disk->device, root, err);

	if (r == 0)
		r = kmln_inspect_at(disk, root, &facts, err);
	if (r == 0)
		r = look_further(disk->device, root, facts, change, err);
	if (r < 0)
		return r;
	kmln_edits_init(&edits, facts->pool);
	r = plan_for(change, facts, &edits, err);
	return r == 0 && edits.count
		       ? kmln_fail(err, EIO, "with its new settings a second plan is not empty")
		       : r;
}

/* The image first, which is only a number in its head, then the filesystem. */
static int grow_image(const char *path, uint64_t size, struct kmln_error *err)
{
	KMLN_FREE char *bytes = kmln_printf("%llu", (unsigned long long)size);
	const char *const argv[] = {"qemu-img", "resize", "-q", "-f", "qcow2", path, bytes, NULL};
	const struct kmln_child child = {.argv = argv, .package = "qemu-utils"};
	struct kmln_error none;
	uint64_t now;

	if (kmln_qcow2_size(path, &now, &none) == 0 && now >= size)
		return 0;
	return kmln_child_must(&child, NULL, err);
}

/* The filesystem grows into its disk: on a copy, whose changes a journal brings to the disk. */
static int grow_filesystem(const struct change *change, const char *path, struct kmln_opened *image,
	struct kmln_error *err)
{
	struct kmln_device *device = image->disk.device;
	struct kmln_grown grown = {
		.size = device->size, .below = device, .joined = device, .fd = -1};
	struct kmln_journal journal = {.size = image->source.size};
	KMLN_DEVICE struct kmln_device *overlay = kmln_device_overlay(device), *file = NULL;
	KMLN_FD int fd = -1;
	int r = resized_file(change->disks->store->folder, device, device->size, &fd, err);

	if (r < 0)
		return r;
	grown.overlay = overlay;
	file = kmln_device_fd(fd, 0, device->size, false);
	r = take_changes(&grown, file, err);
	journal.overlay = overlay;
	return r < 0 ? r : kmln_journal_commit(path, &image->source, &journal, err);
}

/* Blocks of 4 KiB at the end may be left over. */
static bool should_grow(const struct kmln_opened *image)
{
	const struct kmln_filesystem *root = image->facts->root;

	return !image->facts->table && image->disk.size >= root->bytes + (1u << 20);
}

static int change_disk(struct change *change, const char *path, struct kmln_error *err)
{
	KMLN_CLEANUP(kmln_opened_close)
	struct kmln_opened image = {.source.fd = -1, .disk.fd = -1};
	KMLN_EDITS struct kmln_edits edits = {0};
	struct kmln_in_place job = {
		.path = path,
		.disk = &image.source,
		.edits = &edits,
		.prove = prove,
		.data = change,
		.beside = &(struct kmln_beside){.count = 0},
	};
	int r = kmln_opened_read(path, 0, KMLN_DISK_WRITE | KMLN_DISK_BACKING, &image, err);

	if (r == 0)
		r = kmln_opened_settle(path, &image, err);
	if (r == 0 && should_grow(&image)) {
		r = grow_filesystem(change, path, &image, err);
		kmln_opened_close(&image);
		if (r == 0)
			r = kmln_opened_read(
				path, 0, KMLN_DISK_WRITE | KMLN_DISK_BACKING, &image, err);
	}
	if (r < 0)
		return r;
	job.root = image.facts->root->range;
	r = look_further(image.disk.device, &job.root, image.facts, change, err);
	kmln_edits_init(&edits, change->pool);
	if (r == 0)
		r = plan_for(change, image.facts, &edits, err);
	return r < 0 || !edits.count ? r : kmln_in_place(&job, err);
}

int kmln_disk_change(
	struct kmln_disks *disks, const struct kmln_placed *placed, struct kmln_error *err)
{
	KMLN_POOL struct kmln_pool *pool = kmln_pool_new();
	const char *path = kmln_disk_path(disks->cluster, placed, pool);
	struct change change = {.disks = disks, .placed = placed, .pool = pool};
	int r = kmln_host_settings(disks->shared, placed->host, pool, &change.settings, err);

	if (r == 0)
		kmln_further_settings(placed, pool, &change.settings);

	/* what was made for new disks is not of this one */
	change.settings.memo = NULL;
	change.settings.itself = true;
	if (r == 0)
		r = grow_image(path, in_sectors(placed->size), err);
	if (r == 0)
		r = change_disk(&change, path, err);
	if (r == 0 && swap_differs(disks->cluster, placed))
		r = make_swap(disks->cluster, placed, err);
	return r < 0 ? kmln_wrap(err, "host %s", placed->host->name.text) : 0;
}
