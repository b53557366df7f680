// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a cluster stands on here: the images and their portable copies, the platforms, the programs,
 * the folders. Everything is looked at once, however many hosts use it.
 */
#include "cluster/cluster.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/helper.h"
#include "base/md5.h"
#include "cluster/further.h"
#include "cluster/host-settings.h"
#include "cluster/kernel.h"
#include "cluster/store.h"
#include "convert/direct.h"
#include "convert/foresee.h"
#include "image/ext.h"
#include "image/inspect.h"
#include "platform/look.h"
#include "platform/uml.h"
#include "project/images.h"
#include "project/names.h"
#include "run/apply.h"

#define RESOLVER "/etc/resolv.conf"

struct look {
	struct kmln_cluster *cluster;
	struct kmln_settings all; /* of the hosts of the base that is looked at */
	const struct kmln_cluster_wish *wish;
	struct kmln_names images; /* struct image, by the names that the project gives them */
	struct kmln_probe probes[8]; /* in the order of kmln_platforms */
	bool probed[8];
	struct kmln_names disks; /* that hosts mount, by their paths */
};

void kmln_cluster_fini(struct kmln_cluster *cluster)
{
	for (size_t i = 0; i < cluster->base_count; i++) {
		kmln_edits_fini(&cluster->bases[i]->edits);
		cluster->bases[i]->facts = kmln_facts_free(cluster->bases[i]->facts);
	}
	cluster->base_count = 0;
}

/* ---- images ---- */

/* A copy is of this very file: one that is changed, or another of its name, gets one of its own. */
static char *prepared_path(
	struct kmln_pool *pool, const char *path, const struct stat *st, const char *kernel)
{
	const char *name = strrchr(path, '/') + 1;
	const char *key = kmln_pool_printf(pool, "%s\n%llu %llu %lld %lld.%09ld%s%s", path,
		(unsigned long long)st->st_dev, (unsigned long long)st->st_ino,
		(long long)st->st_size, (long long)st->st_mtim.tv_sec, st->st_mtim.tv_nsec,
		kernel ? "\n" : "", kernel ? kernel : "");
	char sum[KMLN_MD5_TEXT], plain[32] = "";
	size_t n = 0;

	/* the name is for people alone: what a command line cannot carry is left out */
	for (; *name && *name != '.' && n + 1 < sizeof(plain); name++)
		if ((*name >= 'a' && *name <= 'z') || (*name >= 'A' && *name <= 'Z') ||
			(*name >= '0' && *name <= '9') || *name == '-')
			plain[n++] = *name;
	kmln_md5(key, strlen(key), sum);
	return kmln_folder(pool, KMLN_FOLDER_CACHE,
		kmln_pool_printf(pool, "prepared/%s-%.12s.raw", n ? plain : "image", sum));
}

/* What the settings of its hosts must know. */
static void look_further(void *data, struct kmln_tree *tree, struct kmln_facts *facts)
{
	const struct look *look = data;

	kmln_settings_inspect(tree, facts, &look->all);
}

static int read_prepared(struct look *look, struct kmln_base *base, struct kmln_error *err)
{
	KMLN_DISK struct kmln_disk disk = {.fd = -1};
	KMLN_TREE struct kmln_tree *tree = NULL;
	int r = kmln_disk_open(base->prepared, KMLN_DISK_SHARED, &disk, err);

	if (r == 0)
		r = kmln_inspect_without_kernels(&disk, &base->facts, err);
	if (r == 0 && !base->facts->root)
		r = kmln_fail(
			err, KMLN_EINVALID, "no root filesystem: %s", base->facts->root_problem);
	if (r == 0)
		r = kmln_tree_ext(disk.device, &base->facts->root->range, false, &tree, err);
	if (r < 0)
		return kmln_wrap(err, "%s", base->prepared);
	look_further(look, tree, base->facts);
	return 0;
}

