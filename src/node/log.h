/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A node's log: what its console shows, on the disk and bounded. A disk that is full costs lines of
 * the log and nothing else.
 */
#ifndef KMLN_NODE_LOG_H
#define KMLN_NODE_LOG_H

#include <stdint.h>

#include "base/mem.h"

/* Bytes of FILE and of FILE.1 each. */
#define KMLN_NODE_LOG_HALF (4u << 20)

struct kmln_node_log {
	const char *path; /* borrowed */
	int fd;
	uint64_t size;
};
#define KMLN_NODE_LOG_NONE ((struct kmln_node_log){.fd = -1})

/* Appends to what is there; makes the folder. */
int kmln_node_log_open(struct kmln_node_log *log, const char *path, struct kmln_error *err);
void kmln_node_log_add(struct kmln_node_log *log, const char *bytes, size_t size);

#endif
