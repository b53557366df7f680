// SPDX-License-Identifier: GPL-2.0-or-later
/* The user's terminal; see terminal.h. */
#include "run/terminal.h"

#include <signal.h>
#include <stddef.h>
#include <termios.h>
#include <unistd.h>

static struct termios before;
static volatile sig_atomic_t raw;

void kmln_terminal_restore(void)
{
	if (raw)
		tcsetattr(0, TCSADRAIN, &before);
	raw = 0;
}

/* tcsetattr and raise may be called in a handler; the action was reset, so the signal now kills. */
static void crashed(int number)
{
	kmln_terminal_restore();
	raise(number);
}

bool kmln_terminal_raw(void)
{
	static const int fatal[] = {SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGSYS};
	struct sigaction action = {.sa_handler = crashed, .sa_flags = (int)SA_RESETHAND};
	struct termios wanted;

	/* in the background the terminal belongs to somebody else */
	if (raw || !isatty(0) || tcgetpgrp(0) != getpgrp() || tcgetattr(0, &before) < 0)
		return raw;
	for (size_t i = 0; i < sizeof(fatal) / sizeof(fatal[0]); i++)
		sigaction(fatal[i], &action, NULL);
	wanted = before;
	cfmakeraw(&wanted);
	raw = 1;
	if (tcsetattr(0, TCSADRAIN, &wanted) < 0)
		raw = 0;
	return raw;
}
