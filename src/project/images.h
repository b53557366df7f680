/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where root images lie: the one place that turns the name of one into a path. */
#ifndef KMLN_PROJECT_IMAGES_H
#define KMLN_PROJECT_IMAGES_H

#include "base/mem.h"

/*
 * The path of an image, from the pool; NULL where there is none. A name with a slash is a path,
 * from `folder` (of the project file) on unless it is absolute. Another is a file in the folder
 * images of kmln's data, with or without a suffix; of a template also the newest NAME-V1.2.SUFFIX.
 */
char *kmln_image_find(
	struct kmln_pool *pool, const char *folder, const char *name, bool is_template);
/* The folder of images, from the pool. */
char *kmln_image_folder(struct kmln_pool *pool);

#endif
