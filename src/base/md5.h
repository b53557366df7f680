/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * MD5 (RFC 1321): what dpkg writes down of files, and a quick mark of "the same bytes". It protects
 * from mistakes, not from attackers; what must not be forged has kmln_sum() of base/sum.h.
 */
#ifndef KMLN_BASE_MD5_H
#define KMLN_BASE_MD5_H

#include "base/mem.h"

#define KMLN_MD5_TEXT 33

/* Writes the 32 hexadecimal digits of the bytes' sum, with a NUL behind them. */
void kmln_md5(const void *data, size_t size, char text[KMLN_MD5_TEXT]);

#endif
