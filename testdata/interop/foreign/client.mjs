// Runs a client of another project.
// Usage: node client.mjs MODULE [URL]
// With a URL it does the task of the suite's environment. Without one it does the tasks of its standard input,
// one a line, and answers each with a line: the error, or nothing.
import { createInterface } from "node:readline";

const [module, url] = process.argv.slice(2);
const { run } = await import(`./${module}`);

if (url) {
  await run(url, JSON.parse(process.env.MCP_CONFORMANCE_CONTEXT));
  process.exit(0);
}
console.log = console.error; // standard output is for the answers
process.on("unhandledRejection", () => undefined); // of streams that an earlier task left behind
for await (const line of createInterface({ input: process.stdin })) {
  const task = JSON.parse(line);
  const failed = await run(task.url, task.context).then(() => "", (error) => `${error?.message ?? error}`);
  process.stdout.write(`${JSON.stringify({ error: failed })}\n`);
}
