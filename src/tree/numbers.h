/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A map from inode numbers to numbers, for walks: which folders were seen, which names are one
 * file. Zeroed it is empty. */
#ifndef KMLN_TREE_NUMBERS_H
#define KMLN_TREE_NUMBERS_H

#include "base/mem.h"

struct kmln_number {
	uint64_t key, value; /* key 0: free */
};

struct kmln_numbers {
	struct kmln_number *slots;
	size_t count, room; /* room is a power of two, or 0 */
	uint64_t factor; /* random, so that no guest can make many keys meet in one place */
};
#define KMLN_NUMBERS KMLN_CLEANUP(kmln_numbers_fini)

/* The value's place, valid until the next change, or NULL. */
uint64_t *kmln_numbers_find(const struct kmln_numbers *numbers, uint64_t key);
/* Sets a key that is not 0. */
void kmln_numbers_set(struct kmln_numbers *numbers, uint64_t key, uint64_t value);
void kmln_numbers_remove(struct kmln_numbers *numbers, uint64_t key);
void kmln_numbers_fini(struct kmln_numbers *numbers);

#endif
