// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * mmdebstrap makes the system and writes it as a tar stream, without root where the host allows;
 * the stream is put straight into an ext4 filesystem, so owners, times and attributes need no
 * privilege here. The settings are edits, planned from what was unpacked.
 */
#include "convert/create.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/child.h"
#include "base/file.h"
#include "base/log.h"
#include "base/output.h"
#include "guest/archive.h"
#include "image/check.h"
#include "image/ext.h"
#include "image/inspect.h"
#include "run/apply.h"

#define SIZE_MIN (256u << 20)

/* Packages that make a small system of these inits complete: network, and modules on demand. */
static const struct {
	const char *init, *packages;
} inits[] = {
	{"systemd",
		"systemd-sysv,udev,dbus,kmod,linux-base,ifupdown,iproute2,isc-dhcp-client,netbase"},
	{"sysvinit",
		"sysvinit-core,sysv-rc,initscripts,udev,kmod,linux-base,ifupdown,iproute2,isc-dhcp-client,"
		"netbase"},
};

static int check_words(const char *text, const char *also, const char *what, struct kmln_error *err)
{
	for (const char *c = text; *c; c++)
		if (!isalnum((unsigned char)*c) && !strchr(also, *c))
			return kmln_fail(err, KMLN_EUSAGE, "'%s' is no %s", text, what);
	return *text && *text != '-' ? 0 : kmln_fail(err, KMLN_EUSAGE, "'%s' is no %s", text, what);
}

static int check_job(const struct kmln_create *job, const char **suite, struct kmln_error *err)
{
	int r;

	if (!kmln_starts(job->system, "debian:"))
		return kmln_fail(err, KMLN_EUSAGE,
			"'%s': kmln makes Debian guests: debian:bookworm, debian:trixie ...",
			job->system);
	*suite = job->system + strlen("debian:");
	r = check_words(*suite, "-", "Debian suite", err);
	for (size_t i = 0; r == 0 && i < job->include->count; i++)
		r = check_words(job->include->items[i], "+.-:", "package name", err);
	if (r == 0)
		r = kmln_settings_check(&job->settings, err);
	if (r == 0 && job->size < SIZE_MIN)
		r = kmln_fail(err, KMLN_EUSAGE, "--size: a Debian guest needs 256M or more");
	return r;
}

static int make_filesystem(int fd, uint64_t size, struct kmln_error *err)
{
	KMLN_FREE char *device = kmln_printf("/proc/self/fd/%d", fd);
	const char *const argv[] = {"mke2fs", "-q", "-F", "-t", "ext4", "-L", "root", "-E",
		"root_owner=0:0", device, NULL};
	const struct kmln_child child = {.argv = argv, .package = "e2fsprogs", .keep_fd = fd};

	if (ftruncate(fd, (off_t)size) < 0)
		return kmln_fail_sys(
			err, errno, "make room for %llu bytes", (unsigned long long)size);
	return kmln_child_must(&child, NULL, err);
}

static int unpack_xattrs(
	struct kmln_tree *tree, const struct kmln_tar_entry *entry, struct kmln_error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < entry->xattr_count; i++)
		r = kmln_tree_set_xattr(tree, entry->path, entry->xattrs[i].name,
			entry->xattrs[i].value, entry->xattrs[i].size, err);
	return r;
}

static int unpack_entry(void *data, const struct kmln_tar_entry *entry, struct kmln_tar *content,
	struct kmln_error *err)
{
	const struct kmln_meta meta = {entry->mode & 07777, entry->uid, entry->gid, entry->mtime,
		entry->mtime_ns, .sparse = false};
	struct kmln_tree *tree = data;
	struct kmln_error missing;
	struct kmln_stat st;
	int r;

	if (entry->hardlink)
		return kmln_tree_link(tree, entry->path, entry->hardlink, err);
	if (entry->symlink)
		return kmln_tree_symlink(tree, entry->path, entry->symlink, &meta, err);
	if (S_ISDIR(entry->mode)) {
		/* the root and lost+found are there; what mke2fs gave them is what a Debian has */
		if (kmln_tree_stat(tree, entry->path, &st, &missing) == 0)
			return 0;
		r = kmln_tree_mkdir(tree, entry->path, &meta, err);
	} else if (S_ISREG(entry->mode)) {
		r = kmln_tree_put(
			tree, entry->path, &meta, entry->size, kmln_tar_read, content, err);
	} else {
		r = kmln_tree_node(tree, entry->path, entry->mode, entry->dev_major,
			entry->dev_minor, &meta, err);
	}
	return r < 0 ? r : unpack_xattrs(tree, entry, err);
}

/* mmdebstrap's errors are the lines with E:, among much else. */
static int explain(int words, int status, struct kmln_error *err)
{
	KMLN_BUF struct kmln_buf said = {0}, errors = {0};
	KMLN_FREE char *path = kmln_printf("/proc/self/fd/%d", words);
	struct kmln_error ignored;
	char *rest, *line;

	kmln_read_file(path, 1 << 20, &said, &ignored);
	rest = said.data;
	while (rest && (line = strsep(&rest, "\n")))
		if ((kmln_starts(line, "E:") || kmln_starts(line, "Err:") ||
			    strstr(line, " E: ")) &&
			errors.size < 400)
			kmln_buf_printf(&errors, "%s%s", errors.size ? "; " : "", line);
	if (errors.size && (strstr(errors.data, "subuid") || strstr(errors.data, "newuidmap") ||
				   strstr(errors.data, "user namespace")))
		return kmln_fail(err, KMLN_ELACK,
			"mmdebstrap needs user namespaces and a range of subordinate ids for this user "
			"(package uidmap, /etc/subuid): %s",
			errors.data);
	return kmln_fail(err, EIO, "mmdebstrap failed (status %d): %s", status,
		errors.size ? errors.data
		: said.size ? said.data
			    : "without a word");
}

