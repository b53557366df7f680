// SPDX-License-Identifier: GPL-2.0-or-later
/* Open addressing with linear probing; removing moves what follows back into the gap. */
#include "tree/numbers.h"

#include <stdlib.h>
#include <sys/random.h>

static size_t home(const struct kmln_numbers *numbers, uint64_t key)
{
	return (size_t)(key * numbers->factor >> 20) & (numbers->room - 1);
}

/* The slot of the key, or the free one where it belongs. */
static struct kmln_number *slot_of(const struct kmln_numbers *numbers, uint64_t key)
{
	size_t i = home(numbers, key);

	while (numbers->slots[i].key && numbers->slots[i].key != key)
		i = (i + 1) & (numbers->room - 1);
	return &numbers->slots[i];
}

uint64_t *kmln_numbers_find(const struct kmln_numbers *numbers, uint64_t key)
{
	struct kmln_number *slot;

	if (!numbers->count)
		return NULL;
	slot = slot_of(numbers, key);
	return slot->key ? &slot->value : NULL;
}

static void grow(struct kmln_numbers *numbers)
{
	struct kmln_numbers bigger = {
		.room = numbers->room ? numbers->room * 2 : 64,
		.factor = numbers->factor,
	};

	if (!bigger.factor && getrandom(&bigger.factor, sizeof(bigger.factor), 0) < 0)
		abort();
	bigger.factor |= 1;
	bigger.slots = calloc(bigger.room, sizeof(*bigger.slots));
	if (!bigger.slots)
		abort();
	for (size_t i = 0; i < numbers->room; i++)
		if (numbers->slots[i].key)
			*slot_of(&bigger, numbers->slots[i].key) = numbers->slots[i];
	bigger.count = numbers->count;
	free(numbers->slots);
	*numbers = bigger;
}

void kmln_numbers_set(struct kmln_numbers *numbers, uint64_t key, uint64_t value)
{
	struct kmln_number *slot;

	if (numbers->count + numbers->count / 2 >= numbers->room)
		grow(numbers);
	slot = slot_of(numbers, key);
	numbers->count += !slot->key;
	*slot = (struct kmln_number){key, value};
}

void kmln_numbers_remove(struct kmln_numbers *numbers, uint64_t key)
{
	size_t mask = numbers->room - 1, gap;
	struct kmln_number *slot;

	if (!numbers->count)
		return;
	slot = slot_of(numbers, key);
	if (!slot->key)
		return;
	gap = (size_t)(slot - numbers->slots);
	for (size_t i = (gap + 1) & mask; numbers->slots[i].key; i = (i + 1) & mask) {
		/* only what may stand at the gap: it would still be found from its home */
		if (((i - home(numbers, numbers->slots[i].key)) & mask) < ((i - gap) & mask))
			continue;
		numbers->slots[gap] = numbers->slots[i];
		gap = i;
	}
	numbers->slots[gap].key = 0;
	numbers->count--;
}

void kmln_numbers_fini(struct kmln_numbers *numbers)
{
	free(numbers->slots);
	*numbers = (struct kmln_numbers){0};
}
