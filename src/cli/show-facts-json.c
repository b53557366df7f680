// SPDX-License-Identifier: GPL-2.0-or-later
/* Facts as JSON. */
#include "cli/show-facts.h"

#include <stdio.h>

#include "guest/step.h"
#include "text/json.h"

static void put_text(struct kmln_json *object, const char *key, const char *text)
{
	kmln_json_set(object, key, kmln_json_text(text));
}

static void put_number(struct kmln_json *object, const char *key, uint64_t number)
{
	kmln_json_set(object, key, kmln_json_number(number));
}

static void put_bool(struct kmln_json *object, const char *key, bool yes)
{
	kmln_json_set(object, key, kmln_json_bool(yes));
}

static struct kmln_json *put_object(struct kmln_json *object, const char *key)
{
	return kmln_json_set(object, key, kmln_json_object());
}

static struct kmln_json *put_array(struct kmln_json *object, const char *key)
{
	return kmln_json_set(object, key, kmln_json_array());
}

static void put_words(struct kmln_json *object, const char *key, const char *const *words)
{
	struct kmln_json *array = put_array(object, key);

	for (; words && *words; words++)
		kmln_json_add(array, kmln_json_text(*words));
}

static void show_efi(struct kmln_json *root, const struct kmln_facts *f)
{
	struct kmln_json *efi;

	if (!f->esp) {
		put_text(root, "efi", NULL);
		return;
	}
	efi = put_object(root, "efi");
	kmln_json_set(efi, "partition", kmln_json_number(f->esp->partition->number));
	put_bool(efi, "loader", f->esp->has_loader);
	put_bool(efi, "by_kmln", f->esp->loader_sum != NULL);
	put_text(efi, "problem", f->esp->problem);
}

static void show_table(struct kmln_json *root, const struct kmln_facts *f)
{
	struct kmln_json *table, *list;

	if (!f->table) {
		put_text(root, "partition_table", NULL);
		return;
	}
	table = put_object(root, "partition_table");
	put_text(table, "type", f->table);
	put_text(table, "disk_id", f->disk_id);
	put_text(table, "boot_code", f->boot);
	list = put_array(table, "partitions");
	for (size_t i = 0; i < f->partition_count; i++) {
		const struct kmln_partition *p = &f->partitions[i];
		struct kmln_json *o = kmln_json_add(list, kmln_json_object());

		put_number(o, "number", p->number);
		put_number(o, "start", p->range.offset);
		put_number(o, "size", p->range.size);
		put_text(o, "type", p->type);
		put_text(o, "type_name", p->type_name);
		put_text(o, "uuid", p->uuid);
		put_text(o, "name", p->name);
		put_bool(o, "active", p->active);
	}
}

static void show_filesystems(struct kmln_json *root, const struct kmln_facts *f)
{
	struct kmln_json *list = put_array(root, "filesystems");

	for (size_t i = 0; i < f->filesystem_count; i++) {
		const struct kmln_filesystem *fs = &f->filesystems[i];
		struct kmln_json *o = kmln_json_add(list, kmln_json_object());

		put_number(o, "partition", fs->partition);
		put_text(o, "type", fs->type);
		put_text(o, "uuid", fs->uuid);
		put_text(o, "label", fs->label);
		put_text(o, "mount", fs->mount);
		if (!fs->is_ext)
			continue;
		put_number(o, "size", fs->bytes);
		put_number(o, "free", fs->free_bytes);
		put_number(o, "free_inodes", fs->free_inodes);
		put_text(o, "state", fs->state);
		put_words(o, "features", fs->features);
	}
}

static void show_volumes(struct kmln_json *root, const struct kmln_facts *f)
{
	struct kmln_json *list = put_array(root, "volumes");

	for (size_t i = 0; i < f->volume_count; i++) {
		const struct kmln_volume *v = &f->volumes[i];
		struct kmln_json *o = kmln_json_add(list, kmln_json_object());

		put_number(o, "partition", v->partition);
		put_text(o, "type", v->type);
		put_text(o, "name", v->name);
		put_text(o, "uuid", v->uuid);
		put_text(o, "version", v->version);
		put_text(o, "level", v->level);
		put_words(o, "members", v->members);
		put_text(o, "problem", v->problem);
	}
}

