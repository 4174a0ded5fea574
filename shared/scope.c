/* scope.c - see scope.h. */
#include "scope.h"

static const char *const kind_names[SCOPE_KIND_COUNT] = {
    [SCOPE_ROLE] = "role", [SCOPE_AGENT] = "agent", [SCOPE_TEMPLATE] = "template"};

const char *
scope_kind_name(enum scope_kind kind)
{
	return kind_names[kind];
}

/* The permissions that text names: one, or all of a group. */
static uint32_t
perms_named(struct slice text)
{
	bool group = text.len > 2 && text.data[text.len - 1] == '*' && text.data[text.len - 2] == ':';
	uint32_t perms = 0;

	for (int perm = 0; perm < PERM_COUNT; perm++) {
		const char *name = perm_name((enum perm)perm);
		if (name && (group ? strncmp(name, text.data, text.len - 1) == 0 : slice_is(text, name)))
			perms |= 1u << perm;
	}
	return perms;
}

static enum scope_kind
kind_named(struct slice text)
{
	for (int kind = SCOPE_ALL + 1; kind < SCOPE_KIND_COUNT; kind++)
		if (slice_is(text, kind_names[kind]))
			return (enum scope_kind)kind;
	return SCOPE_ALL;
}

static const char *
parse_pattern(struct slice pattern, struct scope *scope_r)
{
	if (pattern.len && pattern.data[pattern.len - 1] == '*') {
		scope_r->prefix = true;
		pattern.len--;
	}
	if (pattern.len == 0)
		return "needs a name, or the beginning of one, behind the =; without a limit write the permission alone";
	for (size_t i = 0; i < pattern.len; i++)
		if (pattern.data[i] == '*' || (unsigned char)pattern.data[i] < 0x20 || pattern.data[i] == 0x7F)
			return "may have one * only, at its end, and no control characters";
	scope_r->pattern = pattern;
	return NULL;
}

const char *
scope_parse(struct slice text, struct scope *scope_r)
{
	const char *at = text.len ? memchr(text.data, '@', text.len) : NULL;
	struct slice permission = {text.data, at ? (size_t)(at - text.data) : text.len};
	struct slice limit = at ? (struct slice){at + 1, text.len - permission.len - 1} : SLICE_NONE;
	const char *equals = limit.len ? memchr(limit.data, '=', limit.len) : NULL;

	*scope_r = (struct scope){.text = text};
	if (text.len > SCOPE_TEXT_MAX)
		return "must have at most 200 bytes";
	if (slice_is(text, "default")) {
		scope_r->perms = UINT32_MAX;
		return NULL;
	}
	scope_r->perms = perms_named(permission);
	if (!scope_r->perms)
		return "must be default, or begin with a permission such as workflow:read or with a group such as workflow:*";
	if (!at)
		return NULL;
	if (scope_r->perms & (scope_r->perms - 1) || permission.data[permission.len - 1] == '*')
		return "names a group; a limit belongs to one permission";
	if (equals)
		scope_r->kind = kind_named((struct slice){limit.data, (size_t)(equals - limit.data)});
	if (scope_r->kind == SCOPE_ALL)
		return "needs role=, agent= or template= behind the @";
	return parse_pattern((struct slice){equals + 1, limit.len - (size_t)(equals + 1 - limit.data)}, scope_r);
}

static bool
matches(const struct scope *scope, struct slice name)
{
	return name.data && name.len >= scope->pattern.len && (scope->prefix || name.len == scope->pattern.len) &&
	       memcmp(name.data, scope->pattern.data, scope->pattern.len) == 0;
}

bool
scope_covers(const struct scope *wide, const struct scope *narrow)
{
	if (narrow->perms & ~wide->perms)
		return false;
	if (wide->kind == SCOPE_ALL)
		return true;
	return wide->kind == narrow->kind && (wide->prefix || !narrow->prefix) && matches(wide, narrow->pattern);
}

struct slice
scope_line(struct slice *lines_r)
{
	const char *end = memchr(lines_r->data, '\n', lines_r->len);
	struct slice line = {lines_r->data, end ? (size_t)(end - lines_r->data) : lines_r->len};
	size_t taken = line.len + (end ? 1 : 0);

	*lines_r = (struct slice){lines_r->data + taken, lines_r->len - taken};
	return line;
}

void
scopes_parse(struct arena *arena, struct slice lines, struct scopes *scopes_r)
{
	*scopes_r = (struct scopes){.list = arena_alloc(arena, SCOPES_MAX * sizeof(*scopes_r->list))};
	while (lines.len) {
		struct scope scope;

		if (scope_parse(scope_line(&lines), &scope))
			continue;
		if (scope.kind == SCOPE_ALL) {
			scopes_r->full |= scope.perms;
		} else if (scopes_r->count < SCOPES_MAX) {
			scopes_r->limited |= scope.perms;
			scopes_r->list[scopes_r->count++] = scope;
		}
	}
	scopes_r->limited &= ~scopes_r->full;
}

bool
scopes_allow(const struct scopes *scopes, enum perm perm, enum scope_kind kind, struct slice name)
{
	for (int i = 0; i < scopes->count; i++)
		if (scopes->list[i].kind == kind && (scopes->list[i].perms & 1u << perm) && matches(&scopes->list[i], name))
			return true;
	return false;
}
