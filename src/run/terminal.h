/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The user's terminal while it is a machine's console: every key goes to the guest. It is given
 * back as it was on every way out, a crash of kmln's own included; only SIGKILL cannot be helped
 * (`stty sane` does).
 */
#ifndef KMLN_RUN_TERMINAL_H
#define KMLN_RUN_TERMINAL_H

#include <stdbool.h>

/* True where standard input was a terminal of ours and is now raw. */
bool kmln_terminal_raw(void);
/* Gives it back; harmless where it was not taken. */
void kmln_terminal_restore(void);

#endif
