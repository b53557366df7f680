/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What follows from names alone: numbers for hardware addresses and given-out addresses, names of
 * devices. The same names give the same numbers on each machine, in each version of kmln.
 */
#ifndef KMLN_PROJECT_DERIVE_H
#define KMLN_PROJECT_DERIVE_H

#include "project/model.h"

/*
 * A number of 64 bits out of names; `what` keeps numbers for different uses apart, `attempt` gives
 * another one where the first is taken.
 */
uint64_t kmln_derive_number(const char *what, const char *project, const char *host,
	const char *interface, unsigned attempt);
/* A hardware address: local, of one station. */
void kmln_derive_mac(unsigned char mac[6], const char *project, const char *host,
	const char *interface, unsigned attempt);
/*
 * The `number`th of the addresses that hosts may have in a net, counted from 0 and round; neither
 * the first nor the last of the net is among them. *count is how many there are.
 */
struct kmln_ip kmln_derive_address(const struct kmln_ip *net, uint64_t number, uint64_t *count);
/* The name of a Linux bridge, at most 15 characters: "SWITCH.PROJECT", else shortened and hashed.
 */
const char *kmln_derive_bridge(
	struct kmln_pool *pool, const char *switch_name, const char *project);

#endif
