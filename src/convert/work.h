/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What one conversion holds, between its course (convert.c) and its carrying out (carry-out.c). */
#ifndef KMLN_CONVERT_WORK_H
#define KMLN_CONVERT_WORK_H

#include "convert/beside.h"
#include "convert/convert.h"
#include "convert/opened.h"
#include "plan/edits.h"

struct kmln_work {
	const struct kmln_convert *job;
	struct kmln_opened image;
	struct kmln_choice choice;
	struct kmln_goal goal;
	struct kmln_strv paths; /* of packages, which facts must know to be planned with */
	struct kmln_pool *pool; /* of goal and edits */
	struct kmln_edits edits;
	struct kmln_beside beside; /* files that come with the image */
};

/* All up to the finished plan; *work is to be given back whatever comes of it. */
int kmln_work_begin(struct kmln_work *work, const struct kmln_convert *job, struct kmln_error *err);
void kmln_work_fini(struct kmln_work *work);
#define KMLN_WORK KMLN_CLEANUP(kmln_work_fini)
/* The plan for these facts, with the goal of this conversion. */
int kmln_work_plan(const struct kmln_work *work, const struct kmln_facts *facts,
	struct kmln_edits *edits, struct kmln_error *err);
/* Makes what was planned, proves it, and only then lets it be seen. */
int kmln_carry_out(struct kmln_work *work, struct kmln_error *err);

#endif
