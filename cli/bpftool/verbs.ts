/** A command whose first word is a verb from a table: `skep map dump id 5`. */

import { type JsonNode, jsonString, jsonText } from "../../src/btf/json_text.ts";
import type { Bpf } from "../../src/kernel/bpf.ts";
import type { CliCommand } from "../commands/command.ts";
import { addKernelOption, addScenarioOption, type KernelName, openKernel } from "../kernel.ts";
import { type Io, UsageError } from "../output.ts";
import { Words } from "./words.ts";

export interface Call {
  readonly bpf: Bpf;
  readonly words: Words;
  readonly io: Io;
  readonly json: boolean;
  /** -f: paths of pins are shown. */
  readonly bpffs: boolean;
}

/** What a verb prints: text for people, or a value for --json. */
export interface Answer {
  readonly json: unknown;
  readonly text: string;
}

export interface Verb {
  /** Words after the verb. */
  readonly usage: string;
  run(call: Call): Answer;
}

/** What a verb prints that has nothing to say. */
export const DONE: Answer = { json: null, text: "" };

/** A command of bpftool's: an object's name and its verbs. */
export interface ObjectCommand extends CliCommand {
  /** @param words the verb and its words. @throws UsageError */
  answer(words: readonly string[], call: Omit<Call, "words">): Answer;
}

export function objectCommand(name: string, description: string, verbs: Readonly<Record<string, Verb>>): ObjectCommand {
  const list = Object.entries(verbs).map(([verb, { usage }]) => `  ${name} ${verb} ${usage}`.trimEnd());
  return {
    name,
    description,
    configure(command) {
      command
        .argument("[words...]", `a verb and its words (default: ${Object.keys(verbs)[0]})`)
        .option("-p, --pretty", "JSON on several lines")
        .option("-f, --bpffs", "show the paths of pins")
        .addHelpText("after", `\nVerbs:\n  ${list.join("\n  ").replaceAll("\n    ", "\n  ")}`);
      addKernelOption(command, "linux");
      addScenarioOption(command);
    },
    answer(words, call) {
      const [verb = Object.keys(verbs)[0]!, ...rest] = words;
      const key = verb === "list" ? "show" : Object.keys(verbs).find((v) => v.startsWith(verb));
      if (key === undefined || !verbs[key]) {
        throw new UsageError(`${name}: '${verb}' seen, one of ${Object.keys(verbs).join(", ")} wanted`);
      }
      return verbs[key].run({ ...call, words: new Words(`${name} ${key}`, rest) });
    },
    run([words], options, io) {
      const { kernel, scenario, json, pretty, bpffs } = options as unknown as Options;
      using opened = openKernel(kernel, scenario);
      const asJson = json === true || pretty === true;
      const call = { bpf: opened.bpf, io, json: asJson, bpffs: bpffs === true };
      const answer = this.answer(words as string[], call);
      io.out(asJson ? `${answerText(answer.json, pretty)}\n` : answer.text);
      return 0;
    },
  };
}

interface Options {
  readonly kernel: KernelName;
  readonly scenario?: string;
  readonly json?: boolean;
  readonly pretty?: boolean;
  readonly bpffs?: boolean;
}

/** JSON that is finished already, inside of a value. */
export class Finished {
  readonly node: JsonNode;

  constructor(node: JsonNode) {
    this.node = node;
  }
}

/** A value of Answer.json as text. */
export function answerText(json: unknown, pretty = false): string {
  return jsonText(nodeOf(json), pretty);
}

/** bigints of any width; members that are undefined are left out. */
function nodeOf(value: unknown): JsonNode {
  if (value instanceof Finished) return value.node;
  if (typeof value === "string") return jsonString(value);
  if (typeof value !== "object" || value === null) return String(value);
  if (Array.isArray(value)) return value.map(nodeOf);
  const members = Object.entries(value).filter(([, v]) => v !== undefined);
  return { members: members.map(([name, v]) => [name, nodeOf(v)] as const) };
}

/** ["0x00","0xff"], as bpftool shows bytes. */
export function hexList(bytes: Uint8Array): string[] {
  return [...bytes].map((b) => `0x${b.toString(16).padStart(2, "0")}`);
}

/** 00 ff */
export function hexWords(bytes: Uint8Array): string {
  return [...bytes].map((b) => b.toString(16).padStart(2, "0")).join(" ");
}
