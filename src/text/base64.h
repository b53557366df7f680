/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bytes in JSON, as the QEMU Guest Agent sends them. Pure. */
#ifndef KMLN_TEXT_BASE64_H
#define KMLN_TEXT_BASE64_H

#include "base/mem.h"

void kmln_base64_add(struct kmln_buf *out, const void *data, size_t size);
/* Appends the bytes that the text stands for; false where it is none (blanks count as that). */
bool kmln_base64_read(const char *text, struct kmln_buf *out);

#endif
