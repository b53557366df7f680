/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of kmln-guest share. */
#ifndef KMLN_AGENT_GUEST_H
#define KMLN_AGENT_GUEST_H

#include "base/mem.h"

/*
 * A kmln_unpack_fn for modules of the running system: compressed ones are unpacked by the guest's
 * own programs. ENOENT where it has none for this form.
 */
int kmln_guest_unpack(const char *path, const void *bytes, size_t size, size_t limit,
	struct kmln_buf *out, struct kmln_error *err);

#endif
