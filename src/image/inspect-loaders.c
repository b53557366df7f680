// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Boot loaders by their files, and the entries that stand in files of their own: Boot Loader
 * Specification entries and unified kernel images. Only the root filesystem is looked at: what lies
 * on an EFI partition or a /boot of its own is not seen.
 */
#include <string.h>

#include "image/inspect-parts.h"
#include "image/inspect.h"

/* Where an EFI partition's files may lie in a root filesystem. */
static const char *const efi_places[] = {"/boot/efi", "/efi", "/boot"};

/* Adds it once, by the file that the path really is. */
static void add_loader(struct kmln_look *look, const char *type, const char *config)
{
	struct kmln_facts *facts = look->facts;
	KMLN_BUF struct kmln_buf real = {0};
	struct kmln_error ignored;
	struct kmln_stat st;
	struct kmln_loader *l;

	if (kmln_tree_resolve(look->tree, config, &real, &ignored) < 0 ||
		kmln_tree_stat(look->tree, real.data, &st, &ignored) < 0 || !S_ISREG(st.mode))
		return;
	for (size_t i = 0; i < facts->loader_count; i++) {
		KMLN_BUF struct kmln_buf other = {0};

		if (kmln_tree_resolve(look->tree, facts->loaders[i].config, &other, &ignored) ==
				0 &&
			kmln_eq(other.data, real.data))
			return;
	}
	l = kmln_list_add(facts, &facts->loaders, &facts->loader_count, sizeof(*l), "boot loaders");
	if (l)
		*l = (struct kmln_loader){type, kmln_pool_strdup(facts->pool, config)};
}

static void find_bios(struct kmln_look *look)
{
	static const struct kmln_loader known[] = {{"grub", "/boot/grub/grub.cfg"},
		{"grub", "/boot/grub2/grub.cfg"}, {"grub-legacy", "/boot/grub/menu.lst"},
		{"grub-legacy", "/boot/grub/grub.conf"}, {"grub-legacy", "/etc/grub.conf"},
		{"extlinux", "/boot/extlinux/extlinux.conf"}, {"extlinux", "/boot/extlinux.conf"},
		{"extlinux", "/extlinux.conf"}, {"syslinux", "/boot/syslinux/syslinux.cfg"},
		{"syslinux", "/boot/syslinux.cfg"}, {"syslinux", "/syslinux.cfg"},
		{"lilo", "/etc/lilo.conf"}};

	for (size_t i = 0; i < KMLN_COUNT(known); i++)
		add_loader(look, known[i].type, known[i].config);
	if (look->facts->loader_count) {
		look->facts->loader = look->facts->loaders[0].type;
		look->facts->loader_config = look->facts->loaders[0].config;
	}
}

/* ---- entries ---- */

static struct kmln_boot_entry *add_entry(
	struct kmln_facts *facts, const char *type, const char *file)
{
	struct kmln_boot_entry *e = kmln_list_add(
		facts, &facts->boot_entries, &facts->boot_entry_count, sizeof(*e), "boot entries");

	if (e)
		*e = (struct kmln_boot_entry){
			.type = type, .file = kmln_pool_strdup(facts->pool, file)};
	return e;
}

/* "title", "version", "linux", "initrd", "options"; the last two may come more than once. */
void kmln_parse_bls(struct kmln_facts *facts, const char *path, const char *text)
{
	KMLN_BUF struct kmln_buf initrd = {0}, options = {0};
	KMLN_FREE char *copy = kmln_strdup(text);
	struct kmln_boot_entry *e = add_entry(facts, "bls", path);
	char *rest = copy, *line;

	while (e && kmln_next_line(&rest, &line)) {
		const char *key = kmln_next_word(&line), *value = kmln_trim(line);
		struct kmln_buf *more = kmln_eq(key, "initrd")	  ? &initrd
					: kmln_eq(key, "options") ? &options
								  : NULL;

		if (!key || !value || !*value)
			continue;
		if (more)
			kmln_buf_printf(more, "%s%s", more->size ? " " : "", value);
		else if (kmln_eq(key, "title"))
			e->title = kmln_pool_strdup(facts->pool, value);
		else if (kmln_eq(key, "version"))
			e->version = kmln_pool_strdup(facts->pool, value);
		else if (kmln_eq(key, "linux") || kmln_eq(key, "efi"))
			e->kernel = kmln_pool_strdup(facts->pool, value);
	}
	if (e) {
		e->initramfs = kmln_pool_strdup(facts->pool, initrd.data);
		e->options = kmln_pool_strdup(facts->pool, options.data);
	}
}

