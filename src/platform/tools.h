/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finding the helper programs; for host.c. */
#ifndef KMLN_PLATFORM_TOOLS_H
#define KMLN_PLATFORM_TOOLS_H

#include "platform/host.h"

/* Fills host->tools, all of them, missing ones too. */
void kmln_tools_look(struct kmln_pool *pool, struct kmln_host *host);

#endif
