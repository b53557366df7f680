// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The machine's command line is platform/qemu.c's, made with stand-ins for the names; here they are
 * put in and each word is quoted for the shell.
 */
#include "convert/run-script.h"

#include <string.h>

#include "base/shell.h"
#include "platform/qemu.h"

#define DISK "/kmln/disk0"
#define KERNEL "/kmln/kernel"
#define INITRAMFS "/kmln/initramfs"
#define MEMORY (512ull << 20)

/* QEMU takes "a:b" for a protocol, "-a" for an option, and commas as the end of a value. */
static void add_name(struct kmln_buf *word, const char *name, bool in_list)
{
	kmln_buf_str(word, "./");
	for (; *name; name++)
		kmln_buf_printf(word, *name == ',' && in_list ? ",%c" : "%c", *name);
}

/* The word with a file's name in the place of its stand-in. */
static void put_names(const struct kmln_description *guest, const char *word, struct kmln_buf *out)
{
	const char *at = strstr(word, "format=raw,file=" DISK);

	if (at) {
		kmln_buf_add(out, word, (size_t)(at - word));
		kmln_buf_printf(out, "format=%s,file=", guest->format);
		add_name(out, guest->disk, true);
		kmln_buf_str(out, strstr(at, DISK) + strlen(DISK));
	} else if (kmln_eq(word, KERNEL)) {
		add_name(out, guest->kernel, false);
	} else if (kmln_eq(word, INITRAMFS)) {
		add_name(out, guest->initramfs, false);
	} else {
		kmln_buf_str(out, word);
	}
}

int kmln_run_script(
	const struct kmln_description *guest, struct kmln_buf *out, struct kmln_error *err)
{
	const struct kmln_launch launch = {
		.disk = DISK,
		.kernel = KERNEL,
		.initramfs = INITRAMFS,
		.cmdline = guest->words,
		.memory = MEMORY,
		.run = "/kmln",
	};
	KMLN_STRV struct kmln_strv argv = {0};
	int r = kmln_qemu_launch(&launch, "kvm", "max", &argv, err);

	if (r < 0)
		return r;
	kmln_buf_str(out,
		"#!/bin/sh\n"
		"# Starts the guest by QEMU, with KVM where it works. This terminal is its console;\n"
		"# words behind the script's name are further options of QEMU, like -m 2G. The\n"
		"# environment's KMLN_ACCEL names another accelerator than kvm, like tcg.\n"
		"cd -- \"$(dirname -- \"$(readlink -f -- \"$0\")\")\" || exit 1\n"
		"exec");
	for (size_t i = 0; i < argv.count; i++) {
		KMLN_BUF struct kmln_buf word = {0};

		/* an option begins a line */
		kmln_buf_str(out, argv.items[i][0] == '-' ? " \\\n\t" : " ");
		if (i && kmln_eq(argv.items[i - 1], "-accel")) {
			kmln_buf_str(out, "\"${KMLN_ACCEL:-kvm}\" -accel tcg");
			continue;
		}
		put_names(guest, argv.items[i], &word);
		kmln_shell_quote(word.data, out);
	}
	kmln_buf_str(out, " \\\n\t\"$@\"\n");
	return 0;
}
