// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a package's scripts would have done on a first installation (known-scripts.h), as edits; and
 * what of the guest would make it another work than the known one.
 */
#include "guest/package-effects.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "guest/debconf.h"
#include "guest/known-scripts.h"

#define STEP "packages"
#define QUESTIONS "/var/cache/debconf/config.dat"
#define TEMPLATES "/var/cache/debconf/templates.dat"

/* ---- paths ---- */

bool kmln_pkg_is_kernel_file(const char *path)
{
	return kmln_starts(path, "/boot/") || kmln_starts(path, "/lib/modules/") ||
	       kmln_starts(path, "/usr/lib/modules/");
}

void kmln_pkg_paths(const struct kmln_pkg *pkg, struct kmln_strv *paths)
{
	for (size_t i = 0; i < pkg->file_count; i++) {
		const char *path = pkg->files[i].path;

		if (kmln_pkg_is_kernel_file(path))
			continue;
		for (size_t n = 1; n <= strlen(path); n++)
			if (path[n] == '/' || !path[n])
				kmln_strv_printf(paths, "%.*s", (int)n, path);
	}
}

const char *kmln_pkg_real_path(
	const struct kmln_facts *facts, const char *path, struct kmln_pool *pool)
{
	const struct kmln_known_file *known = kmln_facts_file(facts, path);
	const char *slash = strrchr(path, '/'), *parent;

	if (known->real || slash == path)
		return known->real ? known->real : path;
	parent = kmln_pool_printf(pool, "%.*s", (int)(slash - path), path);
	return kmln_pool_printf(pool, "%s%s", kmln_pkg_real_path(facts, parent, pool), slash);
}

/* ---- obstacles ---- */

static bool has_line(const struct kmln_known_file *file, const char *end)
{
	for (const char *line = file->data; line && *line;) {
		size_t length = strcspn(line, "\n"), n = strlen(end);

		if (length >= n && memcmp(line + length - n, end, n) == 0 &&
			(length == n || line[length - n - 1] == ' '))
			return true;
		line += length + (line[length] == '\n');
	}
	return false;
}

static bool file_is_in_the_way(const struct kmln_facts *facts, const struct kmln_deb_file *file)
{
	const struct kmln_known_file *known = kmln_facts_file(facts, file->path);

	if (S_ISDIR(file->mode))
		return known->mode ? !S_ISDIR(known->mode) : known->link != NULL;
	return known->mode || known->link;
}

static const char *effect_obstacle(
	const struct kmln_facts *facts, const struct kmln_pkg *pkg, unsigned effects)
{
	const struct kmln_text_end *questions = kmln_facts_text_end(facts, QUESTIONS);
	const struct kmln_text_end *templates = kmln_facts_text_end(facts, TEMPLATES);

	if ((effects & KMLN_EFFECT_TEMPLATES) &&
		!(questions && questions->there && templates && templates->there))
		return "debconf's database is not where it is looked for";
	if ((effects & KMLN_EFFECT_RC_KMOD) && kmln_facts_file(facts, "/sbin/insserv")->mode)
		return "when kmod is started at boot is for the guest's insserv to find out";
	if ((effects & KMLN_EFFECT_ETC_MODULES_13) && kmln_facts_file(facts, "/etc/modules")->mode)
		return "what kmod makes of the guest's /etc/modules is not known to kmln";
	/* kmln-guest reads the system by a call that came with it */
	if (pkg->release && kmln_release_compare(pkg->release, "5.6") < 0)
		return "kernels before 5.6 cannot run kmln-guest";
	return NULL;
}

