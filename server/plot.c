/* SPDX-License-Identifier: MIT */
/* Rates of the last minutes as SVG. */
#include "server/plot.h"

enum {
	WIDTH = 480, HEIGHT = 170,	/* units of the drawing, about pixels */
	TOP = 18, BOTTOM = 150,		/* of the lines */
	LABEL_ABOVE = 4,		/* a label, over its line of the grid */
	TIME_BELOW = 15,
	GRID_ROWS = 2,
	MINUTES = 10, MINUTE_STEP = 2,
	MINUTE_MS = 60000,
};

_Static_assert((HISTORY_SAMPLES - 1) * HISTORY_INTERVAL_MS ==
	       MINUTES * MINUTE_MS, "the drawing is as wide as the history");

double plot_axis_end(double value, double least)
{
	static const double steps[] = { 1, 2, 5 };
	double end = least, power = least;
	int i = 0;

	while (end < value) {
		if (++i == sizeof(steps) / sizeof(steps[0])) {
			i = 0;
			power *= 10;
		}
		end = steps[i] * power;
	}
	return end;
}

static double largest(const struct plot *plot, int line,
		      const struct history_rate *rates, size_t n)
{
	enum history_series series = plot->lines[line].series;
	double most = 0;
	size_t i;

	for (i = 0; i < n; i++)
		if (rates[i].rate[series] > most)
			most = rates[i].rate[series];
	return most * plot->scale;
}

static double latest(const struct plot *plot, int line,
		     const struct history_rate *rates, size_t n)
{
	return n ? rates[n - 1].rate[plot->lines[line].series] * plot->scale :
	       0;
}

static void write_description(FILE *out, const struct plot *plot,
			      const struct history_rate *rates, size_t n)
{
	char now[HUMAN_LEN], most[HUMAN_LEN];
	int i;

	fprintf(out, "<desc id=\"%s-desc\">", plot->id);
	for (i = 0; i < PLOT_LINES; i++)
		fprintf(out, "%s: %s now, at most %s in %d minutes. ",
			plot->lines[i].name,
			plot->text(latest(plot, i, rates, n), now),
			plot->text(largest(plot, i, rates, n), most), MINUTES);
	fputs("</desc>\n", out);
}

/* Lines of the same value, named at their left end, and times below. */
static void write_grid(FILE *out, const struct plot *plot, double end)
{
	char text[HUMAN_LEN];
	int i, x, y;

	for (i = 0; i <= GRID_ROWS; i++) {
		y = BOTTOM - (BOTTOM - TOP) * i / GRID_ROWS;
		fprintf(out, "<path class=\"grid\" d=\"M0 %dH%d\"/>\n", y,
			WIDTH);
		if (i > 0)
			fprintf(out, "<text x=\"0\" y=\"%d\">%s</text>\n",
				y - LABEL_ABOVE,
				plot->text(end * i / GRID_ROWS, text));
	}
	for (i = 0; i <= MINUTES; i += MINUTE_STEP) {
		x = WIDTH - WIDTH * i / MINUTES;
		fprintf(out, "<text x=\"%d\" y=\"%d\" class=\"%s\">", x,
			BOTTOM + TIME_BELOW, i == 0 ? "right" :
			i == MINUTES ? "left" : "middle");
		if (i == 0)
			fputs("now</text>\n", out);
		else
			fprintf(out, "&minus;%d min</text>\n", i);
	}
}

static void write_points(FILE *out, const struct plot *plot, int line,
			 const struct history_rate *rates, size_t n,
			 double end)
{
	double per_ms = (double)WIDTH / (MINUTES * MINUTE_MS), x, y;
	size_t i;

	for (i = 0; i < n; i++) {
		x = WIDTH - per_ms *
			(double)(rates[n - 1].time_ms - rates[i].time_ms);
		if (x < 0)	/* samples came late */
			continue;
		y = BOTTOM - (BOTTOM - TOP) * plot->scale *
			rates[i].rate[plot->lines[line].series] / end;
		fprintf(out, "%.1f,%.1f ", x, y);
	}
}

static void write_lines(FILE *out, const struct plot *plot,
			const struct history_rate *rates, size_t n, double end)
{
	int i;

	for (i = PLOT_LINES - 1; i >= 0; i--) {
		fprintf(out, "<polyline class=\"line line-%d\" points=\"", i);
		write_points(out, plot, i, rates, n, end);
		fputs("\"/>\n", out);
	}
}

static void write_legend(FILE *out, const struct plot *plot,
			 const struct history_rate *rates, size_t n)
{
	char text[HUMAN_LEN];
	int i;

	fprintf(out, "<figcaption><strong>%s</strong>", plot->title);
	for (i = 0; i < PLOT_LINES; i++)
		fprintf(out, "<span class=\"key key-%d\">%s <b>%s</b></span>",
			i, plot->lines[i].name,
			plot->text(latest(plot, i, rates, n), text));
	fputs("</figcaption>\n", out);
}

void plot_write(FILE *out, const struct plot *plot,
		const struct history_rate *rates, size_t n)
{
	double most = 0, end;
	int i;

	for (i = 0; i < PLOT_LINES; i++)
		if (largest(plot, i, rates, n) > most)
			most = largest(plot, i, rates, n);
	end = plot_axis_end(most, plot->least);
	fprintf(out, "<figure id=\"%s\">\n", plot->id);
	write_legend(out, plot, rates, n);
	fprintf(out, "<svg viewBox=\"0 0 %d %d\" role=\"img\" "
		"aria-labelledby=\"%s-title %s-desc\">\n"
		"<title id=\"%s-title\">%s in the last %d minutes</title>\n",
		WIDTH, HEIGHT, plot->id, plot->id, plot->id, plot->title,
		MINUTES);
	write_description(out, plot, rates, n);
	write_grid(out, plot, end);
	write_lines(out, plot, rates, n, end);
	fputs("</svg>\n</figure>\n", out);
}
