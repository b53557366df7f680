// SPDX-License-Identifier: GPL-2.0-or-later
/* Kernels that hosts name; see kernel.h. */
#include "cluster/kernel.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "platform/kernel-file.h"

#define MLN_DEFAULT "linux"

static const char *path_of(const char *name, const char *folder, struct kmln_pool *pool)
{
	return kmln_pool_printf(pool, "%s%s", name[0] == '/' || !folder ? "" : folder, name);
}

/* A file, or meant as one. */
static const char *file_of(const char *name, const char *folder, struct kmln_pool *pool)
{
	const char *path = name ? path_of(name, folder, pool) : NULL;

	return path && (strchr(name, '/') || access(path, F_OK) == 0) ? path : NULL;
}

const char *kmln_kernel_kit(
	const struct kmln_host *host, const char *folder, struct kmln_pool *pool)
{
	const char *name = host->kernel.text;

	return !name || kmln_eq(name, MLN_DEFAULT) || file_of(name, folder, pool) ? NULL : name;
}

static int fail_at(const struct kmln_value *value, const char *why, struct kmln_error *err)
{
	const struct kmln_word *from = value->from;

	if (!from || !from->at.source)
		return kmln_fail(err, KMLN_EINVALID, "%s %s", value->text, why);
	return kmln_fail(err, KMLN_EINVALID, "%s:%u:%u: `%s` %s", from->at.source->name,
		from->at.line, from->at.column, value->text, why);
}

static int real_path(const struct kmln_value *value, const char *path, struct kmln_pool *pool,
	const char **real, struct kmln_error *err)
{
	char name[PATH_MAX];

	if (!realpath(path, name))
		return fail_at(value, "is not there", err);
	*real = kmln_pool_strdup(pool, name);
	return 0;
}

/* Hosts of a series have one superclass, and are not looked at one by one. */
static bool as_before(const struct kmln_cluster *cluster, struct kmln_placed *placed)
{
	const struct kmln_placed *last = placed > cluster->hosts ? placed - 1 : NULL;

	if (!last || !placed->host->kernel.text || last->platform != placed->platform ||
		!kmln_eq(last->host->kernel.text, placed->host->kernel.text) ||
		!kmln_eq(last->host->ramdisk.text ? last->host->ramdisk.text : "",
			placed->host->ramdisk.text ? placed->host->ramdisk.text : ""))
		return false;
	placed->kernel = last->kernel;
	placed->ramdisk = last->ramdisk;
	return true;
}

int kmln_kernel_look(struct kmln_cluster *cluster, struct kmln_placed *placed, const char *folder,
	struct kmln_error *err)
{
	const struct kmln_host *host = placed->host;
	const char *path = kmln_eq(host->kernel.text, MLN_DEFAULT)
				   ? NULL
				   : file_of(host->kernel.text, folder, cluster->pool);
	const char *why = NULL;
	int r;

	if (as_before(cluster, placed))
		return 0;
	if (host->ramdisk.text && !path)
		return fail_at(&host->ramdisk,
			"needs the kernel that it is for: a file, by `kernel`", err);
	if (!path && kmln_kernel_kit(host, folder, cluster->pool) &&
		kmln_eq(placed->platform->name, "uml"))
		why = "is no file, and User-Mode Linux is its own kernel: `kernel` names its program";
	if (why)
		return fail_at(&host->kernel, why, err);
	if (!path)
		return 0;
	r = real_path(&host->kernel, path, cluster->pool, &placed->kernel, err);
	if (r == 0)
		why = kmln_kernel_kind_misfit(
			kmln_kernel_kind(placed->kernel), placed->platform->name);
	if (why)
		return fail_at(&host->kernel, why, err);
	return r < 0 || !host->ramdisk.text
		       ? r
		       : real_path(&host->ramdisk,
				 path_of(host->ramdisk.text, folder, cluster->pool), cluster->pool,
				 &placed->ramdisk, err);
}