/* A machine of QEMU's is given the kernel from beside; UML needs none. Both find root by UUID. */
static int foresee(struct look *look, struct kmln_base *base, struct kmln_error *err)
{
	const struct kmln_convert job = {
		.image = base->path,
		.to = kmln_platform_find("qemu"),
		.format = "raw",
		.kernel = base->kernel,
		.form = KMLN_BOOT_DIRECT,
		.grow = true,
		.dry_run = true,
		.unchecked = true,
	};

	return kmln_foresee(
		&job, &kmln_base_settings, &base->edits, &base->facts, look_further, look, err);
}

/* An image as a project names it. */
struct image {
	const char *path; /* absolute, without links; NULL: it is not there */
	const char *prepared; /* the copy of it as it is now */
	const char *kernel; /* the kit in that copy; NULL: chosen */
};

/* The image of this name, looked for once for each kernel that it is to have. */
static int look_at_image(struct look *look, const struct kmln_host *host,
	const struct image **found, struct kmln_error *err)
{
	struct kmln_pool *pool = look->cluster->pool;
	const char *name = host->root->text, *path;
	const char *kernel = kmln_kernel_kit(host, look->wish->folder, pool);
	const char *key = kernel ? kmln_pool_printf(pool, "%s\n%s", name, kernel) : name;
	struct image *image = kmln_names_find(&look->images, key, strlen(key));
	char real[PATH_MAX];
	struct stat st;

	if (!image) {
		image = kmln_pool_alloc(pool, sizeof(*image));
		path = kmln_image_find(pool, look->wish->folder, name, host->root_is_template);
		if (path && (!realpath(path, real) || stat(real, &st) < 0))
			return kmln_fail_sys(err, errno, "%s", path);
		if (path) {
			image->path = kmln_pool_strdup(pool, real);
			image->prepared = prepared_path(pool, real, &st, kernel);
			image->kernel = kernel;
		}
		kmln_names_add(&look->images, key, strlen(key), image);
	}
	*found = image;
	return 0;
}

/* The base that is this copy. */
static struct kmln_base *base_of(
	struct look *look, const char *path, const char *prepared, const char *kernel)
{
	struct kmln_cluster *cluster = look->cluster;
	struct kmln_base *base;

	for (size_t i = 0; i < cluster->base_count; i++)
		if (kmln_eq(cluster->bases[i]->prepared, prepared))
			return cluster->bases[i];
	base = kmln_pool_alloc(cluster->pool, sizeof(*base));
	base->path = path;
	base->prepared = prepared;
	base->kernel = kernel;
	kmln_edits_init(&base->edits, cluster->pool);
	*(struct kmln_base **)kmln_pool_append(
		cluster->pool, &cluster->bases, &cluster->base_count, sizeof(base)) = base;
	return base;
}

/* Once it is known who uses it. */
static int read_base(struct look *look, struct kmln_shared *shared, struct kmln_base *base,
	struct kmln_error *err)
{
	const struct kmln_cluster *cluster = look->cluster;
	const struct kmln_edit *resize;
	const char *quick, *alias;
	int r = kmln_all_settings(
		shared, cluster->hosts, cluster->model->host_count, base, &look->all, err);

	if (r < 0)
		return r;
	look->all.agent = true;
	base->missing = access(base->prepared, R_OK) < 0;
	r = base->missing ? foresee(look, base, err) : read_prepared(look, base, err);
	if (r < 0)
		return kmln_wrap(err, "%s", base->path);
	/* it grows where the kernel has no room */
	resize = kmln_edits_find(&base->edits, KMLN_EDIT_RESIZE);
	base->size = resize ? resize->size : base->facts->size;
	quick = kmln_direct_uml_quick(base->facts);
	alias = kmln_direct_alias(base->facts, KMLN_UML_SERVED, cluster->pool);
	base->uml_words =
		kmln_pool_printf(cluster->pool, "%s%s", quick ? quick : "", alias ? alias : "");
	return 0;
}

