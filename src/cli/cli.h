/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The command line. A command is a file here that exports one `struct kmln_command`, and a line in
 * commands.c. Its option table is the parser, the help and the completion at once; the man page
 * says more, and a test holds it to the table.
 *
 * Data goes to stdout, all else to stderr. A command returns 0 or a negative code with err filled;
 * main prints the error and chooses the exit status.
 */
#ifndef KMLN_CLI_CLI_H
#define KMLN_CLI_CLI_H

#include "base/mem.h"

enum kmln_opt_kind {
	KMLN_OPT_FLAG, /* bool */
	KMLN_OPT_TEXT, /* const char * */
	KMLN_OPT_FILE, /* const char *, completed as a file name */
	KMLN_OPT_FILES, /* struct kmln_strv: repeatable, each completed as a file name */
	KMLN_OPT_FOLDER, /* const char *, completed as a folder */
	KMLN_OPT_SIZE, /* uint64_t bytes: 1G, 512M, 4096; K M G T are powers of 1024 */
	KMLN_OPT_NUMBER, /* uint64_t */
	KMLN_OPT_CHOICE, /* const char *, one of `choices` */
	KMLN_OPT_LIST, /* struct kmln_strv: repeatable, and commas separate */
	KMLN_OPT_STEPS, /* struct kmln_strv: "NAME=VALUE" in the order given; several options share
			   one */
};

struct kmln_opt {
	const char *name; /* without the dashes */
	char letter; /* short form, or 0 */
	enum kmln_opt_kind kind;
	const char *arg; /* how the value is called in help; NULL for a flag */
	const char *help;
	size_t offset; /* of the value in the command's own option struct */
	const char *const *choices; /* NULL-ended */
};

struct kmln_command {
	const char *name;
	const char *args; /* for the usage line: "IMAGE" */
	const char *summary; /* one line, starts with a verb */
	const char *details; /* a few lines more for --help, or NULL */
	const struct kmln_opt *opts; /* ends with a NULL name */
	size_t opts_size; /* of the option struct, which starts zeroed */
	int min_args, max_args;
	int rest_from; /* from its argument of this number (1: the first) on no word is an option;
			  0: options may stand anywhere */
	int failed_status; /* its exit status for every failure but a wrong command line; 0: by the
			      error */
	bool hidden; /* not in help and completions */
	bool raw; /* arguments are the command's own: no option is parsed */
	bool complete_files; /* its arguments are files */
	bool complete_hosts; /* or hosts of the project */
	const char *const *complete_words; /* or the first is one of these; NULL-ended */
	/* Instead of kmln_opts_parse(), for words with an order of their own; or NULL. */
	int (*parse)(
		void *opts, int argc, char **argv, int *args, bool *help, struct kmln_error *err);
	/* A positive result is the exit status; err may say why. */
	int (*run)(const void *opts, int argc, char **argv, struct kmln_error *err);
};

extern const struct kmln_command *const kmln_commands[]; /* ends with NULL, sorted by use */

/* Set by -q and -v before a command runs. */
extern int kmln_verbosity; /* -1 quiet, 0, 1 verbose */

/* --format text|json, for every command that shows something. */
extern const char *const kmln_formats[];
#define KMLN_OPT_FORMAT(type) \
	{ \
		"format", 0, KMLN_OPT_CHOICE, "FORMAT", "how to show it: text (default) or json", \
			offsetof(type, format), kmln_formats \
	}
/* --allow-backing, for every command that opens an image. */
#define KMLN_OPT_BACKING(type) \
	{ \
		"allow-backing", 0, KMLN_OPT_FLAG, NULL, \
			"open the backing, data and extent files that the image names", \
			offsetof(type, backing), NULL \
	}
/* --root, for every command that looks for a guest on a disk; the number is a uint64_t. */
#define KMLN_OPT_ROOT(type) \
	{ \
		"root", 0, KMLN_OPT_NUMBER, "N", \
			"the root filesystem is in partition N, where a disk has several", \
			offsetof(type, root), NULL \
	}
#define KMLN_OPT_END \
	{ \
		.name = NULL \
	}

/* opts.c: fills `values`; argv is permuted so that arguments start at *first. */
int kmln_opts_parse(const struct kmln_command *command, void *values, int argc, char **argv,
	int *first, bool *help, struct kmln_error *err);
/* True for -q and -v, which are then carried out. */
bool kmln_opts_loudness(const char *word);
void kmln_opts_fini(const struct kmln_command *command, void *values);
/* "1G" -> bytes. */
int kmln_parse_size(const char *text, uint64_t *bytes, struct kmln_error *err);

/* help.c */
void kmln_help_all(void);
void kmln_help_command(const struct kmln_command *command);
/* The bash completion, made from the tables at build time. */
void kmln_completion_bash(void);

#endif
