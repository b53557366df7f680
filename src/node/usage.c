// SPDX-License-Identifier: GPL-2.0-or-later
/* Memory and processor time of a tree of processes; see usage.h. */
#include "node/usage.h"

#include <linux/kcmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/file.h"

#define DEPTH 32
#define FILE_MAX 65536

/* The children of a process's first thread, as text; what ours start is never threaded before that.
 */
static void read_of(pid_t pid, const char *what, struct kmln_buf *text)
{
	KMLN_FREE char *path = kmln_printf("/proc/%d/%s", (int)pid, what);
	struct kmln_error ignored;

	text->size = 0;
	if (kmln_read_file(path, FILE_MAX, text, &ignored) < 0)
		text->size = 0;
	kmln_buf_str(text, "");
}

static uint64_t memory_of(pid_t pid)
{
	KMLN_BUF struct kmln_buf text = {0};
	unsigned long pages = 0;
	const char *line;

	read_of(pid, "smaps_rollup", &text);
	line = strstr(text.data, "\nPss:");
	if (line)
		return strtoull(line + 5, NULL, 10) * 1024;
	read_of(pid, "statm", &text);
	return sscanf(text.data, "%*u %lu", &pages) == 1
		       ? (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE)
		       : 0;
}

static uint64_t cpu_of(pid_t pid)
{
	KMLN_BUF struct kmln_buf text = {0};
	unsigned long own[2] = {0}, ended[2] = {0};
	const char *rest;

	read_of(pid, "stat", &text);
	/* the name, in brackets, may be anything */
	rest = strrchr(text.data, ')');
	if (!rest ||
		sscanf(rest + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu %lu %lu",
			&own[0], &own[1], &ended[0], &ended[1]) != 4)
		return 0;
	return (uint64_t)(own[0] + own[1] + ended[0] + ended[1]) * 1000 /
	       (uint64_t)sysconf(_SC_CLK_TCK);
}

/* A process that shares its parent's memory, as UML's threads do, has none of its own. */
static bool shares_memory(pid_t parent, pid_t pid)
{
	return parent && syscall(SYS_kcmp, parent, pid, KCMP_VM, 0, 0) == 0;
}

static void add(struct kmln_usage *usage, pid_t parent, pid_t pid, int depth)
{
	KMLN_FREE char *children = kmln_printf("task/%d/children", (int)pid);
	KMLN_BUF struct kmln_buf text = {0};
	char *next, *at;

	if (!shares_memory(parent, pid))
		usage->memory += memory_of(pid);
	usage->cpu_ms += cpu_of(pid);
	read_of(pid, children, &text);
	for (at = text.data; depth < DEPTH; at = next) {
		long child = strtol(at, &next, 10);

		if (next == at)
			return;
		add(usage, pid, (pid_t)child, depth + 1);
	}
}

struct kmln_usage kmln_usage(void)
{
	struct kmln_usage usage = {0};

	add(&usage, 0, getpid(), 0);
	return usage;
}
