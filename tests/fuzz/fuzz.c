// SPDX-License-Identifier: GPL-2.0-or-later
/* What fuzz targets have in common: text, disks in memory, guests in memory. */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/file.h"
#include "guest/steps.h"
#include "image/inspect.h"
#include "memory-tree.h"

char *fuzz_text(struct kmln_pool *pool, const uint8_t *data, size_t size)
{
	return kmln_pool_memdup(pool, data, strnlen((const char *)data, size));
}

void fuzz_disk(const uint8_t *data, size_t size, uint64_t least, struct kmln_disk *disk)
{
	struct kmln_error err = {0};
	uint64_t whole = size > least ? size : least;

	*disk = (struct kmln_disk){.fd = memfd_create("disk", MFD_CLOEXEC),
		.size = whole,
		.allocated = size,
		.format = "raw"};
	if (disk->fd < 0 || ftruncate(disk->fd, (off_t)whole) < 0 ||
		kmln_pwrite_all(disk->fd, data, size, 0, &err) < 0) {
		fprintf(stderr, "no disk in memory: %s\n", err.text);
		abort();
	}
	disk->device = kmln_device_fd(disk->fd, 0, whole, false);
}

/* The start of an ELF program for x86-64. */
static const uint8_t program[64] = {0x7f, 'E', 'L', 'F', 2, 1, 1, [16] = 2, [18] = 62};

static struct kmln_facts *inspect(struct memory_tree *memory)
{
	struct kmln_pool *pool = kmln_pool_new();
	struct kmln_facts *facts = kmln_pool_alloc(pool, sizeof(*facts));
	struct kmln_error err = {0};

	facts->pool = pool;
	facts->format = "raw";
	kmln_pool_append(
		pool, &facts->filesystems, &facts->filesystem_count, sizeof(*facts->filesystems));
	facts->filesystems[0] = (struct kmln_filesystem){
		.type = "ext4",
		.uuid = "6b6d6c6e-0000-4000-8000-000000000001",
		.label = "root",
		.is_ext = true,
		.state = "clean",
		.bytes = 1 << 30,
		.free_bytes = 1 << 29,
	};
	facts->root = facts->filesystems;
	if (kmln_inspect_guest(&memory->tree, facts, &err) < 0) {
		/* what a guest's file says is no reason to fail */
		fprintf(stderr, "%s\n", err.text);
		abort();
	}
	return facts;
}

static void plan_all(const struct kmln_facts *facts)
{
	for (const struct kmln_platform *const *p = kmln_platforms; *p; p++) {
		KMLN_STRV struct kmln_strv missing = {0};
		struct kmln_planning planning = {
			.facts = facts, .platform = *p, .missing = &missing};
		struct kmln_error err = {0};

		if (kmln_plan_guest(&planning, &err) < 0)
			abort();
	}
}

/* The steps that write into a guest's own text files: they must be content with what they wrote. */
static void plan_text(
	const struct kmln_facts *facts, struct kmln_edits *edits, struct memory_tree *change)
{
	static const struct kmln_step *const steps[] = {&kmln_step_fstab, &kmln_step_login};
	const struct kmln_goal goal = {.nofail = true};
	struct kmln_planning planning = {
		.facts = facts, .platform = &kmln_platform_kvm, .goal = &goal, .edits = edits};
	KMLN_BUF struct kmln_buf shown = {0};
	struct kmln_error err = {0};

	for (size_t i = 0; i < KMLN_COUNT(steps); i++)
		if (steps[i]->plan(&planning, &err) < 0)
			return; /* a guest that cannot be converted, and is not */
	kmln_edits_print(edits, true, &shown);
	if (edits->count && !change) {
		fprintf(stderr, "a second plan:\n%s", shown.data);
		abort();
	}
	for (size_t i = 0; i < edits->count; i++)
		memory_tree_put(
			change, edits->items[i].path, edits->items[i].data, edits->items[i].size);
}

static void twice(struct memory_tree *memory)
{
	KMLN_FACTS struct kmln_facts *first = inspect(memory), *second = NULL;
	KMLN_EDITS struct kmln_edits edits, none;

	kmln_edits_init(&edits, first->pool);
	plan_all(first);
	plan_text(first, &edits, memory);
	second = inspect(memory);
	kmln_edits_init(&none, second->pool);
	plan_text(second, &none, NULL);
}

void fuzz_guest(const char *const *paths, const uint8_t *data, size_t size)
{
	static const char *const shells[] = {"/bin/sh", "/bin/busybox"};

	for (size_t i = 0; i < KMLN_COUNT(shells); i++) {
		MEMORY_TREE struct memory_tree memory;

		memory_tree_init(&memory);
		/* busybox is its own init: one inode */
		memory_tree_put(&memory, "/sbin/init", program, sizeof(program));
		memory_tree_put(&memory, shells[i], program, sizeof(program));
		memory_tree_put(&memory, "/etc/inittab", "id:2:initdefault:\n", 18);
		for (const char *const *path = paths; *path; path++)
			memory_tree_put(&memory, *path, data, size);
		twice(&memory);
	}
}
