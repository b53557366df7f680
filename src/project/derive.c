// SPDX-License-Identifier: GPL-2.0-or-later
/* Numbers and names out of names, by SHA-256. What is written here must never change. */
#include "project/derive.h"

#include <stdlib.h>
#include <string.h>

#include "base/sum.h"

uint64_t kmln_derive_number(const char *what, const char *project, const char *host,
	const char *interface, unsigned attempt)
{
	const unsigned char number[4] = {(unsigned char)(attempt >> 24),
		(unsigned char)(attempt >> 16), (unsigned char)(attempt >> 8),
		(unsigned char)attempt};
	char text[KMLN_SHA256_TEXT];
	struct kmln_sha256 sum;

	kmln_sha256_start(&sum);
	/* with their NULs, so that "ab" "c" is not "a" "bc" */
	kmln_sha256_add(&sum, what, strlen(what) + 1);
	kmln_sha256_add(&sum, project, strlen(project) + 1);
	kmln_sha256_add(&sum, host, strlen(host) + 1);
	kmln_sha256_add(&sum, interface, strlen(interface) + 1);
	kmln_sha256_add(&sum, number, sizeof(number));
	kmln_sha256_end(&sum, text);
	text[16] = '\0';
	return strtoull(text, NULL, 16);
}

void kmln_derive_mac(unsigned char mac[6], const char *project, const char *host,
	const char *interface, unsigned attempt)
{
	uint64_t number = kmln_derive_number("mac", project, host, interface, attempt);

	for (unsigned i = 0; i < 6; i++)
		mac[i] = (unsigned char)(number >> (56 - 8 * i));
	mac[0] = (unsigned char)((mac[0] & 0xfc) | 2);
}

struct kmln_ip kmln_derive_address(const struct kmln_ip *net, uint64_t number, uint64_t *count)
{
	unsigned free_bits = (net->family == KMLN_IPV4 ? 32 : 128) - net->bits;
	struct kmln_ip ip = kmln_ip_net(net);

	/* of more than 2^63 addresses the first ones will do */
	*count = free_bits > 63 ? (uint64_t)1 << 63 : (uint64_t)1 << free_bits;
	*count = *count > 2 ? *count - 2 : 0;
	if (*count)
		kmln_ip_count(&ip, 1 + number % *count);
	return ip;
}

const char *kmln_derive_bridge(struct kmln_pool *pool, const char *switch_name, const char *project)
{
	char *name = kmln_pool_printf(pool, "%s.%s", switch_name, project);

	if (strlen(name) <= 15)
		return name;
	return kmln_pool_printf(pool, "%.6s.%08x", switch_name,
		(unsigned)(kmln_derive_number("bridge", project, "", switch_name, 0) >> 32));
}
