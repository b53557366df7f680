// SPDX-License-Identifier: GPL-2.0-or-later
/* Help on stdout, at most 80 columns, and the bash completion: both printed from the option tables.
 */
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

#define HELP_COLUMN 26
#define WIDTH 80

/* Prints text from HELP_COLUMN on, wrapped at blanks. */
static void print_wrapped(const char *text)
{
	int column = HELP_COLUMN;

	while (*text) {
		int n = (int)strcspn(text, " ");

		if (column > HELP_COLUMN && column + 1 + n > WIDTH) {
			printf("\n%*s", HELP_COLUMN, "");
			column = HELP_COLUMN;
		} else if (column > HELP_COLUMN) {
			printf(" ");
			column++;
		}
		printf("%.*s", n, text);
		column += n;
		text += n + (text[n] == ' ');
	}
	printf("\n");
}

static void print_option(char letter, const char *name, const char *arg, const char *help)
{
	char left[64];
	int n = snprintf(left, sizeof(left), "  %c%c%s--%s%s%s", letter ? '-' : ' ',
		letter ? letter : ' ', letter ? ", " : "  ", name, arg ? " " : "", arg ? arg : "");

	printf("%-*s", HELP_COLUMN - 1, left);
	if (n >= HELP_COLUMN - 1)
		printf("\n%*s", HELP_COLUMN - 1, "");
	printf(" ");
	print_wrapped(help);
}

static void print_globals(void)
{
	print_option('q', "quiet", NULL, "say nothing but errors");
	print_option('v', "verbose", NULL, "say more of what is done");
	print_option('h', "help", NULL, "show this help");
}

void kmln_help_command(const struct kmln_command *command)
{
	printf("Usage: kmln %s [OPTIONS]%s%s\n\n%s.\n", command->name, *command->args ? " " : "",
		command->args, command->summary);
	if (command->details)
		printf("\n%s\n", command->details);
	printf("\nOptions:\n");
	for (const struct kmln_opt *o = command->opts; o->name; o++)
		print_option(o->letter, o->name, o->arg, o->help);
	print_globals();
	printf("\nMore in the manual: man kmln-%s\n", command->name);
}

void kmln_help_all(void)
{
	printf("Usage: kmln COMMAND [OPTIONS] [ARGUMENTS]\n\n"
	       "Runs Linux machines on whichever virtualisation the host offers, and moves\n"
	       "a machine from one to another with its software and settings kept.\n\n"
	       "Commands:\n");
	for (const struct kmln_command *const *c = kmln_commands; *c; c++)
		if (!(*c)->hidden)
			printf("  %-10s %s\n", (*c)->name, (*c)->summary);
	printf("\nOptions:\n");
	print_globals();
	print_option(0, "version", NULL, "show the version");
	printf("\n`kmln COMMAND --help` tells more, and the manual: man kmln\n");
}

static void print_choices(const struct kmln_command *c)
{
	for (const struct kmln_opt *o = c->opts; o->name; o++) {
		if (o->kind == KMLN_OPT_FLAG)
			continue;
		printf("\t%s:--%s", c->name, o->name);
		if (o->letter)
			printf("|%s:-%c", c->name, o->letter);
		printf(") ");
		if (o->kind == KMLN_OPT_CHOICE) {
			printf("COMPREPLY=($(compgen -W '");
			for (const char *const *w = o->choices; *w; w++)
				printf("%s%s", w == o->choices ? "" : " ", *w);
			printf("' -- \"$cur\"))");
		} else if (o->kind == KMLN_OPT_FILE || o->kind == KMLN_OPT_FILES) {
			printf("_kmln_files -f");
		} else if (o->kind == KMLN_OPT_FOLDER) {
			printf("_kmln_files -d");
		} else {
			printf("COMPREPLY=()");
		}
		printf("; return ;;\n");
	}
}