/* ---- unified kernel images ---- */

#define SECTIONS_MAX 96 /* the PE format's own limit */
#define SECTION_TEXT_MAX 16384

static uint32_t number(const unsigned char *at, int bytes)
{
	uint32_t value = 0;

	while (bytes--)
		value = value << 8 | at[bytes];
	return value;
}

struct pe {
	struct kmln_facts *facts;
	kmln_window_fn window;
	void *data;
	uint64_t file_size;
};

/* A section's text without the NULs that fill it up, in the pool; NULL for what cannot be one. */
static const char *section_text(const struct pe *pe, uint32_t offset, uint32_t size)
{
	KMLN_FREE char *text = NULL;

	if (size > SECTION_TEXT_MAX || offset > pe->file_size || size > pe->file_size - offset)
		return NULL;
	text = kmln_malloc((size_t)size + 1);
	if (pe->window(pe->data, text, size, offset) != (ssize_t)size)
		return NULL;
	text[size] = '\0';
	return kmln_pool_strdup(pe->facts->pool, kmln_trim(text));
}

/* The headers: sections of 40 bytes behind the optional header. 0: this is no PE file. */
static unsigned read_sections(const struct pe *pe, unsigned char *sections)
{
	unsigned char dos[64], coff[24];
	uint64_t at;
	unsigned count;
	size_t size;

	if (pe->window(pe->data, dos, sizeof(dos), 0) != sizeof(dos) || memcmp(dos, "MZ", 2) != 0)
		return 0;
	at = number(dos + 60, 4);
	if (at > pe->file_size || pe->window(pe->data, coff, sizeof(coff), at) != sizeof(coff) ||
		memcmp(coff, "PE\0\0", 4) != 0)
		return 0;
	count = number(coff + 6, 2);
	if (count > SECTIONS_MAX)
		return 0;
	at += sizeof(coff) + number(coff + 20, 2);
	size = count * 40;
	return at <= pe->file_size && pe->window(pe->data, sections, size, at) == (ssize_t)size
		       ? count
		       : 0;
}

/* PRETTY_NAME of the os-release in it */
static const char *pretty_name(struct kmln_pool *pool, const char *text)
{
	KMLN_FREE char *copy = kmln_strdup(text);
	char *rest = copy, *line;

	while (kmln_next_line(&rest, &line))
		if (kmln_starts(line, "PRETTY_NAME="))
			return kmln_pool_strdup(pool, kmln_unquote(line + 12));
	return NULL;
}

void kmln_parse_uki(struct kmln_facts *facts, const char *path, kmln_window_fn window, void *data,
	uint64_t file_size)
{
	const struct pe pe = {facts, window, data, file_size};
	unsigned char sections[SECTIONS_MAX * 40];
	unsigned count = read_sections(&pe, sections);
	struct kmln_boot_entry e = {.type = "uki"}, *slot;
	bool odd = false;

	for (unsigned i = 0; i < count; i++) {
		const unsigned char *s = sections + (size_t)i * 40;
		/* in the file a section is filled up, in memory it has its own size */
		uint32_t size = number(s + 8, 4), raw = number(s + 16, 4),
			 offset = number(s + 20, 4);
		bool inside = offset <= file_size && raw <= file_size - offset;
		const char *text = NULL;

		size = size && size < raw ? size : raw;
		if (memcmp(s, ".linux\0\0", 8) == 0) {
			e.kernel = ".linux";
			odd |= !inside;
		} else if (memcmp(s, ".initrd\0", 8) == 0) {
			e.initramfs = ".initrd";
			odd |= !inside;
		} else if (memcmp(s, ".cmdline", 8) == 0) {
			text = e.options = section_text(&pe, offset, size);
			odd |= !text;
		} else if (memcmp(s, ".uname\0\0", 8) == 0) {
			text = e.version = section_text(&pe, offset, size);
			odd |= !text;
		} else if (memcmp(s, ".osrel\0\0", 8) == 0) {
			text = section_text(&pe, offset, size);
			e.title = text ? pretty_name(facts->pool, text) : NULL;
			odd |= !text;
		}
	}
	if (!e.kernel)
		return;
	if (odd)
		kmln_note_fact(facts, "%s: sections of it cannot be where they claim", path);
	slot = add_entry(facts, "uki", path);
	if (slot) {
		e.file = slot->file;
		*slot = e;
	}
}