static void show_os(struct kmln_json *root, const struct kmln_facts *f)
{
	struct kmln_json *os = put_object(root, "os"), *init, *packages, *list;

	put_text(os, "id", f->os_id);
	put_text(os, "id_like", f->os_like);
	put_text(os, "version", f->os_version);
	put_text(os, "codename", f->os_codename);
	put_text(os, "name", f->os_name);
	put_text(os, "arch", f->arch);
	put_text(root, "hostname", f->hostname);
	init = put_object(root, "init");
	put_text(init, "type", kmln_init_name(f->init));
	put_text(init, "path", f->init_path);
	packages = put_object(root, "packages");
	put_text(packages, "manager", f->package_manager);
	put_number(packages, "count", f->package_count);
	list = put_array(packages, "list");
	for (size_t i = 0; i < f->package_count; i++) {
		struct kmln_json *o = kmln_json_add(list, kmln_json_object());

		put_text(o, "name", f->packages[i].name);
		put_text(o, "version", f->packages[i].version);
		put_text(o, "architecture", f->packages[i].architecture);
		put_text(o, "status", f->packages[i].status);
	}
}

static void show_loaders(struct kmln_json *root, const struct kmln_facts *f)
{
	struct kmln_json *loader, *list;

	if (f->loader) {
		loader = put_object(root, "boot_loader");
		put_text(loader, "type", f->loader);
		put_text(loader, "config", f->loader_config);
		put_bool(loader, "by_kmln", f->root && !kmln_has_own_loader(f));
	} else {
		put_text(root, "boot_loader", NULL);
	}
	list = put_array(root, "boot_loaders");
	for (size_t i = 0; i < f->loader_count; i++) {
		struct kmln_json *o = kmln_json_add(list, kmln_json_object());

		put_text(o, "type", f->loaders[i].type);
		put_text(o, "config", f->loaders[i].config);
	}
	list = put_array(root, "boot_entries");
	for (size_t i = 0; i < f->boot_entry_count; i++) {
		const struct kmln_boot_entry *e = &f->boot_entries[i];
		struct kmln_json *o = kmln_json_add(list, kmln_json_object());

		put_text(o, "type", e->type);
		put_text(o, "file", e->file);
		put_text(o, "title", e->title);
		put_text(o, "version", e->version);
		put_text(o, "kernel", e->kernel);
		put_text(o, "initramfs", e->initramfs);
		put_text(o, "options", e->options);
	}
}

static void show_kernels(struct kmln_json *root, const struct kmln_facts *f)
{
	struct kmln_json *list = put_array(root, "kernels");

	for (size_t i = 0; i < f->kernel_count; i++) {
		const struct kmln_kernel *k = &f->kernels[i];
		struct kmln_json *o = kmln_json_add(list, kmln_json_object());

		put_text(o, "release", k->release);
		put_text(o, "image", k->image);
		put_text(o, "arch", k->arch);
		put_words(o, "entries", k->entries);
		put_text(o, "initramfs", k->initramfs);
		put_bool(o, "initramfs_by_kmln", k->initramfs_ours);
		put_text(o, "modules", k->modules);
		put_bool(o, "indexed", k->indexed);
		put_text(o, "compression", k->compression);
		put_bool(o, "uml", k->uml);
		put_words(o, "drivers", k->drivers);
		put_number(o, "files", k->file_count);
		put_number(o, "bytes", k->bytes);
	}
	show_loaders(root, f);
}

static void show_settings(struct kmln_json *root, const struct kmln_facts *f)
{
	struct kmln_json *list = put_array(root, "fstab");

	for (size_t i = 0; i < f->fstab_count; i++) {
		struct kmln_json *o = kmln_json_add(list, kmln_json_object());

		put_text(o, "device", f->fstab[i].device);
		put_text(o, "mount", f->fstab[i].mount);
		put_text(o, "type", f->fstab[i].type);
		put_text(o, "options", f->fstab[i].options);
		put_number(o, "line", f->fstab[i].line);
	}
	list = put_array(root, "consoles");
	for (size_t i = 0; i < f->login_count; i++) {
		struct kmln_json *o = kmln_json_add(list, kmln_json_object());

		put_text(o, "tty", f->logins[i].tty);
		put_text(o, "source", f->logins[i].source);
	}
	list = put_array(root, "network");
	for (size_t i = 0; i < f->interface_count; i++) {
		struct kmln_json *o = kmln_json_add(list, kmln_json_object());

		put_text(o, "name", f->interfaces[i].name);
		put_text(o, "system", f->interfaces[i].system);
		put_text(o, "file", f->interfaces[i].file);
		put_text(o, "method", f->interfaces[i].method);
		put_text(o, "address", f->interfaces[i].address);
	}
}

