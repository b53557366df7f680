// SPDX-License-Identifier: GPL-2.0-or-later
/* Copying one source, be it a file or a tree, to where cp.c says. */
#include "cli/cp.h"

#include <stdio.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"

/* ---- how far it is ---- */

static void tell(void *data, uint64_t bytes)
{
	static char text[96];
	struct kmln_cp *cp = data;

	cp->done += bytes;
	if (!cp->size)
		return;
	snprintf(text, sizeof(text), "copying (%llu files, %llu MiB before)",
		(unsigned long long)cp->files, (unsigned long long)(cp->bytes >> 20));
	kmln_progress(
		cp->files ? text : "copying", cp->done < cp->size ? cp->done : cp->size, cp->size);
}

static struct kmln_copied begin(struct kmln_cp *cp, uint64_t size)
{
	cp->size = size == UINT64_MAX ? 0 : size;
	cp->done = 0;
	return (struct kmln_copied){tell, cp};
}

static void end(struct kmln_cp *cp)
{
	cp->files++;
	cp->bytes += cp->done;
}

/* ---- one thing to its place ---- */

static const char *place(struct kmln_cp *cp, const char *below)
{
	return kmln_place_join(cp->pool, cp->to.path, below);
}

static int put_folder(struct kmln_cp *cp, const char *path, mode_t mode, struct kmln_error *err)
{
	struct kmln_guest_entry there;
	int r;

	if (!cp->to.guest)
		return *path ? kmln_landing_folder(&cp->to.landing, path, mode, err) : 0;
	/* one that is there stays as it is */
	r = kmln_guest_stat(cp->to.guest, path, &there, err);
	if (r != 0)
		return r < 0				 ? r
		       : there.kind == KMLN_GUEST_FOLDER ? 0
							 : kmln_fail_sys(err, ENOTDIR, "%s", path);
	return kmln_guest_make_folder(cp->to.guest, path, mode & 0777, err);
}

static int put_link(
	struct kmln_cp *cp, const char *path, const char *target, struct kmln_error *err)
{
	return cp->to.guest ? kmln_guest_make_link(cp->to.guest, path, target, err)
			    : kmln_landing_link(&cp->to.landing, path, target, err);
}

/* A guest's file to here. */
static int land_file(struct kmln_cp *cp, const char *source, const char *path, mode_t mode,
	uint64_t size, const struct kmln_copied *copied, struct kmln_error *err)
{
	KMLN_FD int fd = kmln_landing_file(&cp->to.landing, path, err);
	int r = fd < 0 ? fd : kmln_guest_get(cp->from, source, size, fd, copied, err);

	if (r == 0)
		r = kmln_landing_publish(&cp->to.landing, path, fd, mode, err);
	kmln_landing_drop(&cp->to.landing);
	return r;
}

static int file_from_guest(struct kmln_cp *cp, const char *source, const char *path, mode_t mode,
	uint64_t size, struct kmln_error *err)
{
	const struct kmln_copied copied = begin(cp, size);
	int r;

	if (cp->to.stream)
		r = kmln_guest_get(cp->from, source, 0, STDOUT_FILENO, &copied, err);
	else if (cp->to.guest)
		r = kmln_guest_relay(
			cp->from, source, size, cp->to.guest, path, mode & 0777, &copied, err);
	else
		r = land_file(cp, source, path, mode, size, &copied, err);
	if (r == 0)
		end(cp);
	return r;
}

/* ---- trees ---- */

/* Errors behind which nothing more can be copied. */
static bool is_final(int code)
{
	static const int codes[] = {EPIPE, ETIMEDOUT, ENOTCONN, ENOTSUP, ENOSPC, EDQUOT, EPROTO,
		EINTR, KMLN_EINVALID, KMLN_ENO};

	for (size_t i = 0; i < KMLN_COUNT(codes); i++)
		if (codes[i] == code)
			return true;
	return false;
}

/* Goes on behind what one object of a tree has come to. */
static int settle(struct kmln_cp *cp, const char *below, int r, struct kmln_error *err)
{
	if (r >= 0)
		return 0;
	kmln_wrap(
		err, "%s%s%s", cp->source, *below && !kmln_ends(cp->source, "/") ? "/" : "", below);
	if (!*below || is_final(err->code))
		return r;
	kmln_warn("%s", err->text);
	cp->problems++;
	return 0;
}

