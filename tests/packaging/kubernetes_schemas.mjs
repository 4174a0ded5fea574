// kubernetes_schemas.mjs - reads rendered manifests (JSON, an array) on standard input and holds each against the public schemas of
// Kubernetes, twice: npm's kubernetes-models checks values, and the TypeScript compiler, with npm's kubernetes-types, finds
// fields that do not exist. TAP. To be run where both, and typescript, are installed.
import { createRequire } from "node:module";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const require = createRequire(join(process.cwd(), "here.js"));
const ts = require("typescript");
const manifests = JSON.parse(readFileSync(0, "utf8"));
let count = 0, failed = 0;

function report(name, problems) {
	count++;
	failed += problems.length ? 1 : 0;
	console.log(`${problems.length ? "not ok" : "ok"} ${count} - ${name}`);
	for (const problem of problems)
		console.log(`# ${problem}`);
}

async function values(manifest) {
	const path = join(process.cwd(), "node_modules/kubernetes-models", manifest.apiVersion, `${manifest.kind}.js`);
	const { [manifest.kind]: Model } = await import(pathToFileURL(path));
	try {
		new Model(manifest).validate();
		return [];
	} catch (error) {
		return [error.message];
	}
}

function fields(manifest) {
	const [group, version] = manifest.apiVersion.includes("/") ? manifest.apiVersion.split("/") : ["core", manifest.apiVersion];
	const module = `kubernetes-types/${group.replace(".k8s.io", "")}/${version}`;
	const file = join(process.cwd(), "manifest.ts");
	writeFileSync(file, `import { ${manifest.kind} } from "${module}";\nexport const manifest: ${manifest.kind} = ` +
		`${JSON.stringify(manifest, null, "\t")};\n`);
	const program = ts.createProgram([file], { strict: true, noEmit: true, types: [], moduleResolution: ts.ModuleResolutionKind.Node10,
		module: ts.ModuleKind.CommonJS, target: ts.ScriptTarget.ES2022 });
	return ts.getPreEmitDiagnostics(program).map((one) => ts.flattenDiagnosticMessageText(one.messageText, " "));
}

for (const manifest of manifests) {
	const name = `${manifest.kind} ${manifest.metadata.name}`;
	report(`${name}: values`, await values(manifest));
	report(`${name}: fields`, fields(manifest));
}
// A check that accepts everything would accept this.
const wrong = structuredClone(manifests.find((one) => one.kind === "Deployment"));
wrong.spec.template.spec.containers[0].livenessProb = {};
report("a field that does not exist is found", fields(wrong).length ? [] : ["it was accepted"]);
wrong.spec.replicas = "three";
report("a value of another type is found", (await values(wrong)).length ? [] : ["it was accepted"]);
console.log(`1..${count}`);
process.exit(failed ? 1 : 0);
