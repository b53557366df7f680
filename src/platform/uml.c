// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * User-Mode Linux: the kernel is a program. It needs no permission and no driver of the guest, and
 * its console is the first serial line, as in QEMU, so that one image serves both.
 */
#include "platform/platform.h"

#include <string.h>

/* Adds each word of the text as an argument; UML joins its arguments with blanks again. */
static void add_words(struct kmln_strv *argv, const char *text)
{
	while (text && *text) {
		size_t n = strcspn(text, " ");

		if (n)
			kmln_strv_printf(argv, "%.*s", (int)n, text);
		text += n + (text[n] == ' ');
	}
}

static int uml_launch(
	const struct kmln_launch *launch, struct kmln_strv *argv, struct kmln_error *err)
{
	bool writable = launch->snapshot || !launch->read_only;
	int r = kmln_launch_check(launch, err);

	if (r < 0)
		return r;
	if (launch->kernel)
		return kmln_fail(err, KMLN_EUSAGE,
			"User-Mode Linux is its own kernel: it cannot start %s", launch->kernel);
	kmln_strv_add(argv, launch->program ? launch->program : "linux.uml");
	/* `d`: an image whose bytes look like a copy-on-write head is data all the same, and never
	 * makes UML open the file that such a head names */
	if (!launch->snapshot)
		kmln_strv_printf(argv, "ubd0%s=%s", writable ? "d" : "rd", launch->disk);
	else if (launch->overlay)
		kmln_strv_printf(argv, "ubd0=%s,%s", launch->overlay, launch->disk);
	else
		kmln_strv_printf(argv, "ubd0=%s/disk.cow,%s", launch->run, launch->disk);
	if (launch->partition)
		kmln_strv_printf(argv, "root=/dev/ubda%u", launch->partition);
	else
		kmln_strv_add(argv, "root=/dev/ubda");
	kmln_strv_add(argv, writable ? "rw" : "ro");
	kmln_strv_printf(argv, "mem=%lluM", (unsigned long long)kmln_launch_mib(launch));
	/* console 1 to 15 and further serial lines stay unconnected: no terminal windows */
	kmln_strv_adds(argv, "ssl0=fd:0,fd:1", "con=none", "ssl=none", "console=ttyS0", NULL);
	/* a reboot ends the program, as in QEMU; the kernel's name for the machine is in `run` */
	kmln_strv_adds(argv, "noreboot", "umid=kmln", NULL);
	kmln_strv_printf(argv, "uml_dir=%s", launch->run);
	if (launch->initramfs)
		kmln_strv_printf(argv, "initrd=%s", launch->initramfs);
	add_words(argv, launch->cmdline);
	return 0;
}

const struct kmln_platform kmln_platform_uml = {
	.name = "uml",
	.summary = "User-Mode Linux: the kernel as an ordinary program",
	.console = "ttyS0",
	.disk = "ubda",
	.launch = uml_launch,
};
