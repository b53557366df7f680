// SPDX-License-Identifier: GPL-2.0-or-later
/* A hash table with open addresses, at most half full. */
#include "project/names.h"

#include <ctype.h>
#include <string.h>

struct kmln_name_slot {
	const char *name;
	size_t size;
	void *thing; /* NULL: the slot is free */
};

static int letter(const struct kmln_names *names, char c)
{
	return names->any_case ? tolower((unsigned char)c) : (unsigned char)c;
}

static struct kmln_name_slot *slot_of(const struct kmln_names *names, const char *name, size_t size)
{
	uint64_t hash = 14695981039346656037u; /* FNV-1a */
	size_t i;

	for (i = 0; i < size; i++)
		hash = (hash ^ (unsigned)letter(names, name[i])) * 1099511628211u;
	for (hash ^= hash >> 32;; hash++) {
		struct kmln_name_slot *slot = &names->slots[hash & (names->room - 1)];

		if (!slot->thing)
			return slot;
		if (slot->size != size)
			continue;
		for (i = 0; i < size; i++)
			if (letter(names, slot->name[i]) != letter(names, name[i]))
				break;
		if (i == size)
			return slot;
	}
}

static void grow(struct kmln_names *names)
{
	struct kmln_name_slot *old = names->slots;
	size_t room = names->room;

	names->room = room ? room * 2 : 16;
	names->slots = kmln_pool_array(names->pool, names->room, sizeof(*names->slots));
	for (size_t i = 0; i < room; i++)
		if (old[i].thing)
			*slot_of(names, old[i].name, old[i].size) = old[i];
}

void *kmln_names_add(struct kmln_names *names, const char *name, size_t size, void *thing)
{
	struct kmln_name_slot *slot;

	if (names->count * 2 >= names->room)
		grow(names);
	slot = slot_of(names, name, size);
	if (slot->thing)
		return slot->thing;
	*slot = (struct kmln_name_slot){name, size, thing};
	names->count++;
	return NULL;
}

void *kmln_names_find(const struct kmln_names *names, const char *name, size_t size)
{
	return names->room ? slot_of(names, name, size)->thing : NULL;
}
