/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Why a machine's program ended, out of its exit status and all that was said: by its walls, by
 * itself, and on its console. Pure.
 */
#ifndef KMLN_RUN_JUDGE_H
#define KMLN_RUN_JUDGE_H

#include "plan/actions.h"
#include "run/console.h"

struct kmln_ending {
	const struct kmln_spawn *spawn;
	const struct kmln_buf *walls; /* what its walls said */
	const struct kmln_console *console, *words;
	int status; /* 0-255 */
};

/*
 * 0 for a good end. KMLN_ELACK where the walls cannot be had, EBUSY where the image is in use, EIO
 * for all else.
 */
int kmln_judge(const struct kmln_ending *ending, struct kmln_error *err);

#endif
