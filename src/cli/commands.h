/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One declaration for each command's file. */
#ifndef KMLN_CLI_COMMANDS_H
#define KMLN_CLI_COMMANDS_H

#include "cli/cli.h"

extern const struct kmln_command kmln_command_doctor;
extern const struct kmln_command kmln_command_inspect, kmln_command_convert, kmln_command_create,
	kmln_command_kernel, kmln_command_undo;

extern const struct kmln_command kmln_command_ls, kmln_command_cat, kmln_command_diff,
	kmln_command_compare;
extern const struct kmln_command kmln_command_boot;
extern const struct kmln_command kmln_command_validate, kmln_command_fmt, kmln_command_plan,
	kmln_command_words;
extern const struct kmln_command kmln_command_confine;

extern const struct kmln_command kmln_command_build, kmln_command_list, kmln_command_remove,
	kmln_command_end;

extern const struct kmln_command kmln_command_up, kmln_command_down, kmln_command_start,
	kmln_command_stop, kmln_command_status, kmln_command_migrate;

extern const struct kmln_command kmln_command_export, kmln_command_graph;

extern const struct kmln_command kmln_command_console, kmln_command_cp, kmln_command_exec,
	kmln_command_logs, kmln_command_ssh, kmln_command_ssh_config;
extern const struct kmln_command kmln_command_connect, kmln_command_hosts;

#endif
