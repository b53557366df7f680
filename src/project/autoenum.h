/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * MLN's numbered hosts, before they are made: what autoenum blocks say. The table of words fills
 * this as it fills the model; resolve.c makes hosts of it.
 */
#ifndef KMLN_PROJECT_AUTOENUM_H
#define KMLN_PROJECT_AUTOENUM_H

#include "project/model.h"

struct kmln_autoenum {
	const struct kmln_node *node;
	struct kmln_value superclass, numhosts, hostprefix, address, net, addresses_begin, autouser;
	struct kmln_rows service_hosts; /* a server, and how many of the hosts or "all" */
};

#endif
