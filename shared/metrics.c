/* metrics.c - the memory of the metrics: see metrics.h and metrics_private.h. */
#include "metrics_private.h"
#include "scoreboard.h"
#include "shared_memory.h"
#include "utf8.h"

enum { AREAS = SCOREBOARD_SLOTS_MAX + 1 };

/* The areas follow, each area_size() from the next; the master's is the first. */
struct memory {
	_Atomic int areas; /* in use */
	struct metrics_name names[];
};

static struct memory *memory;
static _Atomic int64_t *own; /* cells of this process; NULL: it counts nothing */
static int own_place;

/* What is read by many is never in one line of the processor's cache with what this process writes. */
static size_t
area_size(void)
{
	return (metrics_cells() * sizeof(int64_t) + 63) / 64 * 64;
}

static int
names_before(enum metrics_label label)
{
	int before = 0;

	for (int i = 0; i < (int)label; i++)
		before += metrics_label_values[i];
	return before;
}

static size_t
head_size(void)
{
	return (sizeof(struct memory) + (size_t)names_before(METRICS_LABEL_COUNT) * sizeof(struct metrics_name) + 63) / 64 *
	       64;
}

static _Atomic int64_t *
area_of(int area)
{
	return (_Atomic int64_t *)(void *)((char *)memory + head_size() + (size_t)area * area_size());
}

static struct metrics_name *
name_of(enum metrics_label label, int index)
{
	if (!memory || index < 0 || index >= metrics_label_values[label])
		return NULL;
	return &memory->names[names_before(label) + index];
}

/* NULL ends a list. */
static const struct {
	enum metrics_label label;
	const char *const *names;
} known[] = {
    {METRICS_LABEL_STATUS, (const char *const[]){"2xx", "3xx", "4xx", "5xx", NULL}},
    {METRICS_LABEL_FAILURE,
     (const char *const[]){"refused", "unavailable", "timeout", "overloaded", "disk_full", NULL}},
    {METRICS_LABEL_POLICY, (const char *const[]){"default", "tenant", "address", "login", "credential", NULL}},
    {METRICS_LABEL_SEVERITY, (const char *const[]){"info", "warning", "critical", NULL}},
    {METRICS_LABEL_VERDICT, (const char *const[]){"admitted", "refused", NULL}},
};

static void
name_labels(void)
{
	for (size_t i = 0; i < ARRAY_LENGTH(known); i++)
		for (int j = 0; known[i].names[j]; j++)
			metrics_name(known[i].label, j, known[i].names[j]);
}

bool
metrics_map(void)
{
	char name[16];

	own = NULL;
	snprintf(name, sizeof(name), "metrics %07x", (unsigned)(metrics_signature() & 0xfffffff));
	memory = shared_memory_map(name, head_size() + AREAS * area_size(), NULL);
	name_labels();
	return memory != NULL;
}

void
metrics_unmap(void)
{
	shared_memory_unmap(memory);
	memory = NULL;
	own = NULL;
}

void
metrics_cut(struct slice name, char name_r[METRICS_NAME_SIZE])
{
	size_t kept = 0, length;

	while (kept < name.len && (length = utf8_length(name.data + kept, name.len - kept)) > 0 &&
	       kept + length < METRICS_NAME_SIZE)
		kept += length;
	memcpy(name_r, name.data ? name.data : "", kept);
	name_r[kept] = '\0';
}

static void
write_name(struct metrics_name *name, struct slice whole)
{
	char text[METRICS_NAME_SIZE];

	metrics_cut(whole, text);
	/* If a writer died in between, the number is odd, and this makes it even. */
	if (strcmp(name->text, text) == 0 && atomic_load(&name->sequence) % 2 == 0)
		return;
	atomic_store(&name->sequence, atomic_load(&name->sequence) | 1u);
	atomic_thread_fence(memory_order_seq_cst);
	memcpy(name->text, text, strlen(text) + 1);
	atomic_thread_fence(memory_order_seq_cst);
	atomic_store(&name->sequence, (atomic_load(&name->sequence) | 1u) + 1);
}

static bool
read_name(struct metrics_name *name, char name_r[METRICS_NAME_SIZE], uint32_t *sequence_r)
{
	*sequence_r = atomic_load(&name->sequence);
	atomic_thread_fence(memory_order_seq_cst);
	memcpy(name_r, name->text, METRICS_NAME_SIZE);
	name_r[METRICS_NAME_SIZE - 1] = '\0';
	atomic_thread_fence(memory_order_seq_cst);
	return *sequence_r % 2 == 0 && atomic_load(&name->sequence) == *sequence_r && *name_r;
}

