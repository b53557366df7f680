/* SPDX-License-Identifier: GPL-2.0-or-later */
/* "Did you mean": which of the known words a misspelt one was meant to be. */
#ifndef KMLN_BASE_NEAREST_H
#define KMLN_BASE_NEAREST_H

#include <stddef.h>

/*
 * How far `word` is from `name`, for "did you mean": 0 where one begins with the other, else
 * letters to change; SIZE_MAX where nobody would take one for the other.
 */
size_t kmln_distance(const char *word, const char *name);

#endif
