// SPDX-License-Identifier: GPL-2.0-or-later
/* The walls around one machine; see sandbox.h. What happens inside, in front of its program, is
 * enter.c. */
#include "run/sandbox.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

#define INSIDE "/kmln"
#define INSIDE_SELF INSIDE "/confine"
#define NULL_FILE INSIDE "/run/null"
/* /proc/self/cwd is the private folder, under a name that is the same on every host. */
#define HERE "/proc/self/cwd"

static const char *const devices[] = {
	"/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", NULL};
static const char *const access_words[KMLN_ACCESS_KINDS] = {
	[KMLN_ACCESS_READ] = "read",
	[KMLN_ACCESS_RUN] = "run",
	[KMLN_ACCESS_WRITE] = "write",
	[KMLN_ACCESS_DEVICE] = "device",
};

int kmln_sandbox_lack(const char *cause, struct kmln_error *err)
{
	return kmln_fail(err, KMLN_ELACK,
		"a machine cannot be confined on this host: %s. Without that, root in the guest could "
		"read, change and delete every file that you can, and end your processes. "
		"--unconfined accepts this",
		cause);
}

static char *read_link(struct kmln_pool *pool, const char *path)
{
	char target[4096];
	ssize_t n = readlink(path, target, sizeof(target));

	return n > 0 && (size_t)n < sizeof(target) ? kmln_pool_memdup(pool, target, (size_t)n)
						   : NULL;
}

static void look_at_root(struct kmln_sandbox *sandbox)
{
	static const char *const known[] = {
		"/bin", "/lib", "/lib32", "/lib64", "/libx32", "/sbin", NULL};
	struct stat st;

	for (const char *const *path = known; *path; path++) {
		struct kmln_root_folder *folder;

		if (lstat(*path, &st) < 0)
			continue;
		folder = kmln_pool_append(
			sandbox->pool, &sandbox->folders, &sandbox->folder_count, sizeof(*folder));
		folder->path = *path;
		if (S_ISLNK(st.st_mode))
			folder->target = read_link(sandbox->pool, *path);
	}
	sandbox->ld_cache = access("/etc/ld.so.cache", R_OK) == 0;
	sandbox->owns_devices = stat("/dev/null", &st) == 0 && st.st_uid == geteuid();
}

int kmln_sandbox_look(
	struct kmln_sandbox *sandbox, struct kmln_pool *pool, bool confined, struct kmln_error *err)
{
	*sandbox = (struct kmln_sandbox){
		.pool = pool,
		.confined = confined,
		.landlock = kmln_landlock_abi(),
		.self = read_link(pool, "/proc/self/exe"),
	};
	if (!sandbox->self)
		return kmln_fail_sys(err, errno, "/proc/self/exe");
	look_at_root(sandbox);
	if (!confined)
		return 0;
	sandbox->bwrap = kmln_find_program(pool, "bwrap");
	return sandbox->bwrap ? 0
			      : kmln_sandbox_lack(
					"bwrap is not installed (Debian package bubblewrap)", err);
}

const char *kmln_sandbox_run(const struct kmln_sandbox *sandbox)
{
	return sandbox->confined ? INSIDE "/run" : HERE;
}

const char *kmln_sandbox_share(
	struct kmln_sandbox *sandbox, const char *host, const char *name, enum kmln_access access)
{
	struct kmln_share *share = kmln_pool_append(
		sandbox->pool, &sandbox->shares, &sandbox->share_count, sizeof(*share));

	share->host = kmln_pool_strdup(sandbox->pool, host);
	share->inside =
		kmln_pool_printf(sandbox->pool, "%s/%s", sandbox->confined ? INSIDE : HERE, name);
	share->access = access;
	return share->inside;
}

void kmln_sandbox_share_as_is(
	struct kmln_sandbox *sandbox, const char *path, enum kmln_access access)
{
	struct kmln_share *share = kmln_pool_append(
		sandbox->pool, &sandbox->shares, &sandbox->share_count, sizeof(*share));

	share->host = share->inside = kmln_pool_strdup(sandbox->pool, path);
	share->access = access;
}

