/* list.c - follows next_cursor until --limit rows are there, or a page has none. */
#include "base.h"

#include "http.h"
#include "list.h"

enum { PAGE_MAX = 500 };

struct list {
	const char *path, *what;
	const char *cursor_name; /* the query's member that says where to go on */
	const char *begin;       /* where to begin; NULL: at the beginning */
};

static enum ctl_exit
get_page(const struct ctl *ctl, const struct list *list, long want, const char *cursor, json_t **page_r)
{
	char *full = mem_string(list->path), limit[24];
	enum ctl_exit code;

	snprintf(limit, sizeof(limit), "%ld", MIN(want, (long)PAGE_MAX));
	http_path_query(&full, "limit", limit);
	http_path_query(&full, list->cursor_name, cursor ? cursor : list->begin);
	code = http_request(ctl, "GET", full, NULL, list->what, page_r);
	free(full);
	if (code == CTL_DONE && !json_is_array(json_object_get(*page_r, "items"))) {
		json_decref(*page_r);
		*page_r = NULL;
		return output_error(CTL_FAILED, list->what, "the answer has no \"items\"; is the server an agentd?",
		                    "agentctl status");
	}
	return code;
}

/* Collects into all: {"items", "next_cursor"}. */
static enum ctl_exit
collect(const struct ctl *ctl, const struct list *list, long limit, json_t *all)
{
	json_t *items = json_object_get(all, "items");
	bool more = true;

	while (more && (long)json_array_size(items) < limit) {
		json_t *page = NULL;
		size_t before = json_array_size(items);
		enum ctl_exit code = get_page(ctl, list, limit - (long)before, output_string(all, "next_cursor", NULL), &page);

		if (code != CTL_DONE)
			return code;
		json_array_extend(items, json_object_get(page, "items"));
		json_object_set(all, "next_cursor", json_object_get(page, "next_cursor"));
		if (!output_string(all, "next_cursor", NULL))
			json_object_set_new(all, "next_cursor", json_null());
		more = output_string(all, "next_cursor", NULL) && json_array_size(items) > before;
		json_decref(page);
	}
	return CTL_DONE;
}

/* Up to --limit rows. */
static enum ctl_exit
get(const struct ctl *ctl, const struct list *list, json_t **all_r)
{
	long limit = 50;
	enum ctl_exit code;

	if (!ctl_number(ctl, OPTION_LIMIT, 1, 1000000, &limit))
		return CTL_USAGE;
	*all_r = json_pack("{s:[], s:n}", "items", "next_cursor");
	code = collect(ctl, list, limit, *all_r);
	if (code == CTL_DONE && output_string(*all_r, "next_cursor", NULL) &&
	    (long)json_array_size(json_object_get(*all_r, "items")) >= limit && ctl->format <= CTL_WIDE)
		output_note(ctl, "there may be more than %ld; see them with --limit N.", limit);
	return code;
}

static enum ctl_exit
show(const struct ctl *ctl, const struct list *list, const struct output_field *fields, const char *id_key)
{
	json_t *all = NULL;
	enum ctl_exit code = get(ctl, list, &all);

	if (code == CTL_DONE)
		output_list(ctl, all, fields, id_key);
	json_decref(all);
	return code;
}

enum ctl_exit
list_get(const struct ctl *ctl, const char *path, const char *what, json_t **all_r)
{
	struct list list = {path, what, "cursor", NULL};

	return get(ctl, &list, all_r);
}

enum ctl_exit
list_show(const struct ctl *ctl, const char *path, const char *what, const struct output_field *fields,
          const char *id_key)
{
	struct list list = {path, what, "cursor", NULL};

	return show(ctl, &list, fields, id_key);
}

enum ctl_exit
list_show_after(const struct ctl *ctl, const char *path, const char *what, const struct output_field *fields,
                const char *id_key, const char *after)
{
	struct list list = {path, what, "after", after};

	return show(ctl, &list, fields, id_key);
}
