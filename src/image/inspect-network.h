/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Adding what the readers of network settings find; for inspect-network.c and inspect-netplan.c. */
#ifndef KMLN_IMAGE_INSPECT_NETWORK_H
#define KMLN_IMAGE_INSPECT_NETWORK_H

#include "image/facts.h"

/* A new interface, name and file copied; NULL where the list is full. */
struct kmln_known_interface *kmln_interface_add(
	struct kmln_facts *facts, const char *name, const char *system, const char *file);
/* What is no hardware address (or NULL) is not added. The name may be NULL. */
void kmln_mac_name_add(
	struct kmln_facts *facts, const char *mac, const char *name, const char *file);

#endif
