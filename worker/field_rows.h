/*
 * field_rows.h - how rows of fields are written. Only fields_*.c include it.
 *
 * Every row of a body or a query string has a doc text: it is the documentation of the API.
 */
#ifndef AGENTD_FIELD_ROWS_H
#define AGENTD_FIELD_ROWS_H

#include "schemas.h"

#define TEXT(name_, ...)                               \
	{                                                  \
		.name = name_, .type = FIELD_TEXT, __VA_ARGS__ \
	}
#define INT(name_, ...)                               \
	{                                                 \
		.name = name_, .type = FIELD_INT, __VA_ARGS__ \
	}
#define NUMBER(name_, ...)                               \
	{                                                    \
		.name = name_, .type = FIELD_NUMBER, __VA_ARGS__ \
	}
#define BOOL(name_, ...)                               \
	{                                                  \
		.name = name_, .type = FIELD_BOOL, __VA_ARGS__ \
	}
#define UUID(name_, ...)                               \
	{                                                  \
		.name = name_, .type = FIELD_UUID, __VA_ARGS__ \
	}
#define TIME(name_, ...)                               \
	{                                                  \
		.name = name_, .type = FIELD_TIME, __VA_ARGS__ \
	}
#define JSON(name_, ...)                               \
	{                                                  \
		.name = name_, .type = FIELD_JSON, __VA_ARGS__ \
	}
#define OBJECT(name_, ...)                               \
	{                                                    \
		.name = name_, .type = FIELD_OBJECT, __VA_ARGS__ \
	}
#define TEXTS(name_, ...)                               \
	{                                                   \
		.name = name_, .type = FIELD_TEXTS, __VA_ARGS__ \
	}
#define ARRAY(name_, ...)                               \
	{                                                   \
		.name = name_, .type = FIELD_ARRAY, __VA_ARGS__ \
	}
#define DOC(text) .doc = text
#define LABELS TEXTS("labels", .max = 50, DOC("names and texts, for finding it again"))
#define REQUIRED .required = true

#define PAGE                                                                      \
	INT("limit", .min = 1, .max = 500, .fallback = "50", DOC("items on a page")), \
	    TEXT("cursor", .min = 1, .max = 200, DOC("next_cursor of the page before"))
#define UUID_PAGE                                                                 \
	INT("limit", .min = 1, .max = 500, .fallback = "50", DOC("items on a page")), \
	    UUID("cursor", DOC("next_cursor of the page before"))

#define SCHEMA(id, label, ...)                                    \
	static const struct field id##_fields[] = {__VA_ARGS__, {0}}; \
	const struct schema schema_##id = {label, id##_fields}

#endif
