/* SPDX-License-Identifier: MIT */
/*
 * Rates of the last minutes as an SVG that stands in an HTML page.  Colours
 * come from the page's style: classes "line-0", "line-1", "area-0", "grid".
 * Any thread; nothing blocks.
 */
#ifndef SERVER_PLOT_H
#define SERVER_PLOT_H

#include <stdio.h>

#include "common/human.h"
#include "server/history.h"

enum { PLOT_LINES = 2 };

struct plot_line {
	const char *name;		/* plain text */
	enum history_series series;
};

struct plot {
	const char *id;			/* of the figure; a plain word */
	const char *title;		/* plain text, as all here */
	double scale;			/* of a rate, to what text takes */
	char *(*text)(double value, char out[HUMAN_LEN]);
	double least;			/* the axis ends no lower; a power of
					 * ten */
	struct plot_line lines[PLOT_LINES];
};

/* The smallest of 1, 2, 5 times a power of ten that is not below value. */
double plot_axis_end(double value, double least);

/* A <figure> with n rates, the oldest first; n may be 0. */
void plot_write(FILE *out, const struct plot *plot,
		const struct history_rate *rates, size_t n);

#endif
