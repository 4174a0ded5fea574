/* test_scope.c - scopes of API keys: what is one, what it allows, and what covers what. */
#include "base.h"

#include "scope.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>

static struct scope
good(const char *text)
{
	struct scope scope;
	const char *fault = scope_parse(slice_of(text), &scope);

	if (fault)
		fail_msg("%s: %s", text, fault);
	return scope;
}

static void
test_good(void **state UNUSED)
{
	struct scope scope;

	assert_int_equal(good("default").perms, UINT32_MAX);
	assert_int_equal(good("workflow:read").perms, 1u << PERM_WORKFLOW_READ);
	assert_int_equal(good("workflow:*").perms, 1u << PERM_WORKFLOW_CREATE | 1u << PERM_WORKFLOW_READ |
	                                               1u << PERM_WORKFLOW_UPDATE | 1u << PERM_WORKFLOW_DELETE);
	assert_int_equal(good("audit:*").perms, 1u << PERM_AUDIT_READ);
	for (int perm = 0; perm < PERM_COUNT; perm++)
		if (perm_name((enum perm)perm))
			assert_int_equal(good(perm_name((enum perm)perm)).perms, 1u << perm);
	scope = good("task:execute@role=sena");
	assert_int_equal(scope.perms, 1u << PERM_TASK_EXECUTE);
	assert_int_equal(scope.kind, SCOPE_ROLE);
	assert_true(slice_is(scope.pattern, "sena"));
	assert_false(scope.prefix);
	scope = good("agent:read@agent=a=b@c d-*");
	assert_int_equal(scope.kind, SCOPE_AGENT);
	assert_true(slice_is(scope.pattern, "a=b@c d-"));
	assert_true(scope.prefix);
	assert_int_equal(good("workflow:create@template=\xc3\xa9").kind, SCOPE_TEMPLATE);
}

static void
test_bad(void **state UNUSED)
{
	static const char *const bad[] = {"",
	                                  " ",
	                                  "*",
	                                  ":*",
	                                  "*:*",
	                                  "Default",
	                                  "default ",
	                                  "default@role=a",
	                                  "workflow",
	                                  "workflow:",
	                                  "workflow:rea",
	                                  "workflow:reads",
	                                  "workflow:r*",
	                                  "workflow:read*",
	                                  "work*",
	                                  "Workflow:read",
	                                  " workflow:read",
	                                  "workflow:read ",
	                                  "workflow:read,agent:read",
	                                  "workflow:read\nagent:read",
	                                  "workflow:*@role=a",
	                                  "audit:*@role=a",
	                                  "task:execute@",
	                                  "task:execute@role",
	                                  "task:execute@=a",
	                                  "task:execute@sena",
	                                  "task:execute@queue=a",
	                                  "task:execute@Role=a",
	                                  "task:execute@role=",
	                                  "task:execute@role=*",
	                                  "task:execute@role=**",
	                                  "task:execute@role=a*b",
	                                  "task:execute@role=*b",
	                                  "task:execute@role=a\nb",
	                                  "task:execute@role=a\x7f"};
	char longest[SCOPE_TEXT_MAX + 2] = "task:execute@role=";
	struct scope scope;

	for (size_t i = 0; i < ARRAY_LENGTH(bad); i++)
		if (!scope_parse(slice_of(bad[i]), &scope))
			fail_msg("\"%s\" was taken", bad[i]);
	assert_non_null(scope_parse(SLICE_NONE, &scope));
	assert_non_null(scope_parse((struct slice){"default\0x", 9}, &scope));
	memset(longest + 18, 'a', sizeof(longest) - 19);
	assert_non_null(scope_parse(slice_of(longest), &scope));
	assert_null(scope_parse((struct slice){longest, SCOPE_TEXT_MAX}, &scope));
}

static bool
covers(const char *wide, const char *narrow)
{
	struct scope a = good(wide), b = good(narrow);

	return scope_covers(&a, &b);
}

static void
test_covers(void **state UNUSED)
{
	assert_true(covers("default", "workflow:*"));
	assert_true(covers("workflow:*", "workflow:read"));
	assert_true(covers("task:execute", "task:execute@role=a"));
	assert_true(covers("task:execute@role=a", "task:execute@role=a"));
	assert_true(covers("task:execute@role=a*", "task:execute@role=ab"));
	assert_true(covers("task:execute@role=a*", "task:execute@role=a"));
	assert_true(covers("task:execute@role=a*", "task:execute@role=ab*"));
	assert_false(covers("workflow:read", "workflow:*"));
	assert_false(covers("workflow:*", "default"));
	assert_false(covers("task:execute@role=a", "task:execute"));
	assert_false(covers("task:execute@role=a", "task:execute@role=a*"));
	assert_false(covers("task:execute@role=ab*", "task:execute@role=a*"));
	assert_false(covers("task:execute@role=a", "task:execute@agent=a"));
	assert_false(covers("task:execute@role=a", "agent:read@agent=a"));
}

static void
test_list(void **state UNUSED)
{
	struct arena arena = ARENA_EMPTY;
	struct scopes scopes;

	scopes_parse(&arena,
	             SLICE("task:execute@role=sena\nno:such\ntask:execute@agent=web-*\nagent:read\n"
	                   "agent:read@agent=x"),
	             &scopes);
	assert_int_equal(scopes.full, 1u << PERM_AGENT_READ);
	assert_int_equal(scopes.limited, 1u << PERM_TASK_EXECUTE);
	assert_true(scopes_allow(&scopes, PERM_TASK_EXECUTE, SCOPE_ROLE, SLICE("sena")));
	assert_false(scopes_allow(&scopes, PERM_TASK_EXECUTE, SCOPE_ROLE, SLICE("sena2")));
	assert_false(scopes_allow(&scopes, PERM_TASK_EXECUTE, SCOPE_ROLE, SLICE("sen")));
	assert_false(scopes_allow(&scopes, PERM_TASK_EXECUTE, SCOPE_ROLE, SLICE("")));
	assert_false(scopes_allow(&scopes, PERM_TASK_EXECUTE, SCOPE_ROLE, SLICE_NONE));
	assert_false(scopes_allow(&scopes, PERM_TASK_EXECUTE, SCOPE_AGENT, SLICE("sena")));
	assert_true(scopes_allow(&scopes, PERM_TASK_EXECUTE, SCOPE_AGENT, SLICE("web-1")));
	assert_true(scopes_allow(&scopes, PERM_TASK_EXECUTE, SCOPE_AGENT, SLICE("web-")));
	assert_false(scopes_allow(&scopes, PERM_MESSAGE_SEND, SCOPE_AGENT, SLICE("web-1")));
	scopes_parse(&arena, SLICE_NONE, &scopes);
	assert_int_equal(scopes.full | scopes.limited, 0);
	arena_reset(&arena);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_good), cmocka_unit_test(test_bad),
	                                   cmocka_unit_test(test_covers), cmocka_unit_test(test_list)};

	return cmocka_run_group_tests_name("scope", tests, NULL, NULL);
}
