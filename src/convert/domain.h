/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A domain of Xen as its tools want it described: a configuration for `xl create`, and a domain of
 * libvirt. Both name the image, a kernel and an initramfs by absolute paths. Pure; beside.c writes
 * them.
 */
#ifndef KMLN_CONVERT_DOMAIN_H
#define KMLN_CONVERT_DOMAIN_H

#include "base/mem.h"
#include "boot/kernel.h"

struct kmln_domain {
	const char *name; /* of kmln_domain_name() */
	const char *type; /* "pv" or "pvh" */
	const char *disk, *kernel, *initramfs; /* absolute */
	const char *format; /* of the disk: "raw" or "qcow2" */
	const char *words; /* for the kernel */
	const char *mac; /* for a network card, which the administrator may want */
};

/* KMLN_EUSAGE for a path or a format of the disk that Xen's tools cannot be told. */
int kmln_domain_check(const char *disk, const char *format, struct kmln_error *err);
/* A name for the domain out of that of the image: letters, digits and "._-", a letter first. */
char *kmln_domain_name(struct kmln_pool *pool, const char *image);
/* An address of Xen's own range, always the same for the same text (the root's UUID). */
char *kmln_domain_mac(struct kmln_pool *pool, const char *uuid);
/*
 * How Xen is to start the kernel: as `wanted` ("pv", "pvh"; NULL: PVH where it can, else PV).
 * KMLN_EINVALID where the kernel has no notes for it.
 */
int kmln_domain_type(const struct kmln_kernel *kernel, const char *wanted, const char **type,
	struct kmln_error *err);

void kmln_domain_xl(const struct kmln_domain *domain, struct kmln_buf *out);
void kmln_domain_libvirt(const struct kmln_domain *domain, struct kmln_buf *out);

#endif
