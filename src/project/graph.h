/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pictures of a cluster, from its model alone: switches, hosts, what they run on, their addresses,
 * and what is wrong with their links on purpose. Pure; the same model gives the same picture.
 */
#ifndef KMLN_PROJECT_GRAPH_H
#define KMLN_PROJECT_GRAPH_H

#include "project/model.h"

/* A picture for a browser or a beamer, with colours for light and dark ones. */
void kmln_graph_svg(struct kmln_buf *out, const struct kmln_model *model);
/* For Graphviz. */
void kmln_graph_dot(struct kmln_buf *out, const struct kmln_model *model);
/* For terminals. */
void kmln_graph_text(struct kmln_buf *out, const struct kmln_model *model);

/* --- what the three say alike; texts are from the pool */

/* "UML", "KVM" ...; "auto" where kmln chooses. */
const char *kmln_graph_platform(const struct kmln_host *host);
/* The addresses of an interface with commas between them, "dhcp", or "" where it has none. */
char *kmln_graph_addresses(struct kmln_pool *pool, const struct kmln_interface *interface);
/* What an interface leads to where that is no switch: "tap tap0", "bridge br0"; else "". */
char *kmln_graph_elsewhere(struct kmln_pool *pool, const struct kmln_interface *interface);
/* "delay 20ms, loss 5%"; "" where there is none. Of an interface what its switch does not have. */
char *kmln_graph_impairment(struct kmln_pool *pool, const struct kmln_impairment *impairment,
	const struct kmln_impairment *known);
/* The nets of a switch, hub, uplink and the like: "10.0.0.0/24, hub, uplink nat". */
char *kmln_graph_switch(struct kmln_pool *pool, const struct kmln_switch *s);
/* "2 switches, 5 hosts" */
char *kmln_graph_size(struct kmln_pool *pool, const struct kmln_model *model);

#endif
