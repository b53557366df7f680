// SPDX-License-Identifier: GPL-2.0-or-later
/* The commands, in the order in which --help lists them. A new command is a file and a line here.
 */
#include "cli/commands.h"

#include <stddef.h>

const struct kmln_command *const kmln_commands[] = {
	&kmln_command_doctor,
	&kmln_command_create,
	&kmln_command_inspect,
	&kmln_command_ls,
	&kmln_command_cat,
	&kmln_command_diff,
	&kmln_command_compare,
	&kmln_command_convert,
	&kmln_command_undo,
	&kmln_command_boot,
	&kmln_command_kernel,
	&kmln_command_validate,
	&kmln_command_plan,
	&kmln_command_build,
	&kmln_command_up,
	&kmln_command_down,
	&kmln_command_start,
	&kmln_command_stop,
	&kmln_command_status,
	&kmln_command_migrate,
	&kmln_command_list,
	&kmln_command_remove,
	&kmln_command_fmt,
	&kmln_command_export,
	&kmln_command_graph,
	&kmln_command_console,
	&kmln_command_logs,
	&kmln_command_exec,
	&kmln_command_cp,
	&kmln_command_ssh,
	&kmln_command_ssh_config,
	&kmln_command_confine,
	&kmln_command_end,
	&kmln_command_words,
	&kmln_command_connect,
	&kmln_command_hosts,
	NULL,
};
