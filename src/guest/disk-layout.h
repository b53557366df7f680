/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where things lie on a disk that kmln makes. Bytes. */
#ifndef KMLN_GUEST_DISK_LAYOUT_H
#define KMLN_GUEST_DISK_LAYOUT_H

#define KMLN_SECTOR 512u
#define KMLN_MIB (1u << 20)

/* With an MBR: sector 0, GRUB's core behind it, and the first partition. */
#define KMLN_FIRST_PARTITION KMLN_MIB

/*
 * With a GPT: the table; GRUB's core in a BIOS boot partition up to the first MiB; the EFI system
 * partition; the root filesystem; the backup of the table. So one disk boots in both worlds. The
 * root has number 1, as with an MBR, and the helpers the last ones, as in Debian's cloud images.
 */
#define KMLN_GPT_SECTORS 34u /* protective MBR, header, 128 entries */
#define KMLN_GPT_BACKUP_SECTORS 33u
#define KMLN_BIOS_BOOT (KMLN_GPT_SECTORS * KMLN_SECTOR)
#define KMLN_ESP KMLN_MIB
#define KMLN_ESP_SIZE (8u * KMLN_MIB)
#define KMLN_GPT_ROOT (KMLN_ESP + KMLN_ESP_SIZE)

#endif
