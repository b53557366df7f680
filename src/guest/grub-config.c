// SPDX-License-Identifier: GPL-2.0-or-later
/* One entry, on the serial console and the screen; see grub-config.h. */
#include "guest/grub-config.h"

void kmln_grub_config(const struct kmln_grub_config *config, struct kmln_buf *out)
{
	kmln_buf_str(out, KMLN_GRUB_MARK
		", and written again by it; entries of your own go into custom.cfg beside it.\n"
		"serial --unit=0 --speed=115200\n"
		"terminal_input serial console\n"
		"terminal_output serial console\n"
		"set timeout=1\n");
	if (config->uuid)
		kmln_buf_printf(out, "search --no-floppy --fs-uuid --set=root %s\n", config->uuid);
	kmln_buf_printf(out,
		"menuentry 'Linux %s' {\n"
		"\tlinux %s %s\n",
		config->title, config->kernel, config->words);
	if (config->initramfs)
		kmln_buf_printf(out, "\tinitrd %s\n", config->initramfs);
	kmln_buf_str(
		out, "}\nif [ -f $prefix/custom.cfg ]; then\n\tsource $prefix/custom.cfg\nfi\n");
}
