/* fields_workflows.c - fields of workflows. See schemas.h. */
#include "schemas.h"
#include "field_rows.h"

static const char *const workflow_states[] = {"pending", "running", "completed", "failed", "cancelled", NULL};

const struct field fields_workflow[] = {
    TEXT("description", REQUIRED, .min = 1, .max = 4000, DOC("what the work is")),
    JSON("input_data", DOC("anything; handed to every task without an input of its own")),
    TEXT("template", .min = 1, .max = 100, DOC("name of a template, such as review; this or tasks is needed")),
    ARRAY("tasks", .fields = fields_graph_task, .min = 1, .max = 500, DOC("the graph")),
    LABELS,
    INT("deadline_s", .min = 1, .max = 31536000, DOC("the workflow fails if it has not ended by then")),
    {0}};

const struct field fields_workflow_patch[] = {
    TEXT("description", .min = 1, .max = 4000, DOC("what the work is")),
    LABELS,
    BOOL("paused", DOC("true: what runs goes on, nothing else starts")),
    INT("deadline_s", .min = 1, .max = 31536000, DOC("a new deadline, from now")),
    {0}};

const struct field query_workflows[] = {UUID_PAGE,
                                        TEXT("status", .choices = workflow_states, DOC("only this status")),
                                        TEXT("template", .min = 1, .max = 100, DOC("only made from this template")),
                                        UUID("schedule_id", DOC("only made by this schedule")),
                                        TIME("created_after", DOC("only made at this time or later")),
                                        TIME("created_before", DOC("only made before this time")),
                                        TEXT("label", .min = 3, .max = 600, DOC("only with this label: name:text")),
                                        {0}};

static const struct field progress_fields[] = {
    INT("total"), INT("completed"), INT("failed"), INT("cancelled"), INT("skipped"), INT("running"), INT("percent"), {0}};

SCHEMA(workflow, "Workflow", UUID("id"), TEXT("description"), TEXT("status", .choices = workflow_states),
       BOOL("paused"), TEXT("template"), UUID("schedule_id"), OBJECT("labels"), JSON("input_data"), JSON("output_data"), TEXT("verdict"),
       TEXT("error_message"), OBJECT("progress", .fields = progress_fields), TEXT("created_by"), TIME("created_at"),
       TIME("started_at"), TIME("completed_at"), TIME("deadline_at"), ARRAY("tasks", .element = FIELD_OBJECT));
SCHEMA(graph, "Graph", UUID("id"), TEXT("status", .choices = workflow_states), ARRAY("nodes", .element = FIELD_OBJECT),
       ARRAY("edges", .element = FIELD_OBJECT));