/* Links are made in the order of the mounts, and mount points before the folder above is closed. */
static void add_namespaces(const struct kmln_sandbox *s, struct kmln_strv *argv)
{
	kmln_strv_adds(argv, s->bwrap, "--unshare-user", "--disable-userns", "--unshare-pid",
		"--unshare-ipc", "--unshare-uts", s->host_network ? "--share-net" : "--unshare-net",
		"--unshare-cgroup-try", "--die-with-parent", "--new-session", "--cap-drop", "ALL",
		"--hostname", "kmln", "--ro-bind", "/usr", "/usr", NULL);
	for (size_t i = 0; i < s->folder_count; i++) {
		const struct kmln_root_folder *f = &s->folders[i];

		if (f->target)
			kmln_strv_adds(argv, "--symlink", f->target, f->path, NULL);
		else
			kmln_strv_adds(argv, "--ro-bind", f->path, f->path, NULL);
	}
	if (s->ld_cache)
		kmln_strv_adds(argv, "--ro-bind", "/etc/ld.so.cache", "/etc/ld.so.cache", NULL);
	kmln_strv_adds(argv, "--proc", "/proc", "--tmpfs", "/dev", NULL);
	if (s->owns_devices)
		kmln_strv_adds(argv, "--symlink", NULL_FILE, "/dev/null", NULL);
	else
		kmln_strv_adds(argv, "--dev-bind", "/dev/null", "/dev/null", NULL);
	for (const char *const *d = devices; *d; d++)
		kmln_strv_adds(argv, "--dev-bind", *d, *d, NULL);
	/* what a guest stores there is the host's memory */
	kmln_strv_adds(argv, "--size", NULL);
	kmln_strv_printf(argv, "%llu", (unsigned long long)s->shm);
	kmln_strv_adds(argv, "--tmpfs", KMLN_SANDBOX_SHM, "--size", "16777216", "--tmpfs", "/tmp",
		"--bind", ".", INSIDE "/run", "--ro-bind", s->self, INSIDE_SELF, NULL);
	for (size_t i = 0; i < s->share_count; i++) {
		const struct kmln_share *share = &s->shares[i];

		kmln_strv_adds(argv,
			share->access == KMLN_ACCESS_DEVICE  ? "--dev-bind"
			: share->access == KMLN_ACCESS_WRITE ? "--bind"
							     : "--ro-bind",
			share->host, share->inside, NULL);
	}
	/*
	 * Root's guest must not give the host's devices another mode. bubblewrap's remount adds
	 * nodev, which closes them altogether; so it is done only where the modes could be changed,
	 * and there an empty file stands for /dev/null, without which QEMU takes no locks.
	 */
	for (const char *const *d = devices; s->owns_devices && *d; d++)
		kmln_strv_adds(argv, "--remount-ro", *d, NULL);
	kmln_strv_adds(argv, "--remount-ro", "/dev", "--remount-ro", "/", "--chdir", INSIDE "/run",
		"--", INSIDE_SELF, NULL);
}

static void add_rules(const struct kmln_sandbox *s, struct kmln_strv *argv)
{
	if (s->host_network)
		kmln_strv_add(argv, KMLN_SANDBOX_NETWORK);
	if (s->channels) {
		kmln_strv_add(argv, KMLN_SANDBOX_CHANNELS);
		kmln_strv_printf(argv, "%u", s->channels);
	}
	kmln_strv_adds(argv, "--run", "/usr", NULL);
	for (size_t i = 0; i < s->folder_count; i++)
		if (!s->folders[i].target)
			kmln_strv_adds(argv, "--run", s->folders[i].path, NULL);
	if (s->ld_cache)
		kmln_strv_adds(argv, "--read", "/etc/ld.so.cache", NULL);
	kmln_strv_adds(argv, "--read", "/proc", NULL);
	if (s->confined && s->owns_devices)
		kmln_strv_adds(argv, "--new", NULL_FILE, NULL);
	else
		kmln_strv_adds(argv, "--write", "/dev/null", NULL);
	for (const char *const *d = devices; *d; d++)
		kmln_strv_adds(argv, "--read", *d, NULL);
	/* without the first wall these two would be the host's own */
	if (s->confined)
		kmln_strv_adds(argv, "--write", KMLN_SANDBOX_SHM, "--write", "/tmp", NULL);
	kmln_strv_adds(argv, "--write", kmln_sandbox_run(s), NULL);
	for (size_t i = 0; i < s->share_count; i++) {
		kmln_strv_printf(argv, "--%s", access_words[s->shares[i].access]);
		kmln_strv_add(argv, s->shares[i].inside);
	}
	kmln_strv_add(argv, "--");
}