const char *kmln_pkg_obstacle(
	const struct kmln_facts *facts, const struct kmln_pkg *pkg, struct kmln_pool *pool)
{
	const struct kmln_text_end *status = kmln_facts_text_end(facts, "/var/lib/dpkg/status");
	unsigned effects;
	const char *problem = kmln_known_effects(pkg, pool, &effects);

	if (problem)
		return problem;
	if (!status || !status->there ||
		!S_ISDIR(kmln_facts_file(facts, "/var/lib/dpkg/info")->mode))
		return "dpkg's database is not where it is looked for";
	for (size_t i = 0; i < pkg->file_count; i++) {
		const char *path = pkg->files[i].path;

		if (has_line(kmln_facts_file(facts, "/var/lib/dpkg/diversions"), path) ||
			has_line(kmln_facts_file(facts, "/var/lib/dpkg/statoverride"), path))
			return kmln_pool_printf(
				pool, "the guest's dpkg has a rule of its own for %s", path);
		if (!kmln_pkg_is_kernel_file(path) && file_is_in_the_way(facts, &pkg->files[i]))
			return kmln_pool_printf(
				pool, "in the guest, %s is in the way of %s", path, pkg->name);
	}
	return effect_obstacle(facts, pkg, effects);
}

/* ---- links to the kernel ---- */

/* The value of a "name = yes" line in /etc/kernel-img.conf; `otherwise` where there is none. */
static bool setting(const char *text, const char *name, bool otherwise)
{
	size_t length = strlen(name);

	for (const char *line = text; line && *line;) {
		const char *p = line + strspn(line, " \t");

		if (strncasecmp(p, name, length) == 0) {
			p += length + strspn(p + length, " \t");
			if (*p == '=') {
				p += 1 + strspn(p + 1, " \t");
				otherwise = tolower((unsigned char)*p) == 'y' ||
					    tolower((unsigned char)*p) == 't' || *p == '1';
			}
		}
		line += strcspn(line, "\n");
		line += *line == '\n';
	}
	return otherwise;
}

/* The release that a link of this name leads to, where that is another kernel of the guest. */
static const char *linked_release(
	const struct kmln_facts *facts, const char *link, const char *not_this)
{
	const char *target = kmln_facts_file(facts, link)->link;
	const char *name = target && strrchr(target, '/') ? strrchr(target, '/') + 1 : target;

	for (size_t i = 0; name && i < facts->kernel_count; i++) {
		const struct kmln_kernel *k = &facts->kernels[i];

		if (k->image && kmln_eq(strrchr(k->image, '/') + 1, name) &&
			!kmln_eq(k->release, not_this))
			return k->release;
	}
	return NULL;
}

/* As linux-update-symlinks: what /vmlinuz was becomes the old one; else the newest other kernel. */
static const char *old_release(const struct kmln_facts *facts, const char *folder,
	const char *release, struct kmln_pool *pool)
{
	const char *old =
		linked_release(facts, kmln_pool_printf(pool, "%s/vmlinuz", folder), release);

	if (!old)
		old = linked_release(
			facts, kmln_pool_printf(pool, "%s/vmlinuz.old", folder), release);
	for (size_t i = 0; !old && i < facts->kernel_count; i++)
		if (facts->kernels[i].image && !kmln_eq(facts->kernels[i].release, release))
			old = facts->kernels[i].release;
	return old ? old : release;
}

static int want_link(struct kmln_planning *planning, const char *group, const char *folder,
	const char *stem, const char *suffix, const char *release, struct kmln_error *err)
{
	struct kmln_pool *pool = planning->edits->pool;
	const char *path = kmln_pool_printf(pool, "%s/%s%s", folder, stem, suffix);
	const struct kmln_known_file *known = kmln_facts_file(planning->facts, path);
	const struct kmln_edit edit = {
		.kind = KMLN_EDIT_SYMLINK,
		.by = STEP,
		.why = "as linux-update-symlinks makes them",
		.group = group,
		.path = *folder ? kmln_pool_printf(pool, "%s/%s%s",
					  kmln_facts_file(planning->facts, folder)->real, stem,
					  suffix)
				: path,
		.mode = 0777,
		.mtime = KMLN_MTIME_NOW,
		.data = kmln_pool_printf(pool, "%s%s-%s", *folder ? "" : "boot/", stem, release),
		.replaces = known->link,
		.replaces_mtime = known->link_mtime,
		.replaces_mtime_ns = known->link_mtime_ns,
	};

	/* a file of that name is somebody's own kernel: linux-update-symlinks would put it away */
	if (kmln_eq(known->link, edit.data) || (known->mode && !known->link))
		return 0;
	return kmln_edits_add(planning->edits, &edit, err);
}

