/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a guest's settings call a partition on one platform, and a name that is right on all. */
#ifndef KMLN_GUEST_DEVICE_NAMES_H
#define KMLN_GUEST_DEVICE_NAMES_H

#include "guest/step.h"

/*
 * The UUID of the filesystem, swap space or LUKS header in the partition of this image that some
 * platform calls `device` ("/dev/xvda2", "/dev/vda2"); NULL where it is none of them, or where the
 * name is right for this platform.
 */
const char *kmln_device_uuid(
	const struct kmln_facts *facts, const struct kmln_platform *platform, const char *device);
/* True for "/dev/xvda2" and the like: a partition of the first disk, on some platform. */
bool kmln_is_device_name(const char *device);
/* The length of "UUID=..." in lower case in front of a blank; 0 for another word. */
size_t kmln_uuid_word(const char *text);

#endif
