/* role/serving.h: what a person sees on standard output when Postern has started. Private to role/. */
#ifndef POSTERN_ROLE_SERVING_H
#define POSTERN_ROLE_SERVING_H

#include "role/house.h"

/* "listening http ADDRESS/path", "admin http ADDRESS", "serving NAME (…)", "missing NAME: …", and last "ready". */
void serving_print(const struct generation *g);
/* The addresses again, to the log: after a reload. */
void serving_log(const struct generation *g);

#endif
