/** The running Linux as a second opinion: one python3 process that loads program after program through bpf(2). */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { toHex } from "../../src/bytes/hex.ts";
import type { FuzzCase, FuzzMap } from "./case.ts";

const here = dirname(fileURLToPath(import.meta.url));
/** The sources: this file runs from dist/, or from them. */
const script = [
  join(here, "linux_verdicts.py"),
  join(here, "..", "..", "..", "conformance", "fuzz", "linux_verdicts.py"),
].find((p) => existsSync(p));

export interface LinuxVerdict {
  /** 0: accepted; -1: the process that asks has ended. */
  readonly errno: number;
  /** The last words of the log, when it was asked for. */
  readonly msg: string;
}

/** What a process that has ended answers. */
const GONE = "-1 ";

export class Linux {
  readonly #child: ChildProcess;
  readonly #waiting: ((line: string) => void)[] = [];
  #gone = false;

  private constructor(child: ChildProcess) {
    this.#child = child;
    const lines = createInterface({ input: child.stdout! });
    lines.on("line", (line) => this.#waiting.shift()?.(line));
    const gone = () => {
      this.#gone = true;
      for (const done of this.#waiting.splice(0)) done(GONE);
    };
    child.on("exit", gone);
    child.stdin!.on("error", gone);
  }

  /** Undefined, or why it cannot be asked. */
  static async start(maps: readonly FuzzMap[]): Promise<Linux | string> {
    if (process.platform !== "linux") return "this is no Linux";
    if (script === undefined) return "linux_verdicts.py is not here";
    const child = spawn("python3", [script], { stdio: ["pipe", "pipe", "ignore"] });
    child.on("error", () => {});
    const linux = new Linux(child);
    const answer = await linux.#ask(JSON.stringify(maps.map((m) => [m.type, m.key, m.value, m.max, m.flags ?? 0])));
    if (answer === "ok") return linux;
    linux.stop();
    return answer === GONE ? "python3 does not run" : `bpf(2): ${answer}`;
  }

  #ask(line: string): Promise<string> {
    if (this.#gone) return Promise.resolve(GONE);
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.#child.stdin!.write(`${line}\n`);
    });
  }

  async verdict(c: FuzzCase, wantMessage = false): Promise<LinuxVerdict> {
    const refs = c.mapRefs.map(([slot, map]) => `${slot}:${map}`).join(",");
    const line = await this.#ask(
      `${c.progType} ${c.flags} ${c.noPerfmon ? 1 : 0} ${wantMessage ? 1 : 0} ${toHex(c.insns)} ${refs}`,
    );
    const space = line.indexOf(" ");
    return { errno: Number(line.slice(0, space)), msg: line.slice(space + 1) };
  }

  stop(): void {
    this.#child.stdin!.end();
  }
}
