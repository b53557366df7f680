/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tar and ar archives written by hand for tests: any lie can be told in them. */
#ifndef KMLN_TESTS_TAR_H
#define KMLN_TESTS_TAR_H

#include <stdio.h>
#include <string.h>

#include "base/mem.h"

struct tar_header {
	const char *name, *link;
	char type; /* '0' file, '1' hard link, '2' link, '3' '4' devices, '5' folder, 'x' pax */
	unsigned mode, uid, gid, major, minor;
	unsigned long long mtime;
	const char *data;
	size_t size;
};

static inline void tar_add(struct kmln_buf *tar, const struct tar_header *h)
{
	char block[512] = {0};
	unsigned sum = 0;

	memcpy(block, h->name, strlen(h->name) < 100 ? strlen(h->name) : 100);
	snprintf(block + 100, 8, "%07o", h->mode);
	snprintf(block + 108, 8, "%07o", h->uid);
	snprintf(block + 116, 8, "%07o", h->gid);
	snprintf(block + 124, 12, "%011zo", h->size);
	snprintf(block + 136, 12, "%011llo", h->mtime);
	memset(block + 148, ' ', 8);
	block[156] = h->type;
	if (h->link)
		memcpy(block + 157, h->link, strlen(h->link));
	memcpy(block + 257,
		"ustar\0"
		"00",
		8);
	snprintf(block + 329, 8, "%07o", h->major);
	snprintf(block + 337, 8, "%07o", h->minor);
	for (size_t i = 0; i < sizeof(block); i++)
		sum += (unsigned char)block[i];
	snprintf(block + 148, 8, "%06o", sum);
	kmln_buf_add(tar, block, sizeof(block));
	if (h->size)
		kmln_buf_add(tar, h->data, h->size);
	kmln_buf_grow(tar, (512 - h->size % 512) % 512);
}

/* One record of a pax header: "LENGTH NAME=VALUE\n", the length counting itself. */
static inline void pax_add(struct kmln_buf *pax, const char *name, const char *value, size_t size)
{
	size_t length = strlen(name) + size + 3, digits = 1;

	while (snprintf(NULL, 0, "%zu", length + digits) != (int)digits)
		digits++;
	kmln_buf_printf(pax, "%zu %s=", length + digits, name);
	kmln_buf_add(pax, value, size);
	kmln_buf_str(pax, "\n");
}

static inline void tar_end(struct kmln_buf *tar)
{
	kmln_buf_grow(tar, 1024);
}

static inline void ar_add(struct kmln_buf *ar, const char *name, const char *data, size_t size)
{
	if (!ar->size)
		kmln_buf_str(ar, "!<arch>\n");
	kmln_buf_printf(ar, "%-16s%-12d%-6d%-6d%-8s%-10zu`\n", name, 0, 0, 0, "100644", size);
	kmln_buf_add(ar, data, size);
	if (size % 2)
		kmln_buf_str(ar, "\n");
}

#endif
