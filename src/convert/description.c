// SPDX-License-Identifier: GPL-2.0-or-later
/* Writing and reading; see description.h. One may come from somebody else: it names no other
 * folder. */
#include "convert/description.h"

#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "text/json.h"

#define SIZE_LIMIT (64u << 10)

int kmln_description_print(
	const struct kmln_description *description, struct kmln_buf *out, struct kmln_error *err)
{
	struct kmln_json *root = kmln_json_object();
	char *text = NULL;
	size_t size = 0;
	FILE *stream = open_memstream(&text, &size);
	int r;

	if (!stream)
		abort();
	kmln_json_set(root, "kernel", kmln_json_text(description->kernel));
	kmln_json_set(root, "initramfs", kmln_json_text(description->initramfs));
	kmln_json_set(root, "cmdline", kmln_json_text(description->words));
	kmln_json_set(root, "disk", kmln_json_text(description->disk));
	kmln_json_set(root, "format", kmln_json_text(description->format));
	r = kmln_json_print_free(root, stream, err);
	if (fclose(stream) == EOF)
		abort();
	if (r == 0)
		kmln_buf_add(out, text, size);
	free(text);
	return r;
}

/* A file of the description's folder. */
static int take_name(const struct kmln_json *root, const char *key, const char *folder,
	struct kmln_pool *pool, const char **path, struct kmln_error *err)
{
	const char *name = kmln_json_get(root, key);

	if (!name || !*name)
		return kmln_fail(err, KMLN_EINVALID, "no description: it names no %s", key);
	if (strchr(name, '/'))
		return kmln_fail(err, KMLN_EINVALID,
			"the %s is in another folder, which a description must not name", key);
	*path = kmln_pool_printf(pool, "%s/%s", folder, name);
	return 0;
}

int kmln_description_read(const char *path, struct kmln_pool *pool,
	struct kmln_description *description, struct kmln_error *err)
{
	KMLN_JSON struct kmln_json *root = NULL;
	KMLN_BUF struct kmln_buf text = {0};
	const char *folder = dirname(kmln_pool_strdup(pool, path));
	int r = kmln_read_file(path, SIZE_LIMIT, &text, err);

	if (r < 0)
		return r;
	r = kmln_json_parse(text.data ? text.data : "", text.size, &root, err);
	if (r == 0)
		r = take_name(root, "disk", folder, pool, &description->disk, err);
	if (r == 0)
		r = take_name(root, "kernel", folder, pool, &description->kernel, err);
	if (r == 0)
		r = take_name(root, "initramfs", folder, pool, &description->initramfs, err);
	if (r < 0)
		return kmln_wrap(err, "%s", path);
	description->words = kmln_pool_strdup(pool, kmln_json_get(root, "cmdline"));
	description->format = kmln_pool_strdup(pool, kmln_json_get(root, "format"));
	return 0;
}
