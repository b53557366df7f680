// SPDX-License-Identifier: GPL-2.0-or-later
/* The types of the language, each a function of a text. Nothing here knows of hosts. */
#include "project/types.h"

#include <ctype.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "project/report.h"

bool kmln_parse_decimal(const char *text, uint64_t *number)
{
	uint64_t value = 0;

	if (!*text)
		return false;
	for (; *text; text++) {
		if (!isdigit((unsigned char)*text) || kmln_mul_overflow(value, 10, &value) ||
			kmln_add_overflow(value, (unsigned)(*text - '0'), &value) ||
			value > INT64_MAX)
			return false;
	}
	*number = value;
	return true;
}

bool kmln_flag_parse(const char *text, uint64_t *number)
{
	static const char *const words[] = {"off", "on", "no", "yes", "0", "1"};

	for (size_t i = 0; i < KMLN_COUNT(words); i++)
		if (kmln_eq(text, words[i])) {
			*number = i % 2;
			return true;
		}
	return false;
}

struct unit {
	const char *name;
	uint64_t scale;
};

static const struct unit sizes[] = {
	{"b", 512},
	{"kB", 1000},
	{"KB", 1000},
	{"K", 1024},
	{"k", 1024},
	{"KiB", 1024},
	{"MB", 1000000},
	{"M", 1 << 20},
	{"MiB", 1 << 20},
	{"GB", 1000000000},
	{"G", 1 << 30},
	{"GiB", 1 << 30},
	{"TB", 1000000000000},
	{"T", 1ull << 40},
	{"TiB", 1ull << 40},
	{NULL, 0},
};

static const struct unit rates[] = {
	{"bit", 1},
	{"kbit", 1000},
	{"Mbit", 1000000},
	{"Gbit", 1000000000},
	{NULL, 0},
};

static const struct unit times[] = {
	{"us", 1},
	{"ms", 1000},
	{"s", 1000000},
	{NULL, 0},
};

static const struct unit shares[] = {
	{"%", 10000},
	{NULL, 0},
};

/* Digits, perhaps a point and six more digits, and one of the units; exact. */
static bool with_unit(
	const char *text, const struct unit *units, uint64_t *number, struct kmln_buf *instead)
{
	size_t n = strspn(text, "0123456789"), fraction = 0;
	const char *unit = text + n;
	uint64_t value, part = 0, scale = 1;
	char digits[24];

	if (!n || n >= sizeof(digits))
		return false;
	memcpy(digits, text, n);
	digits[n] = '\0';
	if (!kmln_parse_decimal(digits, &value))
		return false;
	if (*unit == '.') {
		fraction = strspn(unit + 1, "0123456789");
		if (!fraction || fraction > 6)
			return false;
		for (size_t i = 1; i <= fraction; i++) {
			part = part * 10 + (unsigned)(unit[i] - '0');
			scale *= 10;
		}
		unit += 1 + fraction;
	}
	for (const struct unit *u = units; u->name; u++) {
		uint64_t low;

		if (!kmln_eq(u->name, unit))
			continue;
		/* the product of a fraction and a scale: at most 10^6 * 2^40 */
		low = part * u->scale;
		return low % scale == 0 && !kmln_mul_overflow(value, u->scale, number) &&
		       !kmln_add_overflow(*number, low / scale, number) && *number <= INT64_MAX;
	}
	if (!*unit && !value && !part) {
		*number = 0;
		return true;
	}
	/* the unit in other letters; none at all */
	for (const struct unit *u = units; u->name; u++)
		if (*unit && strcasecmp(u->name, unit) == 0 && !instead->size)
			kmln_buf_printf(instead, "%.*s%s", (int)(unit - text), text, u->name);
	if (!*unit)
		kmln_buf_printf(instead, "%s%s", text,
			units == sizes	 ? "M"
			: units == rates ? "Mbit"
			: units == times ? "ms"
					 : "%");
	return false;
}

static bool of_bytes(const char *text, const char *allowed)
{
	for (; *text; text++)
		if (!isalnum((unsigned char)*text) && !strchr(allowed, *text))
			return false;
	return true;
}

