// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The three system calls of Landlock. The numbers of newer ABIs stand here because the headers of
 * the oldest supported system end at ABI 2; which of them are used is asked of the kernel.
 */
#include "base/landlock.h"

#include <fcntl.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/file.h"

#define CREATE_RULESET_VERSION 1u
#define RULE_PATH_BENEATH 1

#define FS_EXECUTE (1ull << 0)
#define FS_WRITE_FILE (1ull << 1)
#define FS_READ_FILE (1ull << 2)
#define FS_READ_DIR (1ull << 3)
#define FS_MAKE_CHAR (1ull << 6)
#define FS_MAKE_BLOCK (1ull << 11)
#define FS_ABI1 ((1ull << 13) - 1)
#define FS_REFER (1ull << 13) /* ABI 2 */
#define FS_TRUNCATE (1ull << 14) /* ABI 3 */
#define FS_IOCTL_DEV (1ull << 15) /* ABI 5 */
/* The rights that a rule on something other than a folder may name. */
#define FS_ON_FILES (FS_EXECUTE | FS_WRITE_FILE | FS_READ_FILE | FS_TRUNCATE | FS_IOCTL_DEV)

#define NET_TCP (3ull) /* bind and connect, ABI 4 */
#define SCOPED (3ull) /* abstract sockets and signals, ABI 6 */

/* struct landlock_ruleset_attr as of ABI 6; an older kernel is given only the part it knows. */
struct ruleset {
	uint64_t fs, net, scoped;
};

struct path_rule {
	uint64_t allowed;
	int32_t parent;
} __attribute__((packed));

static const unsigned long long rights[KMLN_ACCESS_KINDS] = {
	[KMLN_ACCESS_READ] = FS_READ_FILE | FS_READ_DIR,
	[KMLN_ACCESS_RUN] = FS_READ_FILE | FS_READ_DIR | FS_EXECUTE,
	/* nothing that was written can be executed, and no device nodes are made */
	[KMLN_ACCESS_WRITE] =
		(FS_ABI1 & ~(FS_EXECUTE | FS_MAKE_CHAR | FS_MAKE_BLOCK)) | FS_REFER | FS_TRUNCATE,
	[KMLN_ACCESS_DEVICE] = FS_READ_FILE | FS_WRITE_FILE | FS_IOCTL_DEV,
};

int kmln_landlock_abi(void)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, CREATE_RULESET_VERSION);

	return abi > 0 ? (int)abi : 0;
}

static int open_rules(struct kmln_landlock *landlock, uint64_t net, struct kmln_error *err)
{
	int abi = kmln_landlock_abi();
	struct ruleset set = {.fs = FS_ABI1};
	size_t size = abi >= 6 ? 24 : abi >= 4 ? 16 : 8;

	*landlock = (struct kmln_landlock){.fd = -1};
	if (!abi)
		return 0;
	set.fs |= abi >= 2 ? FS_REFER : 0;
	set.fs |= abi >= 3 ? FS_TRUNCATE : 0;
	set.fs |= abi >= 5 ? FS_IOCTL_DEV : 0;
	set.net = abi >= 4 ? net : 0;
	set.scoped = abi >= 6 ? SCOPED : 0;
	landlock->handled = set.fs;
	landlock->fd = (int)syscall(SYS_landlock_create_ruleset, &set, size, 0);
	return landlock->fd < 0 ? kmln_fail_sys(err, errno, "Landlock (ABI %d)", abi) : 0;
}

int kmln_landlock_open(struct kmln_landlock *landlock, struct kmln_error *err)
{
	return open_rules(landlock, NET_TCP, err);
}

int kmln_landlock_open_network(struct kmln_landlock *landlock, struct kmln_error *err)
{
	return open_rules(landlock, 0, err);
}

int kmln_landlock_allow(struct kmln_landlock *landlock, const char *path, enum kmln_access access,
	struct kmln_error *err)
{
	struct path_rule rule = {.allowed = rights[access] & landlock->handled};
	KMLN_FD int fd = -1;
	struct stat st;

	if (landlock->fd < 0)
		return 0;
	fd = kmln_open(path, O_PATH, 0, err);
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return kmln_fail_sys(err, errno, "%s", path);
	if (!S_ISDIR(st.st_mode))
		rule.allowed &= FS_ON_FILES;
	rule.parent = fd;
	if (syscall(SYS_landlock_add_rule, landlock->fd, RULE_PATH_BENEATH, &rule, 0) < 0)
		return kmln_fail_sys(err, errno, "Landlock rule for %s", path);
	return 0;
}

int kmln_landlock_enforce(const struct kmln_landlock *landlock, struct kmln_error *err)
{
	/* also where there is no Landlock: no program that is started may gain rights */
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return kmln_fail_sys(err, errno, "no_new_privs");
	if (landlock->fd >= 0 && syscall(SYS_landlock_restrict_self, landlock->fd, 0) < 0)
		return kmln_fail_sys(err, errno, "Landlock");
	return 0;
}

void kmln_landlock_cleanup(struct kmln_landlock *landlock)
{
	kmln_close_cleanup(&landlock->fd);
}
