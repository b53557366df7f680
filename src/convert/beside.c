// SPDX-License-Identifier: GPL-2.0-or-later
/* Making, checking, writing and naming; the text of the run script is run-script.c's. */
#include "convert/beside.h"

#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/utf8.h"
#include "convert/description.h"
#include "convert/domain.h"
#include "convert/run-script.h"
#include "guest/boot-disk.h"

#define KERNEL_MAX (128u << 20)

enum { BOOT_DISK, KERNEL, INITRAMFS, RUN, DESCRIPTION, XL, LIBVIRT, KINDS };

static const struct kmln_beside_file kinds[KINDS] = {
	[BOOT_DISK] = {.suffix = ".boot.img", .mode = 0644},
	[KERNEL] = {.suffix = ".kernel", .mode = 0644},
	[INITRAMFS] = {.suffix = ".initramfs", .mode = 0644},
	[RUN] = {.suffix = ".run", .mode = 0755},
	[DESCRIPTION] = {.suffix = ".json", .mode = 0644},
	[XL] = {.suffix = ".xl.cfg", .mode = 0644},
	[LIBVIRT] = {.suffix = ".libvirt.xml", .mode = 0644},
};
_Static_assert(KINDS <= KMLN_BESIDE_MAX, "room for each kind once");

/* True where the conversion makes a file of this kind. */
static bool wants(const struct kmln_convert *job, unsigned kind)
{
	const bool direct = job->to->needs_loader && job->form == KMLN_BOOT_DIRECT;

	switch (kind) {
	case BOOT_DISK:
		return job->to->needs_loader && job->form == KMLN_BOOT_DISK;
	case KERNEL:
	case INITRAMFS:
		return direct || job->to->domains;
	case XL:
	case LIBVIRT:
		return job->to->domains;
	default:
		return direct;
	}
}

static const char *name_of(const struct kmln_convert *job)
{
	return job->in_place ? job->image : job->out;
}

void kmln_beside_fini(struct kmln_beside *beside)
{
	kmln_buf_fini(&beside->kernel);
}

/* A name that JSON cannot hold could not be found again by it. */
static bool is_text(const char *name)
{
	for (size_t n; *name; name += n) {
		n = kmln_utf8_length(name);
		if (!n)
			return false;
	}
	return true;
}

int kmln_beside_check(const struct kmln_convert *job, struct kmln_error *err)
{
	const char *out = name_of(job);

	if (wants(job, DESCRIPTION) && !is_text(out))
		return kmln_fail(
			err, KMLN_EUSAGE, "%s: --boot direct needs a name that is UTF-8", out);
	for (unsigned i = 0; i < KINDS; i++) {
		KMLN_FREE char *name = kmln_printf("%s%s", out, kinds[i].suffix);
		struct stat st;

		if (!wants(job, i))
			continue;
		if (lstat(name, &st) < 0) {
			if (errno != ENOENT)
				return kmln_fail_sys(err, errno, "%s", name);
		} else if (!job->force || !S_ISREG(st.st_mode)) {
			return kmln_fail(err, EEXIST, "%s is there already%s", name,
				job->force ? " and is not a file" : "; --force replaces it");
		}
	}
	return 0;
}

/* What the files are made from, and where they go. */
struct making {
	const struct kmln_convert *job;
	const struct kmln_goal *goal;
	const struct kmln_facts *facts;
	const char *format;
	struct kmln_pool *pool;
	struct kmln_beside *beside;
};

/* A file that is one run of bytes, which stay where they are. */
static void add(const struct making *m, unsigned kind, const char *data, size_t size)
{
	struct kmln_beside_file *file = &m->beside->files[m->beside->count++];

	*file = kinds[kind];
	file->size = size;
	*(struct kmln_piece *)kmln_pool_append(m->pool, &file->pieces.items, &file->pieces.count,
		sizeof(struct kmln_piece)) = (struct kmln_piece){0, data, size};
}

