// SPDX-License-Identifier: GPL-2.0-or-later
/* The walls around one machine; see sandbox.h. What happens inside, in front of its program, is
 * enter.c. */
#include "run/sandbox.h"

#include <stdarg.h>
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
/* As _confine takes them. */
static const char *const access_options[KMLN_ACCESS_KINDS] = {
	[KMLN_ACCESS_READ] = "--read",
	[KMLN_ACCESS_RUN] = "--run",
	[KMLN_ACCESS_WRITE] = "--write",
	[KMLN_ACCESS_DEVICE] = "--device",
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

/* An argument vector that is being made. What it names is somebody's who outlives it. */
struct words {
	struct kmln_pool *pool;
	const char **items;
	size_t count;
};

static void add(struct words *words, const char *word)
{
	const char **item =
		kmln_pool_append(words->pool, &words->items, &words->count, sizeof(*words->items));

	*item = word;
}

/* Up to a NULL. */
__attribute__((sentinel)) static void adds(struct words *words, ...)
{
	va_list args;

	va_start(args, words);
	for (const char *word; (word = va_arg(args, const char *));)
		add(words, word);
	va_end(args);
}

/* Links are made in the order of the mounts, and mount points before the folder above is closed. */
static void add_namespaces(const struct kmln_sandbox *s, struct words *argv)
{
	adds(argv, s->bwrap, "--unshare-user", "--disable-userns", "--unshare-pid", "--unshare-ipc",
		"--unshare-uts", s->host_network ? "--share-net" : "--unshare-net",
		"--unshare-cgroup-try", "--die-with-parent", "--new-session", "--cap-drop", "ALL",
		"--hostname", "kmln", "--ro-bind", "/usr", "/usr", NULL);
	for (size_t i = 0; i < s->folder_count; i++) {
		const struct kmln_root_folder *f = &s->folders[i];

		if (f->target)
			adds(argv, "--symlink", f->target, f->path, NULL);
		else
			adds(argv, "--ro-bind", f->path, f->path, NULL);
	}
	if (s->ld_cache)
		adds(argv, "--ro-bind", "/etc/ld.so.cache", "/etc/ld.so.cache", NULL);
	adds(argv, "--proc", "/proc", "--tmpfs", "/dev", NULL);
	if (s->owns_devices)
		adds(argv, "--symlink", NULL_FILE, "/dev/null", NULL);
	else
		adds(argv, "--dev-bind", "/dev/null", "/dev/null", NULL);
	for (const char *const *d = devices; *d; d++)
		adds(argv, "--dev-bind", *d, *d, NULL);
	/* what a guest stores there is the host's memory */
	adds(argv, "--size", kmln_pool_printf(argv->pool, "%llu", (unsigned long long)s->shm),
		"--tmpfs", KMLN_SANDBOX_SHM, "--size", "16777216", "--tmpfs", "/tmp", "--bind", ".",
		INSIDE "/run", "--ro-bind", s->self, INSIDE_SELF, NULL);
	for (size_t i = 0; i < s->share_count; i++) {
		const struct kmln_share *share = &s->shares[i];

		adds(argv,
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
		adds(argv, "--remount-ro", *d, NULL);
	adds(argv, "--remount-ro", "/dev", "--remount-ro", "/", "--chdir", INSIDE "/run", "--",
		INSIDE_SELF, NULL);
}

static void add_rules(const struct kmln_sandbox *s, struct words *argv)
{
	if (s->host_network)
		add(argv, KMLN_SANDBOX_NETWORK);
	if (s->channels) {
		adds(argv, KMLN_SANDBOX_CHANNELS, kmln_pool_printf(argv->pool, "%u", s->channels),
			NULL);
	}
	adds(argv, "--run", "/usr", NULL);
	for (size_t i = 0; i < s->folder_count; i++)
		if (!s->folders[i].target)
			adds(argv, "--run", s->folders[i].path, NULL);
	if (s->ld_cache)
		adds(argv, "--read", "/etc/ld.so.cache", NULL);
	adds(argv, "--read", "/proc", NULL);
	if (s->confined && s->owns_devices)
		adds(argv, "--new", NULL_FILE, NULL);
	else
		adds(argv, "--write", "/dev/null", NULL);
	for (const char *const *d = devices; *d; d++)
		adds(argv, "--read", *d, NULL);
	/* without the first wall these two would be the host's own */
	if (s->confined)
		adds(argv, "--write", KMLN_SANDBOX_SHM, "--write", "/tmp", NULL);
	adds(argv, "--write", kmln_sandbox_run(s), NULL);
	for (size_t i = 0; i < s->share_count; i++)
		adds(argv, access_options[s->shares[i].access], s->shares[i].inside, NULL);
	add(argv, "--");
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
		kmln_strv_printf(&lines, "%s %s: %s",
			access_options[s->shares[i].access] + strlen("--"), s->shares[i].inside,
			s->shares[i].host);
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
	struct kmln_pool *pool = actions->pool;
	struct words argv = {pool, NULL, 0}, env = {pool, NULL, 0};

	if (sandbox->confined)
		add_namespaces(sandbox, &argv);
	else
		add(&argv, sandbox->self);
	add(&argv, "_confine");
	add_rules(sandbox, &argv);
	for (const char *const *word = kmln_actions_words(actions, program); *word; word++)
		add(&argv, *word);
	add(&argv, NULL);
	adds(&env, "PATH=/usr/bin:/bin:/usr/sbin:/sbin", "LC_ALL=C",
		kmln_pool_printf(pool, "HOME=%s", kmln_sandbox_run(sandbox)),
		kmln_pool_printf(pool, "TMPDIR=%s", tmpdir ? tmpdir : kmln_sandbox_run(sandbox)),
		NULL);
	add(&env, NULL);
	*spawn = (struct kmln_spawn){
		.argv = argv.items,
		.env = env.items,
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
