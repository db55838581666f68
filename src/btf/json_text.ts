/**
 * JSON as bpftool writes it: integers of any width, members in order, the same name twice if the type has it twice.
 *
 * A node is finished text (a number, a quoted string), a list, or named members.
 */

export type JsonNode = string | readonly JsonNode[] | { readonly members: readonly (readonly [string, JsonNode])[] };

const ESCAPES: Readonly<Record<string, string>> = {
  "\t": "\\t",
  "\n": "\\n",
  "\r": "\\r",
  "\f": "\\f",
  "\b": "\\b",
  "\\": "\\\\",
  '"': '\\"',
};

export function jsonString(text: string): string {
  const escaped = (c: string): string => ESCAPES[c] ?? `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`;
  return `"${text.replace(/[\u0000-\u001f\\"]/g, escaped)}"`;
}

/** @param pretty  bpftool -p: members on lines of their own, indented by 4; lists stay on one line */
export function jsonText(node: JsonNode, pretty = false, depth = 0): string {
  const eol = (level: number): string => (pretty ? `\n${"    ".repeat(level)}` : "");
  if (typeof node === "string") return node;
  if ("members" in node) {
    if (node.members.length === 0) return "{}";
    const colon = pretty ? ": " : ":";
    const list = node.members.map(
      ([name, value]) => `${eol(depth + 1)}${jsonString(name)}${colon}${jsonText(value, pretty, depth + 1)}`,
    );
    return `{${list.join()}${eol(depth)}}`;
  }
  if (node.length === 0) return "[]";
  return `[${node.map((item) => jsonText(item, pretty, depth + 1)).join()}${eol(depth)}]`;
}