/* The default of MLN's is no wish. */
static uint64_t disk_size(const struct kmln_host *host, const struct kmln_base *base)
{
	if (host->free_space.from)
		return base->size + host->free_space.number;
	if (host->size.from && host->size.number > base->size)
		return host->size.number;
	/* what is put in beyond the image has its place beyond it, where the image can grow */
	return base->size + (base->facts->table ? 0 : host->internalswap.number);
}

/*
 * A disk that was made stays on the copy it was made on: a changed image, or one that is gone, is
 * the matter of new disks.
 */
static bool stays(
	const struct look *look, const struct kmln_placed *placed, const struct image *image)
{
	const struct kmln_built *built = placed->built;

	if (!built || look->wish->replace)
		return false;
	return image->path ? kmln_eq(built->image, image->path)
			   : kmln_eq(built->name, placed->host->root->text);
}

static int find_base(struct look *look, struct kmln_placed *placed, struct kmln_error *err)
{
	const struct kmln_host *host = placed->host;
	const struct kmln_built *built = placed->built;
	const struct image *image = NULL;
	int r;

	if (host->root == &host->filesystem)
		return kmln_fail(err, KMLN_EUSAGE,
			"host %s: a disk of its own (filesystem %s) is not supported yet: image makes "
			"an overlay over it",
			host->name.text, host->root->text);
	r = look_at_image(look, host, &image, err);
	if (r < 0)
		return r;
	if (stays(look, placed, image)) {
		if (access(built->prepared, R_OK) < 0)
			return kmln_fail_sys(err, errno,
				"host %s: its disk stands on %s (without it only --replace helps, "
				"which makes the disk anew)",
				host->name.text, built->prepared);
		placed->outdated = image->path && !kmln_eq(image->prepared, built->prepared);
		placed->base = base_of(look, built->image, built->prepared, NULL);
		return 0;
	}
	if (!image->path)
		return kmln_fail(err, KMLN_EINVALID, "host %s: there is no image %s",
			host->name.text, host->root->text);
	placed->base = base_of(look, image->path, image->prepared, image->kernel);
	return 0;
}

/* ---- platforms ---- */

static const struct kmln_probe *probe(struct look *look, const char *name, struct kmln_error *err)
{
	for (size_t i = 0; kmln_platforms[i]; i++) {
		if (!kmln_eq(kmln_platforms[i]->name, name))
			continue;
		if (!look->probed[i] &&
			kmln_platforms[i]->probe(look->cluster->pool, &look->probes[i], err) < 0)
			return NULL;
		look->probed[i] = true;
		return &look->probes[i];
	}
	return NULL;
}

/*
 * KVM where it works. Else UML, which runs a guest's programs at the host's own speed, but for
 * their system calls: these cost 28 us each, and 2.2 us under QEMU's translator, which for its part
 * takes 17 times as long for a loop (2 cores, Linux 6.18, UML 6.1, QEMU 7.2).
 */
static int choose(
	struct look *look, struct kmln_placed *placed, const char **name, struct kmln_error *err)
{
	const char *rather_qemu = placed->cpus > 1 ? "User-Mode Linux has one processor"
				  : kmln_eq(placed->host->work.text, "syscalls")
					  ? "system calls are faster here than on User-Mode Linux"
					  : NULL;
	const struct kmln_probe *kvm = probe(look, "kvm", err), *uml, *qemu = NULL;

