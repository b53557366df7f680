// SPDX-License-Identifier: GPL-2.0-or-later
/* OVMF where distributions put it; always without secure boot, which wants signed loaders. */
#include "platform/uefi.h"

#include <unistd.h>

int kmln_uefi_find(struct kmln_uefi *uefi, struct kmln_error *err)
{
	static const struct kmln_uefi places[] = {
		{"/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"},
		{"/usr/share/OVMF/OVMF_CODE.fd", "/usr/share/OVMF/OVMF_VARS.fd"},
		{"/usr/share/edk2/x64/OVMF_CODE.4m.fd", "/usr/share/edk2/x64/OVMF_VARS.4m.fd"},
		{"/usr/share/edk2/ovmf/OVMF_CODE.fd", "/usr/share/edk2/ovmf/OVMF_VARS.fd"},
	};

	for (size_t i = 0; i < KMLN_COUNT(places); i++)
		if (access(places[i].program, R_OK) == 0 &&
			access(places[i].variables, R_OK) == 0) {
			*uefi = places[i];
			return 0;
		}
	return kmln_fail(
		err, KMLN_ELACK, "UEFI firmware for QEMU is not installed (Debian package ovmf)");
}
