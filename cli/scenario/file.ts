/**
 * Scenario files: a kernel in this process, set up by a list of steps in JSON.
 *
 *     { "steps": [
 *       { "device": "eth0" },
 *       { "process": "firewalld" },
 *       { "load": "firewall.o", "by": "firewalld" },
 *       { "attach": "firewall/firewall", "device": "eth0", "as": "fw" },
 *       { "pin": "fw", "at": "/sys/fs/bpf/fw" },
 *       { "exit": "firewalld" }
 *     ] }
 *
 * A step is one object; its first member names the verb (steps.ts) and what it acts on. Every step takes "by", the
 * process that acts; the first one, "init", is there from the start.
 * Errors   UsageError what is written wrongly, with the step's number; BpfError what the kernel refuses.
 */
import { dirname } from "node:path";
import { BpfError } from "../../src/abi/errno.ts";
import { readFile } from "../../src/node/files.ts";
import { UsageError } from "../output.ts";
import { Scene } from "./scene.ts";
import { type Field, type StepArgs, VERBS } from "./steps.ts";

export interface ScenarioStep {
  readonly verb: string;
  readonly args: StepArgs;
  /** "attach firewall/firewall device eth0", for people. */
  readonly text: string;
}

export interface Scenario {
  readonly file: string;
  readonly steps: readonly ScenarioStep[];
}

/** @throws UsageError, BpfError for an unreadable file */
export function readScenario(file: string): Scenario {
  let content: unknown;
  try {
    content = JSON.parse(new TextDecoder().decode(readFile(file)));
  } catch (e) {
    if (e instanceof SyntaxError) throw new UsageError(`${file}: no JSON: ${e.message}`);
    throw e;
  }
  const steps = isObject(content) ? content["steps"] : undefined;
  if (!Array.isArray(steps)) throw new UsageError(`${file}: an object with the member "steps", a list, is wanted`);
  return { file, steps: steps.map((step, i) => readStep(step, `${file}: step ${i + 1}`)) };
}

/** A kernel after all steps. */
export function openScenario(file: string): Scene {
  const scenario = readScenario(file);
  const scene = new Scene(dirname(file));
  try {
    scenario.steps.forEach((_, i) => void runStep(scenario, i, scene));
    return scene;
  } catch (e) {
    scene[Symbol.dispose]();
    throw e;
  }
}

export function runStep({ file, steps }: Scenario, index: number, scene: Scene): void {
  const { verb, args } = steps[index]!;
  try {
    VERBS[verb]!.run(scene, args);
  } catch (e) {
    const where = `${file}: step ${index + 1} (${verb})`;
    if (e instanceof UsageError) throw new UsageError(`${where}: ${e.message}`);
    if (e instanceof BpfError)
      throw new BpfError(e.errno, `${where}: ${e.message.replace(/: E[A-Z0-9]+$/, "")}`, {}, e);
    throw e;
  }
}

function readStep(step: unknown, where: string): ScenarioStep {
  if (!isObject(step)) throw new UsageError(`${where}: an object is wanted`);
  const [verb = ""] = Object.keys(step);
  const known = VERBS[verb];
  if (!known) throw new UsageError(`${where}: '${verb}' seen, one of ${Object.keys(VERBS).join(", ")} wanted`);
  const fields: Readonly<Record<string, Field>> = { [verb]: known.what, by: "text?", ...known.fields };
  for (const [name, value] of Object.entries(step)) {
    const field = fields[name];
    if (!field) throw new UsageError(`${where} (${verb}): '${name}' seen; wanted ${Object.keys(fields).join(", ")}`);
    if (!fits(value, field)) {
      throw new UsageError(
        `${where} (${verb}): '${name}': ${JSON.stringify(value)} seen, a ${field.replace("?", "")} wanted`,
      );
    }
  }
  for (const [name, field] of Object.entries(fields)) {
    if (!field.endsWith("?") && !(name in step)) throw new UsageError(`${where} (${verb}): '${name}' is wanted`);
  }
  const words = Object.entries(step).map(
    ([name, value]) => `${name} ${Array.isArray(value) ? value.join(",") : value}`,
  );
  return { verb, args: { what: step[verb], ...step } as StepArgs, text: words.join(" ") };
}

function fits(value: unknown, field: Field): boolean {
  switch (field.replace("?", "")) {
    case "text":
      return typeof value === "string";
    case "number":
      return typeof value === "number" && Number.isInteger(value) && value >= 0;
    case "list":
      return Array.isArray(value) && value.every((v) => typeof v === "string");
    default:
      return typeof value === "boolean";
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
