/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The part of reading rpm's databases that needs no child, for inspect-rpm.c and its fuzzer. */
#ifndef KMLN_IMAGE_INSPECT_RPM_H
#define KMLN_IMAGE_INSPECT_RPM_H

#include <stddef.h>
#include <stdio.h>

/* Writes the packages of a file of SUSE's kind ("ndb"), as the child sends them. */
void kmln_parse_rpm_slots(FILE *to, const unsigned char *bytes, size_t size);

#endif
