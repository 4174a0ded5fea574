/*
 * metrics_text.c - the metrics in the text format of Prometheus (exposition formats, version 0.0.4).
 *
 * A series is written if its labels have names. Of metrics by endpoint or family only those are written that something
 * was counted for: all would be thousands. A name that changes while its series is read takes the series with it.
 */
#include "buf.h"
#include "metrics_private.h"

struct series {
	const struct metrics_row *row;
	unsigned cell;
	char names[2][METRICS_NAME_SIZE];
	uint32_t sequences[2];
};

static int64_t
sum(const struct series *series, unsigned offset)
{
	int64_t total = 0;

	for (int area = 0; area < metrics_area_count(); area++)
		total += metrics_area_cell(area, series->cell + offset);
	return total;
}

/* False: nobody has set it. */
static bool
read_gauges(const struct series *series, int64_t *value_r)
{
	bool known = false;

	*value_r = 0;
	for (int area = 0; area < metrics_area_count(); area++) {
		int64_t value = metrics_area_cell(area, series->cell) ^ METRICS_UNSET;
		if (value == METRICS_UNSET)
			continue;
		if (series->row->type == METRICS_TYPE_LATEST && known)
			*value_r = MAX(*value_r, value);
		else
			*value_r += value;
		known = true;
	}
	return known;
}

static bool
read_value(const struct series *series, int64_t *value_r)
{
	*value_r = 0;
	if (series->row->type == METRICS_TYPE_GAUGE || series->row->type == METRICS_TYPE_LATEST)
		return read_gauges(series, value_r);
	if (series->row->type == METRICS_TYPE_COUNTER)
		*value_r = sum(series, 0);
	else
		for (int i = 0; i <= series->row->bound_count; i++)
			*value_r += sum(series, (unsigned)i);
	return true;
}

bool
metrics_read(enum metric metric, int index, int64_t *value_r)
{
	const struct metrics_row *row = &metrics_rows[metric];
	const struct series series = {.row = row, .cell = row->at + (unsigned)index * row->width};

	*value_r = 0;
	return index >= 0 && index < row->values[0] * row->values[1] && read_value(&series, value_r);
}

static void
write_text(struct buf *out, const char *text, const char *specials)
{
	for (; *text; text++) {
		if (*text == '\n')
			buf_add_text(out, "\\n");
		else if (strchr(specials, *text))
			buf_printf(out, "\\%c", *text);
		else
			buf_add_byte(out, *text);
	}
}

static void
write_number(struct buf *out, enum metrics_unit unit, int64_t value)
{
	char text[40];
	int length;

	if (unit != METRICS_UNIT_SECONDS) {
		buf_add_int(out, value);
		return;
	}
	length = snprintf(text, sizeof(text), "%s%lld.%06lld", value < 0 ? "-" : "", llabs(value / 1000000),
	                  llabs(value % 1000000));
	while (text[length - 1] == '0')
		length--;
	buf_add(out, text, (size_t)(text[length - 1] == '.' ? length - 1 : length));
}

/* Leaves the braces open, and says whether there is something between them. */
static bool
write_name(struct buf *out, const struct series *series, const char *suffix)
{
	bool any = false;

	buf_add_text(out, series->row->name);
	buf_add_text(out, suffix);
	for (int i = 0; i < 2; i++) {
		if (series->row->labels[i] == METRICS_LABEL_NONE)
			continue;
		buf_printf(out, "%s%s=\"", any ? "," : "{", metrics_label_names[series->row->labels[i]]);
		write_text(out, series->names[i], "\\\"");
		buf_add_byte(out, '"');
		any = true;
	}
	return any;
}

static void
write_line(struct buf *out, const struct series *series, const char *suffix, enum metrics_unit unit, int64_t value)
{
	buf_add_text(out, write_name(out, series, suffix) ? "} " : " ");
	write_number(out, unit, value);
	buf_add_byte(out, '\n');
}

static void
write_bucket(struct buf *out, const struct series *series, int bound, int64_t count)
{
	const struct metrics_row *row = series->row;

	buf_add_text(out, write_name(out, series, "_bucket") ? ",le=\"" : "{le=\"");
	if (bound < row->bound_count)
		write_number(out, row->unit, row->bounds[bound]);
	else
		buf_add_text(out, "+Inf");
	buf_add_text(out, "\"} ");
	buf_add_int(out, count);
	buf_add_byte(out, '\n');
}

static void
write_histogram(struct buf *out, const struct series *series)
{
	int64_t count = 0;

	for (int i = 0; i <= series->row->bound_count; i++) {
		count += sum(series, (unsigned)i);
		write_bucket(out, series, i, count);
	}
	write_line(out, series, "_sum", series->row->unit, sum(series, (unsigned)series->row->bound_count + 1));
	write_line(out, series, "_count", METRICS_UNIT_NUMBER, count);
}

/* False: it has no such value, now. */
static bool
name_label(struct series *series, int which, int index)
{
	enum metrics_label label = series->row->labels[which];

	if (label == METRICS_LABEL_NONE)
		return true;
	return metrics_name_read(label, index, series->names[which], &series->sequences[which]);
}

static bool
is_same(const struct series *series, int which, int index)
{
	struct series now = *series;

	return name_label(&now, which, index) && now.sequences[which] == series->sequences[which];
}

static void
write_series(struct buf *out, struct series *series, int first, int second)
{
	size_t before = out->len;
	int64_t value;

	if (!name_label(series, 1, second))
		return;
	series->cell = series->row->at + (unsigned)(first * series->row->values[1] + second) * series->row->width;
	if (series->row->type == METRICS_TYPE_HISTOGRAM)
		write_histogram(out, series);
	else if (read_value(series, &value))
		write_line(out, series, "", series->row->unit, value);
	if (!is_same(series, 0, first) || !is_same(series, 1, second))
		out->len = before;
}

/* Nothing was counted for the first label's value. */
static bool
is_idle(struct series *series, int first)
{
	const struct metrics_row *row = series->row;
	int64_t value, total = 0;

	if (row->labels[0] != METRICS_LABEL_ENDPOINT && row->labels[0] != METRICS_LABEL_FAMILY)
		return false;
	for (int second = 0; second < row->values[1]; second++) {
		series->cell = row->at + (unsigned)(first * row->values[1] + second) * row->width;
		total += read_value(series, &value) ? value : 0;
	}
	return total == 0;
}

static void
write_all_series(struct buf *out, const struct metrics_row *row)
{
	struct series series = {.row = row};

	for (int first = 0; first < row->values[0]; first++)
		if (name_label(&series, 0, first) && !is_idle(&series, first))
			for (int second = 0; second < row->values[1]; second++)
				write_series(out, &series, first, second);
}

static void
write_metric(struct buf *out, const struct metrics_row *row)
{
	static const char *const types[] = {"counter", "gauge", "gauge", "histogram"};
	size_t before = out->len, head;

	buf_printf(out, "# HELP %s ", row->name);
	write_text(out, row->help, "\\");
	buf_printf(out, "\n# TYPE %s %s\n", row->name, types[row->type]);
	head = out->len;
	write_all_series(out, row);
	if (out->len == head)
		out->len = before;
}

void
metrics_write(struct buf *out)
{
	for (int i = 0; i < METRIC_COUNT; i++)
		write_metric(out, &metrics_rows[i]);
}