/* What completes the arguments of a command, or nothing. */
static void print_arguments(const struct kmln_command *c)
{
	if (!c->complete_words && !c->complete_files && !c->complete_hosts)
		return;
	printf("\t%s:*) ", c->name);
	if (c->complete_words) {
		printf("COMPREPLY=($(compgen -W '");
		for (const char *const *w = c->complete_words; *w; w++)
			printf("%s%s", w == c->complete_words ? "" : " ", *w);
		printf("' -- \"$cur\")); ");
	}
	/* a host whose files are meant has a colon behind it */
	if (c->complete_hosts)
		printf("_kmln_hosts %s; ", c->complete_files ? ":" : "''");
	if (c->complete_files)
		printf("_kmln_files -f; ");
	printf(";;\n");
}

void kmln_completion_bash(void)
{
	printf("# bash completion for kmln; made from the option tables when kmln was built\n"
	       "_kmln_files()\n{\n"
	       "\tlocal name\n"
	       "\tcompopt -o filenames 2>/dev/null\n"
	       "\twhile IFS= read -r name; do COMPREPLY+=(\"$name\"); done < <(compgen \"$1\" -- \"$cur\")\n"
	       "}\n\n"
	       "# the hosts of the project that the line names, else of the one here\n"
	       "_kmln_hosts()\n{\n"
	       "\tlocal i at which=()\n"
	       "\tfor ((i = 2; i < COMP_CWORD; i++)); do\n"
	       "\t\tat=$((i + 1))\n"
	       "\t\t[ \"${COMP_WORDS[at]-}\" != = ] || at=$((i + 2))\n"
	       "\t\tcase ${COMP_WORDS[i]} in\n"
	       "\t\t-p|--project) which=(-p \"${COMP_WORDS[at]-}\") ;;\n"
	       "\t\t--file) which=(-f \"${COMP_WORDS[at]-}\") ;;\n"
	       "\t\t-f) [ \"$cmd\" = logs ] || which=(-f \"${COMP_WORDS[at]-}\") ;;\n"
	       "\t\tesac\n\tdone\n"
	       "\t[ -z \"$1\" ] || compopt -o nospace 2>/dev/null\n"
	       "\tCOMPREPLY+=($(compgen -W \"$(\"${COMP_WORDS[0]}\" _hosts \"${which[@]}\" 2>/dev/null)\" -S \"$1\" -- \"$cur\"))\n"
	       "}\n\n"
	       "_kmln()\n{\n"
	       "\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} cmd=${COMP_WORDS[1]}\n"
	       "\tCOMPREPLY=()\n"
	       "\t# bash splits --option=value into three words\n"
	       "\tif [ \"$cur\" = = ]; then\n\t\tcur=\n"
	       "\telif [ \"$prev\" = = ]; then\n\t\tprev=${COMP_WORDS[COMP_CWORD-2]}\n\tfi\n"
	       "\tif [ \"$COMP_CWORD\" -eq 1 ]; then\n\t\tCOMPREPLY=($(compgen -W '");
	for (const struct kmln_command *const *c = kmln_commands; *c; c++)
		if (!(*c)->hidden)
			printf("%s ", (*c)->name);
	printf("--help --version' -- \"$cur\"))\n\t\treturn\n\tfi\n\tcase \"$cmd:$prev\" in\n");
	for (const struct kmln_command *const *c = kmln_commands; *c; c++)
		if (!(*c)->hidden)
			print_choices(*c);
	printf("\tesac\n\tcase \"$cmd:$cur\" in\n");
	for (const struct kmln_command *const *c = kmln_commands; *c; c++) {
		if ((*c)->hidden)
			continue;
		printf("\t%s:-*) COMPREPLY=($(compgen -W '", (*c)->name);
		for (const struct kmln_opt *o = (*c)->opts; o->name; o++)
			printf("--%s ", o->name);
		printf("--quiet --verbose --help' -- \"$cur\")) ;;\n");
		print_arguments(*c);
	}
	printf("\tesac\n}\ncomplete -F _kmln kmln\n");
}
