/** Programs on the kernel's test functions: run by BPF_PROG_TEST_RUN of tracing programs, as on Linux. */
import { existsSync, readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { parseBtf } from "../../src/btf/btf.ts";
import { openObject } from "../../src/loader/object.ts";
import { withKernel } from "../support/kernel.ts";

const bytes = new Uint8Array(readFileSync(new URL("progs/trace.o", import.meta.url)));
const VMLINUX = "/sys/kernel/btf/vmlinux";
const reason = existsSync(VMLINUX) ? undefined : `no ${VMLINUX}, which has the test functions`;
if (reason) console.log(`tracing of test functions is not tested: ${reason}`);
const kernelBtf = reason ? undefined : parseBtf(readFileSync(VMLINUX));

for (const engine of ["jit", "interp"] as const) {
  it.skipIf(reason)(`fentry, fexit, fmod_ret (${engine})`, () =>
    withKernel(
      (_kernel, proc) => {
        const obj = openObject(bytes, { name: "trace.o" });
        obj.load(proc);
        const { on_entry, on_exit, instead } = obj.progs;
        const links = [on_entry!.attach(), on_exit!.attach({ cookie: 77n }), instead!.attach()];
        expect(on_entry!.testRun({}).retval).toBe(0);
        const seen = (name: string) =>
          Object.fromEntries(Object.entries(obj.bss[name] as Record<string, bigint>).map(([k, v]) => [k, Number(v)]));
        // bpf_fentry_test3(4, 5, 6) is 15.
        expect(seen("entry")).toEqual({ count: 3, first: 4, third: 6, beyond: -22, ret_err: -95, ret: 0, cookie: 0 });
        expect(seen("exit_")).toEqual({ count: 3, first: 4, third: 6, beyond: -22, ret_err: 0, ret: 15, cookie: 77 });

        // Both functions run: side effects 2, results 4 and 29.
        expect(instead!.testRun({}).retval).toBe((2 << 16) | 33);
        obj.bss["replace"] = 100;
        expect(instead!.testRun({}).retval).toBe((1 << 16) | 129);
        for (const link of links) link.close();
        expect(instead!.testRun({}).retval).toBe((2 << 16) | 33);
        obj.close();
      },
      { engine, kernelBtf },
    ),
  );
}
