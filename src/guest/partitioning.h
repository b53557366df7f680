/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The tables of disks that are made of a bare filesystem, for the steps wrap and loader. Pure. */
#ifndef KMLN_GUEST_PARTITIONING_H
#define KMLN_GUEST_PARTITIONING_H

#include "guest/step.h"

/* Bytes of the root filesystem's partition: as it shall be, in whole sectors. */
uint64_t kmln_root_size(const struct kmln_planning *planning);
/* Bytes of the whole disk with a GPT, in whole MiB. */
uint64_t kmln_gpt_disk_size(const struct kmln_planning *planning);

/* A new table of one partition, in sector 0. KMLN_EINVALID where it is too long for an MBR. */
int kmln_new_mbr(const struct kmln_planning *planning, char *sector, struct kmln_error *err);
/* A new GPT: its first and last sectors (disk-layout.h). */
void kmln_new_gpt(const struct kmln_planning *planning, char *head, char *tail);

#endif
