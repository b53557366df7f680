/* SPDX-License-Identifier: GPL-2.0-or-later */
/* debconf's database: what it writes down when it reads the templates of a package. Pure. */
#ifndef KMLN_GUEST_DEBCONF_H
#define KMLN_GUEST_DEBCONF_H

#include "base/mem.h"

/*
 * Appends the records for a package's templates file: to `questions` those of config.dat, to
 * `templates` those of templates.dat, each with an empty line behind it.
 */
void kmln_debconf_records(const char *text, const char *owner, struct kmln_buf *questions,
	struct kmln_buf *templates);

#endif
