// SPDX-License-Identifier: GPL-2.0-or-later
/* Images in QEMU's words; see nodes.h. */
#include "image/nodes.h"

#include <stdio.h>
#include <string.h>

#include "base/file.h"

#define SECTOR 512

static bool is_taken(const struct kmln_sandbox *sandbox, const char *name)
{
	for (size_t i = 0; i < sandbox->share_count; i++)
		if (kmln_eq(strrchr(sandbox->shares[i].inside, '/') + 1, name))
			return true;
	return false;
}

/* Under the first free name from this number on: a machine may have several images. */
static const char *share_path(const struct kmln_nodes *nodes, const char *path, const char *stem,
	size_t number, bool writable)
{
	char name[32];

	do
		snprintf(name, sizeof(name), "%s%zu", stem, number++);
	while (is_taken(nodes->sandbox, name));
	return kmln_sandbox_share(
		nodes->sandbox, path, name, writable ? KMLN_ACCESS_WRITE : KMLN_ACCESS_READ);
}

static const char *share(
	const struct kmln_nodes *nodes, const struct kmln_layer *layer, bool writable)
{
	size_t i = 0;

	while (nodes->layers->items[i] != layer)
		i++;
	return share_path(nodes, layer->path, "file", i, writable);
}

static void add_file(const struct kmln_nodes *nodes, const char *key, const char *path,
	bool writable, struct kmln_buf *json)
{
	kmln_buf_printf(json,
		",\"%s\":{\"driver\":\"file\",\"filename\":\"%s\",\"locking\":\"on\","
		"\"read-only\":%s,\"force-share\":%s}",
		key, path, writable ? "false" : "true", nodes->shared ? "true" : "false");
}

void kmln_nodes_add(const struct kmln_nodes *nodes, const struct kmln_layer *layer, bool writable,
	struct kmln_buf *json)
{
	const char *driver = layer->header.driver;

	kmln_buf_printf(json, "\"driver\":\"%s\",\"read-only\":%s,\"force-share\":%s", driver,
		writable ? "false" : "true", nodes->shared ? "true" : "false");
	add_file(nodes, "file", share(nodes, layer, writable), writable, json);
	if (layer->data)
		add_file(nodes, "data-file", share(nodes, layer->data, writable), writable, json);
	if (layer->backing) {
		kmln_buf_str(json, ",\"backing\":{");
		kmln_nodes_add(nodes, layer->backing, false, json);
		kmln_buf_str(json, "}");
	} else if (kmln_eq(driver, "qcow2") || kmln_eq(driver, "vmdk") || kmln_eq(driver, "qed")) {
		kmln_buf_str(json, ",\"backing\":null");
	}
}

/* A file that is two extents is given once. */
static const char *share_extent(
	const struct kmln_nodes *nodes, const struct kmln_layer *top, size_t i, bool writable)
{
	for (size_t k = 0; k < nodes->sandbox->share_count; k++)
		if (kmln_eq(nodes->sandbox->shares[k].host, top->extents[i]->path))
			return nodes->sandbox->shares[k].inside;
	return share(nodes, top->extents[i], writable);
}

static int add_flat(const struct kmln_nodes *nodes, bool writable, const char *folder,
	struct kmln_buf *json, struct kmln_error *err)
{
	const struct kmln_layer *top = nodes->layers->items[0];
	KMLN_FREE char *path = kmln_printf("%s/disk.vmdk", folder);
	KMLN_BUF struct kmln_buf text = {0};
	int r;

	kmln_buf_str(&text, "# Disk DescriptorFile\nversion=1\nCID=fffffffe\nparentCID=ffffffff\n"
			    "createType=\"twoGbMaxExtentFlat\"\n\n"
			    /* QEMU 7.2 does not get its locks where this line is missing */
			    "# Extent description\n");
	for (size_t i = 0; i < top->header.extent_count; i++)
		kmln_buf_printf(&text, "RW %llu FLAT \"%s\" %llu\n",
			(unsigned long long)(top->header.extents[i].size / SECTOR),
			share_extent(nodes, top, i, writable),
			(unsigned long long)(top->header.extents[i].start / SECTOR));
	r = kmln_replace_file(path, text.data, text.size, 0600, err);
	if (r < 0)
		return r;
	kmln_buf_printf(json, "\"driver\":\"vmdk\",\"read-only\":%s,\"backing\":null",
		writable ? "false" : "true");
	/* QEMU writes a number into it when it begins to write */
	add_file(nodes, "file", share_path(nodes, path, "descriptor", 0, writable), writable, json);
	return 0;
}

int kmln_nodes_disk(const struct kmln_nodes *nodes, bool writable, const char *folder,
	struct kmln_buf *json, struct kmln_error *err)
{
	const struct kmln_layer *top = nodes->layers->items[0];
	int r = 0;

	if (writable && top->header.read_only)
		return kmln_fail(err, KMLN_EINVALID,
			"it cannot be written: %s; --snapshot only "
			"reads it",
			top->header.read_only);
	kmln_buf_str(json, "{");
	if (top->header.driver)
		kmln_nodes_add(nodes, top, writable, json);
	else
		r = add_flat(nodes, writable, folder, json, err);
	kmln_buf_str(json, "}");
	return r;
}
