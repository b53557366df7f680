/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The settings that a new guest is given: name, ways to log in, network. Edits, like all changes.
 */
#ifndef KMLN_GUEST_SETTINGS_H
#define KMLN_GUEST_SETTINGS_H

#include "guest/step.h"

struct kmln_settings {
	const char *hostname; /* NULL: "debian" or what the distribution is called */
	const char *root_password; /* plain; NULL: root has none and cannot log in by one */
	const char *ssh_key; /* text of an authorized_keys file; NULL: none */
};

/* KMLN_EUSAGE for a name that cannot be a host name. */
int kmln_settings_check(const struct kmln_settings *settings, struct kmln_error *err);
int kmln_plan_settings(struct kmln_planning *planning, const struct kmln_settings *settings,
	struct kmln_error *err);

#endif