/* What people are told of it, one line a fact. */
static const char *const *describe(const struct kmln_sandbox *s, struct kmln_actions *actions)
{
	KMLN_STRV struct kmln_strv lines = {0};

	if (s->confined)
		kmln_strv_printf(&lines,
			"walls: namespaces (user, mount, PID, IPC, UTS, %scgroup), then Landlock",
			s->host_network ? "" : "network, ");
	else
		kmln_strv_add(&lines, "walls: Landlock alone, which does not hold back chmod, "
				      "utimes and signals");
	if (!s->landlock)
		kmln_strv_add(&lines, "this kernel has no Landlock: that wall is missing");
	kmln_strv_printf(
		&lines, "write %s: a private folder, removed at the end", kmln_sandbox_run(s));
	for (size_t i = 0; i < s->share_count; i++)
		kmln_strv_printf(&lines, "%s %s: %s", access_words[s->shares[i].access],
			s->shares[i].inside, s->shares[i].host);
	return kmln_actions_words(actions, &lines);
}

static void add_links(
	const struct kmln_sandbox *s, struct kmln_actions *actions, struct kmln_spawn *spawn)
{
	struct kmln_action_link *links =
		kmln_pool_array(actions->pool, s->share_count + 1, sizeof(*links));

	for (size_t i = 0; i < s->share_count; i++) {
		if (s->shares[i].access == KMLN_ACCESS_DEVICE &&
			!kmln_starts(s->shares[i].inside, HERE "/"))
			continue;
		links[spawn->link_count].name = strrchr(s->shares[i].inside, '/') + 1;
		links[spawn->link_count++].target =
			kmln_pool_strdup(actions->pool, s->shares[i].host);
	}
	spawn->links = links;
}

void kmln_sandbox_spawn(const struct kmln_sandbox *sandbox, const struct kmln_strv *program,
	const char *tmpdir, struct kmln_actions *actions, struct kmln_spawn *spawn)
{
	KMLN_STRV struct kmln_strv argv = {0}, env = {0};

	if (sandbox->confined)
		add_namespaces(sandbox, &argv);
	else
		kmln_strv_add(&argv, sandbox->self);
	kmln_strv_add(&argv, "_confine");
	add_rules(sandbox, &argv);
	for (size_t i = 0; i < program->count; i++)
		kmln_strv_add(&argv, program->items[i]);
	kmln_strv_adds(&env, "PATH=/usr/bin:/bin:/usr/sbin:/sbin", "LC_ALL=C", NULL);
	kmln_strv_printf(&env, "HOME=%s", kmln_sandbox_run(sandbox));
	kmln_strv_printf(&env, "TMPDIR=%s", tmpdir ? tmpdir : kmln_sandbox_run(sandbox));
	*spawn = (struct kmln_spawn){
		.argv = kmln_actions_words(actions, &argv),
		.env = kmln_actions_words(actions, &env),
		.sandbox = describe(sandbox, actions),
		.confined = sandbox->confined,
		.channels = sandbox->channels,
	};
	if (!sandbox->confined)
		add_links(sandbox, actions, spawn);
}

void kmln_sandbox_none(const struct kmln_strv *program, const struct kmln_strv *ending,
	const char *why, struct kmln_actions *actions, struct kmln_spawn *spawn)
{
	KMLN_STRV struct kmln_strv env = {0}, lines = {0};

	kmln_strv_adds(&env, "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", "HOME=/", NULL);
	kmln_strv_add(&lines, why);
	*spawn = (struct kmln_spawn){
		.argv = kmln_actions_words(actions, program),
		.env = kmln_actions_words(actions, &env),
		.sandbox = kmln_actions_words(actions, &lines),
		.open = true,
		.ending = kmln_actions_words(actions, ending),
	};
}
