// SPDX-License-Identifier: GPL-2.0-or-later
/* The bounded log; see log.h. */
#include "node/log.h"

#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

int kmln_node_log_open(struct kmln_node_log *log, const char *path, struct kmln_error *err)
{
	KMLN_FREE char *copy = kmln_strdup(path);
	struct stat st;
	int r = kmln_make_folders(dirname(copy), err);

	if (r < 0)
		return r;
	*log = (struct kmln_node_log){.path = path};
	log->fd = kmln_open(path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW, 0600, err);
	if (log->fd < 0)
		return log->fd;
	if (fstat(log->fd, &st) == 0)
		log->size = (uint64_t)st.st_size;
	return 0;
}

/* What is full becomes the older half. Where that fails there is one half only. */
static void turn_over(struct kmln_node_log *log)
{
	KMLN_FREE char *older = kmln_printf("%s.1", log->path);
	struct kmln_error ignored;
	int fd = -1;

	if (rename(log->path, older) == 0)
		fd = kmln_open(
			log->path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW, 0600, &ignored);
	if (fd >= 0) {
		close(log->fd);
		log->fd = fd;
	} else if (ftruncate(log->fd, 0) < 0) {
		return;
	}
	log->size = 0;
}

void kmln_node_log_add(struct kmln_node_log *log, const char *bytes, size_t size)
{
	if (log->size + size > KMLN_NODE_LOG_HALF)
		turn_over(log);
	/* still full: nothing more is written */
	while (size && log->size + size <= KMLN_NODE_LOG_HALF) {
		ssize_t n = write(log->fd, bytes, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return;
		bytes += n;
		size -= (size_t)n;
		log->size += (uint64_t)n;
	}
}