/* As NULL-ended lists are put, for one that is counted. */
static void put_list(
	struct kmln_json *object, const char *key, const char *const *texts, size_t count)
{
	struct kmln_json *array = put_array(object, key);

	for (size_t i = 0; i < count; i++)
		kmln_json_add(array, kmln_json_text(texts[i]));
}

static void show_storage(struct kmln_json *root, const struct kmln_facts *f)
{
	struct kmln_json *list = put_array(root, "crypttab");

	for (size_t i = 0; i < f->crypttab_count; i++) {
		struct kmln_json *o = kmln_json_add(list, kmln_json_object());

		put_text(o, "name", f->crypttab[i].name);
		put_text(o, "device", f->crypttab[i].device);
		put_text(o, "key", f->crypttab[i].key);
		put_text(o, "options", f->crypttab[i].options);
		put_number(o, "line", f->crypttab[i].line);
	}
	list = put_array(root, "swap");
	for (size_t i = 0; i < f->swap_count; i++) {
		struct kmln_json *o = kmln_json_add(list, kmln_json_object());

		put_text(o, "device", f->swaps[i].device);
		put_text(o, "source", f->swaps[i].source);
		put_bool(o, "resume", f->swaps[i].resume);
	}
}

static void show_services(struct kmln_json *root, const struct kmln_facts *f)
{
	struct kmln_json *services = put_object(root, "services"), *list;

	put_text(services, "manager", f->service_manager);
	put_text(services, "default", f->default_target);
	list = put_array(services, "list");
	for (size_t i = 0; i < f->service_count; i++) {
		struct kmln_json *o = kmln_json_add(list, kmln_json_object());

		put_text(o, "name", f->services[i].name);
		put_text(o, "by", f->services[i].by);
		put_bool(o, "masked", f->services[i].masked);
	}
}

/* What else matters when a guest moves. */
static void show_marks(struct kmln_json *root, const struct kmln_facts *f)
{
	struct kmln_json *list = put_array(root, "network_names"), *selinux;

	for (size_t i = 0; i < f->mac_name_count; i++) {
		struct kmln_json *o = kmln_json_add(list, kmln_json_object());

		put_text(o, "mac", f->mac_names[i].mac);
		put_text(o, "name", f->mac_names[i].name);
		put_text(o, "file", f->mac_names[i].file);
	}
	show_storage(root, f);
	show_services(root, f);
	if (f->has_securetty)
		put_list(root, "securetty", f->securetty, f->securetty_count);
	else
		put_text(root, "securetty", NULL);
	put_text(root, "machine_id", f->machine_id);
	if (f->selinux) {
		selinux = put_object(root, "selinux");
		put_text(selinux, "mode", f->selinux);
		put_text(selinux, "policy", f->selinux_policy);
	} else {
		put_text(root, "selinux", NULL);
	}
	put_list(root, "container_marks", f->container_marks, f->container_mark_count);
}

static int show_platforms(
	struct kmln_json *root, const struct kmln_facts *f, struct kmln_error *err)
{
	struct kmln_json *platforms = put_object(root, "platforms");

	for (const struct kmln_platform *const *p = kmln_platforms; *p; p++) {
		KMLN_STRV struct kmln_strv missing = {0};
		struct kmln_planning planning = {.facts = f, .platform = *p, .missing = &missing};
		int r = kmln_plan_guest(&planning, err);
		struct kmln_json *o;

		if (r < 0)
			return r;
		o = put_object(platforms, (*p)->name);
		put_bool(o, "ready", missing.count == 0);
		put_words(o, "missing", (const char *const *)missing.items);
	}
	return 0;
}

struct kmln_json *kmln_facts_json(const struct kmln_facts *f, struct kmln_error *err)
{
	struct kmln_json *root = kmln_json_object(), *image = put_object(root, "image");

	put_text(image, "format", f->format);
	put_number(image, "size", f->size);
	put_number(image, "file_size", f->file_size);
	put_number(image, "allocated", f->allocated);
	put_text(image, "backing", f->backing);
	show_table(root, f);
	show_efi(root, f);
	show_filesystems(root, f);
	show_volumes(root, f);
	put_text(root, "root_problem", f->root_problem);
	if (f->root) {
		show_os(root, f);
		show_kernels(root, f);
		show_settings(root, f);
		show_marks(root, f);
	}
	put_list(root, "notes", f->notes, f->note_count);
	show_platforms(root, f, err);
	return root;
}

int kmln_show_facts_json(const struct kmln_facts *f, struct kmln_error *err)
{
	return kmln_json_print_free(kmln_facts_json(f, err), stdout, err);
}
