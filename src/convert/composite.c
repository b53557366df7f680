// SPDX-License-Identifier: GPL-2.0-or-later
/* The descriptor's text and the names of its parts; see composite.h. */
#include "convert/composite.h"

#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"

#define SECTOR 512
#define DESCRIPTOR_MAX 65536

void kmln_composite_fini(struct kmln_composite *composite)
{
	free(composite->image);
	free(composite->descriptor);
	free(composite->head);
	free(composite->tail);
}

/* True where both names lie in one folder. */
static bool same_folder(const char *a, const char *b)
{
	KMLN_FREE char *x = kmln_strdup(a), *y = kmln_strdup(b);
	KMLN_FREE char *real_x = realpath(dirname(x), NULL), *real_y = realpath(dirname(y), NULL);

	return kmln_eq(real_x, real_y);
}

int kmln_composite_names(
	struct kmln_composite *composite, const char *path, const char *out, struct kmln_error *err)
{
	/* beside the file itself, as the journal is: a link to it may lie elsewhere */
	KMLN_FREE char *real = realpath(path, NULL), *given = kmln_strdup(out ? out : "");
	const char *name, *stem;
	int length;

	if (!real)
		return kmln_fail_sys(err, errno, "%s", path);
	name = strrchr(real, '/') + 1;
	if (strpbrk(name, "\"\n"))
		return kmln_fail(err, KMLN_EUSAGE,
			"a name with a quote or a newline cannot stand in a descriptor: rename %s",
			path);
	if (out && !same_folder(out, real))
		return kmln_fail(err, KMLN_EUSAGE,
			"%s: a composite disk lies beside the image that it is made of", out);
	stem = out ? basename(given) : name;
	length = (int)strlen(stem);
	if (kmln_ends(stem, out ? ".vmdk" : ".img"))
		length = (int)(strrchr(stem, '.') - stem);
	*composite = (struct kmln_composite){
		.image = kmln_strdup(name),
		.descriptor = out ? kmln_strdup(stem) : kmln_printf("%.*s.vmdk", length, stem),
		.head = kmln_printf("%.*s.head", length, stem),
		.tail = kmln_printf("%.*s.tail", length, stem),
	};
	if (strpbrk(stem, "\"\n") || kmln_eq(composite->descriptor, name))
		return kmln_fail(
			err, KMLN_EUSAGE, "the descriptor needs a name of its own: -o NAME.vmdk");
	return 0;
}

int kmln_composite_check(const struct kmln_composite *composite, const char *path, bool force,
	struct kmln_error *err)
{
	const char *const names[] = {composite->descriptor, composite->head, composite->tail};
	KMLN_FREE char *real = realpath(path, NULL);
	const char *folder = real ? dirname(real) : ".";

	for (size_t i = 0; i < KMLN_COUNT(names); i++) {
		KMLN_FREE char *name = kmln_printf("%s/%s", folder, names[i]);
		struct stat st;

		if (lstat(name, &st) == 0 && (!force || !S_ISREG(st.st_mode)))
			return kmln_fail(err, EEXIST, "%s is there already%s", name,
				force ? " and is not a file" : "; --force replaces it");
	}
	return 0;
}

bool kmln_composite_uses(const struct kmln_composite *composite, const char *path)
{
	KMLN_FREE char *real = realpath(path, NULL), *name = NULL, *part = NULL;
	KMLN_BUF struct kmln_buf text = {0};
	struct kmln_error ignored;

	if (!real)
		return false;
	name = kmln_printf("%s/%s", dirname(real), composite->descriptor);
	part = kmln_printf(" FLAT \"%s\" ", composite->image);
	return kmln_read_file(name, DESCRIPTOR_MAX, &text, &ignored) == 0 && text.data &&
	       strstr(text.data, part);
}

static void add_extent(struct kmln_buf *text, uint64_t bytes, const char *name)
{
	kmln_buf_printf(
		text, "RW %llu FLAT \"%s\" 0\n", (unsigned long long)(bytes / SECTOR), name);
}

int kmln_composite_files(const struct kmln_composite *composite, struct kmln_device *head,
	uint64_t bytes, struct kmln_device *tail, struct kmln_device **text,
	struct kmln_journal_file files[3], struct kmln_error *err)
{
	KMLN_BUF struct kmln_buf words = {0};
	const uint64_t cylinders =
		(head->size + bytes + (tail ? tail->size : 0)) / SECTOR / (16 * 63);
	int count = 0;

	if (bytes % SECTOR)
		return kmln_fail(err, KMLN_EINVALID,
			"an image whose length is not a whole number of sectors cannot be a part of a "
			"composite disk");
	kmln_buf_str(&words, "# Disk DescriptorFile\nversion=1\nCID=fffffffe\nparentCID=ffffffff\n"
			     "createType=\"twoGbMaxExtentFlat\"\n\n# Extent description\n");
	add_extent(&words, head->size, composite->head);
	add_extent(&words, bytes, composite->image);
	if (tail)
		add_extent(&words, tail->size, composite->tail);
	kmln_buf_printf(&words,
		"\n# The Disk Data Base\n#DDB\nddb.virtualHWVersion = \"4\"\n"
		"ddb.geometry.cylinders = \"%llu\"\nddb.geometry.heads = \"16\"\n"
		"ddb.geometry.sectors = \"63\"\nddb.adapterType = \"ide\"\n",
		(unsigned long long)(cylinders < 16383 ? cylinders : 16383));
	*text = kmln_device_memory(words.size);
	if (kmln_device_write(*text, words.data, words.size, 0, err) < 0)
		return -err->code;
	/* the descriptor last: it is what a user starts */
	files[count++] = (struct kmln_journal_file){composite->head, 0644, head};
	if (tail)
		files[count++] = (struct kmln_journal_file){composite->tail, 0644, tail};
	files[count++] = (struct kmln_journal_file){composite->descriptor, 0644, *text};
	return count;
}