static int plan_links(struct kmln_planning *planning, const char *release, const char *group,
	struct kmln_error *err)
{
	const struct kmln_facts *facts = planning->facts;
	const char *conf = kmln_facts_file(facts, "/etc/kernel-img.conf")->data;
	const char *folder = setting(conf, "link_in_boot", false) ? "/boot" : "";
	const char *old = old_release(facts, folder, release, planning->edits->pool);
	int r;

	if (!setting(conf, "do_symlinks", true))
		return 0;
	r = want_link(planning, group, folder, "vmlinuz", ".old", old, err);
	if (r == 0)
		r = want_link(planning, group, folder, "initrd.img", ".old", old, err);
	if (r == 0)
		r = want_link(planning, group, folder, "vmlinuz", "", release, err);
	return r < 0 ? r : want_link(planning, group, folder, "initrd.img", "", release, err);
}

/* ---- other effects ---- */

static int plan_etc_modules(
	struct kmln_planning *planning, const char *text, const char *group, struct kmln_error *err)
{
	const struct kmln_known_file *known = kmln_facts_file(planning->facts, "/etc/modules");
	const struct kmln_edit edit = {
		.kind = KMLN_EDIT_PUT,
		.by = STEP,
		.why = "as its scripts make them",
		.group = group,
		.path = known->real,
		.mode = 0644,
		.mtime = KMLN_MTIME_NOW,
		.data = text,
		.size = strlen(text),
	};

	return known->mode || known->link ? 0 : kmln_edits_add(planning->edits, &edit, err);
}

static int plan_rc_kmod(struct kmln_planning *planning, const char *group, struct kmln_error *err)
{
	struct kmln_edit edit = {
		.kind = KMLN_EDIT_SYMLINK,
		.by = STEP,
		.why = "as its scripts make them",
		.group = group,
		.mode = 0777,
		.mtime = KMLN_MTIME_NOW,
		.data = "../init.d/kmod",
	};
	const char *folder;
	int r = kmln_want_folder(planning, STEP, "/etc/rcS.d", &folder, err);

	if (r < 0 || kmln_facts_file(planning->facts, "/etc/rcS.d/S01kmod")->link)
		return r;
	edit.path = kmln_pool_printf(planning->edits->pool, "%s/S01kmod", folder);
	return kmln_edits_add(planning->edits, &edit, err);
}

int kmln_plan_effects(struct kmln_planning *planning, const struct kmln_pkg *pkg, const char *group,
	struct kmln_pkg_texts *texts, struct kmln_error *err)
{
	const struct kmln_deb_file *templates = kmln_pkg_member(pkg, "templates");
	const char *modules;
	unsigned effects;
	int r = 0;

	/* who chose the package has seen to it that this is known */
	if (kmln_known_effects(pkg, planning->edits->pool, &effects))
		return kmln_fail(err, EINVAL, "the scripts of %s are not known", pkg->name);
	modules = kmln_known_etc_modules(effects);
	if (effects & KMLN_EFFECT_KERNEL)
		r = plan_links(planning, pkg->release, group, err);
	if (r == 0 && modules)
		r = plan_etc_modules(planning, modules, group, err);
	if (r == 0 && (effects & KMLN_EFFECT_RC_KMOD))
		r = plan_rc_kmod(planning, group, err);
	if (r == 0 && (effects & KMLN_EFFECT_TEMPLATES) && templates)
		kmln_debconf_records(
			templates->data, pkg->name, &texts->questions, &texts->templates);
	return r;
}
