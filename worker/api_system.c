/* api_system.c - what is open to everyone (probes: api_health.c), and the status of the node. */
#include "api.h"
#include "clock.h"
#include "config.h"
#include "db.h"
#include "duty_board.h"
#include "jwt.h"
#include "openapi.h"
#include "rows.h"
#include "scoreboard_text.h"

#include <unistd.h>

static enum step
constant(struct request *request, struct slice text)
{
	request->static_reply = text;
	request->status = 200;
	return STEP_NEXT;
}

enum step
api_root(struct request *request)
{
	return constant(request,
	                SLICE("{\"name\":\"agentd\",\"version\":\"" PACKAGE_VERSION "\",\"links\":{\"api\":\"/api/v1\","
	                      "\"openapi\":\"/openapi.json\",\"docs\":\"/docs\",\"health\":\"/health\"}}"));
}

enum step
api_openapi(struct request *request)
{
	static struct buf document;

	if (!document.len)
		openapi_write(&document);
	return constant(request, buf_slice(&document));
}

enum step
api_jwks(struct request *request)
{
	jwt_keys_write(request->worker->jwt_keys, &request->reply);
	request->status = 200;
	return STEP_NEXT;
}

/* The document for people: one page without anything from elsewhere. */
static const char docs_page[] =
    "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>"
    "<title>agentd API</title><style>body{font:16px/1.5 system-ui;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "code,pre{font:14px/1.4 ui-monospace,monospace}pre{background:#8882;padding:.7rem;overflow:auto}"
    "summary{cursor:pointer}b.m{display:inline-block;width:4.5rem}h2{margin-top:2rem}</style>"
    "<h1>agentd API</h1><p>Made from <a href=/openapi.json>/openapi.json</a>.<div id=all>Loading.</div><script>"
    "fetch('/openapi.json').then(r=>r.json()).then(d=>{const all=document.getElementById('all');all.textContent='';"
    "const el=(t,x,p)=>{const e=document.createElement(t);if(x)e.textContent=x;p.append(e);return e};"
    "const tags={};for(const [path,ops] of Object.entries(d.paths))for(const [verb,op] of Object.entries(ops))"
    "(tags[op.tags[0]]||=[]).push([verb,path,op]);"
    "for(const [tag,rows] of Object.entries(tags)){el('h2',tag,all);for(const [verb,path,op] of rows){"
    "const box=el('details','',all),s=el('summary','',box),m=el('b',verb.toUpperCase(),s);m.className='m';"
    "el('code',path,s);el('span','  '+op.summary,s);if(op.description)el('p',op.description,box);"
    "for(const p of op.parameters)el('p',p.in+' '+p.name+': '+(p.description||''),box);"
    "if(op.requestBody)el('pre',JSON.stringify(Object.values(op.requestBody.content)[0].schema,null,1),box)}}})"
    "</script></html>";

enum step
api_docs(struct request *request)
{
	request->content_type = "text/html; charset=utf-8";
	request->own_policy = true;
	request_add_header(
	    request, "Content-Security-Policy",
	    SLICE("default-src 'none'; connect-src 'self'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
	          "base-uri 'none'; frame-ancestors 'none'"));
	return constant(request, SLICE(docs_page));
}

void
api_status_finish(struct request *request, struct call *call, const struct db_result *result)
{
	const struct heritage *heritage = request->worker->heritage;
	struct json_writer writer;
	struct buf head = {0};

	json_write_begin(&writer, &head);
	json_write_object_open(&writer);
	json_write_member_text(&writer, "version", PACKAGE_VERSION);
	json_write_member_text(&writer, "environment", config_environment_name(heritage->config->environment));
	json_write_key(&writer, "workers");
	scoreboard_write_processes(&writer, heritage->board);
	duty_board_write(heritage->duties, &writer);
	call_finish(request, call, result);
	/* Both are objects: this one stays open and takes the members of that one. */
	buf_add_byte(&head, ',');
	buf_add(&head, call->out.data + 1, call->out.len - 1);
	buf_free(&call->out);
	call->out = head;
}
