// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * In front of a machine's program, inside its namespaces: Landlock, no core dumps (a panic of UML
 * is an abort, and would leave the guest's memory on the disk), no inherited descriptors; see
 * sandbox.h.
 */
#include "run/sandbox.h"

#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/file.h"

static int make_file(const char *path, struct kmln_error *err)
{
	KMLN_FD int fd = kmln_open(path, O_CREAT | O_RDWR | O_NOFOLLOW, 0600, err);

	return fd < 0 ? fd : 0;
}

/* One rule, or how many lines to an agent the program is given. */
static int apply_rule(struct kmln_landlock *landlock, const char *word, const char *value,
	unsigned *channels, struct kmln_error *err)
{
	static const char *const words[KMLN_ACCESS_KINDS] = {
		[KMLN_ACCESS_READ] = "--read",
		[KMLN_ACCESS_RUN] = "--run",
		[KMLN_ACCESS_WRITE] = "--write",
		[KMLN_ACCESS_DEVICE] = "--device",
	};
	const bool new = kmln_eq(word, "--new");
	enum kmln_access access = new ? KMLN_ACCESS_WRITE : 0;

	if (kmln_eq(word, KMLN_SANDBOX_CHANNELS)) {
		if (value[0] < '1' || value[0] > '0' + KMLN_CHANNELS || value[1])
			return kmln_fail(err, KMLN_EUSAGE, "no number of channels: '%s'", value);
		*channels = (unsigned)(value[0] - '0');
		return 0;
	}
	if (new &&make_file(value, err) < 0)
		return -err->code;
	while (!new &&access < KMLN_ACCESS_KINDS && !kmln_eq(word, words[access]))
		access++;
	if (access == KMLN_ACCESS_KINDS)
		return kmln_fail(err, KMLN_EUSAGE, "no rule '%s'", word);
	return kmln_landlock_allow(landlock, value, access, err);
}

static int apply_rules(
	int argc, char **argv, int *program, unsigned *channels, struct kmln_error *err)
{
	KMLN_LANDLOCK struct kmln_landlock landlock = {.fd = -1};
	const bool network = argc && kmln_eq(argv[0], KMLN_SANDBOX_NETWORK);
	int i, r = network ? kmln_landlock_open_network(&landlock, err)
			   : kmln_landlock_open(&landlock, err);

	if (r < 0)
		return r;
	for (i = network; i + 1 < argc && !kmln_eq(argv[i], "--"); i += 2) {
		r = apply_rule(&landlock, argv[i], argv[i + 1], channels, err);
		if (r < 0)
			return r;
	}
	if (i + 1 >= argc)
		return kmln_fail(err, KMLN_EUSAGE, "which program?");
	*program = i + 1;
	return kmln_landlock_enforce(&landlock, err);
}

int kmln_sandbox_enter(int argc, char **argv, struct kmln_error *err)
{
	static const struct rlimit no_core = {0, 0};
	bool status = fcntl(KMLN_SANDBOX_STATUS, F_GETFD) >= 0;
	struct kmln_error ignored;
	unsigned channels = 0;
	int program = 0, r;

	r = apply_rules(argc, argv, &program, &channels, err);
	if (r == 0) {
		setrlimit(RLIMIT_CORE, &no_core);
		close_range(KMLN_CHANNEL + channels, ~0u, CLOSE_RANGE_CLOEXEC);
		if (status)
			fcntl(KMLN_SANDBOX_STATUS, F_SETFD, FD_CLOEXEC);
		/* nobody may be listening when people run the command of a --dry-run by hand */
		if (status)
			kmln_write_all(KMLN_SANDBOX_STATUS, "ok\n", 3, &ignored);
		execv(argv[program], argv + program);
		r = kmln_fail_sys(err, errno, "%s", argv[program]);
	}
	if (status)
		kmln_write_all(KMLN_SANDBOX_STATUS, err->text, strlen(err->text), &ignored);
	return r;
}
