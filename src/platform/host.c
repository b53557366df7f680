// SPDX-License-Identifier: GPL-2.0-or-later
/* The walls this host offers: namespaces, bubblewrap, subordinate ids. Each is tried. */
#include "platform/host.h"

#include <fcntl.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/child.h"
#include "base/file.h"
#include "platform/forked.h"
#include "platform/look.h"
#include "platform/tools.h"

#define LIMIT_MS 2000

struct
try {
	int code; /* 0: all went well */
	char step[60];
};

static void failed(struct try *t, const char *step)
{
	t->code = errno ? errno : EIO;
	snprintf(t->step, sizeof(t->step), "%s", step);
}

static bool put(const char *path, const char *text)
{
	KMLN_FD int fd = open(path, O_WRONLY | O_CLOEXEC);

	return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
}

/* In the new PID namespace, as its first process: what a sandbox does there. */
static void try_mounts(struct try *t)
{
	if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		failed(t, "making the mounts private");
	else if (mount("tmpfs", "/proc", "tmpfs", MS_NOSUID | MS_NODEV, "size=64k") < 0)
		failed(t, "mounting a tmpfs");
}

/* The mounts go away with the processes that see them. */
static void try_namespaces(const void *unused, void *answer)
{
	struct try *t = answer;
	unsigned uid = geteuid(), gid = getegid();
	char line[64];
	int pipes[2];
	pid_t pid;

	(void)unused;
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID) < 0) {
		failed(t, "unshare");
		return;
	}
	snprintf(line, sizeof(line), "0 %u 1", uid);
	if (!put("/proc/self/uid_map", line)) {
		failed(t, "uid_map");
		return;
	}
	snprintf(line, sizeof(line), "0 %u 1", gid);
	if (!put("/proc/self/setgroups", "deny") || !put("/proc/self/gid_map", line)) {
		failed(t, "gid_map");
		return;
	}
	if (pipe2(pipes, O_CLOEXEC) < 0 || (pid = fork()) < 0) {
		failed(t, "fork in the PID namespace");
		return;
	}
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		try_mounts(t);
		_exit(write(pipes[1], t, sizeof(*t)) == (ssize_t)sizeof(*t) ? 0 : 1);
	}
	close(pipes[1]);
	if (read(pipes[0], t, sizeof(*t)) != (ssize_t)sizeof(*t))
		failed(t, "the first process of the PID namespace");
	waitpid(pid, NULL, 0);
}

int kmln_host_namespaces(
	struct kmln_pool *pool, bool *work, const char **why, struct kmln_error *err)
{
	struct try t = {0};
	int r = kmln_forked(try_namespaces, NULL, &t, sizeof(t), LIMIT_MS, err);

	*work = false;
	if (r == -ETIMEDOUT || r == -ECHILD)
		*why = kmln_pool_strdup(pool, err->text);
	else if (r < 0)
		return kmln_wrap(err, "namespaces");
	else if (t.code)
		*why = kmln_pool_printf(pool, "%s: %s", t.step, strerror(t.code));
	else
		*work = true;
	if (*work)
		*why = NULL;
	return 0;
}

/* Runs /bin/true behind the walls that a machine gets. */
static bool try_bwrap(struct kmln_pool *pool, const char **why)
{
	const char *const argv[] = {"bwrap", "--ro-bind", "/", "/", "--proc", "/proc", "--dev",
		"/dev", "--tmpfs", "/tmp", "--unshare-all", "--die-with-parent", "true", NULL};
	struct kmln_child child = {.argv = argv, .package = "bubblewrap", .limit_ms = LIMIT_MS};
	KMLN_BUF struct kmln_buf errors = {0};
	struct kmln_error err;
	int status = kmln_child_run(&child, NULL, &errors, &err);

	if (status == 0)
		return true;
	if (status < 0)
		*why = kmln_pool_strdup(pool, err.text);
	else if (errors.size)
		*why = kmln_pool_memdup(pool, errors.data, strcspn(errors.data, "\n"));
	else
		*why = kmln_pool_printf(pool, "bwrap ended with status %d", status);
	return false;
}

static bool parse_number(const char *text, size_t size, uint64_t *number)
{
	char digits[24], *end;

	if (!size || size >= sizeof(digits) || text[0] < '0' || text[0] > '9')
		return false;
	memcpy(digits, text, size);
	digits[size] = '\0';
	errno = 0;
	*number = strtoull(digits, &end, 10);
	return !errno && !*end;
}

bool kmln_subid_find(
	const char *text, const char *name, unsigned uid, uint64_t *first, uint64_t *count)
{
	char number[16];

	snprintf(number, sizeof(number), "%u", uid);
	for (const char *line = text; line && *line;
		line += strcspn(line, "\n"), line += *line == '\n') {
		size_t end = strcspn(line, "\n"), n = strcspn(line, ":\n"), m;
		uint64_t last;

		if (n == end || !((name && strlen(name) == n && strncmp(line, name, n) == 0) ||
					(strlen(number) == n && strncmp(line, number, n) == 0)))
			continue;
		m = strcspn(line + n + 1, ":\n");
		if (n + 1 + m >= end || !parse_number(line + n + 1, m, first) ||
			!parse_number(line + n + m + 2, end - n - m - 2, count))
			continue;
		if (*count && !kmln_add_overflow(*first, *count, &last) && last <= UINT32_MAX)
			return true;
	}
	*first = *count = 0;
	return false;
}

static void look_at_subids(const char *path, const char *name, uint64_t *first, uint64_t *count)
{
	KMLN_BUF struct kmln_buf text = {0};
	struct kmln_error ignored;

	*first = *count = 0;
	if (kmln_read_file(path, 1u << 20, &text, &ignored) == 0)
		kmln_subid_find(text.data, name, getuid(), first, count);
}

static uint64_t read_number(struct kmln_pool *pool, const char *path)
{
	const char *line = kmln_look_line(pool, path);

	return line ? strtoull(line, NULL, 10) : 0;
}

int kmln_host_look(struct kmln_pool *pool, struct kmln_host *host, struct kmln_error *err)
{
	const struct passwd *user = getpwuid(getuid());
	const char *name = user ? kmln_pool_strdup(pool, user->pw_name) : NULL;
	struct utsname system;
	int r;

	*host = (struct kmln_host){.root = geteuid() == 0};
	if (uname(&system) < 0)
		return kmln_fail_sys(err, errno, "uname");
	host->kernel = kmln_pool_strdup(pool, system.release);
	host->machine = kmln_pool_strdup(pool, system.machine);
	r = kmln_host_namespaces(pool, &host->namespaces, &host->namespaces_why, err);
	if (r < 0)
		return r;
	host->bwrap = try_bwrap(pool, &host->bwrap_why);
	host->max_user_namespaces = read_number(pool, "/proc/sys/user/max_user_namespaces");
	host->apparmor_restricts =
		read_number(pool, "/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == 1;
	look_at_subids("/etc/subuid", name, &host->subuid_first, &host->subuid_count);
	look_at_subids("/etc/subgid", name, &host->subgid_first, &host->subgid_count);
	kmln_tools_look(pool, host);
	host->id_maps =
		kmln_host_tool(host, "newuidmap")->path && kmln_host_tool(host, "newgidmap")->path;
	return 0;
}