static void add_text(const struct making *m, unsigned kind, const struct kmln_buf *text)
{
	add(m, kind, kmln_pool_memdup(m->pool, text->data, text->size), text->size);
}

static int add_direct(const struct making *m, struct kmln_error *err)
{
	KMLN_BUF struct kmln_buf script = {0}, text = {0};
	const char *name = basename(kmln_pool_strdup(m->pool, name_of(m->job)));
	const struct kmln_description description = {
		.disk = name,
		.kernel = kmln_pool_printf(m->pool, "%s%s", name, kinds[KERNEL].suffix),
		.initramfs = kmln_pool_printf(m->pool, "%s%s", name, kinds[INITRAMFS].suffix),
		.words = kmln_kernel_words(m->pool, m->facts),
		.format = m->format,
	};
	int r = kmln_run_script(&description, &script, err);

	if (r == 0)
		r = kmln_description_print(&description, &text, err);
	if (r < 0)
		return r;
	add_text(m, RUN, &script);
	add_text(m, DESCRIPTION, &text);
	return 0;
}

/* Where the image will be, with no link in the path; a copy has no name yet. */
static int find_place(const struct making *m, const char **path, struct kmln_error *err)
{
	char *name = kmln_pool_strdup(m->pool, name_of(m->job));
	KMLN_FREE char *real = NULL;

	if (m->job->in_place) {
		real = realpath(name, NULL);
		*path = kmln_pool_strdup(m->pool, real);
		return real ? 0 : kmln_fail_sys(err, errno, "%s", name);
	}
	real = realpath(dirname(kmln_pool_strdup(m->pool, name)), NULL);
	if (!real)
		return kmln_fail_sys(err, errno, "%s", name);
	*path = kmln_pool_printf(m->pool, "%s/%s", kmln_eq(real, "/") ? "" : real, basename(name));
	return 0;
}

static int add_domain(const struct making *m, struct kmln_error *err)
{
	KMLN_BUF struct kmln_buf xl = {0}, libvirt = {0};
	struct kmln_domain domain = {
		.format = m->format,
		.words = kmln_domain_words(m->pool, m->facts),
		.mac = kmln_domain_mac(m->pool, m->facts->root->uuid),
	};
	int r = find_place(m, &domain.disk, err);

	if (r == 0)
		r = kmln_domain_check(domain.disk, domain.format, err);
	if (r == 0)
		r = kmln_domain_type(m->goal->kernel, m->job->xen_type, &domain.type, err);
	if (r < 0)
		return r;
	domain.name = kmln_domain_name(m->pool, domain.disk);
	domain.kernel = kmln_pool_printf(m->pool, "%s%s", domain.disk, kinds[KERNEL].suffix);
	domain.initramfs = kmln_pool_printf(m->pool, "%s%s", domain.disk, kinds[INITRAMFS].suffix);
	kmln_domain_xl(&domain, &xl);
	kmln_domain_libvirt(&domain, &libvirt);
	add_text(m, XL, &xl);
	add_text(m, LIBVIRT, &libvirt);
	return 0;
}

static int add_boot_disk(const struct making *m, struct kmln_error *err)
{
	struct kmln_beside_file *file = &m->beside->files[m->beside->count++];

	*file = kinds[BOOT_DISK];
	return kmln_boot_disk(
		m->goal, m->facts, &m->beside->kernel, m->pool, &file->pieces, &file->size, err);
}

int kmln_beside_make(const struct kmln_convert *job, const struct kmln_goal *goal,
	const struct kmln_facts *facts, struct kmln_tree *tree, const char *format,
	struct kmln_pool *pool, struct kmln_beside *beside, struct kmln_error *err)
{
	const struct making making = {job, goal, facts, format, pool, beside};
	int r = 0;