/* A label of a host name: RFC 1123. */
static bool host_name(const char *text, struct kmln_buf *instead)
{
	size_t n = strlen(text);

	if (n && n <= 63 && of_bytes(text, "-") && text[0] != '-' && text[n - 1] != '-')
		return true;
	if (n && n <= 63 && of_bytes(text, "-_.") && isalnum((unsigned char)text[0]) &&
		isalnum((unsigned char)text[n - 1]))
		for (; *text; text++)
			kmln_buf_add(instead, isalnum((unsigned char)*text) ? text : "-", 1);
	return false;
}

static bool plain_name(const char *text, size_t most)
{
	size_t n = strlen(text);

	return n && n <= most && of_bytes(text, "-_.") && isalnum((unsigned char)text[0]);
}

/* A switch's script must not look like a host's: start_99_a.sh. */
static bool switch_name(const char *text)
{
	size_t digits = strspn(text, "0123456789");

	return plain_name(text, 32) && !(digits && text[digits] == '_');
}

static bool user_name(const char *text)
{
	size_t n = strlen(text);

	for (size_t i = 0; i < n; i++)
		if (!islower((unsigned char)text[i]) && text[i] != '_' &&
			!(i && (isdigit((unsigned char)text[i]) || text[i] == '-')))
			return false;
	return n && n <= 32;
}

static bool device(const char *text)
{
	size_t n = strlen(text);

	return n && n <= 15 && isalnum((unsigned char)text[0]) && of_bytes(text, "-_.@");
}

/* No component is "..". */
static bool stays(const char *text)
{
	for (const char *p = text; (p = strstr(p, "..")); p += 2)
		if ((p == text || p[-1] == '/') && (!p[2] || p[2] == '/'))
			return false;
	return true;
}

/* A root image is a name, or a path that says it is one by a slash. */
static bool image(const char *text)
{
	return *text && (strchr(text, '/') ||
				(text[0] != '-' && !kmln_eq(text, "..") && !kmln_eq(text, ".")));
}

static bool mode(const char *text, uint64_t *number)
{
	size_t n = strlen(text);

	if (n < 3 || n > 4 || strspn(text, "01234567") != n)
		return false;
	*number = strtoul(text, NULL, 8);
	return true;
}

static bool pattern(const char *text)
{
	regex_t regex;

	/* the sizes that a pattern may ask for are bounded here, not by the matcher's memory */
	if (!*text || strlen(text) > 1024 || strchr(text, '{') ||
		regcomp(&regex, text, REG_EXTENDED | REG_NOSUB) != 0)
		return false;
	regfree(&regex);
	return true;
}

bool kmln_mac_parse(const char *text, unsigned char mac[6])
{
	for (unsigned i = 0; i < 6; i++) {
		if (!isxdigit((unsigned char)text[0]) || !isxdigit((unsigned char)text[1]) ||
			text[2] != (i < 5 ? ':' : '\0'))
			return false;
		mac[i] = (unsigned char)strtoul((char[]){text[0], text[1], 0}, NULL, 16);
		text += 3;
	}
	return true;
}

static bool port(const char *text, size_t size, unsigned *number)
{
	char digits[6];
	uint64_t value;

	if (size >= sizeof(digits))
		return false;
	memcpy(digits, text, size);
	digits[size] = '\0';
	if (!kmln_parse_decimal(digits, &value) || !value || value > 65535)
		return false;
	*number = (unsigned)value;
	return true;
}

bool kmln_forward_parse(const char *text, unsigned *from, unsigned *to, bool *udp)
{
	size_t n = strcspn(text, ":"), m;
	const char *behind;

	if (!text[n])
		return false;
	behind = text + n + 1;
	m = strcspn(behind, "/");
	*udp = kmln_eq(behind + m, "/udp");
	return (!behind[m] || *udp || kmln_eq(behind + m, "/tcp")) && port(text, n, from) &&
	       port(behind, m, to);
}

static bool address(const char *text)
{
	struct kmln_ip ip;

	return kmln_eq(text, "dhcp") || kmln_eq(text, "auto") || kmln_eq(text, "none") ||
	       kmln_ip_parse(text, &ip);
}

static bool net(const char *text, struct kmln_buf *instead)
{
	struct kmln_ip ip, start;
	char right[KMLN_IP_TEXT];

	if (!kmln_ip_parse(text, &ip) || !strchr(text, '/'))
		return false;
	start = kmln_ip_net(&ip);
	if (kmln_ip_equal(&ip, &start))
		return true;
	kmln_ip_text(right, &start, true);
	kmln_buf_str(instead, right);
	return false;
}

