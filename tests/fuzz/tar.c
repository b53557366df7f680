// SPDX-License-Identifier: GPL-2.0-or-later
/* A tar stream, as a new guest's tree comes: every entry with its attributes and content. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "guest/archive.h"

#define ENTRIES_MAX 1000
#define CONTENT_MAX (1u << 20) /* a hole of any length is one line of a header */

struct count {
	unsigned entries;
	size_t content;
};

static int look(void *data, const struct kmln_tar_entry *entry, struct kmln_tar *content,
	struct kmln_error *err)
{
	struct count *count = data;
	char bytes[4096];
	ssize_t n;

	if (entry->path[0] != '/' || strstr(entry->path, "/../") || strstr(entry->path, "//") ||
		kmln_ends(entry->path, "/.."))
		abort();
	while ((n = kmln_tar_read(content, bytes, sizeof(bytes), err)) > 0) {
		count->content += (size_t)n;
		if (count->content > CONTENT_MAX)
			return 1;
	}
	return n < 0 ? (int)n : ++count->entries >= ENTRIES_MAX;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	KMLN_DISK struct kmln_disk disk;
	struct kmln_error err = {0};
	struct count count = {0};

	fuzz_disk(data, size, 0, &disk);
	kmln_tar_walk(disk.fd, look, &count, &err);
	return 0;
}
