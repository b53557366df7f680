// SPDX-License-Identifier: GPL-2.0-or-later
/* kmln kernel list, kmln kernel add */
#include "cli/commands.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "guest/kit.h"
#include "plan/print.h"
#include "text/json.h"

struct options {
	const char *format;
};

static const struct kmln_opt opts[] = {
	KMLN_OPT_FORMAT(struct options),
	KMLN_OPT_END,
};

static int list_json(const struct kmln_kit_entry *entries, size_t count, struct kmln_error *err)
{
	struct kmln_json *root = kmln_json_object();
	struct kmln_json *kernels = kmln_json_set(root, "kernels", kmln_json_array());

	for (size_t i = 0; i < count; i++) {
		struct kmln_json *k = kmln_json_add(kernels, kmln_json_object());

		kmln_json_set(k, "release", kmln_json_text(entries[i].release));
		kmln_json_set(k, "origin", kmln_json_text(entries[i].origin));
		kmln_json_set(k, "folder", kmln_json_text(entries[i].folder));
		kmln_json_set(k, "kvm", kmln_json_bool(entries[i].suits));
		kmln_json_set(k, "bytes",
			entries[i].bytes ? kmln_json_number(entries[i].bytes)
					 : kmln_json_text(NULL));
	}
	return kmln_json_print_free(root, stdout, err);
}

static int list(const struct options *o, struct kmln_error *err)
{
	KMLN_POOL struct kmln_pool *pool = kmln_pool_new();
	struct kmln_kit_entry *entries;
	size_t count;
	int r = kmln_kits_list(pool, kmln_platform_find("kvm"), NULL, &entries, &count, err);

	if (r < 0)
		return r;
	if (kmln_eq(o->format, "json"))
		return list_json(entries, count, err);
	if (!count)
		kmln_note("no kernels yet; `kmln kernel add FILE.deb` adds one, and `kmln convert` "
			  "fetches one where it needs it");
	for (size_t i = 0; i < count; i++)
		printf("%-32s %-6s %-10s %s\n", entries[i].release, entries[i].origin,
			entries[i].bytes ? kmln_plan_bytes(pool, entries[i].bytes) : "",
			entries[i].suits ? "" : "lacks drivers for kvm");
	return 0;
}

static int run(const void *values, int argc, char **argv, struct kmln_error *err)
{
	KMLN_POOL struct kmln_pool *pool = kmln_pool_new();
	const char *release, **with;
	int r;

	if (kmln_eq(argv[0], "list")) {
		if (argc > 1)
			return kmln_fail(err, KMLN_EUSAGE, "kernel list takes no argument");
		return list(values, err);
	}
	if (!kmln_eq(argv[0], "add"))
		return kmln_fail(err, KMLN_EUSAGE, "kernel: list or add, not '%s'", argv[0]);
	if (argc < 2)
		return kmln_fail(err, KMLN_EUSAGE, "kernel add: which .deb file or folder?");
	with = kmln_pool_array(pool, (size_t)argc, sizeof(*with));
	memcpy(with, argv + 2, (size_t)(argc - 2) * sizeof(*with));
	r = kmln_kit_add(argv[1], with, NULL, pool, &release, err);
	if (r == 0)
		kmln_note("kernel %s is in the cache", release);
	return r;
}

static const char *const words[] = {"list", "add", NULL};

const struct kmln_command kmln_command_kernel = {
	.name = "kernel",
	.args = "list | add FILE.deb|FOLDER [PACKAGE.deb...]",
	.summary = "List the kernels that guests can be given, or add one",
	.details =
		"A folder is one laid out as a root filesystem: boot/vmlinuz-RELEASE and\n"
		"lib/modules/RELEASE in it. PACKAGE.deb: what the kernel's package depends on and\n"
		"guests may lack, like linux-base and kmod.",
	.opts = opts,
	.opts_size = sizeof(struct options),
	.min_args = 1,
	.max_args = -1,
	.complete_files = true,
	.complete_words = words,
	.run = run,
};