	*name = "kvm";
	placed->why = "the fastest";
	if (!kvm || kvm->usable)
		return kvm ? 0 : -err->code;
	uml = probe(look, "uml", err);
	if (uml && (!uml->usable || rather_qemu))
		qemu = probe(look, "qemu", err);
	if (!uml || ((!uml->usable || rather_qemu) && !qemu))
		return -err->code;
	if (!uml->usable && !qemu->usable)
		return kmln_fail(err, KMLN_ELACK, "this host can run no machines: %s; %s; %s",
			kvm->reason, uml->reason, qemu->reason);
	*name = qemu && qemu->usable ? "qemu" : "uml";
	if (!uml->usable)
		placed->why = "no KVM, and no User-Mode Linux";
	else if (qemu && qemu->usable)
		placed->why = kmln_pool_printf(look->cluster->pool, "no KVM, and %s", rather_qemu);
	else
		placed->why = "no KVM, and programs run at the host's speed";
	return 0;
}

static const char *const wishes[] = {
	[KMLN_WISH_AUTO] = "auto",
	[KMLN_WISH_UML] = "uml",
	[KMLN_WISH_KVM] = "kvm",
	[KMLN_WISH_QEMU] = "qemu",
	[KMLN_WISH_XEN] = "xen",
	[KMLN_WISH_CONTAINER] = "container",
};

const char *kmln_wish_name(enum kmln_platform_wish wish)
{
	return wishes[wish];
}

static const struct kmln_move *move_of(const struct look *look, const struct kmln_host *host)
{
	for (size_t i = 0; i < look->wish->move_count; i++)
		if (kmln_eq(look->wish->moves[i].host, host->name.text))
			return &look->wish->moves[i];
	return NULL;
}

static int decide(struct look *look, struct kmln_placed *placed, struct kmln_error *err)
{
	const struct kmln_host *host = placed->host;
	const struct kmln_built *built = look->wish->replatform ? NULL : placed->built;
	const struct kmln_move *move = move_of(look, host);
	const char *name = look->wish->platform;

	placed->why = "as asked for";
	if (move) {
		name = move->platform;
		placed->why = move->why;
	} else if (built && kmln_eq(built->wish, wishes[host->wish]) &&
		   kmln_platform_find(built->platform)) {
		name = built->platform;
		placed->why = built->why;
	} else if (host->wish != KMLN_WISH_AUTO) {
		name = wishes[host->wish];
		placed->why = "the file says so";
	} else if (!name && choose(look, placed, &name, err) < 0) {
		return -err->code;
	}
	placed->platform = kmln_platform_find(name);
	return 0;
}

/* What was decided when it was built. */
static int remember(struct look *look, struct kmln_placed *placed, struct kmln_error *err)
{
	struct kmln_built *built;
	int r;

	if (!look->wish->store)
		return 0;
	built = kmln_pool_alloc(look->cluster->pool, sizeof(*built));
	r = kmln_built_read(look->wish->store, placed->host->name.text, built, err);
	placed->built = r > 0 ? built : NULL;
	return r < 0 ? r : 0;
}

/* ---- programs ---- */

static const char *find_program(struct kmln_pool *pool, const char *name)
{
	const char *found = kmln_find_program(pool, name);
	char real[PATH_MAX];

	return found && realpath(found, real) ? kmln_pool_strdup(pool, real) : NULL;
}

static int look_at_programs(struct kmln_cluster *cluster, struct kmln_error *err)
{
	struct kmln_programs *p = &cluster->programs;
	bool uml = false, qemu = false;

	for (size_t i = 0; i < cluster->model->host_count; i++) {
		const char *name = cluster->hosts[i].platform->name;

		uml = uml || kmln_eq(name, "uml");
		qemu = qemu || kmln_eq(name, "qemu") || kmln_eq(name, "kvm");
	}
	p->uml = find_program(cluster->pool, "linux.uml");
	p->qemu = find_program(cluster->pool, "qemu-system-x86_64");
	p->storage = find_program(cluster->pool, "qemu-storage-daemon");
	p->vde_switch = find_program(cluster->pool, "vde_switch");
	p->wirefilter = find_program(cluster->pool, "wirefilter");
	if (uml && !p->uml)
		return kmln_fail(err, KMLN_ELACK,
			"linux.uml is not installed (Debian package user-mode-linux)");
	if (uml && !p->storage)
		return kmln_fail(err, KMLN_ELACK,
			"qemu-storage-daemon is not installed (Debian package qemu-system-common)");
	if (qemu && !p->qemu)
		return kmln_fail(err, KMLN_ELACK,
			"qemu-system-x86_64 is not installed (Debian package qemu-system-x86)");
	for (size_t i = 0; i < cluster->model->switch_count; i++)
		if (kmln_eq(cluster->model->switches[i]->uplink.text, "nat") && !p->uplink &&
			kmln_find_helper(cluster->pool, "kmln-uplink", &p->uplink, err) < 0)
			return -err->code;
	if (cluster->model->switch_count && !p->vde_switch)
		return kmln_fail(
			err, KMLN_ELACK, "vde_switch is not installed (Debian package vde-switch)");
	return 0;
}