static bool choice(const struct kmln_column *column, const char *text, struct kmln_buf *instead)
{
	struct kmln_nearest nearest = {.word = text};

	for (const char *const *c = column->choices; *c; c++) {
		if (kmln_eq(*c, text))
			return true;
		kmln_nearest_offer(&nearest, *c);
	}
	if (nearest.name)
		kmln_buf_str(instead, nearest.name);
	return false;
}

static bool check(const struct kmln_column *column, const char *text, uint64_t *number,
	struct kmln_buf *instead)
{
	unsigned char bytes[6];
	struct kmln_ip ip;
	unsigned a, b;
	bool udp;

	switch (column->type) {
	case KMLN_TYPE_TEXT:
	case KMLN_TYPE_SECRET:
	case KMLN_TYPE_PATH:
		return *text;
	case KMLN_TYPE_PATTERN:
		return pattern(text);
	case KMLN_TYPE_HOST_NAME:
		return host_name(text, instead);
	case KMLN_TYPE_HOST:
		return host_name(text, instead);
	case KMLN_TYPE_SWITCH_NAME:
		return switch_name(text);
	case KMLN_TYPE_SWITCH:
		return text[0] == '/' || switch_name(text);
	case KMLN_TYPE_CLASS_NAME:
	case KMLN_TYPE_SUPERCLASS:
		return plain_name(text, 63);
	case KMLN_TYPE_DEVICE:
		return device(text);
	case KMLN_TYPE_USER:
		return user_name(text);
	case KMLN_TYPE_PROGRAM:
		return *text && strlen(text) <= 128 && isalnum((unsigned char)text[0]) &&
		       of_bytes(text, "+._:-");
	case KMLN_TYPE_IMAGE:
		return image(text);
	case KMLN_TYPE_INSIDE:
		return *text && text[0] != '/' && stays(text);
	case KMLN_TYPE_GUEST_PATH:
		return text[0] == '/' && stays(text);
	case KMLN_TYPE_NUMBER:
		return kmln_parse_decimal(text, number) && *number >= column->least &&
		       (!column->most || *number <= column->most);
	case KMLN_TYPE_SIZE:
		return with_unit(text, sizes, number, instead);
	case KMLN_TYPE_RATE:
		return with_unit(text, rates, number, instead) && *number;
	case KMLN_TYPE_TIME:
		return with_unit(text, times, number, instead) && *number <= 60000000;
	case KMLN_TYPE_SHARE:
		return with_unit(text, shares, number, instead) && *number <= 1000000;
	case KMLN_TYPE_MODE:
		return mode(text, number);
	case KMLN_TYPE_ADDRESS:
		return address(text);
	case KMLN_TYPE_IP:
		return kmln_ip_parse(text, &ip) && !strchr(text, '/');
	case KMLN_TYPE_NETMASK:
		return kmln_ip_mask(text, &a);
	case KMLN_TYPE_NET:
		return net(text, instead);
	case KMLN_TYPE_MAC:
		return kmln_mac_parse(text, bytes) && !(bytes[0] & 1);
	case KMLN_TYPE_FORWARD:
		return kmln_forward_parse(text, &a, &b, &udp);
	case KMLN_TYPE_CHOICE:
		return choice(column, text, instead);
	case KMLN_TYPES:
		break;
	}
	return false;
}

bool kmln_type_check(const struct kmln_column *column, const char *text, uint64_t *number,
	struct kmln_buf *why, struct kmln_buf *instead)
{
	*number = 0;
	if (check(column, text, number, instead))
		return true;
	if (column->type == KMLN_TYPE_CHOICE) {
		for (const char *const *c = column->choices; *c; c++)
			kmln_buf_printf(why, "%s`%s`",
				c == column->choices ? "" : (c[1] ? ", " : " or "), *c);
	} else if (column->type == KMLN_TYPE_NUMBER && column->most) {
		kmln_buf_printf(why, "a number from %llu to %llu",
			(unsigned long long)column->least, (unsigned long long)column->most);
	} else {
		kmln_buf_str(why, kmln_type_words(column->type));
	}
	return false;
}
