/**
 * Test programs in the format of the public conformance suite: sections `-- asm`, `-- raw`, `-- mem`, `-- result`,
 * `-- error`; `#` starts a comment. Several programs in one file are told apart by `== name` lines.
 */
import { fromHex } from "../../src/bytes/hex.ts";
import { assemble } from "../../src/isa/assemble.ts";
import { encode } from "../../src/isa/codec.ts";

export interface DataTest {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly memory: Uint8Array;
  /** r0 wanted. */
  readonly result?: bigint;
  /** Part of the message wanted. */
  readonly error?: string;
  readonly asm: string;
}

export function parseData(text: string): DataTest[] {
  return text
    .split(/^== /m)
    .slice(1)
    .map((piece) => {
      const [name, ...lines] = piece.split("\n");
      const sections = new Map<string, string[]>();
      let current: string[] = [];
      for (const line of lines) {
        const head = /^-- (\w+)/.exec(line);
        if (head) sections.set(head[1], (current = []));
        else current.push(line);
      }
      const get = (section: string) => sections.get(section)?.join("\n").trim();
      const asm = get("asm") ?? "";
      const result = get("result");
      const error = get("error");
      return {
        name: name.trim(),
        asm,
        bytes: asm ? encode(assemble(asm, { syntax: "mnemonic" }).insns) : fromHex(get("raw") ?? ""),
        memory: fromHex(get("mem") ?? ""),
        ...(result === undefined ? {} : { result: BigInt.asUintN(64, BigInt(result)) }),
        ...(error === undefined ? {} : { error }),
      };
    });
}
