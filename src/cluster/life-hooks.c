// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The user's own lines at the places of a project's life. What ran is remembered in
 * runtime/P/hooks, a name a line, from the first start until the project is stopped whole: a start
 * that was cut short and one more run each of them once.
 */
#include "cluster/life.h"

#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/child.h"
#include "cluster/life-private.h"
#include "cluster/plan.h"

#define RECORD_MAX 4096
#define EXIT_NOTICE 1000 /* milliseconds between two looks */

static const char *record_path(const struct kmln_life *life)
{
	return kmln_pool_printf(life->pool, "%s/hooks", life->store->runtime);
}

static bool was_run(const struct kmln_life *life, const char *name, struct kmln_buf *record)
{
	KMLN_FREE char *line = kmln_printf("%s\n", name);
	struct kmln_error ignored;

	record->size = 0;
	return kmln_read_file(record_path(life), RECORD_MAX, record, &ignored) == 0 &&
	       record->data && strstr(record->data, line);
}

bool kmln_life_hooked(const struct kmln_life *life)
{
	return access(record_path(life), F_OK) == 0;
}

static int remember(const struct kmln_life *life, const char *name, struct kmln_buf *record,
	struct kmln_error *err)
{
	int r = kmln_make_folders(life->store->runtime, err);

	kmln_buf_printf(record, "%s\n", name);
	return r < 0 ? r
		     : kmln_replace_file(record_path(life), record->data, record->size, 0600, err);
}

/* The lines as a file without a name, for the shell. */
static int make_script(const struct kmln_rows *lines, struct kmln_error *err)
{
	KMLN_BUF struct kmln_buf text = {0};
	int fd;

	for (size_t i = 0; i < lines->count; i++)
		kmln_buf_printf(&text, "%s\n", lines->items[i].cells[0].text);
	fd = memfd_create("hook", MFD_CLOEXEC);
	if (fd < 0)
		return kmln_fail_sys(err, errno, "memfd_create");
	if (kmln_pwrite_all(fd, text.data, text.size, 0, err) < 0) {
		close(fd);
		return -err->code;
	}
	return fd;
}

/* What it writes goes to where our own words go. */
static bool copy(int from)
{
	char piece[4096];
	ssize_t n = read(from, piece, sizeof(piece));
	struct kmln_error ignored;

	if (n > 0)
		kmln_write_all(STDERR_FILENO, piece, (size_t)n, &ignored);
	return n > 0 || (n < 0 && errno == EINTR);
}

/* Until the shell ends; what it leaves behind may hold its output for ever. */
static int await(struct kmln_life *life, int pid, int out, struct kmln_error *err)
{
	KMLN_FD int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	bool open = true;

	for (;;) {
		struct pollfd fds[] = {{pidfd, POLLIN, 0}, {open ? out : -1, POLLIN, 0},
			{life->signals, POLLIN, 0}};

		if (poll(fds, KMLN_COUNT(fds), EXIT_NOTICE) < 0 && errno != EINTR)
			return kmln_fail_sys(err, errno, "poll");
		if (fds[1].revents)
			open = copy(out);
		else if (fds[0].revents)
			return kmln_child_wait(pid, err);
		/* it is of our process group, and got the signal as well */
		if (kmln_life_interrupted(life))
			return kmln_fail(err, EINTR, "interrupted");
	}
}

static int run(struct kmln_life *life, const struct kmln_rows *lines, struct kmln_error *err)
{
	KMLN_FD int script = make_script(lines, err), out = -1;
	KMLN_FREE char *path = kmln_printf("/proc/self/fd/%d", script);
	KMLN_FREE char *project = kmln_printf("KMLN_PROJECT=%s", life->store->project);
	const char *const argv[] = {"/bin/sh", "-e", path, NULL};
	const char *const env[] = {project, NULL};
	const struct kmln_child child = {
		.argv = argv, .keep_fd = script, .folder = life->place, .env = env};
	int r;

	if (script < 0)
		return script;
	r = kmln_child_start(&child, &out, STDERR_FILENO, err);
	if (r >= 0)
		r = await(life, r, out, err);
	return r <= 0 ? r : kmln_fail(err, EIO, "a line of it failed (status %d)", r);
}

int kmln_life_hook(struct kmln_life *life, enum kmln_hook hook, struct kmln_error *err)
{
	const char *name = kmln_hook_name(hook);
	const struct kmln_rows *lines = life->model ? &life->model->global.hooks[hook] : NULL;
	KMLN_BUF struct kmln_buf record = {0};
	int r;

	if (!lines || !lines->count || was_run(life, name, &record))
		return 0;
	if (life->tell.hook)
		life->tell.hook(life->tell.data, name);
	r = run(life, lines, err);
	if (r == 0)
		r = remember(life, name, &record, err);
	return r < 0 ? kmln_wrap(err, "%s", name) : 0;
}
