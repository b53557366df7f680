/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Making a new guest: a bare ext4 image with a distribution in it, as User-Mode Linux starts it. */
#ifndef KMLN_CONVERT_CREATE_H
#define KMLN_CONVERT_CREATE_H

#include "guest/settings.h"

struct kmln_create {
	const char *system; /* "debian:bookworm" */
	const char *out;
	uint64_t size; /* of the image, bytes */
	const char *init; /* "systemd" or "sysvinit" */
	const struct kmln_strv *include; /* more packages; NULL-safe when empty */
	struct kmln_settings settings;
	bool force;
};

int kmln_create(const struct kmln_create *job, struct kmln_error *err);

#endif
