// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * kmln: finds the command, parses its options, runs it, prints its error. The only place that
 * chooses an exit status, and with the commands the only one that prints.
 */
#include "cli/cli.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/nearest.h"

int kmln_verbosity;
const char *const kmln_formats[] = {"text", "json", NULL};

static bool progress_shown;

static void clear_progress(void)
{
	if (progress_shown)
		fprintf(stderr, "\r\033[K");
	progress_shown = false;
}

static void log_to_stderr(enum kmln_level level, const char *text)
{
	static const char *const heads[] = {"warning: ", "", "debug: "};

	if ((level == KMLN_LOG_NOTE && kmln_verbosity < 0) ||
		(level == KMLN_LOG_DEBUG && kmln_verbosity < 1))
		return;
	clear_progress();
	fprintf(stderr, "kmln: %s%s\n", heads[level], text);
}

/* Drawn on a terminal only, from the first second on, at most ten times a second. */
static void progress_to_stderr(const char *what, unsigned long long done, unsigned long long total)
{
	static struct timespec start, drawn;
	static const char *current;
	struct timespec now;

	if (!total) {
		current = NULL;
		clear_progress();
		return;
	}
	clock_gettime(CLOCK_MONOTONIC, &now);
	if (current != what) {
		current = what;
		start = now;
	}
	if (now.tv_sec - start.tv_sec < 1 ||
		(now.tv_sec == drawn.tv_sec &&
			now.tv_nsec / 100000000 == drawn.tv_nsec / 100000000))
		return;
	drawn = now;
	progress_shown = true;
	fprintf(stderr, "\r\033[Kkmln: %s %3llu %%", what, done * 100 / total);
}

static const struct kmln_command *find_command(const char *name)
{
	for (const struct kmln_command *const *c = kmln_commands; *c; c++)
		if (kmln_eq((*c)->name, name))
			return *c;
	return NULL;
}

/* Descriptors 0 to 2 exist from here on: an image must never be opened as our standard output. */
static void open_standard_descriptors(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	while (fd >= 0 && fd < 3);
	if (fd >= 3)
		close(fd);
}

static int report(const struct kmln_error *err)
{
	clear_progress();
	/* no text: the command has said it in its own way */
	if (err->text[0])
		fprintf(stderr, "kmln: %s\n", err->text);
	return kmln_exit_status(err);
}

static int run_command(const struct kmln_command *command, int argc, char **argv)
{
	KMLN_FREE void *values = calloc(1, command->opts_size + 1);
	struct kmln_error err = {0};
	bool help = false;
	int args = argc, failed = 0, r = 0;

	if (!values)
		abort();
	if (command->parse)
		r = command->parse(values, argc, argv, &args, &help, &err);
	else if (!command->raw)
		r = kmln_opts_parse(command, values, argc, argv, &args, &help, &err);
	if (help) {
		kmln_help_command(command);
		kmln_opts_fini(command, values);
		return 0;
	}
	if (r == 0 && args < command->min_args)
		r = kmln_fail(&err, KMLN_EUSAGE, "%s: needs %s (kmln %s --help)", command->name,
			command->args, command->name);
	else if (r == 0 && command->max_args >= 0 && args > command->max_args)
		r = kmln_fail(&err, KMLN_EUSAGE, "%s: '%s' is one argument too many", command->name,
			argv[command->max_args]);
	if (r == 0) {
		r = command->run(values, args, argv, &err);
		failed = command->failed_status;
	}
	kmln_opts_fini(command, values);
	if (r >= 0) {
		/* a status that is not kmln's own may have its reason */
		if (r && err.code)
			report(&err);
		return r;
	}
	r = report(&err);
	return failed && err.code != KMLN_EUSAGE ? failed : r;
}

/* Output that could not be written turns success into failure. */
static int finish(int status)
{
	struct kmln_error err;

	if (status == 0 && (fflush(stdout) || ferror(stdout))) {
		kmln_fail_sys(&err, errno ? errno : EIO, "standard output");
		return report(&err);
	}
	return status;
}

static int unknown_command(const char *name)
{
	struct kmln_error err;
	const char *near = NULL;
	size_t best = SIZE_MAX;

	for (const struct kmln_command *const *c = kmln_commands; *c; c++) {
		size_t distance = (*c)->hidden ? SIZE_MAX : kmln_distance(name, (*c)->name);

		if (distance < best) {
			best = distance;
			near = (*c)->name;
		}
	}
	if (near)
		kmln_fail(&err, KMLN_EUSAGE, "no command '%s'; did you mean %s?", name, near);
	else
		kmln_fail(&err, KMLN_EUSAGE, "no command '%s'; `kmln --help` lists them", name);
	return report(&err);
}

int main(int argc, char **argv)
{
	const struct kmln_command *command;

	open_standard_descriptors();
	umask(umask(0) | 022);
	kmln_log_set(log_to_stderr);
	if (isatty(2))
		kmln_progress_set(progress_to_stderr);
	/* what every command takes may stand before its name as well */
	while (argc > 1 && kmln_opts_loudness(argv[1])) {
		argv++;
		argc--;
	}
	if (argc < 2) {
		fprintf(stderr, "kmln: which command? `kmln --help` lists them\n");
		return 2;
	}
	if (kmln_eq(argv[1], "--help") || kmln_eq(argv[1], "-h") || kmln_eq(argv[1], "help")) {
		command = argc > 2 ? find_command(argv[2]) : NULL;
		if (argc > 2 && !command)
			return unknown_command(argv[2]);
		if (command)
			kmln_help_command(command);
		else
			kmln_help_all();
		return finish(0);
	}
	if (kmln_eq(argv[1], "--version")) {
		printf("kmln %s\n", KMLN_VERSION);
		return finish(0);
	}
	if (kmln_eq(argv[1], "--completion-bash")) {
		kmln_completion_bash();
		return finish(0);
	}
	command = find_command(argv[1]);
	if (!command)
		return unknown_command(argv[1]);
	return finish(run_command(command, argc - 2, argv + 2));
}
