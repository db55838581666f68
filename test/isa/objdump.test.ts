import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { assemble } from "../../src/isa/assemble.ts";
import { decode, encode } from "../../src/isa/codec.ts";
import { disasm } from "../../src/isa/disasm.ts";

/** Objects that Debian's xdp-tools installs. */
const DIR = "/usr/lib/x86_64-linux-gnu/bpf";
const OBJDUMP = "/usr/bin/llvm-objdump-19";
const reason = !existsSync(OBJDUMP) ? `no ${OBJDUMP}` : !existsSync(DIR) ? `no ${DIR} (package xdp-tools)` : "";
const files = reason ? [] : readdirSync(DIR).filter((f) => f.endsWith(".o"));

/** Bytes and text of each line of `llvm-objdump -d`. */
function objdump(file: string): { bytes: Uint8Array; text: string }[] {
  const out = execFileSync(OBJDUMP, ["-d", file], { encoding: "utf8", maxBuffer: 1 << 28 });
  return [...out.matchAll(/^\s+\d+:\t((?:[0-9a-f]{2} )*[0-9a-f]{2})\t(.*)$/gm)].map(([, bytes, text]) => ({
    bytes: Uint8Array.from(bytes.split(" "), (b) => Number.parseInt(b, 16)),
    text,
  }));
}

describe("llvm-objdump", () => {
  it.skipIf(reason)(
    `every instruction of the xdp-tools objects prints as there${reason && ` (skipped: ${reason})`}`,
    () => {
      let seen = 0;
      for (const file of files) {
        for (const { bytes, text } of objdump(join(DIR, file))) {
          const insns = decode(bytes);
          const [line] = disasm(insns, { style: "llvm" });
          expect(line.replace(/^\s*0:\t/, ""), file).toBe(text.replace(/\s+<[^<>]*>$/, ""));
          if (!/^call/.test(text)) expect(encode(assemble(text, { syntax: "kernel" }).insns), text).toEqual(bytes);
          expect(encode(assemble(line.replace(/^\s*0:\t/, ""), { syntax: "kernel" }).insns).length).toBe(bytes.length);
          seen++;
        }
      }
      expect(seen).toBeGreaterThan(files.length);
    },
  );

  it("golden: one line of each kind", () => {
    const golden = readFileSync(join(import.meta.dirname, "golden/llvm.txt"), "utf8")
      .trimEnd()
      .split("\n");
    const lines = golden.map((l) => /^\s*(\d+):\t((?:[0-9a-f]{2} )*[0-9a-f]{2})\t(.*)$/.exec(l)!);
    const bytes = Uint8Array.from(
      lines.flatMap((m) => m[2].split(" ")),
      (b) => Number.parseInt(b, 16),
    );
    const want = lines.map((m) => `${m[1].padStart(8)}:\t${m[3].replace(/\s+<[^<>]*>$/, "")}`);
    expect(disasm(decode(bytes), { style: "llvm" })).toEqual(want);
  });
});