/* Starts mmdebstrap and unpacks what it writes. */
static int unpack(const struct kmln_create *job, const char *suite, struct kmln_tree *tree,
	struct kmln_error *err)
{
	KMLN_BUF struct kmln_buf include = {0};
	KMLN_FREE char *option = NULL;
	KMLN_FD int words = memfd_create("words", MFD_CLOEXEC), stream = -1;
	const char *argv[] = {
		"mmdebstrap", "--variant=minbase", "--format=tar", NULL, suite, "-", NULL};
	/* apt's lists and archives are left out by mmdebstrap itself */
	const struct kmln_child child = {.argv = argv, .package = "mmdebstrap", .folder = "/"};
	struct kmln_error failed;
	int pid, status, r;

	if (words < 0)
		return kmln_fail_sys(err, errno, "memfd_create");
	for (size_t i = 0; i < KMLN_COUNT(inits); i++)
		if (kmln_eq(inits[i].init, job->init))
			kmln_buf_str(&include, inits[i].packages);
	if (job->settings.key_count)
		kmln_buf_str(&include, ",openssh-server");
	for (size_t i = 0; i < job->include->count; i++)
		kmln_buf_printf(&include, ",%s", job->include->items[i]);
	option = kmln_printf("--include=%s", include.data);
	argv[3] = option;
	pid = kmln_child_start(&child, &stream, words, err);
	if (pid < 0)
		return pid;
	r = kmln_tar_walk(stream, unpack_entry, tree, &failed);
	kmln_close_cleanup(&stream);
	status = kmln_child_wait(pid, err);
	if (status < 0)
		return status;
	/* where both failed the cause is mmdebstrap's, unless we stopped reading */
	if (r < 0 && (status == 0 || failed.code == ENOSPC)) {
		*err = failed;
		return r;
	}
	return status ? explain(words, status, err) : 0;
}

/* What every new guest has, and what the caller wants of it. */
static struct kmln_settings all_settings(const struct kmln_create *job)
{
	static const struct kmln_set_interface card = {
		.name = "eth0", .dhcp = true, .optional = true};
	struct kmln_settings settings = job->settings;

	if (!settings.hostname)
		settings.hostname = "debian";
	if (!settings.interface_count) {
		settings.interfaces = &card;
		settings.interface_count = 1;
	}
	return settings;
}

static bool can_log_in(const struct kmln_settings *settings)
{
	for (size_t i = 0; i < settings->user_count; i++)
		if (settings->users[i].password || settings->users[i].hash)
			return true;
	return settings->root_password || settings->root_hash || settings->key_count;
}

static int set_up(const struct kmln_create *job, const struct kmln_disk *disk,
	const struct kmln_range *range, struct kmln_error *err)
{
	const struct kmln_settings settings = all_settings(job);
	const struct kmln_goal goal = {0};
	KMLN_FACTS struct kmln_facts *facts = NULL;
	KMLN_EDITS struct kmln_edits edits = {0};
	KMLN_STRV struct kmln_strv missing = {0};
	KMLN_TREE struct kmln_tree *tree = NULL;
	struct kmln_planning planning = {
		.platform = kmln_platform_find("uml"),
		.goal = &goal,
		.edits = &edits,
		.missing = &missing,
	};
	int r = kmln_inspect(disk, &facts, err);

	if (r < 0)
		return r;
	planning.facts = facts;
	kmln_edits_init(&edits, facts->pool);
	r = kmln_tree_ext(disk->device, range, true, &tree, err);
	if (r == 0) {
		kmln_settings_inspect(tree, facts, &settings);
		r = kmln_plan_guest(&planning, err);
	}
	if (r == 0)
		r = kmln_plan_settings(&planning, &settings, err);
	if (r == 0)
		r = kmln_apply_tree(&edits, tree, NULL, err);
	return r < 0 ? r : kmln_tree_close(&tree, err);
}

int kmln_create(const struct kmln_create *job, struct kmln_error *err)
{
	const struct kmln_range range = {0, job->size & ~(uint64_t)4095};
	KMLN_OUTPUT struct kmln_output output = {.fd = -1};
	KMLN_DISK struct kmln_disk disk = {.fd = -1};
	KMLN_TREE struct kmln_tree *tree = NULL;
	const char *suite = NULL;
	int r = check_job(job, &suite, err);

	if (r == 0)
		r = kmln_output_open(job->out, job->force, &output, err);
	if (r < 0)
		return r;
	kmln_note(
		"making a Debian %s with %s; fetching and unpacking its packages takes about half a "
		"minute",
		suite, job->init);
	r = make_filesystem(output.fd, range.size, err);
	if (r == 0)
		r = kmln_disk_wrap(output.fd, &disk, err);
	if (r == 0)
		r = kmln_tree_ext(disk.device, &range, true, &tree, err);
	if (r == 0)
		r = unpack(job, suite, tree, err);
	if (r == 0)
		r = kmln_tree_close(&tree, err);
	if (r == 0)
		r = set_up(job, &disk, &range, err);
	if (r == 0)
		r = kmln_check_clean(disk.device, &range, err);
	if (r < 0)
		return kmln_wrap(err, "%s", job->out);
	if (!can_log_in(&job->settings))
		kmln_warn(
			"nobody can log in yet: --root-password, --user or --ssh-key gives a way");
	return kmln_output_publish(&output, job->force, err);
}