/* What it starts with is part of this program (guest/initramfs-init.S). */
extern const char kmln_init_program[], kmln_init_program_end[];

/* One initramfs serves all machines of this kernel; another kmln's makes its own. */
static const char *uml_initramfs(struct kmln_cluster *cluster)
{
	char sum[KMLN_MD5_TEXT];
	const char *version = cluster->programs.uml
				      ? kmln_look_version(cluster->pool,
						kmln_look_ask(cluster->pool, cluster->programs.uml,
							"--version", NULL, NULL))
				      : NULL;

	kmln_md5(kmln_init_program, (size_t)(kmln_init_program_end - kmln_init_program), sum);
	return kmln_folder(cluster->pool, KMLN_FOLDER_CACHE,
		kmln_pool_printf(cluster->pool, "prepared/uml-%s-%.8s.initramfs",
			version ? version : "unknown", sum));
}

int kmln_cluster_look(struct kmln_cluster *cluster, const struct kmln_model *model,
	const struct kmln_cluster_wish *wish, struct kmln_shared *shared, struct kmln_pool *pool,
	struct kmln_error *err)
{
	struct look look = {.cluster = cluster, .wish = wish, .images = {.pool = pool}};
	int r = 0;

	look.disks.pool = pool;

	*cluster = (struct kmln_cluster){.pool = pool, .model = model};
	cluster->folder = kmln_folder(
		pool, KMLN_FOLDER_DATA, kmln_pool_printf(pool, "projects/%s", model->project));
	cluster->resolver = access(RESOLVER, R_OK) == 0 ? RESOLVER : NULL;
	cluster->runtime = kmln_folder(pool, KMLN_FOLDER_RUNTIME, model->project);
	cluster->hosts = kmln_pool_array(pool, model->host_count + 1, sizeof(*cluster->hosts));
	for (size_t i = 0; r == 0 && i < model->host_count; i++) {
		struct kmln_placed *placed = &cluster->hosts[i];

		placed->host = model->hosts[i];
		placed->memory = placed->host->memory.number;
		placed->cpus = (unsigned)placed->host->cpus.number;
		r = remember(&look, placed, err);
		if (r == 0)
			r = decide(&look, placed, err);
		if (r == 0)
			r = find_base(&look, placed, err);
		if (r == 0)
			r = kmln_kernel_look(cluster, placed, wish->folder, err);
		if (r == 0)
			r = kmln_further_look(cluster, placed, wish->folder, &look.disks, err);
	}
	for (size_t i = 0; r == 0 && i < cluster->base_count; i++)
		r = read_base(&look, shared, cluster->bases[i], err);
	for (size_t i = 0; r == 0 && i < model->host_count; i++)
		cluster->hosts[i].size = disk_size(model->hosts[i], cluster->hosts[i].base);
	if (r == 0)
		r = kmln_sandbox_look(&cluster->walls, pool, !wish->unconfined, err);
	if (r == 0)
		r = look_at_programs(cluster, err);
	cluster->uml_initramfs = r == 0 ? uml_initramfs(cluster) : NULL;
	return r;
}
