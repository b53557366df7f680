/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A shell script that starts a guest by QEMU alone, with the very machine that `kmln boot` makes.
 */
#ifndef KMLN_CONVERT_RUN_SCRIPT_H
#define KMLN_CONVERT_RUN_SCRIPT_H

#include "convert/description.h"

/* Appends the script; the names are of any bytes, and of files beside it. */
int kmln_run_script(
	const struct kmln_description *guest, struct kmln_buf *out, struct kmln_error *err);

#endif