static int not_copied(struct kmln_error *err)
{
	return kmln_fail(err, EINVAL, "it is no file, folder or link, and was left out");
}

struct from_guest {
	struct kmln_cp *cp;
	const char *path; /* of the source in its guest */
};

static int copy_guest_entry(struct kmln_cp *cp, const char *root, const struct kmln_guest_entry *e,
	struct kmln_error *err)
{
	const char *path = place(cp, e->path);

	if (*e->path && !kmln_path_stays_inside(e->path))
		return kmln_fail(err, KMLN_EINVALID,
			"the guest names '%s', which is no path below what is copied", e->path);
	switch (e->kind) {
	case KMLN_GUEST_FILE:
		return file_from_guest(
			cp, kmln_place_join(cp->pool, root, e->path), path, e->mode, e->size, err);
	case KMLN_GUEST_FOLDER:
		if (cp->recursive && !cp->to.stream)
			return put_folder(cp, path, e->mode, err);
		return kmln_fail(
			err, EISDIR, "it is a folder%s", cp->to.stream ? "" : " (-r copies it)");
	case KMLN_GUEST_LINK:
		return put_link(cp, path, e->target, err);
	default:
		return not_copied(err);
	}
}

/* A pool for what one entry needs: a tree has many, and its list may have no end. */
static int each_guest_entry(
	void *data, const struct kmln_guest_entry *entry, struct kmln_error *err)
{
	struct from_guest *from = data;
	struct kmln_pool *all = from->cp->pool;
	int r;

	from->cp->pool = kmln_pool_new();
	r = settle(from->cp, entry->path, copy_guest_entry(from->cp, from->path, entry, err), err);
	kmln_pool_free(from->cp->pool);
	from->cp->pool = all;
	return r;
}

int kmln_cp_from_guest(struct kmln_cp *cp, const char *path, struct kmln_error *err)
{
	struct from_guest from = {.cp = cp, .path = path};
	int r = kmln_guest_list(cp->from, path, cp->recursive, each_guest_entry, &from, err);

	/* the list itself */
	if (r < 0 && !kmln_starts(err->text, cp->source))
		kmln_wrap(err, "%s", cp->source);
	return r;
}

static int put_host_file(struct kmln_cp *cp, const struct kmln_host_entry *e, const char *path,
	struct kmln_error *err)
{
	/* files of /proc say that they are empty */
	uint64_t size = e->st->st_size ? (uint64_t)e->st->st_size : UINT64_MAX;
	const struct kmln_copied copied = begin(cp, size);
	int r = kmln_guest_put(
		cp->to.guest, path, e->st->st_mode & 0777, e->fd, size, &copied, err);

	if (r == 0)
		end(cp);
	return r;
}

static int copy_host_entry(
	struct kmln_cp *cp, const struct kmln_host_entry *e, struct kmln_error *err)
{
	const char *path = place(cp, e->path);

	if (S_ISREG(e->st->st_mode))
		return put_host_file(cp, e, path, err);
	if (S_ISLNK(e->st->st_mode))
		return put_link(cp, path, e->target, err);
	if (!S_ISDIR(e->st->st_mode))
		return not_copied(err);
	if (!cp->recursive)
		return kmln_fail(err, EISDIR, "it is a folder (-r copies it)");
	return put_folder(cp, path, e->st->st_mode, err);
}

static int each_host_entry(void *data, const struct kmln_host_entry *entry, struct kmln_error *err)
{
	struct kmln_cp *cp = data;
	struct kmln_pool *all = cp->pool;
	int r;

	cp->pool = kmln_pool_new();
	r = settle(cp, entry->path, copy_host_entry(cp, entry, err), err);
	kmln_pool_free(cp->pool);
	cp->pool = all;
	return r;
}

int kmln_cp_from_here(struct kmln_cp *cp, const char *path, struct kmln_error *err)
{
	return kmln_host_walk(path, each_host_entry, cp, err);
}

int kmln_cp_from_input(struct kmln_cp *cp, struct kmln_error *err)
{
	const struct kmln_copied copied = begin(cp, UINT64_MAX);
	int r = kmln_guest_put(
		cp->to.guest, cp->to.path, 0644, STDIN_FILENO, UINT64_MAX, &copied, err);

	return r < 0 ? kmln_wrap(err, "standard input") : 0;
}
