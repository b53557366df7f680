/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the processes of a node really use; read from /proc when asked. */
#ifndef KMLN_NODE_USAGE_H
#define KMLN_NODE_USAGE_H

#include <stdint.h>

struct kmln_usage {
	uint64_t memory; /* bytes; what several share is divided among them */
	uint64_t cpu_ms; /* of processes that live, and of theirs that ended */
};

/* Of this process and all below it. What has ended meanwhile does not count. */
struct kmln_usage kmln_usage(void);

#endif
