// Validates HTML files with html-validate. Prints one line for each error, and "ok" for each file
// without any.
import {readFileSync} from "node:fs";
import {HtmlValidate, StaticConfigLoader} from "html-validate";

// Left out are rules about the look of the source, the length of a title (it has the URL of the
// target), and the button that sends a form (the filter works as a person types).
const loader = new StaticConfigLoader({
	extends: ["html-validate:recommended", "html-validate:document"],
	rules: {
		"long-title": "off",
		"no-trailing-whitespace": "off",
		"wcag/h32": "off",
		// HTML allows every character but spaces. The IDs of checks have slashes.
		"valid-id": ["error", {relaxed: true}],
	},
});
const validator = new HtmlValidate(loader);
for (const file of process.argv.slice(2)) {
	const report = await validator.validateString(readFileSync(file, "utf8"), file);
	for (const {messages} of report.results) {
		for (const {line, column, ruleId, message} of messages) {
			console.log(`${file}:${line}:${column}: ${ruleId}: ${message}`);
		}
	}
	if (report.valid) console.log(`ok ${file}`);
	else process.exitCode = 1;
}
