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
#include "convert/run-script.h"
#include "guest/boot-disk.h"

#define KERNEL_MAX (128u << 20)

enum { KERNEL, INITRAMFS, RUN, DESCRIPTION };

/* The same order as the enum; a form that is not here has none. */
static const struct kmln_beside_file direct_files[] = {
	[KERNEL] = {.suffix = ".kernel", .mode = 0644},
	[INITRAMFS] = {.suffix = ".initramfs", .mode = 0644},
	[RUN] = {.suffix = ".run", .mode = 0755},
	[DESCRIPTION] = {.suffix = ".json", .mode = 0644},
};
static const struct kmln_beside_file disk_files[] = {{.suffix = ".boot.img", .mode = 0644}};

static size_t files_of(enum kmln_boot_form form, const struct kmln_beside_file **files)
{
	*files = form == KMLN_BOOT_DIRECT ? direct_files : disk_files;
	return form == KMLN_BOOT_DIRECT ? KMLN_COUNT(direct_files)
	       : form == KMLN_BOOT_DISK ? KMLN_COUNT(disk_files)
					: 0;
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

int kmln_beside_check(enum kmln_boot_form form, const char *out, bool force, struct kmln_error *err)
{
	const struct kmln_beside_file *files;
	size_t count = files_of(form, &files);

	if (form == KMLN_BOOT_DIRECT && !is_text(out))
		return kmln_fail(
			err, KMLN_EUSAGE, "%s: --boot direct needs a name that is UTF-8", out);
	for (size_t i = 0; i < count; i++) {
		KMLN_FREE char *name = kmln_printf("%s%s", out, files[i].suffix);
		struct stat st;

		if (lstat(name, &st) < 0) {
			if (errno != ENOENT)
				return kmln_fail_sys(err, errno, "%s", name);
		} else if (!force || !S_ISREG(st.st_mode)) {
			return kmln_fail(err, EEXIST, "%s is there already%s", name,
				force ? " and is not a file" : "; --force replaces it");
		}
	}
	return 0;
}

/* A file that is one run of bytes. */
static void fill(
	struct kmln_beside_file *file, const char *data, size_t size, struct kmln_pool *pool)
{
	file->size = size;
	*(struct kmln_piece *)kmln_pool_append(pool, &file->pieces.items, &file->pieces.count,
		sizeof(struct kmln_piece)) = (struct kmln_piece){0, data, size};
}

static int make_direct(const struct kmln_goal *goal, const struct kmln_facts *facts,
	const char *out, const char *format, struct kmln_pool *pool, struct kmln_beside *beside,
	struct kmln_error *err)
{
	KMLN_BUF struct kmln_buf script = {0}, text = {0};
	const char *name = basename(kmln_pool_strdup(pool, out));
	const struct kmln_description description = {
		.disk = name,
		.kernel = kmln_pool_printf(pool, "%s%s", name, beside->files[KERNEL].suffix),
		.initramfs = kmln_pool_printf(pool, "%s%s", name, beside->files[INITRAMFS].suffix),
		.words = kmln_kernel_words(pool, facts),
		.format = format,
	};
	int r = kmln_run_script(&description, &script, err);

	if (r == 0)
		r = kmln_description_print(&description, &text, err);
	if (r < 0)
		return r;
	fill(&beside->files[KERNEL], beside->kernel.data, beside->kernel.size, pool);
	fill(&beside->files[INITRAMFS], goal->initramfs, goal->initramfs_size, pool);
	fill(&beside->files[RUN], kmln_pool_memdup(pool, script.data, script.size), script.size,
		pool);
	fill(&beside->files[DESCRIPTION], kmln_pool_memdup(pool, text.data, text.size), text.size,
		pool);
	return 0;
}

int kmln_beside_make(const struct kmln_goal *goal, const struct kmln_facts *facts,
	struct kmln_tree *tree, const char *out, const char *format, struct kmln_pool *pool,
	struct kmln_beside *beside, struct kmln_error *err)
{
	const struct kmln_beside_file *files;
	int r;

	*beside = (struct kmln_beside){.count = files_of(goal->form, &files)};
	if (!beside->count)
		return 0;
	memcpy(beside->files, files, beside->count * sizeof(*files));
	r = kmln_tree_load(tree, goal->kernel->image, KERNEL_MAX, &beside->kernel, err);
	if (r < 0)
		return r;
	if (goal->form == KMLN_BOOT_DIRECT)
		return make_direct(goal, facts, out, format, pool, beside, err);
	return kmln_boot_disk(goal, facts, &beside->kernel, pool, &beside->files[0].pieces,
		&beside->files[0].size, err);
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
