/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the words behind keywords may be: whether a value is of its type, and the number in it. */
#ifndef KMLN_PROJECT_TYPES_H
#define KMLN_PROJECT_TYPES_H

#include "project/model.h"
#include "project/words.h"

/*
 * Whether `text` is of the column's type; *number is set for types that have one, else 0. Where it
 * is not, `why` gets what it needs to be, to be put behind "`memory` needs ", and `instead`, where
 * one can be guessed, what was meant. References are not looked up.
 */
bool kmln_type_check(const struct kmln_column *column, const char *text, uint64_t *number,
	struct kmln_buf *why, struct kmln_buf *instead);
/* A flag's word: on, off, yes, no, 1, 0. */
bool kmln_flag_parse(const char *text, uint64_t *number);

/* Digits only, 63 bits. */
bool kmln_parse_decimal(const char *text, uint64_t *number);
/* Six pairs of hexadecimal digits with colons. */
bool kmln_mac_parse(const char *text, unsigned char mac[6]);
/* HOSTPORT:GUESTPORT, with /tcp or /udp behind. */
bool kmln_forward_parse(const char *text, unsigned *from, unsigned *to, bool *udp);

/* 255.255.255.0 -> 24; false where it is no mask. */
bool kmln_ip_mask(const char *text, unsigned *bits);
/* The last address of its net. */
struct kmln_ip kmln_ip_broadcast(const struct kmln_ip *ip);

#endif
