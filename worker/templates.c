/* templates.c - see templates.h. `review`: four roles review a piece of work together. */
#include "templates.h"
#include "json_write.h"

static const struct {
	const char *name;
	const char *description;
	const char *tasks;
} templates[] = {
    {"review", "four roles review a piece of work; the second may send it back to the first, three rounds at most",
     "[{\"key\":\"analyst\",\"role\":\"sena\","
     "\"description\":\"Name the domain, pick tools that exist, decompose into sub-problems, give a confidence.\"},"
     "{\"key\":\"gatekeeper\",\"role\":\"lubit\",\"depends_on\":[\"analyst\"],"
     "\"gate\":{\"on_revision\":\"analyst\",\"max_rounds\":3},"
     "\"description\":\"Validate the analysis: approved, needs_revision with feedback, or rejected.\"},"
     "{\"key\":\"executor\",\"role\":\"gitcode\",\"depends_on\":[\"analyst\",\"gatekeeper\"],"
     "\"description\":\"Run each sub-problem on the real input and report findings.\"},"
     "{\"key\":\"reviewer\",\"role\":\"rune\",\"depends_on\":[\"analyst\",\"gatekeeper\",\"executor\"],"
     "\"description\":\"Score transparency, collaboration, autonomy and fairness from the record; give the "
     "verdict.\"}]"},
};

struct slice
templates_find(struct slice name)
{
	for (size_t i = 0; i < ARRAY_LENGTH(templates); i++)
		if (slice_is(name, templates[i].name))
			return slice_of(templates[i].tasks);
	return SLICE_NONE;
}

struct slice
templates_list(struct arena *arena)
{
	struct buf out = {0};
	struct json_writer writer;
	struct slice text;

	json_write_begin(&writer, &out);
	json_write_array_open(&writer);
	for (size_t i = 0; i < ARRAY_LENGTH(templates); i++) {
		json_write_object_open(&writer);
		json_write_member_text(&writer, "name", templates[i].name);
		json_write_member_text(&writer, "description", templates[i].description);
		json_write_member_raw(&writer, "tasks", slice_of(templates[i].tasks));
		json_write_object_close(&writer);
	}
	json_write_array_close(&writer);
	text = slice_of(arena_string(arena, buf_slice(&out)));
	buf_free(&out);
	return text;
}