/* A file of the tree as a window: read from its beginning, what lies before is dropped. */
struct file {
	struct kmln_look *look;
	const char *path;
	char *to;
	size_t size, got;
	uint64_t skip;
};

#define WINDOW_MAX (256ull << 20)

static int file_piece(void *data, const char *bytes, size_t size, struct kmln_error *err)
{
	struct file *f = data;
	size_t n;

	(void)err;
	if (f->skip >= size) {
		f->skip -= size;
		return 0;
	}
	bytes += f->skip;
	size -= (size_t)f->skip;
	f->skip = 0;
	n = f->size - f->got < size ? f->size - f->got : size;
	memcpy(f->to + f->got, bytes, n);
	f->got += n;
	return f->got == f->size;
}

static ssize_t file_window(void *data, void *to, size_t size, uint64_t offset)
{
	struct file *f = data;
	struct kmln_error ignored;

	if (!size)
		return 0;
	if (offset > WINDOW_MAX)
		return -1;
	f->to = to;
	f->size = size;
	f->got = 0;
	f->skip = offset;
	return kmln_tree_read(f->look->tree, f->path, file_piece, f, &ignored) < 0
		       ? -1
		       : (ssize_t)f->got;
}

static void read_ukis(struct kmln_look *look, const char *folder)
{
	KMLN_STRV struct kmln_strv names = {0};

	kmln_look_names(look, folder, &names);
	for (size_t i = 0; i < names.count && i < 64; i++) {
		KMLN_FREE char *path = kmln_printf("%s/%s", folder, names.items[i]);
		KMLN_BUF struct kmln_buf real = {0};
		struct kmln_error ignored;
		struct kmln_stat st;
		struct file file = {.look = look};

		if (!kmln_ends(names.items[i], ".efi") ||
			kmln_tree_resolve(look->tree, path, &real, &ignored) < 0 ||
			kmln_tree_stat(look->tree, real.data, &st, &ignored) < 0 ||
			!S_ISREG(st.mode))
			continue;
		file.path = real.data;
		kmln_parse_uki(look->facts, path, file_window, &file, st.size);
	}
}

/* EFI/VENDOR/grub.cfg, loader/loader.conf, loader/entries, EFI/Linux, below each place. */
static void find_efi(struct kmln_look *look)
{
	for (size_t i = 0; i < KMLN_COUNT(efi_places); i++) {
		KMLN_FREE char *efi = kmln_printf("%s/EFI", efi_places[i]);
		KMLN_FREE char *config = kmln_printf("%s/loader/loader.conf", efi_places[i]);
		KMLN_FREE char *entries = kmln_printf("%s/loader/entries", efi_places[i]);
		KMLN_FREE char *linux_ = kmln_printf("%s/EFI/Linux", efi_places[i]);
		KMLN_STRV struct kmln_strv vendors = {0};

		add_loader(look, "systemd-boot", config);
		kmln_look_folder(look, entries, ".conf", kmln_parse_bls);
		read_ukis(look, linux_);
		kmln_look_names(look, efi, &vendors);
		for (size_t v = 0; v < vendors.count && v < 64; v++) {
			KMLN_FREE char *path = kmln_printf("%s/%s/grub.cfg", efi, vendors.items[v]);

			add_loader(look, "grub", path);
		}
	}
}

void kmln_inspect_loaders(struct kmln_look *look)
{
	find_bios(look);
	find_efi(look);
}
