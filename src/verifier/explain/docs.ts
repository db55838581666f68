/** The pages of docs/errors/, made from the catalog by `npm run docs:errors`. */
import { CATALOG, OTHER } from "./catalog.ts";
import type { Entry } from "./entry.ts";

/** File name and text of every page, README.md first. */
export function errorPages(): ReadonlyMap<string, string> {
  const pages = new Map<string, string>([["README.md", indexPage()]]);
  for (const entry of [...CATALOG, OTHER]) pages.set(`${entry.code}.md`, page(entry));
  return pages;
}

const MADE = "<!-- Made by `npm run docs:errors` from src/verifier/explain/catalog*.ts. -->\n";

function indexPage(): string {
  const rows = [...CATALOG].map((e) => `| [${e.code}](${e.code}.md) | ${e.title} |`);
  const lines = CATALOG.flatMap((e) => e.messages.map((m) => ({ m, code: e.code })));
  lines.sort((a, b) => (a.m.toLowerCase() < b.m.toLowerCase() ? -1 : 1));
  return `${MADE}
# Errors of the verifier

\`skep verify --explain FILE.o\` names one of these codes for each program that is refused, and
\`VerifierError.explanation.code\` holds it in the library. Codes do not change.

| code | what is wrong |
|---|---|
${rows.join("\n")}

## By message

Values stand in braces. The messages are those of Linux 6.18.

| message | code |
|---|---|
${lines.map(({ m, code }) => `| ${cell(m)} | [${code}](${code}.md) |`).join("\n")}
`;
}

function page(e: Entry): string {
  const lang = e.lang ?? "c";
  const messages = e.messages.length ? `${e.messages.map((m) => `    ${m}`).join("\n")}\n` : "";
  const advice = typeof e.suggest === "string" ? `\n## What to do\n\n${e.suggest}\n` : "";
  return `${MADE}
# ${e.code}: ${e.title}

${e.rule}
${messages ? `\n## Messages\n\n${messages}` : ""}${advice}
## Refused

${block(lang, e.bad)}
## Accepted

${block(lang, e.good)}${e.notes ? `\n${e.notes}\n` : ""}`;
}

function block(lang: string, text: string): string {
  return `\`\`\`${lang}\n${text}\n\`\`\`\n`;
}

/** Text in a table cell. */
function cell(text: string): string {
  return `\`${text.replaceAll("|", "\\|")}\``;
}
