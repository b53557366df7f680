/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libext2fs on a range of a device. Reads and writes outside the range are errors,
 * whatever a corrupt filesystem asks for.
 */
#ifndef KMLN_IMAGE_EXT_IO_H
#define KMLN_IMAGE_EXT_IO_H

#include <ext2fs/ext2fs.h>

#include "image/disk.h"

extern io_manager kmln_ext_io;

/* The "device name" that makes kmln_ext_io open this range; the device stays the caller's. */
void kmln_ext_io_name(char name[64], struct kmln_device *device, const struct kmln_range *range);

#endif
