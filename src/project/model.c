// SPDX-License-Identifier: GPL-2.0-or-later
/* Finding things in a model. */
#include "project/model.h"

#include <string.h>

struct kmln_host *kmln_model_host(const struct kmln_model *model, const char *name)
{
	return kmln_names_find(&model->host_names, name, strlen(name));
}

struct kmln_switch *kmln_model_switch(const struct kmln_model *model, const char *name)
{
	return kmln_names_find(&model->switch_names, name, strlen(name));
}
