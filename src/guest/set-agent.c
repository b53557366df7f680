// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * kmln-agent and what starts it: as early as the guest's init can, and again when it ends. The
 * second serial line is its own: a login there would take half of what it is told.
 */
#include <string.h>

#include "guest/set.h"

#define PROGRAM "/usr/lib/kmln/kmln-agent"
#define UNIT "/etc/systemd/system/kmln-agent.service"
#define WANTS "/etc/systemd/system/sysinit.target.wants/kmln-agent.service"
#define GETTY "/etc/systemd/system/serial-getty@ttyS1.service"
#define INITTAB "/etc/inittab"
#define SERVICE "/etc/init.d/kmln-agent"
#define RUNLEVEL "/etc/runlevels/sysinit/kmln-agent"
#define LINE "ttyS1"
#define WHY "the agent, by which the host reaches it"

extern const char kmln_agent_program[], kmln_agent_program_end[];

/* It starts before anything is mounted, and ends with the last process. */
static const char unit[] = "# written by kmln\n[Unit]\nDescription=kmln: agent of the host\n"
			   "DefaultDependencies=no\nIgnoreOnIsolate=yes\n"
			   "StartLimitIntervalSec=0\n\n"
			   "[Service]\nExecStart=" PROGRAM "\nRestart=always\nRestartSec=1\n"
			   "KillMode=process\nTasksMax=infinity\n\n"
			   "[Install]\nWantedBy=sysinit.target\n";

static const char service[] = "#!/sbin/openrc-run\n# written by kmln\n"
			      "description=\"kmln: agent of the host\"\n"
			      "supervisor=supervise-daemon\ncommand=" PROGRAM "\n"
			      "respawn_max=0\nrespawn_delay=1\n";

static void look(const struct kmln_set *set, struct kmln_strv *paths)
{
	(void)set;
	kmln_set_look(paths, PROGRAM);
	kmln_set_look(paths, UNIT);
	kmln_set_look(paths, WANTS);
	kmln_set_look(paths, GETTY);
	kmln_set_look(paths, INITTAB);
	kmln_set_look(paths, SERVICE);
	kmln_set_look(paths, RUNLEVEL);
}

static int put(struct kmln_set *set, const char *path, const char *data, size_t size, uint32_t mode,
	struct kmln_error *err)
{
	const struct kmln_set_file file = {.path = path, .data = data, .size = size, .mode = mode};

	return kmln_set_own(set, &file, WHY, err);
}

/* Its sum is taken once, however many guests get it. */
static int put_program(struct kmln_set *set, struct kmln_error *err)
{
	struct kmln_set_memo *memo = set->settings->memo;
	struct kmln_set_file file = {
		.path = PROGRAM,
		.data = kmln_agent_program,
		.size = (size_t)(kmln_agent_program_end - kmln_agent_program),
		.mode = 0755,
	};

	if (memo && !memo->agent_sum)
		memo->agent_sum = kmln_set_sum(memo->pool, file.data, file.size);
	file.sum = memo ? memo->agent_sum : NULL;
	return kmln_set_own(set, &file, WHY, err);
}

/* ---- inittab ---- */

static const char *next_line(const char *line)
{
	line += strcspn(line, "\n");
	return *line ? line + 1 : line;
}

/* The fields of a line that is no comment: "ID:LEVELS:ACTION:PROCESS". */
static bool read_line(struct kmln_pool *pool, const char *line, char *fields[4])
{
	char *rest = kmln_pool_memdup(pool, line, strcspn(line, "\n"));

	for (size_t i = 0; i < 3; i++)
		fields[i] = rest ? strsep(&rest, ":") : NULL;
	fields[3] = rest;
	return rest && *line != '#';
}

/* sysvinit wants names of lines, and says where it begins; busybox takes the name for a terminal.
 */
static bool is_sysvinit(struct kmln_pool *pool, const char *text)
{
	char *fields[4];

	for (const char *line = text; *line; line = next_line(line))
		if (read_line(pool, line, fields) && strcmp(fields[2], "initdefault") == 0)
			return true;
	return false;
}

/* Logins on the agent's line stay, as comments. */
static int silence_logins(struct kmln_set *set, const char *text, struct kmln_error *err)
{
	int r = 0;

	for (const char *line = text; r == 0 && *line; line = next_line(line)) {
		const char *whole = kmln_pool_memdup(set->pool, line, strcspn(line, "\n"));
		char *fields[4];

		if (!read_line(set->pool, line, fields) || strcmp(fields[2], "respawn") != 0 ||
			!(strcmp(fields[0], LINE) == 0 || strstr(fields[3], LINE)))
			continue;
		r = kmln_set_line(set, INITTAB, whole,
			kmln_pool_printf(set->pool, "#kmln %s", whole), WHY, err);
	}
	return r;
}

static int run_by_inittab(struct kmln_set *set, struct kmln_error *err)
{
	const struct kmln_set_text *there = kmln_set_text_there(set, INITTAB);
	const char *text = there ? kmln_pool_strdup(set->pool, there->text.data) : "";
	KMLN_BUF struct kmln_buf body = {0};
	int r = silence_logins(set, text, err);

	if (r < 0)
		return r;
	kmln_buf_printf(&body, "%s:respawn:" PROGRAM "\n",
		is_sysvinit(set->pool, text) ? "kmln:12345" : ":");
	return kmln_set_block(set, INITTAB, "agent", &body, false, WHY, err);
}

/* ---- by init ---- */

static int run_by_systemd(struct kmln_set *set, struct kmln_error *err)
{
	int r = put(set, UNIT, unit, sizeof(unit) - 1, 0644, err);

	if (r == 0)
		r = kmln_set_link(set, WANTS, UNIT, WHY, err);
	/* none is started there but by the kernel's console= or by hand */
	if (r == 0)
		r = kmln_set_link(set, GETTY, "/dev/null", WHY, err);
	return r;
}

static int run_by_openrc(struct kmln_set *set, struct kmln_error *err)
{
	int r = put(set, SERVICE, service, sizeof(service) - 1, 0755, err);

	return r < 0 ? r : kmln_set_link(set, RUNLEVEL, SERVICE, WHY, err);
}

static int run_it(struct kmln_set *set, struct kmln_error *err)
{
	enum kmln_init init = set->facts->init;

	if (init == KMLN_INIT_SYSTEMD)
		return run_by_systemd(set, err);
	if (kmln_set_there(set, INITTAB) &&
		(init == KMLN_INIT_SYSVINIT || init == KMLN_INIT_BUSYBOX ||
			init == KMLN_INIT_OPENRC))
		return run_by_inittab(set, err);
	if (init == KMLN_INIT_OPENRC)
		return run_by_openrc(set, err);
	return kmln_fail(err, KMLN_EINVALID, "the guest's init (%s) has no place for the agent",
		kmln_init_name(init));
}

static int plan(struct kmln_set *set, struct kmln_error *err)
{
	KMLN_BUF struct kmln_buf none = {0};
	int r;

	if (!set->settings->agent)
		return kmln_set_block(set, INITTAB, "agent", &none, false, WHY, err);
	r = put_program(set, err);
	return r < 0 ? r : run_it(set, err);
}

const struct kmln_setting kmln_set_agent = {.name = "agent", .look = look, .plan = plan};
