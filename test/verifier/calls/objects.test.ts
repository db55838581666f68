/**
 * Compiled programs that say themselves what the verifier must answer (REFUSED in progs/verdict.h): dynptrs, locks, kernel
 * objects, functions. Both kernel BTFs must give the same answer, and so must Linux.
 */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { Btf } from "../../../src/btf/btf.ts";
import { builtinBtf } from "../../../src/btf/builtin/index.ts";
import { BTF_KIND_DECL_TAG, BTF_KIND_FUNC } from "../../../src/btf/kinds.ts";
import { Kernel } from "../../../src/kernel/kernel.ts";
import { loadAlone, type Verdict } from "../../../src/loader/load_alone.ts";
import { loadKernelBtf } from "../../../src/node/kernel_btf.ts";
import { openSpec } from "../../../src/object/open.ts";
import { whyNotLinux, withLinux } from "../../support/kernels.ts";

const REFUSED = "refused:";

/** The words a program must be refused with, by its name. */
function refusals(btf: Btf | undefined): Map<string, string> {
  const words = new Map<string, string>();
  if (!btf) return words;
  for (let id = 1; id < btf.typeCount; id++) {
    if (btf.kind(id) !== BTF_KIND_DECL_TAG || !btf.nameOf(id).startsWith(REFUSED)) continue;
    const target = btf.ref(id);
    if (btf.kind(target) === BTF_KIND_FUNC) words.set(btf.nameOf(target), btf.nameOf(id).slice(REFUSED.length));
  }
  return words;
}

function hold(got: Verdict, words: string | undefined): void {
  if (words === undefined) expect(got.verdict, got.message).toBe("success");
  else expect(got.verdict === "success" ? "accepted" : got.msg).toContain(words);
}

const small = builtinBtf();
let linuxBtf: Btf | undefined;

for (const file of ["dynptr.o", "locks.o", "objects.o", "funcs.o"]) {
  const bytes = new Uint8Array(readFileSync(new URL(`progs/${file}`, import.meta.url)));
  const spec = openSpec(bytes, file);
  const words = refusals(spec.btf);
  describe(file, () => {
    for (const { name } of spec.progs) {
      it(name, () => {
        const proc = new Kernel({ kernelBtf: small }).spawn();
        hold(loadAlone(spec, name, proc, { kernelBtf: small }), words.get(name));
      });
    }

    it.skipIf(whyNotLinux)("the running Linux agrees", () => {
      linuxBtf ??= loadKernelBtf().btf;
      const options = { kernelBtf: linuxBtf, logLevel: 1 };
      for (const { name } of spec.progs) {
        const said = withLinux((bpf) => loadAlone(spec, name, bpf, options));
        try {
          hold(said, words.get(name));
        } catch (e) {
          throw new Error(`${name}: ${(e as Error).message}`);
        }
      }
    });
  });
}