void
metrics_name(enum metrics_label label, int index, const char *text)
{
	struct metrics_name *name = name_of(label, index);

	if (name)
		write_name(name, text ? slice_of(text) : SLICE(""));
}

bool
metrics_name_read(enum metrics_label label, int index, char name_r[METRICS_NAME_SIZE], uint32_t *sequence_r)
{
	struct metrics_name *name = name_of(label, index);

	return name && read_name(name, name_r, sequence_r);
}

static void
forget_gauges(int area)
{
	_Atomic int64_t *cells = area_of(area);

	for (int i = 0; i < METRIC_COUNT; i++) {
		const struct metrics_row *row = &metrics_rows[i];
		bool gauge = row->type == METRICS_TYPE_GAUGE || row->type == METRICS_TYPE_LATEST;
		for (int j = 0; gauge && j < row->values[0] * row->values[1]; j++)
			atomic_store_explicit(&cells[row->at + (unsigned)j], 0, memory_order_relaxed);
	}
}

void
metrics_begin(int slot, int place, const char *name)
{
	int area = slot + 1, areas;

	if (!memory)
		return;
	INVARIANT(area >= 0 && area < AREAS);
	areas = atomic_load(&memory->areas);
	while (area >= areas && !atomic_compare_exchange_weak(&memory->areas, &areas, area + 1))
		;
	metrics_name(METRICS_LABEL_PROCESS, place, name);
	forget_gauges(area);
	own = area_of(area);
	own_place = place;
}

void
metrics_end(int slot)
{
	if (memory && slot + 1 < atomic_load(&memory->areas))
		forget_gauges(slot + 1);
}

/* NULL: out of bounds, or nobody counts. */
static _Atomic int64_t *
cell_of(enum metric metric, int index)
{
	const struct metrics_row *row = &metrics_rows[metric];

	if (index == METRICS_OWN)
		index = own_place;
	if (!own || index < 0 || index >= row->values[0] * row->values[1])
		return NULL;
	return &own[row->at + (unsigned)index * row->width];
}

static void
increase(_Atomic int64_t *cell, int64_t amount)
{
	/* Nobody else writes here: no lock on the bus. */
	atomic_store_explicit(cell, atomic_load_explicit(cell, memory_order_relaxed) + amount, memory_order_relaxed);
}

void
metrics_add(enum metric metric, int index, int64_t amount)
{
	_Atomic int64_t *cell = cell_of(metric, index);

	if (cell)
		increase(cell, amount);
}

void
metrics_observe(enum metric metric, int index, int64_t value)
{
	const struct metrics_row *row = &metrics_rows[metric];
	_Atomic int64_t *cell = cell_of(metric, index);
	int bucket = 0;

	if (!cell)
		return;
	while (bucket < row->bound_count && value > row->bounds[bucket])
		bucket++;
	increase(&cell[bucket], 1);
	increase(&cell[row->bound_count + 1], value);
}

/* A gauge's cell is 0 when nobody has set it. */
void
metrics_set(enum metric metric, int index, int64_t value)
{
	_Atomic int64_t *cell = cell_of(metric, index);

	if (cell)
		atomic_store_explicit(cell, value ^ METRICS_UNSET, memory_order_relaxed);
}

void
metrics_change(enum metric metric, int index, int64_t by)
{
	_Atomic int64_t *cell = cell_of(metric, index);
	int64_t now;

	if (!cell || !by)
		return;
	now = atomic_load_explicit(cell, memory_order_relaxed) ^ METRICS_UNSET;
	metrics_set(metric, index, (now == METRICS_UNSET ? 0 : now) + by);
}

void
metrics_unset(enum metric metric, int index)
{
	metrics_set(metric, index, METRICS_UNSET);
}

int
metrics_pair(enum metric metric, int first, int second)
{
	const struct metrics_row *row = &metrics_rows[metric];

	if (first < 0 || first >= row->values[0] || second < 0 || second >= row->values[1])
		return -1;
	return first * row->values[1] + second;
}

int
metrics_area_count(void)
{
	return memory ? atomic_load(&memory->areas) : 0;
}

int64_t
metrics_area_cell(int area, unsigned cell)
{
	return atomic_load_explicit(&area_of(area)[cell], memory_order_relaxed);
}
