/** Random straight code on the JIT, on the model and on Linux: what the compiler remembers of registers must not change a result. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { LinuxBpf } from "../../bench/linux_bpf.ts";
import { toHex } from "../../src/bytes/hex.ts";
import { encode } from "../../src/isa/codec.ts";
import { disasm } from "../../src/isa/disasm.ts";
import { jit } from "../../src/jit/jit.ts";
import { CPU_CTX } from "../../src/memory/cpu_ctx.ts";
import { bed, imageOf, run64 } from "./harness.ts";
import { model } from "./model.ts";
import { program, seeds, slots } from "./random_code.ts";

test("random straight code", () => {
  const b = bed();
  const top = BigInt(b.memory.readU32(b.memory.cpuCtx + CPU_CTX.stackTop));
  fc.assert(
    fc.property(slots, seeds, (body, values) => {
      const image = imageOf(program(body, values));
      const regs = new Array<bigint>(11).fill(0n);
      regs[10] = top;
      const want = model(image, b.memory.view, regs);
      const prog = jit(image, b.env);
      const got = run64(b, prog);
      prog.dispose();
      if (got !== want) expect({ text: disasm(image.insns).join("\n"), got }).toEqual({ want });
    }),
    { numRuns: 500 },
  );
});

test("as Linux computes it", async ({ skip }) => {
  const linux = new LinuxBpf();
  const b = bed();
  try {
    const why = await linux.unavailable();
    if (why !== undefined) skip(`Linux does not run programs here: ${why}`);
    for (const [body, values] of fc.sample(fc.tuple(slots, seeds), { numRuns: 60, seed: 1 })) {
      const insns = program(body, values);
      const onLinux = await linux.load({
        insns: toHex(encode(insns)),
        maps: [],
        relocs: [],
        elems: [],
        data: "00".repeat(64),
      });
      const { retval } = await linux.run(onLinux);
      await linux.unload(onLinux);
      const ours = jit(imageOf(insns), b.env);
      const got = ours.run(0);
      ours.dispose();
      if (got !== retval) expect({ text: disasm(insns).join("\n"), got }).toEqual({ retval });
    }
  } finally {
    linux.close();
  }
});
