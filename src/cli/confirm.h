/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Asking before something is lost. */
#ifndef KMLN_CLI_CONFIRM_H
#define KMLN_CLI_CONFIRM_H

#include "base/error.h"

/*
 * 0 where the user says yes on a terminal. KMLN_ENO where he does not; KMLN_EUSAGE where there is
 * no terminal to ask on, which --yes does without.
 */
int kmln_confirm(const char *question, struct kmln_error *err);

#endif
