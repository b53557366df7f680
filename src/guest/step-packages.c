// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The kernel belongs to the guest's package manager: dpkg is told of it, of what it depends on, and
 * of kmln-guest, so that its later upgrades and removals are ordinary ones. Which packages these
 * are was decided before (convert/packages.c); here they become files and paragraphs.
 */
#include "guest/steps.h"

#include <string.h>
#include <sys/stat.h>

#include "guest/dpkg.h"
#include "guest/package-effects.h"
#include "guest/vouch.h"

#define STEP "packages"
#define STATES "/var/lib/apt/extended_states"

bool kmln_brings_guest_program(const struct kmln_planning *planning)
{
	const struct kmln_package *there = kmln_facts_package(planning->facts, KMLN_GUEST_PACKAGE);

	for (size_t i = 0; i < planning->goal->package_count; i++)
		if (kmln_eq(planning->goal->packages[i]->name, KMLN_GUEST_PACKAGE))
			return true;
	return there && kmln_package_is_installed(there);
}

static int put(struct kmln_planning *planning, const struct kmln_deb_file *file, const char *path,
	const char *group, const char *why, struct kmln_error *err)
{
	const struct kmln_edit edit = {
		.kind = S_ISDIR(file->mode)   ? KMLN_EDIT_MKDIR
			: S_ISLNK(file->mode) ? KMLN_EDIT_SYMLINK
					      : KMLN_EDIT_PUT,
		.by = STEP,
		.why = why,
		.group = group,
		.path = path,
		.mode = file->mode & 07777,
		.uid = file->uid,
		.gid = file->gid,
		.mtime = file->mtime,
		.size = file->size,
		.data = S_ISLNK(file->mode) ? file->target : file->data,
		.from = S_ISREG(file->mode) && !file->data ? file->path : NULL,
	};

	return kmln_edits_add(planning->edits, &edit, err);
}