	*beside = (struct kmln_beside){.count = 0};
	if (wants(job, BOOT_DISK) || wants(job, KERNEL))
		r = kmln_tree_load(tree, goal->kernel->image, KERNEL_MAX, &beside->kernel, err);
	if (r == 0 && wants(job, BOOT_DISK))
		r = add_boot_disk(&making, err);
	if (r == 0 && wants(job, KERNEL)) {
		add(&making, KERNEL, beside->kernel.data, beside->kernel.size);
		add(&making, INITRAMFS, goal->initramfs, goal->initramfs_size);
	}
	if (r == 0 && wants(job, DESCRIPTION))
		r = add_direct(&making, err);
	if (r == 0 && wants(job, XL))
		r = add_domain(&making, err);
	return r;
}

static int write_one(const struct kmln_beside_file *file, const struct kmln_output *output,
	struct kmln_error *err)
{
	mode_t mask = umask(0);
	int r = 0;

	umask(mask);
	if (ftruncate(output->fd, (off_t)file->size) < 0 ||
		fchmod(output->fd, file->mode & ~mask) < 0)
		return kmln_fail_sys(err, errno, "%s", output->path);
	for (size_t i = 0; r == 0 && i < file->pieces.count; i++)
		r = kmln_pwrite_all(output->fd, file->pieces.items[i].data,
			file->pieces.items[i].size, file->pieces.items[i].offset, err);
	return r < 0 ? kmln_wrap(err, "%s", output->path) : 0;
}

int kmln_beside_write(const struct kmln_beside *beside, const char *out, bool force,
	struct kmln_beside_outputs *outputs, struct kmln_error *err)
{
	*outputs = (struct kmln_beside_outputs){0};
	for (size_t i = 0; i < beside->count; i++) {
		int r;

		outputs->names[i] = kmln_printf("%s%s", out, beside->files[i].suffix);
		outputs->outputs[i].fd = -1;
		outputs->count++;
		r = kmln_output_open(outputs->names[i], force, &outputs->outputs[i], err);
		if (r == 0)
			r = write_one(&beside->files[i], &outputs->outputs[i], err);
		if (r < 0)
			return r;
	}
	return 0;
}

int kmln_beside_publish(struct kmln_beside_outputs *outputs, bool force, struct kmln_error *err)
{
	for (size_t i = 0; i < outputs->count; i++) {
		int r = kmln_output_publish(&outputs->outputs[i], force, err);

		if (r == 0)
			continue;
		/* what was replaced cannot come back */
		while (!force && i--)
			unlink(outputs->names[i]);
		return r;
	}
	return 0;
}

void kmln_beside_drop(struct kmln_beside_outputs *outputs)
{
	for (size_t i = 0; i < outputs->count; i++) {
		kmln_output_drop(&outputs->outputs[i]);
		free(outputs->names[i]);
	}
	outputs->count = 0;
}

int kmln_beside_remember(const struct kmln_beside *beside, const char *image,
	struct kmln_beside_journal *journal, struct kmln_error *err)
{
	KMLN_FREE char *real = realpath(image, NULL);

	*journal = (struct kmln_beside_journal){0};
	if (!real)
		return kmln_fail_sys(err, errno, "%s", image);
	for (size_t i = 0; i < beside->count; i++) {
		const struct kmln_beside_file *file = &beside->files[i];
		struct kmln_device *content = kmln_device_memory(file->size);

		journal->contents[i] = content;
		journal->names[i] = kmln_printf("%s%s", strrchr(real, '/') + 1, file->suffix);
		journal->files[i] =
			(struct kmln_journal_file){journal->names[i], file->mode, content};
		journal->count++;
		for (size_t p = 0; p < file->pieces.count; p++)
			if (kmln_device_write(content, file->pieces.items[p].data,
				    file->pieces.items[p].size, file->pieces.items[p].offset,
				    err) < 0)
				return -err->code;
	}
	return 0;
}

void kmln_beside_forget(struct kmln_beside_journal *journal)
{
	for (size_t i = 0; i < journal->count; i++) {
		kmln_device_close(&journal->contents[i]);
		free(journal->names[i]);
	}
	journal->count = 0;
}
