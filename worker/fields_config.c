/* fields_config.c - fields of the settings. See schemas.h. */
#include "field_rows.h"
#include "schemas.h"

/* Any member: what there is stands in shared/config.def, which checks it. */
const struct field fields_config[] = {{0}};

SCHEMA(
    config, "Config",
    ARRAY("items", .element = FIELD_OBJECT,
          DOC("name, value (null for a secret), set, source (default, environment, file, run-time), changeable, doc")),
    INT("version", DOC("how often settings were changed; the ETag")));
