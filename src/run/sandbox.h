/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The walls around one machine: root in a guest must reach nothing of the user's (with UML's hostfs
 * it could otherwise read and write every file that the user can).
 *
 * First wall: namespaces of its own (user, mount, PID, IPC, UTS, network, cgroup), made by
 * bubblewrap because some distributions grant user namespaces to that program only. In them exist
 * the host's /usr read only, five devices, empty folders in memory, the machine's own private
 * folder, and the files it was given, at fixed names. Second wall: Landlock, by `kmln _confine` in
 * front of the machine's program. It must start inside, since who has given up rights by Landlock
 * may mount nothing any more; so kmln's own program is bound there, read only.
 *
 * Without the first wall (kmln boot --unconfined) the fixed names are links in the private folder,
 * so that even then no byte of a user's path stands in the machine's command line.
 *
 * Looking at the host is one function; making the command is pure.
 */
#ifndef KMLN_RUN_SANDBOX_H
#define KMLN_RUN_SANDBOX_H

#include "plan/actions.h"
#include "base/landlock.h"

struct kmln_share {
	const char *host; /* absolute, any bytes */
	const char *inside; /* absolute */
	enum kmln_access access;
};

/* A folder of the host's root: a link into /usr, or (target NULL) a real folder. */
struct kmln_root_folder {
	const char *path, *target;
};

struct kmln_sandbox {
	struct kmln_pool *pool; /* borrowed */
	bool confined; /* false: Landlock alone */
	bool host_network; /* the network namespace is the host's: for what leads outside */
	int landlock; /* ABI; 0: none */
	const char *bwrap; /* where it is; NULL: not there, or not wanted */
	const char *self; /* kmln's own program */
	struct kmln_root_folder *folders;
	size_t folder_count;
	bool ld_cache; /* /etc/ld.so.cache is there */
	bool owns_devices; /* the host's devices are ours: their modes could be changed */
	struct kmln_share *shares;
	size_t share_count;
	unsigned channels; /* lines to an agent in the guest; see plan/actions.h */
	uint64_t shm; /* bytes that may be stored in /dev/shm */
};

/* What the machine's program is told about its surroundings. */
#define KMLN_SANDBOX_SHM "/dev/shm"

/*
 * Looks at the host. Fails with KMLN_ELACK where the walls that are wanted cannot be had: no
 * bubblewrap; or `confined` is false and there is no program of our own to stand in front.
 */
int kmln_sandbox_look(struct kmln_sandbox *sandbox, struct kmln_pool *pool, bool confined,
	struct kmln_error *err);

/* The machine's private, writable folder as its program sees it. */
const char *kmln_sandbox_run(const struct kmln_sandbox *sandbox);
/*
 * Gives the machine the host's absolute path `host` under `name` (one word of our own). Returns the
 * path that its program sees.
 */
const char *kmln_sandbox_share(
	struct kmln_sandbox *sandbox, const char *host, const char *name, enum kmln_access access);
/* Gives it a file or a device under its own name. */
void kmln_sandbox_share_as_is(
	struct kmln_sandbox *sandbox, const char *path, enum kmln_access access);

/*
 * Makes the spawn of `program` (an argument vector with an absolute argv[0]) behind these walls, in
 * the pool of the actions. `tmpdir` is its TMPDIR; NULL: the private folder. What the walls were
 * told to share is named, not copied: their pool must live as long as the actions.
 */
void kmln_sandbox_spawn(const struct kmln_sandbox *sandbox, const struct kmln_strv *program,
	const char *tmpdir, struct kmln_actions *actions, struct kmln_spawn *spawn);

/*
 * Makes the spawn of a program that starts a machine which is no process of this host: whoever runs
 * it (a hypervisor) holds it, and no walls stand in front of the program. `ending` takes the
 * machine away; `why` says all this, for people.
 */
void kmln_sandbox_none(const struct kmln_strv *program, const struct kmln_strv *ending,
	const char *why, struct kmln_actions *actions, struct kmln_spawn *spawn);

/* The error where the first wall cannot be had: the cause, what it means, and the way on. */
int kmln_sandbox_lack(const char *cause, struct kmln_error *err);

/*
 * The front of a machine's program, inside: applies Landlock with the given rules, says "ok" on
 * the descriptor KMLN_SANDBOX_STATUS, and becomes the program. Returns only where that fails; the
 * cause is then also written to the descriptor. `argv`: "--run PATH", "--read PATH", "--write
 * PATH", "--device PATH", "--new PATH" (a file that is made, empty, and may be written) in any
 * number, "--", and the program's own vector.
 */
#define KMLN_SANDBOX_STATUS 3
/* In front of these, for a program whose work is the host's network. */
#define KMLN_SANDBOX_NETWORK "--network"
/* Among these: how many descriptors behind the status pass. */
#define KMLN_SANDBOX_CHANNELS "--channels"
int kmln_sandbox_enter(int argc, char **argv, struct kmln_error *err);

#endif
