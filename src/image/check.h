/* SPDX-License-Identifier: GPL-2.0-or-later */
/* e2fsck, e2fsprogs' own judge and mender, and resize2fs, on a filesystem in a device. */
#ifndef KMLN_IMAGE_CHECK_H
#define KMLN_IMAGE_CHECK_H

#include "image/device.h"

/* Looks only. 0: clean; KMLN_EINVALID with e2fsck's words: not. */
int kmln_check_clean(
	struct kmln_device *device, const struct kmln_range *range, struct kmln_error *err);
/* Replays the journal and mends what is safe to mend. KMLN_EINVALID where more would be needed. */
int kmln_check_preen(
	struct kmln_device *device, const struct kmln_range *range, struct kmln_error *err);
/* Makes the filesystem in the file, which holds nothing else, `size` bytes long. */
int kmln_check_resize(int fd, uint64_t size, struct kmln_error *err);

#endif
