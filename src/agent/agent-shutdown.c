// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Switching the guest off, whatever its init is and however far it has come: init is told by a
 * signal where it takes one, since that needs no other program and no bus; it is told again, since
 * early in a boot it may not listen yet; and if all of that did nothing, the kernel is.
 */
#include "agent/agent.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/reboot.h>
#include <unistd.h>

#include "base/file.h"

enum how { POWERDOWN, HALT, REBOOT };

/* systemd's signals, above SIGRTMIN as the kernel has it: libc's own keeps some for itself. */
#define KERNEL_SIGRTMIN 34
#define SYSTEMD_HALT (KERNEL_SIGRTMIN + 3)
#define SYSTEMD_POWEROFF (KERNEL_SIGRTMIN + 4)
#define SYSTEMD_REBOOT (KERNEL_SIGRTMIN + 5)

#define AGAIN 5 /* seconds */
/* Services may take their time; systemd gives each of them 90 seconds. */
#define LAST_RESORT 180

static const struct {
	const char *word;
	const char *flag; /* of shutdown(8) */
	int systemd, busybox; /* signals */
	int kernel;
} ways[] = {
	[POWERDOWN] = {"powerdown", "-P", SYSTEMD_POWEROFF, SIGUSR2, RB_POWER_OFF},
	[HALT] = {"halt", "-H", SYSTEMD_HALT, SIGUSR1, RB_HALT_SYSTEM},
	[REBOOT] = {"reboot", "-r", SYSTEMD_REBOOT, SIGTERM, RB_AUTOBOOT},
};

static bool ends_in(const char *path, const char *name)
{
	const char *slash = strrchr(path, '/');

	return strcmp(slash ? slash + 1 : path, name) == 0;
}

/* The program that runs as PID 1; "" where it is not known. */
static void init_program(char *path, size_t size)
{
	ssize_t n = readlink("/proc/1/exe", path, size - 1);

	path[n < 0 ? 0 : n] = '\0';
}

static void run(const char *const *argv)
{
	pid_t pid = fork();

	if (pid == 0) {
		execv(argv[0], (char *const *)argv);
		_exit(127);
	}
}

/* sysvinit, upstart and others: by their own program. */
static bool tell_program(enum how how)
{
	static const char *const places[] = {"/sbin/shutdown", "/usr/sbin/shutdown"};

	for (size_t i = 0; i < KMLN_COUNT(places); i++) {
		const char *const argv[] = {places[i], ways[how].flag, "now", NULL};
		const char *const old[] = {places[i], "-h", "now", NULL};

		if (access(places[i], X_OK) < 0)
			continue;
		run(argv);
		/* one that does not know the flag says so at once */
		if (how != REBOOT) {
			sleep(1);
			run(old);
		}
		return true;
	}
	return false;
}

/* False where this init listens to nobody. */
static bool tell_init(enum how how)
{
	char program[256];

	init_program(program, sizeof(program));
	/* it is at it already, and takes no more signals */
	if (ends_in(program, "systemd-shutdown"))
		return true;
	if (ends_in(program, "systemd"))
		return kill(1, ways[how].systemd) == 0;
	if (ends_in(program, "busybox") && getpid() != 1)
		return kill(1, ways[how].busybox) == 0;
	if (ends_in(program, "init") || ends_in(program, "upstart") ||
		ends_in(program, "openrc-init") || !*program)
		return tell_program(how);
	return false;
}

static void write_word(const char *path, const char *word)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (write(fd, word, strlen(word)) < 0) {
		/* the next step follows all the same */
	}
	close(fd);
}

/* No init helps: what is on the disk is made whole first. */
static void tell_kernel(enum how how)
{
	kill(-1, SIGTERM);
	sleep(2);
	sync();
	/* all filesystems become read-only; this takes a moment */
	write_word("/proc/sys/kernel/sysrq", "1");
	write_word("/proc/sysrq-trigger", "u");
	sleep(1);
	sync();
	reboot(ways[how].kernel);
}

static void shut_down(void *data)
{
	const enum how how = *(enum how *)data;

	/* it does not resist: who ends it is at the shutdown already, and would wait for it */
	for (int waited = 0; waited < LAST_RESORT; waited += AGAIN) {
		if (!tell_init(how))
			break;
		sleep(AGAIN);
	}
	tell_kernel(how);
}

struct kmln_json *agent_call_shutdown(
	struct agent *agent, const struct kmln_json *arguments, struct kmln_error *err)
{
	const char *mode = kmln_json_get(arguments, "mode");

	(void)agent;
	for (size_t i = 0; i < KMLN_COUNT(ways); i++) {
		enum how how = (enum how)i;

		if (!kmln_eq(mode ? mode : "powerdown", ways[i].word))
			continue;
		agent_start_aside(shut_down, &how, err);
		return NULL;
	}
	kmln_fail(err, EINVAL, "no such mode");
	return NULL;
}