static int put_files(struct kmln_planning *planning, const struct kmln_pkg *pkg, const char *group,
	struct kmln_error *err)
{
	for (size_t i = 0; i < pkg->file_count; i++) {
		const struct kmln_deb_file *f = &pkg->files[i];
		const char *path;
		int r;

		if (kmln_pkg_is_kernel_file(f->path))
			continue;
		path = kmln_pkg_real_path(planning->facts, f->path, planning->edits->pool);
		/* a folder that is there, or that another package brings as well */
		if (S_ISDIR(f->mode) && (kmln_facts_file(planning->facts, f->path)->mode ||
						kmln_edits_has(planning->edits, path)))
			continue;
		r = put(planning, f, path, group, "its files", err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* What dpkg keeps of a package in its info folder. */
static int put_info(struct kmln_planning *planning, const struct kmln_pkg *pkg, const char *group,
	struct kmln_error *err)
{
	struct kmln_pool *pool = planning->edits->pool;
	const char *folder = kmln_facts_file(planning->facts, "/var/lib/dpkg/info")->real;
	const char *name = kmln_dpkg_info_name(pkg, planning->facts, pool);
	struct kmln_deb_file list = {.mode = S_IFREG | 0644, .mtime = KMLN_MTIME_NOW};
	KMLN_BUF struct kmln_buf text = {0};
	int r = 0;

	for (size_t i = 0; r == 0 && i < pkg->member_count; i++)
		r = put(planning, &pkg->members[i],
			kmln_pool_printf(pool, "%s/%s.%s", folder, name, pkg->members[i].path),
			group, "what dpkg knows of it", err);
	for (size_t i = 0; i < pkg->file_count; i++)
		kmln_buf_printf(&text, "%s\n", pkg->files[i].path[1] ? pkg->files[i].path : "/.");
	list.data = kmln_pool_memdup(pool, text.data ? text.data : "", text.size);
	list.size = text.size;
	return r < 0 ? r
		     : put(planning, &list, kmln_pool_printf(pool, "%s/%s.list", folder, name),
			       group, "what dpkg knows of it", err);
}

/* A package that nobody asked for: apt may take it away when nothing needs it any more. */
static bool is_automatic(const struct kmln_planning *planning, const struct kmln_pkg *pkg)
{
	/* not even when kmln-initramfs has given way to another */
	if (kmln_eq(pkg->name, KMLN_GUEST_PACKAGE))
		return false;
	for (size_t i = 0; i < planning->goal->package_count; i++) {
		const struct kmln_pkg *other = planning->goal->packages[i];
		KMLN_POOL struct kmln_pool *pool = kmln_pool_new();

		if (other != pkg &&
			(kmln_relation_names(
				 kmln_control_field(pool, other->control, "Depends"), pkg->name) ||
				kmln_relation_names(
					kmln_control_field(pool, other->control, "Pre-Depends"),
					pkg->name)))
			return true;
	}
	return kmln_eq(pkg->name, KMLN_INITRAMFS_PACKAGE);
}

static int plan_package(struct kmln_planning *planning, const struct kmln_pkg *pkg,
	struct kmln_pkg_texts *texts, struct kmln_error *err)
{
	const char *group =
		kmln_pool_printf(planning->edits->pool, "package %s %s", pkg->name, pkg->version);
	int r = put_files(planning, pkg, group, err);

	if (r == 0)
		r = put_info(planning, pkg, group, err);
	if (r == 0)
		r = kmln_plan_effects(planning, pkg, group, texts, err);
	kmln_dpkg_paragraph(pkg, &texts->status);
	/* apt writes the native architecture also for packages of all */
	if (is_automatic(planning, pkg))
		kmln_buf_printf(&texts->states,
			"Package: %s\nArchitecture: %s\nAuto-Installed: 1\n\n", pkg->name,
			kmln_dpkg_architecture(planning->facts));
	return r;
}

/* Paragraphs at the end of a text, with an empty line in front. */
static int append(struct kmln_planning *planning, const char *path, const char *why,
	const struct kmln_buf *text, struct kmln_error *err)
{
	const struct kmln_text_end *end = kmln_facts_text_end(planning->facts, path);
	struct kmln_pool *pool = planning->edits->pool;
	struct kmln_edit edit = {
		.kind = KMLN_EDIT_APPEND,
		.by = STEP,
		.why = why,
		.path = end ? end->real : NULL,
		.mtime = KMLN_MTIME_NOW,
		.replaces_mode = end ? end->mode : 0,
		.replaces_size = end ? end->size : 0,
		.replaces_mtime = end ? end->mtime : 0,
		.replaces_mtime_ns = end ? end->mtime_ns : 0,
	};

	if (!text->size || !edit.path)
		return 0;
	edit.data = kmln_pool_printf(
		pool, "%s%s", &"\n\n"[end->newlines > 2 ? 2 : end->newlines], text -> data);
	if (!end->there) {
		/* apt makes its text with the first automatic package; a guest without apt has none
		 */
		if (!S_ISDIR(kmln_facts_file(planning->facts, "/var/lib/apt")->mode) ||
			kmln_facts_file(planning->facts, STATES)->mode)
			return 0;
		edit.kind = KMLN_EDIT_PUT;
		edit.mode = 0644;
		edit.shared = true;
		edit.replaces_size = 0;
	}
	edit.size = strlen(edit.data);
	return kmln_edits_add(planning->edits, &edit, err);
}

/* Programs that the distribution runs for a new kernel; those whose work is done are not said. */
static void note_hooks(struct kmln_planning *planning, const struct kmln_pkg *pkg)
{
	static const char *const done[] = {
		KMLN_GUEST_PACKAGE, "apt-auto-removal", "initramfs-tools", "dracut", "README"};
	KMLN_BUF struct kmln_buf names = {0};

	for (const char *const *h = planning->facts->kernel_hooks; h && *h; h++) {
		bool known = false;

		for (size_t i = 0; i < KMLN_COUNT(done); i++)
			known |= kmln_eq(*h, done[i]);
		if (!known)
			kmln_buf_printf(&names, "%s%s", names.size ? ", " : "", *h);
	}
	if (names.size)
		kmln_edits_note(planning->edits,
			"the guest's own kernel hooks are not run (%s); in the guest, once: "
			"dpkg-reconfigure %s",
			names.data, pkg->name);
}

/* The kernel is put in, and nobody in the guest knows whose it is. */
static void note_unregistered(struct kmln_planning *planning)
{
	const char *manager = planning->facts->package_manager;

	if (!planning->goal->from_kit || !manager)
		return;
	if (!kmln_eq(manager, "dpkg"))
		kmln_edits_note(planning->edits,
			"the guest's package manager (%s) does not know the kernel that is put in, and "
			"neither updates nor removes it; kmln convert --kernel brings a newer one",
			manager);
	else if (planning->goal->unregistered)
		kmln_edits_note(planning->edits,
			"the guest's dpkg does not know the kernel that is put in: %s",
			planning->goal->unregistered);
}

static int plan(struct kmln_planning *planning, struct kmln_error *err)
{
	struct kmln_pkg_texts texts = {0};
	const struct kmln_goal *goal = planning->goal;
	bool any = false;
	int r = 0;

	if (!planning->edits || !planning->platform->needs_kernel)
		return 0;
	for (size_t i = 0; r == 0 && i < goal->package_count; i++) {
		const struct kmln_pkg *pkg = goal->packages[i];

		if (kmln_facts_package(planning->facts, pkg->name))
			continue;
		any = true;
		r = plan_package(planning, pkg, &texts, err);
		if (pkg->release)
			note_hooks(planning, pkg);
	}
	if (r == 0 && any)
		r = append(planning, "/var/lib/dpkg/status", "dpkg knows them as installed",
			&texts.status, err);
	if (r == 0)
		r = append(planning, STATES, "apt knows which of them are automatic", &texts.states,
			err);
	if (r == 0)
		r = append(planning, "/var/cache/debconf/config.dat", "questions of its packages",
			&texts.questions, err);
	if (r == 0)
		r = append(planning, "/var/cache/debconf/templates.dat",
			"questions of its packages", &texts.templates, err);
	if (r == 0)
		note_unregistered(planning);
	kmln_buf_fini(&texts.status);
	kmln_buf_fini(&texts.states);
	kmln_buf_fini(&texts.questions);
	kmln_buf_fini(&texts.templates);
	return r;
}

/* "NAME.list", as dpkg has it in its info folder. */
static bool is_info_name(const char *name)
{
	const char *dot = strrchr(name, '.');

	return dot && dot != name && !strchr(name, '/') && strlen(dot) > 1;
}

static bool is_kernel_link(const struct kmln_facts *facts, const char *path)
{
	static const char *const links[] = {
		"vmlinuz", "vmlinuz.old", "initrd.img", "initrd.img.old"};
	const char *in_boot = kmln_below_place(facts, "/boot", path);
	const char *name = in_boot ? in_boot : path + 1;

	for (size_t i = 0; i < KMLN_COUNT(links); i++)
		if (kmln_eq(name, links[i]))
			return true;
	return false;
}

/*
 * Where the files of such packages lie: programs and libraries, and in /etc what belongs to
 * kernels, modules and the start of the system. What packages share (accounts, fstab) is never
 * theirs.
 */
static bool is_package_path(const struct kmln_facts *facts, const char *path)
{
	static const char *const folders[] = {"/usr", "/bin", "/sbin", "/lib", "/lib64",
		"/etc/kernel", "/etc/kmln", "/etc/init.d", "/etc/modprobe.d", "/etc/modules-load.d",
		"/etc/depmod.d", "/etc/bash_completion.d"};

	for (size_t i = 0; i < KMLN_COUNT(folders); i++)
		if (kmln_starts(path, folders[i]) &&
			(path[strlen(folders[i])] == '/' || !path[strlen(folders[i])]))
			return true;
	return kmln_is_place(facts, "/etc/modules", path) ||
	       kmln_is_place(facts, "/etc/rcS.d", path) ||
	       kmln_is_place(facts, "/etc/rcS.d/S01kmod", path);
}

/* Paragraphs of the databases, each the end of the text that it belongs to. */
static bool is_database(const struct kmln_facts *facts, const struct kmln_record_item *item)
{
	const char *text = item->new + strspn(item->new, "\n");

	if (!kmln_starts(text, "Package: ") && !kmln_starts(text, "Name: "))
		return false;
	if (item->kind == KMLN_RECORD_CHANGE)
		return item->was == KMLN_WAS_ABSENT && !item->old_size &&
		       kmln_is_place(facts, STATES, item->path);
	for (size_t i = 0; i < facts->text_end_count; i++)
		if (kmln_eq(facts->text_ends[i].real, item->path))
			return true;
	return false;
}

static bool could_write(const struct kmln_facts *facts, const struct kmln_record_item *item)
{
	const char *info;

	switch (item->kind) {
	case KMLN_RECORD_APPEND:
	case KMLN_RECORD_CHANGE:
		return is_database(facts, item);
	case KMLN_RECORD_SYMLINK:
		if (is_kernel_link(facts, item->path))
			return true;
		break;
	case KMLN_RECORD_PUT:
		info = kmln_below_place(facts, "/var/lib/dpkg/info", item->path);
		if (info)
			return item->was == KMLN_WAS_ABSENT && !item->timed && is_info_name(info);
		break;
	case KMLN_RECORD_MKDIR:
		break;
	default:
		return false;
	}
	return item->was == KMLN_WAS_ABSENT && is_package_path(facts, item->path);
}

const struct kmln_step kmln_step_packages = {
	.name = "packages",
	.summary = "make the kernel known to the guest's package manager",
	.plan = plan,
	.could_write = could_write,
};
