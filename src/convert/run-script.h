/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A shell script that starts a guest by QEMU alone, with the very machine that `kmln boot` makes.
 */
#ifndef KMLN_CONVERT_RUN_SCRIPT_H
#define KMLN_CONVERT_RUN_SCRIPT_H

#include "base/mem.h"

/* Names without a folder, of any bytes: files beside the script. */
struct kmln_run_script {
	const char *disk, *format; /* the image, and what QEMU calls its format */
	const char *kernel, *initramfs;
	const char *words; /* for the kernel */
};

int kmln_run_script(
	const struct kmln_run_script *script, struct kmln_buf *out, struct kmln_error *err);

#endif
