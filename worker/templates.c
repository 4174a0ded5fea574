/* templates.c - see templates.h. `review`: four roles review a piece of work together. */
#include "templates.h"

static const struct {
	const char *name;
	const char *tasks;
} templates[] = {
    {"review",
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
