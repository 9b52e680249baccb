// Diagnose a photo from Node 18+: node examples/predict.mjs PHOTO   (GATEWAY_URL, GATEWAY_KEY)
// In a browser the same fetch() works with a File as the body.
import { readFile } from "node:fs/promises";

const [photo] = process.argv.slice(2);
if (!photo) throw new Error("say which photo: node examples/predict.mjs PHOTO");
const { GATEWAY_URL = "http://127.0.0.1:8080", GATEWAY_KEY } = process.env;

const response = await fetch(`${GATEWAY_URL}/v1/predict`, {
  method: "POST",
  headers: { "Accept-Language": "en", ...(GATEWAY_KEY && { Authorization: `Bearer ${GATEWAY_KEY}` }) },
  body: await readFile(photo),
  signal: AbortSignal.timeout(30_000),
});
const answer = await response.json();
if (!response.ok) {
  // application/problem+json: `type` is stable, `detail` says what to do
  console.error(`${answer.title}: ${answer.detail}`);
  process.exit(1);
}
console.log(`${answer.decision}: ${answer.class_name} (${(100 * answer.confidence).toFixed(0)} %)`);
