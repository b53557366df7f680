/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where things lie on a disk that kmln makes. Bytes. */
#ifndef KMLN_GUEST_DISK_LAYOUT_H
#define KMLN_GUEST_DISK_LAYOUT_H

#define KMLN_SECTOR 512u
#define KMLN_FIRST_PARTITION (1u << 20)

#endif
