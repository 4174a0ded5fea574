/* api_alerts.c - rules and channels of alerts: what fits together, and the secret that is shown once. */
#include "api.h"
#include "cidr.h"
#include "config.h"
#include "crypto.h"
#include "crypto_seal.h"
#include "rows.h"
#include "uuid.h"
#include "webhook.h"

/* What is asked of nodes is about the whole cluster. */
bool
api_alert_rule_prepare(struct request *request, struct call *call)
{
	static const char *const of_nodes[] = {"disk_percent", "certificate_days", "node_critical"};
	struct field_errors errors = {.arena = &request->arena};

	for (size_t i = 0; i < ARRAY_LENGTH(of_nodes); i++)
		if (slice_is(call_field(call, "metric")->text, of_nodes[i]) && request->principal.tenant != TENANT_DEFAULT)
			field_error_add(&errors, "/metric", "not_allowed",
			                "is about the nodes of the cluster: for rules of the tenant default");
	return errors.count ? call_fail_fields(call, &errors) : true;
}

static bool
check_url(struct request *request, struct call *call)
{
	struct slice url = call_field(call, "url")->text;
	struct field_errors errors = {.arena = &request->arena};
	struct cidr_list allowed;
	struct slice bad;
	const char *fault;

	/* Checked when the settings were loaded. */
	INVARIANT(cidr_list_parse(slice_of(request->worker->config->webhook_allowed_ranges), &allowed, &bad));
	fault = url.data ? webhook_url_fault(url, &allowed) : NULL;
	cidr_list_free(&allowed);
	if (!fault)
		return true;
	field_error_add(&errors, "/url", "bad_value", fault);
	return call_fail_fields(call, &errors);
}

bool
api_alert_channel_patch_prepare(struct request *request, struct call *call)
{
	return check_url(request, call);
}

/* The secret is sealed for its channel: in another row it does not open. */
bool
api_alert_channel_prepare(struct request *request, struct call *call)
{
	char *id = arena_alloc(&request->arena, UUID_TEXT_SIZE);
	struct buf secret = {0}, sealed = {0}, text = {0};

	if (!check_url(request, call))
		return false;
	uuid_new(id);
	webhook_secret_new(&secret);
	crypto_seal(request->worker->heritage->channel_keys[0], slice_of(id), buf_slice(&secret), &sealed);
	crypto_base64url_encode(&text, buf_slice(&sealed));
	call_set(call, "channel_id", slice_of(id));
	call_set(call, "sealed", slice_of(arena_string(&request->arena, buf_slice(&text))));
	request->state = arena_string(&request->arena, buf_slice(&secret));
	buf_free(&secret);
	buf_free(&sealed);
	buf_free(&text);
	return true;
}

void
api_alert_channel_finish(struct request *request, struct call *call, const struct db_result *result)
{
	struct json_writer writer;

	if (call_refused(call, result))
		return;
	call->status = request->endpoint->status;
	json_write_begin(&writer, &call->out);
	json_write_object_open(&writer);
	rows_write_members(&writer, result, 0);
	json_write_member_text(&writer, "secret", request->state);
	json_write_object_close(&writer);
}
