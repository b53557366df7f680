/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Facts for people and as JSON; the keys of the JSON are documented in kmln-inspect(1). */
#ifndef KMLN_CLI_SHOW_FACTS_H
#define KMLN_CLI_SHOW_FACTS_H

#include "image/facts.h"
#include "text/json.h"

void kmln_show_facts_text(const struct kmln_facts *facts);
struct kmln_json *kmln_facts_json(const struct kmln_facts *facts, struct kmln_error *err);
int kmln_show_facts_json(const struct kmln_facts *facts, struct kmln_error *err);

#endif
